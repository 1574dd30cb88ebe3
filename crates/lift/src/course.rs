//! What both arms did, in exact sums: it does not matter in which order or in which parts subjects are
//! counted.

use std::iter::zip;

/// A member of one of the arms. Amounts are whole: minor units of the currency, or orders.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Whether it takes part; otherwise it is of the holdout.
    pub takes_part: bool,
    /// The day of the trial from which it counts: 0, or that of its enrolment if that is later.
    pub since: usize,
    /// What it did before the trial.
    pub before: i64,
    /// What it did on days of the trial, in the order of days.
    pub during: &'a [(usize, i64)],
}

/// Sums over the members of an arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// The members.
    pub(crate) members: i128,
    /// Those who did anything in the trial.
    pub(crate) active: i128,
    /// What members did before the trial, its squares, and its products with what they did in it.
    pub(crate) before: i128,
    pub(crate) before_squared: i128,
    pub(crate) both: i128,
    /// What they did in the trial, and its squares.
    pub(crate) during: i128,
    pub(crate) during_squared: i128,
}

/// What the members did comes to more than can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what members did comes to more than can be counted")]
pub struct TooMuch;

impl Sums {
    pub(crate) fn plus(self, other: Sums) -> Option<Sums> {
        Some(Sums {
            members: self.members.checked_add(other.members)?,
            active: self.active.checked_add(other.active)?,
            before: self.before.checked_add(other.before)?,
            before_squared: self.before_squared.checked_add(other.before_squared)?,
            both: self.both.checked_add(other.both)?,
            during: self.during.checked_add(other.during)?,
            during_squared: self.during_squared.checked_add(other.during_squared)?,
        })
    }
}

/// What both arms did on each day of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// What each day adds to the sums of those who take part, and of the holdout.
    days: Vec<[Sums; 2]>,
}

impl Course {
    /// A trial of so many days, with no members yet.
    #[must_use]
    pub fn new(days: usize) -> Course {
        Course { days: vec![<[Sums; 2]>::default(); days] }
    }

    /// Counts a member. What is after the last day does not count.
    ///
    /// # Errors
    /// It comes to too much.
    pub fn count(&mut self, subject: Subject<'_>) -> Result<(), TooMuch> {
        let before = i128::from(subject.before);
        // A product of two numbers of 64 bits fits.
        let joins = Sums { members: 1, before, before_squared: before * before, ..Sums::default() };
        self.add_to(subject.since, subject.takes_part, joins)?;
        let mut sum: i64 = 0;
        for (place, (day, amount)) in subject.during.iter().enumerate() {
            let more = i128::from(*amount);
            let was = i128::from(sum);
            sum = sum.checked_add(*amount).ok_or(TooMuch)?;
            let did = Sums {
                active: i128::from(place == 0),
                during: more,
                during_squared: i128::from(sum) * i128::from(sum) - was * was,
                both: before * more,
                ..Sums::default()
            };
            self.add_to(*day, subject.takes_part, did)?;
        }
        Ok(())
    }

    fn add_to(&mut self, day: usize, takes_part: bool, more: Sums) -> Result<(), TooMuch> {
        let Some([part, holdout]) = self.days.get_mut(day) else { return Ok(()) };
        let arm = if takes_part { part } else { holdout };
        *arm = arm.plus(more).ok_or(TooMuch)?;
        Ok(())
    }

    /// Adds what other members did in the same trial.
    ///
    /// # Errors
    /// It comes to too much.
    pub fn add(&mut self, other: &Course) -> Result<(), TooMuch> {
        for (own, others) in zip(&mut self.days, &other.days) {
            for (arm, more) in zip(own, others) {
                *arm = arm.plus(*more).ok_or(TooMuch)?;
            }
        }
        Ok(())
    }

    /// The members of both arms.
    #[must_use]
    pub fn members(&self) -> [u64; 2] {
        let of = |arm: usize| {
            let members = self.days.iter().filter_map(|day| Some(day.get(arm)?.members));
            u64::try_from(members.sum::<i128>()).unwrap_or(u64::MAX)
        };
        [of(0), of(1)]
    }

    /// The sums of both arms at the end of each day.
    pub(crate) fn ends(&self) -> impl Iterator<Item = Result<[Sums; 2], TooMuch>> {
        let mut so_far = <[Sums; 2]>::default();
        self.days.iter().map(move |day| {
            for (sums, more) in zip(&mut so_far, day) {
                *sums = sums.plus(*more).ok_or(TooMuch)?;
            }
            Ok(so_far)
        })
    }
}
