//! When a lot expires: a merchant's rule for it, and the moment that follows.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::calendar::resolve;

/// When a lot expires, counted from the activity that earned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It never expires.
    Never,
    /// A number of calendar days later, at the same local time.
    AfterDays(u32),
    /// A number of months later, at the same local time. One month after 31 January is the last day
    /// of February.
    AfterMonths(u32),
    /// At the end of a month: of the month of the activity, or a number of months after it.
    EndOfMonth(u32),
    /// At the end of a year: of the year of the activity, or a number of years after it.
    EndOfYear(u32),
    /// A time after the member was last active: every activity extends the end.
    Inactivity(Inactivity),
}

impl Expiry {
    /// The inactivity after which a lot expires; `None` for the other rules.
    #[must_use]
    pub fn inactivity(self) -> Option<Inactivity> {
        match self {
            Expiry::Inactivity(inactivity) => Some(inactivity),
            _ => None,
        }
    }

    /// The first moment at which a lot earned at `earned_at` has expired; `None` if it never
    /// expires. Days, months and years count in the merchant's time zone, across changes of the
    /// clocks.
    #[must_use]
    pub fn of(self, earned_at: Moment, time_zone: Tz) -> Option<Moment> {
        let local = earned_at.with_timezone(&time_zone).naive_local();
        let expires = match self {
            Expiry::Never => return None,
            Expiry::AfterDays(days) | Expiry::Inactivity(Inactivity::Days(days)) => {
                local.checked_add_days(Days::new(days.into()))
            }
            Expiry::AfterMonths(months) | Expiry::Inactivity(Inactivity::Months(months)) => {
                local.checked_add_months(Months::new(months))
            }
            // The end of a month is the start of the next.
            Expiry::EndOfMonth(months) => first_of_month(local)
                .and_then(|first| first.checked_add_months(Months::new(months.checked_add(1)?))),
            Expiry::EndOfYear(years) => i32::try_from(years)
                .ok()
                .and_then(|years| local.year().checked_add(years)?.checked_add(1))
                .and_then(|year| NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)),
        };
        // A date beyond the range of the calendar means that the lot never expires.
        expires.map(|local| resolve(local, time_zone))
    }
}

/// How long a lot stays after the member was last active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inactivity {
    /// A number of days.
    Days(u32),
    /// A number of months.
    Months(u32),
}

impl Inactivity {
    /// The new end of a lot that ends at `end`, after an entry at `now` of a member that was active
    /// at `active_at`. An end that has passed is not extended, even if the lot is still held.
    #[must_use]
    pub fn extend(
        self,
        end: Option<Moment>,
        active_at: Moment,
        now: Moment,
        time_zone: Tz,
    ) -> Option<Moment> {
        if end.is_some_and(|end| end <= now) {
            return end;
        }
        end.max(Expiry::Inactivity(self).of(active_at, time_zone))
    }
}

fn first_of_month(local: NaiveDateTime) -> Option<NaiveDateTime> {
    local.date().with_day(1)?.and_hms_opt(0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_runs_out_by_the_merchants_calendar() {
        let check = |expiry: Expiry, zone: Tz, earned_at: &str, expected: Option<&str>| {
            let found = expiry.of(earned_at.parse().unwrap(), zone).map(|at| at.to_rfc3339());
            assert_eq!(found.as_deref(), expected, "{expiry:?} {zone} {earned_at}");
        };
        let (new_york, berlin) = (Tz::America__New_York, Tz::Europe__Berlin);
        check(Expiry::Never, berlin, "2026-01-01T00:00:00Z", None);
        check(
            Expiry::AfterDays(30),
            berlin,
            "2026-01-01T10:00:00Z",
            Some("2026-01-31T10:00:00+00:00"),
        );
        // Thirty local days across the start of summer time end at the same local hour.
        check(
            Expiry::AfterDays(30),
            berlin,
            "2026-03-15T10:00:00Z",
            Some("2026-04-14T09:00:00+00:00"),
        );
        check(
            Expiry::AfterMonths(1),
            berlin,
            "2026-01-31T10:00:00Z",
            Some("2026-02-28T10:00:00+00:00"),
        );
        check(
            Expiry::AfterMonths(12),
            berlin,
            "2028-02-29T10:00:00Z",
            Some("2029-02-28T10:00:00+00:00"),
        );
        check(
            Expiry::EndOfMonth(12),
            new_york,
            "1997-01-15T17:00:00Z",
            Some("1998-02-01T05:00:00+00:00"),
        );
        // It is still January in New York.
        check(
            Expiry::EndOfMonth(12),
            new_york,
            "1997-02-01T04:59:59Z",
            Some("1998-02-01T05:00:00+00:00"),
        );
        check(
            Expiry::EndOfMonth(0),
            berlin,
            "2026-06-30T21:59:59Z",
            Some("2026-06-30T22:00:00+00:00"),
        );
        check(
            Expiry::EndOfYear(1),
            berlin,
            "2026-05-05T00:00:00Z",
            Some("2027-12-31T23:00:00+00:00"),
        );
        check(Expiry::EndOfMonth(u32::MAX), berlin, "2026-05-05T00:00:00Z", None);
    }
}
