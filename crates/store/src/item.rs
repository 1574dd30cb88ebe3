//! Persons and versions as items of the table, and how they are read back.
//!
//! Call `of_person` and `of_version` to make an item, and `to_person`, `to_version` and `to_line`
//! to read one. A field that is added to a stored type needs a `serde` default, since versions are
//! never rewritten. A version is billed by the started kilobyte, so lots are bare triples of
//! numbers and the body is packed. What an index or an operator selects by stays in plain
//! attributes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, NaiveDate};
use ledger::cap::Counter;
use ledger::enroll::{self, Enrolment};
use ledger::entry::{AccountEntry, Note};
use ledger::holdings::EarlyDelivery;
use ledger::reminder::Reminded;
use ledger::task::Progress;
use ledger::tier_status::{TierChange, TierStatus};
use ledger::{
    Change, Entry, EntryKind, Lot, Member, MemberId, Moment, Posting, Reason, Seq, SharedLimit,
    Terms, Units, Verb, Wallet, WalletName, Withdrawal,
};
use ledger::{GrantEnd, History, Hold};
use ledger::{HoldId, Inactivity, PendingOn};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::StoreError;
use crate::key::{
    DUE, DUE_AT, Item, KEY, MemberKey, OP, PERSON_SK, SCORE_PREFIX, SK, VERSION_PREFIX, due_key,
    primary_key, version_sk,
};
use crate::operation::{Fingerprint, Operation, digest};
use crate::seal::{self, Place, Secret};
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

/// A lot: units left, available at, expires at, and what one unit is worth. It is bare numbers, since
/// a member has dozens. Few lots have more terms.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredLot {
    Plain(i64, Option<i64>, Option<i64>),
    Worth(i64, Option<i64>, Option<i64>, Decimal),
    With(i64, Option<i64>, Option<i64>, MoreTerms),
}

#[derive(Serialize, Deserialize, Default)]
struct MoreTerms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_on: Option<PendingOn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<HoldId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inactivity: Option<Inactivity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worth: Option<Decimal>,
}

/// The progress of a task: its marks (when, how much), rounds completed, rounds owed, rounds paid
/// ahead.
#[derive(Serialize, Deserialize)]
struct StoredProgress(Vec<(i64, u32)>, u32, u32, u32);

/// A hold: its end, its entry, its reward, the start of the period that counts it, and whether it
/// holds a piece of the stock.
#[derive(Serialize, Deserialize)]
struct StoredHold(i64, Seq, String, Option<i64>, bool);

/// A tier status: the tier, kept until, failing since, lost at.
#[derive(Serialize, Deserialize, Default, PartialEq)]
struct StoredTierStatus(Option<String>, Option<i64>, Option<i64>, Option<i64>);

/// The purchases of a member: their number, the sum of their totals, and the moment of the last.
#[derive(Serialize, Deserialize)]
struct StoredHistory(u32, String, Option<i64>);

/// A member after an entry, without what its person's item has. Moments are seconds since 1970.
#[derive(Serialize, Deserialize)]
struct StoredMember {
    settled_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier_status: Option<StoredTierStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<StoredHistory>,
    /// By name: the end; `None` if the grant has no end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    grants: BTreeMap<String, Option<i64>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tasks: BTreeMap<String, StoredProgress>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<String, Units>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    wallets: BTreeMap<WalletName, Vec<StoredLot>>,
    /// The counters of each rule, one per period: the start of the period, and the count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counters: BTreeMap<String, Vec<(i64, u32)>>,
    /// The debt by wallet, without wallets that have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    debts: BTreeMap<WalletName, Units>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    holds: BTreeMap<HoldId, StoredHold>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    remainders: BTreeMap<String, Decimal>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    triggered: BTreeMap<String, NaiveDate>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    early: Vec<EarlyDelivery>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reminded: Option<Reminded>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<MemberId>,
    #[serde(default, skip_serializing_if = "is_nobody")]
    sharers: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_nobody(sharers: &u32) -> bool {
    *sharers == 0
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
        tier: entry.tier.clone(),
        tier_status: entry.tier_status.clone(),
        bundle: bundle.clone(),
        fingerprint: fingerprint.clone(),
        status: *status,
        answer: answer.clone(),
        due_at: due_at.map(|at| at.timestamp()),
        member: stored(member),
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
        tier: sealed.tier,
        tier_status: sealed.tier_status,
    };
    line.version = Some(Version {
        entry,
        member: restored(&pk, seq, sealed.member, person)?,
        due_at: sealed.due_at.map(|at| moment(&pk, at)).transpose()?,
        bundle: sealed.bundle,
        fingerprint: sealed.fingerprint,
        previous: line.previous.clone(),
        status: sealed.status,
        answer: sealed.answer,
    });
    Ok(line)
}

fn stored(member: &Member) -> StoredMember {
    let seconds = |at: &Option<Moment>| at.map(|at| at.timestamp());
    let lot = |Lot { units, terms }: &Lot| {
        let Terms { available_at, pending_on, held, expires_at, inactivity, worth } = terms.clone();
        let (units, from, until) = (units.get(), seconds(&available_at), seconds(&expires_at));
        match (&pending_on, &held, inactivity, worth) {
            (None, None, None, None) => StoredLot::Plain(units, from, until),
            (None, None, None, Some(worth)) => StoredLot::Worth(units, from, until, worth),
            _ => {
                let more = MoreTerms { pending_on, held, inactivity, worth };
                StoredLot::With(units, from, until, more)
            }
        }
    };
    let hold = |hold: &Hold| {
        let Hold { until, entry, reward, counted, stock } = hold;
        StoredHold(until.timestamp(), *entry, reward.clone(), seconds(counted), *stock)
    };
    let progress = |progress: &Progress| {
        let marks = progress.marks.iter().map(|(at, count)| (at.timestamp(), *count));
        StoredProgress(marks.collect(), progress.completed, progress.owed, progress.ahead)
    };
    let counter = |counter: &Counter| (counter.since.timestamp(), counter.times);
    let TierStatus { tier, kept_until, failing_since, lost_at } = &member.tier_status;
    let tier_status = StoredTierStatus(
        tier.clone(),
        seconds(kept_until),
        seconds(failing_since),
        seconds(lost_at),
    );
    let History { purchases, spend, last_purchase_at } = &member.history;
    let history = StoredHistory(*purchases, spend.to_string(), seconds(last_purchase_at));
    StoredMember {
        settled_at: member.settled_at.timestamp(),
        tier_status: Some(tier_status)
            .filter(|tier_status| *tier_status != StoredTierStatus::default()),
        history: (member.history != History::default()).then_some(history),
        grants: member
            .grants
            .iter()
            .map(|(name, until)| (name.clone(), seconds(&until.moment())))
            .collect(),
        tasks: member.tasks.iter().map(|(task, at)| (task.clone(), progress(at))).collect(),
        scores: member.scores.clone(),
        tags: member.tags.clone(),
        wallets: member
            .wallets
            .iter()
            .map(|(name, wallet)| (name.clone(), wallet.lots().iter().map(lot).collect()))
            .collect(),
        counters: member
            .counters
            .iter()
            .map(|(rule, counters)| (rule.clone(), counters.iter().map(counter).collect()))
            .collect(),
        debts: member
            .wallets
            .iter()
            .map(|(name, wallet)| (name.clone(), wallet.debt()))
            .filter(|(_, debt)| !debt.is_zero())
            .collect(),
        holds: member.holds.iter().map(|(name, held)| (name.clone(), hold(held))).collect(),
        remainders: member.remainders.clone(),
        triggered: member.triggered.clone(),
        early: member.early.clone(),
        active_at: seconds(&member.active_at),
        reminded: Some(member.reminded.clone()).filter(|reminded| *reminded != Reminded::default()),
        account: member.account.clone(),
        sharers: member.sharers,
        erased_at: seconds(&member.erased_at),
    }
}

/// A wallet of stored lots.
fn wallet_of(pk: &str, lots: Vec<StoredLot>, debt: Option<&Units>) -> Result<Wallet, StoreError> {
    let maybe = |seconds: Option<i64>| seconds.map(|seconds| moment(pk, seconds)).transpose();
    let lot = |lot: StoredLot| {
        let plain = MoreTerms::default();
        let (units, from, until, more) = match lot {
            StoredLot::Plain(units, from, until) => (units, from, until, plain),
            StoredLot::Worth(units, from, until, worth) => {
                (units, from, until, MoreTerms { worth: Some(worth), ..plain })
            }
            StoredLot::With(units, from, until, more) => (units, from, until, more),
        };
        let MoreTerms { pending_on, held, inactivity, worth } = more;
        let (available_at, expires_at) = (maybe(from)?, maybe(until)?);
        let terms = Terms { available_at, pending_on, held, expires_at, inactivity, worth };
        let out_of_range = |_| StoreError::unreadable(pk, "a lot is out of range");
        Ok(Lot { units: Units::new(units).map_err(out_of_range)?, terms })
    };
    let lots = lots.into_iter().map(lot).collect::<Result<Vec<Lot>, StoreError>>()?;
    let wallet = Wallet::of(lots, debt.copied().unwrap_or_default());
    wallet.ok_or_else(|| StoreError::unreadable(pk, "a wallet is out of range"))
}

fn restored(
    pk: &str,
    seq: Seq,
    stored: StoredMember,
    person: &Person,
) -> Result<Member, StoreError> {
    let unreadable = |reason: &str| StoreError::unreadable(pk, reason);
    let moment = |seconds: i64| moment(pk, seconds);
    let maybe = |seconds: Option<i64>| seconds.map(moment).transpose();
    let hold = |StoredHold(until, entry, reward, counted, stock): StoredHold| {
        let (until, counted) = (moment(until)?, maybe(counted)?);
        Ok(Hold { until, entry, reward, counted, stock })
    };
    let progress = |StoredProgress(marks, completed, owed, ahead): StoredProgress| {
        let mark = |(at, count)| Ok((moment(at)?, count));
        let marks = marks.into_iter().map(mark).collect::<Result<_, StoreError>>()?;
        Ok::<Progress, StoreError>(Progress { marks, completed, owed, ahead })
    };
    let counters = |counters: Vec<(i64, u32)>| {
        let counter = |(since, times)| Ok(Counter { since: moment(since)?, times });
        counters.into_iter().map(counter).collect::<Result<Vec<Counter>, StoreError>>()
    };
    let StoredTierStatus(tier, kept_until, failing_since, lost_at) =
        stored.tier_status.unwrap_or_default();
    let history = match stored.history {
        None => History::default(),
        Some(StoredHistory(purchases, spend, last)) => History {
            purchases,
            spend: spend.parse().map_err(|_| unreadable("its spend is no amount"))?,
            last_purchase_at: maybe(last)?,
        },
    };
    let Enrolment { id, attributes, referred_by, .. } = person.enrolment.clone();
    Ok(Member {
        id,
        seq,
        enrolled_at: person.enrolled_at,
        settled_at: moment(stored.settled_at)?,
        attributes,
        referred_by,
        tags: stored.tags,
        tier_status: TierStatus {
            tier,
            kept_until: maybe(kept_until)?,
            failing_since: maybe(failing_since)?,
            lost_at: maybe(lost_at)?,
        },
        history,
        grants: each(stored.grants, |until| Ok(GrantEnd::from(maybe(until)?)))?,
        tasks: each(stored.tasks, progress)?,
        scores: stored.scores,
        wallets: stored
            .wallets
            .into_iter()
            .map(|(name, lots)| {
                let debt = stored.debts.get(&name);
                Ok((name, wallet_of(pk, lots, debt)?))
            })
            .collect::<Result<_, StoreError>>()?,
        counters: each(stored.counters, counters)?,
        holds: each(stored.holds, hold)?,
        remainders: stored.remainders,
        triggered: stored.triggered,
        early: stored.early,
        active_at: maybe(stored.active_at)?,
        reminded: stored.reminded.unwrap_or_default(),
        account: stored.account,
        sharers: stored.sharers,
        erased_at: maybe(stored.erased_at)?,
    })
}

/// The same map with each value converted.
fn each<K: Ord, V, W>(
    map: BTreeMap<K, V>,
    of: impl Fn(V) -> Result<W, StoreError>,
) -> Result<BTreeMap<K, W>, StoreError> {
    map.into_iter().map(|(name, value)| Ok((name, of(value)?))).collect()
}

fn moment(pk: &str, seconds: i64) -> Result<Moment, StoreError> {
    DateTime::from_timestamp(seconds, 0)
        .ok_or_else(|| StoreError::unreadable(pk, "a time is out of range"))
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
