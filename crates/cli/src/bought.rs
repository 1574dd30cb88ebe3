//! What members bought, by their entries.

use ledger::activity::PURCHASE;
use ledger::reverse::{Reversals, left_of};
use ledger::{Entry, EntryKind, Moment, Seq};
use rust_decimal::Decimal;

use crate::result::CommandResult;

/// A member's purchases: when each was made, and what is left of what was paid after all returns. One
/// that came back as a whole is none. `next` is the number of the member's next entry, `decimals` those
/// of the currency.
pub(crate) fn purchases(
    entries: &[Entry],
    next: Seq,
    decimals: u32,
) -> CommandResult<Vec<(Moment, Decimal)>> {
    let reversals = Reversals::of(entries, next, &[], decimals);
    let mut purchases = Vec::new();
    for entry in entries {
        let EntryKind::Earn { activity } = &entry.kind else { continue };
        if activity.kind != PURCHASE || reversals.is_undone(entry.seq) {
            continue;
        }
        let left = left_of(entry, &reversals.back(entry.seq), decimals)?;
        purchases.push((activity.at, left.order.map(|order| order.total).unwrap_or_default()));
    }
    Ok(purchases)
}
