//! The data beyond the member that an earlier decision was made from.

use std::collections::{BTreeMap, BTreeSet};

use ledger::enroll::{self, Enrolment};
use ledger::{Codes, DecisionData, Effect, Entry, Member, Remaining, Units};
use rules::Bundle;

/// The data beyond the member that a decision was made from, as its entry records it.
#[must_use]
pub fn data_then(bundle: &Bundle, before: &Member, entry: &Entry) -> DecisionData {
    // A pool that was asked and gave no code was empty; a pot that was not drawn on had nothing.
    let empty = |pool: &String| (pool.clone(), Codes::all(Vec::new()));
    let codes = bundle.programme().pools.iter().map(empty).collect();
    let left = bundle
        .shared_limits()
        .into_keys()
        .map(|limit| (limit, Remaining::all(Units::ZERO)))
        .collect();
    let mut data = DecisionData { codes, left, ..DecisionData::default() };
    for withdraw in &entry.withdrawals {
        // What was drawn was there; how much more there was does not matter, unless there was
        // not enough for a later rule.
        let units =
            if entry.exhausted.contains(&withdraw.limit) { withdraw.units } else { Units::MAX };
        data.left.insert(withdraw.limit.clone(), Remaining::all(units));
    }
    for limit in &entry.exhausted {
        data.left.entry(limit.clone()).or_insert(Remaining::all(Units::ZERO));
    }
    let mut brought = None;
    for reason in &entry.reasons {
        match &reason.effect {
            Effect::Voucher { pool, code } => {
                data.codes.entry(pool.clone()).or_default().codes.push(code.clone());
            }
            Effect::Referral { entry, .. } => brought = entry.previous(),
            _ => {}
        }
    }
    if let Some(id) = &before.referred_by {
        // Only that there is such a member counts for this one's entry, and which entry it was.
        let enrolment = Enrolment {
            id: id.clone(),
            attributes: BTreeMap::new(),
            tags: BTreeSet::new(),
            referred_by: None,
        };
        let referrer =
            brought.map(|seq| Member { seq, ..enroll::decide(enrolment, before.enrolled_at) });
        data.members.insert(id.clone(), referrer);
    }
    data
}
