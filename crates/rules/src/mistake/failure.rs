//! Rules that failed while they ran: the engine's errors, reworded for people who are not
//! programmers.

use std::sync::Arc;

use ledger::entry::Note;
use rhai::{EvalAltResult, Position};

use super::{Mistake, lower_first};
use crate::vocabulary::FACTS;

/// A rule that failed while it ran. It pays nothing; the activity is recorded with what the other
/// rules say, or refused, as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}` failed at {mistake}")]
pub struct RuleFailure {
    /// The title of the rule.
    pub rule: String,
    /// The place and the message.
    pub mistake: Mistake,
    /// Whether it failed because it reads the order and there is none. The merchant made no mistake
    /// if the client can send an order.
    pub needs_order: bool,
}

/// The text of the runtime error that marks a missing order.
pub(crate) const NO_ORDER: &str = "there is no order to look at";

impl RuleFailure {
    /// What the entry of an activity notes of the failure.
    #[must_use]
    pub fn note(&self) -> Note {
        let Mistake { file, place, message, .. } = &self.mistake;
        let source = match place {
            Some((line, _)) => format!("{file}:{line}"),
            None => file.clone(),
        };
        Note::RuleFailed { rule: self.rule.clone(), source, message: message.clone() }
    }

    /// The failure of a rule, by its title and its file.
    pub(crate) fn of(
        rule: (&str, &str),
        error: &EvalAltResult,
        steps: u64,
        file_of: impl Fn(&str) -> Option<Arc<str>>,
    ) -> RuleFailure {
        let (title, own_file) = rule;
        let inner = innermost(error);
        // A failure inside a function that the merchant wrote is reported in the function's file.
        let file = innermost_function(error).and_then(file_of);
        let file = file.as_deref().unwrap_or(own_file);
        // A failure inside a function of the engine has no place of its own.
        let position = if inner.position().is_none() { error.position() } else { inner.position() };
        let needs_order =
            matches!(inner, EvalAltResult::ErrorRuntime(text, _) if text.to_string() == NO_ORDER);
        RuleFailure {
            rule: title.to_owned(),
            mistake: Mistake::at(file, position, say_runtime_error(inner, steps)),
            needs_order,
        }
    }

    pub(crate) fn at(file: &str, rule: &str, position: Position, message: String) -> RuleFailure {
        let mistake = Mistake::at(file, position, message);
        RuleFailure { rule: rule.to_owned(), mistake, needs_order: false }
    }
}

/// The innermost function in which the error happened.
fn innermost_function(error: &EvalAltResult) -> Option<&str> {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, _, inner, _) => {
            innermost_function(inner).or(Some(name))
        }
        _ => None,
    }
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => innermost(inner),
        error => error,
    }
}

/// The message for a runtime error of Rhai, in words for people who are not programmers.
fn say_runtime_error(error: &EvalAltResult, steps: u64) -> String {
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => format!(
            "it does too much: together with what is asked beside it, it may take {steps} steps; a loop may have no end"
        ),
        EvalAltResult::ErrorStackOverflow(_) => "a function calls itself too often".to_owned(),
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            format!("it makes a value that is too large: {}", lower_first(what))
        }
        EvalAltResult::ErrorVariableNotFound(name, _)
            if FACTS.iter().any(|fact| fact.name == name) =>
        {
            format!("`{name}` is not known here; a function sees only what it is given")
        }
        EvalAltResult::ErrorVariableNotFound(name, _)
        | EvalAltResult::ErrorPropertyNotFound(name, _) => format!("`{name}` is not known here"),
        EvalAltResult::ErrorFunctionNotFound(call, _) => {
            format!("`{}` cannot be used here", plain_types(call))
        }
        EvalAltResult::ErrorFor(_) => "`for` walks through lines, a list or a range".to_owned(),
        EvalAltResult::ErrorArrayBounds(..) | EvalAltResult::ErrorIndexNotFound(..) => {
            "there are not so many".to_owned()
        }
        EvalAltResult::ErrorArithmetic(message, _) => lower_first(message),
        EvalAltResult::ErrorMismatchDataType(wanted, found, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, found, _) => {
            format!("{} is needed here, not {}", plain_types(wanted), plain_types(found))
        }
        EvalAltResult::ErrorRuntime(text, _) => text.to_string(),
        EvalAltResult::ErrorDotExpr(text, _) if text.starts_with("Unknown property '") => {
            let asked = text.split('\'').nth(1).unwrap_or_default();
            let of = text.rsplit('\'').nth(1).map(plain_types).unwrap_or_default();
            format!("`{asked}` cannot be asked of {of}")
        }
        other => {
            let text = other.to_string();
            let text = text.split(" (line ").next().unwrap_or(&text);
            plain_types(&lower_first(text))
        }
    }
}

/// Replaces the engine's names of types in a text with plain words.
pub(crate) fn plain_types(text: &str) -> String {
    let mut text = text.to_owned();
    for (engine, word) in [
        ("rust_decimal::decimal::Decimal", "amount"),
        ("rust_decimal::Decimal", "amount"),
        ("&str | ImmutableString | String", "text"),
        ("ImmutableString", "text"),
        ("alloc::string::String", "text"),
        ("&str", "text"),
        ("string", "text"),
        ("decimal", "amount"),
        ("i64", "whole number"),
        ("rules::facts::OrderFacts", "the order"),
        ("rules::facts::MemberFacts", "the member"),
        ("rules::facts::ActivityFacts", "the activity"),
        ("rules::facts::LinesFacts", "the lines of the order"),
        ("rules::facts::LineFacts", "a line of the order"),
        ("rules::facts::LocalTime", "a time"),
        ("rules::facts::Span", "a span of time"),
        ("ledger::entry::Benefit", "a gift"),
        ("()", "nothing"),
        ("bool", "yes or no"),
    ] {
        text = text.replace(engine, word);
    }
    text
}
