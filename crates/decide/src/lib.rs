//! The decisions: this crate runs a merchant's rules for a request and lets the ledger turn the
//! result into an entry.
//!
//! **One function per verb.** [`earn()`], [`redeem()`], [`hold()`], [`reverse()`] and the other
//! verbs each take a [`Context`] and a member, and return a [`ledger::Decision`]. A [`Context`] is
//! the merchant's bundle, the decision data and the time. The functions are pure, so a function in
//! Lambda, the local server, a spec and a simulation all make the same decision.
//!
//! **[`Undecided`] is the other result.** It is a [`Refusal`], after which nothing has changed, or
//! the [`ledger::MissingData`] that the caller loads before it calls the function again. Most
//! decisions need only the member.
//!
//! **The pipeline of one earn.**
//! 1. `ledger::earn::admit` checks the dates of the activity. If something has happened since, the
//!    member is derived again (`again`), and what follows is done for each activity since.
//! 2. `pipeline::split` puts the account's wallets into the member, if it shares any.
//! 3. `happen` finds the member's tier when it happened.
//! 4. `judging::judge` runs every rule of the activity and collects the reasons.
//! 5. `ledger::earn::decide` makes the entry and applies it to the member.
//! 6. `pipeline::with_tier_noted` adds the tier that follows.
//! 7. `pipeline` splits off the account's entry and sets the next due date of each member.
//! 8. If a rule refers the member's referrer, [`earn()`] decides the referral in the same way.
//!
//! This crate runs rules and does not know how they are written. The crate `rules` knows that.
//!
//! Read the modules in this order.

/// The context of a decision: bundle, decision data, time.
mod context;
/// An activity with its origin: a client or a day.
mod event;
/// Activities and orders as clients and specs write them.
mod input;
/// Refusals, and the result without a decision.
mod refusal;

// Running the rules.
/// The tier that the rules give a member.
mod tier;
/// Rules that fail.
mod failures;
/// Effect requests, resolved into effects for one member.
mod effects;
/// Judging: every rule of an activity, one after the other.
mod judging;
/// A reward that one member takes.
mod reward;
/// The rewards and benefits that a member can have.
mod offers;
/// The distance of a member from the next tier.
mod next_tier;

// After the rules.
/// Activities that are triggered by their day.
mod recurrence;
/// The reminders of a member.
mod reminders;
/// The next due date of a member.
mod schedule;
/// The steps after every decision: tier, account, due date.
mod pipeline;

/// What a friend's activity gives the friend's referrer.
mod referral;
/// What happens to a member with an activity.
mod happen;
/// What a member takes or staff moves.
mod deed;
/// A member is derived again, since its history is another one.
mod again;
/// Deeds with a moment, as a till without a network tells of them.
mod offline;
/// The trace of an activity, for people.
mod trace;

// The verbs.
/// A member earns with an activity.
mod earn;
/// A member redeems a reward.
mod redeem;
/// A reward is held, captured or released.
mod hold;
/// An earlier entry is reversed.
mod reverse;
/// Activities for which a rule had failed are judged again.
mod rejudge;
/// An operator gives or takes units.
mod adjust;
/// One member gives units to another.
mod transfer;
/// A member joins an account, or leaves it.
mod account;
/// A person is erased.
mod erase;
/// The expiry run, for one member.
mod due;

// Before rules are published.
/// The coverage of the rules by the specs.
mod coverage;
/// Specs: the merchant's tests of its rules.
mod spec;

#[cfg(test)]
mod tests;

pub use account::{join, leave};
pub use adjust::adjust;
pub use again::{ReversedPart, Undo, data_then, derived};
pub use context::{Context, EarlierRules};
pub use coverage::{Coverage, RuleCoverage};
pub use due::{expire, next_due, schedule};
pub use earn::{earn, earn_alone, replace, replace_alone};
pub use erase::erase;
pub use event::{About, ActivityEvent};
pub use hold::{capture, hold, release};
pub use input::{
    ActivityBody, Amount, At, InputError, InputErrorReason, LINES_MAX, OrderBody, Quantity,
    ReturnedBody, ReturnedLineBody, TakesBack, escape,
};
pub use judging::{Said, Verdict, ask};
pub use next_tier::{NextTier, next_tier};
pub use offers::{Eligible, MemberBenefit, Offer, benefits, gifts, offers};
pub use redeem::redeem;
pub use referral::Referrals;
pub use refusal::{Refusal, Undecided};
pub use rejudge::{is_same, rejudge, rejudge_alone};
pub use reverse::{Reversal, reverse, reverse_alone};
pub use reward::Redemption;
pub use schedule::{due_at, is_due_earlier};
pub use spec::{
    Difference, SpecReport, SpecResult, proven, run_specs, say as say_value, simulated_data,
    simulated_member,
};
pub use tier::{ahead, ladder, tier_status};
pub use trace::{TraceLine, trace, trace_reward};
pub use transfer::transfer;
