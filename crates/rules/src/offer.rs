//! What a member can have: rewards within reach, and benefits by standing.

use std::sync::Arc;

use ledger::entry::Gives;
use ledger::{Member, Moment, Order, Units, WalletName};

use crate::bundle::Bundle;
use crate::grammar::StatementKind;
use crate::mistake::RuleFailure;
use crate::refused::Refused;
use crate::sheet::{Costs, Rule};
use crate::taking::{Wish, gift};

/// A reward as one member finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// What it costs.
    pub costs: Costs,
    /// Units that are still missing.
    pub missing: Units,
    /// Whether it is for this member now.
    pub eligible: Eligible,
    /// How many there are for all members, if that is limited. Whether any is left is only known
    /// when it is taken.
    pub stock: Option<Units>,
}

/// Whether something is for a member now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eligible {
    /// It is.
    Yes,
    /// It is not, and why.
    No(String),
    /// That depends on the order.
    DependsOnOrder,
}

/// A benefit that a member has by standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benefit {
    /// Its title.
    pub title: String,
    /// What it gives; nothing if that depends on the order.
    pub gives: Option<Gives>,
}

impl Offer {
    /// It can be had now, with any order, as long as there are any.
    #[must_use]
    pub fn within_reach(&self) -> bool {
        self.eligible == Eligible::Yes && self.missing.is_zero()
    }

    /// The wallet that pays.
    #[must_use]
    pub fn wallet(&self) -> &WalletName {
        &self.costs.wallet
    }
}

impl Bundle {
    /// The rewards as the member finds them, in the order of the sheets, without an order at hand.
    /// A reward whose rule fails has its failure in its place.
    pub fn offers(
        &self,
        member: &Member,
        tier: Option<&str>,
        now: Moment,
    ) -> Vec<Result<Offer, RuleFailure>> {
        let member = Arc::new(member.clone());
        let offer = |(rule, costs): (&Rule, &Costs)| {
            let units = costs.is_chosen().then_some(costs.least);
            let wish = Wish { rule, costs, order: None, units, promised: false };
            let tier = tier.map(str::to_owned);
            let eligible = match self.take(&member, tier, &wish, None, now) {
                Ok(_) => Eligible::Yes,
                Err(Refused::RewardNeedsTheOrder(_)) => Eligible::DependsOnOrder,
                Err(Refused::RuleFailed(failure)) => return Err(failure),
                Err(refused) => Eligible::No(refused.to_string()),
            };
            let spendable = member.spendable(costs.wallet.as_str(), now);
            let missing = costs.least.checked_sub(spendable).unwrap_or_default();
            let (name, stock) = (rule.title.clone(), rule.stock);
            Ok(Offer { name, costs: costs.clone(), missing, eligible, stock })
        };
        self.priced().map(offer).collect()
    }

    /// The benefits that the member has now, in the order of the sheets. Those that depend on the
    /// order are among them where none is given, without a gift. A benefit whose rule fails has its
    /// failure in its place.
    pub fn benefits(
        &self,
        member: &Member,
        tier: Option<&str>,
        order: Option<&Order>,
        now: Moment,
    ) -> Vec<Result<Benefit, RuleFailure>> {
        let programme = self.programme();
        let today = now.with_timezone(&programme.time_zone).date_naive();
        let seen = self.see(&Arc::new(member.clone()), tier.map(str::to_owned), now, now);
        let mut run = self.run(&Bundle::facts_of_order(seen, order, None));
        let mut benefits = Vec::new();
        for (_, rule) in self.rules_of(StatementKind::Benefit) {
            if !rule.is_on(today, programme) {
                continue;
            }
            let gives = match run.applies(rule) {
                Ok(false) => continue,
                Ok(true) => run.body(rule).and_then(|(value, _)| gift(rule, value, programme)),
                Err(failure) => Err(failure),
            };
            let title = rule.title.clone();
            match gives {
                Ok(None) => {}
                Ok(gives) => benefits.push(Ok(Benefit { title, gives })),
                Err(failure) if failure.needs_order => {
                    benefits.push(Ok(Benefit { title, gives: None }));
                }
                Err(failure) => benefits.push(Err(failure)),
            }
        }
        benefits
    }
}
