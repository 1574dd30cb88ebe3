//! Undoing what an entry counted: for caps, for tasks, for the member's purchases, and what it took
//! from shared limits.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{is_undone, undone};
use crate::activity::PURCHASE;
use crate::apply_error::ApplyError;
use crate::cap::Day;
use crate::decision::Draft;
use crate::task::Step;
use crate::{
    Activity, Change, Entry, EntryKind, HistorySlice, Member, Programme, Seq, Units, Withdrawal,
};
use crate::{History, Hold};

/// Undoes the counts for caps that an entry made, except those that are also in `instead`: the
/// changes for what is left of the entry.
pub fn uncount(draft: &mut Draft, original: &Entry, instead: &[Change], since: &[Entry]) {
    let counts = |changes: &[Change]| {
        let mut counts: BTreeMap<(String, Day), i64> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Counted { rule, day } => {
                    *counts.entry((rule.clone(), *day)).or_default() += 1;
                }
                Change::Uncounted { rule, day } => {
                    *counts.entry((rule.clone(), *day)).or_default() -= 1;
                }
                _ => {}
            }
        }
        counts
    };
    let mut counted = counts(&original.changes);
    for later in since.iter().filter(|later| undone(later, original.seq).is_some()) {
        for (rule, times) in counts(&later.changes) {
            *counted.entry(rule).or_default() += times;
        }
    }
    let instead = counts(instead);
    for ((rule, day), times) in counted {
        let kept = instead.get(&(rule.clone(), day)).copied().unwrap_or_default();
        for _ in kept..times {
            draft.changes.push(Change::Uncounted { rule: rule.clone(), day });
        }
    }
}

/// Corrects the progress of the tasks that an entry counted for, as if the entry had counted only
/// what is left of it: replays every step since. The slice `past` starts with the original entry,
/// or with an earlier one that was undone since, so that the replay leaves out what that one
/// counted.
///
/// # Errors
/// A count overflows.
pub fn replay(
    draft: &mut Draft,
    past: &HistorySlice,
    original: &Entry,
    instead: &[Change],
    programme: &Programme,
) -> Result<(), ApplyError> {
    for (task, step) in steps(&original.changes) {
        let mut replay: BTreeMap<Seq, Step> = BTreeMap::new();
        for entry in &past.entries {
            for (_, step) in steps(&entry.changes).filter(|(other, _)| *other == task) {
                match &entry.kind {
                    // A return replaces the step of the entry that it undoes by what is left of it.
                    EntryKind::Reverse { of, .. } => {
                        if let Some(first) = replay.get_mut(of) {
                            *first = *step;
                        }
                    }
                    _ => {
                        replay.insert(entry.seq, *step);
                    }
                }
            }
        }
        let left = steps(instead).find(|(other, _)| *other == task).map(|(_, step)| *step);
        let left = left.unwrap_or(Step { by: 0, settled: 0, ..*step });
        replay.insert(original.seq, left);
        let steps: Vec<Step> = replay.into_values().collect();
        let first = past.before.tasks.get(task).cloned().unwrap_or_default();
        let progress = first.replayed(&steps, programme.time_zone);
        let progress = progress.ok_or_else(|| ApplyError::too_much(task))?;
        draft.changes.push(Change::Progressed { task: task.to_owned(), step: left, progress });
    }
    Ok(())
}

fn steps(changes: &[Change]) -> impl Iterator<Item = (&str, &Step)> {
    changes.iter().filter_map(|change| match change {
        Change::Progressed { task, step, .. } => Some((task.as_str(), step)),
        _ => None,
    })
}

/// The correction of the member's purchases if only `left` of this purchase counts; `None` if it is
/// no purchase. The last purchase is the latest one of which something is left.
///
/// # Errors
/// The member has no purchase.
pub fn bought(
    member: &Member,
    window: &HistorySlice,
    original: &Entry,
    was: &Activity,
    left: Option<&Activity>,
) -> Result<Option<Change>, ApplyError> {
    if was.kind != PURCHASE {
        return Ok(None);
    }
    let total =
        |activity: &Activity| activity.order.as_ref().map_or(Decimal::ZERO, |order| order.total);
    let refund = total(was) - left.map_or(Decimal::ZERO, total);
    let History { purchases, spend, .. } = member.history;
    let is_gone = |entry: &Entry| match entry.seq == original.seq {
        true => left.is_none(),
        false => is_undone(entry, &window.entries),
    };
    let purchases_left = window.entries.iter().filter(|entry| !is_gone(entry));
    let at = purchases_left.filter_map(|entry| match &entry.kind {
        EntryKind::Earn { activity } if activity.kind == PURCHASE => Some(activity.at),
        _ => None,
    });
    let purchases = match left {
        Some(_) => purchases,
        None => purchases.checked_sub(1).ok_or(ApplyError::PurchaseIsMissing)?,
    };
    let last_purchase_at = window.before.history.last_purchase_at.into_iter().chain(at);
    Ok(Some(Change::PurchasesCorrected {
        history: History {
            purchases,
            spend: spend - refund,
            last_purchase_at: last_purchase_at.max(),
        },
    }))
}

/// Puts back what an entry took from shared limits, except what is `kept` for what is left of the
/// entry and what earlier returns have put back.
pub fn put_back(draft: &mut Draft, original: &Entry, kept: &[Withdrawal], since: &[Entry]) {
    for withdrawal in &original.withdrawals {
        let units = |withdrawals: &[Withdrawal]| -> i64 {
            withdrawals
                .iter()
                .filter(|other| other.limit == withdrawal.limit)
                .map(|withdrawal| withdrawal.units.get())
                .sum()
        };
        let earlier = since.iter().filter(|later| undone(later, original.seq).is_some());
        let earlier: i64 = earlier.map(|later| units(&later.returns)).sum();
        let back = withdrawal.units.get() - units(kept) - earlier;
        if let Ok(units) = Units::new(back)
            && !units.is_zero()
        {
            draft.returns.push(Withdrawal { limit: withdrawal.limit.clone(), units });
        }
    }
}

/// Undoes the count and the piece of stock of a hold, when its capture is undone.
pub fn undo_hold(draft: &mut Draft, hold: &Hold) {
    if let Some(day) = hold.counted {
        draft.changes.push(Change::Uncounted { rule: hold.reward.clone(), day });
    }
    draft.put_back(hold);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enroll::{self, Enrolment};
    use crate::{MemberId, Moment, Order};

    #[test]
    fn a_purchase_is_uncounted_once_and_never_below_none() {
        let at: Moment = "2026-05-01T10:00:00Z".parse().unwrap();
        let enrolment = Enrolment {
            id: MemberId::parse("ada").unwrap(),
            attributes: [].into(),
            tags: [].into(),
            referred_by: None,
        };
        let before = enroll::decide(enrolment, at);
        let activity = Activity {
            id: "1".to_owned(),
            kind: PURCHASE.to_owned(),
            at,
            of: None,
            order: Some(Order { total: Decimal::TEN, ..Order::default() }),
            channel: None,
            payment: None,
            fields: [].into(),
        };
        let original = Entry {
            seq: Seq::FIRST,
            at,
            kind: EntryKind::Earn { activity: activity.clone() },
            reasons: Vec::new(),
            postings: Vec::new(),
            changes: Vec::new(),
            account: None,
            withdrawals: Vec::new(),
            returns: Vec::new(),
            exhausted: Vec::new(),
            notes: Vec::new(),
            balances: BTreeMap::new(),
            tier: None,
            tier_status: None,
        };
        let mut member = before.clone();
        member.apply(&original).unwrap();
        let window = HistorySlice { before: before.clone(), entries: vec![original.clone()] };
        let after = |member: &Member| bought(member, &window, &original, &activity, None);
        let none = Change::PurchasesCorrected { history: History::default() };
        assert_eq!(after(&member), Ok(Some(none)));
        assert_eq!(after(&before), Err(ApplyError::PurchaseIsMissing));
    }
}
