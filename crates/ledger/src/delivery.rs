//! Deliveries: activities that let go the units that were pending on them, such as the delivery of
//! an order. A delivery may name pieces, and may come before the order that it is about.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use crate::holdings::{EarlyDelivery, Share};
use crate::order::Line;
use crate::terms::{PendingOn, Terms};
use crate::{
    Activity, Change, Entry, EntryKind, Lot, Member, Moment, Order, Posting, PostingReason,
    Programme,
};

/// The share that the delivery of an entry let go.
#[must_use]
pub fn share_of(entry: &Entry) -> Share {
    let part = entry.changes.iter().find_map(|change| match change {
        Change::DeliveredInPart { share } => Some(*share),
        _ => None,
    });
    part.unwrap_or(Share::ALL)
}

/// Whether units of this programme can be pending on the activity.
#[must_use]
pub fn is_delivery(programme: &Programme, activity: &Activity) -> bool {
    let mut wallets = programme.wallets.values();
    activity.of.is_some()
        && wallets.any(|policy| policy.pending_until.as_ref() == Some(&activity.kind))
}

/// Whether units of the member are pending on the activity now.
#[must_use]
pub fn lets_go(member: &Member, activity: &Activity) -> bool {
    let mut lots = member.wallets.values().flat_map(|wallet| wallet.lots());
    lots.any(|lot| waits(lot, activity))
}

fn waits(lot: &Lot, activity: &Activity) -> bool {
    let on = lot.terms.pending_on.as_ref();
    on.is_some_and(|on| on.activity == activity.kind && activity.of.as_ref() == Some(&on.of))
}

/// The share that a delivery of pieces lets go. `bought` is the entry of the order, `left` is what
/// returns have left of the order, and `earlier` are the deliveries before this one.
#[must_use]
pub fn share<'a>(
    bought: &'a Entry,
    left: &Order,
    earlier: impl IntoIterator<Item = &'a Activity>,
    activity: &'a Activity,
    decimals: u32,
) -> Share {
    let before_the_order = bought.changes.iter().filter_map(|change| match change {
        Change::Arrived { deliveries } => Some(deliveries),
        _ => None,
    });
    let before_the_order =
        before_the_order.flatten().filter(|early| early.activity == activity.kind);
    let earlier = earlier.into_iter();
    let earlier = earlier.filter(|other| other.kind == activity.kind && other.of == activity.of);
    let mut lines: Vec<&Line> =
        before_the_order.flat_map(|early| &early.lines).chain(earlier.flat_map(lines_of)).collect();
    let before = undelivered(left, &lines, decimals);
    lines.extend(lines_of(activity));
    Share { before, after: undelivered(left, &lines, decimals) }
}

fn lines_of(activity: &Activity) -> &[Line] {
    activity.order.as_ref().map_or(&[], |order| &order.lines)
}

/// The value of the pieces of an order that are not among the delivered ones.
fn undelivered(order: &Order, delivered: &[&Line], decimals: u32) -> Decimal {
    let shares = order.shares(order.total, decimals);
    // Where nothing was charged, or what was is not known of a line, each piece counts alike.
    let values: Option<Vec<Decimal>> = shares.into_iter().collect();
    let values = values.filter(|values| !values.iter().all(Decimal::is_zero));
    let pieces = || order.lines.iter().map(|line| line.quantity).collect();
    let values: Vec<Decimal> = values.unwrap_or_else(pieces);
    let mut left: Vec<Decimal> = order.lines.iter().map(|line| line.quantity).collect();
    for delivered in delivered {
        let mut missing = delivered.quantity;
        let meant =
            left.iter_mut().enumerate().filter(|(place, _)| is_meant(order, *place, delivered));
        for (_, left) in meant {
            let pieces = missing.min(*left).max(Decimal::ZERO);
            *left -= pieces;
            missing -= pieces;
        }
    }
    let lines = order.lines.iter().zip(values).zip(left);
    lines
        .filter(|((line, value), _)| !line.came_back() && *value > Decimal::ZERO)
        .filter_map(|((line, value), left)| value.checked_mul(left)?.checked_div(line.quantity))
        .sum()
}

/// Whether the line at a place of an order is the one that a delivery names: by its id or number, or
/// else by its article.
fn is_meant(order: &Order, place: usize, delivered: &Line) -> bool {
    match &delivered.id {
        Some(name) => order.is_line(place, name),
        None => order.lines.get(place).is_some_and(|line| line.sku == delivered.sku),
    }
}

/// The lines that a delivery names and that the order does not have, or not so many of.
#[must_use]
pub fn unknown_pieces(order: &Order, activity: &Activity) -> Vec<String> {
    let unknown = lines_of(activity).iter().filter(|delivered| {
        let places = (0..order.lines.len()).filter(|place| is_meant(order, *place, delivered));
        let bought = places.filter_map(|place| order.lines.get(place)).map(|line| line.quantity);
        delivered.quantity > bought.sum()
    });
    unknown.map(|line| line.id.clone().or(line.sku.clone()).unwrap_or_default()).collect()
}

/// Whether a delivery names pieces, be it none of any.
#[must_use]
pub fn names_pieces(activity: &Activity) -> bool {
    let order = activity.order.as_ref();
    order.is_some_and(|order| !order.lines.is_empty() || !order.voided.is_empty())
}

/// The postings that let go what was pending on a delivery.
#[must_use]
pub fn delivered(member: &Member, activity: &Activity, share: Share, now: Moment) -> Vec<Posting> {
    let mut postings = Vec::new();
    for (name, wallet) in &member.at(now).wallets {
        for lot in wallet.lots().iter().filter(|lot| waits(lot, activity)) {
            let Some(on) = &lot.terms.pending_on else { continue };
            let to = let_go(&lot.terms, on, activity.at, now);
            let lot = Lot { units: share.of(lot.units), terms: lot.terms.clone() };
            let why = PostingReason::Delivered;
            postings.push(Posting::between_lots(name.clone(), lot, to, why));
        }
    }
    postings
}

/// The terms of units that were pending, after the delivery at `at`.
fn let_go(terms: &Terms, on: &PendingOn, at: Moment, now: Moment) -> Terms {
    let from = at + TimeDelta::days(on.days.into());
    let available_at = Some(from).filter(|from| *from > now);
    Terms { pending_on: None, available_at, ..terms.clone() }
}

/// The change by which a member keeps the delivery of an order that is not known; nothing for a
/// parcel with nothing in it.
#[must_use]
pub fn kept(activity: &Activity) -> Option<Change> {
    let of = activity.of.clone()?;
    let lines = lines_of(activity).to_vec();
    if lines.is_empty() && names_pieces(activity) {
        return None;
    }
    let early = EarlyDelivery { activity: activity.kind.clone(), of, at: activity.at, lines };
    Some(Change::Awaited { early })
}

/// The change by which the deliveries of an order that came before it take effect.
#[must_use]
pub fn arrived(member: &Member, activity: &Activity) -> Option<Change> {
    // A delivery can have the number of its order as its id, and an order of its own: the pieces.
    let of_order = |early: &&EarlyDelivery| {
        early.of == activity.id && activity.order.is_some() && early.activity != activity.kind
    };
    let deliveries: Vec<EarlyDelivery> = member.early.iter().filter(of_order).cloned().collect();
    (!deliveries.is_empty()).then_some(Change::Arrived { deliveries })
}

/// The postings of deliveries that came before the order of this entry.
pub(crate) fn delivered_early(
    after: &Member,
    programme: &Programme,
    entry: &Entry,
) -> Vec<Posting> {
    let EntryKind::Earn { activity: order } = &entry.kind else { return Vec::new() };
    let mut kinds: BTreeMap<&str, Vec<&EarlyDelivery>> = BTreeMap::new();
    for change in &entry.changes {
        let Change::Arrived { deliveries } = change else { continue };
        for early in deliveries {
            kinds.entry(&early.activity).or_default().push(early);
        }
    }
    let mut postings = Vec::new();
    for (kind, deliveries) in kinds {
        let Some(last) = deliveries.iter().map(|early| early.at).max() else { continue };
        let whole = deliveries.iter().any(|early| early.lines.is_empty());
        let lines: Vec<&Line> = deliveries.iter().flat_map(|early| &early.lines).collect();
        let decimals = programme.decimals();
        let share = match &order.order {
            Some(order) if !whole => Share {
                before: undelivered(order, &[], decimals),
                after: undelivered(order, &lines, decimals),
            },
            _ => Share::ALL,
        };
        let delivery = Activity {
            kind: kind.to_owned(),
            of: Some(order.id.clone()),
            at: last,
            order: None,
            ..order.clone()
        };
        postings.extend(delivered(after, &delivery, share, entry.at));
    }
    postings
}
