//! Measures: what a merchant wants to know of its past, each in one SQL file over the tables of a
//! history.
//!
//! The files are in `sql/`. They need nothing that is not in Spark, Trino and Athena, too, so a house with
//! a cluster runs the same files there. Beside the tables of a history they read one that is called
//! `periods` ([`Period`]): the periods for which figures are asked. Each begins with comments that say
//! what it means, in what unit, and where the definition comes from ([`Measure`]).
//!
//! Read the modules in this order.

/// The measures, and what they say of themselves.
mod measure;
/// The periods for which figures are asked.
mod period;
/// What a measure found.
mod figures;
/// Running measures over a history.
mod run;

#[cfg(test)]
mod tests;

pub use figures::{Figures, Value};
pub use measure::Measure;
pub use period::{By, Period, periods};
pub use run::{MeasureError, Past};
