//! Units that are taken back from the very lots that an earn gave, and units that are given back into
//! lots as they were.

use crate::decision::Draft;
use crate::wallet::{Inactivity, Terms};
use crate::{Change, Entry, EntryKind, Lot, Member, Moment, Posting, Programme, Units, WalletName};

/// Units that an earn gave and that are taken back.
#[derive(Debug, Clone, Copy)]
pub struct Reclaim<'a> {
    /// Of which wallet.
    pub wallet: &'a WalletName,
    /// How many.
    pub units: Units,
    /// The terms on which they were given.
    pub terms: &'a Terms,
    /// What became of their lot since.
    pub since: LotHistory<'a>,
}

/// Takes units back that an earn gave: from the very lots first. Of what is not there any more, what
/// has expired is forgone, and the rest, which was spent, is owed.
pub fn take_back(
    draft: &mut Draft,
    member: &Member,
    programme: &Programme,
    reclaim: Reclaim<'_>,
    now: Moment,
) {
    let Reclaim { wallet, units, terms, since } = reclaim;
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
    // Delivered since, and waiting for the end of the time in which it may come back.
    let released_at = since.released(wallet, terms);
    let released =
        |other: &Terms| released_at.is_some() && alike(other) && other.available_at == released_at;
    let ready =
        |other: &Terms| alike(other) && other.pending_on.is_none() && other.available_at.is_none();
    let mut missing = units;
    let looks: [&dyn Fn(&Terms) -> bool; 3] = [&as_given, &released, &ready];
    for look in looks {
        let (taken, rest) = lots.take_some(missing, look);
        missing = rest;
        let taken = taken.into_iter().map(|lot| Posting::taken(wallet.clone(), lot));
        draft.postings.extend(taken);
    }
    let unrecoverable = missing.min(since.run_out(wallet, end, terms.inactivity));
    if !unrecoverable.is_zero() {
        let (wallet, of, inactivity) = (wallet.clone(), since.of, terms.inactivity);
        let shared = false;
        draft.changes.push(Change::Unrecoverable {
            wallet,
            unrecoverable,
            of,
            shared,
            expires_at: end,
            inactivity,
        });
    }
    let owed = missing.checked_sub(unrecoverable).unwrap_or_default();
    if !owed.is_zero() {
        draft.postings.push(Posting::owed(wallet.clone(), owed));
    }
}

/// Gives back what a redemption took, into lots with their first terms; where activity puts an end
/// off, with the end that they would have by now. One whose time is over is over at once: the next
/// run writes that down.
pub fn give_back<'a>(
    draft: &mut Draft,
    programme: &Programme,
    original: &Entry,
    since: impl Fn(&WalletName) -> LotHistory<'a>,
) {
    // An entry also moves lots: what it put off, or freed of a hold, comes in again as it went out.
    let mut taken: Vec<(WalletName, Terms, i64)> = Vec::new();
    for (wallet, terms, units) in taken_for_good(original.postings.iter()) {
        let first = Terms { available_at: None, pending_on: None, held: None, ..terms };
        let inactivity =
            |other: &Terms| other.inactivity.is_some() && other.inactivity == first.inactivity;
        let same = |(of, terms, _): &&mut (WalletName, Terms, i64)| {
            *of == wallet && (*terms == first || inactivity(terms))
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
        terms.expires_at = since(&wallet).end(&terms, programme);
        draft.credits.push((wallet, Lot { units, terms }));
    }
}

/// What became of a lot since it was given, as the entries of its wallet's owner tell: of the entry
/// that gave it, by its number, and those from far enough before it on.
#[derive(Debug, Clone, Copy)]
pub struct LotHistory<'a> {
    /// The number of the entry that gave it.
    pub of: u64,
    /// The owner's entries: from as far back on as another entry was undone after this one.
    pub window: &'a [Entry],
    /// When the owner had been active last before that entry.
    pub active_at: Option<Moment>,
}

impl<'a> LotHistory<'a> {
    /// An entry's own postings in a wallet: where the owner shared an account's wallet at the time,
    /// those are not its own.
    fn postings(entry: &'a Entry, wallet: &'a WalletName) -> impl Iterator<Item = &'a Posting> {
        entry.postings.iter().filter(move |posting| posting.wallet == *wallet && !posting.shared)
    }

    /// The end that a lot has by now, where activity puts it off: that of the entry itself too.
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

    /// From when units can be spent that have waited for an activity, if that has come since.
    fn released(self, wallet: &WalletName, terms: &Terms) -> Option<Moment> {
        terms.pending_on.as_ref()?;
        let waited =
            |posting: &Posting| !posting.debt && posting.terms.pending_on == terms.pending_on;
        // Out of the lot that waits for it, and into one that waits for its day alone. In an account's
        // own entries the activity is one that a member had a share in.
        self.window.iter().filter(|entry| entry.seq > self.of).find_map(|entry| {
            let own: Vec<&Posting> = LotHistory::postings(entry, wallet).collect();
            own.windows(2).find_map(|pair| match pair {
                [from, to] if from.change < 0 && waited(from) && !to.debt && to.change > 0 => {
                    to.terms.available_at.filter(|_| to.terms.pending_on.is_none())
                }
                _ => None,
            })
        })
    }

    /// Units of a lot of an end that have run out since, less those that other returns have made good
    /// for. Each of those is of an entry of its own, and what had run out before that one was given is
    /// none of its units: so the earliest that can be is made use of first.
    fn run_out(
        self,
        wallet: &WalletName,
        end: Option<Moment>,
        inactivity: Option<Inactivity>,
    ) -> Units {
        let mut gone: Vec<(u64, i64)> = Vec::new();
        for entry in self.window {
            if matches!(entry.kind, EntryKind::Expire) {
                let lots = taken_for_good(LotHistory::postings(entry, wallet));
                let same =
                    |terms: &Terms| terms.expires_at == end && terms.inactivity == inactivity;
                let units: i64 =
                    lots.iter().filter(|(_, terms, _)| same(terms)).map(|(.., units)| units).sum();
                gone.push((entry.seq, units));
            }
            for change in &entry.changes {
                let Change::Unrecoverable {
                    wallet: of_wallet,
                    unrecoverable,
                    of,
                    expires_at,
                    inactivity: stays,
                    shared,
                } = change
                else {
                    continue;
                };
                if of_wallet != wallet || *expires_at != end || *stays != inactivity || *shared {
                    continue;
                }
                let mut rest = unrecoverable.get();
                for (_, units) in gone.iter_mut().filter(|(seq, _)| seq > of) {
                    let compensated = rest.min(*units);
                    *units -= compensated;
                    rest -= compensated;
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
