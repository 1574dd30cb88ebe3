//! The verbs: what the rules say and what the ledger makes of it, together. Pure: a function of the
//! Lambda, the local server, a spec and a simulation ask the same question and get the same answer.

use std::sync::Arc;

use ledger::decision::{Draft, GiveRejection};
use ledger::earn::EarnRejection;
use ledger::entry::Gives;
use ledger::pot::Till;
use ledger::redeem::RedeemRejection;
use ledger::tier::settle;
use ledger::{
    Activity, Decision, FieldValue, Lack, Member, Moment, Order, Outcome, Pot, Reason, Supplies,
    Taken, Units, cap,
};

use crate::bundle::{Bundle, cannot_be_given};
use crate::desk::Act;
use crate::judge::{self, Receiver, Stop, check_pool};
use crate::mistake::{RuleFailure, did_you_mean, plain_types};
use crate::run::failure;
use crate::sheet::{Costs, Rule};

/// The activity that a rule's `refer()` is for the member who brought the other.
pub const REFERRAL: &str = "referral";
/// The field of a referral that says whom was brought.
pub const FRIEND: &str = "friend";

/// Why a request is not decided. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The ledger said no.
    #[error(transparent)]
    Earn(#[from] EarnRejection),
    /// The ledger said no.
    #[error(transparent)]
    Redeem(#[from] RedeemRejection),
    /// The ledger said no.
    #[error(transparent)]
    Give(#[from] GiveRejection),
    /// A reward that no sheet has.
    #[error("there is no reward `{name}`{hint}")]
    RewardIsUnknown {
        /// The reward asked for.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// A reward that cannot be had today.
    #[error("reward `{0}` cannot be had today")]
    RewardIsNotOnItsDays(String),
    /// A reward that looks at the order, taken without one.
    #[error("reward `{0}` needs the order it is taken with: send `order`")]
    RewardNeedsTheOrder(String),
    /// A reward whose price the member chooses, taken without a number of units.
    #[error("reward `{reward}` needs to know how much: send `units`, from {least} to {most}")]
    UnitsAreMissing {
        /// The reward.
        reward: String,
        /// At least.
        least: Units,
        /// At most.
        most: Units,
    },
    /// A number of units that the reward does not take.
    #[error("reward `{reward}` takes from {least} to {most} units, not {units}")]
    UnitsAreOutOfRange {
        /// The reward.
        reward: String,
        /// What was sent.
        units: Units,
        /// At least.
        least: Units,
        /// At most.
        most: Units,
    },
    /// A reward whose condition does not hold.
    #[error("reward `{0}` is not for this member now: its condition does not hold")]
    RewardConditionDoesNotHold(String),
    /// A reward that has nothing to give this member now: a right that it has already.
    #[error("reward `{0}` has nothing to give this member now")]
    RewardGivesNothing(String),
    /// A reward that this member has had as often as it may.
    #[error("reward `{reward}` can be had at most {most} times per period, and has been")]
    RewardWasTakenAsOftenAsItMay {
        /// The reward.
        reward: String,
        /// Times per period.
        most: u32,
    },
    /// A reward of which nothing is left.
    #[error("nothing of reward `{0}` is left")]
    RewardIsSoldOut(String),
    /// A reward that is a code of which none is left.
    #[error("reward `{reward}` is a code from `{pool}`, and none is left there")]
    PoolIsEmpty {
        /// The reward.
        reward: String,
        /// The pool.
        pool: String,
    },
    /// The merchant's rule failed.
    #[error(transparent)]
    RuleFailed(#[from] RuleFailure),
    /// What has to be known beyond the member has not been loaded.
    #[error("this has to be known first: {0:?}")]
    Lacks(Lack),
}

impl From<Stop> for Refused {
    fn from(stop: Stop) -> Refused {
        match stop {
            Stop::Failed(failure) => Refused::RuleFailed(failure),
            Stop::Lacks(lack) => Refused::Lacks(lack),
        }
    }
}

impl From<Lack> for Refused {
    fn from(lack: Lack) -> Refused {
        Refused::Lacks(lack)
    }
}

/// A reward that a member wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Which.
    pub reward: String,
    /// How many units of it, where the member chooses.
    pub units: Option<Units>,
    /// The order it is taken with.
    pub order: Option<Order>,
}

impl Bundle {
    /// What an activity brings the member, and the one who brought the member.
    ///
    /// # Errors
    /// The activity's date makes no sense, a rule failed, or something has to be loaded first.
    pub fn earn(
        &self,
        member: &Member,
        activity: Activity,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        ledger::earn::admit(member, &activity, now)?;
        let member = Arc::new(member.clone());
        let standing = self.standing(&member, now)?;
        let seen = self.see(&member, standing.tier, activity.at, now);
        let activity = Arc::new(activity);
        let mut run = self.run(&Bundle::facts_of_activity(seen, &activity));
        let judged = judge::activity(self, &member, &activity, supplies, &mut run)?;
        // That the programme has the activity is checked where a rule says `refer()`.
        let referral = judged.referred().map(|referrer| (referrer, referral(&member, &activity)));
        let draft = Draft::of(judged.because, judged.changes, judged.till);
        // The facts let go of it, and the entry takes it.
        drop(run);
        let activity = Arc::unwrap_or_clone(activity);
        let decision = ledger::earn::decide(&member, self.programme(), activity, draft, now)?;
        let mut decision = self.settled(&member, decision, now)?;
        if let Some((referrer, referral)) = referral {
            // What the two draw from a pot, they draw together.
            let rest = without(supplies, &decision);
            // The referrer may have joined in the very second of the purchase it is told of.
            let at = referral.at.max(referrer.enrolled_at);
            let referral = Activity { at, ..referral };
            decision.referrer = Some(Box::new(self.earn(referrer, referral, &rest, now)?));
        }
        Ok(decision)
    }

    /// What taking a reward changes.
    ///
    /// # Errors
    /// The reward is unknown, not for this member, too dear or sold out, its rule failed, or
    /// something has to be loaded first.
    pub fn redeem(
        &self,
        member: &Member,
        redemption: Redemption,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let Redemption { reward: name, units, order } = redemption;
        let (rule, costs) = self.reward(&name)?;
        let member = Arc::new(member.clone());
        let standing = self.standing(&member, now)?;
        let mut till = Till::new(supplies);
        let wish = Wish { rule, costs, order: order.as_ref(), units };
        let (taken, draft) = self.take(&member, standing.tier, &wish, Some(&mut till), now)?;
        let spendable = member.spendable(taken.wallet.as_str(), now);
        if spendable < taken.costs {
            // Before the stock is asked: whoever cannot pay is told that.
            return Err(RedeemRejection::BalanceIsInsufficient {
                reward: taken.name,
                wallet: taken.wallet,
                costs: taken.costs,
                spendable,
            }
            .into());
        }
        if rule.stock.is_some() && !till.draw(&Pot::Stock(name.clone()), Units::ONE)? {
            return Err(Refused::RewardIsSoldOut(name));
        }
        let draft = Draft { draws: till.draws, dry: till.dry, ..draft };
        let decision = ledger::redeem::decide(&member, self.programme(), taken, order, draft, now)?;
        Ok(self.settled(&member, decision, now)?)
    }

    /// What has run out by now; nothing where there is nothing to write down.
    ///
    /// # Errors
    /// A tier's condition failed.
    pub fn expire(&self, member: &Member, now: Moment) -> Result<Option<Decision>, Refused> {
        let member = Arc::new(member.clone());
        let decision = ledger::expire::decide(&member, self.programme(), now)?;
        let decision = self.settled(&member, decision, now)?;
        Ok(decision.says_something().then_some(decision))
    }

    /// Lets the tier follow what was decided. The rules have seen the tier that held before,
    /// however late anyone writes it down; the entry tells the change since the entry before.
    fn settled(
        &self,
        before: &Arc<Member>,
        decision: Decision,
        now: Moment,
    ) -> Result<Decision, RuleFailure> {
        // As it stood the moment before, which is how it stands unless what was decided changes it.
        let mut after = decision.member.clone();
        after.standing = self.standing(before, now)?;
        let after = Arc::new(after);
        let standing = self.standing(&after, now)?;
        Ok(settle(decision, &before.standing, standing))
    }

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
        let Wish { rule, costs, order, units } = *wish;
        let programme = self.programme();
        let name = || rule.title.clone();
        if !rule.is_on(now.with_timezone(&programme.time_zone).date_naive(), programme) {
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
        let mut run = self.run(&Bundle::facts_of_order(seen, order, Some(judge::seen(price))));
        let needs_order = |failure: RuleFailure| {
            if failure.needs_order {
                Refused::RewardNeedsTheOrder(name())
            } else {
                Refused::RuleFailed(failure)
            }
        };
        if !run.applies(rule).map_err(needs_order)? {
            return Err(Refused::RewardConditionDoesNotHold(name()));
        }
        let mut draft = Draft::default();
        if let Some(cap) = rule.cap {
            let room = cap::room(member, &rule.title, cap, now, programme.time_zone);
            if room.times == 0 {
                let most = cap.most;
                return Err(Refused::RewardWasTakenAsOftenAsItMay { reward: name(), most });
            }
            let counted = rule.title.clone();
            draft.changes.push(ledger::Change::Counted { counted, since: room.since });
        }
        let (value, acts) = run.body(rule).map_err(needs_order)?;
        let mut gives = gift(rule, value, programme)?;
        self.receive(rule, acts, member, till, &mut gives, &mut draft, now)?;
        if gives.is_none() && draft.because.is_empty() {
            return Err(Refused::RewardGivesNothing(name()));
        }
        let (source, wallet) = (rule.source.clone(), costs.wallet.clone());
        Ok((Taken { name: name(), source, wallet, costs: price, gives }, draft))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "it is the inner half of `take`, split for its length"
    )]
    fn receive(
        &self,
        rule: &Rule,
        acts: Vec<Act>,
        member: &Member,
        mut till: Option<&mut Till<'_>>,
        gives: &mut Option<Gives>,
        draft: &mut Draft,
        now: Moment,
    ) -> Result<(), Refused> {
        let who = Receiver { member, programme: self.programme(), at: now };
        for act in acts {
            let outcome = match act {
                Act::Voucher(pool) => {
                    check_pool(rule, &pool, self.programme())?;
                    let Some(till) = till.as_deref_mut() else {
                        // It is only asked whether it could be had.
                        let gave = Outcome::Voucher { pool, code: String::new() };
                        let (rule, source) = (rule.title.clone(), rule.source.clone());
                        draft.because.push(Reason { rule, source, gave });
                        continue;
                    };
                    let Some(code) = till.code(&pool)? else {
                        return Err(Refused::PoolIsEmpty { reward: rule.title.clone(), pool });
                    };
                    if let Some(Gives::Voucher { pool: given, code: empty }) = gives
                        && *given == pool
                    {
                        empty.clone_from(&code);
                    }
                    Some(Outcome::Voucher { pool, code })
                }
                act => {
                    let into = &self.programme().main_wallet;
                    let earlier = draft.because.iter().map(|reason| &reason.gave);
                    who.receives(rule, act, into, earlier)?
                }
            };
            let reason =
                |gave| Reason { rule: rule.title.clone(), source: rule.source.clone(), gave };
            draft.because.extend(outcome.map(reason));
        }
        Ok(())
    }
}

/// A reward as one member wants it.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) costs: &'a Costs,
    pub(crate) order: Option<&'a Order>,
    pub(crate) units: Option<Units>,
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

/// What the friend's activity is for the member who brought the friend.
fn referral(friend: &Member, activity: &Activity) -> Activity {
    Activity {
        id: activity.id.clone(),
        kind: REFERRAL.to_owned(),
        at: activity.at,
        order: None,
        channel: None,
        payment: None,
        fields: [(FRIEND.to_owned(), FieldValue::Text(friend.id.to_string()))].into(),
    }
}

/// The supplies that are left after a decision. A member who brings others was brought by someone
/// too, and that one has no part in it.
fn without(supplies: &Supplies, decision: &Decision) -> Supplies {
    let mut rest = supplies.clone();
    for draw in &decision.entry.draws {
        if let Some(left) = rest.left.get_mut(&draw.pot) {
            left.units = left.units.checked_sub(draw.units).unwrap_or_default();
        }
    }
    for reason in &decision.entry.because {
        if let Outcome::Voucher { pool, code } = &reason.gave
            && let Some(codes) = rest.codes.get_mut(pool)
        {
            codes.retain(|other| other != code);
        }
    }
    rest
}
