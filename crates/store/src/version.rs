//! Versions: what is stored of one operation on one member.

use ledger::{Entry, Member, Moment, Posting, Seq, Verb};
use serde_json::value::RawValue;

use crate::operation::Fingerprint;

/// The answer to an operation, the same for the first request and for every repeat.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The hash of the bundle that decided.
    pub bundle: String,
    /// The HTTP status.
    pub status: u16,
    /// The body of the response, as JSON.
    pub body: Box<RawValue>,
}

/// One version of a member: the entry that made it, the answer, and the member after the entry. It
/// is written once and never changed.
#[derive(Debug, Clone)]
pub struct Version {
    /// The entry.
    pub entry: Entry,
    /// The member after the entry.
    pub member: Member,
    /// The member's due date: when the scheduled run has to process it next; `None` if never.
    pub due_at: Option<Moment>,
    /// The hash of the bundle that decided.
    pub bundle: String,
    /// The fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// The hash of the version before it; `None` for the first.
    pub previous: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The body of the answer, byte for byte.
    pub answer: Box<RawValue>,
}

/// The part of a version that can be read for ever, and the whole version unless its person was
/// erased.
#[derive(Debug, Clone)]
pub struct VersionLine {
    /// The number of the version.
    pub seq: Seq,
    /// When its entry was decided.
    pub at: Moment,
    /// The verb that made it.
    pub verb: Verb,
    /// The verb of the other member's entry that moved units here, if the verb is `share`.
    pub moved: Option<Verb>,
    /// The movements of units.
    pub postings: Vec<Posting>,
    /// The hash of the version before it, as this version states it; `None` for the first.
    pub previous: Option<String>,
    /// The hash of this version, computed from its item in the table.
    pub hash: String,
    /// Whether a request with an idempotency key made it.
    pub asked: bool,
    /// The whole version; `None` if it was sealed before the person was erased.
    pub version: Option<Version>,
}
