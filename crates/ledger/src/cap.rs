//! How often a rule may pay one member.

use chrono::{Datelike, Days};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::apply_error::ApplyError;
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

/// How often a rule has acted in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The first moment of that period.
    pub since: Moment,
    /// Times.
    pub times: u32,
}

/// Periods that are remembered of a rule: the present one, and the one before for what is told
/// late.
const PERIODS_MAX: usize = 2;

/// The period that an activity at `at` counts in. One from before all that is remembered counts in
/// the oldest that is: late telling must not open a cap.
fn period(counters: &[Counter], per: Period, at: Moment, time_zone: Tz) -> Moment {
    let since = per.start(at, time_zone);
    match counters.first() {
        Some(oldest) if counters.len() == PERIODS_MAX => since.max(oldest.since),
        _ => since,
    }
}

/// Room under a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The first moment of the period that counts.
    pub since: Moment,
    /// How often the rule may still act in it.
    pub times: u32,
}

/// How often the rule may still act on what happened at `at`.
#[must_use]
pub fn room(member: &Member, rule: &str, cap: Cap, at: Moment, time_zone: Tz) -> Room {
    let counters = member.counters.get(rule).map_or(&[][..], Vec::as_slice);
    let since = period(counters, cap.per, at, time_zone);
    let had = counters.iter().find(|counter| counter.since == since);
    let had = had.map_or(0, |counter| counter.times);
    Room { since, times: cap.most.checked_sub(had).unwrap_or_default() }
}

/// Counts once more in the period that began at `since`.
pub(crate) fn count(member: &mut Member, rule: &str, since: Moment) -> Result<(), ApplyError> {
    let counters = member.counters.entry(rule.to_owned()).or_default();
    match counters.iter_mut().find(|counter| counter.since == since) {
        Some(counter) => {
            let times = counter.times.checked_add(1);
            counter.times = times.ok_or_else(|| ApplyError::too_much(rule))?;
        }
        None => counters.push(Counter { since, times: 1 }),
    }
    counters.sort_by_key(|counter| counter.since);
    if counters.len() > PERIODS_MAX {
        counters.remove(0);
    }
    Ok(())
}

/// Counts once less in the period that began at `since`, if that is still remembered.
pub(crate) fn uncount(member: &mut Member, rule: &str, since: Moment) {
    let Some(counters) = member.counters.get_mut(rule) else { return };
    if let Some(counter) = counters.iter_mut().find(|counter| counter.since == since) {
        // A period that was dropped and begun anew may have counted less.
        counter.times = counter.times.checked_sub(1).unwrap_or_default();
    }
    // Not dropped at zero: that a period is remembered keeps older ones from opening.
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
