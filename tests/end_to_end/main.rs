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
/// Where features cross.
mod crossings;
/// What is due: expiry of every kind, what comes by itself, reminders.
mod due;
/// Rewards set aside at the till.
mod holds;
/// Who may do what.
mod identity;
/// One effect per key, whoever asks how often.
mod once;
/// Tasks, grants, benefits, part-payment.
mod playing;
/// The README says what is so.
mod readme;
/// Purchases and rewards that are undone.
mod returns;
/// Rules that are edited, broken, or never end.
mod rules_at_work;
/// Stocks, budgets, codes, referrals, leaderboards.
mod shared;
/// A day in a coffee shop.
mod story;
/// Time decides what can be spent; the scheduled run writes it down.
mod time;
/// What is undone, in whatever order.
mod undone;
