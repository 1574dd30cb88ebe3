use ledger::{Entry, Member};
use serde_json::value::RawValue;

use crate::operation::Fingerprint;

/// One version of a member, for ever: the entry that made it, the answer that was given, and the
/// member as it was after. It is written once and never changed.
#[derive(Debug, Clone)]
pub struct Version {
    /// The ledger line.
    pub entry: Entry,
    /// The member that it led to.
    pub member: Member,
    /// The bundle that decided.
    pub bundle: String,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// The hash of the version before it; nothing for the first.
    pub previous: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// The answer, byte for byte.
    pub answer: Box<RawValue>,
}
