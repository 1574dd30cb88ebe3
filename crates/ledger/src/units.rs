//! Whole units of a wallet, with checked arithmetic.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// Whole units of a wallet: points, stamps, minor currency units. Never negative, never a
/// fraction and never above [`Units::MAX`], so that a signed change of them always fits an `i64`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Units(i64);

/// Why a number is no amount of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitsRejection {
    /// Below zero.
    #[error("it is negative")]
    UnitsAreNegative,
    /// Above [`Units::MAX`].
    #[error("it is more than {} units", Units::MAX)]
    UnitsAreTooMany,
}

impl Units {
    /// No units.
    pub const ZERO: Units = Units(0);
    /// One unit, such as one piece of a stock.
    pub const ONE: Units = Units(1);
    /// The most units that one wallet holds or one request moves: 10^15, far above any programme's
    /// needs and far below the overflow of a 64-bit sum.
    pub const MAX: Units = Units(1_000_000_000_000_000);

    /// Checks a number and makes units of it.
    ///
    /// # Errors
    /// The number is negative or above [`Units::MAX`].
    pub const fn new(number: i64) -> Result<Units, UnitsRejection> {
        if number < 0 {
            Err(UnitsRejection::UnitsAreNegative)
        } else if number > Self::MAX.0 {
            Err(UnitsRejection::UnitsAreTooMany)
        } else {
            Ok(Units(number))
        }
    }

    /// The whole units in a decimal, rounded down.
    ///
    /// # Errors
    /// The decimal is negative or above [`Units::MAX`].
    pub fn from_decimal_floor(decimal: Decimal) -> Result<Units, UnitsRejection> {
        if decimal.is_sign_negative() && !decimal.is_zero() {
            return Err(UnitsRejection::UnitsAreNegative);
        }
        decimal.floor().to_i64().map_or(Err(UnitsRejection::UnitsAreTooMany), Units::new)
    }

    /// Units that are a part of one wallet's units. Panics if they are not: that is a mistake of this
    /// program, and nothing is written.
    // INVARIANT: a wallet holds at most `Units::MAX`, and so does each part of it.
    pub(crate) const fn part(number: i64) -> Units {
        assert!(0 <= number && number <= Self::MAX.0, "it is no part of a wallet");
        Units(number)
    }

    /// The number of units.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether there are no units.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; `None` if it is above [`Units::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Units) -> Option<Units> {
        self.0.checked_add(other.0).and_then(|sum| Units::new(sum).ok())
    }

    /// The difference; `None` if it is below zero.
    #[must_use]
    pub fn checked_sub(self, other: Units) -> Option<Units> {
        self.0.checked_sub(other.0).and_then(|rest| Units::new(rest).ok())
    }

    /// The value of the units at `worth` currency units each; `None` on overflow.
    #[must_use]
    pub fn checked_worth(self, worth: Decimal) -> Option<Decimal> {
        Decimal::from(self.0).checked_mul(worth)
    }
}

impl TryFrom<i64> for Units {
    type Error = UnitsRejection;
    fn try_from(number: i64) -> Result<Units, UnitsRejection> {
        Units::new(number)
    }
}

impl From<Units> for i64 {
    fn from(units: Units) -> i64 {
        units.0
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_unit_are_dropped_and_bounds_hold() {
        let check = |text: &str, expected: Result<i64, UnitsRejection>| {
            let decimal: Decimal = text.parse().unwrap();
            assert_eq!(Units::from_decimal_floor(decimal).map(Units::get), expected, "{text}");
        };
        check("12.99", Ok(12));
        check("0", Ok(0));
        check("-0.00", Ok(0));
        check("-0.01", Err(UnitsRejection::UnitsAreNegative));
        check("1000000000000000.9", Ok(1_000_000_000_000_000));
        check("1000000000000001", Err(UnitsRejection::UnitsAreTooMany));
        check("79228162514264337593543950335", Err(UnitsRejection::UnitsAreTooMany));
    }

    #[test]
    fn sums_and_differences_leave_no_bounds() {
        assert_eq!(Units::MAX.checked_add(Units(1)), None);
        assert_eq!(Units(1).checked_sub(Units(2)), None);
        assert_eq!(Units(2).checked_sub(Units(2)), Some(Units::ZERO));
    }
}
