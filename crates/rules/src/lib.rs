//! A merchant's rules: from a folder of scripts to what they decide.
//!
//! A folder becomes a [`Bundle`]: its [`Sources`], their hash, the manifest's policy as a
//! [`ledger::Programme`], and each sheet compiled to a list of typed rules. A rule sees facts and
//! returns outcomes; it cannot act, remember, or tell the time.
//!
//! This is the only crate that knows Rhai, and `engine` the only module that builds an engine.

/// The words that a block asks.
mod asked;
/// A merchant's rules, whole and checked.
mod bundle;
/// What can be proven wrong with a sheet before it runs.
mod check;
/// What of the rules the specs have shown.
mod coverage;
/// What a rule does besides giving a value.
mod desk;
/// The sandbox: the only place where an engine is built.
mod engine;
/// What a rule can see, as values of the engine.
mod facts;
/// The statements of a sheet: how they are written.
mod grammar;
/// What an activity brings.
mod judge;
/// What kind of thing a value is.
mod kind;
/// `merchant.toml`.
mod manifest;
/// What can be wrong with a rule, and where.
mod mistake;
/// How far a member is from the next tier.
mod next_tier;
/// What a member can have.
mod offer;
/// A sheet's text in pieces.
mod pieces;
/// Whether a condition can hold at all.
mod range;
/// The reference of the language.
mod reference;
/// Why a request is not decided.
mod refused;
/// Running rules.
mod run;
/// A sheet as text, before the engine reads it.
mod scan;
/// Sheets as a list of typed rules.
mod sheet;
/// The files of a bundle and their hash.
mod source;
/// Specs: what the merchant expects of its rules.
mod spec;
/// A reward as one member takes it.
mod taking;
/// What is told from outside: an activity, an order.
mod told;
/// Why an activity brought what it brought.
mod trace;
/// The verbs: rules and ledger together.
mod verbs;
/// Every word that a rule can use.
mod vocabulary;
/// Expressions in the words of the sheet.
mod words;

#[cfg(test)]
mod generated;
#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use coverage::{Coverage, RuleCoverage};
pub use judge::{Said, Verdict};
pub use mistake::{BundleRejection, Mistake, RuleFailure, Severity, did_you_mean};
pub use next_tier::{Need, NextTier};
pub use offer::{Benefit, Eligible, Offer};
pub use reference::reference;
pub use refused::Refused;
pub use sheet::Costs;
pub use source::{BundleHash, Sources};
pub use spec::{
    Difference, SpecOutcome, SpecReport, say as say_value, simulated_member, simulated_supplies,
};
pub use told::{ActivityBody, Amount, At, Object, OrderBody, Wrong, WrongReason, escape};
pub use trace::TraceLine;
pub use verbs::{FRIEND, REFERRAL, Redemption, Told};
