//! Calendar months.

use std::fmt;

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use ledger::Moment;
use serde::{Serialize, Serializer};

/// A calendar month of the merchant's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i32);

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(at: Moment, zone: Tz) -> Month {
        Month::of_day(at.with_timezone(&zone).date_naive())
    }

    /// The month of a day.
    #[must_use]
    pub fn of_day(day: NaiveDate) -> Month {
        Month(day.year() * 12 + i32::try_from(day.month0()).unwrap_or_default())
    }

    /// The month this many months later, or earlier if it is below zero.
    #[must_use]
    pub fn plus(self, months: i32) -> Month {
        Month(self.0.saturating_add(months))
    }

    /// The month at which units of this month have an age in months.
    pub(crate) fn after(self, age: usize) -> Month {
        self.plus(i32::try_from(age).unwrap_or(i32::MAX))
    }

    /// The months since another one; nothing if that is later.
    #[must_use]
    pub fn since(self, other: Month) -> Option<usize> {
        usize::try_from(self.0.saturating_sub(other.0)).ok()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
