//! The units of one member, each with the month in which it was issued.

use std::collections::{BTreeMap, VecDeque};

use chrono_tz::Tz;
use ledger::{Inactivity, Moment, Posting, PostingReason, Terms, WalletName};
use rust_decimal::Decimal;

use crate::month::Month;

/// A line of a member's history, as far as units are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// When its entry was decided.
    pub at: Moment,
    /// The movements of units.
    pub postings: &'a [Posting],
    /// Whether it stands for a purchase.
    pub purchase: bool,
}

/// The units of one member, followed from posting to posting.
///
/// A lot is known by its end, and units within it leave in the order in which they were issued. Units
/// that are taken back count as never issued, the newest first, and so do those that pay a debt. Units
/// that are given back, since a redemption was undone, are those that were redeemed last.
#[derive(Debug, Clone)]
pub struct Kept {
    zone: Tz,
    pub(crate) wallets: BTreeMap<WalletName, Wallet>,
}

/// The units of one wallet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wallet {
    lots: BTreeMap<Lot, VecDeque<Piece>>,
    /// The units that left, in the order in which they did.
    pub(crate) gone: Vec<Gone>,
}

/// A lot, by its end.
type Lot = (Option<Moment>, Option<Inactivity>);

/// Units that were issued together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) issued: Month,
    pub(crate) purchase: bool,
    pub(crate) worth: Option<Decimal>,
    pub(crate) units: i64,
}

impl Piece {
    /// What it is worth, in the programme's currency.
    pub(crate) fn value(&self) -> Decimal {
        // The manifest bounds a worth, so that the product fits.
        self.worth.unwrap_or_default() * Decimal::from(self.units)
    }
}

/// Units that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) piece: Piece,
    pub(crate) at: Month,
    pub(crate) exit: Exit,
}

/// How units leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Redeemed,
    Expired,
}

fn lot(terms: &Terms) -> Lot {
    (terms.expires_at, terms.inactivity)
}

impl Kept {
    /// A member without units. Months are those of the time zone.
    #[must_use]
    pub fn new(zone: Tz) -> Kept {
        Kept { zone, wallets: BTreeMap::new() }
    }

    /// Follows the movements of the member's next entry.
    pub fn see(&mut self, line: Line<'_>) {
        let month = Month::of(line.at, self.zone);
        // What the history before makes different lies elsewhere: it goes out of lots before it goes
        // into others.
        let mut elsewhere: BTreeMap<&WalletName, Vec<Piece>> = BTreeMap::new();
        let own = || line.postings.iter().filter(|posting| !posting.shared);
        for posting in own() {
            let wallet = self.wallets.entry(posting.wallet.clone()).or_default();
            let (units, from, to) = (posting.units.get(), posting.from_lot(), posting.to_lot());
            match (from, to, posting.why) {
                (Some(from), Some(to), _) => {
                    let pieces = wallet.first(lot(from), units);
                    wallet.put(lot(to), pieces);
                }
                (Some(from), None, PostingReason::Spent) => {
                    let pieces = wallet.first(lot(from), units);
                    wallet.leave(pieces, month, Exit::Redeemed);
                }
                (Some(from), None, PostingReason::Expired) => {
                    let end = from.expires_at.map_or(line.at, |end| end.min(line.at));
                    let pieces = wallet.first(lot(from), units);
                    wallet.leave(pieces, Month::of(end, self.zone), Exit::Expired);
                }
                (Some(from), None, why) => {
                    let pieces = wallet.last(lot(from), units);
                    if why == PostingReason::DerivedAgain {
                        elsewhere.entry(&posting.wallet).or_default().extend(pieces);
                    }
                }
                (None, _, PostingReason::Restored) => {
                    let (mut pieces, rest) = wallet.back(units);
                    if let Some(to) = to {
                        pieces.extend(issued(posting, to, rest, month, line.purchase));
                        wallet.put(lot(to), pieces);
                    }
                }
                (None, _, PostingReason::DerivedAgain) | (None, None, _) => {}
                (None, Some(to), _) => {
                    wallet.put(lot(to), issued(posting, to, units, month, line.purchase));
                }
            }
        }
        for posting in own().filter(|posting| posting.why == PostingReason::DerivedAgain) {
            let (None, Some(to)) = (posting.from_lot(), posting.to_lot()) else { continue };
            let wallet = self.wallets.entry(posting.wallet.clone()).or_default();
            let pieces = elsewhere.entry(&posting.wallet).or_default();
            let (mut pieces, rest) = taken_off(pieces, posting.units.get());
            pieces.extend(issued(posting, to, rest, month, line.purchase));
            wallet.put(lot(to), pieces);
        }
    }

    /// Ends with the units that have expired by a moment, whether or not an entry says so.
    #[must_use]
    pub fn until(mut self, end: Moment) -> Kept {
        for wallet in self.wallets.values_mut() {
            let expired = |lot: &Lot| lot.0.is_some_and(|expires_at| expires_at <= end);
            let lots: Vec<Lot> = wallet.lots.keys().copied().filter(expired).collect();
            for lot in lots {
                let pieces = wallet.lots.remove(&lot).unwrap_or_default();
                let month = Month::of(lot.0.unwrap_or(end), self.zone);
                wallet.leave(pieces, month, Exit::Expired);
            }
        }
        self
    }
}

/// The units of a posting that were issued by it.
fn issued(
    posting: &Posting,
    to: &Terms,
    units: i64,
    month: Month,
    purchase: bool,
) -> Option<Piece> {
    let purchase = purchase && posting.why == PostingReason::Issued;
    (units > 0).then_some(Piece { issued: month, purchase, worth: to.worth, units })
}

/// Takes units from the end of a list of pieces; also says how many were not there.
fn taken_off(pieces: &mut Vec<Piece>, mut units: i64) -> (Vec<Piece>, i64) {
    let mut taken = Vec::new();
    while units > 0
        && let Some(last) = pieces.last_mut()
    {
        let part = units.min(last.units);
        taken.push(Piece { units: part, ..*last });
        (units, last.units) = (units - part, last.units - part);
        if last.units == 0 {
            pieces.pop();
        }
    }
    (taken, units)
}

impl Wallet {
    /// The units that are still there.
    pub(crate) fn left(&self) -> impl Iterator<Item = &Piece> {
        self.lots.values().flatten()
    }

    fn put(&mut self, lot: Lot, pieces: impl IntoIterator<Item = Piece>) {
        let lot = self.lots.entry(lot).or_default();
        lot.extend(pieces);
        // What comes from elsewhere may be older than what is there.
        lot.make_contiguous().sort_by_key(|piece| piece.issued);
    }

    /// Takes the oldest units of a lot. More than there are can only be taken in a history that does
    /// not follow from itself, which the audit finds.
    fn first(&mut self, lot: Lot, mut units: i64) -> Vec<Piece> {
        let pieces = self.lots.entry(lot).or_default();
        let mut taken = Vec::new();
        while units > 0
            && let Some(first) = pieces.front_mut()
        {
            let part = units.min(first.units);
            taken.push(Piece { units: part, ..*first });
            (units, first.units) = (units - part, first.units - part);
            if first.units == 0 {
                pieces.pop_front();
            }
        }
        taken
    }

    /// Takes the newest units of a lot.
    fn last(&mut self, lot: Lot, units: i64) -> Vec<Piece> {
        let mut pieces = self.lots.remove(&lot).map(Vec::from).unwrap_or_default();
        let (taken, _) = taken_off(&mut pieces, units);
        self.lots.insert(lot, pieces.into());
        taken
    }

    fn leave(&mut self, pieces: impl IntoIterator<Item = Piece>, at: Month, exit: Exit) {
        let gone = pieces.into_iter().map(|piece| Gone { piece, at: at.max(piece.issued), exit });
        self.gone.extend(gone);
    }

    /// Takes back the units that were redeemed last; also says how many were not.
    fn back(&mut self, mut units: i64) -> (Vec<Piece>, i64) {
        let mut back = Vec::new();
        let redeemed = self.gone.iter_mut().rev().filter(|gone| gone.exit == Exit::Redeemed);
        for Gone { piece, .. } in redeemed {
            let part = units.min(piece.units);
            (units, piece.units) = (units - part, piece.units - part);
            back.push(Piece { units: part, ..*piece });
            if units == 0 {
                break;
            }
        }
        self.gone.retain(|gone| gone.piece.units > 0);
        (back, units)
    }
}
