//! Tasks: goals and streaks, and how far a member is with each.

use chrono::{Days, Months, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::calendar::{Period, resolve};

/// What completes a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A number of activities, in all or within a window of days.
    Count {
        /// How many complete a round.
        goal: u32,
        /// The window in days of 24 hours; `None` if there is no window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_days: Option<u32>,
    },
    /// At least one activity in each of a number of periods in a row.
    Streak {
        /// How many periods complete a round.
        goal: u32,
        /// The period: days, weeks or months of the merchant's calendar.
        period: Period,
    },
}

impl Goal {
    /// How much completes a round.
    #[must_use]
    pub fn target(self) -> u32 {
        match self {
            Goal::Count { goal, .. } | Goal::Streak { goal, .. } => goal,
        }
    }
}

/// A member's progress with a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Marks: what counts towards the present round, the oldest first, each as when and how much.
    /// A count without a window has one mark with the sum. A streak has one mark with the start of
    /// its last period and its length.
    pub marks: Vec<(Moment, u32)>,
    /// Rounds completed so far.
    pub completed: u32,
    /// Completed rounds that are not paid yet, because a shared limit or a pool was exhausted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub owed: u32,
    /// Codes that the member has from rounds which are no longer complete, each with its pool: what left
    /// the house stays. The next rounds give them again before they take others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<(String, String)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The most marks of a window. If there are more, the oldest are merged.
const MARKS_MAX: usize = 100;

impl Progress {
    /// How much of the present round is done at `now`. Marks that have left the window and broken
    /// streaks do not count, even if nothing has happened since. While a completed round is owed,
    /// the answer is the whole goal.
    #[must_use]
    pub fn done(&self, goal: Goal, now: Moment, time_zone: Tz) -> u32 {
        match goal {
            goal if self.owed > 0 => goal.target(),
            Goal::Count { within_days, .. } => self
                .marks
                .iter()
                .filter(|(at, _)| within_days.is_none_or(|days| *at > now - window(days)))
                // INVARIANT: `count` checked the sum of all marks.
                .map(|(_, count)| *count)
                .sum(),
            Goal::Streak { period, .. } => self
                .marks
                .last()
                .filter(|(since, _)| {
                    let this = period.start(now, time_zone);
                    *since >= this || next(*since, period, time_zone) == this
                })
                .map_or(0, |(_, length)| *length),
        }
    }

    /// Counts `by` more at `at`, and returns how many rounds that completed. The remainder counts
    /// towards the next round. `None` if a count overflows; the progress is then of no use.
    #[must_use]
    pub fn advance(&mut self, goal: Goal, by: u32, at: Moment, time_zone: Tz) -> Option<u32> {
        let rounds = match goal {
            Goal::Count { goal, within_days } => self.count(goal, within_days, by, at)?,
            Goal::Streak { goal, period } => self.keep(goal, period, at, time_zone)?,
        };
        self.completed = self.completed.checked_add(rounds)?;
        Some(rounds)
    }

    fn count(&mut self, goal: u32, within_days: Option<u32>, by: u32, at: Moment) -> Option<u32> {
        self.marks.push((at, by));
        self.marks.sort_by_key(|(at, _)| *at);
        let newest = self.marks.last().map_or(at, |(at, _)| *at);
        match within_days {
            Some(days) => self.marks.retain(|(at, _)| *at > newest - window(days)),
            None => self.marks = vec![(newest, self.sum()?)],
        }
        if self.marks.len() > MARKS_MAX {
            let (_, oldest) = self.marks.remove(0);
            if let Some((_, count)) = self.marks.first_mut() {
                *count = count.checked_add(oldest)?;
            }
        }
        let sum = self.sum()?;
        let rounds = sum.checked_div(goal).unwrap_or(0);
        if rounds > 0 {
            let left = sum.checked_rem(goal).unwrap_or(0);
            self.marks = if left == 0 { Vec::new() } else { vec![(newest, left)] };
        }
        Some(rounds)
    }

    fn sum(&self) -> Option<u32> {
        self.marks.iter().try_fold(0u32, |sum, (_, count)| sum.checked_add(*count))
    }

    fn keep(&mut self, goal: u32, period: Period, at: Moment, time_zone: Tz) -> Option<u32> {
        let since = period.start(at, time_zone);
        let length = match self.marks.last() {
            // Once in a period is enough.
            Some((last, _)) if *last >= since => return Some(0),
            Some((last, length)) if next(*last, period, time_zone) == since => {
                length.checked_add(1)?
            }
            _ => 1,
        };
        if length >= goal {
            // This period has counted, so the next round starts in the next period.
            self.marks = vec![(since, 0)];
            Some(1)
        } else {
            self.marks = vec![(since, length)];
            Some(0)
        }
    }
}

fn window(days: u32) -> TimeDelta {
    TimeDelta::days(days.into())
}

/// The first moment of the period after the one that begins at `since`.
fn next(since: Moment, period: Period, time_zone: Tz) -> Moment {
    let local: NaiveDateTime = since.with_timezone(&time_zone).naive_local();
    // Only the date counts: if clocks go forward at midnight, the day starts later than 00:00.
    let date = local.date();
    let after = match period {
        Period::Day => date.checked_add_days(Days::new(1)),
        Period::Week => date.checked_add_days(Days::new(7)),
        Period::Month => date.checked_add_months(Months::new(1)),
        Period::Year => date.checked_add_months(Months::new(12)),
        Period::Ever => None,
    };
    after
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map_or(Moment::MAX_UTC, |local| resolve(local, time_zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Tz = Tz::Europe__Berlin;

    /// Advances by each activity (time, count), and compares the rounds completed and how much is
    /// done right after.
    fn check(goal: Goal, activities: &[(&str, u32)], expected: &[(u32, u32)]) {
        let mut progress = Progress::default();
        let found: Vec<(u32, u32)> = activities
            .iter()
            .map(|(at, by)| {
                let at = at.parse().unwrap();
                let rounds = progress.advance(goal, *by, at, BERLIN).unwrap();
                (rounds, progress.done(goal, at, BERLIN))
            })
            .collect();
        assert_eq!(found, expected, "{goal:?} {activities:?}");
    }

    #[test]
    fn a_goal_counts_and_carries_what_is_left_over() {
        let card = Goal::Count { goal: 10, within_days: None };
        check(
            card,
            &[
                ("2026-01-01T10:00:00Z", 4),
                ("2026-03-01T10:00:00Z", 5),
                ("2026-09-01T10:00:00Z", 3),
                ("2026-09-02T10:00:00Z", 25),
            ],
            &[(0, 4), (0, 9), (1, 2), (2, 7)],
        );
        let week = Goal::Count { goal: 3, within_days: Some(7) };
        check(
            week,
            &[
                ("2026-01-01T10:00:00Z", 1),
                ("2026-01-05T10:00:00Z", 1),
                // The first activity leaves the window exactly now.
                ("2026-01-08T10:00:00Z", 1),
                ("2026-01-09T10:00:00Z", 1),
            ],
            &[(0, 1), (0, 2), (0, 2), (1, 0)],
        );
    }

    #[test]
    fn a_streak_breaks_with_the_first_period_left_out() {
        let months = Goal::Streak { goal: 3, period: Period::Month };
        check(
            months,
            &[
                ("2026-01-31T10:00:00Z", 1),
                ("2026-02-01T10:00:00Z", 1),
                ("2026-02-20T10:00:00Z", 1),
                ("2026-03-05T10:00:00Z", 1),
                ("2026-04-05T10:00:00Z", 1),
                ("2026-06-05T10:00:00Z", 1),
            ],
            &[(0, 1), (0, 2), (0, 2), (1, 0), (0, 1), (0, 1)],
        );
        // Over the change to summer time.
        let days = Goal::Streak { goal: 3, period: Period::Day };
        check(
            days,
            &[
                ("2026-03-28T22:30:00Z", 1),
                ("2026-03-29T10:00:00Z", 1),
                ("2026-03-30T21:59:59Z", 1),
            ],
            &[(0, 1), (0, 2), (1, 0)],
        );
    }

    #[test]
    fn a_count_that_overflows_is_an_error_and_no_smaller_number() {
        let at = "2026-05-01T10:00:00Z".parse().unwrap();
        let goal = Goal::Count { goal: u32::MAX, within_days: None };
        let mut progress = Progress::default();
        assert_eq!(progress.advance(goal, u32::MAX - 1, at, BERLIN), Some(0));
        assert_eq!(progress.clone().advance(goal, 2, at, BERLIN), None);
    }

    #[test]
    fn a_broken_streak_and_an_old_visit_count_no_more_when_looked_at_later() {
        let at = |text: &str| text.parse::<Moment>().unwrap();
        let streak = Goal::Streak { goal: 5, period: Period::Day };
        let mut progress = Progress::default();
        progress.advance(streak, 1, at("2026-05-01T10:00:00Z"), BERLIN).unwrap();
        assert_eq!(progress.done(streak, at("2026-05-02T21:59:59Z"), BERLIN), 1);
        assert_eq!(progress.done(streak, at("2026-05-02T22:00:00Z"), BERLIN), 0);
        let week = Goal::Count { goal: 5, within_days: Some(7) };
        let mut progress = Progress::default();
        progress.advance(week, 1, at("2026-05-01T10:00:00Z"), BERLIN).unwrap();
        assert_eq!(progress.done(week, at("2026-05-08T09:59:59Z"), BERLIN), 1);
        assert_eq!(progress.done(week, at("2026-05-08T10:00:00Z"), BERLIN), 0);
    }
}
