//! How many of the units that are owed are likely to be redeemed.
//!
//! Units of each age, in months, are redeemed at a rate and expire at a rate: the units that did so in
//! the past at that age, by those that were there to do so. The rates of all later ages say what share
//! of the units is redeemed in the end (the cumulative incidence of Aalen and Johansen, "An empirical
//! transition matrix for non-homogeneous Markov chains", 1978, for two ways to leave). At ages that no
//! units have come to yet, they are taken to leave as those of the oldest ages do, and to be redeemed
//! in the end if those do not leave at all: nothing speaks for another end.

use ledger::WalletName;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::cohorts::{Cohorts, Wallet};
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
        (self.owed > 0).then(|| 1.0 - redeemed / real(self.owed))
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

impl Rates {
    /// The rates as they were known at the end of a month, of all members or of those of a sample.
    pub(crate) fn known(cohorts: &Wallet, until: Month, sample: Option<usize>) -> Rates {
        let mut rates: Vec<Rate> = Vec::new();
        for (issued, cohort) in cohorts {
            let mut there = cohort.issued(sample);
            for age in until.since(*issued).into_iter().flat_map(|oldest| 0..=oldest) {
                let month = issued.plus(i32::try_from(age).unwrap_or(i32::MAX));
                let (redeemed, expired) = cohort.exits(month, sample);
                if age == rates.len() {
                    rates.push(Rate::default());
                }
                if let Some(rate) = rates.get_mut(age) {
                    rate.there += there;
                    rate.redeemed += redeemed;
                    rate.expired += expired;
                }
                there -= redeemed + expired;
            }
        }
        Rates(rates)
    }

    /// The share of units that are redeemed from an age on: of a new unit from age 0 on. `months` are
    /// those that are looked at; without, all that will come.
    pub(crate) fn redeemed(&self, from: usize, months: Option<usize>) -> f64 {
        let (mut there, mut redeemed) = (1.0, 0.0);
        let mut pass = |of_redeemed: f64, of_expired: f64| {
            redeemed += there * of_redeemed;
            there *= 1.0 - of_redeemed - of_expired;
        };
        let ages = self.0.iter().skip(from).take(months.unwrap_or(usize::MAX));
        ages.for_each(|rate| pass(rate.of(rate.redeemed), rate.of(rate.expired)));
        let oldest = self.oldest();
        let (later_redeemed, later_expired) =
            (oldest.of(oldest.redeemed), oldest.of(oldest.expired));
        match months {
            Some(months) => {
                let known = self.0.len().saturating_sub(from);
                (known..months).for_each(|_| pass(later_redeemed, later_expired));
            }
            None if later_redeemed + later_expired > 0.0 => {
                let in_the_end = later_redeemed / (later_redeemed + later_expired);
                pass(in_the_end, 1.0 - in_the_end);
            }
            None => pass(1.0, 0.0),
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

/// The number of ages that say how units leave at ages that are not known.
const OLDEST: usize = 3;

impl Rate {
    /// A number of units as a share of those that were there; none if none were.
    fn of(&self, units: i64) -> f64 {
        if self.there > 0 { real(units) / real(self.there) } else { 0.0 }
    }
}

/// A number of units, as a real number.
#[expect(clippy::cast_precision_loss, reason = "a forecast need not be exact to the unit")]
pub(crate) fn real(units: i64) -> f64 {
    units as f64
}

/// The units of each cohort that were there at the end of a month, and the age at which they may leave
/// next.
fn there(cohorts: &Wallet, at: Month) -> impl Iterator<Item = (Month, i64, usize)> {
    cohorts.range(..=at).filter_map(move |(issued, cohort)| {
        Some((*issued, cohort.left(at), at.since(*issued)? + 1))
    })
}

/// The sample below which one in twenty lies, and that above which one in twenty does.
const BOUNDS: (usize, usize) = (SAMPLES / 20, SAMPLES - SAMPLES / 20 - 1);

impl Cohorts {
    /// The forecast for the units of a wallet that are owed at the end of a month; nothing if there is
    /// no such wallet.
    #[must_use]
    pub fn breakage(&self, wallet: &WalletName, until: Month) -> Option<Breakage> {
        let cohorts = self.of(wallet)?;
        let expected = |sample: Option<usize>| -> f64 {
            let rates = Rates::known(cohorts, until, sample);
            there(cohorts, until)
                .map(|(_, units, age)| real(units) * rates.redeemed(age, None))
                .sum()
        };
        let mut samples: Vec<f64> = (0..SAMPLES).map(|sample| expected(Some(sample))).collect();
        samples.sort_by(f64::total_cmp);
        let bound = |place: usize| samples.get(place).copied().unwrap_or_default();
        let rates = Rates::known(cohorts, until, None);
        let worth = there(cohorts, until).filter_map(|(issued, _, age)| {
            let share = Decimal::from_f64_retain(rates.redeemed(age, None))?;
            Some(cohorts.get(&issued)?.worth_left * share.round_dp(SHARE_DECIMALS))
        });
        Some(Breakage {
            owed: there(cohorts, until).map(|(_, units, _)| units).sum(),
            redeemed: expected(None),
            interval: (bound(BOUNDS.0), bound(BOUNDS.1)),
            worth: worth.sum(),
        })
    }

    /// The forecast that could be made at the end of an earlier month, by what was known then, and what
    /// became of it until a later one; nothing if nothing was known.
    #[must_use]
    pub fn look_back(&self, wallet: &WalletName, at: Month, until: Month) -> Option<LookBack> {
        let cohorts = self.of(wallet)?;
        let months = until.since(at)?;
        let owed: i64 = there(cohorts, at).map(|(_, units, _)| units).sum();
        if owed == 0 {
            return None;
        }
        let rates = Rates::known(cohorts, at, None);
        let expected = there(cohorts, at)
            .map(|(_, units, age)| real(units) * rates.redeemed(age, Some(months)))
            .sum();
        let then = cohorts.range(..=at).map(|(_, cohort)| cohort);
        let redeemed = then.map(|cohort| cohort.redeemed(until) - cohort.redeemed(at)).sum();
        Some(LookBack { at, until, owed, expected, redeemed })
    }
}

/// The decimals to which a share is rounded before money is multiplied by it.
pub(crate) const SHARE_DECIMALS: u32 = 9;
