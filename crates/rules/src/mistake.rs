//! Mistakes in a merchant's files, and their messages: where, what, and how to fix them.

use std::fmt;
use std::ops::Range;

use rhai::Position;

use crate::pieces::{byte_of, place_of};

pub use failure::RuleFailure;
pub(crate) use failure::{NO_ORDER, plain_types};
pub use tables::{say_found_for_wanted, say_toml};

/// Rules that failed while they ran.
mod failure;
/// Sheets that cannot be read.
mod syntax;
/// Manifests and specs that cannot be read.
mod tables;

/// A mistake in a merchant's file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file; empty for the folder as a whole.
    pub file: String,
    /// The line and column, counted from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and how to fix it.
    pub message: String,
    /// Whether it prevents the use of the bundle.
    pub severity: Severity,
}

/// Whether a mistake prevents the use of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The bundle cannot be used.
    Error,
    /// The bundle can be used, but is likely not what the merchant meant.
    Warning,
}

impl Mistake {
    /// An error of a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, message: String) -> Mistake {
        Mistake { file: file.to_owned(), place: None, message, severity: Severity::Error }
    }

    /// An error of the folder as a whole.
    #[must_use]
    pub fn of_folder(message: String) -> Mistake {
        Mistake::of_file("", message)
    }

    /// A warning about a file as a whole.
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

    /// An error at a byte of a text.
    #[must_use]
    pub fn at_byte(file: &str, text: &str, byte: usize, message: String) -> Mistake {
        let place = Some(place_of(text, byte));
        Mistake { file: file.to_owned(), place, message, severity: Severity::Error }
    }

    /// The mistake's byte in the text; the end of the text if the mistake has no place.
    fn byte(&self, text: &str) -> usize {
        self.place.and_then(|place| byte_of(text, place)).unwrap_or(text.len())
    }

    /// The bytes of the text that a report underlines; nothing if the mistake has no place.
    #[must_use]
    pub fn bytes(&self, text: &str) -> Option<Range<usize>> {
        let (line, column) = self.place?;
        let start = byte_of(text, (line, column))?;
        let end = byte_of(text, (line, column + self.length(text)))?;
        Some(start..end.max(start))
    }
}

/// The word or character at a place in a text.
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
    /// The number of characters that a report underlines.
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

/// The rejection of a merchant's files, with their mistakes and not only the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRejection {
    /// The merchant whose rules they are.
    pub merchant: String,
    /// The errors, at least one, and the warnings.
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

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    let rest = chars.as_str();
    format!("{first}{rest}").trim_end_matches('.').to_owned()
}
