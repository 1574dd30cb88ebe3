//! How many of the units that are owed are likely to be redeemed.
//!
//! Units of each age, in months, were redeemed at a rate and expired at a rate: those that did so at
//! that age, by those that were there to do so. The rates of all later ages say what share of the units
//! is redeemed in the end (the cumulative incidence of Aalen and Johansen, "An empirical transition
//! matrix for non-homogeneous Markov chains", 1978, for two ways to leave). Units whose end is known
//! are redeemed until then, and expire at no other time.
//!
//! Of ages that no units have come to yet, nothing is known. Units that come to them are taken to be
//! redeemed, so that no breakage is claimed that the past does not show; units without an end, to leave
//! as those of the oldest ages do.

use ledger::WalletName;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::cohorts::{Cohort, Cohorts, Kind, Wallet};
use crate::draws::SAMPLES;
use crate::month::Month;

/// The forecast for the units of one wallet that are owed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakage {
    /// The units that are owed.
    pub owed: i64,
    /// How many of them are expected to be redeemed.
    pub redeemed: f64,
    /// The bounds of that in nine samples of ten.
    pub interval: (f64, f64),
    /// What those are worth that are expected to be redeemed, in the programme's currency.
    pub worth: Decimal,
}

impl Breakage {
    /// The share that is expected never to be redeemed, from 0 to 1; nothing if nothing is owed.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        self.of(self.redeemed)
    }

    /// The bounds of the share in nine samples of ten.
    #[must_use]
    pub fn bounds(&self) -> Option<(f64, f64)> {
        let (low, high) = self.interval;
        self.of(high).zip(self.of(low))
    }

    fn of(&self, redeemed: f64) -> Option<f64> {
        (self.owed > 0).then(|| (1.0 - redeemed / real(self.owed)).clamp(0.0, 1.0))
    }
}

/// An earlier forecast, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LookBack {
    /// The month at whose end it is made.
    pub at: Month,
    /// The month until whose end it looks.
    pub until: Month,
    /// The units that were owed then.
    pub owed: i64,
    /// How many of them were to be expected to be redeemed.
    pub expected: f64,
    /// How many of them were.
    pub redeemed: i64,
}

impl LookBack {
    /// How much too high the forecast was, in percent; too low if below zero. Nothing if nothing was
    /// redeemed.
    #[must_use]
    pub fn miss(&self) -> Option<f64> {
        (self.redeemed > 0).then(|| (self.expected / real(self.redeemed) - 1.0) * 100.0)
    }
}

/// At what rate units leave, by their age in months.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rates(Vec<Rate>);

#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    there: i64,
    redeemed: i64,
    expired: i64,
}

/// The number of ages that say how units leave at ages that are not known.
const OLDEST: usize = 3;

impl Rate {
    /// The shares of those that were there which were redeemed and which expired; none if none were
    /// there.
    fn shares(self) -> (f64, f64) {
        if self.there == 0 {
            return (0.0, 0.0);
        }
        let there = real(self.there);
        (real(self.redeemed) / there, real(self.expired) / there)
    }
}

impl Rates {
    /// The rates of the time until the end of a month, of all members or of those of a sample.
    pub(crate) fn known(cohorts: &Wallet, until: Month, sample: Option<usize>) -> Rates {
        let mut rates: Vec<Rate> = Vec::new();
        for (kind, cohort) in cohorts {
            let mut there = cohort.issued(sample);
            // After their last month units are not there to be redeemed.
            let last = kind.last.map_or(until, |last| last.min(until));
            for age in last.since(kind.issued).into_iter().flat_map(|oldest| 0..=oldest) {
                let [redeemed, expired, transferred] = cohort.exits(kind.issued.after(age), sample);
                if age == rates.len() {
                    rates.push(Rate::default());
                }
                if let Some(rate) = rates.get_mut(age) {
                    rate.there += there;
                    rate.redeemed += redeemed;
                    rate.expired += expired;
                }
                there -= redeemed + expired + transferred;
            }
        }
        Rates(rates)
    }

    /// The share of the units of a cohort that are redeemed from an age on, until the end of a month
    /// or, without one, in the end. New units are of age 0.
    pub(crate) fn redeemed(&self, kind: &Kind, from: usize, until: Option<Month>) -> f64 {
        let (mut there, mut redeemed) = (1.0, 0.0);
        let mut pass = |(of_redeemed, of_expired): (f64, f64)| {
            let of_expired = if kind.last.is_some() { 0.0 } else { of_expired };
            redeemed += there * of_redeemed;
            there *= 1.0 - of_redeemed - of_expired;
        };
        let known = |age: usize| self.0.get(age).map(|rate| rate.shares());
        let ages = |end: Month| end.since(kind.issued).into_iter().flat_map(|last| from..=last);
        let oldest = self.oldest().shares();
        match (kind.last, until) {
            (last, Some(until)) => {
                let end = last.map_or(until, |last| last.min(until));
                ages(end).for_each(|age| pass(known(age).unwrap_or(oldest)));
            }
            (Some(last), None) => {
                ages(last).for_each(|age| pass(known(age).unwrap_or((1.0, 0.0))));
            }
            (None, None) => {
                (from..self.0.len()).filter_map(known).for_each(&mut pass);
                let (of_redeemed, of_expired) = oldest;
                let of_all = of_redeemed + of_expired;
                let in_the_end = if of_all > 0.0 { of_redeemed / of_all } else { 1.0 };
                pass((in_the_end, 1.0 - in_the_end));
            }
        }
        redeemed
    }

    /// The rate of the oldest ages that are known.
    fn oldest(&self) -> Rate {
        let known = self.0.iter().rev().filter(|rate| rate.there > 0).take(OLDEST);
        known.fold(Rate::default(), |sum, rate| Rate {
            there: sum.there + rate.there,
            redeemed: sum.redeemed + rate.redeemed,
            expired: sum.expired + rate.expired,
        })
    }
}

/// A number of units, as a real number.
#[expect(clippy::cast_precision_loss, reason = "a forecast need not be exact to the unit")]
pub(crate) fn real(units: i64) -> f64 {
    units as f64
}

/// A share or a number of units as a decimal, to multiply money by.
pub(crate) fn decimal(of: f64) -> Option<Decimal> {
    Some(Decimal::from_f64_retain(of)?.round_dp(DECIMALS))
}

/// The decimals of a share that money is multiplied by.
const DECIMALS: u32 = 9;

/// The cohorts that had been issued by the end of a month, each with the age at which its units may
/// leave next.
fn issued(cohorts: &Wallet, at: Month) -> impl Iterator<Item = (&Kind, &Cohort, usize)> {
    let known = move |(kind, cohort)| Some((kind, cohort, next_age(kind, at)?));
    cohorts.iter().filter_map(known)
}

/// The age at which units may leave after the end of a month; nothing if they were issued later.
pub(crate) fn next_age(kind: &Kind, at: Month) -> Option<usize> {
    Some(at.since(kind.issued)? + 1)
}

/// The sample below which one in twenty lies, and that above which one in twenty does.
const BOUNDS: (usize, usize) = (SAMPLES / 20, SAMPLES - SAMPLES / 20 - 1);

impl Cohorts {
    /// The forecast for the units of a wallet that are owed at the end of a month; nothing if there is
    /// no such wallet. What was seen has to end with that month.
    #[must_use]
    pub fn breakage(&self, wallet: &WalletName, until: Month) -> Option<Breakage> {
        let cohorts = self.of(wallet)?;
        let expected = |sample: Option<usize>| -> f64 {
            let rates = Rates::known(cohorts, until, sample);
            let of = |(kind, cohort, age): (&Kind, &Cohort, usize)| {
                real(cohort.left(until)) * rates.redeemed(kind, age, None)
            };
            issued(cohorts, until).map(of).sum()
        };
        let mut samples: Vec<f64> = (0..SAMPLES).map(|sample| expected(Some(sample))).collect();
        samples.sort_by(f64::total_cmp);
        let bound = |place: usize| samples.get(place).copied().unwrap_or_default();
        let rates = Rates::known(cohorts, until, None);
        let worth = issued(cohorts, until)
            .map(|(kind, cohort, age)| {
                cohort.worth_left.checked_mul(decimal(rates.redeemed(kind, age, None))?)
            })
            .sum::<Option<Decimal>>();
        Some(Breakage {
            owed: issued(cohorts, until).map(|(_, cohort, _)| cohort.left(until)).sum(),
            redeemed: expected(None),
            interval: (bound(BOUNDS.0), bound(BOUNDS.1)),
            worth: worth?,
        })
    }

    /// The forecast at the end of an earlier month, by what is known today of the time until then, and
    /// what became of it until a later one; nothing if nothing was owed then.
    #[must_use]
    pub fn look_back(&self, wallet: &WalletName, at: Month, until: Month) -> Option<LookBack> {
        let cohorts = self.of(wallet)?;
        let rates = Rates::known(cohorts, at, None);
        let (mut owed, mut expected, mut redeemed) = (0, 0.0, 0);
        for (kind, cohort, age) in issued(cohorts, at) {
            let left = cohort.left(at);
            owed += left;
            expected += real(left) * rates.redeemed(kind, age, Some(until));
            let [then, ..] = cohort.exits_until(at);
            let [now, ..] = cohort.exits_until(until);
            redeemed += now - then;
        }
        (owed > 0).then_some(LookBack { at, until, owed, expected, redeemed })
    }
}
