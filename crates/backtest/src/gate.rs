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
    /// What was found, in percent, rounded to two decimals; away from zero, if it is beyond.
    pub found: Option<Decimal>,
    /// Whether what was found is beyond the limit, or cannot be computed.
    pub is_beyond: bool,
    /// Why it cannot be computed.
    pub because: Option<String>,
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
            (Some(found), _) => write!(f, "{gauge}: {found:.2} %, at most {most} %"),
            (None, because) => {
                let because = because.as_deref().unwrap_or_default();
                write!(f, "{gauge}: at most {most} %, and it cannot be computed: {because}")
            }
        }
    }
}

/// A part of a whole, in percent; or why there is none.
type Share = Result<Decimal, String>;

const TOO_LARGE: &str = "the figures are too large";

impl Report {
    /// The limits of a gate, each with what was found.
    #[must_use]
    pub fn gauged(&self, gate: &Gate) -> Vec<Gauged> {
        let (old, new) = (&self.seen.old, &self.seen.new);
        let changed = &self.seen.changed;
        // What has no worth adds nothing to sums of money, and so can be neither more nor less.
        let worthless = || old.worthless.iter().chain(&new.worthless).next();
        let in_money = || match worthless() {
            Some(wallet) => Err(format!("units of `{wallet}` have no `worth` in the manifest")),
            None => Ok(()),
        };
        let cost = || {
            in_money()?;
            increase(old.cost(), new.cost(), "nothing was paid before")
        };
        let losers = || match changed.members() {
            0 => Err("there are no members".to_owned()),
            members => {
                if self.is_in_money {
                    in_money()?;
                }
                share(changed.losing().into(), members.into())
            }
        };
        let liability = || {
            in_money()?;
            increase(old.liability(), new.liability(), "nothing was owed before")
        };
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
                false => Err("the recorded ledger does not come out again".to_owned()),
            };
            Some(match found {
                Err(because) => {
                    Gauged { gauge, most, found: None, is_beyond: true, because: Some(because) }
                }
                Ok(found) => {
                    let is_beyond = found > most;
                    let rounding = match is_beyond {
                        true => RoundingStrategy::AwayFromZero,
                        false => RoundingStrategy::MidpointAwayFromZero,
                    };
                    let found = Some(found.round_dp_with_strategy(2, rounding));
                    Gauged { gauge, most, found, is_beyond, because: None }
                }
            })
        });
        gauged.collect()
    }
}

/// How much more it is, in percent of what it was.
fn increase(old: Decimal, new: Decimal, nothing: &str) -> Share {
    if old <= Decimal::ZERO {
        return if new <= old { Ok(Decimal::ZERO) } else { Err(nothing.to_owned()) };
    }
    share(new.checked_sub(old).ok_or(TOO_LARGE)?, old)
}

fn share(part: Decimal, of: Decimal) -> Share {
    let share = part.checked_mul(Decimal::ONE_HUNDRED).and_then(|part| part.checked_div(of));
    share.ok_or_else(|| TOO_LARGE.to_owned())
}
