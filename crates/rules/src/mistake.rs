use std::fmt;

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use crate::facts::VOCABULARY;

/// Something wrong in a merchant's file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file; empty for the folder as a whole.
    pub file: String,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what would mend it.
    pub message: String,
}

impl Mistake {
    pub(crate) fn of_file(file: &str, message: String) -> Mistake {
        Mistake { file: file.to_owned(), place: None, message }
    }

    pub(crate) fn at(file: &str, position: Position, message: String) -> Mistake {
        Mistake { file: file.to_owned(), place: place(position), message }
    }

    /// A mistake at a byte of a text.
    pub(crate) fn at_byte(file: &str, text: &str, byte: usize, message: String) -> Mistake {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        Mistake { file: file.to_owned(), place: Some((line, column)), message }
    }

    pub(crate) fn of_parse_error(file: &str, error: &ParseError) -> Mistake {
        Mistake::at(file, error.position(), say_parse_error(error.err_type()))
    }
}

fn place(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.place) {
            ("", _) => write!(f, "{}", self.message),
            (file, Some((line, column))) => write!(f, "{file}:{line}:{column}: {}", self.message),
            (file, None) => write!(f, "{file}: {}", self.message),
        }
    }
}

/// Why a folder is no bundle: every mistake found, not only the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRejection {
    /// Whose rules they are.
    pub merchant: String,
    /// What is wrong, at least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for BundleRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rules of `{}` cannot be used", self.merchant)?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for BundleRejection {}

/// A rule that failed while it ran. The whole activity fails with it: a rule is never skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}` failed at {mistake}")]
pub struct RuleFailure {
    /// The rule's title.
    pub rule: String,
    /// Where and why.
    pub mistake: Mistake,
    /// It asked for the order, and there is none. Not the merchant's fault where the client may
    /// send one.
    pub needs_order: bool,
}

/// The runtime error's text by which a rule says that it needs an order.
pub(crate) const NO_ORDER: &str = "there is no order to look at";

impl RuleFailure {
    pub(crate) fn of(file: &str, rule: &str, error: &EvalAltResult) -> RuleFailure {
        let inner = innermost(error);
        // What fails inside a function of the engine has no place of its own.
        let position = if inner.position().is_none() { error.position() } else { inner.position() };
        let needs_order =
            matches!(inner, EvalAltResult::ErrorRuntime(text, _) if text.to_string() == NO_ORDER);
        RuleFailure {
            rule: rule.to_owned(),
            mistake: Mistake::at(file, position, say_runtime_error(inner)),
            needs_order,
        }
    }

    pub(crate) fn at(file: &str, rule: &str, position: Position, message: String) -> RuleFailure {
        let mistake = Mistake::at(file, position, message);
        RuleFailure { rule: rule.to_owned(), mistake, needs_order: false }
    }
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => innermost(inner),
        error => error,
    }
}

/// Rhai's words for what went wrong while reading, put to a person who is no programmer.
fn say_parse_error(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::UnexpectedEOF => "the sheet ends in the middle of a statement".to_owned(),
        ParseErrorType::VariableUndefined(name) => format!("`{name}` is not known here"),
        ParseErrorType::MissingToken(token, wanted) if wanted.is_empty() => {
            format!("`{token}` is missing")
        }
        ParseErrorType::MissingToken(token, wanted) => format!("`{token}` is missing {wanted}"),
        ParseErrorType::MissingSymbol(message) => say_symbol(message),
        ParseErrorType::Reserved(name) => format!("`{name}` is a reserved word"),
        ParseErrorType::ExprTooDeep => "the expression is nested too deep".to_owned(),
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, message))
            if message.starts_with("reserved keyword") =>
        {
            format!("`{word}` cannot be used in a sheet")
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(_, message)) if !message.is_empty() => {
            message.clone()
        }
        other => lower_first(&other.to_string()),
    }
}

fn say_symbol(message: &str) -> String {
    match message {
        "Expecting a string" => "a title in double quotes is missing".to_owned(),
        "Expecting an integer number" => "a whole number is missing".to_owned(),
        other => lower_first(other),
    }
}

/// Rhai's words for what went wrong while running, put to a person who is no programmer.
fn say_runtime_error(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => format!(
            "it does too much: a rule may take {} steps, and a loop may have no end",
            crate::engine::OPERATIONS_MAX
        ),
        EvalAltResult::ErrorStackOverflow(_) => "a function calls itself too often".to_owned(),
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            format!("it makes a value that is too large: {}", lower_first(what))
        }
        EvalAltResult::ErrorVariableNotFound(name, _)
            if VOCABULARY.iter().any(|(fact, _)| fact == name) =>
        {
            format!("`{name}` is not known here; a function sees only what it is given")
        }
        EvalAltResult::ErrorVariableNotFound(name, _)
        | EvalAltResult::ErrorPropertyNotFound(name, _) => format!("`{name}` is not known here"),
        EvalAltResult::ErrorFunctionNotFound(call, _) => {
            format!("`{}` cannot be used here", plain_types(call))
        }
        EvalAltResult::ErrorArithmetic(message, _) => lower_first(message),
        EvalAltResult::ErrorMismatchDataType(wanted, found, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, found, _) => {
            format!("{} is needed here, not {}", plain_types(wanted), plain_types(found))
        }
        EvalAltResult::ErrorRuntime(text, _) => text.to_string(),
        other => {
            let text = other.to_string();
            let text = text.split(" (line ").next().unwrap_or(&text);
            plain_types(&lower_first(text))
        }
    }
}

/// The engine's names of types, in words.
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
        ("rules::facts::OrderFacts", "an order"),
        ("rules::facts::MemberFacts", "a member"),
        ("rules::facts::ActivityFacts", "an activity"),
        ("rules::facts::LineFacts", "a line"),
        ("rules::facts::LocalTime", "a time"),
        ("ledger::entry::Gives", "a reward"),
        ("bool", "yes or no"),
    ] {
        text = text.replace(engine, word);
    }
    text
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    let rest = chars.as_str();
    format!("{first}{rest}").trim_end_matches('.').to_owned()
}

/// `; did you mean ...?` where one of the known words is near, or nothing.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .min()
        // A third of the letters may be wrong, at least one.
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1))
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}
