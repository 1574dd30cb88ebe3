use data_encoding::BASE64URL_NOPAD;
use ledger::Entry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::table::ENTRY_PREFIX;

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
    pub(crate) sk: String,
    pub(crate) fingerprint: Fingerprint,
}

impl Operation {
    /// The operation that a verb does under an idempotency key. Keys of different verbs, and of
    /// different members, do not meet.
    #[must_use]
    pub fn new(verb: &str, idempotency_key: &str, fingerprint: Fingerprint) -> Operation {
        let digest = digest(&[verb.as_bytes(), idempotency_key.as_bytes()]);
        Operation { sk: format!("{ENTRY_PREFIX}{digest}"), fingerprint }
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
