//! The requests that a file of orders stands for.

use std::fmt;

use ledger::text::TEXT_LENGTH_MAX;
use ledger::{MemberId, Moment, Verb};

/// One request of the file, as the API takes it: an activity, or the return of one.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The line in the file, from 1.
    pub(crate) line: u64,
    /// The idempotency key of the request.
    pub(crate) key: String,
    pub(crate) member: MemberId,
    pub(crate) at: Moment,
    /// Whether it is the member's earliest order in the file, before which the member is enrolled.
    pub(super) is_first: bool,
    /// The verb: `earn` or `reverse`.
    pub(crate) verb: Verb,
    /// The body of `POST /v1/members/{id}/earn` or `/reverse`.
    pub(crate) body: serde_json::Value,
}

/// A line that cannot be read or would be refused. The other lines are still read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(super) line: u64,
    /// The column's name, or the place in the line.
    pub(super) column: String,
    pub(super) reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.column, self.reason)
    }
}

/// The contents of a file: the orders sorted by time, and the bad lines.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) orders: Vec<Order>,
    pub(crate) bad: Vec<BadLine>,
}

/// The reason for which a file cannot be read as orders at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the orders `{path}` cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("the orders `{path}` are neither .csv nor .jsonl")]
    Kind { path: String },
    #[error("the orders `{path}` have no column `{column}`{hint}")]
    Column { path: String, column: &'static str, hint: String },
    #[error("the orders `{path}` have two columns `{heading}`")]
    Twice { path: String, heading: String },
    #[error(
        "the orders `{path}` have a column `{heading}`, which is not read; rename it, or say --column {name}={heading}"
    )]
    Heading { path: String, heading: String, name: &'static str },
    #[error("there are no orders in `{path}`")]
    Empty { path: String },
}

/// Checks that an order's number can be the idempotency key of its request.
pub(super) fn key_of(order: &str) -> Result<(), String> {
    match order.len() {
        0 => Err("it is empty".to_owned()),
        1..=TEXT_LENGTH_MAX
            if order.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') =>
        {
            Ok(())
        }
        _ => Err(format!(
            "`{}` is not 1 to {TEXT_LENGTH_MAX} plain characters",
            order.escape_debug()
        )),
    }
}
