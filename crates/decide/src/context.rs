//! The context of a decision: everything that it needs besides the member and the request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{DecisionData, Member, MissingData, Moment, Programme};
use rules::Bundle;

/// Rules that are no longer in force, by their hash.
pub type EarlierRules = BTreeMap<String, Arc<Bundle>>;

static NO_RULES: EarlierRules = EarlierRules::new();

/// The context of a decision: the merchant's rules, the decision data, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The rules in force.
    pub bundle: &'a Bundle,
    /// The rules that judged earlier entries, as far as they have been loaded.
    pub earlier: &'a EarlierRules,
    /// The decision data that has been loaded so far.
    pub data: &'a DecisionData,
    /// The time of the decision.
    pub now: Moment,
}

impl<'a> Context<'a> {
    /// A context in which no earlier rules have been loaded.
    #[must_use]
    pub fn new(bundle: &'a Bundle, data: &'a DecisionData, now: Moment) -> Context<'a> {
        Context { bundle, earlier: &NO_RULES, data, now }
    }

    /// The merchant's policy.
    #[must_use]
    pub fn programme(&self) -> &'a Programme {
        self.bundle.programme()
    }

    /// The rules of that hash.
    ///
    /// # Errors
    /// They have not been loaded.
    pub(crate) fn rules_of(&self, hash: &str) -> Result<&'a Bundle, MissingData> {
        if self.bundle.hash().as_str() == hash {
            return Ok(self.bundle);
        }
        let earlier = self.earlier.get(hash).map(Arc::as_ref);
        earlier.ok_or_else(|| MissingData::Rules(vec![hash.to_owned()]))
    }

    /// Checks that the rules of these hashes are there.
    ///
    /// # Errors
    /// Some have not been loaded.
    pub(crate) fn has_rules_of(&self, hashes: &[String]) -> Result<(), MissingData> {
        let is_missing = |hash: &&String| self.rules_of(hash).is_err();
        let missing: BTreeSet<&String> = hashes.iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(MissingData::Rules(missing.into_iter().cloned().collect()))
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
