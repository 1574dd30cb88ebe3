use data_encoding::BASE64URL_NOPAD;
use ledger::Entry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::table::{ENTRY_PREFIX, MemberKey};

/// 128 bits of SHA-256 as 22 characters: enough that nothing meets by chance.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    BASE64URL_NOPAD.encode(&hasher.finalize()).chars().take(22).collect()
}

/// What a request asked for, so that the same key with another body is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a JSON body. Layout and the order of its keys do not count.
    #[must_use]
    pub fn of(body: &serde_json::Value) -> Fingerprint {
        Fingerprint(digest(&[body.to_string().as_bytes()]))
    }
}

/// One request that changes a member: which, and asking for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    name: Name,
    pub(crate) fingerprint: Fingerprint,
}

/// How an operation's record is named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// By its key: a repeat finds it.
    Key(String),
    /// By the member's version that it makes: nobody asks for it again.
    Version(&'static str),
}

fn sk(verb: &str, name: &str) -> String {
    format!("{ENTRY_PREFIX}{}", digest(&[verb.as_bytes(), name.as_bytes()]))
}

impl Operation {
    /// The operation that a verb does under an idempotency key. Keys of different verbs, and of
    /// different members, do not meet.
    #[must_use]
    pub fn new(verb: &str, idempotency_key: &str, fingerprint: Fingerprint) -> Operation {
        Operation { name: Name::Key(sk(verb, idempotency_key)), fingerprint }
    }

    /// Work that nobody asked for under a key: the scheduled run's. It writes down what is true of
    /// the member, so that what keeps it from happening twice is that it is no longer true.
    #[must_use]
    pub fn scheduled(verb: &'static str) -> Operation {
        let fingerprint = Fingerprint::of(&serde_json::Value::Null);
        Operation { name: Name::Version(verb), fingerprint }
    }

    /// Where a record of it would lie if it had been done before.
    pub(crate) fn sk(&self) -> Option<&str> {
        match &self.name {
            Name::Key(sk) => Some(sk),
            Name::Version(_) => None,
        }
    }

    /// Where the record of what it means for the member who brought `friend` goes.
    pub(crate) fn sk_of_referral(&self, friend: &MemberKey, seq: u64) -> String {
        sk("referral", &format!("{friend} {}", self.sk_at(seq)))
    }

    /// Where its record goes, as the entry `seq` of the member.
    pub(crate) fn sk_at(&self, seq: u64) -> String {
        match &self.name {
            Name::Key(sk) => sk.clone(),
            Name::Version(verb) => sk(verb, &format!("version {seq}")),
        }
    }
}

/// What is remembered of one operation, for ever: the entry, and the answer given. It is written
/// once and never changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The ledger line.
    pub entry: Entry,
    /// The bundle that decided.
    pub bundle: String,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// The hash of the record before it in the member's history; nothing for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// The answer, byte for byte.
    pub answer: Box<RawValue>,
}

/// The hash of a record as it lies in the table.
pub(crate) fn record_hash(body: &[u8]) -> String {
    digest(&[body])
}
