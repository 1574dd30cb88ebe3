//! The rule language: it turns a merchant's folder of text files into rules that can be run.
//!
//! **From text to a checked bundle.** [`Sources`] holds the files of a folder and computes their
//! [`BundleHash`]. [`Bundle::load`] reads the manifest into a [`ledger::Programme`], compiles each
//! sheet into a list of typed [`Rule`]s, and checks the sheets against the manifest and each other.
//! It returns a whole [`Bundle`], or a [`BundleRejection`] with the [`Mistake`]s and their places.
//! The grammar and the vocabulary are tables; the reader, the check, the hints and the
//! [`reference()`] all read the same tables.
//!
//! **From a bundle to a run.** [`Bundle::run`] starts a [`Run`] over the [`Facts`] of one request.
//! The run evaluates the condition and the block of one rule at a time, and returns a [`Value`] and
//! the [`EffectRequest`]s of that rule. The crate `decide` chooses which rules to run, and decides
//! what their values and effect requests mean for the member.
//!
//! **What bounds a script.** A rule has no side effects, keeps no state, and cannot read the clock:
//! it sees only the facts. `scan` bounds the text of a sheet before the engine reads it. `engine`
//! registers every function that a rule can call, disables every symbol of Rhai that a rule must
//! not use, and sets every limit. All rules of one request share one limit of steps.
//!
//! This is the only crate that knows Rhai, and `engine` is the only module that builds an engine.
//! Rhai's values do not leave the crate; [`Value`] replaces them.
//!
//! Read the modules in this order.

// From text to a checked bundle.
/// Kinds of values.
mod kind;
/// The hint "did you mean".
mod suggest;
/// The grammar of the statements of a sheet.
mod grammar;
/// The names of the files that make a bundle.
mod file_names;
/// A sheet's text, split into tokens.
mod pieces;
/// Every word that a rule can use.
mod vocabulary;
/// Mistakes in a merchant's files: where, what, and how to fix them.
mod mistake;
/// Expressions and values as text, in the words of the sheet.
mod words;
/// Conditions that can never be false or never be true.
mod range;
/// What facts and functions give to the engine.
mod evaluated;
/// The facts of the order and of its lines.
mod order_facts;
/// Parts of the members, by chance.
mod chance;
/// The facts that rules see, as values of the engine.
mod facts;
/// The buffer of the effects that a rule requests.
mod effect_buffer;
/// The sandbox: the only module that builds an engine.
mod engine;
/// Rules, split into their parts, and their names.
mod rule;
/// Sheets, read into a list of typed rules.
mod sheet;
/// The words and wallets that a block reads.
mod asked;
/// The scan of a sheet's text before the engine reads it.
mod scan;
/// The files of a bundle and their hash.
mod source;
/// Static checks of the sheets.
mod check;
/// A value that is written as an object or a table, never as a list.
mod object;
/// The manifest, `merchant.toml`.
mod manifest;

// Running rules.
/// The value of a condition or of a block.
mod value;
/// A run: the rules of one request over the same facts.
mod run;
/// A merchant's rules, complete and checked.
mod bundle;
/// What new rules would forget of what members have.
mod forgotten;
/// The reference of the language.
mod reference;

#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use chance::{arm, bucket};
pub use check::CODES_MAX;
pub use effect_buffer::EffectRequest;
pub use facts::{Facts, Seen, Span, Task, unknown_wallet};
pub use forgotten::forgotten;
pub use grammar::StatementKind;
pub use mistake::{
    BundleRejection, Mistake, RuleFailure, Severity, say_found_for_wanted, say_toml,
};
pub use object::Object;
pub use pieces::place_of;
pub use reference::reference;
pub use rule::{Costs, Rule};
pub use run::{Need, Run};
pub use source::{BundleHash, Sources};
pub use suggest::did_you_mean;
pub use value::Value;
