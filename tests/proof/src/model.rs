//! A model of a wallet of points: a list of lots with their ends, which shares no code with the
//! ledger. It replays what clients requested, in the order of the table's entries, and computes
//! what can be spent.

use std::collections::BTreeMap;

/// A lot. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lot {
    units: i64,
    from: i64,
    until: i64,
    hold: Option<String>,
}

/// The points of one member.
#[derive(Debug, Clone, Default)]
pub struct Points {
    lots: Vec<Lot>,
    debt: i64,
    /// Units whose expiry was written, by their end, less those that returns could not take back.
    gone: BTreeMap<i64, i64>,
    /// The deadline of each hold.
    holds: BTreeMap<String, i64>,
}

/// Units that are available between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The number of units.
    pub units: i64,
    /// The moment from which they can be spent.
    pub from: i64,
    /// The moment at which they expire.
    pub until: i64,
}

impl Points {
    fn pass(&mut self, now: i64) {
        let over: Vec<String> = self
            .holds
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(hold, _)| hold.clone())
            .collect();
        // Units of an expired hold pay the debt at the moment at which the hold expires, even if
        // they expire at the same moment.
        self.lots.sort_by_key(|lot| (lot.until, lot.from));
        let freed = |lot: &&mut Lot| lot.hold.as_ref().is_some_and(|hold| over.contains(hold));
        for lot in self.lots.iter_mut().filter(freed) {
            let part = lot.units.min(self.debt);
            lot.units -= part;
            self.debt -= part;
        }
        self.lots.retain(|lot| lot.units > 0);
        for hold in over {
            self.free(&hold);
        }
        // Available units stay available, even for a worker whose clock is behind.
        for lot in self.lots.iter_mut().filter(|lot| lot.from <= now) {
            lot.from = 0;
        }
    }

    /// Pays the debt with the lots: first those that can be spent, the soonest to expire first,
    /// then the pending ones.
    fn settle(&mut self, now: i64) {
        self.lots.sort_by_key(|lot| (lot.until, lot.from));
        for waits in [false, true] {
            let debt = &mut self.debt;
            for lot in self.lots.iter_mut().filter(|lot| lot.hold.is_none() && lot.until > now) {
                if (lot.from > now) == waits {
                    let part = lot.units.min(*debt);
                    lot.units -= part;
                    *debt -= part;
                }
            }
        }
        self.lots.retain(|lot| lot.units > 0);
    }

    fn free(&mut self, hold: &str) {
        self.holds.remove(hold);
        for lot in self.lots.iter_mut().filter(|lot| lot.hold.as_deref() == Some(hold)) {
            lot.hold = None;
        }
    }

    /// The units that can be spent.
    #[must_use]
    pub fn spendable(&mut self, now: i64) -> i64 {
        self.pass(now);
        let open = |lot: &&Lot| {
            let held = lot
                .hold
                .as_ref()
                .is_some_and(|hold| self.holds.get(hold).is_some_and(|until| *until > now));
            !held && lot.from <= now && lot.until > now
        };
        let free: i64 = self.lots.iter().filter(open).map(|lot| lot.units).sum();
        (free - self.debt).max(0)
    }

    /// All units, expired or not, less the debt.
    #[must_use]
    pub fn posted(&self) -> i64 {
        self.lots.iter().map(|lot| lot.units).sum::<i64>() - self.debt
    }

    /// Adds units, which pay the debt first.
    pub fn credit(&mut self, span: Span, now: i64) {
        self.pass(now);
        let pays = self.debt.min(span.units);
        self.debt -= pays;
        let Span { units, from, until } = span;
        self.lots.push(Lot { units: units - pays, from, until, hold: None });
        self.settle(now);
    }

    /// Takes units that can be spent, the soonest to expire first. Returns the lots they came from,
    /// or nothing if there are too few.
    pub fn take(&mut self, units: i64, now: i64) -> Option<Vec<Span>> {
        self.pass(now);
        self.settle(now);
        if self.spendable(now) < units {
            return None;
        }
        self.lots.sort_by_key(|lot| lot.until);
        let mut missing = units;
        let mut taken = Vec::new();
        for lot in &mut self.lots {
            if lot.hold.is_none() && lot.from <= now && lot.until > now && missing > 0 {
                let part = lot.units.min(missing);
                lot.units -= part;
                missing -= part;
                taken.push(Span { units: part, from: lot.from, until: lot.until });
            }
        }
        self.lots.retain(|lot| lot.units > 0);
        (missing == 0).then_some(taken)
    }

    /// Holds units; nothing if there are too few.
    pub fn hold(&mut self, units: i64, hold: &str, until: i64, now: i64) -> Option<()> {
        for Span { units, until, .. } in self.take(units, now)? {
            self.lots.push(Lot { units, from: 0, until, hold: Some(hold.to_owned()) });
        }
        self.holds.insert(hold.to_owned(), until);
        Some(())
    }

    /// Captures a hold or a part of it, and releases the rest; nothing if there is no such hold.
    pub fn capture(&mut self, units: i64, hold: &str, now: i64) -> Option<Vec<Span>> {
        self.pass(now);
        self.holds.get(hold)?;
        let mut missing = units;
        let mut taken = Vec::new();
        self.lots.sort_by_key(|lot| lot.until);
        for lot in self.lots.iter_mut().filter(|lot| lot.hold.as_deref() == Some(hold)) {
            let part = lot.units.min(missing);
            lot.units -= part;
            missing -= part;
            taken.push(Span { units: part, from: 0, until: lot.until });
        }
        self.free(hold);
        self.lots.retain(|lot| lot.units > 0);
        self.settle(now);
        (missing == 0).then_some(taken)
    }

    /// Releases a hold; nothing if there is no such hold.
    pub fn release(&mut self, hold: &str, now: i64) -> Option<()> {
        self.pass(now);
        self.holds.get(hold)?;
        self.free(hold);
        self.settle(now);
        Some(())
    }

    /// Takes back units that had been added: from lots of the same end, then from the units of that
    /// end that had expired, which are unrecoverable. The rest is owed.
    pub fn take_back(&mut self, span: Span, now: i64) {
        self.pass(now);
        let mut missing = span.units;
        // Lots with the start that was given come first, then available ones.
        for as_given in [true, false] {
            for lot in
                self.lots.iter_mut().filter(|lot| lot.until == span.until && lot.hold.is_none())
            {
                let own = if as_given { lot.from == span.from } else { lot.from <= now };
                if own {
                    let part = lot.units.min(missing);
                    lot.units -= part;
                    missing -= part;
                }
            }
        }
        let gone = self.gone.entry(span.until).or_default();
        let forgotten = missing.min(*gone);
        *gone -= forgotten;
        self.debt += missing - forgotten;
        self.lots.retain(|lot| lot.units > 0);
        self.settle(now);
    }

    /// Gives back units that had been taken.
    pub fn give_back(&mut self, spans: &[Span], now: i64) {
        for span in spans {
            self.credit(Span { from: 0, ..*span }, now);
        }
    }

    /// Writes the expiry of expired units.
    pub fn expire(&mut self, now: i64) {
        self.pass(now);
        let (gone, kept): (Vec<Lot>, Vec<Lot>) =
            self.lots.drain(..).partition(|lot| lot.until <= now && lot.hold.is_none());
        self.lots = kept;
        for lot in gone {
            *self.gone.entry(lot.until).or_default() += lot.units;
        }
        self.settle(now);
    }
}
