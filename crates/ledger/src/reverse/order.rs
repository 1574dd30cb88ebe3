//! What is left of an order after returns.
//!
//! A return takes pieces or money off an order, and every amount of what is left shrinks with its
//! total: shipping, tax, tip, payments, and the fields of the activity that are amounts. All of it
//! is computed from the first order, so that the way in which an order comes back does not matter,
//! and nothing is left of it in the end.

use rust_decimal::Decimal;

use super::undone::{ReverseRejection, Undone};
use crate::entry::{LineName, Returned, ReturnedLine};
use crate::holdings::Share;
use crate::money::{round_to_coin, split};
use crate::{Activity, Entry, EntryKind, FieldValue, Line, Moment, Order, Payment, Seq};

/// A return, as the client requests it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The pieces that come back; empty if only money is paid back.
    pub lines: Vec<ReturnedLine>,
    /// The amount paid back; `None` for what was paid for the pieces.
    pub refund: Option<Decimal>,
}

/// What is left of an earn after what has come back so far: its activity, with what is left of its
/// order. `decimals` are those of the currency.
///
/// # Errors
/// Nothing is left, or the entry is not an earn.
pub fn left_of(
    original: &Entry,
    back: &[Undone],
    decimals: u32,
) -> Result<Activity, ReverseRejection> {
    let activity = activity_of(original)?;
    match Rest::after(original, activity, back, decimals)? {
        None => Ok(activity.clone()),
        Some(rest) if !back.is_empty() && rest.is_nothing() => {
            Err(ReverseRejection::EntryIsReversedAlready(original.seq))
        }
        Some(rest) => Ok(rest.activity()),
    }
}

/// One more return, with its refund.
///
/// # Errors
/// The activity has no order, more comes back than is left, or the refund is unknown.
pub fn lessened(
    original: &Entry,
    back: &[Undone],
    wanted: &Wanted,
    decimals: u32,
) -> Result<Returned, ReverseRejection> {
    let activity = activity_of(original)?;
    let rest = Rest::after(original, activity, back, decimals)?;
    let rest = rest.ok_or(ReverseRejection::EntryHasNoOrder(original.seq))?;
    rest.returned(wanted)
}

/// One more return of an order that a reward was taken with.
///
/// # Errors
/// More comes back than is left, or the refund is unknown.
pub fn returned_of(
    entry: Seq,
    order: &Order,
    back: &[Undone],
    wanted: &Wanted,
    decimals: u32,
) -> Result<Returned, ReverseRejection> {
    let activity = alone(order);
    rest_of(entry, order, &activity, back, decimals)?.returned(wanted)
}

/// Whether the parts of an order that came back are all of it: all pieces and all money.
pub(super) fn is_nothing_left(entry: Seq, order: &Order, back: &[Undone], decimals: u32) -> bool {
    let activity = alone(order);
    rest_of(entry, order, &activity, back, decimals).is_ok_and(|rest| rest.is_nothing())
}

/// The share of an order that has come back, by its total.
pub(super) fn share_gone(
    entry: Seq,
    order: &Order,
    back: &[Undone],
    decimals: u32,
) -> Result<Share, ReverseRejection> {
    let activity = alone(order);
    let rest = rest_of(entry, order, &activity, back, decimals)?;
    Ok(Share { before: order.total, after: rest.total })
}

/// An activity that is nothing but its order.
fn alone(order: &Order) -> Activity {
    Activity {
        id: String::new(),
        kind: String::new(),
        at: Moment::default(),
        of: None,
        order: Some(order.clone()),
        channel: None,
        payment: None,
        fields: [].into(),
    }
}

fn rest_of<'a>(
    entry: Seq,
    order: &'a Order,
    activity: &'a Activity,
    back: &[Undone],
    decimals: u32,
) -> Result<Rest<'a>, ReverseRejection> {
    let left = order.lines.iter().map(|line| line.quantity).collect();
    let mut rest = Rest { activity, order, left, total: order.total, decimals };
    rest.take_all(entry, back)?;
    Ok(rest)
}

fn activity_of(original: &Entry) -> Result<&Activity, ReverseRejection> {
    match &original.kind {
        EntryKind::Earn { activity } => Ok(activity),
        kind => {
            Err(ReverseRejection::EntryCannotBeReversed { entry: original.seq, kind: kind.verb() })
        }
    }
}

/// What is left of an order: the quantity of each of its lines, and its total.
struct Rest<'a> {
    activity: &'a Activity,
    order: &'a Order,
    left: Vec<Decimal>,
    total: Decimal,
    decimals: u32,
}

impl<'a> Rest<'a> {
    /// What the returns so far have left; `None` if the activity has no order.
    fn after(
        original: &Entry,
        activity: &'a Activity,
        back: &[Undone],
        decimals: u32,
    ) -> Result<Option<Rest<'a>>, ReverseRejection> {
        let mut rest = activity.order.as_ref().map(|order| Rest {
            activity,
            order,
            left: order.lines.iter().map(|line| line.quantity).collect(),
            total: order.total,
            decimals,
        });
        match &mut rest {
            Some(rest) => rest.take_all(original.seq, back)?,
            None if back.is_empty() => {}
            None => return Err(ReverseRejection::EntryIsReversedAlready(original.seq)),
        }
        Ok(rest)
    }

    /// Takes off what has come back.
    fn take_all(&mut self, entry: Seq, back: &[Undone]) -> Result<(), ReverseRejection> {
        for undone in back {
            let Undone::Part(Returned { lines, refund }) = undone else {
                return Err(ReverseRejection::EntryIsReversedAlready(entry));
            };
            self.take(&Wanted { lines: lines.clone(), refund: Some(*refund) })?;
        }
        Ok(())
    }

    /// One more return, with its refund.
    fn returned(mut self, wanted: &Wanted) -> Result<Returned, ReverseRejection> {
        let refund = self.take(wanted)?;
        Ok(Returned { lines: wanted.lines.clone(), refund })
    }

    /// Takes a return off, and says what is paid back.
    fn take(&mut self, wanted: &Wanted) -> Result<Decimal, ReverseRejection> {
        let mut taken = vec![Decimal::ZERO; self.left.len()];
        if let Some(unknown) =
            wanted.lines.iter().find(|line| self.meant(&line.of, &taken).is_empty())
        {
            return Err(ReverseRejection::LineIsUnknown { line: unknown.of.clone() });
        }
        for line in &wanted.lines {
            self.take_line(line, &mut taken)?;
        }
        let refund = match wanted.refund {
            Some(refund) => refund,
            // What came back in an exchange may have been worth more than all that was bought.
            None => self.price(&taken)?.max(Decimal::ZERO),
        };
        // What came back in an exchange was paid for with what was bought.
        let most = self.total - self.exchanged();
        if refund > most.max(Decimal::ZERO) {
            return Err(ReverseRejection::RefundIsTooMuch { refund, total: most });
        }
        for (left, taken) in self.left.iter_mut().zip(taken) {
            *left -= taken;
        }
        self.total -= refund;
        Ok(refund)
    }

    /// What came back in an exchange, zero or below.
    fn exchanged(&self) -> Decimal {
        let came_back = self.order.lines.iter().filter(|line| line.came_back());
        let own = came_back.filter_map(|line| line.own_amount(self.decimals));
        own.map(|own| own.min(Decimal::ZERO)).sum()
    }

    /// The lines with their places and what is left of each.
    fn lines(&self) -> impl Iterator<Item = (usize, &'a Line, Decimal)> {
        let lines: &'a [Line] = &self.order.lines;
        let left: Vec<Decimal> = self.left.clone();
        lines.iter().zip(left).enumerate().map(|(place, (line, left))| (place, line, left))
    }

    /// Whether a line is something that was bought: not a discount, and not what came back in an
    /// exchange.
    fn was_bought(&self, line: &Line) -> bool {
        let own = line.own_amount(self.decimals);
        !line.came_back() && own.is_none_or(|own| own >= Decimal::ZERO)
    }

    /// The lines that a return means, with their places and what is left of each.
    fn meant(&self, of: &LineName, taken: &[Decimal]) -> Vec<(usize, &'a Line, Decimal)> {
        let is_meant = |(place, line, _): &(usize, &Line, Decimal)| match of {
            LineName::Sku(sku) => line.sku.as_ref() == Some(sku),
            LineName::Line(name) => self.order.is_line(*place, name),
        };
        let meant = self.lines().filter(is_meant).filter(|(_, line, _)| self.was_bought(line));
        let left = meant.map(|(place, line, left)| {
            let already = taken.get(place).copied().unwrap_or_default();
            (place, line, left - already)
        });
        left.filter(|(_, _, left)| *left > Decimal::ZERO).collect()
    }

    /// Adds the pieces of one line of a return to those that are taken.
    fn take_line(
        &self,
        wanted: &ReturnedLine,
        taken: &mut [Decimal],
    ) -> Result<(), ReverseRejection> {
        let ReturnedLine { of, quantity } = wanted;
        let meant = self.meant(of, taken);
        let left: Decimal = meant.iter().map(|(_, _, left)| left).sum();
        if *quantity > left {
            let (line, quantity) = (of.clone(), *quantity);
            return Err(ReverseRejection::MoreComesBackThanIsLeft { line, quantity, left });
        }
        let mut lines = meant.iter().map(|(_, line, _)| *line);
        let first = lines.next();
        let alike =
            lines.all(|line| first.is_some_and(|first| cost_alike(first, line, self.decimals)));
        if *quantity < left && !alike {
            let names = meant.iter().map(|(place, ..)| self.order.name_of_line(*place));
            let lines: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            return Err(ReverseRejection::LineIsAmbiguous {
                line: of.clone(),
                lines: lines.join(", "),
            });
        }
        let mut missing = *quantity;
        for (place, _, left) in meant {
            let pieces = left.min(missing);
            missing -= pieces;
            if let Some(taken) = taken.get_mut(place) {
                *taken += pieces;
            }
        }
        Ok(())
    }

    /// What was paid for pieces: their part of what their line came to of the total. The last
    /// pieces of a line take what is left of it.
    fn price(&self, taken: &[Decimal]) -> Result<Decimal, ReverseRejection> {
        let (order, places) = self.order();
        let shares = order.shares(order.total, self.decimals);
        let mut sum = Decimal::ZERO;
        for ((line, place), share) in order.lines.iter().zip(places).zip(shares) {
            let pieces = taken.get(place).copied().unwrap_or_default();
            if pieces.is_zero() {
                continue;
            }
            let missing = || {
                let name = || LineName::Line(self.order.name_of_line(place));
                let line = line.sku.clone().map_or_else(name, LineName::Sku);
                ReverseRejection::RefundIsMissing { line }
            };
            let share = share.ok_or_else(missing)?;
            let part = match pieces == line.quantity {
                true => Some(share),
                false => ratio(share, pieces, line.quantity, self.decimals),
            };
            sum = part.and_then(|part| sum.checked_add(part)).ok_or_else(missing)?;
        }
        Ok(sum)
    }

    /// Whether all pieces and all money have come back.
    fn is_nothing(&self) -> bool {
        let stays = |(_, line, left): (usize, &Line, Decimal)| {
            line.came_back() || (self.was_bought(line) && !left.is_zero())
        };
        self.total.is_zero() && !self.lines().any(stays)
    }

    /// The activity with what is left of its order. Its fields that are amounts shrink with it.
    fn activity(&self) -> Activity {
        let mut activity = self.activity.clone();
        for field in activity.fields.values_mut() {
            if let FieldValue::Amount(amount) = field {
                *amount = self.shrunk(*amount);
            }
        }
        activity.order = Some(self.order().0);
        activity
    }

    /// An amount of the order, in the proportion in which its total has become less, what came back
    /// in an exchange left out: that total can be zero or below, and what was bought cannot.
    fn shrunk(&self, amount: Decimal) -> Decimal {
        if self.total == self.order.total {
            return amount;
        }
        let exchanged = self.exchanged();
        let (left, first) = (self.total - exchanged, self.order.total - exchanged);
        ratio(amount, left, first, self.decimals).unwrap_or_default()
    }

    /// What is left of the order, with the place that each of its lines has in the first order.
    fn order(&self) -> (Order, Vec<usize>) {
        let has_goods =
            self.lines().any(|(_, line, left)| self.was_bought(line) && !left.is_zero());
        let mut places = Vec::new();
        let mut lines = Vec::new();
        for (place, line, left) in self.lines() {
            let mut line = line.clone();
            if self.was_bought(&line) {
                if left.is_zero() {
                    continue;
                }
                let quantity = line.quantity;
                let part = |amount: Decimal| match left == quantity {
                    true => amount,
                    false => ratio(amount, left, quantity, self.decimals).unwrap_or_default(),
                };
                line.amount = line.amount.map(part);
                line.discount = part(line.discount);
                line.quantity = left;
            } else if !line.came_back() {
                // A discount that is written as a line is one on the whole order.
                if !has_goods {
                    continue;
                }
                line.amount = line.own_amount(self.decimals).map(|own| self.shrunk(own));
                line.price = None;
            }
            lines.push(line);
            places.push(place);
        }
        let payments = self.order.payments.iter().map(|payment| payment.amount);
        let paid = self.shrunk(payments.clone().sum());
        let parts = split(paid, &payments.collect::<Vec<_>>(), self.decimals).unwrap_or_default();
        let payments = self
            .order
            .payments
            .iter()
            .zip(parts)
            .map(|(payment, amount)| Payment { method: payment.method.clone(), amount });
        let mut order = Order {
            total: self.total,
            lines,
            voided: Vec::new(),
            amounts: self.order.amounts.map(|amount| self.shrunk(amount)),
            store: self.order.store.clone(),
            payments: payments.filter(|payment| !payment.amount.is_zero()).collect(),
        };
        self.shrink_taxes(&mut order, &places);
        (order, places)
    }

    /// The tax of each line shrinks with what the line came to.
    fn shrink_taxes(&self, order: &mut Order, places: &[usize]) {
        if order.lines.iter().all(|line| line.tax.is_zero()) {
            return;
        }
        let first = self.order.shares(self.order.total, self.decimals);
        let now = order.shares(order.total, self.decimals);
        for ((line, place), now) in order.lines.iter_mut().zip(places).zip(now) {
            let first = first.get(*place).copied().flatten();
            if let (Some(first), Some(now)) = (first, now)
                && first != now
            {
                line.tax = ratio(line.tax, now, first, self.decimals).unwrap_or_default();
            }
        }
    }
}

/// The part of an amount in the proportion of `part` to `whole`, to the smallest coin. `None` if
/// the whole is zero, or on overflow.
fn ratio(amount: Decimal, part: Decimal, whole: Decimal, decimals: u32) -> Option<Decimal> {
    // Multiplying first keeps more digits, and dividing first cannot overflow.
    let exact = match amount.checked_mul(part) {
        Some(product) => product.checked_div(whole)?,
        None => amount.checked_mul(part.checked_div(whole)?)?,
    };
    Some(round_to_coin(exact, decimals))
}

/// Whether one piece of either line cost the same.
fn cost_alike(one: &Line, other: &Line, decimals: u32) -> bool {
    let plain =
        |line: &Line| line.price.filter(|_| line.amount.is_none() && line.discount.is_zero());
    if let (Some(one), Some(other)) = (plain(one), plain(other)) {
        return one == other;
    }
    let across = |one: &Line, other: &Line| one.own_amount(decimals)?.checked_mul(other.quantity);
    match (across(one, other), across(other, one)) {
        (Some(left), Some(right)) => left == right,
        (one, other) => one.is_none() && other.is_none(),
    }
}
