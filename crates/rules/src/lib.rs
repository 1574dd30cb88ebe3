//! The rule language: from a merchant's folder of files to rules that can be run.
//!
//! A folder becomes a [`Bundle`]: its [`Sources`], their hash, the manifest's policy as a
//! [`ledger::Programme`], and each sheet compiled to a list of typed [`Rule`]s. A [`Run`] asks rules
//! about [`Facts`], and answers with a [`Value`] and the effects that a rule asks for. A rule cannot
//! act, remember, or tell the time. What becomes of its answer is decided in the crate `decide`.
//!
//! This is the only crate that knows Rhai, and `engine` the only module that builds an engine.
//!
//! Read the modules in this order.

// From text to a checked bundle.
/// The words that a block asks for.
mod asked;
/// A merchant's rules, whole and checked.
mod bundle;
/// Mistakes that can be proven before a sheet runs.
mod check;
/// The names of the files that make a bundle.
mod file_names;
/// The statements of a sheet: how they are written.
mod grammar;
/// Kinds of values.
mod kind;
/// `merchant.toml`.
mod manifest;
/// Mistakes of a merchant: where, what, and what would mend them.
mod mistake;
/// An object or a table, never a list.
mod object;
/// A sheet's text in pieces.
mod pieces;
/// Whether a condition can hold at all.
mod range;
/// The reference of the language.
mod reference;
/// A sheet as text, before the engine reads it.
mod scan;
/// Sheets as a list of typed rules.
mod sheet;
/// The files of a bundle and their hash.
mod source;
/// The name that somebody may have meant.
mod suggest;
/// Every word that a rule can use.
mod vocabulary;
/// Expressions in the words of the sheet.
mod words;

// Running rules.
/// Effects that a rule asks for.
mod effect_buffer;
/// The sandbox: the only place where an engine is built.
mod engine;
/// Facts that rules see, as values of the engine.
mod facts;
/// Rules of one request, run about the same facts.
mod run;
/// The value of a condition or of a block.
mod value;

#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use check::CODES_MAX;
pub use effect_buffer::EffectRequest;
pub use facts::{Facts, Seen, Span, bucket, unknown_wallet};
pub use grammar::StatementKind;
pub use mistake::{BundleRejection, Mistake, RuleFailure, Severity, say_toml};
pub use object::Object;
pub use pieces::place_of;
pub use reference::reference;
pub use run::{Need, Run};
pub use sheet::{Costs, Rule};
pub use source::{BundleHash, Sources};
pub use suggest::did_you_mean;
pub use value::Value;
