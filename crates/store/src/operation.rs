//! A request that changes a member: how a repeat is recognized, and what it asked for.

use data_encoding::BASE64URL_NOPAD;
use ledger::Verb;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// 128 bits of SHA-256 as 22 characters: enough that nothing meets by chance.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
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

impl Fingerprint {
    /// The fingerprint of the same body where it is about something that its path names.
    #[must_use]
    pub fn about(&self, name: &str) -> Fingerprint {
        Fingerprint(digest(&[self.0.as_bytes(), name.as_bytes()]))
    }
}

/// One request that changes a member: which, and asking for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What a repeat is known by; nothing for work that nobody asks for again.
    pub(crate) name: Option<String>,
    pub(crate) fingerprint: Fingerprint,
}

impl Operation {
    /// The operation that a verb does under an idempotency key. Keys of different verbs, and of
    /// different members, do not meet.
    #[must_use]
    pub fn new(verb: Verb, idempotency_key: &str, fingerprint: Fingerprint) -> Operation {
        let name = digest(&[verb.as_str().as_bytes(), idempotency_key.as_bytes()]);
        Operation { name: Some(name), fingerprint }
    }

    /// Work that nobody asked for under a key: the scheduled run's. It writes down what is true of
    /// the member, so that what keeps it from happening twice is that it is no longer true.
    #[must_use]
    pub fn scheduled() -> Operation {
        Operation { name: None, fingerprint: Fingerprint::of(&serde_json::Value::Null) }
    }
}
