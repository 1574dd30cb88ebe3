//! The decisions: what a merchant's rules and the ledger make of a request, together. Pure: a function
//! in Lambda, the local server, a spec and a simulation ask the same question and get the same answer.
//!
//! Each verb has one function, from a [`Context`] and a member to a [`ledger::Decision`]; or to
//! [`Undecided`]: a refusal, or the data that has to be loaded first. This crate runs rules and does
//! not know how they are written: that is the crate `rules`.
//!
//! Read the modules in this order.

/// What a decision is made from.
mod context;
/// An activity as it reached us.
mod event;
/// Activities and orders as clients and specs write them.
mod input;
/// Refusals, and data that is missing.
mod refusal;

// What the rules say.
/// What an effect comes to for one member.
mod effects;
/// Every rule of an activity, asked in turn.
mod judging;
/// How far a member is from the next tier.
mod next_tier;
/// Rewards and benefits that a member can have.
mod offers;
/// A reward as one member takes it.
mod reward;
/// Tiers.
mod tier;
/// Why an activity brought what it brought.
mod trace;

// What follows a decision.
/// The tier, the account and the due date.
mod pipeline;
/// Activities that are triggered by their day.
mod recurrence;
/// What a member is reminded of, and when.
mod reminders;
/// When a member is due next.
mod schedule;

// The verbs.
/// A member joins an account, or leaves it.
mod account;
/// Units are given or taken by hand.
mod adjust;
/// The scheduled run, for one member.
mod due;
/// A member did something.
mod earn;
/// A person is forgotten.
mod erase;
/// A reward is held, captured, released.
mod hold;
/// A member takes a reward.
mod redeem;
/// An entry is undone.
mod reverse;
/// One member gives units to another.
mod transfer;

// Before rules are published.
/// How much of the rules the specs have shown.
mod coverage;
/// Specs: what the merchant expects of its rules.
mod spec;

#[cfg(test)]
mod generated;
#[cfg(test)]
mod tests;

pub use account::{join, leave};
pub use adjust::adjust;
pub use context::Context;
pub use coverage::{Coverage, RuleCoverage};
pub use due::{expire, next_due, schedule};
pub use earn::{Referral, earn, earn_alone};
pub use erase::erase;
pub use event::ActivityEvent;
pub use hold::{capture, hold, release};
pub use input::{ActivityBody, Amount, At, InputError, InputErrorReason, OrderBody, escape};
pub use judging::{Said, Verdict, ask};
pub use next_tier::{NextTier, next_tier};
pub use offers::{Eligible, MemberBenefit, Offer, benefits, offers};
pub use redeem::redeem;
pub use refusal::{Refusal, Undecided};
pub use reverse::{ReferralEntry, Reversal, data_then, reverse, reverse_alone};
pub use reward::Redemption;
pub use schedule::{due_at, is_due_earlier};
pub use spec::{
    Difference, SpecReport, SpecResult, proven, run_specs, say as say_value, simulated_data,
    simulated_member,
};
pub use tier::{ahead, ladder, tier_status};
pub use trace::{TraceLine, trace, trace_reward};
pub use transfer::transfer;
