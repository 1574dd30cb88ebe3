//! End-to-end tests: the whole API over HTTP, told as stories.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so"
)]

/// Bad input: told with its place, and nothing changes.
mod bad_input;
/// What is done by hand: adjusted, transferred, shared, erased.
mod by_hand;
/// What is due: expiry of every kind, what comes by itself, reminders.
mod due;
/// Rewards set aside at the till.
mod holds;
/// One effect per key, however often it is asked for.
mod idempotency;
/// Who may do what.
mod identity;
/// Where features meet.
mod interactions;
/// The README says what is so.
mod readme;
/// Purchases and rewards that are undone.
mod returns;
/// The order in which entries are undone does not matter.
mod reversal_order;
/// Rules that are edited, broken, or never end.
mod rules_at_work;
/// Stocks, budgets, codes, referrals, leaderboards.
mod shared;
/// A day in a coffee shop.
mod story;
/// Tasks, grants, benefits, part-payment.
mod tasks;
/// Time decides what can be spent; the scheduled run writes it down.
mod time;
