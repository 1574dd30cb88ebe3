//! The gate of a merchant: what other rules may change at most.

use std::fmt;

use ledger::programme::Gate;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use crate::run::Report;

/// What the limits of a gate are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gauge {
    /// What rules pay more, by what it is worth.
    CostIncrease,
    /// The members that get less, of all members.
    Losers,
    /// What is owed more at the end, by what it is worth.
    LiabilityIncrease,
}

/// A limit of a gate, and what a backtest found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gauged {
    /// What the limit is for.
    pub gauge: Gauge,
    /// The limit, in percent.
    pub most: Decimal,
    /// What was found, in percent, rounded half away from zero to two decimals.
    pub found: Option<Decimal>,
    /// Whether what was found is beyond the limit, or cannot be computed.
    pub is_beyond: bool,
    /// Why it cannot be computed.
    pub because: Option<&'static str>,
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Gauge::CostIncrease => "paid more by rules",
            Gauge::Losers => "members that get less",
            Gauge::LiabilityIncrease => "owed more at the end",
        })
    }
}

impl fmt::Display for Gauged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gauged { gauge, most, found, because, .. } = self;
        match (found, because) {
            (Some(found), _) => write!(f, "{gauge}: {found} %, at most {most} %"),
            (None, because) => {
                let because = because.unwrap_or_default();
                write!(f, "{gauge}: at most {most} %, and it cannot be computed: {because}")
            }
        }
    }
}

/// A part of a whole, in percent; or why there is none.
type Share = Result<Decimal, &'static str>;

const TOO_LARGE: &str = "the figures are too large";

impl Report {
    /// The limits of a gate, each with what was found.
    #[must_use]
    pub fn gauged(&self, gate: &Gate) -> Vec<Gauged> {
        let (old, new) = (&self.seen.old, &self.seen.new);
        let changed = &self.seen.changed;
        let cost = || increase(old.cost(), new.cost(), "nothing was paid before");
        let losers = || match changed.members() {
            0 => Err("there are no members"),
            members => share(changed.losing().into(), members.into()),
        };
        let liability = || increase(old.liability(), new.liability(), "nothing was owed before");
        let limits: [(_, _, &dyn Fn() -> Share); 3] = [
            (Gauge::CostIncrease, gate.cost_increase_max, &cost),
            (Gauge::Losers, gate.losers_max, &losers),
            (Gauge::LiabilityIncrease, gate.liability_increase_max, &liability),
        ];
        let gauged = limits.into_iter().filter_map(|(gauge, most, found)| {
            let most = most?;
            // What is compared with a past that does not come out again says nothing.
            let found = match self.seen.check.is_same() {
                true => found(),
                false => Err("the recorded ledger does not come out again"),
            };
            let is_beyond = found.is_ok_and(|found| found > most) || found.is_err();
            let because = found.err();
            let rounded = |found: Decimal| {
                found.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
            };
            Some(Gauged { gauge, most, found: found.ok().map(rounded), is_beyond, because })
        });
        gauged.collect()
    }
}

fn increase(old: Decimal, new: Decimal, nothing: &'static str) -> Share {
    if old.is_zero() {
        return if new.is_zero() { Ok(Decimal::ZERO) } else { Err(nothing) };
    }
    share(new.checked_sub(old).ok_or(TOO_LARGE)?, old)
}

fn share(part: Decimal, of: Decimal) -> Share {
    let share = part.checked_mul(Decimal::ONE_HUNDRED).and_then(|part| part.checked_div(of));
    share.ok_or(TOO_LARGE)
}
