//! What is wrong with a value of the input, and where it stands.

use ledger::money::AmountRejection;

/// An input error, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", place(.pointer, .reason))]
pub struct InputError {
    /// The place of the value, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong with the value.
    pub reason: InputErrorReason,
}

fn place(pointer: &str, reason: &InputErrorReason) -> String {
    match reason {
        // The message names the activity itself.
        InputErrorReason::ActivityIsUnknown { .. } => String::new(),
        _ if pointer.is_empty() => String::new(),
        _ => format!("`{pointer}`: "),
    }
}

/// What is wrong with a value of the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputErrorReason {
    /// A field is unknown or out of bounds.
    #[error("{0}")]
    Field(String),
    /// The manifest does not list the activity.
    #[error("there is no activity `{kind}`{hint}")]
    ActivityIsUnknown {
        /// The type of the activity.
        kind: String,
        /// The hint "did you mean", or an empty text.
        hint: String,
    },
    /// The amount is not valid in the programme's currency.
    #[error(transparent)]
    Amount(#[from] AmountRejection),
}

/// A name, escaped as a part of a JSON pointer (RFC 6901).
#[must_use]
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

pub(super) fn wrong(pointer: &str, reason: String) -> InputError {
    InputError { pointer: pointer.to_owned(), reason: InputErrorReason::Field(reason) }
}
