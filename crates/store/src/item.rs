//! Persons and versions as items of the table, and how they are read back.
//!
//! Call `of_person` and `of_version` to make an item, and `to_person`, `to_version` and `to_line`
//! to read one. A field that is added to a stored type needs a `serde` default, since versions are
//! never rewritten. A version is billed by the started kilobyte, so the body is packed. What an index
//! or an operator selects by stays in plain attributes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::DateTime;
use ledger::enroll::{self, Enrolment};
use ledger::entry::Note;
use ledger::posting::AccountEntry;
use ledger::tier_status::{TierChange, TierStatus};
use ledger::{
    Change, DerivedAgain, Entry, EntryKind, Member, MemberId, Moment, Posting, Reason, Seq,
    SharedLimit, Units, Verb, WalletName, Withdrawal,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::StoreError;
use crate::key::{
    DUE, DUE_AT, Item, KEY, MemberKey, OP, PERSON_SK, SCORE_PREFIX, SK, VERSION_PREFIX, due_key,
    primary_key, version_sk,
};
use crate::operation::{Fingerprint, Operation, digest};
use crate::seal::{self, Place, Secret};
use crate::stored_member::{self, StoredMember, moment};
use crate::version::{Version, VersionLine};

pub(crate) const BODY: &str = "body";
/// The attribute of the person's own key.
const SECRET: &str = "secret";

/// A person as enrolled: what no entry changes, and the key that opens all its versions.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) enrolment: Enrolment,
    pub(crate) enrolled_at: Moment,
    /// The fingerprint of the enrolment, by which a repeat is recognized.
    pub(crate) fingerprint: Fingerprint,
    /// The due date in the due index. A request uses it only until the member has a version; then
    /// it uses the newest version's, which is consistent with the rest of the member.
    pub(crate) due_at: Option<Moment>,
    /// The person's own key; `None` once the person is erased.
    pub(crate) secret: Option<Secret>,
}

/// A loaded member, and what only the store needs of it.
#[derive(Debug, Clone)]
pub(crate) struct LoadedMember {
    pub(crate) person: Person,
    pub(crate) member: Member,
    /// Its due date in the due index.
    pub(crate) due_at: Option<Moment>,
    /// The hash of its last version; `None` if it has none.
    pub(crate) head: Option<String>,
}

impl Person {
    /// The member as enrolled, before its first entry.
    pub(crate) fn member(&self) -> Member {
        enroll::decide(self.enrolment.clone(), self.enrolled_at)
    }
}

#[derive(Serialize, Deserialize)]
struct StoredPerson {
    pk: String,
    sk: String,
    enrolled_at: i64,
    enrolment: Fingerprint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    referred_by: Option<MemberId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
}

pub(crate) fn of_person(key: &MemberKey, person: &Person) -> Result<Item, StoreError> {
    let stored = StoredPerson {
        pk: key.pk(),
        sk: PERSON_SK.to_owned(),
        enrolled_at: person.enrolled_at.timestamp(),
        enrolment: person.fingerprint.clone(),
        referred_by: person.enrolment.referred_by.clone(),
        attributes: person.enrolment.attributes.clone(),
        tags: person.enrolment.tags.clone(),
    };
    let item = serde_dynamo::to_item(stored);
    let mut item: Item = item.map_err(|error| StoreError::unreadable(&key.pk(), error))?;
    if let Some(secret) = &person.secret {
        item.insert(SECRET.to_owned(), AttributeValue::B(Blob::new(secret.bytes())));
    }
    if let Some(due_at) = person.due_at {
        item.extend(due(key, due_at));
    }
    Ok(item)
}

/// The attributes that put a member into the due index.
pub(crate) fn due(key: &MemberKey, due_at: Moment) -> [(String, AttributeValue); 2] {
    [
        (DUE.to_owned(), AttributeValue::S(due_key(key.shard()))),
        (DUE_AT.to_owned(), AttributeValue::N(due_at.timestamp().to_string())),
    ]
}

pub(crate) fn to_person(key: &MemberKey, item: Item) -> Result<Person, StoreError> {
    let pk = key.pk();
    let secret = blob(&item, SECRET).map(|bytes| {
        Secret::of(bytes).ok_or_else(|| StoreError::unreadable(&pk, "its key is none"))
    });
    let secret = secret.transpose()?;
    let due_at = moment_of(&item, DUE_AT);
    let stored: StoredPerson =
        serde_dynamo::from_item(item).map_err(|error| StoreError::unreadable(&pk, error))?;
    let enrolment = Enrolment {
        id: key.member.clone(),
        attributes: stored.attributes,
        tags: stored.tags,
        referred_by: stored.referred_by,
    };
    let enrolled_at = moment(&pk, stored.enrolled_at)?;
    Ok(Person { enrolment, enrolled_at, fingerprint: stored.enrolment, due_at, secret })
}

/// The open part of a version, readable for ever.
#[derive(Serialize, Deserialize)]
struct Open {
    at: Moment,
    verb: Verb,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved: Option<Verb>,
    postings: Vec<Posting>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

/// The sealed part of a version, readable while the person's key exists.
#[derive(Serialize, Deserialize)]
struct Sealed {
    kind: EntryKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withdrawals: Vec<Withdrawal>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    returns: Vec<Withdrawal>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exhausted: Vec<SharedLimit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Note>,
    balances: BTreeMap<WalletName, Units>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<DerivedAgain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier: Option<TierChange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier_status: Option<TierStatus>,
    bundle: String,
    fingerprint: Fingerprint,
    status: u16,
    answer: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
    member: StoredMember,
}

/// The item of a version.
pub(crate) fn of_version(
    key: &MemberKey,
    version: &Version,
    operation: &Operation,
    secret: Option<&Secret>,
) -> Result<Item, StoreError> {
    let pk = key.pk();
    let Version { entry, member, due_at, bundle, fingerprint, previous, status, answer } = version;
    let open = Open {
        at: entry.at,
        verb: entry.kind.verb(),
        moved: moved(&entry.kind),
        postings: entry.postings.clone(),
        previous: previous.clone(),
    };
    let sealed = Sealed {
        kind: entry.kind.clone(),
        reasons: entry.reasons.clone(),
        changes: entry.changes.clone(),
        account: entry.account.clone(),
        withdrawals: entry.withdrawals.clone(),
        returns: entry.returns.clone(),
        exhausted: entry.exhausted.clone(),
        notes: entry.notes.clone(),
        balances: entry.balances.clone(),
        again: entry.again.clone(),
        tier: entry.tier.clone(),
        tier_status: entry.tier_status.clone(),
        bundle: bundle.clone(),
        fingerprint: fingerprint.clone(),
        status: *status,
        answer: answer.clone(),
        due_at: due_at.map(|at| at.timestamp()),
        member: stored_member::stored(member),
    };
    let text = |error: serde_json::Error| StoreError::unreadable(&pk, error);
    let open = serde_json::to_vec(&open).map_err(text)?;
    let sealed = serde_json::to_vec(&sealed).map_err(text)?;
    let second = operation.second_name();
    let (op, second) = (operation.name.as_deref(), second.as_deref());
    let place = Place { pk: &pk, seq: entry.seq, op, key: second };
    let body = seal::pack(place, &open, &sealed, secret)
        .map_err(|reason| StoreError::Refused(format!("an entry cannot be written: {reason}")))?;
    let mut item = primary_key(&pk, &version_sk(entry.seq));
    item.insert(BODY.to_owned(), AttributeValue::B(Blob::new(body)));
    for (attribute, name) in [(OP, op), (KEY, second)] {
        if let Some(name) = name {
            item.insert(attribute.to_owned(), AttributeValue::S(name.to_owned()));
        }
    }
    Ok(item)
}

/// The verb of the other member's entry that moved units here, if the entry is a `share`.
fn moved(kind: &EntryKind) -> Option<Verb> {
    match kind {
        EntryKind::Share { moved, .. } => Some(*moved),
        _ => None,
    }
}

/// Reads a version. It fails if the version is sealed and its person erased.
pub(crate) fn to_version(
    key: &MemberKey,
    item: &Item,
    person: &Person,
) -> Result<Version, StoreError> {
    let line = to_line(key, item, person)?;
    line.version.ok_or_else(|| StoreError::sealed(key, line.seq))
}

/// Reads what can be read of a version: all of it, or the open part if the person's key is dropped.
pub(crate) fn to_line(
    key: &MemberKey,
    item: &Item,
    person: &Person,
) -> Result<VersionLine, StoreError> {
    let pk = key.pk();
    let unreadable = |reason: &str| StoreError::unreadable(&pk, reason);
    let seq = seq_of(item).ok_or_else(|| unreadable("a version has no number"))?;
    let body = blob(item, BODY).ok_or_else(|| unreadable("a version has no body"))?;
    let name = |attribute| item.get(attribute)?.as_s().ok().map(String::as_str);
    let (op, asked): (Option<&str>, Option<&str>) = (name(OP), name(KEY));
    let texts = seal::unpack(Place { pk: &pk, seq, op, key: asked }, body, person.secret.as_ref());
    let texts = texts.map_err(|reason| StoreError::unreadable(&pk, format!("{seq}: {reason}")))?;
    let text = |error: serde_json::Error| StoreError::unreadable(&pk, format!("{seq}: {error}"));
    let open: Open = serde_json::from_slice(&texts.open).map_err(text)?;
    let mut line = VersionLine {
        seq,
        at: open.at,
        verb: open.verb,
        moved: open.moved,
        postings: open.postings,
        previous: open.previous,
        hash: digest(&[
            body,
            op.unwrap_or_default().as_bytes(),
            asked.unwrap_or_default().as_bytes(),
        ]),
        asked: item.contains_key(OP),
        version: None,
    };
    let Some(sealed) = texts.sealed else { return Ok(line) };
    let sealed: Sealed = serde_json::from_slice(&sealed).map_err(text)?;
    let entry = Entry {
        seq,
        at: line.at,
        kind: sealed.kind,
        reasons: sealed.reasons,
        postings: line.postings.clone(),
        changes: sealed.changes,
        account: sealed.account,
        withdrawals: sealed.withdrawals,
        returns: sealed.returns,
        exhausted: sealed.exhausted,
        notes: sealed.notes,
        balances: sealed.balances,
        again: sealed.again,
        tier: sealed.tier,
        tier_status: sealed.tier_status,
    };
    line.version = Some(Version {
        entry,
        member: stored_member::restored(&pk, seq, sealed.member, &person.member())?,
        due_at: sealed.due_at.map(|at| moment(&pk, at)).transpose()?,
        bundle: sealed.bundle,
        fingerprint: sealed.fingerprint,
        previous: line.previous.clone(),
        status: sealed.status,
        answer: sealed.answer,
    });
    Ok(line)
}

/// The number of a version; `None` if the item is not a version.
pub(crate) fn seq_of(item: &Item) -> Option<Seq> {
    text(item, SK).strip_prefix(VERSION_PREFIX)?.parse().ok().map(Seq::new)
}

/// Whether the item is a score on a leaderboard.
pub(crate) fn is_score(item: &Item) -> bool {
    text(item, SK).starts_with(SCORE_PREFIX)
}

pub(crate) fn is_person(item: &Item) -> bool {
    text(item, SK) == PERSON_SK
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

pub(crate) fn blob<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    item.get(name)?.as_b().ok().map(AsRef::as_ref)
}

pub(crate) fn moment_of(item: &Item, name: &str) -> Option<Moment> {
    DateTime::from_timestamp(item.get(name)?.as_n().ok()?.parse().ok()?, 0)
}
