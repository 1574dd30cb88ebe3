use ledger::account;
use ledger::adjust::{self, Adjustment, MoveRejection, Transfer};
use ledger::erase::present;
use ledger::{Decision, Member, MemberId, Moment, Supplies};

use crate::bundle::Bundle;
use crate::judge::are_one;
use crate::refused::Refused;

impl Bundle {
    /// What an adjustment by hand changes.
    ///
    /// # Errors
    /// The units cannot be given, or not be taken.
    pub fn adjust(
        &self,
        member: &Member,
        adjustment: Adjustment,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        self.within(member.account.as_ref(), member, supplies, now, |member| {
            self.followed(member, now, || {
                Ok(adjust::decide(member, self.programme(), adjustment, now)?)
            })
        })
    }

    /// What giving units to another member changes, for both.
    ///
    /// # Errors
    /// They cannot be moved, or something has to be loaded first.
    pub fn transfer(
        &self,
        from: &Member,
        transfer: &Transfer,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        // Who is forgotten is told that, before anything of others.
        present(from)?;
        let programme = self.programme();
        let to = supplies.member(&transfer.to)?;
        let to = to.ok_or_else(|| Refused::ReceiverIsUnknown(transfer.to.clone()))?;
        let name = transfer.wallet.as_deref().unwrap_or(programme.main_wallet.as_str());
        let shared = programme.wallets.get(name).is_some_and(|policy| policy.shared);
        if from.id == to.id || (shared && are_one(from, to)) {
            return Err(MoveRejection::BothSidesAreOne(from.id.clone()).into());
        }
        let mut had = None;
        let mut gave = self.within(from.account.as_ref(), from, supplies, now, |from| {
            let mut gave = None;
            let other = self.within(to.account.as_ref(), to, supplies, now, |to| {
                let (one, other) = adjust::transfer(from, to, programme, transfer.clone(), now)?;
                gave = Some(one);
                self.followed(to, now, || Ok(other))
            })?;
            had = Some(other);
            let gave = gave.ok_or_else(|| Refused::ReceiverIsUnknown(transfer.to.clone()))?;
            self.followed(from, now, || Ok(gave))
        })?;
        if let Some(mut had) = had {
            gave.others.append(&mut had.others);
            gave.others.push(had);
        }
        Ok(gave)
    }

    /// What sharing another member's wallets changes.
    ///
    /// # Errors
    /// The member cannot join, or something has to be loaded first.
    pub fn join(
        &self,
        member: &Member,
        account: &MemberId,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        present(member)?;
        let unknown = || Refused::AccountIsUnknown(account.clone());
        let account = supplies.member(account)?.ok_or_else(unknown)?;
        let decision = account::join(member, account, self.programme(), now)?;
        let decision = self.reviewed(decision, member, now)?;
        Ok(self.dated(self.account_reviewed(decision, Some(account), now)?, now))
    }

    /// What having its own wallets again changes for a member.
    ///
    /// # Errors
    /// It shares nobody's.
    pub fn leave(
        &self,
        member: &Member,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let account = supplies.account(member)?;
        let decision = account::leave(member, account, self.programme(), now)?;
        let decision = self.reviewed(decision, member, now)?;
        Ok(self.dated(self.account_reviewed(decision, account, now)?, now))
    }

    /// What forgetting the person changes.
    ///
    /// # Errors
    /// It is forgotten already, or others share its wallets.
    pub fn erase(
        &self,
        member: &Member,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let account = supplies.account(member)?;
        let decision = ledger::erase::decide(member, account, self.programme(), now)?;
        Ok(self.dated(self.account_reviewed(decision, account, now)?, now))
    }
}
