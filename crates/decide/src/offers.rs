//! What a member can have: rewards within reach, and benefits by standing.

use std::sync::Arc;

use ledger::entry::Benefit;
use ledger::{Member, Moment, Order, Units, WalletName};
use rules::{Bundle, Costs, Facts, Rule, RuleFailure, StatementKind};

use crate::refusal::{Refusal, Undecided};
use crate::reward::{RewardRequest, Taker, at_its_price, gift};

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
pub struct MemberBenefit {
    /// Its title.
    pub title: String,
    /// What it gives; nothing if that depends on the order.
    pub gives: Option<Benefit>,
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

/// The rewards as the member finds them, in the order of the sheets, without an order at hand. A
/// reward whose rule fails has its failure in its place.
pub fn offers(
    bundle: &Bundle,
    member: &Member,
    tier: Option<&str>,
    now: Moment,
) -> Vec<Result<Offer, RuleFailure>> {
    let member = Arc::new(member.clone());
    let taker = Taker { member: &member, tier: tier.map(str::to_owned), now };
    let offer = |(rule, costs): (&Rule, &Costs)| {
        let units = costs.is_chosen().then_some(costs.least);
        let request = RewardRequest { rule, costs, order: None, units, promised: false };
        let eligible = match at_its_price(bundle, &taker, &request, None) {
            Ok(_) => Eligible::Yes,
            Err(Undecided::Refused(Refusal::RewardNeedsTheOrder(_))) => Eligible::DependsOnOrder,
            Err(Undecided::Refused(Refusal::RuleFailed(failure))) => return Err(failure),
            Err(Undecided::Refused(refusal)) => Eligible::No(refusal.to_string()),
            // Without a till nothing is asked for.
            Err(Undecided::NeedsData(missing)) => Eligible::No(missing.to_string()),
        };
        let spendable = member.spendable(costs.wallet.as_str(), now);
        let missing = costs.least.checked_sub(spendable).unwrap_or_default();
        let (name, stock) = (rule.title.clone(), rule.stock);
        Ok(Offer { name, costs: costs.clone(), missing, eligible, stock })
    };
    bundle.priced().map(offer).collect()
}

/// The benefits that the member has now, in the order of the sheets. Those that depend on the order
/// are among them where none is given, without a gift. A benefit whose rule fails has its failure in
/// its place.
pub fn benefits(
    bundle: &Bundle,
    member: &Member,
    tier: Option<&str>,
    order: Option<&Order>,
    now: Moment,
) -> Vec<Result<MemberBenefit, RuleFailure>> {
    let programme = bundle.programme();
    let today = now.with_timezone(&programme.time_zone).date_naive();
    let seen = bundle.see(&Arc::new(member.clone()), tier.map(str::to_owned), now, now);
    let mut run = bundle.run(&Facts::of_order(seen, order, None));
    let mut benefits = Vec::new();
    for (_, rule) in bundle.rules_of(StatementKind::Benefit) {
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
            Ok(gives) => benefits.push(Ok(MemberBenefit { title, gives })),
            Err(failure) if failure.needs_order => {
                benefits.push(Ok(MemberBenefit { title, gives: None }));
            }
            Err(failure) => benefits.push(Err(failure)),
        }
    }
    benefits
}
