//! Sheets that cannot be read: the engine's errors, reworded for people who are not programmers.

use rhai::{LexError, ParseError, ParseErrorType};

use super::{Mistake, lower_first, word_at};
use crate::grammar::is_keyword;
use crate::pieces::still_open;

/// The message where a clause needs a number.
const NO_NUMBER: &str = "a whole number is missing";
/// The message where a sheet ends too early.
const SHEET_ENDS: &str = "the sheet ends in the middle of a statement";
/// The message where a statement of a block does not end.
const UNFINISHED: &str = "`;` or `}` is missing";
/// The message where two items in brackets are not separated.
const NO_SEPARATOR: &str = "`,` or the closing bracket is missing";
/// The message where a block does not begin.
const NO_BLOCK: &str = "`{` is missing";

impl Mistake {
    pub(crate) fn of_parse_error(file: &str, text: &str, error: &ParseError) -> Mistake {
        let mistake = Mistake::at(file, error.position(), say(error.err_type()));
        let said = mistake.message.as_str();
        let found = mistake.place.and_then(|place| word_at(text, place));
        if [UNFINISHED, SHEET_ENDS].contains(&said)
            && found.as_deref().is_none_or(is_keyword)
            && let Some(open) = still_open(text, mistake.byte(text))
        {
            let message = "`}` is missing: this block does not end".to_owned();
            return Mistake::at_byte(file, text, open, message);
        }
        let remedy = remedy(said, &before(text, mistake.place), found.as_deref().unwrap_or(""));
        let message = match found.as_deref() {
            Some("else") if said == UNFINISHED => "`}` is missing before `else`".to_owned(),
            Some(found) if [UNFINISHED, SHEET_ENDS].contains(&said) => {
                format!("{said} before `{found}`{remedy}")
            }
            _ => format!("{said}{remedy}"),
        };
        Mistake { message, ..mistake }
    }
}

/// A hint at the fix, chosen by the message, the word before the place and the word at the place.
fn remedy(said: &str, before: &str, found: &str) -> &'static str {
    match (said, before, found) {
        (UNFINISHED, _, ",") => {
            "; an amount is written with a point: `20.00`, a thousand as `1_000`"
        }
        (UNFINISHED, _, "and") => "; write `&&` for it",
        (UNFINISHED, _, "or") => "; write `||` for it",
        (UNFINISHED, _, "x") => "; times is written `*`",
        (UNFINISHED, number, word)
            if number.starts_with(|c: char| c.is_ascii_digit())
                && word.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            "; a number stands alone here, and the wallet in `into`"
        }
        (UNFINISHED, _, "AND") => "; write `&&` for it",
        (UNFINISHED, _, "OR") => "; write `||` for it",
        (NO_SEPARATOR, _, "days" | "weeks" | "months" | "years") => "; a span is written `30.days`",
        (NO_BLOCK, _, "=") => "; at least is written `>=`",
        (NO_BLOCK, _, _) => "; what is done then stands in `{ }`",
        (NO_NUMBER, "from" | "until", _) => "; a day is written such as 2026-08-31",
        (NO_NUMBER, "most", _) => "; write `at most 1 per week`",
        (NO_NUMBER, _, number) if number.starts_with(|c: char| c.is_ascii_digit()) => {
            "; it has no decimals"
        }
        (NO_NUMBER, "costs", _) => "; write `costs 400 points`",
        (_, "per", _) => "; it is one period: write `per week`",
        (_, "%", _) => "; 10 % of an amount is `percent(order.total, 10)`",
        (_, _, ".") => "; a part of one is written with a 0 before it: `0.5`",
        (_, "=", "<") => "; at most is written `<=`",
        (_, "<", ">") => "; not equal is written `!=`",
        (_, "&" | "|", "<" | ">" | "=") => {
            "; each side of it is a whole comparison: `now.hour >= 5 && now.hour < 9`"
        }
        (_, "(" | ",", "|") => "; walk through lines with `for line in order.lines { .. }`",
        _ => "",
    }
}

/// The last word or character before a place.
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

#[expect(clippy::too_many_lines, reason = "a table of cases: one for each error of the parser")]
fn say(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::FnDuplicatedDefinition(name, _) => {
            format!("there is a function `{name}` already")
        }
        ParseErrorType::FnMissingName | ParseErrorType::FnMissingParams(_) => {
            "a function is written `fn name(a, b) { .. }`".to_owned()
        }
        ParseErrorType::FnMissingBody(name) => {
            format!("the block in `{{ }}` of `{name}` is missing")
        }
        ParseErrorType::WrongFnDefinition => {
            "a function stands by itself, not inside a block".to_owned()
        }
        ParseErrorType::UnexpectedEOF => SHEET_ENDS.to_owned(),
        ParseErrorType::VariableUndefined(name) => format!("`{name}` is not known here"),
        ParseErrorType::VariableExists(name) => {
            format!("there is a `{name}` already; give it another value with `{name} = ..;`")
        }
        ParseErrorType::VariableExpected => "a name is missing".to_owned(),
        ParseErrorType::PropertyExpected => {
            "after a point stands a word, as in `order.total`".to_owned()
        }
        ParseErrorType::AssignmentToConstant(name) if !name.is_empty() => {
            format!("`{name}` cannot be changed; begin it with `let`")
        }
        ParseErrorType::AssignmentToConstant(_) | ParseErrorType::AssignmentToInvalidLHS(_) => {
            "`=` gives a value to a name of your own; equal is written `==`".to_owned()
        }
        ParseErrorType::ExprExpected(what) if what.contains("boolean") => {
            "the condition is missing".to_owned()
        }
        ParseErrorType::WrongSwitchDefaultCase => "`_` stands last in a `switch`".to_owned(),
        ParseErrorType::WrongSwitchCaseCondition => {
            "`_` is for all that is left, and takes no `if`".to_owned()
        }
        ParseErrorType::LoopBreak => "this stands only in the block of a `for`".to_owned(),
        ParseErrorType::UnknownOperator(sign) if ["++", "--"].contains(&sign.as_str()) => {
            "one more is written `sum += 1;`, one less `sum -= 1;`, and a comment begins with `//`".to_owned()
        }
        ParseErrorType::UnknownOperator(sign) if sign == "?" => {
            "one or the other is written `if now.weekend { 10 } else { 5 }`".to_owned()
        }
        ParseErrorType::UnknownOperator(sign) => format!("`{sign}` has no meaning in a sheet"),
        // The parser misses a `;`; most often the sheet lacks a `}` or an operator.
        ParseErrorType::MissingToken(token, wanted)
            if token == ";" && wanted.contains("terminate") =>
        {
            UNFINISHED.to_owned()
        }
        ParseErrorType::MissingToken(token, _) if token == "-" => {
            "a day is written such as 2026-08-31".to_owned()
        }
        ParseErrorType::MissingToken(token, wanted)
            if token == "," && wanted.contains("separate") =>
        {
            NO_SEPARATOR.to_owned()
        }
        ParseErrorType::MissingToken(token, _) => format!("`{token}` is missing"),
        ParseErrorType::MissingSymbol(message) => say_symbol(message),
        ParseErrorType::Reserved(name) => say_forbidden(name),
        ParseErrorType::ExprTooDeep => {
            "this is too long for one condition; many articles are asked with `line.sku in [\"a\", \"b\"]`, walking through `order.lines`".to_owned()
        }
        ParseErrorType::MismatchedType(wanted, found)
            if wanted.contains("boolean") && found.contains("string") =>
        {
            "each side is a whole condition: `now.weekday == \"Tuesday\" || now.weekday == \"Thursday\"`".to_owned()
        }
        ParseErrorType::MismatchedType(wanted, _) if wanted.contains("boolean") => {
            "a condition is yes or no".to_owned()
        }
        ParseErrorType::BadInput(LexError::UnexpectedInput(sign)) => {
            format!("`{sign}` cannot stand here")
        }
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

/// The message about a word of the engine that a sheet must not use.
fn say_forbidden(word: &str) -> String {
    match word {
        "loop" | "while" | "do" => {
            format!(
                "`{word}` cannot be used in a sheet; `for` walks through lines, a list or a range"
            )
        }
        "--" => "a comment begins with `//`".to_owned(),
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
