//! The revenue that is deferred until units are redeemed.
//!
//! Units that come with a purchase are a right that the customer has paid for, together with the goods:
//! so IFRS 15 (B39 to B43) and ASC 606 (606-10-55-41 to 55-45). The price is divided between both by
//! what each would cost alone, and the part of the units is revenue only as they are redeemed, by those
//! that were redeemed of those that are expected to be. Illustrative Example 52 of IFRS 15 is a test of
//! this module.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use crate::breakage::{Rates, decimal, next_age, real};
use crate::cohorts::{Cohorts, Wallet};
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

/// What was deferred of the revenue of one month, in the programme's currency. Sums are rounded to the
/// decimals of the currency, half away from zero, so that what is shown adds up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deferred {
    /// The month.
    pub month: Month,
    /// What members bought, less what came back.
    pub revenue: Decimal,
    /// The stand-alone price of the units that came with it: the worth of those that were expected to
    /// be redeemed, by the rates of the time until the end of the month.
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

/// What is deferred over a period, in the programme's currency: opening, added, changed and what was
/// recognized come to the closing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeferredOver {
    /// At the start.
    pub opening: Decimal,
    /// Of what was bought in the period.
    pub added: Decimal,
    /// Of what was bought before it: less by returns, and more by what was told late.
    pub changed: Decimal,
    /// What became revenue.
    pub recognized: Decimal,
    /// At the end.
    pub closing: Decimal,
}

impl DeferredOver {
    /// Over a period from a month on: by what was deferred as told before it, and as told at its end.
    #[must_use]
    pub fn from(first: Month, before: &[Deferred], now: &[Deferred]) -> DeferredOver {
        let left = |all: &[Deferred]| all.iter().map(Deferred::left).sum::<Decimal>();
        let (mut added, mut changed) = (Decimal::ZERO, Decimal::ZERO);
        for one in now {
            *if one.month < first { &mut changed } else { &mut added } += one.deferred;
        }
        changed -= before.iter().map(|one| one.deferred).sum::<Decimal>();
        let (opening, closing) = (left(before), left(now));
        let recognized = opening + added + changed - closing;
        DeferredOver { opening, added, changed, recognized, closing }
    }
}

/// The units of one wallet that came with the purchases of a month.
struct Came {
    /// Their stand-alone price.
    price: Decimal,
    /// How many were redeemed.
    redeemed: Decimal,
    /// How many more are expected to be.
    expected: Decimal,
}

impl Cohorts {
    /// What was deferred of the revenue of each month, and what of it is revenue at the end of a later
    /// one; nothing if sums are too large. `decimals` are those of the currency.
    #[must_use]
    pub fn deferred(&self, until: Month, decimals: u32) -> Option<Vec<Deferred>> {
        let round = |sum: Decimal| {
            sum.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
        };
        let now = |cohorts| (cohorts, Rates::known(cohorts, until, None));
        let wallets: Vec<(&Wallet, Rates)> = self.all().map(now).collect();
        let months = self.revenue.range(..=until).map(|(month, revenue)| {
            let one = deferred_of(&wallets, *month, *revenue, until)?;
            Some(Deferred {
                units: round(one.units),
                deferred: round(one.deferred),
                recognized: round(one.recognized),
                ..one
            })
        });
        months.collect()
    }
}

/// What was deferred of the revenue of a month, by the wallets and the rates of all time until then.
fn deferred_of(
    wallets: &[(&Wallet, Rates)],
    month: Month,
    revenue: Decimal,
    until: Month,
) -> Option<Deferred> {
    let came = wallets.iter().map(|(wallet, now)| came(wallet, now, month, until));
    let came = came.collect::<Option<Vec<Came>>>()?;
    let units = came.iter().map(|one| one.price).sum();
    let mut all =
        Deferred { month, revenue, units, deferred: Decimal::ZERO, recognized: Decimal::ZERO };
    // More came back in the month than was bought: nothing is left to be deferred.
    if revenue <= Decimal::ZERO {
        return Some(all);
    }
    for Came { price, redeemed, expected } in came {
        let others = revenue.checked_add(units)?.checked_sub(price)?;
        let part = deferred(revenue, others, price)?;
        all.deferred = all.deferred.checked_add(part)?;
        let in_all = redeemed.checked_add(expected)?;
        all.recognized = all.recognized.checked_add(recognized(part, redeemed, in_all)?)?;
    }
    Some(all)
}

/// The units of a wallet that came with the purchases of a month, as seen at the end of a later one;
/// nothing if sums are too large.
fn came(cohorts: &Wallet, now: &Rates, month: Month, until: Month) -> Option<Came> {
    let then = Rates::known(cohorts, month, None);
    let mut came = Came { price: Decimal::ZERO, redeemed: Decimal::ZERO, expected: Decimal::ZERO };
    let own = cohorts.iter().filter(|(kind, _)| kind.issued == month && kind.purchase);
    for (kind, cohort) in own {
        let at_first = decimal(then.redeemed(kind, 0, None))?;
        came.price = came.price.checked_add(cohort.worth.checked_mul(at_first)?)?;
        let [redeemed, _, transferred] = cohort.exits_until(until);
        came.redeemed = came.redeemed.checked_add(redeemed.into())?;
        // Units that were transferred are still owed, to somebody else, and expected as if they had
        // stayed.
        let left = real(cohort.left(until) + transferred);
        let later = now.redeemed(kind, next_age(kind, until)?, None);
        came.expected = came.expected.checked_add(decimal(left * later)?)?;
    }
    Some(came)
}
