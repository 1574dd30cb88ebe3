//! The merchant's calendar: the moments of local times, days that recur every year, and calendar
//! periods.

use chrono::{
    DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone,
    Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// The moment of a local time. A local time that occurs twice, because clocks go back, means the
/// first. One that does not occur, because clocks go forward, uses the offset from before.
#[must_use]
pub fn resolve(local: NaiveDateTime, time_zone: Tz) -> Moment {
    match time_zone.from_local_datetime(&local) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => {
            moment.with_timezone(&Utc)
        }
        LocalResult::None => {
            // No zone skips more than a day, so a day earlier has the offset from before the gap.
            let before = time_zone.from_utc_datetime(&(local - TimeDelta::days(1)));
            let offset = chrono::Offset::fix(before.offset());
            DateTime::from_naive_utc_and_offset(
                local - TimeDelta::seconds(offset.local_minus_utc().into()),
                Utc,
            )
        }
    }
}

/// The day of this year on which a yearly day recurs: for 29 February, the 28th in common years.
#[must_use]
pub fn this_year(day: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
    let same = day.with_year(today.year());
    same.or_else(|| NaiveDate::from_ymd_opt(today.year(), 2, 28))
}

/// The first day on which a yearly day recurs, `from` or later.
#[must_use]
pub fn next_day(date: NaiveDate, from: NaiveDate) -> Option<NaiveDate> {
    let this = this_year(date, from)?;
    if this >= from {
        return Some(this);
    }
    // Twelve months later is in the next year.
    let next = from.checked_add_months(Months::new(12))?;
    this_year(date, next)
}

/// The moment `days` of the merchant's calendar days earlier, at the same local time.
#[must_use]
pub fn days_before(at: Moment, days: u32, time_zone: Tz) -> Moment {
    let local = at.with_timezone(&time_zone).naive_local();
    let before = local.checked_sub_days(Days::new(days.into()));
    before.map_or(at, |before| resolve(before, time_zone))
}

/// A calendar period in the merchant's time zone. The shorter one is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first of the month.
    Month,
    /// From 1 January.
    Year,
    /// All time, from 1970.
    Ever,
}

impl Period {
    /// All periods with the words a sheet uses for them.
    pub const ALL: [(&'static str, Period); 5] = [
        ("day", Period::Day),
        ("week", Period::Week),
        ("month", Period::Month),
        ("year", Period::Year),
        ("ever", Period::Ever),
    ];

    /// The first moment of the period that holds `at`.
    #[must_use]
    pub fn start(self, at: Moment, time_zone: Tz) -> Moment {
        self.first_day(at.with_timezone(&time_zone).date_naive())
            .and_then(|first| first.and_hms_opt(0, 0, 0))
            .map_or(Moment::UNIX_EPOCH, |first| resolve(first, time_zone))
    }

    /// The first day of the period that holds a day; `None` if the period is all time.
    #[must_use]
    pub fn first_day(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Period::Day => Some(date),
            Period::Week => {
                date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))
            }
            Period::Month => date.with_day(1),
            Period::Year => date.with_ordinal(1),
            Period::Ever => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_comes_round_every_year_and_29_february_too() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (date, from, expected) in [
            ("1990-05-17", "2026-05-17", "2026-05-17"),
            ("1990-05-17", "2026-05-18", "2027-05-17"),
            ("1992-02-29", "2026-01-01", "2026-02-28"),
            ("1992-02-29", "2027-03-01", "2028-02-29"),
            ("1992-02-29", "2028-02-29", "2028-02-29"),
            ("1990-01-01", "2026-12-31", "2027-01-01"),
        ] {
            assert_eq!(next_day(day(date), day(from)), Some(day(expected)), "{date} {from}");
        }
    }

    #[test]
    fn a_time_that_summer_time_skips_is_taken_by_the_old_clock() {
        let skipped = "2026-03-29T02:30:00".parse().unwrap();
        assert_eq!(resolve(skipped, Tz::Europe__Berlin).to_rfc3339(), "2026-03-29T01:30:00+00:00");
        // Midnight itself is skipped in Santiago.
        let midnight = "2026-09-06T00:00:00".parse().unwrap();
        assert_eq!(
            resolve(midnight, Tz::America__Santiago).to_rfc3339(),
            "2026-09-06T04:00:00+00:00"
        );
    }

    #[test]
    fn days_before_keep_the_hour_on_the_wall() {
        let at = "2026-04-05T22:00:00Z".parse().unwrap();
        let before = days_before(at, 14, Tz::Europe__Berlin);
        assert_eq!(before, "2026-03-22T23:00:00Z".parse::<Moment>().unwrap());
        let leap = "2028-02-29T12:00:00Z".parse().unwrap();
        assert_eq!(days_before(leap, 366, Tz::UTC).to_rfc3339(), "2027-02-28T12:00:00+00:00");
    }

    #[test]
    fn periods_begin_by_the_merchants_clock() {
        let check = |period: Period, at: &str, expected: &str| {
            let found = period.start(at.parse().unwrap(), Tz::Europe__Berlin);
            assert_eq!(found, expected.parse::<Moment>().unwrap(), "{period:?} {at}");
        };
        // A Sunday, half past midnight in Berlin.
        check(Period::Day, "2026-05-02T22:30:00Z", "2026-05-02T22:00:00Z");
        check(Period::Week, "2026-05-02T22:30:00Z", "2026-04-26T22:00:00Z");
        check(Period::Month, "2026-04-30T22:30:00Z", "2026-04-30T22:00:00Z");
        check(Period::Year, "2026-05-02T22:30:00Z", "2025-12-31T23:00:00Z");
        check(Period::Ever, "2026-05-02T22:30:00Z", "1970-01-01T00:00:00Z");
    }
}
