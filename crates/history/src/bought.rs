//! What members bought, by their entries.

use std::ops::AddAssign;

use ledger::activity::PURCHASE;
use ledger::reverse::{Reversals, ReverseRejection, left_of};
use ledger::{Activity, Entry, EntryKind, Moment, Order, OrderAmounts, Seq};
use rust_decimal::Decimal;

/// A purchase, with what is left of it after all returns.
#[derive(Debug, Clone)]
pub struct Purchase<'a> {
    /// What was told of it.
    pub activity: &'a Activity,
    /// When its entry was decided.
    pub decided_at: Moment,
    /// What is left of its order.
    pub order: Order,
}

impl Purchase<'_> {
    /// What of the total is the merchant's: all but tax and tips. Nothing if it is too large.
    #[must_use]
    pub fn revenue(&self) -> Option<Decimal> {
        let OrderAmounts { tax, tip, .. } = self.order.amounts;
        self.order.total.checked_sub(tax)?.checked_sub(tip)
    }
}

/// A member's purchases; one that came back as a whole is none. `next` is the number of the member's
/// next entry, `decimals` those of the currency.
///
/// # Errors
/// What came back of an order does not fit it.
pub fn purchases(
    entries: &[Entry],
    next: Seq,
    decimals: u32,
) -> Result<Vec<Purchase<'_>>, ReverseRejection> {
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

/// What an entry adds to what its member bought; below zero if it takes something back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sale {
    pub(crate) orders: i64,
    pub(crate) revenue: Decimal,
}

impl AddAssign for Sale {
    fn add_assign(&mut self, more: Sale) {
        self.orders += more.orders;
        self.revenue += more.revenue;
    }
}

/// What each of a member's entries adds to what it bought, in their order: their sum is what is left of
/// its purchases.
pub(crate) fn sales(entries: &[Entry], decimals: u32) -> Result<Vec<Sale>, String> {
    let mut so_far = Sale::default();
    let mut sales = Vec::with_capacity(entries.len());
    for (entry, number) in entries.iter().zip(1..) {
        let takes_back = entry.undoes().next().is_some();
        let seen =
            if takes_back { entries.get(..number) } else { Some(std::slice::from_ref(entry)) };
        let bought = purchases(seen.unwrap_or_default(), entry.seq.next(), decimals);
        let mut sale = Sale::default();
        for purchase in bought.map_err(|error| error.to_string())? {
            let revenue = purchase.revenue().ok_or("an order is too large")?;
            sale += Sale { orders: 1, revenue };
        }
        if takes_back {
            sale += Sale { orders: -so_far.orders, revenue: -so_far.revenue };
        }
        so_far += sale;
        sales.push(sale);
    }
    Ok(sales)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn bought(id: u64, total: i64) -> Entry {
        let amounts = OrderAmounts { tax: 20.into(), tip: 5.into(), ..OrderAmounts::default() };
        let order = Order { total: total.into(), amounts, ..Order::default() };
        let at = Moment::UNIX_EPOCH;
        let (id, seq, kind) = (id.to_string(), Seq::new(id), PURCHASE.to_owned());
        let (of, channel, payment, fields) = (None, None, None, BTreeMap::new());
        let activity = Activity { id, kind, at, of, order: Some(order), channel, payment, fields };
        Entry::bare(seq, at, EntryKind::Earn { activity })
    }

    fn undoing(seq: u64, of: u64) -> Entry {
        let kind =
            EntryKind::Reverse { of: Seq::new(of), returned: None, units: None, other: None };
        Entry::bare(Seq::new(seq), Moment::UNIX_EPOCH, kind)
    }

    #[test]
    fn tax_and_tips_are_no_revenue() {
        let entries = [bought(1, 120)];
        let purchases = purchases(&entries, Seq::new(2), 2).unwrap();
        let revenues: Vec<_> = purchases.iter().map(Purchase::revenue).collect();
        assert_eq!(revenues, [Some(Decimal::from(95))]);
    }

    #[test]
    fn an_order_that_comes_back_is_taken_off_and_counts_again_when_that_is_undone() {
        let entries = [bought(1, 120), bought(2, 65), undoing(3, 1), undoing(4, 3), undoing(5, 2)];
        let sale = |orders, revenue: i64| Sale { orders, revenue: revenue.into() };
        let expected = [sale(1, 95), sale(1, 40), sale(-1, -95), sale(1, 95), sale(-1, -40)];
        assert_eq!(sales(&entries, 2), Ok(expected.to_vec()));
    }
}
