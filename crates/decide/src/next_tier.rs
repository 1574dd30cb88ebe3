//! The distance of a member from the next tier: each comparison in the tier's condition, with the
//! number that the member has and the number that it needs.

use std::sync::Arc;

use ledger::{Member, Moment};
use rules::{Bundle, Facts, Need, StatementKind};

/// The next tier, and what the member needs for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTier {
    /// The name of the tier.
    pub tier: String,
    /// The comparisons with numbers in its condition; empty if it has none.
    pub needs: Vec<Need>,
}

/// The tier above the one that the member is in; nothing if it is in the highest.
#[must_use]
pub fn next_tier(
    bundle: &Bundle,
    member: &Member,
    tier: Option<&str>,
    now: Moment,
) -> Option<NextTier> {
    let present = bundle.tiers().position(|name| Some(name) == tier);
    let above = present.map_or(0, |present| present + 1);
    let (_, rule) = bundle.rules_of(StatementKind::Tier).nth(above)?;
    let seen = bundle.see(&Arc::new(member.clone()), tier.map(str::to_owned), now, now);
    let mut run = bundle.run(&Facts::of_order(seen, None, None));
    Some(NextTier { tier: rule.title.clone(), needs: run.needs(rule) })
}
