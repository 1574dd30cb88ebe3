//! What a wallet of points should hold, by a model of its own: a list of units with their ends, and
//! nothing of the ledger's code. It is told what clients asked for, in the order in which the table
//! says it was done, and says what can be spent.

use std::collections::BTreeMap;

/// A lot, in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lot {
    units: i64,
    from: i64,
    until: i64,
    hold: Option<String>,
}

/// One member's points.
#[derive(Debug, Clone, Default)]
pub struct Points {
    lots: Vec<Lot>,
    debt: i64,
    /// Units that have run out, by their end, less those that returns have made good for.
    gone: BTreeMap<i64, i64>,
    /// Deadlines of holds.
    holds: BTreeMap<String, i64>,
}

/// Units from one moment to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How many.
    pub units: i64,
    /// From when they can be spent.
    pub from: i64,
    /// When they are gone.
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
        // What was set aside pays what is owed in the moment in which it is free again, though its end
        // may be over in the same.
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
        // What has come of age stays so, whatever a clock that is behind shows afterwards.
        for lot in self.lots.iter_mut().filter(|lot| lot.from <= now) {
            lot.from = 0;
        }
    }

    /// What is owed is paid with what there is: what can be spent first, the soonest to end, then
    /// what waits.
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

    /// What can be spent.
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

    /// Everything, run out or not, less what is owed.
    #[must_use]
    pub fn posted(&self) -> i64 {
        self.lots.iter().map(|lot| lot.units).sum::<i64>() - self.debt
    }

    /// Units come in, and pay what is owed first.
    pub fn credit(&mut self, span: Span, now: i64) {
        self.pass(now);
        let pays = self.debt.min(span.units);
        self.debt -= pays;
        let Span { units, from, until } = span;
        self.lots.push(Lot { units: units - pays, from, until, hold: None });
        self.settle(now);
    }

    /// Takes units from what can be spent, the soonest to end first, and says what came from where;
    /// nothing if they do not suffice.
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

    /// Sets units aside.
    pub fn hold(&mut self, units: i64, hold: &str, until: i64, now: i64) -> Option<()> {
        for Span { units, until, .. } in self.take(units, now)? {
            self.lots.push(Lot { units, from: 0, until, hold: Some(hold.to_owned()) });
        }
        self.holds.insert(hold.to_owned(), until);
        Some(())
    }

    /// Takes what was set aside, or a part of it, and frees the rest; nothing if it is not there.
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

    /// Frees what was set aside; nothing if it is not there.
    pub fn release(&mut self, hold: &str, now: i64) -> Option<()> {
        self.pass(now);
        self.holds.get(hold)?;
        self.free(hold);
        self.settle(now);
        Some(())
    }

    /// Takes back what came in: from what has the same end, then what ran out is forgotten, and the
    /// rest is owed.
    pub fn take_back(&mut self, span: Span, now: i64) {
        self.pass(now);
        let mut missing = span.units;
        // As it came in first, then what has come of age.
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

    /// Gives back what was taken.
    pub fn give_back(&mut self, spans: &[Span], now: i64) {
        for span in spans {
            self.credit(Span { from: 0, ..*span }, now);
        }
    }

    /// What has run out is written down.
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
