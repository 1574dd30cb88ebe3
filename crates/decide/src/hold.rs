//! Hold, capture and release: a reward is held at the till, captured when the order is paid, and
//! released when it is cancelled.

use std::sync::Arc;

use ledger::HoldId;
use ledger::decision::Draft;
use ledger::decision_data::Allocator;
use ledger::hold::HoldRejection;
use ledger::{Decision, Entry, EntryKind, Member, Order, Programme, RedeemedReward, Seq, Units};
use rules::{Bundle, Costs, Rule};

use crate::context::Context;
use crate::happen::with_reward;
use crate::pipeline::{Sharing, on_shared_wallets, on_wallets_shared_as, with_tier_review};
use crate::refusal::{Refusal, Undecided};
use crate::reward::{self, Redemption, RewardRequest, Taker, Timing, at_its_price};
use crate::tier;

/// Decides on a hold. The effects of the reward's rule are given when the hold is captured.
///
/// # Errors
/// As [`crate::redeem()`]; or the member has too many holds.
pub fn hold(
    context: &Context<'_>,
    member: &Member,
    redemption: Redemption,
) -> Result<Decision, Undecided> {
    on_shared_wallets(context, member, |member| {
        with_reward(
            context,
            member,
            redemption,
            Timing::Later,
            |member, mut taken, order, draft| {
                taken.gives = None;
                let draft = Draft { reasons: Vec::new(), ..draft };
                ledger::hold::hold(member, context.programme(), taken, order, draft, context.now)
            },
        )
    })
}

/// Decides on the capture of a hold, of all its units or of `units`. `entry` is the entry of the
/// hold. `judged_by` are the rules that judged that entry; the reward gives what they say.
///
/// # Errors
/// The hold is not open, it cannot be captured for so many units, a rule failed, or data is
/// missing.
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
    check_open(context, member, hold)?;
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

/// The units of a hold to capture: all, or fewer if the member chooses the reward's price.
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

/// The request for a reward that is held already.
fn promised<'a>(
    rule: &'a Rule,
    costs: &'a Costs,
    order: Option<&'a Order>,
    units: Units,
) -> RewardRequest<'a> {
    let units = costs.is_chosen().then_some(units);
    RewardRequest { rule, costs, order, units, promised: true }
}

/// Decides on the release of a hold.
///
/// # Errors
/// The hold is not open, a tier's condition failed, or data is missing.
pub fn release(
    context: &Context<'_>,
    member: &Member,
    hold: &HoldId,
) -> Result<Decision, Undecided> {
    member.present()?;
    check_open(context, member, hold)?;
    let programme = as_held(context, member, hold)?;
    let sharing = Sharing { programme: &programme, account: member.account.as_ref() };
    on_wallets_shared_as(context, sharing, member, |member| {
        let decision = ledger::hold::release(member, &programme, hold, context.now)?;
        Ok(with_tier_review(context, decision, member)?)
    })
}

/// Checks that a hold is open. If it is not, the entries since then tell what became of it.
fn check_open(context: &Context<'_>, member: &Member, hold: &HoldId) -> Result<(), Undecided> {
    let Err(unknown) = ledger::hold::open(member, hold, context.now) else { return Ok(()) };
    let made = hold.entry().filter(|entry| Seq::FIRST <= *entry && *entry <= member.seq);
    let Some(made) = made else { return Err(unknown.into()) };
    let past = context.data.slice(member, made)?;
    Err(ledger::hold::closed(hold, &past.entries).into())
}

/// The programme in which the wallet of a hold is shared as it was when the units were held. The
/// held units are still in that wallet, the account's or the member's, whatever is shared now.
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
