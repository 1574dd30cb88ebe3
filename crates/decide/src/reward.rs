//! A reward that one member takes: its price, its condition and cap, and what its block gives.

use std::sync::Arc;

use chrono::NaiveDate;
use ledger::cap::Cap;
use ledger::decision::Draft;
use ledger::decision_data::Allocator;
use ledger::entry::Benefit;
use ledger::{
    Change, Effect, Member, Moment, Order, Reason, RedeemedReward, SharedLimit, Units, cap,
};
use rules::{Bundle, Costs, EffectRequest, Facts, Rule, RuleFailure, Value, did_you_mean};
use rust_decimal::Decimal;

use crate::context::Context;
use crate::effects::{Receiver, check_pool};
use crate::refusal::{Refusal, Undecided};

/// The most steps of one reward. A list of offers runs many rewards.
pub(crate) const REWARD_STEPS_MAX: u64 = 500;

/// A request for a reward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// The title of the reward.
    pub reward: String,
    /// The units to spend, if the member chooses how many.
    pub units: Option<Units>,
    /// The order with which the reward is taken.
    pub order: Option<Order>,
}

/// Whether a reward is taken at once or held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// The member takes it at once.
    Now,
    /// It is held, and captured later or never.
    Later,
}

/// A reward request with its rule.
#[derive(Clone, Copy)]
pub(crate) struct RewardRequest<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) costs: &'a Costs,
    pub(crate) order: Option<&'a Order>,
    pub(crate) units: Option<Units>,
    /// Whether it is held already. Its days, condition and cap were checked when it was held.
    pub(crate) promised: bool,
}

/// The member that takes a reward, with its tier, at a moment.
#[derive(Clone)]
pub(crate) struct Taker<'a> {
    pub(crate) member: &'a Arc<Member>,
    pub(crate) tier: Option<String>,
    pub(crate) now: Moment,
}

/// The rule and the costs of the reward of this name or title.
pub(crate) fn named<'b>(bundle: &'b Bundle, name: &str) -> Result<(&'b Rule, &'b Costs), Refusal> {
    bundle.priced().find(|(rule, _)| rule.is_called(name)).ok_or_else(|| {
        let rewards = bundle.rewards().map(|(title, _)| title);
        Refusal::RewardIsUnknown { name: name.to_owned(), hint: did_you_mean(name, rewards) }
    })
}

/// Takes or holds a reward: returns the redeemed reward, its order, and a draft with the effects of
/// its rule and the withdrawal from its stock.
pub(crate) fn take(
    context: &Context<'_>,
    member: &Member,
    tier: Option<String>,
    redemption: Redemption,
    timing: Timing,
) -> Result<(RedeemedReward, Option<Order>, Draft), Undecided> {
    let Context { bundle, data, now, .. } = *context;
    member.present()?;
    let Redemption { reward, units, order } = redemption;
    let (rule, costs) = named(bundle, &reward)?;
    let stock = SharedLimit::Stock(rule.name.clone());
    let mut allocator = Allocator::new(data);
    // This entry also returns the stock of the member's expired holds.
    for hold in member.holds.values().filter(|hold| hold.until <= now) {
        if hold.limit().as_ref() == Some(&stock) {
            allocator.expect_back(stock.clone());
        }
    }
    let member = Arc::new(member.at(now));
    let request = RewardRequest { rule, costs, order: order.as_ref(), units, promised: false };
    // Codes are given when the reward is taken, and not held.
    let codes = Some(&mut allocator).filter(|_| timing == Timing::Now);
    let taker = Taker { member: &member, tier, now };
    let (taken, draft) = at_its_price(bundle, &taker, &request, codes)?;
    // This check precedes the stock, so that a member that cannot pay gets that refusal.
    ledger::redeem::price(&member, &taken, now)?;
    if rule.stock.is_some() && !allocator.withdraw(&stock, Units::ONE)? {
        return Err(Refusal::RewardIsSoldOut(rule.title.clone()).into());
    }
    let draft =
        Draft { withdrawals: allocator.withdrawals(), exhausted: allocator.exhausted, ..draft };
    Ok((taken, order, draft))
}

/// Runs the rule of a reward for a member: returns the redeemed reward and a draft. Without an
/// allocator it takes no codes, and only finds out whether the member could have the reward.
pub(crate) fn at_its_price(
    bundle: &Bundle,
    taker: &Taker<'_>,
    request: &RewardRequest<'_>,
    allocator: Option<&mut Allocator<'_>>,
) -> Result<(RedeemedReward, Draft), Undecided> {
    let RewardRequest { rule, costs, order, promised, .. } = *request;
    let Taker { member, now, .. } = *taker;
    let programme = bundle.programme();
    let name = || rule.title.clone();
    let today = now.with_timezone(&programme.time_zone).date_naive();
    if !promised && !rule.is_on(today, programme) {
        return Err(Refusal::RewardIsNotOnItsDays(name()).into());
    }
    let price = price(request)?;
    let seen = bundle.see(member, taker.tier.clone(), now, now);
    let mut run = bundle.run_within(REWARD_STEPS_MAX, &Facts::of_order(seen, order, Some(price)));
    let needs_order = |failure: RuleFailure| {
        if failure.needs_order {
            Refusal::RewardNeedsTheOrder(name())
        } else {
            Refusal::RuleFailed(failure)
        }
    };
    if !promised && !run.applies(rule).map_err(needs_order)? {
        let unmet = run.unmet(rule);
        return Err(Refusal::RewardConditionDoesNotHold { reward: name(), unmet }.into());
    }
    let mut draft = Draft::default();
    if let Some(cap) = rule.cap.filter(|_| !promised) {
        within_cap(rule, cap, member, today)?;
        draft.changes.push(Change::once(&rule.name, today));
    }
    let (value, effects) = run.body(rule).map_err(needs_order)?;
    let gives = gift(rule, value, programme)?;
    let receiver = Receiver { member, programme, at: now };
    let mut handover = Handover { rule, receiver, allocator, gives, draft };
    for effect in effects {
        handover.receive(effect)?;
    }
    let Handover { gives, draft, .. } = handover;
    if gives.is_none() && draft.reasons.is_empty() {
        return Err(Refusal::RewardGivesNothing(name()).into());
    }
    let (source, wallet) = (rule.source.clone(), costs.wallet.clone());
    let name = rule.name.clone();
    Ok((RedeemedReward { name, source, wallet, costs: price, gives }, draft))
}

/// Refuses a reward that was taken on a day and is told later, if by now the member has had it as often as
/// it may in the period of that day: telling it late opens no cap.
///
/// # Errors
/// The reward is unknown, or the member has had it.
pub(crate) fn can_be_late(
    context: &Context<'_>,
    member: &Member,
    reward: &str,
    at: Moment,
) -> Result<(), Refusal> {
    let (rule, _) = named(context.bundle, reward)?;
    let day = at.with_timezone(&context.programme().time_zone).date_naive();
    rule.cap.map_or(Ok(()), |cap| within_cap(rule, cap, member, day))
}

fn within_cap(rule: &Rule, cap: Cap, member: &Member, day: NaiveDate) -> Result<(), Refusal> {
    if cap::room(member.counters(&rule.name), cap, day) > 0 {
        return Ok(());
    }
    let (reward, most, per) = (rule.title.clone(), cap.most, cap.per);
    Err(Refusal::RewardWasTakenAsOftenAsItMay { reward, most, per })
}

/// The units that the member pays: the reward's price, or the number that the member chose.
fn price(request: &RewardRequest<'_>) -> Result<Units, Refusal> {
    let RewardRequest { rule, costs, units, .. } = *request;
    let (reward, least, most) = (rule.title.clone(), costs.least, costs.most);
    match units {
        None if costs.is_chosen() => Err(Refusal::UnitsAreMissing { reward, least, most }),
        None => Ok(least),
        Some(units) if (least..=most).contains(&units) => Ok(units),
        Some(units) => Err(Refusal::UnitsAreOutOfRange { reward, units, least, most }),
    }
}

/// The state of giving a reward: its gift, and a draft of the effects so far.
struct Handover<'a, 't> {
    rule: &'a Rule,
    receiver: Receiver<'a>,
    /// The source of codes; nothing if the caller only asks whether the reward could be had.
    allocator: Option<&'a mut Allocator<'t>>,
    gives: Option<Benefit>,
    draft: Draft,
}

impl Handover<'_, '_> {
    fn receive(&mut self, effect: EffectRequest) -> Result<(), Undecided> {
        let effect = match effect {
            EffectRequest::Voucher(pool) => Some(self.voucher(pool)?),
            effect => {
                let into = &self.receiver.programme.main_wallet;
                let earlier = self.draft.reasons.iter().map(|reason| &reason.effect);
                self.receiver.receives(self.rule, effect, into, earlier)?
            }
        };
        let (rule, source) = (&self.rule.title, &self.rule.source);
        let reason = |effect| Reason { rule: rule.clone(), source: source.clone(), effect };
        self.draft.reasons.extend(effect.map(reason));
        Ok(())
    }

    fn voucher(&mut self, pool: String) -> Result<Effect, Undecided> {
        check_pool(self.rule, &pool, self.receiver.programme)?;
        let Some(allocator) = &mut self.allocator else {
            return Ok(Effect::Voucher { pool, code: String::new(), again: false });
        };
        let Some(code) = allocator.code(&pool)? else {
            return Err(Refusal::PoolIsEmpty { reward: self.rule.title.clone(), pool }.into());
        };
        if let Some(Benefit::Voucher { pool: given, code: empty }) = &mut self.gives
            && *given == pool
        {
            empty.clone_from(&code);
        }
        Ok(Effect::Voucher { pool, code, again: false })
    }
}

/// The gift that a block gives; nothing if the block has no value. Any other value is a failure.
/// Money is rounded down to the currency's decimals.
pub(crate) fn gift(
    rule: &Rule,
    value: Value,
    programme: &ledger::Programme,
) -> Result<Option<Benefit>, RuleFailure> {
    let mut gives = match value {
        Value::Nothing => return Ok(None),
        Value::Gift(gives) => gives,
        other => {
            let (keyword, found) = (rule.keyword(), other.kind());
            let message =
                format!("a {keyword} gives `product(..)`, `discount(..)` or the like, not {found}");
            return Err(rule.failure(message));
        }
    };
    if let Benefit::Discount { amount }
    | Benefit::GiftCard { amount }
    | Benefit::Payout { amount } = &mut gives
    {
        // Money has the decimals of its currency: five euros are 5.00. Fractions of the smallest
        // coin are dropped.
        let decimals = ledger::money::decimals(programme.currency);
        *amount = amount.trunc_with_scale(decimals);
        if amount.scale() < decimals {
            amount.rescale(decimals);
        }
    }
    match cannot_be_given(&gives) {
        Some(reason) => Err(rule.failure(reason)),
        None => Ok(Some(gives)),
    }
}

/// The reason why a gift is out of range, if it is.
fn cannot_be_given(gives: &Benefit) -> Option<String> {
    match gives {
        Benefit::Discount { amount }
        | Benefit::GiftCard { amount }
        | Benefit::Payout { amount }
            if *amount <= Decimal::ZERO =>
        {
            Some(format!("a gift of {amount} is none; it is above zero"))
        }
        Benefit::PercentOff { percent }
            if *percent <= Decimal::ZERO || *percent > Decimal::ONE_HUNDRED =>
        {
            Some(format!("{percent} is no percentage; it is above 0 and at most 100"))
        }
        _ => None,
    }
}
