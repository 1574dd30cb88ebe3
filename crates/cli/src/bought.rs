//! What members bought, by their entries.

use ledger::activity::PURCHASE;
use ledger::reverse::{Reversals, left_of};
use ledger::{Entry, EntryKind, Moment, Order, Seq};

use crate::result::CommandResult;

/// A purchase, with what is left of it after all returns.
pub(crate) struct Purchase {
    /// When the member made it.
    pub(crate) at: Moment,
    /// When its entry was decided.
    pub(crate) decided_at: Moment,
    pub(crate) order: Order,
}

/// A member's purchases; one that came back as a whole is none. `next` is the number of the member's
/// next entry, `decimals` those of the currency.
pub(crate) fn purchases(
    entries: &[Entry],
    next: Seq,
    decimals: u32,
) -> CommandResult<Vec<Purchase>> {
    let reversals = Reversals::of(entries, next, &[], decimals);
    let mut purchases = Vec::new();
    for entry in entries {
        let EntryKind::Earn { activity } = &entry.kind else { continue };
        if activity.kind != PURCHASE || reversals.is_undone(entry.seq) {
            continue;
        }
        let left = left_of(entry, &reversals.back(entry.seq), decimals)?;
        let order = left.order.unwrap_or_default();
        purchases.push(Purchase { at: activity.at, decided_at: entry.at, order });
    }
    Ok(purchases)
}
