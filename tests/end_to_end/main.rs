//! End-to-end tests: the whole API over HTTP, told as stories.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so"
)]

/// Bad input: told with its place, and nothing changes.
mod bad_input;
/// Who may do what.
mod identity;
/// One effect per key, whoever asks how often.
mod once;
/// Tasks, grants, benefits, part-payment.
mod playing;
/// The README says what is so.
mod readme;
/// Rules that are edited, broken, or never end.
mod rules_at_work;
/// Stocks, budgets, codes, referrals, leaderboards.
mod shared;
/// A day in a coffee shop.
mod story;
/// Time decides what can be spent; the scheduled run writes it down.
mod time;
