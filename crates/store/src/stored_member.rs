//! A member as its versions hold it: short, since each version has all of it.
//!
//! A version is billed by the started kilobyte, so lots are bare numbers. A field that is added needs
//! a `serde` default, since versions are never rewritten.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate};
use ledger::cap::{Counter, Day};
use ledger::holdings::{EarlyDelivery, ToldTooLate};
use ledger::reminder::Reminded;
use ledger::task::Progress;
use ledger::tier_status::TierStatus;
use ledger::{
    GrantEnd, History, Hold, HoldId, Inactivity, Lot, Member, MemberId, Moment, PendingOn, Seq,
    Terms, Units, Wallet, WalletName,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// A lot: units left, available at, expires at, and the terms that few lots have. It is bare numbers,
/// since a member has dozens.
#[derive(Serialize, Deserialize)]
struct StoredLot(
    i64,
    Option<i64>,
    Option<i64>,
    #[serde(default, skip_serializing_if = "MoreTerms::are_none")] MoreTerms,
);

#[derive(Serialize, Deserialize, Default, PartialEq)]
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

impl MoreTerms {
    fn are_none(&self) -> bool {
        *self == MoreTerms::default()
    }
}

/// The progress of a task: its marks (when, how much), rounds completed, rounds owed, and the codes
/// that the member has from rounds that are no longer complete.
#[derive(Serialize, Deserialize)]
struct StoredProgress(
    Vec<(i64, u32)>,
    u32,
    u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")] Vec<(String, String)>,
);

/// A hold: its end, its entry, its reward, the day that counts it (its midnight in UTC), and whether
/// it holds a piece of the stock.
#[derive(Serialize, Deserialize)]
struct StoredHold(i64, Seq, String, Option<i64>, bool);

/// A tier status: the tier, kept until, failing since, lost at.
#[derive(Serialize, Deserialize, Default, PartialEq)]
struct StoredTierStatus(Option<String>, Option<i64>, Option<i64>, Option<i64>);

/// The purchases of a member: their number, the sum of their totals, and the moment of the last.
#[derive(Serialize, Deserialize)]
struct StoredHistory(u32, String, Option<i64>);

/// The purchases that were told too late: their number, and the sum of their totals.
#[derive(Serialize, Deserialize)]
struct StoredToldTooLate(u32, String);

/// A member after an entry, without what its person's item has. Moments are seconds since 1970.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredMember {
    happened_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier_status: Option<StoredTierStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<StoredHistory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_too_late: Option<StoredToldTooLate>,
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
    /// The counters of each rule, one per day: its midnight in UTC, and the count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counters: BTreeMap<String, Vec<(i64, u64)>>,
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

/// A member as its versions hold it.
pub(crate) fn stored(member: &Member) -> StoredMember {
    let seconds = |at: &Option<Moment>| at.map(|at| at.timestamp());
    let lot = |Lot { units, terms }: &Lot| {
        let Terms { available_at, pending_on, held, expires_at, inactivity, worth } = terms.clone();
        let more = MoreTerms { pending_on, held, inactivity, worth };
        StoredLot(units.get(), seconds(&available_at), seconds(&expires_at), more)
    };
    let hold = |hold: &Hold| {
        let Hold { until, entry, reward, counted, stock } = hold;
        StoredHold(until.timestamp(), *entry, reward.clone(), counted.map(midnight), *stock)
    };
    let progress = |progress: &Progress| {
        let marks = progress.marks.iter().map(|(at, count)| (at.timestamp(), *count));
        StoredProgress(marks.collect(), progress.completed, progress.owed, progress.codes.clone())
    };
    let counter = |counter: &Counter| (midnight(counter.day), counter.times);
    let TierStatus { tier, kept_until, failing_since, lost_at } = &member.tier_status;
    let tier_status = StoredTierStatus(
        tier.clone(),
        seconds(kept_until),
        seconds(failing_since),
        seconds(lost_at),
    );
    let History { purchases, spend, last_purchase_at, told_too_late } = &member.history;
    let history = StoredHistory(*purchases, spend.to_string(), seconds(last_purchase_at));
    let too_late = StoredToldTooLate(told_too_late.purchases, told_too_late.spend.to_string());
    StoredMember {
        happened_at: member.happened_at.timestamp(),
        tier_status: Some(tier_status)
            .filter(|tier_status| *tier_status != StoredTierStatus::default()),
        history: (member.history != History::default()).then_some(history),
        told_too_late: (*told_too_late != ToldTooLate::default()).then_some(too_late),
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
    let lot = |StoredLot(units, from, until, more): StoredLot| {
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

/// What a member has bought.
fn history_of(
    pk: &str,
    stored: Option<StoredHistory>,
    too_late: Option<StoredToldTooLate>,
) -> Result<History, StoreError> {
    let unreadable = || StoreError::unreadable(pk, "its spend is no amount");
    let amount = |text: String| text.parse().map_err(|_| unreadable());
    let Some(StoredHistory(purchases, spend, last)) = stored else {
        return Ok(History::default());
    };
    let told_too_late = match too_late {
        None => ToldTooLate::default(),
        Some(StoredToldTooLate(purchases, spend)) => {
            ToldTooLate { purchases, spend: amount(spend)? }
        }
    };
    Ok(History {
        purchases,
        spend: amount(spend)?,
        last_purchase_at: last.map(|last| moment(pk, last)).transpose()?,
        told_too_late,
    })
}

/// The member of a version. Its name, its enrolment and its attributes are those of the person.
pub(crate) fn restored(
    pk: &str,
    seq: Seq,
    stored: StoredMember,
    enrolled: &Member,
) -> Result<Member, StoreError> {
    let moment = |seconds: i64| moment(pk, seconds);
    let maybe = |seconds: Option<i64>| seconds.map(moment).transpose();
    let hold = |StoredHold(until, entry, reward, counted, stock): StoredHold| {
        let (until, counted) = (moment(until)?, maybe(counted)?.map(Day::from));
        Ok(Hold { until, entry, reward, counted, stock })
    };
    let progress = |StoredProgress(marks, completed, owed, codes): StoredProgress| {
        let mark = |(at, count)| Ok((moment(at)?, count));
        let marks = marks.into_iter().map(mark).collect::<Result<_, StoreError>>()?;
        Ok::<Progress, StoreError>(Progress { marks, completed, owed, codes })
    };
    let counters = |counters: Vec<(i64, u64)>| {
        let counter = |(since, times)| Ok(Counter { day: moment(since)?.into(), times });
        counters.into_iter().map(counter).collect::<Result<Vec<Counter>, StoreError>>()
    };
    let StoredTierStatus(tier, kept_until, failing_since, lost_at) =
        stored.tier_status.unwrap_or_default();
    let Member { id, attributes, referred_by, .. } = enrolled.clone();
    Ok(Member {
        id,
        seq,
        enrolled_at: enrolled.enrolled_at,
        happened_at: moment(stored.happened_at)?,
        attributes,
        referred_by,
        tags: stored.tags,
        tier_status: TierStatus {
            tier,
            kept_until: maybe(kept_until)?,
            failing_since: maybe(failing_since)?,
            lost_at: maybe(lost_at)?,
        },
        history: history_of(pk, stored.history, stored.told_too_late)?,
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

/// A day as seconds since 1970.
fn midnight(day: Day) -> i64 {
    Moment::from(day).timestamp()
}

/// A moment from its seconds since 1970.
pub(crate) fn moment(pk: &str, seconds: i64) -> Result<Moment, StoreError> {
    DateTime::from_timestamp(seconds, 0)
        .ok_or_else(|| StoreError::unreadable(pk, "a time is out of range"))
}
