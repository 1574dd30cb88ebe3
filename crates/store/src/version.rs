use ledger::{Entry, Member, Moment, Posting, Seq, Verb};
use serde_json::value::RawValue;

use crate::operation::Fingerprint;

/// The answer to an operation, as it is given now and at every repeat.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The hash of the bundle that decided.
    pub bundle: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Box<RawValue>,
}

/// One version of a member, for ever: the entry that made it, the answer that was given, and the
/// member as it was after. It is written once and never changed.
#[derive(Debug, Clone)]
pub struct Version {
    /// The ledger line.
    pub entry: Entry,
    /// The member that it led to.
    pub member: Member,
    /// When somebody has to look at it next; never if nothing.
    pub due_at: Option<Moment>,
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

/// What can be read of a version for ever, and the version itself as long as its person is not
/// forgotten.
#[derive(Debug, Clone)]
pub struct VersionLine {
    /// Its number.
    pub seq: Seq,
    /// When it was decided.
    pub at: Moment,
    /// The verb that made it.
    pub verb: Verb,
    /// The verb by which a member moved units here that shares these wallets.
    pub moved: Option<Verb>,
    /// What changed in which lot.
    pub postings: Vec<Posting>,
    /// The hash of the version before it, as it says; nothing for the first.
    pub previous: Option<String>,
    /// Its own hash, as it lies in the table.
    pub hash: String,
    /// Whether somebody asked for it under a key.
    pub asked: bool,
    /// All of it.
    pub version: Option<Version>,
}
