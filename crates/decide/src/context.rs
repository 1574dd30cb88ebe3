//! The context of a decision: everything that it needs besides the member and the request.

use ledger::{DecisionData, Member, Moment, Programme};
use rules::Bundle;

/// The context of a decision: the merchant's rules, the decision data, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The rules in force.
    pub bundle: &'a Bundle,
    /// The decision data that has been loaded so far.
    pub data: &'a DecisionData,
    /// The time of the decision.
    pub now: Moment,
}

impl<'a> Context<'a> {
    /// The merchant's policy.
    #[must_use]
    pub fn programme(&self) -> &'a Programme {
        self.bundle.programme()
    }

    /// The member with the account's wallets in place of its own, if it shares any.
    #[must_use]
    pub fn view(&self, member: &Member, account: Option<&Member>) -> Member {
        match account {
            Some(account) => ledger::account::view(member, account, self.programme(), self.now),
            None => member.clone(),
        }
    }
}
