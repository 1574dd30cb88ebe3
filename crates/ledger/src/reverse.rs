//! An earlier entry is undone. What an earn gave is taken back from the very lots that it gave,
//! and is owed where those were spent; what a redemption took is given back into lots with their
//! first terms. What has to be undone is for the rules to say, which judge what is left of the order.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::activity::PURCHASE;
use crate::decision::{Draft, GiveRejection};
use crate::entry::{Returned, ReturnedLine};
use crate::erase::MemberIsErased;
use crate::member::{History, Hold};
use crate::task::{Progress, Step};
use crate::wallet::{Idle, Terms};
use crate::{
    Activity, Change, Draw, Entry, Lot, Member, Moment, Order, Outcome, Past, Posting, Programme,
    Reason, Units, WalletName, What,
};

/// Why an entry is not undone. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReverseRejection {
    /// The person wants to be forgotten.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// It is of a kind that nobody undoes.
    #[error(
        "entry {entry} is of kind `{kind}`; an earn, a redemption or a capture can be reversed"
    )]
    EntryCannotBeReversed {
        /// Its number.
        entry: u64,
        /// Its kind.
        kind: &'static str,
    },
    /// It was the activity that units waited for, and they have been let go.
    #[error(
        "entry {0} let go what waited for it, and that is not held back again; reverse what earned it"
    )]
    EntryLetGo(u64),
    /// Nothing is left of it.
    #[error("entry {0} has been reversed already")]
    EntryIsReversedAlready(u64),
    /// Lines or a refund for what has no order.
    #[error("entry {0} has no order of which a part could come back; reverse it as a whole")]
    EntryHasNoOrder(u64),
    /// An article that is not in the order.
    #[error("there is no `{sku}` in the order, or it has come back already")]
    LineIsUnknown {
        /// The article.
        sku: String,
    },
    /// More pieces than are left.
    #[error("{quantity} of `{sku}` come back, and {left} are left of the order")]
    MoreComesBackThanIsLeft {
        /// The article.
        sku: String,
        /// Pieces that come back.
        quantity: u32,
        /// Pieces left.
        left: u32,
    },
    /// The order's lines say no prices.
    #[error("the line of `{sku}` has no price: say what is paid back in `refund`")]
    RefundIsMissing {
        /// The article.
        sku: String,
    },
    /// More money than is left of the order.
    #[error(
        "{refund} is paid back, and {total} is left of the order; `refund` says how much it was"
    )]
    RefundIsTooMuch {
        /// What is paid back.
        refund: Decimal,
        /// What is left.
        total: Decimal,
    },
    /// It cannot be counted.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

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
    let (entry, kind) = (original.seq, original.what.kind());
    let What::Earn { activity } = &original.what else {
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

/// What an entry undoes of another: nothing at all, all of it, or a part.
fn undone(entry: &Entry, original: u64) -> Option<Option<&Returned>> {
    match &entry.what {
        What::Reverse { of, returned } if *of == original => Some(returned.as_ref()),
        _ => None,
    }
}

/// What is left of an activity when something comes back, and what that is. Nothing is left where
/// all pieces and all money come back.
///
/// # Errors
/// More comes back than there is.
pub fn lessened(
    entry: u64,
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

/// What became of a lot since it was given, as the entries of its wallet's owner tell: of the entry
/// that gave it, by its number, and those from far enough before it on.
#[derive(Debug, Clone, Copy)]
pub struct Since<'a> {
    /// The number of the entry that gave it.
    pub of: u64,
    /// The owner's entries: from as far back on as another entry was undone after this one.
    pub far: &'a [Entry],
}

impl<'a> Since<'a> {
    fn entries(self) -> impl Iterator<Item = &'a Entry> {
        self.far.iter().filter(move |entry| entry.seq > self.of)
    }

    /// An entry's own postings in a wallet: where the owner shared an account's wallet at the time,
    /// those are not its own.
    fn postings(entry: &'a Entry, wallet: &'a WalletName) -> impl Iterator<Item = &'a Posting> {
        entry.postings.iter().filter(move |posting| posting.wallet == *wallet && !posting.shared)
    }

    /// The end that a lot has by now, where activity puts it off.
    fn end(self, terms: &Terms, programme: &Programme) -> Option<Moment> {
        let Some(idle) = terms.idle else { return terms.expires_at };
        let zone = programme.time_zone;
        self.entries().fold(terms.expires_at, |end, entry| match entry.active_at() {
            Some(active_at) => idle.put_off(end, active_at, entry.at, zone),
            None => end,
        })
    }

    /// From when units can be spent that have waited for an activity, if that has come since.
    fn released(self, wallet: &WalletName, terms: &Terms) -> Option<Moment> {
        terms.awaits.as_ref()?;
        let waited = |posting: &Posting| !posting.debt && posting.terms.awaits == terms.awaits;
        // Out of the lot that waits for it, and into one that waits for its day alone. In an account's
        // own entries the activity is one that a member had a share in.
        self.entries().find_map(|entry| {
            let own: Vec<&Posting> = Since::postings(entry, wallet).collect();
            own.windows(2).find_map(|pair| match pair {
                [from, to] if from.change < 0 && waited(from) && !to.debt && to.change > 0 => {
                    to.terms.available_at.filter(|_| to.terms.awaits.is_none())
                }
                _ => None,
            })
        })
    }

    /// Units of a lot of an end that have run out since, less those that other returns have made good
    /// for. Each of those is of an entry of its own, and what had run out before that one was given is
    /// none of its units: so the earliest that can be is made use of first.
    fn run_out(self, wallet: &WalletName, end: Option<Moment>, idle: Option<Idle>) -> Units {
        let mut gone: Vec<(u64, i64)> = Vec::new();
        for entry in self.far {
            if matches!(entry.what, What::Expire) {
                let lots = taken_for_good(Since::postings(entry, wallet));
                let same = |terms: &Terms| terms.expires_at == end && terms.idle == idle;
                let units: i64 =
                    lots.iter().filter(|(_, terms, _)| same(terms)).map(|(.., units)| units).sum();
                gone.push((entry.seq, units));
            }
            for change in &entry.changes {
                let Change::Forgone {
                    wallet: of_wallet,
                    forgone,
                    of,
                    expires_at,
                    idle: stays,
                    shared,
                } = change
                else {
                    continue;
                };
                if of_wallet != wallet || *expires_at != end || *stays != idle || *shared {
                    continue;
                }
                let mut rest = forgone.get();
                for (_, units) in gone.iter_mut().filter(|(seq, _)| seq > of) {
                    let made_good = rest.min(*units);
                    *units -= made_good;
                    rest -= made_good;
                }
            }
        }
        let left: i64 = gone.iter().filter(|(seq, _)| *seq > self.of).map(|(_, units)| units).sum();
        Units::new(left).unwrap_or_default()
    }
}

/// What an entry took out of lots for good, by terms: what a lot pays of what is owed was made use
/// of, and what it gave again was only moved.
fn taken_for_good<'a>(
    postings: impl Iterator<Item = &'a Posting>,
) -> Vec<(WalletName, Terms, i64)> {
    let mut taken: Vec<(WalletName, Terms, i64)> = Vec::new();
    let mut paid: Option<(&WalletName, i64)> = None;
    for posting in postings {
        let Posting { wallet, change, terms, .. } = posting;
        if posting.debt {
            paid = Some((wallet, *change)).filter(|_| *change > 0);
            continue;
        }
        // A lot pays right after what it pays.
        let pays = paid.take().filter(|(of, units)| *of == wallet && -units == *change);
        let units = -change - pays.map_or(0, |(_, units)| units);
        match taken.iter_mut().find(|(of, same, _)| of == wallet && same == terms) {
            Some((.., sum)) => *sum += units,
            None => taken.push((wallet.clone(), terms.clone(), units)),
        }
    }
    taken
}

/// Takes units back that an earn gave on these terms: from the very lots first. Of what is not there
/// any more, what has run out is forgone, and the rest, which was spent, is owed.
#[expect(clippy::too_many_arguments, reason = "they are what there is to know")]
pub fn take_back(
    draft: &mut Draft,
    member: &Member,
    programme: &Programme,
    wallet: &WalletName,
    units: Units,
    terms: &Terms,
    since: Since<'_>,
    now: Moment,
) {
    let mut lots = member.at(now).wallet(wallet.as_str()).clone();
    let end = since.end(terms, programme);
    let alike =
        |other: &Terms| other.expires_at == end && other.idle == terms.idle && other.held.is_none();
    let as_given = |other: &Terms| {
        alike(other) && other.awaits == terms.awaits && other.available_at == terms.available_at
    };
    // Delivered since, and waiting for the end of the time in which it may come back.
    let released_at = since.released(wallet, terms);
    let released =
        |other: &Terms| released_at.is_some() && alike(other) && other.available_at == released_at;
    let ready =
        |other: &Terms| alike(other) && other.awaits.is_none() && other.available_at.is_none();
    let mut missing = units;
    let looks: [&dyn Fn(&Terms) -> bool; 3] = [&as_given, &released, &ready];
    for look in looks {
        let (taken, rest) = lots.take_some(missing, look);
        missing = rest;
        let taken = taken.into_iter().map(|lot| Posting::taken(wallet.clone(), lot));
        draft.postings.extend(taken);
    }
    let forgone = missing.min(since.run_out(wallet, end, terms.idle));
    if !forgone.is_zero() {
        let (wallet, of, idle) = (wallet.clone(), since.of, terms.idle);
        let shared = false;
        draft.changes.push(Change::Forgone { wallet, forgone, of, shared, expires_at: end, idle });
    }
    let owed = missing.checked_sub(forgone).unwrap_or_default();
    if !owed.is_zero() {
        draft.postings.push(Posting::owed(wallet.clone(), owed));
    }
}

/// Whether what an activity did can be undone.
///
/// # Errors
/// It has let go what waited for it, and that may be anywhere by now.
pub fn can_be_taken_back(original: &Entry) -> Result<(), ReverseRejection> {
    let let_go = original.postings.windows(2).any(|pair| match pair {
        [from, to] => {
            let moved = from.wallet == to.wallet && from.change == -to.change && to.change > 0;
            moved && !from.debt && from.terms.awaits.is_some() && to.terms.awaits.is_none()
        }
        _ => false,
    });
    if let_go { Err(ReverseRejection::EntryLetGo(original.seq)) } else { Ok(()) }
}

/// Whether a redemption or a capture can be undone.
///
/// # Errors
/// It has been given back already, or it is no redemption.
pub fn can_be_given_back(original: &Entry, since: &[Entry]) -> Result<(), ReverseRejection> {
    let (entry, kind) = (original.seq, original.what.kind());
    let (What::Redeem { .. } | What::Capture { .. }) = &original.what else {
        return Err(ReverseRejection::EntryCannotBeReversed { entry, kind });
    };
    if since.iter().any(|later| undone(later, entry).is_some()) {
        return Err(ReverseRejection::EntryIsReversedAlready(entry));
    }
    Ok(())
}

/// Gives back what a redemption took, into lots with their first terms; where activity puts an end
/// off, with the end that they would have by now. One whose time is over is over at once: the next
/// run writes that down.
pub fn give_back<'a>(
    draft: &mut Draft,
    programme: &Programme,
    original: &Entry,
    active_at: Option<Moment>,
    since: impl Fn(&WalletName) -> Since<'a>,
) {
    // An entry also moves lots: what it put off, or freed of a hold, comes in again as it went out.
    let mut taken: Vec<(WalletName, Terms, i64)> = Vec::new();
    for (wallet, terms, units) in taken_for_good(original.postings.iter()) {
        let first = Terms { available_at: None, awaits: None, held: None, ..terms };
        let idle = |other: &Terms| other.idle.is_some() && other.idle == first.idle;
        let same = |(of, terms, _): &&mut (WalletName, Terms, i64)| {
            *of == wallet && (*terms == first || idle(terms))
        };
        match taken.iter_mut().find(same) {
            Some((_, terms, sum)) => {
                *sum += units;
                terms.expires_at = terms.expires_at.max(first.expires_at);
            }
            None => taken.push((wallet, first, units)),
        }
    }
    for (wallet, mut terms, units) in taken {
        let Ok(units) = Units::new(units) else { continue };
        if let (Some(idle), Some(active_at)) = (terms.idle, active_at) {
            let zone = programme.time_zone;
            terms.expires_at = idle.put_off(terms.expires_at, active_at, original.at, zone);
            terms.expires_at = since(&wallet).end(&terms, programme);
        }
        draft.credits.push((wallet, Lot { units, terms }));
    }
}

/// Undoes what an entry counted and the entry that takes its place does not.
pub fn uncount(draft: &mut Draft, original: &Entry, instead: &[Change], since: &[Entry]) {
    let counts = |changes: &[Change]| {
        let mut counts: BTreeMap<(String, Moment), i64> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Counted { counted, since } => {
                    *counts.entry((counted.clone(), *since)).or_default() += 1;
                }
                Change::Uncounted { uncounted, since } => {
                    *counts.entry((uncounted.clone(), *since)).or_default() -= 1;
                }
                _ => {}
            }
        }
        counts
    };
    let mut counted = counts(&original.changes);
    for later in since.iter().filter(|later| undone(later, original.seq).is_some()) {
        for (rule, times) in counts(&later.changes) {
            *counted.entry(rule).or_default() += times;
        }
    }
    let instead = counts(instead);
    for ((rule, since), times) in counted {
        let kept = instead.get(&(rule.clone(), since)).copied().unwrap_or_default();
        for _ in kept..times {
            draft.changes.push(Change::Uncounted { uncounted: rule.clone(), since });
        }
    }
}

/// Puts the tasks right that an entry counted for, as if it had always counted for what is left:
/// every step since is told again. The past goes back as far as the first entry that was undone since,
/// so that what that one counted for is left out as well.
pub fn retell(
    draft: &mut Draft,
    past: &Past,
    original: &Entry,
    instead: &[Change],
    programme: &Programme,
) {
    for (task, step) in steps(&original.changes) {
        let mut told: BTreeMap<u64, Step> = BTreeMap::new();
        for entry in &past.entries {
            for (_, step) in steps(&entry.changes).filter(|(other, _)| *other == task) {
                match &entry.what {
                    // What is left of an entry's step is what that entry counts for.
                    What::Reverse { of, .. } => {
                        if let Some(first) = told.get_mut(of) {
                            *first = *step;
                        }
                    }
                    _ => {
                        told.insert(entry.seq, *step);
                    }
                }
            }
        }
        let left = steps(instead).find(|(other, _)| *other == task).map(|(_, step)| *step);
        let left = left.unwrap_or(Step { by: 0, settled: 0, ..*step });
        told.insert(original.seq, left);
        let all: Vec<Step> = told.into_values().collect();
        let first = past.before.tasks.get(task).cloned().unwrap_or_default();
        let progress: Progress = first.retold(&all, programme.time_zone);
        draft.changes.push(Change::Progressed { task: task.to_owned(), step: left, progress });
    }
}

fn steps(changes: &[Change]) -> impl Iterator<Item = (&str, &Step)> {
    changes.iter().filter_map(|change| match change {
        Change::Progressed { task, step, .. } => Some((task.as_str(), step)),
        _ => None,
    })
}

/// What the member has bought, when of this purchase only what is left counts.
#[must_use]
pub fn bought(
    member: &Member,
    before: &Member,
    was: &Activity,
    left: Option<&Activity>,
    since: &[Entry],
) -> Option<Change> {
    if was.kind != PURCHASE {
        return None;
    }
    let total =
        |activity: &Activity| activity.order.as_ref().map_or(Decimal::ZERO, |order| order.total);
    let refund = total(was) - left.map_or(Decimal::ZERO, total);
    let History { purchases, spend, .. } = member.history;
    let reversed = |seq: u64| since.iter().any(|later| matches!(undone(later, seq), Some(None)));
    let others =
        since.iter().filter(|entry| !reversed(entry.seq)).filter_map(|entry| match &entry.what {
            What::Earn { activity } if activity.kind == PURCHASE => Some(activity.at),
            _ => None,
        });
    let own = left.map(|left| left.at);
    let last_purchase_at = before.history.last_purchase_at.into_iter().chain(others).chain(own);
    Some(Change::Bought {
        bought: History {
            purchases: if left.is_some() { purchases } else { purchases.saturating_sub(1) },
            spend: spend - refund,
            last_purchase_at: last_purchase_at.max(),
        },
    })
}

/// What a rule gave that is no unit, undone: rights, marks, scores, codes. What the entry that takes
/// its place gives too stays.
pub fn withdraw(
    draft: &mut Draft,
    member: &Member,
    before: &Member,
    given: &[Reason],
    kept: &[Reason],
    far: &Past,
    original: &Entry,
) {
    let left = kept;
    let mut kept: Vec<&Reason> = kept.iter().collect();
    for reason in given {
        if let Some(place) = kept.iter().position(|other| same(other, reason)) {
            kept.remove(place);
            continue;
        }
        let gave = match &reason.gave {
            Outcome::Grant { grant, .. } => shortened(member, grant, far, original, left, draft),
            Outcome::Revoke { revoke } => {
                let had = before.grants.get(revoke).copied();
                let gone = !member.grants.contains_key(revoke);
                had.filter(|_| gone).map(|until| Outcome::Grant { grant: revoke.clone(), until })
            }
            Outcome::Tag { tag } => {
                member.tags.contains(tag).then(|| Outcome::Untag { untag: tag.clone() })
            }
            Outcome::Untag { untag } => {
                (!member.tags.contains(untag)).then(|| Outcome::Tag { tag: untag.clone() })
            }
            Outcome::Score { contest, score } => {
                let less = kept.iter().find_map(|other| match &other.gave {
                    Outcome::Score { contest: same, score } if same == contest => Some(*score),
                    _ => None,
                });
                let back = score.checked_sub(less.unwrap_or_default()).unwrap_or_default();
                let has = member.scores.get(contest).copied().unwrap_or_default();
                let unscore = back.min(has);
                (!unscore.is_zero()).then(|| Outcome::Unscore { contest: contest.clone(), unscore })
            }
            Outcome::Voucher { pool, code } => {
                Some(Outcome::Void { pool: pool.clone(), void: code.clone() })
            }
            Outcome::Units { .. }
            | Outcome::Back { .. }
            | Outcome::Void { .. }
            | Outcome::Referral { .. }
            | Outcome::Unscore { .. } => None,
        };
        let Reason { rule, source, .. } = reason.clone();
        draft.because.extend(gave.map(|gave| Reason { rule, source, gave }));
    }
}

fn same(one: &Reason, other: &Reason) -> bool {
    match (&one.gave, &other.gave) {
        // The same right may be given for another time, and the same code is no other.
        (Outcome::Voucher { pool, .. }, Outcome::Voucher { pool: same, .. }) => {
            pool == same && one.rule == other.rule
        }
        _ => one == other,
    }
}

/// A right as it would be without the time that an entry added to it, or with as much of it as is
/// `kept`: all that was added is told again, from the first entry on that has been undone since.
fn shortened(
    member: &Member,
    grant: &str,
    far: &Past,
    original: &Entry,
    kept: &[Reason],
    draft: &Draft,
) -> Option<Outcome> {
    let present = *member.grants.get(grant)?;
    let done = draft.because.iter().any(|reason| {
        matches!(&reason.gave, Outcome::Revoke { revoke } if revoke == grant)
            || matches!(&reason.gave, Outcome::Grant { grant: other, .. } if other == grant)
    });
    if done {
        return None;
    }
    // What there was, and what there would have been.
    let mut was = far.before.grants.get(grant).copied();
    let mut is = was;
    for entry in &far.entries {
        let at = match &entry.what {
            What::Earn { activity } => activity.at,
            _ => entry.at,
        };
        let counts = !matches!(entry.what, What::Reverse { .. })
            && !far.entries.iter().any(|later| matches!(undone(later, entry.seq), Some(None)));
        let stays = |reason: &Reason| match entry.seq == original.seq {
            true => kept.iter().any(|kept| kept.rule == reason.rule && is_alike(kept, reason)),
            false => counts,
        };
        for reason in &entry.because {
            match &reason.gave {
                Outcome::Revoke { revoke } if revoke == grant => {
                    was = None;
                    is = is.filter(|_| !stays(reason));
                }
                Outcome::Grant { grant: other, until } if other == grant => {
                    if stays(reason) {
                        is = Some(added(was, is, *until, at));
                    }
                    was = Some(*until);
                }
                _ => {}
            }
        }
    }
    let name = grant.to_owned();
    match is {
        None => Some(Outcome::Revoke { revoke: name }),
        Some(until) if until == present => None,
        Some(until) => Some(Outcome::Grant { grant: name, until }),
    }
}

/// Whether both give the same right, for whatever time, or both take it.
fn is_alike(one: &Reason, other: &Reason) -> bool {
    match (&one.gave, &other.gave) {
        (Outcome::Grant { grant, .. }, Outcome::Grant { grant: same, .. }) => grant == same,
        (one, other) => one == other,
    }
}

/// The end of a right to which as much is added as had been added to another.
fn added(
    was: Option<Option<Moment>>,
    is: Option<Option<Moment>>,
    until: Option<Moment>,
    at: Moment,
) -> Option<Moment> {
    let until = until?;
    // A right that stays has no end to which anything could be added.
    let from = |had: Option<Option<Moment>>| match had {
        Some(Some(end)) => Some(end.max(at)),
        Some(None) => None,
        None => Some(at),
    };
    Some(match (from(was), from(is)) {
        (Some(was), Some(is)) => is + until.signed_duration_since(was),
        _ => until,
    })
}

/// What an entry drew from pots and the one that takes its place does not.
pub fn put_back(draft: &mut Draft, original: &Entry, kept: &[Draw], since: &[Entry]) {
    for draw in &original.draws {
        let units = |draws: &[Draw]| -> i64 {
            draws.iter().filter(|other| other.pot == draw.pot).map(|draw| draw.units.get()).sum()
        };
        let earlier = since.iter().filter(|later| undone(later, original.seq).is_some());
        let earlier: i64 = earlier.map(|later| units(&later.returns)).sum();
        let back = draw.units.get() - units(kept) - earlier;
        if let Ok(units) = Units::new(back)
            && !units.is_zero()
        {
            draft.returns.push(Draw { pot: draw.pot.clone(), units });
        }
    }
}

/// What was counted and set aside when a reward was held that has now been captured and is undone.
pub fn undo_hold(draft: &mut Draft, hold: &Hold) {
    if let Some(since) = hold.counted {
        draft.changes.push(Change::Uncounted { uncounted: hold.reward.clone(), since });
    }
    draft.put_back(hold);
}
