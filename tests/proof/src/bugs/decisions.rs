//! Bugs between a decision and its write: decisions that are changed.

use chrono::TimeDelta;
use ledger::{
    Decision, Effect, EntryKind, Lot, Member, Moment, Posting, PostingReason, PostingSide, Reason,
    Terms, Units,
};
use serde_json::{Value, json};

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

pub(super) fn lost_debt(before: &Member, decision: &mut Decision) {
    decision.entry.postings.retain(|posting| posting.from != Some(PostingSide::Debt));
    follow(before, decision);
}

pub(super) fn doubled_capture(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Capture { .. }) {
        decision.member.holds.clone_from(&before.holds);
        decision.member.wallets.clone_from(&before.wallets);
    }
}

pub(super) fn units_by_ttl(_: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Earn { .. }) {
        for wallet in decision.member.wallets.values_mut() {
            wallet.take_expired(decision.entry.at);
        }
    }
}

pub(super) fn early_expiry(before: &Member, decision: &mut Decision) {
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

pub(super) fn one_more(before: &Member, decision: &mut Decision) {
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

pub(super) fn one_more_transferred(_: &Member, decision: &mut Decision) {
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

pub(super) fn longer_hold(before: &Member, decision: &mut Decision) {
    if let EntryKind::Hold { until, .. } = &mut decision.entry.kind {
        *until += TimeDelta::hours(1);
    }
    follow(before, decision);
}

pub(super) fn no_pending(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Earn { .. }) {
        for posting in &mut decision.entry.postings {
            if let Some(PostingSide::Lot(terms)) = &mut posting.to {
                terms.available_at = terms.held.as_ref().and(terms.available_at);
            }
        }
        follow(before, decision);
    }
}

pub(super) fn other_wallet(before: &Member, decision: &mut Decision) {
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

pub(super) fn one_more_back(before: &Member, decision: &mut Decision) {
    if matches!(decision.entry.kind, EntryKind::Reverse { .. }) && decision.entry.account.is_none()
    {
        let mut back = decision.entry.postings.iter_mut();
        if let Some(posting) = back.find(|one| comes_into_a_lot(one)) {
            one_unit_more(posting);
        }
        follow(before, decision);
    }
}

pub(super) fn other_balance(_: &Member, decision: &mut Decision) {
    if decision.entry.account.is_none() {
        for balance in decision.entry.balances.values_mut() {
            *balance = balance.checked_add(Units::ONE).unwrap_or(*balance);
        }
    }
}

pub(super) fn no_due_date(_: &Member, decision: &mut Decision) {
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

pub(super) fn same_counters(before: &Member, decision: &mut Decision) {
    without("counters", before, decision);
}

pub(super) fn same_tasks(before: &Member, decision: &mut Decision) {
    without("tasks", before, decision);
}

pub(super) fn same_scores(before: &Member, decision: &mut Decision) {
    without("scores", before, decision);
}

pub(super) fn same_purchases(before: &Member, decision: &mut Decision) {
    without("history", before, decision);
}

pub(super) fn same_activity(before: &Member, decision: &mut Decision) {
    without("active_at", before, decision);
}

pub(super) fn same_lots(before: &Member, decision: &mut Decision) {
    if decision.entry.again.is_some() && decision.entry.account.is_none() {
        decision.entry.postings.retain(|posting| posting.why != PostingReason::DerivedAgain);
        follow(before, decision);
    }
}

pub(super) fn twice_the_difference(before: &Member, decision: &mut Decision) {
    if decision.entry.again.is_some() && decision.entry.account.is_none() {
        let came = decision.entry.postings.iter().filter(|posting| comes_into_a_lot(posting));
        let came: Vec<Posting> = came.cloned().collect();
        decision.entry.postings.extend(came);
        follow(before, decision);
    }
}

pub(super) fn nothing_undone(before: &Member, decision: &mut Decision) {
    if let Some(again) = &mut decision.entry.again {
        again.undone.clear();
        follow(before, decision);
    }
}

pub(super) fn dated_today(before: &Member, decision: &mut Decision) {
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

pub(super) fn broken_streaks(before: &Member, decision: &mut Decision) {
    restated(before, decision, |state| {
        for progress in there(state, "tasks") {
            progress["marks"] = json!([]);
        }
    });
}

pub(super) fn another_day(before: &Member, decision: &mut Decision) {
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

pub(super) fn other_rules(before: &Member, decision: &mut Decision) {
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

/// Pays a late order what its rule pays in the tier that the member has today.
pub(super) fn tier_of_today(before: &Member, decision: &mut Decision) {
    let entry = &mut decision.entry;
    let is_late = entry.again.is_some() && matches!(entry.kind, EntryKind::Earn { .. });
    let was_paid = entry.reasons.iter().any(|reason| reason.rule == "Gold");
    if !is_late || was_paid || before.tier() != Some("Gold") {
        return;
    }
    let is_of_miles = |effect: &Effect| matches!(effect, Effect::Units { wallet, .. } if wallet.as_str() == "miles");
    let miles = entry.reasons.iter().find(|reason| is_of_miles(&reason.effect)).cloned();
    let lot = entry
        .postings
        .iter_mut()
        .find(|posting| posting.wallet.as_str() == "miles" && comes_into_a_lot(posting));
    if let (Some(Reason { source, effect: Effect::Units { wallet, .. }, .. }), Some(lot)) =
        (miles, lot)
    {
        let effect = Effect::Units { wallet, units: Units::ONE };
        entry.reasons.push(Reason { rule: "Gold".to_owned(), source, effect });
        one_unit_more(lot);
    }
    if entry.account.is_none() {
        follow(before, decision);
    }
}

pub(super) fn later_end(before: &Member, decision: &mut Decision) {
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

pub(super) fn given_back_twice(_: &Member, decision: &mut Decision) {
    if decision.entry.again.is_some() {
        let again = decision.entry.returns.clone();
        decision.entry.returns.extend(again);
    }
}
