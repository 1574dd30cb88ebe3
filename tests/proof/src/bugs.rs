//! Planted bugs, one at a time, in the fault proxy or between a decision and its write. The checks
//! have to find each of them, and must find nothing without a bug.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::TimeDelta;
use futures::StreamExt;
use ledger::{
    Decision, Effect, EntryKind, Lot, Member, Moment, Posting, PostingReason, PostingSide, Terms,
    Units,
};
use serde_json::{Value, json};
use store::Bug;

use crate::fault_proxy::{FaultRates, Tamper, Tampered};
use crate::races::{self, Rounds};
use crate::simulation::{self, Size};
use crate::world::Planted;
use crate::{ProofResult, alone};

/// The result for one bug.
#[derive(Debug, Clone)]
pub struct Found {
    /// The bug.
    pub name: &'static str,
    /// The first fault that was found; nothing if the bug was not found.
    pub by: Option<String>,
}

impl Found {
    fn is_missing(&self) -> bool {
        self.by.is_none()
    }
}

/// The injection point of a bug.
enum InjectionPoint {
    FaultProxy(fn(&str, &mut Value) -> Tampered),
    Decision(fn(&Member, &mut Decision)),
}

use InjectionPoint::{Decision as Decided, FaultProxy};

/// The bugs: what each does wrong, and where it is planted.
const BUGS: [(&str, InjectionPoint); 38] = [
    ("a version is written without its condition", FaultProxy(no_condition)),
    ("a stale read is written without its version", FaultProxy(stale_without_version)),
    ("a bare ADD, beside the transaction", FaultProxy(bare_add)),
    ("a stock is taken whether it is there or not", FaultProxy(no_stock_condition)),
    ("entries are deleted by TTL", FaultProxy(entries_by_ttl)),
    ("the key is not looked for", FaultProxy(key_is_not_looked_for)),
    ("the key is not kept", FaultProxy(key_is_not_kept)),
    ("the last half of a transaction is left out", FaultProxy(half_a_transaction)),
    ("answered as done before it is written", FaultProxy(swallowed)),
    ("a due date is not moved in the index", FaultProxy(due_is_not_moved)),
    ("a byte of an entry rots", FaultProxy(rot)),
    ("all transactions have the same token", FaultProxy(one_token)),
    ("a debt is lost", Decided(lost_debt)),
    ("a hold can be captured twice", Decided(doubled_capture)),
    ("expired units vanish, by TTL", Decided(units_by_ttl)),
    ("units expire early", Decided(early_expiry)),
    ("a rule pays one more, and says so", Decided(one_more)),
    ("who is given units has one more", Decided(one_more_transferred)),
    ("a hold stays an hour longer", Decided(longer_hold)),
    ("pending units can be spent at once", Decided(no_pending)),
    ("a due date is forgotten", Decided(no_due_date)),
    ("units come into another wallet", Decided(other_wallet)),
    ("a redemption gives back one more than it took", Decided(one_more_back)),
    ("an entry records another balance", Decided(other_balance)),
    ("derived again, a counter stays as it was", Decided(same_counters)),
    ("derived again, a task stays as it was", Decided(same_tasks)),
    ("derived again, a score stays as it was", Decided(same_scores)),
    ("derived again, the purchases stay as they were", Decided(same_purchases)),
    ("derived again, the last activity stays as it was", Decided(same_activity)),
    ("derived again, units stay in the lots they were in", Decided(same_lots)),
    ("derived again, the difference is posted twice", Decided(twice_the_difference)),
    ("what an edit takes back is not noted", Decided(nothing_undone)),
    ("a late order is dated by when it was told", Decided(dated_today)),
    ("a late order is judged by rules that pay twice as much", Decided(other_rules)),
    ("derived again, a streak begins anew", Decided(broken_streaks)),
    ("derived again, a day is that of another time zone", Decided(another_day)),
    ("units that come back end a day later", Decided(later_end)),
    ("what a reversal gives back is given back twice", Decided(given_back_twice)),
];

/// The most seeds with which a bug is looked for: some bugs show only in some orders of events.
const LOOKS_MAX: u64 = 5;

/// Operations per member, and the fewest members. Members are few, so that their requests conflict.
const OPERATIONS_PER_MEMBER: u64 = 250;
const MEMBERS_MIN: u32 = 6;

/// The number of bugs.
#[must_use]
pub fn count() -> u64 {
    BUGS.len() as u64
}

/// Plants each bug alone, and looks for it with the simulation and, if that finds nothing, with the
/// races. Each seed is also tried without a bug. One search per processor runs at a time, with a
/// thread and a clock of its own, so that the same seed gives the same result.
///
/// # Errors
/// A fault was found without a bug.
pub async fn run(
    seed: u64,
    operations: u64,
    mut progress: impl FnMut(u64),
) -> ProofResult<Vec<Found>> {
    let at_once = std::thread::available_parallelism()?.get();
    let mut found = BUGS.map(|(name, _)| Found { name, by: None });
    for seed in seed..seed + LOOKS_MAX {
        let missing = (0..BUGS.len()).filter(|bug| found.get(*bug).is_some_and(Found::is_missing));
        let missing: Vec<usize> = missing.collect();
        if missing.is_empty() {
            break;
        }
        let without_a_bug = std::iter::once(None);
        let looks = without_a_bug.chain(missing.into_iter().map(Some)).map(async |bug| {
            let planted = bug.and_then(|bug| BUGS.get(bug)).map_or_else(Planted::default, planted);
            let by = alone(move || async move { Ok(look(seed, operations, &planted).await) });
            ProofResult::Ok((bug, by.await?))
        });
        let mut looks = futures::stream::iter(looks).buffer_unordered(at_once);
        while let Some(looked) = looks.next().await {
            match looked? {
                (None, Some(what)) => {
                    return Err(format!("found where no bug is, seed {seed}: {what}").into());
                }
                (Some(bug), by) => {
                    if let Some(found) = found.get_mut(bug) {
                        found.by = by;
                    }
                }
                (None, None) => {}
            }
            let is_found = |found: &&Found| !found.is_missing();
            progress(found.iter().filter(is_found).count() as u64);
        }
    }
    Ok(found.into())
}

fn planted((_, place): &(&str, InjectionPoint)) -> Planted {
    match *place {
        FaultProxy(tamper) => {
            let tamper: Tamper = Arc::new(tamper);
            Planted { tamper: Some(tamper), bug: None }
        }
        Decided(bug) => Planted { tamper: None, bug: Some(Bug(Arc::new(bug))) },
    }
}

/// The first fault that the simulation or the races find.
async fn look(seed: u64, operations: u64, planted: &Planted) -> Option<String> {
    let mut rates = FaultRates::everything(10);
    rates.per_thousand.insert(crate::fault_proxy::Fault::StaleRead, 200);
    let members = u32::try_from(operations / OPERATIONS_PER_MEMBER).ok()?.max(MEMBERS_MIN);
    let size = Size { operations, days: 90, members, workers: 24, rates };
    // A simulation that could not go on has found nothing.
    if let Ok(report) = simulation::run(seed, &size, planted.clone(), |_| ()).await
        && let Some(fault) = report.faults.first()
    {
        return Some(format!("simulation: {fault}"));
    }
    let rounds = Rounds { histories: 2, redeems: (1, 24), others: 2 };
    let races = races::run(seed, rounds, planted.clone(), |_| ()).await.ok()?;
    races.iter().find_map(|race| Some(format!("races, {}: {}", race.name, race.faults.first()?)))
}

/// Changes each put of a version in a request, alone or in a transaction.
fn versions(target: &str, request: &mut Value, mut change: impl FnMut(&mut Value)) {
    let is_version =
        |put: &Value| put["Item"]["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("v#"));
    match target {
        "PutItem" if is_version(request) => change(request),
        "TransactWriteItems" => {
            for item in request["TransactItems"].as_array_mut().into_iter().flatten() {
                if is_version(&item["Put"]) {
                    change(&mut item["Put"]);
                }
            }
        }
        _ => {}
    }
}

fn without_condition(put: &mut Value) {
    if let Some(put) = put.as_object_mut() {
        put.remove("ConditionExpression");
        put.remove("ExpressionAttributeNames");
        put.remove("ReturnValuesOnConditionCheckFailure");
    }
}

/// Whether a put is chosen, as one in `many` is. The choice depends only on the item's keys, so
/// every run chooses the same puts, though each person has a random key.
fn one_in(many: u64, put: &Value) -> bool {
    let mut hasher = DefaultHasher::new();
    let key = ["pk", "sk"].map(|part| put["Item"][part]["S"].as_str());
    key.hash(&mut hasher);
    hasher.finish().is_multiple_of(many)
}

fn no_condition(target: &str, request: &mut Value) -> Tampered {
    versions(target, request, without_condition);
    Tampered::GoesOn
}

fn stale_without_version(target: &str, request: &mut Value) -> Tampered {
    if target == "Query" && request["IndexName"].is_null() {
        request["ConsistentRead"] = json!(false);
    }
    no_condition(target, request)
}

fn is_of_shared_limit(item: &Value) -> bool {
    item["Update"]["Key"]["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("p#"))
}

fn bare_add(target: &str, request: &mut Value) -> Tampered {
    let Some(items) = request["TransactItems"].as_array_mut().filter(|_| target.starts_with("Tr"))
    else {
        return Tampered::GoesOn;
    };
    let (adds, rest): (Vec<Value>, Vec<Value>) = items.drain(..).partition(is_of_shared_limit);
    *items = rest;
    let adds = adds.into_iter().map(|mut item| {
        let mut update = item["Update"].take();
        if let Some(update) = update.as_object_mut() {
            update.remove("ConditionExpression");
        }
        ("UpdateItem", update)
    });
    Tampered::After(adds.collect())
}

fn no_stock_condition(_: &str, request: &mut Value) -> Tampered {
    for item in request["TransactItems"].as_array_mut().into_iter().flatten() {
        if is_of_shared_limit(item)
            && let Some(update) = item["Update"].as_object_mut()
        {
            update.remove("ConditionExpression");
        }
    }
    Tampered::GoesOn
}

fn entries_by_ttl(target: &str, request: &mut Value) -> Tampered {
    let mut old = Vec::new();
    versions(target, request, |put| {
        let key = json!({ "pk": put["Item"]["pk"], "sk": { "S": "v#0000000002" } });
        if put["Item"]["sk"]["S"].as_str().is_some_and(|sk| sk > "v#0000000009") {
            old.push(("DeleteItem", json!({ "TableName": put["TableName"], "Key": key })));
        }
    });
    Tampered::After(old)
}

fn key_is_not_looked_for(target: &str, request: &mut Value) -> Tampered {
    if target == "Query" && request["IndexName"] == "by_op" {
        request["ExpressionAttributeValues"][":op"] = json!({ "S": "another" });
    }
    Tampered::GoesOn
}

fn key_is_not_kept(target: &str, request: &mut Value) -> Tampered {
    versions(target, request, |put| {
        if let Some(item) = put["Item"].as_object_mut() {
            item.remove("op");
        }
    });
    Tampered::GoesOn
}

fn half_a_transaction(_: &str, request: &mut Value) -> Tampered {
    if let Some(items) = request["TransactItems"].as_array_mut()
        && items.len() > 1
    {
        items.pop();
    }
    Tampered::GoesOn
}

fn swallowed(target: &str, request: &mut Value) -> Tampered {
    if target == "PutItem" && one_in(20, request) { Tampered::Swallowed } else { Tampered::GoesOn }
}

fn due_is_not_moved(_: &str, request: &mut Value) -> Tampered {
    if let Some(items) = request["TransactItems"].as_array_mut() {
        items.retain(|item| item["Update"]["Key"]["sk"]["S"] != "~");
    }
    Tampered::GoesOn
}

fn rot(target: &str, request: &mut Value) -> Tampered {
    versions(target, request, |put| {
        if one_in(20, put)
            && let Some(body) = put["Item"]["body"]["B"].as_str()
        {
            let flipped = if body.starts_with('A') { "B" } else { "A" };
            let rest: String = body.chars().skip(1).collect();
            put["Item"]["body"]["B"] = json!(format!("{flipped}{rest}"));
        }
    });
    Tampered::GoesOn
}

fn one_token(target: &str, request: &mut Value) -> Tampered {
    if target == "TransactWriteItems" {
        request["ClientRequestToken"] = json!("always the same");
    }
    Tampered::GoesOn
}

/// Applies the changed entry to the member and updates the balances in the entry, so that the bug
/// is consistent.
fn follow(before: &Member, decision: &mut Decision) {
    let mut after = before.clone();
    if after.apply(&decision.entry).is_err() {
        return;
    }
    if decision.entry.account.is_none() {
        let at = decision.entry.at;
        let balances =
            after.wallets.iter().map(|(name, wallet)| (name.clone(), wallet.spendable(at)));
        decision.entry.balances = balances.collect();
    }
    decision.member = after;
}

fn lost_debt(before: &Member, decision: &mut Decision) {
    decision.entry.postings.retain(|posting| posting.from != Some(PostingSide::Debt));
    follow(before, decision);
}

fn doubled_capture(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Capture { .. }) {
        decision.member.holds.clone_from(&before.holds);
        decision.member.wallets.clone_from(&before.wallets);
    }
}

fn units_by_ttl(_: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Earn { .. }) {
        for wallet in decision.member.wallets.values_mut() {
            wallet.take_expired(decision.entry.at);
        }
    }
}

fn early_expiry(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Expire) {
        for (name, wallet) in &before.at(decision.entry.at).wallets {
            let soon = wallet.lots().iter().filter(|lot| {
                !lot.terms.is_expired(decision.entry.at)
                    && lot.terms.is_spendable(decision.entry.at)
            });
            let soon = soon
                .take(1)
                .map(|lot| Posting::out_of_lot(name.clone(), lot.clone(), PostingReason::Expired));
            decision.entry.postings.extend(soon);
        }
        follow(before, decision);
    }
}

fn one_more(before: &Member, decision: &mut Decision) {
    let entry = &mut decision.entry;
    let paid = entry.reasons.iter_mut().find_map(|reason| match &mut reason.effect {
        Effect::Units { wallet, units } if wallet.as_str() == "points" => Some(units),
        _ => None,
    });
    let is_of_points =
        |posting: &&mut Posting| posting.wallet.as_str() == "points" && comes_into_a_lot(posting);
    let lot = entry.postings.iter_mut().find(is_of_points);
    if let (Some(paid), Some(lot), EntryKind::Earn { .. }) = (paid, lot, &entry.kind) {
        *paid = paid.checked_add(Units::ONE).unwrap_or(*paid);
        one_unit_more(lot);
    }
    follow(before, decision);
}

fn one_more_transferred(_: &Member, decision: &mut Decision) {
    for other in &mut decision.others {
        if matches!(other.entry.kind, EntryKind::Transfer { .. })
            && let Some(posting) = other.entry.postings.iter_mut().find(|one| comes_into_a_lot(one))
            && let Some(terms) = posting.to_lot().cloned()
        {
            one_unit_more(posting);
            if let Some(wallet) = other.member.wallets.get_mut(&posting.wallet) {
                let _ = wallet.add(Lot { units: Units::ONE, terms });
            }
        }
    }
}

/// Whether a posting brings new units into a lot.
fn comes_into_a_lot(posting: &Posting) -> bool {
    posting.change() > 0 && posting.to_lot().is_some()
}

fn one_unit_more(posting: &mut Posting) {
    posting.units = posting.units.checked_add(Units::ONE).unwrap_or(posting.units);
}

fn longer_hold(before: &Member, decision: &mut Decision) {
    if let EntryKind::Hold { until, .. } = &mut decision.entry.kind {
        *until += TimeDelta::hours(1);
    }
    follow(before, decision);
}

fn no_pending(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Earn { .. }) {
        for posting in &mut decision.entry.postings {
            if let Some(PostingSide::Lot(terms)) = &mut posting.to {
                terms.available_at = terms.held.as_ref().and(terms.available_at);
            }
        }
        follow(before, decision);
    }
}

fn other_wallet(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Earn { .. }) && decision.entry.account.is_none() {
        let miles =
            decision.entry.postings.iter().find(|posting| posting.wallet.as_str() == "miles");
        if let Some(miles) = miles.map(|posting| posting.wallet.clone()) {
            for posting in decision.entry.postings.iter_mut().filter(|one| comes_into_a_lot(one)) {
                posting.wallet = miles.clone();
            }
        }
        follow(before, decision);
    }
}

fn one_more_back(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Reverse { .. }) && decision.entry.account.is_none()
    {
        let mut back = decision.entry.postings.iter_mut();
        if let Some(posting) = back.find(|one| comes_into_a_lot(one)) {
            one_unit_more(posting);
        }
        follow(before, decision);
    }
}

fn other_balance(_: &Member, decision: &mut Decision) {
    if decision.entry.account.is_none() {
        for balance in decision.entry.balances.values_mut() {
            *balance = balance.checked_add(Units::ONE).unwrap_or(*balance);
        }
    }
}

fn no_due_date(_: &Member, decision: &mut Decision) {
    decision.due_at = None;
}

/// Changes what a member is since it was derived again.
fn restated(before: &Member, decision: &mut Decision, change: impl FnOnce(&mut Value)) {
    let Some(again) = &mut decision.entry.again else { return };
    let Ok(mut state) = serde_json::to_value(&again.state) else { return };
    change(&mut state);
    if let Ok(state) = serde_json::from_value(state) {
        again.state = state;
        follow(before, decision);
    }
}

/// Leaves out a part of what a member is since it was derived again.
fn without(part: &str, before: &Member, decision: &mut Decision) {
    restated(before, decision, |state| {
        if let Some(state) = state.as_object_mut() {
            state.remove(part);
        }
    });
}

fn same_counters(before: &Member, decision: &mut Decision) {
    without("counters", before, decision);
}

fn same_tasks(before: &Member, decision: &mut Decision) {
    without("tasks", before, decision);
}

fn same_scores(before: &Member, decision: &mut Decision) {
    without("scores", before, decision);
}

fn same_purchases(before: &Member, decision: &mut Decision) {
    without("history", before, decision);
}

fn same_activity(before: &Member, decision: &mut Decision) {
    without("active_at", before, decision);
}

fn same_lots(before: &Member, decision: &mut Decision) {
    if decision.entry.again.is_some() && decision.entry.account.is_none() {
        decision.entry.postings.retain(|posting| posting.why != PostingReason::DerivedAgain);
        follow(before, decision);
    }
}

fn twice_the_difference(before: &Member, decision: &mut Decision) {
    if decision.entry.again.is_some() && decision.entry.account.is_none() {
        let came = decision.entry.postings.iter().filter(|posting| comes_into_a_lot(posting));
        let came: Vec<Posting> = came.cloned().collect();
        decision.entry.postings.extend(came);
        follow(before, decision);
    }
}

fn nothing_undone(before: &Member, decision: &mut Decision) {
    if let Some(again) = &mut decision.entry.again {
        again.undone.clear();
        follow(before, decision);
    }
}

fn dated_today(before: &Member, decision: &mut Decision) {
    let at = decision.entry.at;
    if decision.entry.again.is_some()
        && let EntryKind::Earn { activity } = &mut decision.entry.kind
    {
        activity.at = at;
        follow(before, decision);
    }
}

/// The counts and the progress that are there now, by the names of their rules.
fn there<'v>(state: &'v mut Value, part: &str) -> Vec<&'v mut Value> {
    let all = state.get_mut(part).and_then(Value::as_object_mut);
    all.into_iter().flatten().filter_map(|(_, now)| now.get_mut("is")).collect()
}

fn broken_streaks(before: &Member, decision: &mut Decision) {
    restated(before, decision, |state| {
        for progress in there(state, "tasks") {
            progress["marks"] = json!([]);
        }
    });
}

fn another_day(before: &Member, decision: &mut Decision) {
    let next = |day: &Value| -> Option<Value> {
        let day: Moment = day.as_str()?.parse().ok()?;
        Some(json!(day + TimeDelta::days(1)))
    };
    restated(before, decision, |state| {
        for counters in there(state, "counters") {
            for counter in counters.as_array_mut().into_iter().flatten() {
                if let Some(day) = next(&counter["day"]) {
                    counter["day"] = day;
                }
            }
        }
    });
}

fn other_rules(before: &Member, decision: &mut Decision) {
    let entry = &mut decision.entry;
    if entry.again.is_none() || !matches!(entry.kind, EntryKind::Earn { .. }) {
        return;
    }
    let paid = entry.reasons.iter_mut().find_map(|reason| match &mut reason.effect {
        Effect::Units { wallet, units } if wallet.as_str() == "points" => Some(units),
        _ => None,
    });
    let is_of_points =
        |posting: &&mut Posting| posting.wallet.as_str() == "points" && comes_into_a_lot(posting);
    if let (Some(paid), Some(lot)) = (paid, entry.postings.iter_mut().find(is_of_points)) {
        let more = *paid;
        *paid = paid.checked_add(more).unwrap_or(*paid);
        lot.units = lot.units.checked_add(more).unwrap_or(lot.units);
    }
    follow(before, decision);
}

fn later_end(before: &Member, decision: &mut Decision) {
    let restored = |posting: &&mut Posting| posting.why == PostingReason::Restored;
    for posting in decision.entry.postings.iter_mut().filter(restored) {
        if let Some(PostingSide::Lot(Terms { expires_at: Some(end), .. })) = &mut posting.to {
            *end += TimeDelta::days(1);
        }
    }
    if decision.entry.account.is_none() {
        follow(before, decision);
    }
}

fn given_back_twice(_: &Member, decision: &mut Decision) {
    if decision.entry.again.is_some() {
        let again = decision.entry.returns.clone();
        decision.entry.returns.extend(again);
    }
}
