//! The decision data of an earlier decision, reconstructed from its entry.

use std::collections::{BTreeMap, BTreeSet};

use ledger::enroll::{self, Enrolment};
use ledger::{Codes, DecisionData, Effect, Entry, Member, Remaining, Units};
use rules::Bundle;

/// The decision data of an earlier decision, reconstructed from its entry, so that judging the same
/// activity again gives the same effects.
#[must_use]
pub fn data_then(bundle: &Bundle, before: &Member, entry: &Entry) -> DecisionData {
    // A pool from which the entry has no code counts as empty, and a shared limit from which it
    // has no withdrawal as exhausted.
    let empty = |pool: &String| (pool.clone(), Codes::all(Vec::new()));
    let codes = bundle.programme().pools.iter().map(empty).collect();
    let left = bundle
        .shared_limits()
        .into_keys()
        .map(|limit| (limit, Remaining::all(Units::ZERO)))
        .collect();
    let mut data = DecisionData { codes, left, ..DecisionData::default() };
    for withdrawal in &entry.withdrawals {
        // The units of a withdrawal were there. How many more were left matters only if a later
        // rule found the limit exhausted.
        let units =
            if entry.exhausted.contains(&withdrawal.limit) { withdrawal.units } else { Units::MAX };
        data.left.insert(withdrawal.limit.clone(), Remaining::all(units));
    }
    for limit in &entry.exhausted {
        data.left.entry(limit.clone()).or_insert(Remaining::all(Units::ZERO));
    }
    let mut brought = None;
    for reason in entry.all_reasons() {
        match &reason.effect {
            Effect::Voucher { pool, code, again: false } => {
                data.codes.entry(pool.clone()).or_default().codes.push(code.clone());
            }
            Effect::Referral { entry, .. } => brought = entry.previous(),
            _ => {}
        }
    }
    if let Some(id) = &before.referred_by {
        // The member's entry depends only on the referrer's existence and on the seq of the
        // referrer's entry.
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
