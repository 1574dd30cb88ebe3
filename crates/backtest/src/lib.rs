//! Backtests: a merchant's rules over the recorded past, in memory.
//!
//! Everything that was told of the members ([`Past`]) is told again, by the verbs of `decide` and the
//! very bundle that the functions would use: once by the rules that judged it, which must give the
//! recorded ledger again ([`Check`]), and once by the rules to be tried. What both came to
//! ([`Totals`]) is compared ([`Report`]).
//!
//! Members that share something are played together ([`Groups`]), in the order of time. What all
//! members share, such as a budget, is settled between the groups (`shared`).
//!
//! This crate is pure: values in, values out. The crate `history` reads and writes the past.
//!
//! Read the modules in this order.

/// The past: what was told of a member, and what came of it.
mod past;
/// Which members belong together.
mod groups;
/// Why something of the past was not made again.
mod unmade;
/// The members of a group with their entries, in memory.
mod book;
/// What all members share.
mod shared;
/// What was told, told again.
mod told;
/// What happened to a group, in the order of time.
mod turns;
/// Playing a group.
mod play;
/// One entry of the past, made again.
mod remade;
/// Whether the recorded past comes out again.
mod same;
/// What a programme came to.
mod totals;
/// What changed between two programmes.
mod changed;
/// A backtest of many groups.
mod run;
/// The gate of a merchant.
mod gate;

#[cfg(test)]
mod tests;

pub use changed::{Changed, Mover, Why};
pub use gate::{Gauge, Gauged};
pub use groups::Groups;
pub use past::{Origin, Past, Recorded};
pub use remade::{Remade, remade};
pub use run::{Backtest, Dry, Report, Round, Seen};
pub use same::{Check, Different};
pub use totals::{Failed, Moved, Owed, Paid, Totals};
pub use unmade::Unmade;
