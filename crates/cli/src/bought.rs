//! What members bought, by their entries.

use ledger::activity::PURCHASE;
use ledger::reverse::{Reversals, left_of};
use ledger::{Activity, Entry, EntryKind, Moment, Order, OrderAmounts, Seq};
use rust_decimal::Decimal;

use crate::result::CommandResult;

/// A purchase, with what is left of it after all returns.
pub(crate) struct Purchase<'a> {
    /// What was told of it.
    pub(crate) activity: &'a Activity,
    /// When its entry was decided.
    pub(crate) decided_at: Moment,
    /// What is left of its order.
    pub(crate) order: Order,
}

impl Purchase<'_> {
    /// What of the total is the merchant's: all but tax and tips. Nothing if it is too large.
    pub(crate) fn revenue(&self) -> Option<Decimal> {
        let OrderAmounts { tax, tip, .. } = self.order.amounts;
        self.order.total.checked_sub(tax)?.checked_sub(tip)
    }
}

/// A member's purchases; one that came back as a whole is none. `next` is the number of the member's
/// next entry, `decimals` those of the currency.
pub(crate) fn purchases(
    entries: &[Entry],
    next: Seq,
    decimals: u32,
) -> CommandResult<Vec<Purchase<'_>>> {
    let reversals = Reversals::of(entries, next, &[], decimals);
    let mut purchases = Vec::new();
    for entry in entries {
        let EntryKind::Earn { activity } = &entry.kind else { continue };
        if activity.kind != PURCHASE || reversals.is_undone(entry.seq) {
            continue;
        }
        let left = left_of(entry, &reversals.back(entry.seq), decimals)?;
        let order = left.order.unwrap_or_default();
        purchases.push(Purchase { activity, decided_at: entry.at, order });
    }
    Ok(purchases)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tax_and_tips_are_no_revenue() {
        let amounts = OrderAmounts { tax: 20.into(), tip: 5.into(), ..OrderAmounts::default() };
        let order = Order { total: 120.into(), amounts, ..Order::default() };
        let at = Moment::UNIX_EPOCH;
        let (id, kind) = ("a".to_owned(), PURCHASE.to_owned());
        let (of, channel, payment, fields) = (None, None, None, BTreeMap::new());
        let activity = Activity { id, kind, at, of, order: None, channel, payment, fields };
        let purchase = Purchase { activity: &activity, decided_at: at, order };
        assert_eq!(purchase.revenue(), Some(Decimal::from(95)));
    }
}
