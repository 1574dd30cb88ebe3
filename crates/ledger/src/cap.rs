//! Caps: how often a rule may act for one member, and the counters of how often it has.
//!
//! What was given is counted by the day on which it was given, whatever the cap's period. So a cap
//! survives a change of its period and of the merchant's time zone, and what is told late finds its
//! day.

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::apply_error::ApplyError;
use crate::calendar::Period;

/// A cap on a rule: at most so many times, or so many units, per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// The most in one period.
    pub most: u64,
    /// The period.
    pub per: Period,
    /// What is counted.
    pub counts: Counted,
}

/// What a cap counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// How often the rule gives something.
    Times,
    /// The units that the rule pays. What would be more is not paid.
    Units,
}

/// A day of the merchant's calendar on which something was given.
///
/// It is stored as a moment, midnight in UTC. Entries from before days were counted hold the first
/// moment of the cap's period by the merchant's clock instead, which is read as the day on which it
/// fell there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Moment", into = "Moment")]
pub struct Day(NaiveDate);

/// Midnight anywhere from UTC-10 to UTC+13 is, so much later, on the same date in UTC.
const MIDNIGHT_TO_UTC: TimeDelta = TimeDelta::hours(13);

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Day {
        Day(date)
    }
}

impl From<Moment> for Day {
    fn from(midnight: Moment) -> Day {
        let within = midnight.checked_add_signed(MIDNIGHT_TO_UTC).unwrap_or(midnight);
        Day(within.date_naive())
    }
}

impl From<Day> for Moment {
    fn from(day: Day) -> Moment {
        day.0.and_time(NaiveTime::MIN).and_utc()
    }
}

/// How often a rule has acted on one day, or how much it has paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The day.
    pub day: Day,
    /// The number of times or of units.
    pub times: u64,
}

/// How far back counters are kept by the day, and then by the month, in days before the newest
/// counter; older ones are kept by the year. A month or a year is kept in one way as a whole, so
/// that the order in which its days are told does not matter.
const BY_DAY: Days = Days::new(93);
const BY_MONTH: Days = Days::new(400);

/// The smallest period in which the counters of a day can still be told apart.
fn precision(counters: &[Counter], day: Day) -> Period {
    let newest = counters.last().map_or(day, |newest| newest.day);
    let is_since = |days: Days, whole: Period| {
        let oldest = newest.0.checked_sub_days(days).and_then(|oldest| whole.first_day(oldest));
        oldest.is_none_or(|oldest| day.0 >= oldest)
    };
    if is_since(BY_DAY, Period::Month) {
        Period::Day
    } else if is_since(BY_MONTH, Period::Year) {
        Period::Month
    } else {
        Period::Year
    }
}

/// How often the rule of these counters may still act on a day, or how much it may pay. On a day so long ago that its
/// counters are kept by the month or the year, all of those count: what is told late must not avoid
/// the cap.
#[must_use]
pub fn room(counters: &[Counter], cap: Cap, day: NaiveDate) -> u64 {
    let per = cap.per.max(precision(counters, day.into()));
    let since = per.first_day(day);
    let same = counters.iter().filter(|counter| per.first_day(counter.day.0) == since);
    let had = same.fold(0, |sum: u64, counter| sum.saturating_add(counter.times));
    // The cap may be lower than when they were counted.
    cap.most.saturating_sub(had)
}

/// Counts more on a day.
///
/// # Errors
/// The count overflows.
pub(crate) fn count(
    counters: &mut Vec<Counter>,
    rule: &str,
    day: Day,
    times: u64,
) -> Result<(), ApplyError> {
    counters.push(Counter { day, times });
    counters.sort_by_key(|counter| counter.day);
    let all = std::mem::take(counters);
    let newest = all.last().copied();
    for counter in all {
        let per = precision(newest.as_slice(), counter.day);
        match counters.last_mut() {
            Some(last) if per.first_day(last.day.0) == per.first_day(counter.day.0) => {
                let times = last.times.checked_add(counter.times);
                last.times = times.ok_or_else(|| ApplyError::too_much(rule))?;
                last.day = counter.day;
            }
            _ => counters.push(counter),
        }
    }
    Ok(())
}

/// Counts once less on a day.
pub(crate) fn uncount(counters: &mut Vec<Counter>, day: Day) {
    let per = precision(counters, day);
    let since = per.first_day(day.0);
    let same = counters.iter_mut().rev().find(|counter| per.first_day(counter.day.0) == since);
    if let Some(counter) = same {
        counter.times = counter.times.saturating_sub(1);
    }
    counters.retain(|counter| counter.times > 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn counted(days: &[&str]) -> Vec<Counter> {
        let mut counters = Vec::new();
        for day in days {
            count(&mut counters, "r", date(day).into(), 1).unwrap();
        }
        counters
    }

    fn at_most(most: u64, per: Period) -> Cap {
        Cap { most, per, counts: Counted::Times }
    }

    #[test]
    fn a_cap_counts_what_was_given_in_its_period() {
        let counters = counted(&["2026-05-01", "2026-05-03", "2026-05-03", "2026-05-04"]);
        for (per, day, left) in [
            (Period::Day, "2026-05-03", 8),
            (Period::Day, "2026-05-02", 10),
            // 3 May is a Sunday.
            (Period::Week, "2026-05-02", 7),
            (Period::Week, "2026-05-05", 9),
            (Period::Month, "2026-05-31", 6),
            (Period::Month, "2026-06-01", 10),
            (Period::Year, "2026-12-31", 6),
            (Period::Ever, "2030-01-01", 6),
        ] {
            assert_eq!(room(&counters, at_most(10, per), date(day)), left, "{per:?} {day}");
        }
    }

    #[test]
    fn a_day_long_ago_is_counted_with_all_that_is_known_of_its_month_or_year() {
        let counters =
            counted(&["2024-02-01", "2024-07-01", "2026-01-05", "2026-01-20", "2026-06-30"]);
        assert_eq!(counters.len(), 3, "{counters:?}");
        let left = |per, day| room(&counters, at_most(10, per), date(day));
        assert_eq!((left(Period::Day, "2026-01-05"), left(Period::Day, "2026-02-05")), (8, 10));
        assert_eq!((left(Period::Week, "2024-11-01"), left(Period::Ever, "2026-06-30")), (8, 5));
    }

    #[test]
    fn what_is_taken_back_leaves_no_counter() {
        let mut counters = counted(&["2026-01-05", "2026-01-20", "2026-06-30"]);
        for (day, kept) in [("2026-01-05", 2), ("2026-06-30", 1), ("2026-01-20", 0)] {
            uncount(&mut counters, date(day).into());
            assert_eq!(counters.iter().map(|counter| counter.times).sum::<u64>(), kept, "{day}");
        }
        assert_eq!(counters, []);
    }

    #[test]
    fn a_period_that_was_stored_by_its_first_moment_is_read_as_its_first_day() {
        for (first, day) in [
            // Midnight in Berlin, in summer and in winter; in Honolulu, Auckland and UTC.
            ("2026-04-30T22:00:00Z", "2026-05-01"),
            ("2025-12-31T23:00:00Z", "2026-01-01"),
            ("2026-05-01T10:00:00Z", "2026-05-01"),
            ("2025-12-31T11:00:00Z", "2026-01-01"),
            ("2026-05-01T00:00:00Z", "2026-05-01"),
        ] {
            assert_eq!(Day::from(first.parse::<Moment>().unwrap()), Day(date(day)), "{first}");
        }
        let day = Day(date("2026-05-01"));
        assert_eq!(Day::from(Moment::from(day)), day);
    }

    proptest! {
        /// Told in any order, the counters are the same.
        #[test]
        fn the_order_in_which_days_are_told_does_not_matter(
            (mut days, told) in prop::collection::vec(0u64..1500, 1..60)
                .prop_flat_map(|days| (Just(days.clone()), Just(days).prop_shuffle())),
        ) {
            let counters = |days: &[u64]| {
                let mut counters = Vec::new();
                for day in days {
                    let day = date("2022-01-01") + Days::new(*day);
                    count(&mut counters, "r", day.into(), 1).unwrap();
                }
                counters
            };
            days.sort_unstable();
            prop_assert_eq!(counters(&told), counters(&days));
        }
    }
}
