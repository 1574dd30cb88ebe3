//! What is owed, as the books need it: how many of the units that members have they are likely to
//! redeem, by the merchant's own history, and the revenue that is deferred until they do.
//!
//! Units are followed from the month in which they were issued to the month in which they were redeemed
//! or expired ([`Kept`], one member's; [`Cohorts`], those of all). Units of the same age that have left
//! in the past say what those that are still there will do ([`Breakage`]).
//!
//! These are statistics, so shares are floating point here; units and money are exact.
#![expect(clippy::float_arithmetic, reason = "statistics, outside of the core")]

/// Calendar months.
mod month;
/// Samples of the members, drawn anew, which say how sure a forecast is.
mod draws;
/// The units of one member, each with the month in which it was issued.
mod kept;
/// The units of all members, in cohorts: by the month in which they were issued and by their end.
mod cohorts;
/// How many of the units that are owed are likely to be redeemed.
mod breakage;
/// The revenue that is deferred until units are redeemed.
mod deferral;

#[cfg(test)]
mod tests;

pub use breakage::{Breakage, LookBack};
pub use cohorts::Cohorts;
pub use deferral::{Deferred, DeferredOver, deferred, recognized};
pub use kept::{Kept, Line, is_bought};
pub use month::Month;
