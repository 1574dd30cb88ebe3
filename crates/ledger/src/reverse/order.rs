//! What is left of an order when something of it comes back.

use rust_decimal::Decimal;

use super::{ReverseRejection, undone};
use crate::entry::{Returned, ReturnedLine};
use crate::{Activity, Entry, EntryKind, Order, Seq};

/// What a client says came back of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Pieces of lines; none where only money comes back.
    pub lines: Vec<ReturnedLine>,
    /// What is paid back; the price of the pieces if nothing.
    pub refund: Option<Decimal>,
}

/// What is left of an earn after the returns so far: its activity, with what is left of its order.
///
/// # Errors
/// Nothing is left, or it is no earn.
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

/// What is left of an activity when something comes back, and what that is. Nothing is left where
/// all pieces and all money come back.
///
/// # Errors
/// More comes back than there is.
pub fn lessened(
    entry: Seq,
    left: &Activity,
    wanted: &Wanted,
) -> Result<Option<(Activity, Returned)>, ReverseRejection> {
    let order = left.order.as_ref().ok_or(ReverseRejection::EntryHasNoOrder(entry))?;
    let refund = match wanted.refund {
        Some(refund) => refund,
        None => price(order, &wanted.lines)?,
    };
    if refund > order.total {
        return Err(ReverseRejection::RefundIsTooMuch { refund, total: order.total });
    }
    let returned = Returned { lines: wanted.lines.clone(), refund };
    let rest = less(order, &returned)?;
    if rest.lines.is_empty() && rest.total.is_zero() {
        return Ok(None);
    }
    Ok(Some((Activity { order: Some(rest), ..left.clone() }, returned)))
}

/// What pieces cost, line by line.
fn price(order: &Order, lines: &[ReturnedLine]) -> Result<Decimal, ReverseRejection> {
    let mut sum = Decimal::ZERO;
    let mut rest = order.clone();
    for line in lines {
        let missing = || ReverseRejection::RefundIsMissing { sku: line.sku.clone() };
        for (pieces, price) in take_pieces(&mut rest, line)? {
            let amount = price.and_then(|price| price.checked_mul(pieces.into()));
            sum = amount.and_then(|amount| sum.checked_add(amount)).ok_or_else(missing)?;
        }
    }
    Ok(sum)
}

/// An order less what came back of it.
fn less(order: &Order, returned: &Returned) -> Result<Order, ReverseRejection> {
    let mut rest = order.clone();
    for line in &returned.lines {
        take_pieces(&mut rest, line)?;
    }
    let (refund, total) = (returned.refund, order.total);
    let too_much = ReverseRejection::RefundIsTooMuch { refund, total };
    rest.total = total.checked_sub(refund).ok_or(too_much)?;
    Ok(rest)
}

/// Takes pieces out of the lines of an article, and says how many at which price.
fn take_pieces(
    order: &mut Order,
    line: &ReturnedLine,
) -> Result<Vec<(u32, Option<Decimal>)>, ReverseRejection> {
    let ReturnedLine { sku, quantity } = line.clone();
    let of = |order: &Order| -> u32 {
        let lines = order.lines.iter().filter(|line| line.sku == sku);
        lines.fold(0, |sum, line| sum.saturating_add(line.quantity))
    };
    let left = of(order);
    if left == 0 {
        return Err(ReverseRejection::LineIsUnknown { sku });
    }
    let mut missing = quantity;
    let mut taken = Vec::new();
    for line in order.lines.iter_mut().filter(|line| line.sku == sku) {
        let pieces = line.quantity.min(missing);
        line.quantity = line.quantity.saturating_sub(pieces);
        missing = missing.saturating_sub(pieces);
        taken.push((pieces, line.price));
    }
    if missing > 0 {
        return Err(ReverseRejection::MoreComesBackThanIsLeft { sku, quantity, left });
    }
    order.lines.retain(|line| line.quantity > 0);
    Ok(taken)
}
