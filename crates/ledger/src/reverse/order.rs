//! What is left of an order after returns.

use rust_decimal::Decimal;

use super::{ReverseRejection, undone};
use crate::entry::{Returned, ReturnedLine};
use crate::{Activity, Entry, EntryKind, Order, Seq};

/// A return, as the client requests it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The pieces that come back; empty if only money is paid back.
    pub lines: Vec<ReturnedLine>,
    /// The amount paid back; `None` for the price of the pieces.
    pub refund: Option<Decimal>,
}

/// What is left of an earn after the returns so far: its activity, with what is left of its order.
/// `since` are the entries after it.
///
/// # Errors
/// Nothing is left, or the entry is not an earn.
pub fn left_of(original: &Entry, since: &[Entry]) -> Result<Activity, ReverseRejection> {
    let (entry, kind) = (original.seq, original.kind.verb());
    let EntryKind::Earn { activity } = &original.kind else {
        return Err(ReverseRejection::EntryCannotBeReversed { entry, kind });
    };
    let mut left = activity.clone();
    for undone in since.iter().filter_map(|later| undone(later, entry)) {
        let order = undone.and_then(|returned| Some((left.order.as_ref()?, returned)));
        let Some((order, returned)) = order else {
            return Err(ReverseRejection::EntryIsReversedAlready(entry));
        };
        left.order = Some(less(order, returned)?);
    }
    Ok(left)
}

/// What is left of an activity after a return, and the return with its refund. `None` if all pieces
/// and all money come back.
///
/// # Errors
/// The activity has no order, more comes back than is left, or the refund is unknown.
pub fn lessened(
    entry: Seq,
    left: &Activity,
    wanted: &Wanted,
) -> Result<Option<(Activity, Returned)>, ReverseRejection> {
    let order = left.order.as_ref().ok_or(ReverseRejection::EntryHasNoOrder(entry))?;
    let mut rest = order.clone();
    let mut pieces = Vec::new();
    for line in &wanted.lines {
        pieces.push((&line.sku, take_pieces(&mut rest, line)?));
    }
    let refund = match wanted.refund {
        Some(refund) => refund,
        None => price(&pieces)?,
    };
    rest.total = less_money(order, refund)?;
    if rest.lines.is_empty() && rest.total.is_zero() {
        return Ok(None);
    }
    let returned = Returned { lines: wanted.lines.clone(), refund };
    Ok(Some((Activity { order: Some(rest), ..left.clone() }, returned)))
}

/// Pieces of one article: for each line of the order, how many, and the price of one if it has one.
type Pieces = Vec<(u32, Option<Decimal>)>;

/// The price of pieces of an order, by article.
fn price(pieces: &[(&String, Pieces)]) -> Result<Decimal, ReverseRejection> {
    let mut sum = Decimal::ZERO;
    for (sku, pieces) in pieces {
        let missing = || ReverseRejection::RefundIsMissing { sku: (*sku).clone() };
        for (pieces, price) in pieces {
            let amount = price.and_then(|price| price.checked_mul((*pieces).into()));
            sum = amount.and_then(|amount| sum.checked_add(amount)).ok_or_else(missing)?;
        }
    }
    Ok(sum)
}

/// The total of an order, less a refund.
fn less_money(order: &Order, refund: Decimal) -> Result<Decimal, ReverseRejection> {
    let total = order.total;
    if refund > total {
        return Err(ReverseRejection::RefundIsTooMuch { refund, total });
    }
    Ok(total - refund)
}

/// What is left of an order after a return.
fn less(order: &Order, returned: &Returned) -> Result<Order, ReverseRejection> {
    let mut rest = order.clone();
    for line in &returned.lines {
        take_pieces(&mut rest, line)?;
    }
    rest.total = less_money(order, returned.refund)?;
    Ok(rest)
}

/// Takes pieces out of the lines of an article, and returns how many it took at which price.
fn take_pieces(order: &mut Order, line: &ReturnedLine) -> Result<Pieces, ReverseRejection> {
    let ReturnedLine { sku, quantity } = line.clone();
    let lines = order.lines.iter().filter(|line| line.sku == sku);
    let left: u64 = lines.map(|line| u64::from(line.quantity)).sum();
    if left == 0 {
        return Err(ReverseRejection::LineIsUnknown { sku });
    }
    let mut missing = quantity;
    let mut taken = Vec::new();
    for line in order.lines.iter_mut().filter(|line| line.sku == sku) {
        let pieces = line.quantity.min(missing);
        line.quantity -= pieces;
        missing -= pieces;
        taken.push((pieces, line.price));
    }
    if missing > 0 {
        return Err(ReverseRejection::MoreComesBackThanIsLeft { sku, quantity, left });
    }
    order.lines.retain(|line| line.quantity > 0);
    Ok(taken)
}
