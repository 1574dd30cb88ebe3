use std::sync::Arc;

use ledger::decision::Draft;
use ledger::hold::HoldRejection;
use ledger::pot::Till;
use ledger::{Decision, Entry, Member, Moment, Programme, Supplies, Units, What};

use super::{Handed, Redemption};
use crate::bundle::Bundle;
use crate::refused::Refused;
use crate::taking::Wish;

impl Bundle {
    /// What setting a reward aside changes. What its rule gives is given when it is captured.
    ///
    /// # Errors
    /// As [`Bundle::redeem`]; or too much is set aside already.
    pub fn hold(
        &self,
        member: &Member,
        redemption: Redemption,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        self.within(member.account.as_ref(), member, supplies, now, |member| {
            let standing = self.standing(&Arc::new(member.clone()), now)?;
            let (mut taken, order, draft) =
                self.taken(member, &standing, redemption, supplies, Handed::Later, now)?;
            taken.gives = None;
            let draft = Draft { because: Vec::new(), ..draft };
            let decision = ledger::hold::hold(member, self.programme(), taken, order, draft, now)?;
            Ok(self.settled(standing, decision, &member.standing, now)?)
        })
    }

    /// What capturing a hold changes, all of it or so many units. What the reward gives for them is
    /// for the rules to say `by` which it was set aside; `entry` is the one that did.
    ///
    /// # Errors
    /// There is no such hold any more, it does not take so many units, or something has to be loaded
    /// first.
    pub fn capture(
        &self,
        by: &Bundle,
        member: &Member,
        entry: &Entry,
        units: Option<Units>,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let What::Hold { hold, reward, order, .. } = &entry.what else {
            return Err(HoldRejection::HoldIsUnknown(entry.seq.to_string()).into());
        };
        ledger::erase::present(member)?;
        ledger::hold::open(member, hold, now)?;
        let (rule, costs) = by.reward(&reward.name)?;
        let held = reward.costs;
        let units = units.unwrap_or(held);
        if units > held || (!costs.is_chosen() && units != held) {
            let hold = hold.clone();
            return Err(match costs.is_chosen() {
                true => HoldRejection::MoreIsCapturedThanHeld { hold, held, units }.into(),
                false => {
                    let reward = reward.name.clone();
                    Refused::UnitsAreOutOfRange { reward, units, least: held, most: held }
                }
            });
        }
        let programme = self.as_set_aside(member, supplies, hold)?;
        self.within_by(&programme, member.account.as_ref(), member, supplies, now, |member| {
            let wish = Wish {
                rule,
                costs,
                order: order.as_ref(),
                units: costs.is_chosen().then_some(units),
                promised: true,
            };
            let mut till = Till::new(supplies);
            let seen = Arc::new(member.at(now));
            let tier = self.standing(&seen, now)?.tier;
            let (taken, draft) = by.take(&seen, tier, &wish, Some(&mut till), entry.at)?;
            let draft = Draft { draws: till.draws(), dry: till.dry, ..draft };
            self.followed(member, now, || {
                Ok(ledger::hold::capture(member, &programme, hold, taken, draft, now)?)
            })
        })
    }

    /// What letting a hold go changes.
    ///
    /// # Errors
    /// There is no such hold any more.
    pub fn release(
        &self,
        member: &Member,
        hold: &str,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        ledger::erase::present(member)?;
        let programme = self.as_set_aside(member, supplies, hold)?;
        self.within_by(&programme, member.account.as_ref(), member, supplies, now, |member| {
            self.followed(member, now, || Ok(ledger::hold::release(member, &programme, hold, now)?))
        })
    }

    /// The programme with the wallet of a hold shared, or not, as when its units were set aside: they
    /// lie where they were put, whatever is shared by now.
    fn as_set_aside(
        &self,
        member: &Member,
        supplies: &Supplies,
        hold: &str,
    ) -> Result<Programme, Refused> {
        let mut programme = self.programme().clone();
        let Some(account) = supplies.account(member)? else { return Ok(programme) };
        let lies = |at: &Member, wallet: &str| {
            at.wallet(wallet).lots().iter().any(|lot| lot.terms.held.as_deref() == Some(hold))
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
}
