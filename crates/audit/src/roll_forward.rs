//! What a merchant owes over a period: opening, issued, redeemed and so on, closing.

use std::collections::BTreeMap;

use ledger::wallet::{Inactivity, Terms};
use ledger::{Moment, Posting, PostingReason, WalletName};
use store::History;

/// From one moment to another; open where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// What was before counts as opening.
    pub from: Option<Moment>,
    /// What is from then on is not counted, and what has run out by then is not owed, whether or not
    /// anyone has written it down. Where nothing is said, the table is taken by its word: what has run
    /// out since the last run is in it.
    pub until: Option<Moment>,
}

/// What one wallet of all members came to. Units that went out are below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollForward {
    /// Before the period.
    pub opening: i64,
    /// Earned.
    pub issued: i64,
    /// Spent, captured holds among them.
    pub redeemed: i64,
    /// Run out.
    pub expired: i64,
    /// Undone: taken back, and given back.
    pub reversed: i64,
    /// By hand.
    pub adjusted: i64,
    /// From member to member; over all members nothing.
    pub transferred: i64,
    /// At the end of the period.
    pub closing: i64,
    /// What members owed before the period: units that were taken back after they had been spent. So
    /// much more is owed to the others than the opening says.
    pub debts_before: i64,
    /// The same at the end.
    pub debts: i64,
}

/// When the lots of a member were last added to, by wallet and terms: what is told late may have run
/// out before it was given.
type Given = BTreeMap<(WalletName, Option<Moment>, Option<Inactivity>), Moment>;

/// Counts a member's postings, each on its day: what runs out does so on the day on which it lapses,
/// and not on the day on which somebody writes that down.
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
    // What time has done since the last entry, as far as the period goes.
    let member = history.member();
    let end = period.until.filter(|end| member.settled_at < *end);
    let present = end.map_or_else(|| member.clone(), |end| member.at(end));
    for (name, wallet) in &present.wallets {
        let sums = wallets.entry(name.clone()).or_default();
        if period.until.is_none() {
            // Where the period ends now, it closes with what members hold, and not with what was
            // posted.
            sums.closing += wallet.posted();
        }
        let Some(end) = period.until else { continue };
        sums.debts -= member.wallet(name.as_str()).debt().get() - wallet.debt().get();
        for lot in wallet.lots().iter().filter(|lot| lot.terms.is_expired(end)) {
            let key = (name.clone(), lot.terms.expires_at, lot.terms.inactivity);
            let lapsed = lot.terms.expires_at.max(given.get(&key).copied());
            if lapsed.is_none_or(|lapsed| lapsed >= end) {
                continue;
            }
            let units = lot.units.get();
            sums.closing -= units;
            match lapsed < period.from {
                true => sums.opening -= units,
                false => sums.expired -= units,
            }
        }
    }
}

impl RollForward {
    /// Counts a posting by its reason. A move from lot to lot comes to nothing.
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

    /// Whether opening and movements come to the closing, and what went from member to member came to
    /// nothing over all of them.
    #[must_use]
    pub fn is_reconciled(&self) -> bool {
        self.sum() == self.closing && self.transferred == 0
    }

    /// What opening and movements come to: the closing, if nothing is lost.
    #[must_use]
    pub fn sum(&self) -> i64 {
        let moved = [self.issued, self.redeemed, self.expired, self.reversed, self.adjusted];
        self.opening + moved.iter().sum::<i64>() + self.transferred
    }

    /// What is owed to members: what some of them owe does not make it less.
    #[must_use]
    pub fn owed(&self) -> i64 {
        self.closing + self.debts
    }
}
