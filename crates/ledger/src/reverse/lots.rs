//! Taking units back from the lots that an earn gave, and giving units back into lots with their
//! original terms.

use crate::decision::{Credit, Draft};
use crate::{
    Change, Entry, Lot, Member, Moment, Posting, PostingReason, Programme, Seq, Units, WalletName,
};
use crate::{Inactivity, Terms};

/// Units of an earn that a return takes back, or gives more of.
#[derive(Debug, Clone, Copy)]
pub struct EarnedUnits<'a> {
    /// The wallet.
    pub wallet: &'a WalletName,
    /// The number of units.
    pub units: Units,
    /// The terms on which the earn gives units.
    pub terms: &'a Terms,
    /// The history of its lot since.
    pub since: LotHistory<'a>,
}

/// Takes back units that an earn gave, from their own lot as far as it has them. Of the rest, units
/// that have expired are unrecoverable, and the others were spent and become debt.
pub fn take_back(
    draft: &mut Draft,
    member: &Member,
    programme: &Programme,
    earned: EarnedUnits<'_>,
    now: Moment,
) {
    let EarnedUnits { wallet, units, terms, since } = earned;
    let mut lots = member.at(now).wallet(wallet.as_str()).clone();
    let end = since.end(terms, programme);
    let alike = |other: &Terms| {
        other.expires_at == end && other.inactivity == terms.inactivity && other.held.is_none()
    };
    let as_given = |other: &Terms| {
        alike(other)
            && other.pending_on == terms.pending_on
            && other.available_at == terms.available_at
    };
    // The units may have been delivered since, and be pending until `pending_days` after that.
    let delivered_at = since.delivered(wallet, terms).flatten();
    let released = |other: &Terms| {
        delivered_at.is_some() && alike(other) && other.available_at == delivered_at
    };
    let ready =
        |other: &Terms| alike(other) && other.pending_on.is_none() && other.available_at.is_none();
    let mut missing = units;
    let looks: [&dyn Fn(&Terms) -> bool; 3] = [&as_given, &released, &ready];
    // What the units are worth does not tell which they are; those of the same worth come first.
    for (look, same_worth) in looks.into_iter().flat_map(|look| [(look, true), (look, false)]) {
        let (taken, rest) = lots
            .take_some(missing, |other| look(other) && (other.worth == terms.worth || !same_worth));
        missing = rest;
        let why = PostingReason::Reclaimed;
        let taken = taken.into_iter().map(|lot| Posting::out_of_lot(wallet.clone(), lot, why));
        draft.postings.extend(taken);
    }
    let expired = missing.min(since.expired(wallet, end, terms.inactivity));
    if !expired.is_zero() {
        draft.changes.push(Change::Unrecoverable {
            wallet: wallet.clone(),
            units: expired,
            of: since.of,
            shared: false,
            expires_at: end,
            inactivity: terms.inactivity,
        });
    }
    let owed = Units::part(missing.get() - expired.get());
    if !owed.is_zero() {
        let owed = Lot { units: owed, terms: terms.clone() };
        let why = PostingReason::Reclaimed;
        draft.postings.push(Posting::out_of_debt(wallet.clone(), owed, why));
    }
}

/// Gives units that the rules give more for what is left of an order, into the lot that those of the
/// order have become by now.
pub fn give_more(draft: &mut Draft, programme: &Programme, earned: EarnedUnits<'_>) {
    let EarnedUnits { wallet, units, terms, since } = earned;
    let mut terms = Terms { expires_at: since.end(terms, programme), ..terms.clone() };
    if let Some(available_at) = since.delivered(wallet, &terms) {
        terms = Terms { pending_on: None, available_at, ..terms };
    }
    let lot = Lot { units, terms };
    draft.credits.push(Credit { wallet: wallet.clone(), lot, why: PostingReason::Issued });
}

/// Gives back the units that a redemption took, into lots with their original terms. If activity
/// extends their end, they get the end that they would have by now. A lot whose end has passed
/// expires at once, and the next run records that.
pub fn give_back<'a>(
    draft: &mut Draft,
    programme: &Programme,
    original: &Entry,
    since: impl Fn(&WalletName) -> LotHistory<'a>,
) {
    let mut taken: Vec<(WalletName, Terms, i64)> = Vec::new();
    let spent = original.postings.iter().filter(|posting| posting.why == PostingReason::Spent);
    for posting in spent {
        let Some(terms) = posting.from_lot() else { continue };
        let first = Terms { available_at: None, pending_on: None, held: None, ..terms.clone() };
        let is_alike = |other: &Terms| {
            other.inactivity.is_some()
                && other.inactivity == first.inactivity
                && other.worth == first.worth
        };
        let same = |(of, terms, _): &&mut (WalletName, Terms, i64)| {
            *of == posting.wallet && (*terms == first || is_alike(terms))
        };
        match taken.iter_mut().find(same) {
            Some((_, terms, sum)) => {
                *sum += posting.units.get();
                terms.expires_at = terms.expires_at.max(first.expires_at);
            }
            None => taken.push((posting.wallet.clone(), first, posting.units.get())),
        }
    }
    for (wallet, mut terms, units) in taken {
        terms.expires_at = since(&wallet).end(&terms, programme);
        let lot = Lot { units: Units::part(units), terms };
        draft.credits.push(Credit { wallet, lot, why: PostingReason::Restored });
    }
}

/// The history of a lot: the entries of its wallet's owner, which show what became of the lot.
#[derive(Debug, Clone, Copy)]
pub struct LotHistory<'a> {
    /// The number of the entry that gave the lot.
    pub of: Seq,
    /// The owner's entries, from that entry on or from an earlier one that was undone after it.
    pub window: &'a [Entry],
    /// When the owner was last active before the entry that gave the lot.
    pub active_at: Option<Moment>,
}

impl<'a> LotHistory<'a> {
    /// An entry's postings in the owner's own wallet, without those in the wallet of an account.
    fn postings(entry: &'a Entry, wallet: &'a WalletName) -> impl Iterator<Item = &'a Posting> {
        entry.postings.iter().filter(move |posting| posting.wallet == *wallet && !posting.shared)
    }

    /// The end that a lot has by now: its first end, extended by each activity since, including
    /// that of the entry that gave it.
    fn end(self, terms: &Terms, programme: &Programme) -> Option<Moment> {
        let Some(inactivity) = terms.inactivity else { return terms.expires_at };
        let (mut end, mut last) = (terms.expires_at, self.active_at);
        for entry in self.window.iter().filter(|entry| entry.seq >= self.of) {
            let Some(active_at) = entry.active_at() else { continue };
            let active_at = last.map_or(active_at, |last| last.max(active_at));
            end = inactivity.extend(end, active_at, entry.at, programme.time_zone);
            last = Some(active_at);
        }
        end
    }

    /// The moment from which units that were pending on an activity can be spent, if the activity
    /// has happened since; `Some(None)` if they were available at once.
    fn delivered(self, wallet: &WalletName, terms: &Terms) -> Option<Option<Moment>> {
        terms.pending_on.as_ref()?;
        let is_delivery = |posting: &&Posting| {
            posting.why == PostingReason::Delivered
                && posting.from_lot().is_some_and(|from| from.pending_on == terms.pending_on)
        };
        // The order's own entry counts, too: its delivery may have come before it.
        self.window.iter().filter(|entry| entry.seq >= self.of).find_map(|entry| {
            let mut own = LotHistory::postings(entry, wallet);
            Some(own.find(is_delivery)?.to_lot()?.available_at)
        })
    }

    /// The units of a lot, named by its end and its inactivity, that have expired since, less those
    /// that other returns have already recorded as unrecoverable. A return accounts for the
    /// earliest expiries after the entry that it reverses: units that expired before were not that
    /// entry's.
    fn expired(self, wallet: &WalletName, end: Option<Moment>, stays: Option<Inactivity>) -> Units {
        let mut expiries: Vec<(Seq, i64)> = Vec::new();
        for entry in self.window {
            let expired = LotHistory::postings(entry, wallet).filter(|posting| {
                let of_lot = |from: &Terms| from.expires_at == end && from.inactivity == stays;
                posting.why == PostingReason::Expired && posting.from_lot().is_some_and(of_lot)
            });
            let units: i64 = expired.map(|posting| posting.units.get()).sum();
            if units > 0 {
                expiries.push((entry.seq, units));
            }
            for (of, units) in unrecoverable(entry, wallet, end, stays) {
                let mut rest = units.get();
                for (_, units) in expiries.iter_mut().filter(|(seq, _)| *seq > of) {
                    let compensated = rest.min(*units);
                    *units -= compensated;
                    rest -= compensated;
                }
            }
        }
        let left = expiries.iter().filter(|(seq, _)| *seq > self.of).map(|(_, units)| units);
        Units::part(left.sum())
    }
}

/// The units of a lot that an entry recorded as unrecoverable, with the numbers of the entries that
/// had given them.
fn unrecoverable(
    entry: &Entry,
    of_wallet: &WalletName,
    end: Option<Moment>,
    stays: Option<Inactivity>,
) -> impl Iterator<Item = (Seq, Units)> {
    entry.changes.iter().filter_map(move |change| match change {
        Change::Unrecoverable { wallet, units, of, shared: false, expires_at, inactivity }
            if wallet == of_wallet && *expires_at == end && *inactivity == stays =>
        {
            Some((*of, *units))
        }
        _ => None,
    })
}
