//! A model of a wallet of points: a list of lots with their ends, which shares no code with the
//! ledger. It plays what happened to a member from the beginning, in the order in which it happened,
//! and computes what can be spent.

use std::collections::BTreeMap;

/// Something that happened to a member's points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Units came in.
    Came(Vec<Span>),
    /// Units were spent or given away. What was not there is owed.
    Took(i64),
    /// Units were held, as many as were there.
    Held {
        /// The number of units.
        units: i64,
        /// The hold.
        hold: String,
        /// Its deadline.
        until: i64,
    },
    /// A hold was captured for so many units. What it did not hold is owed.
    Captured {
        /// The number of units.
        units: i64,
        /// The hold.
        hold: String,
    },
    /// A hold was released.
    Released(String),
    /// What had expired was written.
    Expired,
}

/// What happened to a member, by the moment and the number of the entry.
#[derive(Debug, Clone, Default)]
pub struct Course(BTreeMap<(i64, u64), Happened>);

impl Course {
    /// Adds what an entry of that number stands for.
    pub fn add(&mut self, at: i64, entry: u64, what: Happened) {
        self.0.insert((at, entry), what);
    }

    /// Takes out what an entry stands for.
    pub fn remove(&mut self, entry: u64) {
        self.0.retain(|(_, of), _| *of != entry);
    }

    /// What happened until a moment.
    #[must_use]
    pub fn until(&self, at: i64) -> Course {
        let until = self.0.range(..=(at, u64::MAX));
        Course(until.map(|(key, what)| (*key, what.clone())).collect())
    }

    /// The points after all of it.
    #[must_use]
    pub fn play(&self) -> Points {
        let mut points = Points::default();
        for ((at, _), what) in &self.0 {
            points.happen(what, *at);
        }
        points
    }
}

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
    fn credit(&mut self, span: Span, now: i64) {
        let pays = self.debt.min(span.units);
        self.debt -= pays;
        let Span { units, from, until } = span;
        self.lots.push(Lot { units: units - pays, from, until, hold: None });
        self.settle(now);
    }

    fn happen(&mut self, what: &Happened, now: i64) {
        self.pass(now);
        match what {
            Happened::Came(spans) => spans.iter().for_each(|span| self.credit(*span, now)),
            Happened::Took(units) => {
                self.settle(now);
                let (_, missing) = self.take(*units, |lot| lot.is_open(now));
                self.debt += missing;
                // Pending units pay what is owed at once.
                self.settle(now);
            }
            Happened::Held { units, hold, until } => {
                self.settle(now);
                let (taken, _) = self.take(*units, |lot| lot.is_open(now));
                for Lot { units, until, .. } in taken {
                    self.lots.push(Lot { units, from: 0, until, hold: Some(hold.clone()) });
                }
                self.holds.insert(hold.clone(), *until);
            }
            Happened::Captured { units, hold } => {
                let (_, missing) = self.take(*units, |lot| lot.hold.as_ref() == Some(hold));
                self.debt += missing;
                self.release(hold, now);
            }
            Happened::Released(hold) => self.release(hold, now),
            Happened::Expired => self.expire(now),
        }
    }

    /// Takes units out of lots, the soonest to expire first. Returns what came from each, and how many
    /// are missing.
    fn take(&mut self, units: i64, from: impl Fn(&Lot) -> bool) -> (Vec<Lot>, i64) {
        self.lots.sort_by_key(|lot| lot.until);
        let mut missing = units;
        let mut taken = Vec::new();
        for lot in self.lots.iter_mut().filter(|lot| from(lot)) {
            let part = lot.units.min(missing);
            lot.units -= part;
            missing -= part;
            taken.push(Lot { units: part, ..lot.clone() });
        }
        self.lots.retain(|lot| lot.units > 0);
        taken.retain(|lot| lot.units > 0);
        (taken, missing)
    }

    /// Releases a hold. Units that expired meanwhile pay the debt before they are gone.
    fn release(&mut self, hold: &str, now: i64) {
        self.lots.sort_by_key(|lot| (lot.until, lot.from));
        let own = |lot: &&mut Lot| lot.hold.as_deref() == Some(hold) && lot.until <= now;
        for lot in self.lots.iter_mut().filter(own) {
            let part = lot.units.min(self.debt);
            lot.units -= part;
            self.debt -= part;
        }
        self.lots.retain(|lot| lot.units > 0);
        self.free(hold);
        self.settle(now);
    }

    /// Writes the expiry of expired units.
    fn expire(&mut self, now: i64) {
        self.lots.retain(|lot| lot.until > now || lot.hold.is_some());
        self.settle(now);
    }
}

impl Lot {
    /// Whether its units can be spent.
    fn is_open(&self, now: i64) -> bool {
        self.hold.is_none() && self.from <= now && self.until > now
    }
}
