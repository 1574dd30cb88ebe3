//! The difference between the arms at the end of a day, less what the time before the trial explains
//! of it: CUPED, by Deng, Xu, Kohavi and Walker, *Improving the Sensitivity of Online Controlled
//! Experiments by Utilizing Pre-Experiment Data* (2013).

use crate::course::{Sums, TooMuch};
use crate::float;

/// The members of each arm who must have done something before their means are nearly normal.
const ACTIVE_MIN: i128 = 30;

/// What members did on average by the end of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    /// The members of both arms.
    pub(crate) members: f64,
    /// The mean of those who take part, as if both arms had been alike before the trial.
    pub(crate) part: f64,
    /// The mean of the holdout, likewise.
    pub(crate) holdout: f64,
    /// The variance of the difference of these means.
    pub(crate) variance: f64,
}

/// Sums of squares and products around the means.
struct Spread {
    before: f64,
    both: f64,
    during: f64,
}

impl Sums {
    fn spread(&self) -> Result<Spread, TooMuch> {
        // The members times a sum of products less the product of sums, all of them whole numbers.
        let around = |of: i128, one: i128, other: i128| {
            let all = self.members.checked_mul(of)?.checked_sub(one.checked_mul(other)?)?;
            Some(float(all) / float(self.members))
        };
        let of = || {
            Some(Spread {
                before: around(self.before_squared, self.before, self.before)?,
                both: around(self.both, self.before, self.during)?,
                during: around(self.during_squared, self.during, self.during)?,
            })
        };
        of().ok_or(TooMuch)
    }

    fn mean(&self, sum: i128) -> f64 {
        float(sum) / float(self.members)
    }
}

impl Difference {
    /// The difference at the end of a day; `None` while too few members have done anything.
    pub(crate) fn of([part, holdout]: &[Sums; 2]) -> Result<Option<Difference>, TooMuch> {
        if part.active < ACTIVE_MIN || holdout.active < ACTIVE_MIN {
            return Ok(None);
        }
        let (in_part, in_holdout) = (part.spread()?, holdout.spread()?);
        let before = in_part.before + in_holdout.before;
        // How much of what a member does goes with what it did before.
        let slope = if before > 0.0 { (in_part.both + in_holdout.both) / before } else { 0.0 };
        let members = float(part.members + holdout.members);
        let all_before = float(part.before + holdout.before) / members;
        let mean = |arm: &Sums| arm.mean(arm.during) - slope * (arm.mean(arm.before) - all_before);
        let variance = |arm: &Sums, spread: &Spread| {
            let left = spread.during - 2.0 * slope * spread.both + slope * slope * spread.before;
            left.max(0.0) / float(arm.members - 1) / float(arm.members)
        };
        Ok(Some(Difference {
            members,
            part: mean(part),
            holdout: mean(holdout),
            variance: variance(part, &in_part) + variance(holdout, &in_holdout),
        }))
    }
}
