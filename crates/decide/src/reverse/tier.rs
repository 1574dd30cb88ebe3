//! The tier that follows from a reversal.

use std::sync::Arc;

use ledger::decision::GiveRejection;
use ledger::tier_status::TierStatus;
use ledger::{Decision, Entry, EntryKind, Member};

use super::undoing::Undoing;
use crate::context::Context;
use crate::failures::Failures;
use crate::pipeline::with_tier_noted;
use crate::refusal::Undecided;
use crate::tier::{ladder, qualified, tier_status};

/// Adds the tier that follows from a reversal. If the member reached its tier with the reversed
/// entry or since, and no longer qualifies, it loses the tier at once, without grace, since it
/// should not have reached it. The tier before is then reviewed as if the member had kept it.
pub(super) fn with_tier_put_right(
    context: &Context<'_>,
    undoing: &Undoing<'_>,
    member: &Member,
    decision: Decision,
) -> Result<Decision, Undecided> {
    let (bundle, now) = (context.bundle, context.now);
    let mut failures = Failures::of(context);
    let present = tier_status(bundle, &Arc::new(member.clone()), now)?;
    let mut after = decision.member.clone();
    let tier_status = match before_it_was_reached(context, undoing, &present)? {
        None => present,
        Some(first) => {
            let tiers = ladder(bundle).tiers;
            let rank = |tier: Option<&str>| tiers.iter().position(|name| Some(*name) == tier);
            after.tier_status = TierStatus::default();
            let qualified = qualified(bundle, &Arc::new(after), now).map(Some);
            let (had, has) = (rank(first.tier.as_deref()), rank(present.tier.as_deref()));
            // If a tier fails, nobody can say that the member lost the one it has.
            match failures.or(qualified, || None)? {
                Some(qualified) if qualified < has && had < has => first,
                _ => present,
            }
        }
    };
    Ok(with_tier_noted(context, tier_status, decision, &member.tier_status, failures)?)
}

/// The tier status before the member reached its present tier, if the reversal may cost it that
/// tier: it reached the tier with the reversed entry, with a later one, or with an earlier one that
/// has been reversed in the meantime.
fn before_it_was_reached(
    context: &Context<'_>,
    undoing: &Undoing<'_>,
    present: &TierStatus,
) -> Result<Option<TierStatus>, GiveRejection> {
    let Undoing { original, window, .. } = *undoing;
    if !matches!(original.kind, EntryKind::Earn { .. }) {
        return Ok(None);
    }
    let tiers = ladder(context.bundle).tiers;
    let rank = |tier: Option<&str>| tiers.iter().position(|name| Some(*name) == tier);
    let undone_since = |entry: &Entry| {
        let by = |other: &Entry| other.undoes() == Some(entry.seq);
        entry.seq >= original.seq || window.entries.iter().any(by)
    };
    let reached = window.entries.iter().find(|entry| {
        let reaches = entry.tier.as_ref().is_some_and(|change| {
            change.to == present.tier && rank(change.to.as_deref()) > rank(change.from.as_deref())
        });
        reaches && undone_since(entry)
    });
    let Some(reached) = reached else { return Ok(None) };
    let slice = window.from(reached.seq);
    let slice = slice.map_err(|reason| GiveRejection::of(&window.before.id, reason))?;
    Ok(Some(slice.before.tier_status))
}
