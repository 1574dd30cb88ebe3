use std::fmt;
use std::sync::Arc;

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use crate::grammar::is_keyword;
use crate::pieces::{byte_of, still_open};
use crate::source::SPEC_END;
use crate::vocabulary::FACTS;

/// Something wrong in a merchant's file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file; empty for the folder as a whole.
    pub file: String,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what would mend it.
    pub message: String,
    /// Whether it stands in the way.
    pub severity: Severity,
}

/// Whether a mistake stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The bundle cannot be used.
    Error,
    /// It can be used, and is likely not what was meant.
    Warning,
}

impl Mistake {
    pub(crate) fn of_file(file: &str, message: String) -> Mistake {
        Mistake { file: file.to_owned(), place: None, message, severity: Severity::Error }
    }

    /// A mistake of the folder as a whole.
    #[must_use]
    pub fn of_folder(message: String) -> Mistake {
        Mistake::of_file("", message)
    }

    /// Something odd about a file as a whole.
    #[must_use]
    pub fn of_name(file: &str, message: String) -> Mistake {
        Mistake { severity: Severity::Warning, ..Mistake::of_file(file, message) }
    }

    pub(crate) fn at(file: &str, position: Position, message: String) -> Mistake {
        let place = place(position);
        Mistake { file: file.to_owned(), place, message, severity: Severity::Error }
    }

    pub(crate) fn warning(file: &str, position: Position, message: String) -> Mistake {
        Mistake { severity: Severity::Warning, ..Mistake::at(file, position, message) }
    }

    /// A mistake at a byte of a text.
    pub(crate) fn at_byte(file: &str, text: &str, byte: usize, message: String) -> Mistake {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let place = Some((line, column));
        Mistake { file: file.to_owned(), place, message, severity: Severity::Error }
    }

    /// A file that is no TOML, or not the TOML that is wanted.
    pub(crate) fn of_toml(file: &str, text: &str, error: &toml::de::Error) -> Mistake {
        let mut message = say_toml(error);
        if message == TWICE && file.ends_with(SPEC_END) {
            message +=
                "; each spec begins with `[[spec]]`, and each of its steps with `[[spec.step]]`";
        }
        match error.span() {
            Some(span) => Mistake::at_byte(file, text, span.start, message),
            None => Mistake::of_file(file, message),
        }
    }

    pub(crate) fn of_parse_error(file: &str, text: &str, error: &ParseError) -> Mistake {
        let mistake = Mistake::at(file, error.position(), say_parse_error(error.err_type()));
        let found = mistake.place.and_then(|place| word_at(text, place));
        if mistake.is_about_the_end()
            && found.as_deref().is_none_or(is_keyword)
            && let Some(open) = still_open(text, mistake.byte(text))
        {
            let message = "`}` is missing: this block does not end".to_owned();
            return Mistake::at_byte(file, text, open, message);
        }
        match found {
            Some(found) if found == "else" && mistake.is_about_the_end() => {
                Mistake { message: "`}` is missing before `else`".to_owned(), ..mistake }
            }
            Some(found) if mistake.is_about_the_end() => {
                let remedy = match found.as_str() {
                    "," => "; an amount is written with a point: `20.00`, a thousand as `1_000`",
                    "and" => "; write `&&` for it",
                    "or" => "; write `||` for it",
                    "x" => "; times is written `*`",
                    _ => "",
                };
                let message = format!("{} before `{found}`{remedy}", mistake.message);
                Mistake { message, ..mistake }
            }
            _ => {
                let remedy = match before(text, mistake.place).as_str() {
                    "%" => "; 10 % of an amount is `percent(order.total, 10)`",
                    "from" | "until" if mistake.message == NO_NUMBER => {
                        "; a day is written such as 2026-08-31"
                    }
                    "most" if mistake.message == NO_NUMBER => "; write `at most 1 per week`",
                    "costs" if mistake.message == NO_NUMBER => "; write `costs 400 points`",
                    "(" | "," if found.as_deref() == Some("|") => {
                        "; walk through lines with `for line in order.lines { .. }`"
                    }
                    _ => "",
                };
                Mistake { message: format!("{}{remedy}", mistake.message), ..mistake }
            }
        }
    }

    fn is_about_the_end(&self) -> bool {
        self.message == UNFINISHED || self.message == SHEET_ENDS
    }

    /// Its byte in the text; the end where it has no place.
    fn byte(&self, text: &str) -> usize {
        self.place.and_then(|place| byte_of(text, place)).unwrap_or(text.len())
    }
}

/// The last word, or sign, before a place.
fn before(text: &str, place: Option<(usize, usize)>) -> String {
    let before = place.and_then(|(line, column)| {
        let line = text.lines().nth(line.checked_sub(1)?)?;
        Some(line.chars().take(column.checked_sub(1)?).collect::<String>())
    });
    let before = before.unwrap_or_default();
    let before = before.trim_end();
    let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if word.is_empty() { before.chars().last().into_iter().collect() } else { word.to_owned() }
}

/// What is said where a clause wants a number.
const NO_NUMBER: &str = "a whole number is missing";

/// What is said where a sheet does not end.
const SHEET_ENDS: &str = "the sheet ends in the middle of a statement";

/// What is said where a statement of a block does not end.
const UNFINISHED: &str = "`;` or `}` is missing";

/// The word, or the sign, at a place of a text.
pub(crate) fn word_at(text: &str, (line, column): (usize, usize)) -> Option<String> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let rest: Vec<char> = line.chars().skip(column.checked_sub(1)?).collect();
    let first = *rest.first()?;
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    Some(if first == '"' {
        let inside = rest.iter().skip(1).take_while(|c| **c != '"').count();
        rest.iter().take(inside + 2).collect()
    } else if is_part(&first) {
        rest.iter().take_while(|c| is_part(c)).collect()
    } else {
        first.to_string()
    })
}

impl Mistake {
    /// How many characters of the line are to blame, for carets under them.
    #[must_use]
    pub fn length(&self, text: &str) -> usize {
        let word = self.place.and_then(|place| word_at(text, place));
        word.map_or(1, |word| word.chars().count())
    }
}

pub(crate) fn place(position: Position) -> Option<(usize, usize)> {
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
    /// What is wrong, at least one error; what is likely wrong beside.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for BundleRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rules of `{}` cannot be used", self.merchant)?;
        let errors = self.mistakes.iter().filter(|mistake| mistake.severity == Severity::Error);
        { errors }.try_for_each(|mistake| write!(f, "\n  {mistake}"))
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
    pub(crate) fn of(
        file: &str,
        rule: &str,
        error: &EvalAltResult,
        file_of: impl Fn(&str) -> Option<Arc<str>>,
    ) -> RuleFailure {
        let inner = innermost(error);
        // What fails inside a function of the merchant's is told where the function stands.
        let file = innermost_function(error).and_then(file_of).unwrap_or_else(|| file.into());
        let file = &*file;
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

/// The function in which something failed.
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

/// Rhai's words for what went wrong while reading, put to a person who is no programmer.
fn say_parse_error(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::FnDuplicatedDefinition(name, _) => {
            format!("there is a function `{name}` already")
        }
        ParseErrorType::UnexpectedEOF => SHEET_ENDS.to_owned(),
        ParseErrorType::VariableUndefined(name) => format!("`{name}` is not known here"),
        // Between two statements of a block; most often a `}` or an operator was forgotten.
        ParseErrorType::MissingToken(token, wanted)
            if token == ";" && wanted.contains("terminate") =>
        {
            UNFINISHED.to_owned()
        }
        ParseErrorType::MissingToken(token, _) if token == "-" => {
            "a day is written such as 2026-08-31".to_owned()
        }
        ParseErrorType::MissingToken(token, wanted) if wanted.contains("_statement") => {
            format!("`{token}` is missing")
        }
        ParseErrorType::MissingToken(token, wanted) if wanted.is_empty() => {
            format!("`{token}` is missing")
        }
        ParseErrorType::MissingToken(token, wanted) => format!("`{token}` is missing {wanted}"),
        ParseErrorType::MissingSymbol(message) => say_symbol(message),
        ParseErrorType::Reserved(name) => say_forbidden(name),
        ParseErrorType::ExprTooDeep => "the expression is nested too deep".to_owned(),
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, message))
            if message.starts_with("reserved keyword") =>
        {
            say_forbidden(word)
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(_, message)) if !message.is_empty() => {
            message.clone()
        }
        other => lower_first(&other.to_string()),
    }
}

/// What a manifest says at its top, and TOML takes for a part of the table above it if it stands
/// further down.
const TOP_OF_MANIFEST: [&str; 4] = ["name", "currency", "time_zone", "main_wallet"];

/// What is said of a key that a table has already.
const TWICE: &str = "this stands here twice";

/// The reader's words for TOML that is not what is wanted, put to a person who is no programmer.
pub(crate) fn say_toml(error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', " ");
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    let (problem, wanted) = message.split_once(", expected ").unwrap_or((&message, ""));
    if let Some(found) = problem.strip_prefix("invalid type: ") {
        return format!("{} is needed here, not {}", say_wanted(wanted), say_found(found));
    }
    let unknown = ["unknown field ", "unknown variant "];
    if let Some(name) = unknown.iter().find_map(|unknown| problem.strip_prefix(unknown)) {
        let name = name.split('`').nth(1).unwrap_or(name);
        let known: Vec<&str> = wanted.split('`').skip(1).step_by(2).collect();
        let hint = match did_you_mean(name, known.iter().copied()) {
            _ if TOP_OF_MANIFEST.contains(&name) => {
                "; write it above the first line in square brackets".to_owned()
            }
            hint if hint.is_empty() && !known.is_empty() => {
                format!("; there is `{}`", known.join("`, `"))
            }
            hint => hint,
        };
        return format!("there is no `{name}` here{hint}");
    }
    if problem == "duplicate key" {
        return TWICE.to_owned();
    }
    if problem.starts_with("string values must be quoted") {
        return "a text stands in double quotes".to_owned();
    }
    message
}

fn say_wanted(wanted: &str) -> &str {
    match wanted {
        "i64" | "u32" | "u8" => "a whole number without quotes",
        "a string" | "a Decimal type representing a fixed-point number" => "a text in quotes",
        "a sequence" => "a list, such as [\"a\", \"b\"],",
        "a map" | "an object" => "a table, such as `{ points = 5 }`,",
        "a TOML datetime" => "a day without quotes, such as 2026-08-31,",
        "a boolean" => "true or false, without quotes,",
        other => other,
    }
}

fn say_found(found: &str) -> String {
    let kinds = [
        ("string ", "the text "),
        ("floating point ", "the number "),
        ("integer ", "the number "),
        ("boolean ", ""),
    ];
    let kind = kinds.iter().find_map(|(kind, word)| Some((word, found.strip_prefix(kind)?)));
    match (found, kind) {
        ("map", _) => "a table".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        (_, Some((word, value))) => format!("{word}{value}"),
        _ => found.to_owned(),
    }
}

/// A word of the engine that a sheet has no use for.
fn say_forbidden(word: &str) -> String {
    match word {
        "loop" | "while" | "do" => {
            format!(
                "`{word}` cannot be used in a sheet; `for` walks through lines, a list or a range"
            )
        }
        _ => format!("`{word}` cannot be used in a sheet"),
    }
}

fn say_symbol(message: &str) -> String {
    match message {
        "Expecting an integer number" => NO_NUMBER.to_owned(),
        "Expecting a string" => "a title in double quotes is missing".to_owned(),
        other => lower_first(other),
    }
}

/// Rhai's words for what went wrong while running, put to a person who is no programmer.
fn say_runtime_error(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => format!(
            "it does too much: all rules of an activity may take {} steps together, and a loop may have no end",
            crate::engine::OPERATIONS_MAX
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
        ("rules::facts::OrderFacts", "the order"),
        ("rules::facts::MemberFacts", "the member"),
        ("rules::facts::ActivityFacts", "the activity"),
        ("rules::facts::LinesFacts", "the lines of the order"),
        ("rules::facts::LineFacts", "a line of the order"),
        ("rules::facts::LocalTime", "a time"),
        ("rules::facts::Span", "a span of time"),
        ("ledger::entry::Gives", "a gift"),
        ("()", "nothing"),
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
        // A capital is no other letter.
        .map(|known| {
            (strsim::damerau_levenshtein(&word.to_lowercase(), &known.to_lowercase()), known)
        })
        .min()
        // A third of the letters may be wrong, at least one.
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1))
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}
