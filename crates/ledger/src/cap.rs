//! Caps: how often a rule may act for one member, and the counters of how often it has.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::apply_error::ApplyError;
use crate::calendar::Period;

/// A cap on a rule: at most so many times per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// The most times in one period.
    pub most: u32,
    /// The period.
    pub per: Period,
}

/// How often a rule has acted in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The first moment of that period.
    pub since: Moment,
    /// The number of times.
    pub times: u32,
}

/// The periods that are stored for a rule: the present one, and the one before for activities that
/// are sent late.
const PERIODS_MAX: usize = 2;

/// The start of the period that an activity at `at` counts in. An activity from before the stored
/// periods counts in the oldest of them: sending it late must not avoid the cap.
fn period(counters: &[Counter], per: Period, at: Moment, time_zone: Tz) -> Moment {
    let since = per.start(at, time_zone);
    match counters.first() {
        Some(oldest) if counters.len() == PERIODS_MAX => since.max(oldest.since),
        _ => since,
    }
}

/// The room that is left under a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The first moment of the period that counts.
    pub since: Moment,
    /// How often the rule may still act in it.
    pub times: u32,
}

/// How often the rule of these counters may still act on what happened at `at`.
#[must_use]
pub fn room(counters: &[Counter], cap: Cap, at: Moment, time_zone: Tz) -> Room {
    let since = period(counters, cap.per, at, time_zone);
    let had = counters.iter().find(|counter| counter.since == since);
    let had = had.map_or(0, |counter| counter.times);
    Room { since, times: cap.most.saturating_sub(had) }
}

/// Counts once more in the period that began at `since`.
///
/// # Errors
/// The count overflows.
pub(crate) fn count(
    counters: &mut Vec<Counter>,
    rule: &str,
    since: Moment,
) -> Result<(), ApplyError> {
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

/// Counts once less in the period that began at `since`, if that is still stored.
pub(crate) fn uncount(counters: &mut [Counter], since: Moment) {
    if let Some(counter) = counters.iter_mut().find(|counter| counter.since == since) {
        // A period that was dropped and started again may have counted fewer times.
        counter.times = counter.times.saturating_sub(1);
    }
    // A counter at zero stays: while its period is stored, no older one can start again.
}
