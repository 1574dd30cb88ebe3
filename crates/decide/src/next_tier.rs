//! How far a member is from the next tier: the comparisons in its condition, with what the member
//! has and what it needs.

use std::sync::Arc;

use ledger::{Member, Moment};
use rules::{Bundle, Facts, Need, StatementKind};

/// The next tier, and what is needed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTier {
    /// Its name.
    pub tier: String,
    /// The comparisons of its condition. Where it has none with numbers, there are none.
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
