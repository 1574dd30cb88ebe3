//! The roll-forward of what a merchant owes over a period: opening, issued, redeemed and so on,
//! closing.

use std::collections::BTreeMap;

use ledger::{Inactivity, Terms};
use ledger::{Moment, Posting, PostingReason, WalletName};
use store::History;

/// A period from one moment to another. A side that is not given is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// The start. Postings before it count as opening.
    pub from: Option<Moment>,
    /// The end. Postings from then on are not counted, and units that expired before it are not
    /// owed, whether or not the expiry run has written their expiry. If it is not given, the
    /// wallets count as they are stored: units that expired since the last expiry run are still
    /// counted as owed.
    pub until: Option<Moment>,
}

/// The units of one wallet over all members. Units that went out are negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollForward {
    /// Units at the start of the period.
    pub opening: i64,
    /// Units earned.
    pub issued: i64,
    /// Units spent, captured holds included.
    pub redeemed: i64,
    /// Units expired.
    pub expired: i64,
    /// Units that reversals took back or gave back.
    pub reversed: i64,
    /// Units given and taken by hand.
    pub adjusted: i64,
    /// Units transferred between members; zero over all members.
    pub transferred: i64,
    /// Units at the end of the period.
    pub closing: i64,
    /// Units that members owed at the start of the period, since units were taken back after they
    /// had been spent. The merchant owes the other members this much more than the opening.
    pub debts_before: i64,
    /// Units that members owed at the end of the period.
    pub debts: i64,
}

/// The moment at which units last went into a member's lots, by wallet and terms. An activity that
/// is sent late can give units whose end has passed already.
type Given = BTreeMap<(WalletName, Option<Moment>, Option<Inactivity>), Moment>;

/// Counts a member's postings, each at its moment. Expired units count at the moment at which they
/// expired, not at the one at which the expiry run wrote their expiry.
pub(crate) fn count(
    wallets: &mut BTreeMap<WalletName, RollForward>,
    period: &Period,
    history: &History,
) {
    let mut given = Given::new();
    for line in &history.lines {
        for posting in line.postings.iter().filter(|posting| !posting.shared) {
            let lot = |terms: &Terms| (posting.wallet.clone(), terms.expires_at, terms.inactivity);
            if let Some(terms) = posting.to_lot() {
                given.insert(lot(terms), line.at);
            }
            let expired = posting.from_lot().filter(|_| posting.why == PostingReason::Expired);
            let expired_at = expired.and_then(|terms| {
                let given = given.get(&lot(terms)).copied();
                terms.expires_at.map(|at| given.map_or(at, |given| at.max(given)).min(line.at))
            });
            let at = expired_at.unwrap_or(line.at);
            let sums = wallets.entry(posting.wallet.clone()).or_default();
            sums.count(period, at, posting);
        }
    }
    // Units that expired since the last entry and before the end of the period.
    let member = history.member();
    let end = period.until.filter(|end| member.settled_at < *end);
    let present = end.map_or_else(|| member.clone(), |end| member.at(end));
    for (name, wallet) in &present.wallets {
        let sums = wallets.entry(name.clone()).or_default();
        if period.until.is_none() {
            // A period without an end closes with what members have, not with the postings: the
            // roll-forward then shows whether the two agree.
            sums.closing += wallet.posted();
        }
        let Some(end) = period.until else { continue };
        sums.debts -= member.wallet(name.as_str()).debt().get() - wallet.debt().get();
        for lot in wallet.lots().iter().filter(|lot| lot.terms.is_expired(end)) {
            let key = (name.clone(), lot.terms.expires_at, lot.terms.inactivity);
            let expired_at = lot.terms.expires_at.max(given.get(&key).copied());
            if expired_at.is_none_or(|expired_at| expired_at >= end) {
                continue;
            }
            let units = lot.units.get();
            sums.closing -= units;
            match expired_at < period.from {
                true => sums.opening -= units,
                false => sums.expired -= units,
            }
        }
    }
}

impl RollForward {
    /// Counts a posting by its reason. A move from lot to lot changes no sum.
    fn count(&mut self, period: &Period, at: Moment, posting: &Posting) {
        let (units, owed) = (posting.change(), posting.change_of_debt());
        if period.until.is_some_and(|until| at >= until) {
            return;
        }
        self.debts += owed;
        if period.until.is_some() {
            self.closing += units;
        }
        if period.from.is_some_and(|from| at < from) {
            self.opening += units;
            self.debts_before += owed;
            return;
        }
        let sum = match posting.why {
            PostingReason::Issued => &mut self.issued,
            PostingReason::Spent => &mut self.redeemed,
            PostingReason::Expired => &mut self.expired,
            PostingReason::Reclaimed | PostingReason::Restored => &mut self.reversed,
            PostingReason::Adjusted => &mut self.adjusted,
            PostingReason::Transferred => &mut self.transferred,
            PostingReason::DebtPaid
            | PostingReason::Held
            | PostingReason::Released
            | PostingReason::Delivered
            | PostingReason::Extended => return,
        };
        *sum += units;
    }

    pub(crate) fn add(&mut self, other: &RollForward) {
        self.opening += other.opening;
        self.issued += other.issued;
        self.redeemed += other.redeemed;
        self.expired += other.expired;
        self.reversed += other.reversed;
        self.adjusted += other.adjusted;
        self.transferred += other.transferred;
        self.closing += other.closing;
        self.debts_before += other.debts_before;
        self.debts += other.debts;
    }

    /// Whether opening and movements add up to the closing, and transfers add up to zero.
    #[must_use]
    pub fn is_reconciled(&self) -> bool {
        self.sum() == self.closing && self.transferred == 0
    }

    /// The sum of opening and movements. It equals the closing if nothing is lost.
    #[must_use]
    pub fn sum(&self) -> i64 {
        let moved = [self.issued, self.redeemed, self.expired, self.reversed, self.adjusted];
        self.opening + moved.iter().sum::<i64>() + self.transferred
    }

    /// The units owed to members. What some members owe is not subtracted.
    #[must_use]
    pub fn owed(&self) -> i64 {
        self.closing + self.debts
    }
}
