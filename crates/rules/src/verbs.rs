//! The verbs: what the rules say and what the ledger makes of it, together. Pure: a function of the
//! Lambda, the local server, a spec and a simulation ask the same question and get the same answer.

use std::sync::Arc;

use ledger::decision::Draft;
use ledger::pot::Till;
use ledger::redeem::RedeemRejection;
use ledger::tier::{Standing, settle};
use ledger::{Activity, Decision, FieldValue, Member, Moment, Order, Pot, Supplies, Units};

use crate::bundle::Bundle;
use crate::judge;
use crate::mistake::RuleFailure;
use crate::refused::Refused;
use crate::taking::Wish;

/// The activity that a rule's `refer()` is for the member who brought the other.
pub const REFERRAL: &str = "referral";
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
        activity: Activity,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let (mut decision, referred) = self.earn_alone(member, activity, supplies, now)?;
        if let Some((referrer, referral)) = referred {
            // The referrer may have joined in the very second of the purchase it is told of.
            let at = referral.at.max(referrer.enrolled_at);
            let referral = Activity { at, ..referral };
            // What the two draw from a pot, they draw together. The referrer was brought by someone
            // too, and that one has no part in it: a rule on `referral` refers nobody.
            let beside = supplies.beside(&decision);
            let (referrers, _) = self.earn_alone(&referrer, referral, &beside, now)?;
            decision.referrer = Some(Box::new(referrers));
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
        activity: Activity,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<(Decision, Option<(Member, Activity)>), Refused> {
        ledger::earn::admit(member, &activity, now)?;
        let member = Arc::new(member.clone());
        let standing = self.standing(&member, now)?;
        let seen = self.see(&member, standing.tier.clone(), activity.at, now);
        let activity = Arc::new(activity);
        let mut run = self.run(&Bundle::facts_of_activity(seen, &activity));
        let judged = judge::activity(self, &member, &activity, supplies, &mut run)?;
        // That the programme has the activity is checked where a rule says `refer()`.
        let referred = judged.referred();
        let referred = referred.map(|referrer| (referrer.clone(), referral(&member, &activity)));
        let draft = Draft::of(judged.because, judged.changes, judged.till);
        // The facts let go of it, and the entry takes it.
        drop(run);
        let activity = Arc::unwrap_or_clone(activity);
        let decision = ledger::earn::decide(&member, self.programme(), activity, draft, now)?;
        Ok((self.settled(standing, decision, &member.standing, now)?, referred))
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
        let (taken, draft) =
            self.take(&member, standing.tier.clone(), &wish, Some(&mut till), now)?;
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
        let draft = Draft { draws: till.draws(), dry: till.dry, ..draft };
        let decision = ledger::redeem::decide(&member, self.programme(), taken, order, draft, now)?;
        Ok(self.settled(standing, decision, &member.standing, now)?)
    }

    /// What has run out by now; nothing where there is nothing to write down.
    ///
    /// # Errors
    /// A tier's condition failed.
    pub fn expire(&self, member: &Member, now: Moment) -> Result<Option<Decision>, Refused> {
        let member = Arc::new(member.clone());
        let decision = ledger::expire::decide(&member, self.programme(), now)?;
        let standing = self.standing(&member, now)?;
        let decision = self.settled(standing, decision, &member.standing, now)?;
        Ok(decision.says_something().then_some(decision))
    }

    /// Lets the tier follow what was decided. The rules have seen the tier that held before,
    /// however late anyone writes it down; the entry tells the change since the entry before.
    fn settled(
        &self,
        standing: Standing,
        decision: Decision,
        before: &Standing,
        now: Moment,
    ) -> Result<Decision, RuleFailure> {
        // As it stood the moment before, which is how it stands unless what was decided changes it.
        let mut after = decision.member.clone();
        after.standing = standing;
        let after = Arc::new(after);
        let standing = self.standing(&after, now)?;
        Ok(settle(decision, before, standing))
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
