//! The roll-forward of what a merchant owes over a period: opening, issued, redeemed and so on,
//! closing.

use std::ops::{Add, AddAssign};

use ledger::{Moment, Movement, PostingReason};
use rust_decimal::Decimal;

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

impl Period {
    /// Whether a moment is in it.
    #[must_use]
    pub fn contains(&self, at: Moment) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// What is owed in one wallet, over all members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owed {
    /// In units.
    pub units: RollForward<i64>,
    /// In the programme's currency: each lot at the worth that it was given with.
    pub money: RollForward<Decimal>,
    /// The units at the end of the period that were given without a worth. They count as nothing in
    /// `money`.
    pub without_worth: i64,
}

impl Owed {
    /// Whether units and money both come to their closing.
    #[must_use]
    pub fn is_reconciled(&self) -> bool {
        self.units.is_reconciled() && self.money.is_reconciled()
    }

    pub(crate) fn add(&mut self, other: &Owed) {
        self.units.add(&other.units);
        self.money.add(&other.money);
        self.without_worth += other.without_worth;
    }
}

/// The roll-forward of one wallet over all members, in units or in money. What went out is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollForward<N> {
    /// At the start of the period.
    pub opening: N,
    /// Earned.
    pub issued: N,
    /// Spent, captured holds included.
    pub redeemed: N,
    /// Expired.
    pub expired: N,
    /// Taken back or given back by reversals; in money also the difference where a debt is paid with
    /// units of another worth.
    pub reversed: N,
    /// Given and taken by hand.
    pub adjusted: N,
    /// Transferred between members; zero over all members.
    pub transferred: N,
    /// At the end of the period.
    pub closing: N,
    /// What members owed at the start of the period, since units were taken back after they had been
    /// spent. The merchant owes the other members this much more than the opening.
    pub debts_before: N,
    /// What members owed at the end of the period.
    pub debts: N,
}

/// What a posting changes, in units or in money.
pub(crate) struct Moved<N> {
    pub(crate) why: PostingReason,
    /// The change of what is there, debt taken off.
    pub(crate) change: N,
    /// The change of the debt.
    pub(crate) of_debt: N,
    /// How much less the units are worth that pay a debt than what they pay: the member has so much
    /// more than before.
    pub(crate) gained: N,
}

impl<N: Copy + Default + PartialEq + AddAssign + Add<Output = N>> RollForward<N> {
    /// Counts a movement by its reason. A move from lot to lot changes no sum.
    pub(crate) fn count(&mut self, period: &Period, at: Moment, moved: &Moved<N>) {
        let Moved { why, change, of_debt, gained } = *moved;
        if period.until.is_some_and(|until| at >= until) {
            return;
        }
        self.debts += of_debt;
        if period.until.is_some() {
            self.closing += change + gained;
        }
        if period.from.is_some_and(|from| at < from) {
            self.opening += change + gained;
            self.debts_before += of_debt;
            return;
        }
        self.reversed += gained;
        let sum = match why.movement() {
            Some(Movement::Issued) => &mut self.issued,
            Some(Movement::Redeemed) => &mut self.redeemed,
            Some(Movement::Expired) => &mut self.expired,
            Some(Movement::Reversed) => &mut self.reversed,
            Some(Movement::Adjusted) => &mut self.adjusted,
            Some(Movement::Transferred) => &mut self.transferred,
            None => return,
        };
        *sum += change;
    }

    fn add(&mut self, other: &RollForward<N>) {
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
        self.sum() == self.closing && self.transferred == N::default()
    }

    /// The sum of opening and movements. It equals the closing if nothing is lost.
    #[must_use]
    pub fn sum(&self) -> N {
        let moved = [self.issued, self.redeemed, self.expired, self.reversed, self.adjusted];
        moved.into_iter().fold(self.opening + self.transferred, Add::add)
    }

    /// What is owed to members. What some members owe is not subtracted.
    #[must_use]
    pub fn owed(&self) -> N {
        self.closing + self.debts
    }
}
