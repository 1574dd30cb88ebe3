//! The units of one member, each with the month in which it was issued.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use chrono_tz::Tz;
use ledger::activity::PURCHASE;
use ledger::{EntryKind, Inactivity, Moment, Posting, PostingReason, Terms, Verb, WalletName};
use rust_decimal::Decimal;

use crate::month::Month;

/// A line of a member's history, as far as units are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// When its entry was decided.
    pub at: Moment,
    /// The movements of units.
    pub postings: &'a [Posting],
    /// Whether the units that it issues have been paid for by purchases.
    pub is_bought: bool,
}

/// Whether the units that an entry issues have been paid for by purchases: of a verb, with the verb of
/// the entry of another member that moved units here, if there is one, and with its data, if they have
/// not been erased.
#[must_use]
pub fn is_bought(verb: Verb, moved: Option<Verb>, entry: Option<&EntryKind>) -> bool {
    match (verb, entry) {
        (Verb::Earn, Some(EntryKind::Earn { activity })) => activity.kind == PURCHASE,
        // Somebody who shares the wallets bought something.
        (Verb::Share, _) => moved == Some(Verb::Earn),
        // A rule was mended, or a return is undone.
        (Verb::Rejudge | Verb::Reverse, _) => true,
        _ => false,
    }
}

/// The units of one member, followed from posting to posting.
///
/// A lot is known by its end and by what its units are worth. The units within it are all alike, so
/// those of each month leave in proportion. Units that are taken back count as never issued, the newest
/// first, and so do those that pay a debt. Units that are given back, since a redemption was undone, are
/// those that were redeemed last. Units that are transferred are new to who receives them.
#[derive(Debug, Clone)]
pub struct Kept {
    zone: Tz,
    pub(crate) wallets: BTreeMap<WalletName, Wallet>,
}

/// The units of one wallet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wallet {
    lots: BTreeMap<Lot, Vec<Piece>>,
    /// The units that left, in the order in which they did.
    pub(crate) exits: Vec<Exit>,
}

/// A lot, by the terms that matter here. Whether it is held or pending does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lot {
    expires_at: Option<Moment>,
    inactivity: Option<Inactivity>,
    worth: Option<Decimal>,
}

/// Units that were issued together, in the lot where they are or were last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) lot: Lot,
    pub(crate) issued: Month,
    /// Whether they came with a purchase.
    pub(crate) purchase: bool,
    pub(crate) units: i64,
}

/// Units that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) piece: Piece,
    pub(crate) month: Month,
    pub(crate) how: How,
}

/// How units leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Redeemed,
    Expired,
    Transferred,
}

impl Lot {
    fn of(terms: &Terms) -> Lot {
        let Terms { expires_at, inactivity, worth, .. } = *terms;
        Lot { expires_at, inactivity, worth }
    }
}

impl Piece {
    /// What it is worth, in the programme's currency.
    pub(crate) fn value(&self) -> Decimal {
        // The manifest bounds a worth, so that the product fits.
        self.lot.worth.unwrap_or_default() * Decimal::from(self.units)
    }

    /// The last month in which it can be redeemed; nothing if it has no end, or one that moves.
    pub(crate) fn last_month(&self, zone: Tz) -> Option<Month> {
        let end = self.lot.expires_at.filter(|_| self.lot.inactivity.is_none())?;
        Some(Month::of(end - TimeDelta::microseconds(1), zone))
    }
}

impl Kept {
    /// A member without units. Months are those of the time zone.
    #[must_use]
    pub fn new(zone: Tz) -> Kept {
        Kept { zone, wallets: BTreeMap::new() }
    }

    pub(crate) fn zone(&self) -> Tz {
        self.zone
    }

    /// Follows the movements of the member's next entry.
    pub fn see(&mut self, line: Line<'_>) {
        let month = Month::of(line.at, self.zone);
        // What moved in the wallets of an account is in the account's own entry.
        for posting in line.postings.iter().filter(|posting| !posting.shared) {
            let wallet = self.wallets.entry(posting.wallet.clone()).or_default();
            let from = posting.from_lot().map(Lot::of);
            let to = posting.to_lot().map(Lot::of);
            let units = posting.units.get();
            match (from, to, posting.why) {
                (Some(from), Some(to), _) => {
                    let pieces = wallet.some(from, units);
                    wallet.put(to, pieces);
                }
                (Some(from), None, PostingReason::Spent) => {
                    wallet.leave(from, units, month, How::Redeemed);
                }
                (Some(from), None, PostingReason::Transferred) => {
                    wallet.leave(from, units, month, How::Transferred);
                }
                (Some(from), None, PostingReason::Expired) => {
                    let end = from.expires_at.map_or(line.at, |end| end.min(line.at));
                    wallet.leave(from, units, Month::of(end, self.zone), How::Expired);
                }
                (Some(from), None, _) => {
                    wallet.last(from, units);
                }
                (None, _, PostingReason::Restored) => {
                    let (mut pieces, rest) = wallet.back(units);
                    if let Some(lot) = to {
                        pieces.push(Piece { lot, issued: month, purchase: false, units: rest });
                        wallet.put(lot, pieces);
                    }
                }
                (None, Some(lot), why) => {
                    let purchase = line.is_bought && why == PostingReason::Issued;
                    wallet.put(lot, vec![Piece { lot, issued: month, purchase, units }]);
                }
                (None, None, _) => {}
            }
        }
    }

    /// The units of each wallet that are still there, and what they are worth.
    pub fn left(&self) -> impl Iterator<Item = (&WalletName, i64, Decimal)> {
        self.wallets.iter().map(|(name, wallet)| {
            let units = wallet.left().map(|piece| piece.units).sum();
            (name, units, wallet.left().map(Piece::value).sum())
        })
    }

    /// Ends with the units that have expired before a moment, whether or not an entry says so.
    #[must_use]
    pub fn until(mut self, end: Moment) -> Kept {
        for wallet in self.wallets.values_mut() {
            let expired = |lot: &&Lot| lot.expires_at.is_some_and(|expires_at| expires_at < end);
            let lots: Vec<Lot> = wallet.lots.keys().filter(expired).copied().collect();
            for lot in lots {
                let month = Month::of(lot.expires_at.unwrap_or(end), self.zone);
                wallet.leave(lot, i64::MAX, month, How::Expired);
            }
        }
        self
    }
}

/// Takes units from the first of some pieces. More than there are can only be taken in a history that
/// does not follow from itself, which the audit finds; the rest is what could not be taken.
fn take<'p>(pieces: impl Iterator<Item = &'p mut Piece>, mut units: i64) -> (Vec<Piece>, i64) {
    let mut taken = Vec::new();
    for piece in pieces {
        let part = units.min(piece.units);
        (units, piece.units) = (units - part, piece.units - part);
        taken.push(Piece { units: part, ..*piece });
        if units == 0 {
            break;
        }
    }
    (taken, units)
}

impl Wallet {
    /// The units that are still there.
    pub(crate) fn left(&self) -> impl Iterator<Item = &Piece> {
        self.lots.values().flatten()
    }

    fn put(&mut self, lot: Lot, pieces: Vec<Piece>) {
        let own = self.lots.entry(lot).or_default();
        own.extend(
            pieces.into_iter().filter(|piece| piece.units > 0).map(|piece| Piece { lot, ..piece }),
        );
        // What comes from another lot may be older than what is there.
        own.sort_by_key(|piece| piece.issued);
    }

    /// Takes units of a lot, of each month in proportion, rounded so that they add up.
    fn some(&mut self, lot: Lot, units: i64) -> Vec<Piece> {
        let pieces = self.lots.entry(lot).or_default();
        let all: i64 = pieces.iter().map(|piece| piece.units).sum();
        let units = units.min(all);
        let (mut passed, mut before) = (0, 0);
        let mut taken = Vec::new();
        for piece in pieces.iter_mut() {
            passed += piece.units;
            // To the nearest unit: rounded down, the oldest would always leave last.
            let all = i128::from(all.max(1));
            let until_here = (i128::from(passed) * i128::from(units) + all / 2) / all;
            let until_here = i64::try_from(until_here).unwrap_or(passed);
            let part = until_here - before;
            before = until_here;
            piece.units -= part;
            taken.push(Piece { units: part, ..*piece });
        }
        pieces.retain(|piece| piece.units > 0);
        taken
    }

    /// Takes the newest units of a lot, as if they had never been issued.
    fn last(&mut self, lot: Lot, units: i64) {
        let pieces = self.lots.entry(lot).or_default();
        take(pieces.iter_mut().rev(), units);
        pieces.retain(|piece| piece.units > 0);
    }

    /// Lets units of a lot leave.
    fn leave(&mut self, lot: Lot, units: i64, month: Month, how: How) {
        let exit = |piece: Piece| Exit { piece, month: month.max(piece.issued), how };
        let exits = self.some(lot, units).into_iter().filter(|piece| piece.units > 0).map(exit);
        self.exits.extend(exits);
    }

    /// Takes back the units that were redeemed last; also says how many were not.
    fn back(&mut self, units: i64) -> (Vec<Piece>, i64) {
        let redeemed = self.exits.iter_mut().rev().filter(|exit| exit.how == How::Redeemed);
        let taken = take(redeemed.map(|exit| &mut exit.piece), units);
        self.exits.retain(|exit| exit.piece.units > 0);
        taken
    }
}
