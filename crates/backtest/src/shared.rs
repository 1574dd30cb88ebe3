//! What all members share, in a backtest: stocks, budgets and pools of codes.
//!
//! Groups of members are played beside each other, and yet take from one stock in the order of time.
//! So each group is played by what the others took the last time ([`Timeline`]), until nobody takes
//! anything else. Then everybody has taken what it would have taken in the order of time: the first
//! to take depends on nobody, the second on the first, and so on.

use std::collections::BTreeMap;

use ledger::shared_limit::{Codes, Remaining};
use ledger::{Effect, Entry, MemberId, Moment, Seq, SharedLimit, Units};

use crate::book::Supply;

/// When something is taken, among all that members take: by the moment of the entry, then by the
/// member and the number that the entry was recorded with.
pub(crate) type Turn = (Moment, MemberId, Seq);

/// Something taken from a shared limit, or put back if below zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Draw {
    pub(crate) turn: Turn,
    pub(crate) units: i64,
    /// Whether it has been taken in any case: before the rules held that are played.
    pub(crate) is_done: bool,
}

/// What one group has taken, by limit, the first first.
pub(crate) type Draws = BTreeMap<SharedLimit, Vec<Draw>>;

/// What all groups have taken from each limit, in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Timeline(BTreeMap<SharedLimit, Vec<(Turn, i64)>>);

impl Timeline {
    /// The timeline of what groups took. What was no longer there at its turn is left out: the next
    /// round refuses it.
    pub(crate) fn of<'d>(
        all: impl IntoIterator<Item = &'d Draws>,
        totals: &BTreeMap<SharedLimit, Units>,
    ) -> Timeline {
        let mut taken: BTreeMap<&SharedLimit, Vec<&Draw>> = BTreeMap::new();
        for (limit, draws) in all.into_iter().flatten() {
            taken.entry(limit).or_default().extend(draws);
        }
        let sums = taken.into_iter().map(|(limit, mut draws)| {
            draws.sort();
            let total = totals.get(limit).map_or(0, |total| total.get());
            let mut sum = 0;
            let sums = draws.into_iter().filter_map(|Draw { turn, units, is_done }| {
                let is_there = *is_done || *units <= 0 || sum + *units <= total;
                is_there.then(|| {
                    sum += *units;
                    (turn.clone(), sum)
                })
            });
            (limit.clone(), sums.collect())
        });
        Timeline(sums.collect())
    }

    /// What had been taken before a turn.
    fn before(&self, limit: &SharedLimit, turn: &Turn) -> i64 {
        let Some(draws) = self.0.get(limit) else { return 0 };
        let earlier = draws.partition_point(|(at, _)| at < turn);
        earlier.checked_sub(1).and_then(|last| draws.get(last)).map_or(0, |(_, sum)| *sum)
    }

    /// Whether groups took something that was no longer there.
    pub(crate) fn leaves_out<'d>(&self, all: impl IntoIterator<Item = &'d Draws>) -> bool {
        let taken: usize = all.into_iter().flat_map(BTreeMap::values).map(Vec::len).sum();
        let there: usize = self.0.values().map(Vec::len).sum();
        there < taken
    }

    /// The moment at which the last of a limit was taken; `None` if something is left.
    pub(crate) fn dry_at(&self, limit: &SharedLimit, total: Units) -> Option<Moment> {
        let draws = self.0.get(limit)?;
        let is_dry = |sum: i64| sum >= total.get();
        let last = draws.last().filter(|(_, sum)| is_dry(*sum))?;
        let from = draws.iter().rposition(|(_, sum)| !is_dry(*sum)).map_or(0, |place| place + 1);
        Some(draws.get(from).map_or(last.0.0, |(turn, _)| turn.0))
    }

    /// What was taken of a limit in all.
    pub(crate) fn taken(&self, limit: &SharedLimit) -> i64 {
        self.0.get(limit).and_then(|draws| draws.last()).map_or(0, |(_, sum)| *sum)
    }
}

/// What one group has left at its turn.
pub(crate) struct Shares<'a> {
    /// All there was at the beginning.
    pub(crate) totals: &'a BTreeMap<SharedLimit, Units>,
    /// What all groups took the last time.
    pub(crate) others: &'a Timeline,
    /// What this group took the last time, which is in there.
    pub(crate) own_before: &'a Draws,
    /// What this group has taken this time.
    pub(crate) own: Draws,
    /// Whether it has asked for anything, or taken it.
    pub(crate) has_drawn: bool,
    pub(crate) turn: Turn,
}

impl Shares<'_> {
    /// Notes what an entry takes and puts back.
    pub(crate) fn note(&mut self, entry: &Entry) {
        self.note_as(entry, false);
    }

    /// Notes what an entry took before the rules held that are played.
    pub(crate) fn note_done(&mut self, entry: &Entry) {
        self.note_as(entry, true);
    }

    fn note_as(&mut self, entry: &Entry, is_done: bool) {
        let taken = entry.withdrawals.iter().map(|one| (one, one.units.get()));
        let back = entry.returns.iter().map(|one| (one, -one.units.get()));
        for (one, units) in taken.chain(back) {
            let turn = self.turn.clone();
            let draw = Draw { turn, units, is_done };
            self.has_drawn = true;
            self.own.entry(one.limit.clone()).or_default().push(draw);
        }
    }
}

impl Supply for Shares<'_> {
    fn left(&mut self, limit: &SharedLimit) -> Remaining {
        self.has_drawn = true;
        let sum = |draws: &Draws| -> i64 {
            let own = draws.get(limit).into_iter().flatten();
            own.filter(|draw| draw.turn < self.turn).map(|draw| draw.units).sum()
        };
        let own: i64 = self.own.get(limit).into_iter().flatten().map(|draw| draw.units).sum();
        let others = self.others.before(limit, &self.turn) - sum(self.own_before);
        let total = self.totals.get(limit).map_or(0, |total| total.get());
        let left = total.saturating_sub(others).saturating_sub(own).max(0);
        Remaining::all(Units::new(left).unwrap_or_default())
    }

    fn codes(&mut self, pool: &str, codes: usize) -> Codes {
        // The codes of a backtest are made up, and enough.
        let (at, member, entry) = &self.turn;
        let code = |number| format!("{pool}-{member}-{}-{entry}-{number}", at.timestamp());
        Codes { codes: (0..codes).map(code).collect(), is_all: false }
    }
}

/// What was taken when an entry was recorded.
pub(crate) struct AsRecorded<'a> {
    /// The entry, and those that follow from it.
    pub(crate) entries: Vec<&'a Entry>,
}

impl Supply for AsRecorded<'_> {
    fn left(&mut self, limit: &SharedLimit) -> Remaining {
        let taken = self.entries.iter().flat_map(|entry| &entry.withdrawals);
        let taken = taken.filter(|one| one.limit == *limit).map(|one| one.units.get()).sum();
        Remaining::all(Units::new(taken).unwrap_or_default())
    }

    fn codes(&mut self, pool: &str, _: usize) -> Codes {
        let given = self.entries.iter().flat_map(|entry| entry.all_reasons());
        let codes = given.filter_map(|reason| match &reason.effect {
            Effect::Voucher { pool: of, code, again: false } if of == pool => Some(code.clone()),
            _ => None,
        });
        Codes::all(codes.collect())
    }
}
