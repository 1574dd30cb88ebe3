//! Intervals that hold at every look: a confidence sequence.
//!
//! The bound is the normal mixture of Robbins (*Statistical Methods Related to the Law of the Iterated
//! Logarithm*, 1970), in the form of Howard, Ramdas, McAuliffe and Sekhon (*Time-uniform, Nonparametric,
//! Nonasymptotic Confidence Sequences*, 2021, equation 14), with the variance that is estimated in its
//! place, as in Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (*Time-uniform Central Limit Theory and
//! Asymptotic Confidence Sequences*, 2024). Its clock is the variance of the difference between the
//! sums of both arms.
//!
//! It is meant for differences whose increments are independent. Here they lean one way, because who
//! buys much at first buys much later. Of two such processes of the same variance, the one that leans
//! crosses a bound less often (Slepian's inequality), so that the intervals are, if anything, too wide.

use serde::Serialize;

use crate::course::{Course, TooMuch};
use crate::difference::Difference;

/// How often, at most, the truth is outside of an interval at any look.
const MISSES_MAX: f64 = 0.05;
/// The mixture that gives the narrowest interval at a variance `v` has the parameter `0.1218 * v`: it
/// solves equation 25 of Howard and others for [`MISSES_MAX`].
const MIXTURE: f64 = 0.1218;

/// What was known at the end of a day of the trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Look {
    /// The day, from 0.
    pub day: usize,
    /// What a member who takes part has done on average since the trial began, as if both arms had been
    /// alike before.
    pub part: f64,
    /// What a member of the holdout has done, likewise.
    pub holdout: f64,
    /// The least and the most that a member does more for taking part. In at least 95 of 100 trials,
    /// that is so at all looks together.
    pub interval: (f64, f64),
}

impl Look {
    /// What a member who takes part has done more on average.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.part - self.holdout
    }

    /// Whether it is more, or less, than by chance.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.interval.0 > 0.0 || self.interval.1 < 0.0
    }
}

impl Course {
    /// A look at the end of each day. There is none while fewer than 30 members of an arm have done
    /// anything.
    ///
    /// # Errors
    /// What members did comes to too much.
    pub fn looks(&self) -> Result<Vec<Look>, TooMuch> {
        let days = self.ends().count();
        let mut looks = Vec::new();
        let mut clock: f64 = 0.0;
        let mut mixture = None;
        for (day, sums) in self.ends().enumerate() {
            let Some(found) = Difference::of(&sums?)? else { continue };
            clock = clock.max(found.variance * found.members * found.members);
            if clock <= 0.0 {
                continue;
            }
            // What the variance will be at the end, as far as the first look can tell.
            let mixture =
                *mixture.get_or_insert_with(|| MIXTURE * clock * count(days) / count(day + 1));
            let all = clock + mixture;
            let bound = (all * (all / (mixture * MISSES_MAX * MISSES_MAX)).ln()).sqrt();
            let difference = found.part - found.holdout;
            let radius = bound / found.members;
            let interval = (difference - radius, difference + radius);
            looks.push(Look { day, part: found.part, holdout: found.holdout, interval });
        }
        Ok(looks)
    }
}

fn count(days: usize) -> f64 {
    u32::try_from(days).map_or(f64::INFINITY, f64::from)
}
