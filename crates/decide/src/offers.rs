//! The rewards that a member can take, and the benefits that it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::entry::Benefit;
use ledger::{Member, Moment, Order, Units, WalletName};
use rules::{Bundle, Costs, Facts, Rule, RuleFailure, StatementKind};

use crate::refusal::{Refusal, Undecided};
use crate::reward::{REWARD_STEPS_MAX, RewardRequest, Taker, at_its_price, gift};

/// An offer: a reward for one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The name of the reward, by which it is taken.
    pub name: String,
    /// Its title, which may change.
    pub title: String,
    /// The costs of the reward.
    pub costs: Costs,
    /// The units that the member still lacks.
    pub missing: Units,
    /// Whether the member is eligible now.
    pub eligible: Eligible,
    /// The stock for all members together, if it is limited. What is left of it is only known when
    /// the reward is taken.
    pub stock: Option<Units>,
}

/// Whether a member is eligible for a reward now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eligible {
    /// The member is eligible.
    Yes,
    /// The member is not eligible, for this reason.
    No(String),
    /// It depends on the order.
    DependsOnOrder,
}

/// A benefit that a member has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberBenefit {
    /// The title of the benefit.
    pub title: String,
    /// The gift; nothing if it depends on the order.
    pub gives: Option<Benefit>,
}

impl Offer {
    /// Whether the member can take it now, with any order, as long as the stock lasts.
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

/// The offers of all rewards to a member, without an order, in the order of the sheets. A reward
/// whose rule fails is represented by its failure.
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
            // This cannot happen: without an allocator no decision data is needed.
            Err(Undecided::NeedsData(missing)) => Eligible::No(missing.to_string()),
        };
        let spendable = member.spendable(costs.wallet.as_str(), now);
        let missing = costs.least.checked_sub(spendable).unwrap_or_default();
        let (name, stock) = (rule.name.clone(), rule.stock);
        let title = rule.title.clone();
        Ok(Offer { name, title, costs: costs.clone(), missing, eligible, stock })
    };
    bundle.priced().map(offer).collect()
}

/// What each reward gives, by its name, whether or not the member can have it: at its least price,
/// and without an order. A reward whose gift depends on the order, or that gives grants and tags
/// alone, is left out.
#[must_use]
pub fn gifts(
    bundle: &Bundle,
    member: &Member,
    tier: Option<&str>,
    now: Moment,
) -> BTreeMap<String, Benefit> {
    let member = Arc::new(member.clone());
    let gift_of = |(rule, costs): (&Rule, &Costs)| {
        let units = costs.is_chosen().then_some(costs.least);
        let seen = bundle.see(&member, tier.map(str::to_owned), now, now);
        let mut run = bundle.run_within(REWARD_STEPS_MAX, &Facts::of_order(seen, None, units));
        let (value, _) = run.body(rule).ok()?;
        let gives = gift(rule, value, bundle.programme()).ok()??;
        Some((rule.name.clone(), gives))
    };
    bundle.priced().filter_map(gift_of).collect()
}

/// The benefits that the member has now, in the order of the sheets. Without an order, a benefit
/// that depends on the order is in the list without a gift. A benefit whose rule fails is
/// represented by its failure.
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
