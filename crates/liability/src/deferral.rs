//! The revenue that is deferred until units are redeemed.
//!
//! Units that come with a purchase are a right that the customer has paid for, together with the goods:
//! so IFRS 15 (B39 to B43) and ASC 606 (606-10-55-41 to 55-45). The price is divided between both by
//! what each would cost alone, and the part of the units is revenue only as they are redeemed, by those
//! that were redeemed of those that are expected to be. Illustrative Example 52 of IFRS 15 is a test of
//! this module.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use crate::breakage::{Rates, SHARE_DECIMALS, real};
use crate::cohorts::Cohorts;
use crate::month::Month;

/// The part of a price that is deferred for units that came with goods: by what both would cost alone.
/// Nothing if both would cost nothing.
#[must_use]
pub fn deferred(price: Decimal, goods: Decimal, units: Decimal) -> Option<Decimal> {
    let alone = goods.checked_add(units)?;
    price.checked_mul(units)?.checked_div(alone)
}

/// The part of what was deferred that is revenue by now: by the units that were redeemed of those that
/// are expected to be, in all. All of it, if no more are expected.
#[must_use]
pub fn recognized(deferred: Decimal, redeemed: Decimal, expected: Decimal) -> Option<Decimal> {
    if redeemed >= expected {
        return Some(deferred);
    }
    deferred.checked_mul(redeemed)?.checked_div(expected)
}

/// What was deferred of the revenue of one month, in the programme's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deferred {
    /// The month.
    pub month: Month,
    /// What members bought, less what came back.
    pub revenue: Decimal,
    /// What the units that came with it would cost alone: the worth of those that were expected to be
    /// redeemed, by what was known at the end of the month.
    pub units: Decimal,
    /// What was deferred.
    pub deferred: Decimal,
    /// What of it is revenue by now.
    pub recognized: Decimal,
}

impl Deferred {
    /// What is still deferred.
    #[must_use]
    pub fn left(&self) -> Decimal {
        self.deferred - self.recognized
    }
}

impl Cohorts {
    /// What was deferred of the revenue of each month, and what of it is revenue at the end of a later
    /// one; nothing if sums are too large. Each is rounded to the decimals of the currency, half away
    /// from zero, so that what is shown adds up.
    #[must_use]
    pub fn deferred(&self, until: Month, decimals: u32) -> Option<Vec<Deferred>> {
        let round = |sum: Decimal| {
            sum.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
        };
        let months = self.revenue.range(..=until);
        let deferred = months.map(|(month, revenue)| {
            let one = self.deferred_of(*month, *revenue, until)?;
            Some(Deferred {
                units: round(one.units),
                deferred: round(one.deferred),
                recognized: round(one.recognized),
                ..one
            })
        });
        deferred.collect()
    }

    fn deferred_of(&self, month: Month, revenue: Decimal, until: Month) -> Option<Deferred> {
        let mut all = Vec::new();
        for wallet in self.all() {
            let Some(cohort) = wallet.get(&month).filter(|cohort| !cohort.price.is_zero()) else {
                continue;
            };
            let then = Rates::known(wallet, month, None);
            let price = cohort.price.checked_mul(share(then.redeemed(0, None))?)?;
            let now = Rates::known(wallet, until, None);
            let redeemed = cohort.redeemed(until);
            let later = now.redeemed(until.since(month)? + 1, None);
            let later = share(real(cohort.left(until)) * later)?;
            all.push((price, Decimal::from(redeemed), later));
        }
        let units: Decimal = all.iter().map(|(price, ..)| price).sum();
        let (mut sum, mut by_now) = (Decimal::ZERO, Decimal::ZERO);
        for (price, redeemed, later) in all {
            let others = revenue.checked_add(units)?.checked_sub(price)?;
            let Some(part) = deferred(revenue, others, price) else { continue };
            sum = sum.checked_add(part)?;
            let expected = redeemed.checked_add(later)?;
            by_now = by_now.checked_add(recognized(part, redeemed, expected)?)?;
        }
        Some(Deferred { month, revenue, units, deferred: sum, recognized: by_now })
    }
}

/// A share or a number of units as a decimal.
fn share(of: f64) -> Option<Decimal> {
    Some(Decimal::from_f64_retain(of)?.round_dp(SHARE_DECIMALS))
}
