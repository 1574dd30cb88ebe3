//! The verbs: what the rules say and what the ledger makes of it, together. Pure: a function of the
//! Lambda, the local server, a spec and a simulation ask the same question and get the same answer.

/// Units moved by hand, accounts, erasing.
mod by_hand;
/// What is due at a moment, and when something is due next.
mod due;
/// A reward set aside, captured, released.
mod hold;
/// An entry undone.
mod reverse;

use std::sync::Arc;

use chrono::NaiveDate;
use ledger::decision::Draft;
use ledger::pot::Till;
use ledger::tier::{Standing, settle};
use ledger::{
    Activity, Change, Decision, FieldValue, Member, MemberId, Moment, Order, Pot, Programme,
    Supplies, Taken, Units,
};

use crate::bundle::Bundle;
use crate::judge;
use crate::mistake::RuleFailure;
use crate::refused::Refused;
use crate::taking::Wish;

/// The activity that a rule's `refer()` is for the member who brought the other.
pub use ledger::activity::REFERRAL;
/// The field of a referral that says whom was brought.
pub const FRIEND: &str = "friend";

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
        told: impl Into<Told>,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let (mut decision, referred) = self.earn_alone(member, told.into(), supplies, now)?;
        if let Some((referrer, referral)) = referred {
            // The referrer may have joined in the very second of the purchase it is told of.
            let at = referral.at.max(referrer.enrolled_at);
            let referral = Activity { at, ..referral };
            // What the two draw from a pot, they draw together. The referrer was brought by someone
            // too, and that one has no part in it: a rule on `referral` refers nobody.
            let beside = supplies.beside(&decision);
            let (mut referrers, _) = self.earn_alone(&referrer, referral.into(), &beside, now)?;
            decision.others.append(&mut referrers.others);
            decision.others.push(referrers);
        }
        Ok(decision)
    }

    /// What an activity brings the member alone, and what it is for the one who brought the member.
    ///
    /// # Errors
    /// The activity's date makes no sense, a rule failed, or something has to be loaded first.
    pub fn earn_alone(
        &self,
        member: &Member,
        told: Told,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<(Decision, Option<(Member, Activity)>), Refused> {
        let mut referred = None;
        let decision = self.within(member.account.as_ref(), member, supplies, now, |member| {
            let (decision, other) = self.judge(member, told, supplies, now)?;
            referred = other;
            Ok(decision)
        })?;
        Ok((decision, referred))
    }

    fn judge(
        &self,
        member: &Member,
        told: Told,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<(Decision, Option<(Member, Activity)>), Refused> {
        let Told { activity, raised } = told;
        ledger::earn::admit(member, &activity, now)?;
        let undecided = member;
        let member = Arc::new(member.at(now));
        let standing = self.standing(&member, now)?;
        let seen = self.see(&member, standing.tier.clone(), activity.at, now);
        let activity = Arc::new(activity);
        let mut run = self.run(&Bundle::facts_of_activity(seen, &activity));
        let judged = judge::activity(self, &member, &activity, supplies, &mut run)?;
        // That the programme has the activity is checked where a rule says `refer()`.
        let referred = judged.referred();
        let referred = referred.map(|referrer| (referrer.clone(), referral(&member, &activity)));
        let mut draft = Draft::of(judged.because, judged.changes, judged.till);
        let raised = raised.map(|day| Change::Raised { raised: activity.kind.clone(), day });
        draft.changes.extend(raised);
        // The facts let go of it, and the entry takes it.
        drop(run);
        let activity = Arc::unwrap_or_clone(activity);
        let decision = ledger::earn::decide(undecided, self.programme(), activity, draft, now)?;
        Ok((self.settled(standing, decision, &undecided.standing, now)?, referred))
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
        self.within(member.account.as_ref(), member, supplies, now, |member| {
            let standing = self.standing(&Arc::new(member.clone()), now)?;
            let (taken, order, draft) =
                self.taken(member, &standing, redemption, supplies, Handed::Over, now)?;
            let programme = self.programme();
            let decision = ledger::redeem::decide(member, programme, taken, order, draft, now)?;
            Ok(self.settled(standing, decision, &member.standing, now)?)
        })
    }

    /// A reward as it is taken or set aside, with what its rule gives.
    pub(crate) fn taken(
        &self,
        member: &Member,
        standing: &Standing,
        redemption: Redemption,
        supplies: &Supplies,
        handed: Handed,
        now: Moment,
    ) -> Result<(Taken, Option<Order>, Draft), Refused> {
        ledger::erase::present(member)?;
        let Redemption { reward: name, units, order } = redemption;
        let (rule, costs) = self.reward(&name)?;
        let mut till = Till::new(supplies);
        // What was set aside and forgotten goes back with this entry.
        for hold in member.holds.values().filter(|hold| hold.until <= now) {
            if hold.pot() == Some(Pot::Stock(name.clone())) {
                till.comes_back(Pot::Stock(name.clone()), Units::ONE);
            }
        }
        let member = Arc::new(member.at(now));
        let wish = Wish { rule, costs, order: order.as_ref(), units, promised: false };
        // Codes are handed over with the reward, and not set aside.
        let codes = Some(&mut till).filter(|_| handed == Handed::Over);
        let (taken, draft) = self.take(&member, standing.tier.clone(), &wish, codes, now)?;
        // Before the stock is asked: whoever cannot pay is told that.
        ledger::redeem::price(&member, &taken, now)?;
        if rule.stock.is_some() && !till.draw(&Pot::Stock(name.clone()), Units::ONE)? {
            return Err(Refused::RewardIsSoldOut(name));
        }
        let draft = Draft { draws: till.draws(), dry: till.dry, ..draft };
        Ok((taken, order, draft))
    }

    /// The member with the wallets that it shares, if it shares some.
    #[must_use]
    pub fn viewed(&self, member: &Member, account: Option<&Member>, now: Moment) -> Member {
        match account {
            Some(account) => ledger::account::view(member, account, self.programme(), now),
            None => member.clone(),
        }
    }

    /// Decides with the tier following, for verbs that ask no rule of an activity or a reward.
    pub(crate) fn followed(
        &self,
        member: &Member,
        now: Moment,
        decide: impl FnOnce() -> Result<Decision, Refused>,
    ) -> Result<Decision, Refused> {
        let decision = decide()?;
        let standing = self.standing(&Arc::new(member.clone()), now)?;
        Ok(self.settled(standing, decision, &member.standing, now)?)
    }

    /// Lets the tier follow what was decided. The rules have seen the tier that held before,
    /// however late anyone writes it down; the entry tells the change since the entry before.
    pub(crate) fn settled(
        &self,
        standing: Standing,
        decision: Decision,
        before: &Standing,
        now: Moment,
    ) -> Result<Decision, RuleFailure> {
        // As it stood the moment before, which is how it stands unless what was decided changes it.
        let mut after = decision.member.clone();
        after.standing = standing;
        let standing = self.standing(&Arc::new(after), now)?;
        Ok(settle(decision, before, standing))
    }

    /// Decides on the wallets that the member shares, if it shares some, and parts what that means
    /// for the member and for the account.
    pub(crate) fn within(
        &self,
        account: Option<&MemberId>,
        member: &Member,
        supplies: &Supplies,
        now: Moment,
        decide: impl FnOnce(&Member) -> Result<Decision, Refused>,
    ) -> Result<Decision, Refused> {
        self.within_by(self.programme(), account, member, supplies, now, decide)
    }

    /// The same, with the wallets that are shared by a programme.
    pub(crate) fn within_by(
        &self,
        programme: &Programme,
        account: Option<&MemberId>,
        member: &Member,
        supplies: &Supplies,
        now: Moment,
        decide: impl FnOnce(&Member) -> Result<Decision, Refused>,
    ) -> Result<Decision, Refused> {
        let account = account.map(|account| supplies.member(account)).transpose()?.flatten();
        let decision = match account {
            None => decide(member)?,
            Some(account) => {
                let decision = decide(&ledger::account::view(member, account, programme, now))?;
                let decision = ledger::account::part(member, account, programme, decision, now)?;
                self.account_reviewed(decision, Some(account), now)?
            }
        };
        Ok(self.dated(decision, now))
    }
}

/// Whether a reward is taken at once or set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handed {
    /// Over the counter.
    Over,
    /// Later, if at all.
    Later,
}

/// An activity that was told, or that has come by itself for a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub activity: Activity,
    /// For which day it has come by itself.
    pub raised: Option<NaiveDate>,
}

impl From<Activity> for Told {
    fn from(activity: Activity) -> Told {
        Told { activity, raised: None }
    }
}

/// What the friend's activity is for the member who brought the friend.
fn referral(friend: &Member, activity: &Activity) -> Activity {
    Activity {
        // Not by the friend's order: its number is the friend's own.
        id: format!("{} {}", friend.id, friend.version.saturating_add(1)),
        kind: REFERRAL.to_owned(),
        at: activity.at,
        of: None,
        order: None,
        channel: None,
        payment: None,
        fields: [(FRIEND.to_owned(), FieldValue::Text(friend.id.to_string()))].into(),
    }
}
