//! End-to-end tests: stories about the whole API over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so"
)]

/// Bad input: refused with a pointer to it, and nothing changes.
mod bad_input;
/// Requests that no rule decides: adjustments, transfers, accounts, erasing.
mod by_hand;
/// Edits of a history that contradict what happened.
mod contradictions;
/// What is due: expiry of every kind, triggered activities, reminders.
mod due;
/// Rules that are edited, and what members have under them.
mod edits;
/// Rewards held at the till.
mod holds;
/// The history of a member that shares wallets.
mod households;
/// One effect per key, however often a request is repeated.
mod idempotency;
/// Which caller may do what.
mod identity;
/// Features used together.
mod interactions;
/// What is owed, by the day, in units and in money.
mod liability;
/// A member with a long history, of which a part happens again.
mod long_history;
/// One history: it does not matter when it is told.
mod one_history;
/// What is told late where time has passed over it: ends, tiers, caps, boards.
mod told_late;
/// What is undone, and then is not.
mod undone_again;
/// Orders as shops send them.
mod orders;
/// What the README says is true.
mod readme;
/// Rules that failed and have been mended.
mod rejudge;
/// Purchases and rewards that are reversed.
mod returns;
/// The order in which entries are reversed does not matter.
mod reversal_order;
/// Rules that are edited, fail, or never end.
mod rules_at_work;
/// What members share: stocks, budgets, codes, referrals, leaderboards.
mod shared;
/// A day in a coffee shop.
mod story;
/// Tasks, grants, benefits, part-payment.
mod tasks;
/// Time decides what can be spent; the expiry run writes it.
mod time;
