use chrono::{Datelike, Days};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::programme::resolve;
use crate::{Member, Moment};

/// At most so many times per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Times.
    pub most: u32,
    /// Per what.
    pub per: Period,
}

/// A calendar period in the merchant's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
    /// From 1 January.
    Year,
    /// From the beginning.
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
        let date = at.with_timezone(&time_zone).date_naive();
        let first = match self {
            Period::Day => Some(date),
            Period::Week => {
                date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))
            }
            Period::Month => date.with_day(1),
            Period::Year => date.with_ordinal(1),
            Period::Ever => None,
        };
        first
            .and_then(|first| first.and_hms_opt(0, 0, 0))
            .map_or(Moment::UNIX_EPOCH, |first| resolve(first, time_zone))
    }
}

/// How often a rule has paid in the latest period in which it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The first moment of that period.
    pub since: Moment,
    /// Times.
    pub times: u32,
}

/// The count that an activity at `at` falls into. One that is told late, from before the counted
/// period, counts in that period too: only one is kept, and late telling must not open the cap.
fn counter(member: &Member, rule: &str, per: Period, at: Moment, time_zone: Tz) -> Counter {
    let since = per.start(at, time_zone);
    match member.counters.get(rule) {
        Some(counter) if counter.since >= since => *counter,
        _ => Counter { since, times: 0 },
    }
}

/// Whether the rule has paid as often as it may.
#[must_use]
pub fn is_reached(member: &Member, rule: &str, cap: Cap, at: Moment, time_zone: Tz) -> bool {
    counter(member, rule, cap.per, at, time_zone).times >= cap.most
}

/// Counts one more time.
pub fn count(member: &mut Member, rule: &str, cap: Cap, at: Moment, time_zone: Tz) {
    let counter = counter(member, rule, cap.per, at, time_zone);
    let counted = Counter { times: counter.times.saturating_add(1), ..counter };
    member.counters.insert(rule.to_owned(), counted);
}

#[cfg(test)]
mod tests {
    use super::*;

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
