//! A reward as one member takes it: its price, whether it is for the member, and what its block gives.

use std::sync::Arc;

use ledger::decision::Draft;
use ledger::entry::Gives;
use ledger::pot::Till;
use ledger::{Change, Member, Moment, Order, Outcome, Reason, Taken, Units, cap};

use crate::bundle::{Bundle, REWARD_STEPS_MAX, cannot_be_given};
use crate::desk::Act;
use crate::judge::{self, Receiver, check_pool};
use crate::mistake::{RuleFailure, did_you_mean, plain_types};
use crate::refused::Refused;
use crate::run::failure;
use crate::sheet::{Costs, Rule};

/// A reward as one member wants it.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) costs: &'a Costs,
    pub(crate) order: Option<&'a Order>,
    pub(crate) units: Option<Units>,
    /// It was set aside before: whether it can be had has been asked then.
    pub(crate) promised: bool,
}

impl Bundle {
    pub(crate) fn reward(&self, name: &str) -> Result<(&Rule, &Costs), Refused> {
        self.priced().find(|(rule, _)| rule.title == name).ok_or_else(|| {
            let rewards = self.rewards().map(|(title, _)| title);
            Refused::RewardIsUnknown { name: name.to_owned(), hint: did_you_mean(name, rewards) }
        })
    }

    /// The reward as the member would take it. Without a till, nothing is taken from pools of
    /// codes: then it is only asked whether it could be had.
    pub(crate) fn take(
        &self,
        member: &Arc<Member>,
        tier: Option<String>,
        wish: &Wish<'_>,
        till: Option<&mut Till<'_>>,
        now: Moment,
    ) -> Result<(Taken, Draft), Refused> {
        let Wish { rule, costs, order, units, promised } = *wish;
        let programme = self.programme();
        let name = || rule.title.clone();
        if !promised && !rule.is_on(now.with_timezone(&programme.time_zone).date_naive(), programme)
        {
            return Err(Refused::RewardIsNotOnItsDays(name()));
        }
        let (least, most) = (costs.least, costs.most);
        let price = match units {
            None if costs.is_chosen() => {
                return Err(Refused::UnitsAreMissing { reward: name(), least, most });
            }
            None => least,
            Some(units) if (least..=most).contains(&units) => units,
            Some(units) => {
                return Err(Refused::UnitsAreOutOfRange { reward: name(), units, least, most });
            }
        };
        let seen = self.see(member, tier, now, now);
        let facts = Bundle::facts_of_order(seen, order, Some(judge::seen(price)));
        let mut run = self.run_within(REWARD_STEPS_MAX, &facts);
        let needs_order = |failure: RuleFailure| {
            if failure.needs_order {
                Refused::RewardNeedsTheOrder(name())
            } else {
                Refused::RuleFailed(failure)
            }
        };
        if !promised && !run.applies(rule).map_err(needs_order)? {
            return Err(Refused::RewardConditionDoesNotHold(name()));
        }
        let mut draft = Draft::default();
        if let Some(cap) = rule.cap.filter(|_| !promised) {
            let room = cap::room(member, &rule.title, cap, now, programme.time_zone);
            if room.times == 0 {
                let most = cap.most;
                return Err(Refused::RewardWasTakenAsOftenAsItMay { reward: name(), most });
            }
            let counted = rule.title.clone();
            draft.changes.push(Change::Counted { counted, since: room.since });
        }
        let (value, acts) = run.body(rule).map_err(needs_order)?;
        let gives = gift(rule, value, programme)?;
        let receiver = Receiver { member, programme, at: now };
        let mut handover = Handover { rule, receiver, till, gives, draft };
        for act in acts {
            handover.receive(act)?;
        }
        let Handover { gives, draft, .. } = handover;
        if gives.is_none() && draft.because.is_empty() {
            return Err(Refused::RewardGivesNothing(name()));
        }
        let (source, wallet) = (rule.source.clone(), costs.wallet.clone());
        Ok((Taken { name: name(), source, wallet, costs: price, gives }, draft))
    }
}

/// A reward on its way over the counter.
struct Handover<'a, 't> {
    rule: &'a Rule,
    receiver: Receiver<'a>,
    /// Where codes come from; nothing where it is only asked whether the reward could be had.
    till: Option<&'a mut Till<'t>>,
    gives: Option<Gives>,
    draft: Draft,
}

impl Handover<'_, '_> {
    fn receive(&mut self, act: Act) -> Result<(), Refused> {
        let outcome = match act {
            Act::Voucher(pool) => Some(self.voucher(pool)?),
            act => {
                let into = &self.receiver.programme.main_wallet;
                let earlier = self.draft.because.iter().map(|reason| &reason.gave);
                self.receiver.receives(self.rule, act, into, earlier)?
            }
        };
        let (rule, source) = (&self.rule.title, &self.rule.source);
        let reason = |gave| Reason { rule: rule.clone(), source: source.clone(), gave };
        self.draft.because.extend(outcome.map(reason));
        Ok(())
    }

    fn voucher(&mut self, pool: String) -> Result<Outcome, Refused> {
        check_pool(self.rule, &pool, self.receiver.programme)?;
        let Some(till) = &mut self.till else {
            return Ok(Outcome::Voucher { pool, code: String::new() });
        };
        let Some(code) = till.code(&pool)? else {
            return Err(Refused::PoolIsEmpty { reward: self.rule.title.clone(), pool });
        };
        if let Some(Gives::Voucher { pool: given, code: empty }) = &mut self.gives
            && *given == pool
        {
            empty.clone_from(&code);
        }
        Ok(Outcome::Voucher { pool, code })
    }
}

/// The gift that a block gives, if it gives one.
pub(crate) fn gift(
    rule: &Rule,
    value: rhai::Dynamic,
    programme: &ledger::Programme,
) -> Result<Option<Gives>, RuleFailure> {
    if value.is_unit() {
        return Ok(None);
    }
    let found = value.type_name();
    let Some(mut gives) = value.try_cast::<Gives>() else {
        let found = plain_types(found);
        let message = format!(
            "a {} gives `product(..)`, `discount(..)` or the like, not {found}",
            rule.statement.keyword
        );
        return Err(failure(rule, message));
    };
    if let Gives::Discount { amount } | Gives::GiftCard { amount } | Gives::Payout { amount } =
        &mut gives
    {
        // Money has the decimals of its currency: five euros are 5.00, and what is less than the
        // smallest coin is dropped.
        let decimals = ledger::money::decimals(programme.currency);
        *amount = amount.trunc_with_scale(decimals);
        if amount.scale() < decimals {
            amount.rescale(decimals);
        }
    }
    match cannot_be_given(&gives) {
        Some(reason) => Err(failure(rule, reason)),
        None => Ok(Some(gives)),
    }
}
