//! A merchant's rules: from a folder of scripts to what they decide.
//!
//! A folder becomes a [`Bundle`]: its [`Sources`], their hash, the manifest's policy as a
//! [`ledger::Programme`], and each sheet compiled to a list of typed rules. A rule sees facts and
//! returns outcomes; it cannot act, remember, or tell the time.
//!
//! This is the only crate that knows Rhai, and `engine` the only module that builds an engine.

/// A merchant's rules, whole and checked, and what they decide.
mod bundle;
/// The sandbox: the only place where an engine is built.
mod engine;
/// What a rule can see.
mod facts;
/// The statements of a sheet: how they are written.
mod grammar;
/// `merchant.toml`.
mod manifest;
/// What can be wrong with a rule, and where.
mod mistake;
/// A sheet as a list of typed rules.
mod sheet;
/// The files of a bundle and their hash.
mod source;

#[cfg(test)]
mod tests;

pub use bundle::{Bundle, Offer, RewardRule};
pub use mistake::{BundleRejection, Mistake, RuleFailure, did_you_mean};
pub use source::{BundleHash, Sources};
