//! Operations: requests that change a member, how a repeat is recognized, and what was asked for.

use data_encoding::BASE64URL_NOPAD;
use ledger::{Entry, EntryKind, Seq, Verb};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A digest of parts: 132 bits of SHA-256 as 22 characters of base64, so that no two collide by
/// chance. Each part is hashed after its length.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    BASE64URL_NOPAD.encode(&hasher.finalize()).chars().take(22).collect()
}

/// A digest of what a request asked for, which shows that a key is reused with another body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a JSON body. Its whitespace and the order of its keys do not count.
    #[must_use]
    pub fn of(body: &serde_json::Value) -> Fingerprint {
        Fingerprint(digest(&[body.to_string().as_bytes()]))
    }
}

impl Fingerprint {
    /// The fingerprint of this body together with what the path names.
    #[must_use]
    pub fn about(&self, name: &str) -> Fingerprint {
        Fingerprint(digest(&[self.0.as_bytes(), name.as_bytes()]))
    }
}

/// One request that changes a member: its name and its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The name by which a repeat is recognized; `None` for work that has no key.
    pub(crate) name: Option<String>,
    pub(crate) about: About,
    pub(crate) fingerprint: Fingerprint,
}

/// What a request is about beside its member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    Nothing,
    /// An activity of a type: activities of several types may have one id. `key` is the name of its
    /// idempotency key, if it has an id of its own.
    Activity {
        kind: String,
        key: Option<String>,
        /// Whether it puts another right, which may have its id.
        replaces: bool,
    },
    /// An entry that the request undoes.
    Undone(Seq),
}

impl Operation {
    /// The operation of a verb under an idempotency key. The same key under another verb, or for
    /// another member, is another operation.
    #[must_use]
    pub fn new(verb: Verb, idempotency_key: &str, fingerprint: Fingerprint) -> Operation {
        let name = Some(name(verb, idempotency_key));
        Operation { name, about: About::Nothing, fingerprint }
    }

    /// The operation of an activity. It is recognized by its id, unique within its type, whatever
    /// the key; without an id, the key is its id.
    #[must_use]
    pub fn of_activity(
        kind: &str,
        id: &str,
        idempotency_key: &str,
        fingerprint: Fingerprint,
    ) -> Operation {
        let key = (id != idempotency_key).then(|| name(Verb::Earn, idempotency_key));
        let about = About::Activity { kind: kind.to_owned(), key, replaces: false };
        Operation { name: Some(name(Verb::Earn, id)), about, fingerprint }
    }

    /// The same operation of an activity that puts another right, which may have its id.
    #[must_use]
    pub fn replacing(mut self) -> Operation {
        if let About::Activity { replaces, .. } = &mut self.about {
            *replaces = true;
        }
        self
    }

    /// An operation that undoes an entry. A repeat of that entry's request finds it.
    #[must_use]
    pub fn undoing(
        verb: Verb,
        idempotency_key: &str,
        entry: Seq,
        fingerprint: Fingerprint,
    ) -> Operation {
        let name = Some(name(verb, idempotency_key));
        Operation { name, about: About::Undone(entry), fingerprint }
    }

    /// An operation that nobody requested, such as one of the scheduled run. It needs no key: once it
    /// is done, nothing of it is left to do, so it cannot happen twice.
    #[must_use]
    pub fn unasked() -> Operation {
        let fingerprint = Fingerprint::of(&serde_json::Value::Null);
        Operation { name: None, about: About::Nothing, fingerprint }
    }

    /// The second name of the version, in the index `by_key`.
    pub(crate) fn second_name(&self) -> Option<String> {
        match &self.about {
            About::Nothing => None,
            About::Activity { key, .. } => key.clone(),
            About::Undone(entry) => Some(undoing(*entry)),
        }
    }

    /// Whether an entry is of the type of this operation's activity.
    pub(crate) fn is_of_kind(&self, entry: &Entry) -> bool {
        match (&self.about, &entry.kind) {
            (About::Activity { kind, .. }, EntryKind::Earn { activity }) => activity.kind == *kind,
            _ => true,
        }
    }
}

/// The name of the entries that undo an entry.
pub(crate) fn undoing(entry: Seq) -> String {
    digest(&[b"undoes", entry.to_string().as_bytes()])
}

pub(crate) fn name(verb: Verb, idempotency_key: &str) -> String {
    digest(&[verb.as_str().as_bytes(), idempotency_key.as_bytes()])
}
