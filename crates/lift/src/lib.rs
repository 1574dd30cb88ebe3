//! What a trial has changed: members who take part against a holdout, with intervals that hold however
//! often one looks.
//!
//! A [`Course`] counts what each [`Subject`] did, day by day, in whole numbers. At the end of each day
//! there is a [`Look`] at it: the difference between the two arms, less what the time before the trial
//! explains of it, and a confidence sequence around that. [`unlikely`] says whether members were split
//! as they should have been.
//!
//! These are statistics, so numbers are floating point here, and nothing is owed by them.
#![expect(clippy::float_arithmetic, reason = "statistics, outside of the core")]

/// What both arms did, in exact sums.
mod course;
/// The difference between the arms at the end of a day.
mod difference;
/// Intervals that hold at every look.
mod look;
/// Whether members were split as they should have been.
mod split;

#[cfg(test)]
mod tests;

pub use course::{Course, Subject, TooMuch};
pub use look::Look;
pub use split::unlikely;

/// A whole number as a floating point number, to the 53 bits that it has.
#[expect(clippy::cast_precision_loss, reason = "a statistic does not need more")]
pub(crate) fn float(number: i128) -> f64 {
    number as f64
}
