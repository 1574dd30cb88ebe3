//! Members and records as items.
//!
//! Both are billed by the started kilobyte at every write, so both are kept below one: a member's
//! lots are bare triples of numbers, and a record is deflated JSON. What an operator or a stream
//! has to select by stays in plain attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::DateTime;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use ledger::cap::Counter;
use ledger::member::History;
use ledger::task::Progress;
use ledger::tier::Standing;
use ledger::{Lot, Member, MemberId, Moment, Units, Wallet, WalletName};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::record::{Fingerprint, Record};
use crate::table::{Item, MEMBER_SK, MemberKey, PK, SEQ, SK, due_key, key};

pub(crate) const BODY: &str = "body";
const KIND: &str = "kind";
/// A record never unpacks to more: the largest order has 500 lines.
const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// A member as held in the table: the member, and what only the store needs of it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) member: Member,
    /// What it was enrolled with, so that a repeat is known.
    pub(crate) enrolment: Fingerprint,
    /// The hash of its last record.
    pub(crate) head: Option<String>,
}

/// Units left, available at, expires at: a bare triple, since a member has dozens.
#[derive(Serialize, Deserialize)]
struct StoredLot(i64, Option<i64>, Option<i64>);

/// How far a task is: when and how much, rounds completed, rounds owed.
#[derive(Serialize, Deserialize)]
struct StoredProgress(Vec<(i64, u32)>, u32, #[serde(default)] u32);

/// How a member stands with its tier: kept until, failing since, lost at.
#[derive(Serialize, Deserialize, Default, PartialEq)]
struct StoredStanding(Option<i64>, Option<i64>, Option<i64>);

/// Purchases, the sum of their totals, the last of them.
#[derive(Serialize, Deserialize)]
struct StoredHistory(u32, String, Option<i64>);

#[derive(Serialize, Deserialize)]
struct StoredMember {
    pk: String,
    sk: String,
    version: u64,
    enrolled_at: i64,
    enrolment: Fingerprint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// When its last entry was decided, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    referred_by: Option<MemberId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standing: Option<StoredStanding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<StoredHistory>,
    /// By name: until when, and nothing for one that stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    grants: BTreeMap<String, Option<i64>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tasks: BTreeMap<String, StoredProgress>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<String, Units>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    wallets: BTreeMap<WalletName, Vec<StoredLot>>,
    /// By rule and period: since, times.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counters: BTreeMap<String, Vec<(i64, u32)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
}

pub(crate) fn of_member(at: &MemberKey, held: &Held) -> Result<Item, StoreError> {
    let member = &held.member;
    let lot = |lot: &Lot| {
        StoredLot(
            lot.units.get(),
            lot.available_at.map(|at| at.timestamp()),
            lot.expires_at.map(|at| at.timestamp()),
        )
    };
    let seconds = |at: &Option<Moment>| at.map(|at| at.timestamp());
    let progress = |progress: &Progress| {
        let marks = progress.marks.iter().map(|(at, count)| (at.timestamp(), *count));
        StoredProgress(marks.collect(), progress.completed, progress.owed)
    };
    let Standing { tier, kept_until, failing_since, lost_at } = &member.standing;
    let standing = StoredStanding(seconds(kept_until), seconds(failing_since), seconds(lost_at));
    let History { purchases, spend, last_purchase_at } = &member.history;
    let history = StoredHistory(*purchases, spend.to_string(), seconds(last_purchase_at));
    let due_at = member.due_at();
    let stored = StoredMember {
        pk: at.pk(),
        sk: MEMBER_SK.to_owned(),
        version: member.version,
        enrolled_at: member.enrolled_at.timestamp(),
        enrolment: held.enrolment.clone(),
        head: held.head.clone(),
        settled_at: (member.settled_at != member.enrolled_at)
            .then(|| member.settled_at.timestamp()),
        referred_by: member.referred_by.clone(),
        tier: tier.clone(),
        standing: Some(standing).filter(|standing| *standing != StoredStanding::default()),
        history: (member.history != History::default()).then_some(history),
        grants: member.grants.iter().map(|(name, until)| (name.clone(), seconds(until))).collect(),
        tasks: member.tasks.iter().map(|(task, at)| (task.clone(), progress(at))).collect(),
        scores: member.scores.clone(),
        attributes: member.attributes.clone(),
        tags: member.tags.clone(),
        wallets: member
            .wallets
            .iter()
            .map(|(name, wallet)| (name.clone(), wallet.lots().iter().map(lot).collect()))
            .collect(),
        counters: member
            .counters
            .iter()
            .map(|(rule, counters)| {
                let stored = |counter: &Counter| (counter.since.timestamp(), counter.times);
                (rule.clone(), counters.iter().map(stored).collect())
            })
            .collect(),
        due: due_at.map(|_| due_key(at.shard())),
        due_at: due_at.map(|at| at.timestamp()),
    };
    serde_dynamo::to_item(stored).map_err(|error| StoreError::unreadable(&at.pk(), error))
}

pub(crate) fn to_member(at: &MemberKey, item: Item) -> Result<Held, StoreError> {
    let pk = at.pk();
    let unreadable = |reason: &str| StoreError::unreadable(&pk, reason);
    let stored: StoredMember =
        serde_dynamo::from_item(item).map_err(|error| StoreError::unreadable(&pk, error))?;
    let moment = |seconds: i64| {
        DateTime::from_timestamp(seconds, 0).ok_or_else(|| unreadable("a time is out of range"))
    };
    let lot = |StoredLot(units, available_at, expires_at): StoredLot| {
        Ok(Lot {
            units: Units::new(units).map_err(|_| unreadable("a lot is out of range"))?,
            available_at: available_at.map(moment).transpose()?,
            expires_at: expires_at.map(moment).transpose()?,
        })
    };
    let wallet = |lots: Vec<StoredLot>| {
        let lots = lots.into_iter().map(lot).collect::<Result<Vec<Lot>, StoreError>>()?;
        Wallet::of(lots).ok_or_else(|| unreadable("a wallet is out of range"))
    };
    let maybe = |seconds: Option<i64>| seconds.map(moment).transpose();
    let progress = |StoredProgress(marks, completed, owed): StoredProgress| {
        let mark = |(at, count)| Ok((moment(at)?, count));
        let marks = marks.into_iter().map(mark).collect::<Result<_, StoreError>>()?;
        Ok::<Progress, StoreError>(Progress { marks, completed, owed })
    };
    let StoredStanding(kept_until, failing_since, lost_at) = stored.standing.unwrap_or_default();
    let standing = Standing {
        tier: stored.tier,
        kept_until: maybe(kept_until)?,
        failing_since: maybe(failing_since)?,
        lost_at: maybe(lost_at)?,
    };
    let history = match stored.history {
        None => History::default(),
        Some(StoredHistory(purchases, spend, last)) => History {
            purchases,
            spend: spend.parse().map_err(|_| unreadable("its spend is no amount"))?,
            last_purchase_at: maybe(last)?,
        },
    };
    let enrolled_at = moment(stored.enrolled_at)?;
    let member = Member {
        id: at.member.clone(),
        version: stored.version,
        enrolled_at,
        settled_at: maybe(stored.settled_at)?.unwrap_or(enrolled_at),
        attributes: stored.attributes,
        referred_by: stored.referred_by,
        tags: stored.tags,
        standing,
        history,
        grants: stored
            .grants
            .into_iter()
            .map(|(name, until)| Ok((name, maybe(until)?)))
            .collect::<Result<_, StoreError>>()?,
        tasks: stored
            .tasks
            .into_iter()
            .map(|(task, at)| Ok((task, progress(at)?)))
            .collect::<Result<_, StoreError>>()?,
        scores: stored.scores,
        wallets: stored
            .wallets
            .into_iter()
            .map(|(name, lots)| Ok((name, wallet(lots)?)))
            .collect::<Result<_, StoreError>>()?,
        counters: stored
            .counters
            .into_iter()
            .map(|(rule, counters)| {
                let counter = |(since, times)| Ok(Counter { since: moment(since)?, times });
                let counters = counters.into_iter().map(counter);
                Ok((rule, counters.collect::<Result<_, StoreError>>()?))
            })
            .collect::<Result<_, StoreError>>()?,
    };
    Ok(Held { member, enrolment: stored.enrolment, head: stored.head })
}

/// A record's body: what its hash is taken over.
pub(crate) fn body(pk: &str, record: &Record) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(record).map_err(|error| StoreError::unreadable(pk, error))?;
    if json.len() as u64 >= BODY_BYTES_MAX {
        // What could not be read again is not written.
        return Err(StoreError::Refused(format!("an entry of {} bytes is too large", json.len())));
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&json).map_err(|error| StoreError::unreadable(pk, error))?;
    encoder.finish().map_err(|error| StoreError::unreadable(pk, error))
}

pub(crate) fn of_record(pk: &str, sk: &str, record: &Record, body: Vec<u8>) -> Item {
    let mut item = key(pk, sk);
    item.insert(SEQ.to_owned(), AttributeValue::N(record.entry.seq.to_string()));
    item.insert(KIND.to_owned(), AttributeValue::S(record.entry.what.kind().to_owned()));
    item.insert(BODY.to_owned(), AttributeValue::B(Blob::new(body)));
    item
}

pub(crate) fn to_record(item: &Item) -> Result<Record, StoreError> {
    let pk = text(item, PK);
    let body = blob(item, BODY).ok_or_else(|| StoreError::unreadable(pk, "it has no body"))?;
    let mut json = Vec::new();
    DeflateDecoder::new(body)
        .take(BODY_BYTES_MAX)
        .read_to_end(&mut json)
        .map_err(|error| StoreError::unreadable(pk, error))?;
    serde_json::from_slice(&json).map_err(|error| StoreError::unreadable(pk, error))
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

pub(crate) fn blob<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    item.get(name)?.as_b().ok().map(AsRef::as_ref)
}

pub(crate) fn is_member(item: &Item) -> bool {
    text(item, SK) == MEMBER_SK
}

pub(crate) fn moment_of(item: &Item, name: &str) -> Option<Moment> {
    DateTime::from_timestamp(item.get(name)?.as_n().ok()?.parse().ok()?, 0)
}
