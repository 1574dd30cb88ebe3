//! A reward that is held at the till: captured on payment, released on cancel.

use std::sync::Arc;

use ledger::HoldId;
use ledger::decision::Draft;
use ledger::decision_data::Allocator;
use ledger::hold::HoldRejection;
use ledger::{Decision, Entry, EntryKind, Member, Order, Programme, RedeemedReward, Units};
use rules::{Bundle, Costs, Rule};

use crate::context::Context;
use crate::pipeline::{
    Sharing, on_shared_wallets, on_wallets_shared_as, with_tier, with_tier_review,
};
use crate::refusal::{Refusal, Undecided};
use crate::reward::{self, Redemption, RewardRequest, Taker, Timing, at_its_price, take};
use crate::tier;

/// What holding a reward changes. What its rule gives is given when it is captured.
///
/// # Errors
/// As [`crate::redeem`]; or too many rewards are held already.
pub fn hold(
    context: &Context<'_>,
    member: &Member,
    redemption: Redemption,
) -> Result<Decision, Undecided> {
    on_shared_wallets(context, member, |member| {
        let Context { bundle, now, .. } = *context;
        let tier_status = tier::tier_status(bundle, &Arc::new(member.clone()), now)?;
        let tier = tier_status.tier.clone();
        let (mut taken, order, draft) = take(context, member, tier, redemption, Timing::Later)?;
        taken.gives = None;
        let draft = Draft { reasons: Vec::new(), ..draft };
        let programme = context.programme();
        let decision = ledger::hold::hold(member, programme, taken, order, draft, now)?;
        Ok(with_tier(context, tier_status, decision, &member.tier_status)?)
    })
}

/// What capturing a hold changes, all of it or so many units. `entry` is the one that held the
/// reward, and `judged_by` the rules that judged it: they say what the reward gives.
///
/// # Errors
/// There is no such hold any more, it does not take so many units, or data has to be loaded first.
pub fn capture(
    context: &Context<'_>,
    judged_by: &Bundle,
    member: &Member,
    entry: &Entry,
    units: Option<Units>,
) -> Result<Decision, Undecided> {
    let now = context.now;
    let EntryKind::Hold { hold, reward, order, .. } = &entry.kind else {
        return Err(HoldRejection::HoldIsUnknown(HoldId::new(entry.seq.to_string())).into());
    };
    member.present()?;
    ledger::hold::open(member, hold, now)?;
    let (rule, costs) = reward::named(judged_by, &reward.name)?;
    let units = units_to_capture(hold, reward, costs, units)?;
    let programme = as_held(context, member, hold)?;
    let sharing = Sharing { programme: &programme, account: member.account.as_ref() };
    on_wallets_shared_as(context, sharing, member, |member| {
        let mut allocator = Allocator::new(context.data);
        let request = promised(rule, costs, order.as_ref(), units);
        let present = Arc::new(member.at(now));
        let tier = tier::tier_status(context.bundle, &present, now)?.tier;
        let taker = Taker { member: &present, tier, now: entry.at };
        let (taken, draft) = at_its_price(judged_by, &taker, &request, Some(&mut allocator))?;
        let draft =
            Draft { withdrawals: allocator.withdrawals(), exhausted: allocator.exhausted, ..draft };
        let decision = ledger::hold::capture(member, &programme, hold, taken, draft, now)?;
        Ok(with_tier_review(context, decision, member)?)
    })
}

/// How many units of a hold are captured: all, or so many where the member chooses its price.
fn units_to_capture(
    hold: &HoldId,
    reward: &RedeemedReward,
    costs: &Costs,
    units: Option<Units>,
) -> Result<Units, Undecided> {
    let held = reward.costs;
    let units = units.unwrap_or(held);
    if costs.is_chosen() && units > held {
        let hold = hold.clone();
        return Err(HoldRejection::MoreIsCapturedThanHeld { hold, held, units }.into());
    }
    if !costs.is_chosen() && units != held {
        let reward = reward.name.clone();
        return Err(Refusal::UnitsAreOutOfRange { reward, units, least: held, most: held }.into());
    }
    Ok(units)
}

/// A reward that is held already.
fn promised<'a>(
    rule: &'a Rule,
    costs: &'a Costs,
    order: Option<&'a Order>,
    units: Units,
) -> RewardRequest<'a> {
    let units = costs.is_chosen().then_some(units);
    RewardRequest { rule, costs, order, units, promised: true }
}

/// What releasing a hold changes.
///
/// # Errors
/// There is no such hold any more.
pub fn release(
    context: &Context<'_>,
    member: &Member,
    hold: &HoldId,
) -> Result<Decision, Undecided> {
    member.present()?;
    let programme = as_held(context, member, hold)?;
    let sharing = Sharing { programme: &programme, account: member.account.as_ref() };
    on_wallets_shared_as(context, sharing, member, |member| {
        let decision = ledger::hold::release(member, &programme, hold, context.now)?;
        Ok(with_tier_review(context, decision, member)?)
    })
}

/// The programme with the wallet of a hold shared, or not, as when its units were held: they lie
/// where they were put, whatever is shared by now.
fn as_held(context: &Context<'_>, member: &Member, hold: &HoldId) -> Result<Programme, Undecided> {
    let mut programme = context.programme().clone();
    let Some(account) = context.data.account(member)? else { return Ok(programme) };
    let lies = |at: &Member, wallet: &str| {
        at.wallet(wallet).lots().iter().any(|lot| lot.terms.held.as_ref() == Some(hold))
    };
    for (name, policy) in &mut programme.wallets {
        if lies(account, name.as_str()) {
            policy.shared = true;
        } else if lies(member, name.as_str()) {
            policy.shared = false;
        }
    }
    Ok(programme)
}
