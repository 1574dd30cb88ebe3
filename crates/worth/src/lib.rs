//! The worth of customers: how often each is likely to buy again, and for how much.
//!
//! [`Repeat`] is the BG/NBD model of repeat buying, [`Spend`] the Gamma-Gamma model of what a
//! purchase comes to. Both are fitted by maximum likelihood to what is known of each [`Buyer`].
//!
//! These are statistics, so numbers are floating point here, and nothing is owed by them.
#![expect(clippy::float_arithmetic, reason = "statistics, outside of the core")]

/// What is known of a customer.
mod buyer;
/// Maximum likelihood.
mod fit;
/// Gauss's hypergeometric function.
mod hypergeometric;
/// How often customers buy again.
mod repeat;
/// What a purchase comes to.
mod spend;
/// What is expected of each customer.
mod forecast;

#[cfg(test)]
mod tests;

pub use buyer::{Buyer, Purchase};
pub use fit::FitError;
pub use forecast::{Actual, Customer, Forecast, Group};
pub use repeat::Repeat;
pub use spend::Spend;
