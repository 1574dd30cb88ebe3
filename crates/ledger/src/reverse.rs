//! Reversing an earlier entry, whole or in part: what can be undone, what is left of an order, and
//! what goes back into shared limits. The member is then derived again from the history without it.

/// What is undone of an entry, and why something is not.
mod undone;
/// What is left of an order.
mod order;

use std::collections::{BTreeMap, BTreeSet};

pub use self::order::{Wanted, left_of, lessened, returned_of};
pub use self::undone::{ReverseRejection, Undone};

use crate::{Entry, EntryKind, Order, Seq, SharedLimit, Units, Withdrawal};

impl Entry {
    /// The number of the entry that this one undoes, and what of it; `None` if it undoes none.
    #[must_use]
    pub fn undone(&self) -> Option<(Seq, Undone)> {
        match &self.kind {
            EntryKind::Reverse { of, returned: Some(returned), .. } => {
                Some((*of, Undone::Part(returned.clone())))
            }
            EntryKind::Reverse { of, units: Some(units), .. } => Some((*of, Undone::Units(*units))),
            EntryKind::Reverse { of, .. } => Some((*of, Undone::Whole)),
            _ => None,
        }
    }
}

/// All that entries take back of earlier ones, without reversals that have been undone themselves. A
/// purchase that comes back leaves what was exchanged for it taken back.
#[derive(Debug, Clone, Default)]
pub struct Reversals {
    by: BTreeMap<Seq, Vec<(Seq, Undone)>>,
    /// Entries that have come back by parts, to the last piece and coin. One part less, and something
    /// of them is left.
    by_parts: BTreeSet<Seq>,
}

impl Reversals {
    /// What `entries` take back, and one more entry: `by` takes back all of `more`. `decimals` are
    /// those of the currency.
    #[must_use]
    pub fn of(entries: &[Entry], by: Seq, more: &[(Seq, Undone)], decimals: u32) -> Reversals {
        let own = entries.iter().filter_map(|entry| {
            let (of, what) = entry.undone()?;
            Some((entry.seq, of, what))
        });
        let is_reversal = |entry: &&Entry| entry.undone().is_some();
        let reversals: BTreeSet<Seq> =
            entries.iter().filter(is_reversal).map(|entry| entry.seq).collect();
        let beside = entries.iter().flat_map(|entry| {
            let again = entry.again.iter().flat_map(|again| &again.undone);
            again.map(|taken| (entry.seq, taken.of, Undone::of(taken.returned.clone())))
        });
        let more = more.iter().map(|(of, what)| (by, *of, what.clone()));
        let mut all: Vec<(Seq, Seq, Undone)> = own.chain(beside).chain(more).collect();
        // The latest first: whether one counts depends on later ones alone.
        all.sort_by_key(|(by, ..)| std::cmp::Reverse(*by));
        let mut undone: BTreeSet<Seq> = BTreeSet::new();
        let mut found = Reversals::default();
        for (by, of, what) in all {
            if undone.contains(&by) {
                continue;
            }
            if what == Undone::Whole && reversals.contains(&of) {
                undone.insert(of);
            }
            found.by.entry(of).or_default().insert(0, (by, what));
        }
        let came_back = entries.iter().filter(|entry| found.by.contains_key(&entry.seq));
        let by_parts = came_back
            .filter(|entry| is_back_by_parts(entries, entry, &found.back(entry.seq), decimals))
            .map(|entry| entry.seq);
        found.by_parts = by_parts.collect();
        found
    }

    /// The entries that take an entry back, and what of it, the first to be told first.
    #[must_use]
    pub fn by(&self, of: Seq) -> &[(Seq, Undone)] {
        self.by.get(&of).map_or(&[], Vec::as_slice)
    }

    /// What has come back of an entry.
    #[must_use]
    pub fn back(&self, of: Seq) -> Vec<Undone> {
        self.by(of).iter().map(|(_, what)| what.clone()).collect()
    }

    /// Whether all of an entry has come back.
    #[must_use]
    pub fn is_undone(&self, of: Seq) -> bool {
        self.by(of).iter().any(|(_, what)| *what == Undone::Whole) || self.by_parts.contains(&of)
    }
}

/// Whether the parts of an entry that came back are all of it.
fn is_back_by_parts(entries: &[Entry], entry: &Entry, back: &[Undone], decimals: u32) -> bool {
    let parts = back.iter().filter(|undone| matches!(undone, Undone::Part(_)));
    let parts: Vec<Undone> = parts.cloned().collect();
    let order = match &entry.kind {
        EntryKind::Earn { activity } => activity.order.as_ref(),
        _ => order_with(entries, entry),
    };
    let is_order = !parts.is_empty()
        && order.is_some_and(|order| order::is_nothing_left(entry.seq, order, &parts, decimals));
    let by_number = back.iter().any(|undone| matches!(undone, Undone::Units(_)));
    let left = || units_left(entry, order, back, decimals);
    is_order || (by_number && left().is_ok_and(Units::is_zero))
}

/// The order that a reward was taken with, or held for.
#[must_use]
pub fn order_with<'e>(entries: &'e [Entry], entry: &'e Entry) -> Option<&'e Order> {
    match &entry.kind {
        EntryKind::Redeem { order, .. } | EntryKind::Hold { order, .. } => order.as_ref(),
        EntryKind::Capture { of, .. } => {
            let hold = entries.iter().find(|entry| entry.seq == of.entry)?;
            order_with(entries, hold)
        }
        _ => None,
    }
}

/// Checks that an entry is of a kind that can be undone.
///
/// # Errors
/// It is not.
pub fn can_be_reversed(original: &Entry) -> Result<(), ReverseRejection> {
    match &original.kind {
        EntryKind::Earn { .. }
        | EntryKind::Redeem { .. }
        | EntryKind::Capture { .. }
        | EntryKind::Reverse { .. }
        | EntryKind::Adjust { .. }
        | EntryKind::Transfer { .. } => Ok(()),
        kind => {
            let (entry, kind) = (original.seq, kind.verb());
            Err(ReverseRejection::EntryCannotBeReversed { entry, kind })
        }
    }
}

/// What a redemption took, less what has come back: units, or a share of the order that it was taken
/// with. Of a unit that is only partly the member's, the member keeps what it got.
///
/// # Errors
/// It has been undone as a whole, or it was taken without an order.
pub fn units_left(
    original: &Entry,
    order: Option<&Order>,
    back: &[Undone],
    decimals: u32,
) -> Result<Units, ReverseRejection> {
    let (EntryKind::Redeem { reward, .. } | EntryKind::Capture { reward, .. }) = &original.kind
    else {
        let (entry, kind) = (original.seq, original.kind.verb());
        return Err(ReverseRejection::EntryTookNoReward { entry, kind });
    };
    let reversed = || ReverseRejection::EntryIsReversedAlready(original.seq);
    let mut left = reward.costs;
    let mut returns = Vec::new();
    for undone in back {
        match undone {
            Undone::Units(units) => left = left.checked_sub(*units).ok_or_else(reversed)?,
            Undone::Part(_) => returns.push(undone.clone()),
            Undone::Whole => return Err(reversed()),
        }
    }
    if returns.is_empty() {
        return Ok(left);
    }
    let order = order.ok_or(ReverseRejection::EntryHasNoOrder(original.seq))?;
    let gone = order::share_gone(original.seq, order, &returns, decimals)?.of(reward.costs);
    // Some of it may have come back by number already.
    Ok(left.checked_sub(gone).unwrap_or_default())
}

/// What goes back into shared limits: what was taken from them, except what is taken by the
/// history as it is, and what has gone back already.
#[must_use]
pub fn put_back(
    taken: &[Withdrawal],
    is: &[Withdrawal],
    earlier: &BTreeMap<SharedLimit, i64>,
) -> Vec<Withdrawal> {
    let of = |withdrawals: &[Withdrawal], limit: &SharedLimit| -> i64 {
        let same = withdrawals.iter().filter(|other| other.limit == *limit);
        same.map(|other| other.units.get()).sum()
    };
    let limits: BTreeSet<&SharedLimit> = taken.iter().map(|taken| &taken.limit).collect();
    let back = |limit: &SharedLimit| {
        let earlier = earlier.get(limit).copied().unwrap_or(0);
        let units = Units::new(of(taken, limit) - of(is, limit) - earlier).ok()?;
        (!units.is_zero()).then(|| Withdrawal { limit: limit.clone(), units })
    };
    limits.into_iter().filter_map(back).collect()
}
