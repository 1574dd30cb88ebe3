//! The commit: the writes of one decision, made from the decision and the loaded data, and sent in
//! one request.
//!
//! Only `perform` makes a [`Commit`] and calls [`Store::commit`]. Each member of the decision gets
//! its next version, on condition that its number is free. Every other write follows from those
//! versions, or has a condition of its own if members share what it changes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{
    Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use ledger::enroll::Enrolment;
use ledger::{
    Decision, Effect, Entry, EntryKind, Member, MemberId, Moment, SharedLimit, Withdrawal,
};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::error::{BrokenInvariant, StoreError};
use crate::item::{self, LoadedMember, Person};
use crate::key::{DUE, DUE_AT, MemberKey, PERSON_SK, PK, primary_key};
use crate::operation::{Fingerprint, Operation};
use crate::shared_limits::Shares;
use crate::table::Store;
use crate::version::{Answer, Version};
use crate::write::Written;

/// The most leaderboards that a member is taken off in the transaction that erases it.
const SCORES_AT_ONCE: usize = 60;

/// A decision to be written, and what it was made from.
pub(crate) struct Commit<'a> {
    pub(crate) key: &'a MemberKey,
    pub(crate) operation: &'a Operation,
    /// The member as it was loaded.
    pub(crate) loaded: LoadedMember,
    pub(crate) decision: Decision,
    pub(crate) answer: Answer,
    /// The parts of shared limits that were read.
    pub(crate) shares: BTreeMap<SharedLimit, Shares>,
    /// Other members, as loaded.
    pub(crate) members: BTreeMap<MemberId, LoadedMember>,
}

/// What one member's next version is made of.
struct Next<'a> {
    key: &'a MemberKey,
    operation: &'a Operation,
    loaded: &'a LoadedMember,
    member: Member,
    entry: Entry,
    due_at: Option<Moment>,
    answer: Answer,
}

impl Store {
    /// Writes a whole decision at once: the member's next version alone, or, if there is more (a
    /// due date that changes, withdrawals, codes, scores, other members such as the referrer), all
    /// of it in one transaction.
    pub(crate) async fn commit(
        &self,
        commit: Commit<'_>,
        stop_at: Instant,
    ) -> Result<(Version, Written), StoreError> {
        let Commit { key, operation, loaded, decision, answer, shares, mut members } = commit;
        let Decision { member, entry, due_at, others } = decision;
        if matches!(entry.kind, EntryKind::Erase) {
            let more = loaded.member.scores.keys().skip(SCORES_AT_ONCE);
            self.drop_scores(key, more).await?;
        }
        let mut writes = self.writes_of_effects(key, &entry, &member)?;
        let (mut withdrawals, mut returns) = (Vec::new(), Vec::new());
        merge_withdrawals(&mut withdrawals, &entry.withdrawals)?;
        merge_withdrawals(&mut returns, &entry.returns)?;
        // Versions of other members need no key: a repeat finds the version of the main member.
        let unasked = Operation::unasked();
        for Decision { member, entry, due_at, .. } in others {
            let other = MemberKey { merchant: key.merchant.clone(), member: member.id.clone() };
            let loaded = members.remove(&other.member);
            let loaded = loaded.ok_or_else(|| BrokenInvariant::MemberIsNotLoaded(other.clone()))?;
            writes.extend(self.writes_of_effects(&other, &entry, &member)?);
            merge_withdrawals(&mut withdrawals, &entry.withdrawals)?;
            merge_withdrawals(&mut returns, &entry.returns)?;
            let bundle = answer.bundle.clone();
            let answer = Answer { bundle, status: 200, body: RawValue::NULL.to_owned() };
            let next = Next {
                key: &other,
                operation: &unasked,
                loaded: &loaded,
                member,
                entry,
                due_at,
                answer,
            };
            let (_, put, due) = self.next(next)?;
            writes.push(TransactWriteItem::builder().put(put).build());
            writes.extend(due);
        }
        offset_returns(&mut withdrawals, &mut returns);
        writes.extend(self.put_back(key, &returns)?);
        writes.extend(self.withdrawals(key, &withdrawals, &shares)?);
        let next = Next { key, operation, loaded: &loaded, member, entry, due_at, answer };
        let (version, put, due) = self.next(next)?;
        writes.extend(due);
        let written = self.write(put, writes, stop_at).await?;
        Ok((version, written))
    }

    /// The write of a member's next version, on condition that no version has its number; and the
    /// writes beside it, if its due date changes or its person is erased.
    fn next(&self, next: Next<'_>) -> Result<(Version, Put, Vec<TransactWriteItem>), StoreError> {
        let Next { key, operation, loaded, member, entry, due_at, answer } = next;
        let erased = matches!(entry.kind, EntryKind::Erase);
        let beside = if erased {
            self.forget(key, loaded, due_at)?
        } else if loaded.due_at != due_at {
            vec![self.put_due(key, due_at)?]
        } else {
            Vec::new()
        };
        let secret = loaded.person.secret.as_ref().filter(|_| !erased);
        let version = Version {
            entry,
            member,
            due_at,
            bundle: answer.bundle,
            fingerprint: operation.fingerprint.clone(),
            previous: loaded.head.clone(),
            status: answer.status,
            answer: answer.body,
        };
        let item = item::of_version(key, &version, operation, secret)?;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::request)?;
        Ok((version, put, beside))
    }

    /// The writes that erase a person: they drop its attributes, its scores on leaderboards and its
    /// key, and so all that was sealed under the key. The person's item stays under its name.
    fn forget(
        &self,
        key: &MemberKey,
        loaded: &LoadedMember,
        due_at: Option<Moment>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let person = Person {
            enrolment: Enrolment {
                id: key.member.clone(),
                attributes: BTreeMap::new(),
                tags: BTreeSet::new(),
                referred_by: None,
            },
            enrolled_at: loaded.person.enrolled_at,
            fingerprint: Fingerprint::of(&serde_json::Value::Null),
            due_at,
            secret: None,
        };
        let put = Put::builder().table_name(&self.table);
        let put = put.set_item(Some(item::of_person(key, &person)?)).build();
        let put = put.map_err(StoreError::request)?;
        let mut writes = vec![TransactWriteItem::builder().put(put).build()];
        for contest in loaded.member.scores.keys().take(SCORES_AT_ONCE) {
            writes.push(self.drop_score(key, contest)?);
        }
        Ok(writes)
    }

    /// The write that sets a member's due date in the due index, or takes the member out. It needs
    /// no condition: it is in one transaction with the version that it follows from.
    fn put_due(
        &self,
        key: &MemberKey,
        due_at: Option<Moment>,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(primary_key(&key.pk(), PERSON_SK)))
            .expression_attribute_names("#due", DUE)
            .expression_attribute_names("#at", DUE_AT);
        let update = match due_at {
            None => update.update_expression("REMOVE #due, #at"),
            Some(due_at) => {
                let [(_, due), (_, at)] = item::due(key, due_at);
                update
                    .update_expression("SET #due = :due, #at = :at")
                    .expression_attribute_values(":due", due)
                    .expression_attribute_values(":at", at)
            }
        };
        let update = update.build().map_err(StoreError::request)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// The writes of withdrawals from shared limits, out of the parts that were read.
    fn withdrawals(
        &self,
        key: &MemberKey,
        withdrawals: &[Withdrawal],
        shares: &BTreeMap<SharedLimit, Shares>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = Vec::new();
        for withdrawal in withdrawals {
            let unread = || BrokenInvariant::SharesAreNotRead(withdrawal.limit.clone());
            let shares = shares.get(&withdrawal.limit).ok_or_else(unread)?;
            writes.extend(self.take(&key.merchant, key.part(), withdrawal, shares)?);
        }
        Ok(writes)
    }

    /// The writes that put units back into shared limits.
    fn put_back(
        &self,
        key: &MemberKey,
        returns: &[Withdrawal],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        returns.iter().map(|withdrawal| self.give(&key.merchant, key.part(), withdrawal)).collect()
    }

    /// The writes that the effects of one member's entry need: its codes and its scores.
    fn writes_of_effects(
        &self,
        key: &MemberKey,
        entry: &Entry,
        member: &Member,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = Vec::new();
        // The scores of a member that is derived again are stated as a whole.
        let again = entry.again.as_ref();
        for (contest, score) in again.iter().flat_map(|again| again.state.scores()) {
            writes.push(self.set_score(key, contest, score)?);
        }
        for reason in entry.all_reasons() {
            match &reason.effect {
                Effect::Voucher { pool, code, again: false } => {
                    writes.extend(self.hand_out(&key.merchant, pool, code, key.member.as_str())?);
                }
                Effect::Score { contest, .. } | Effect::Unscore { contest, .. }
                    if again.is_none() =>
                {
                    let score = member.scores.get(contest).copied().unwrap_or_default();
                    writes.push(self.set_score(key, contest, score)?);
                }
                Effect::Units { .. }
                | Effect::Reclaim { .. }
                | Effect::Voucher { .. }
                | Effect::Score { .. }
                | Effect::Unscore { .. }
                | Effect::Void { .. }
                | Effect::Grant { .. }
                | Effect::Revoke { .. }
                | Effect::Tag { .. }
                | Effect::Untag { .. }
                | Effect::Referral { .. } => {}
            }
        }
        Ok(writes)
    }
}

/// Offsets withdrawals from a shared limit against returns to it. For example, an expired hold may
/// return the piece that is withdrawn now. An item can be written only once in a transaction.
fn offset_returns(withdrawals: &mut Vec<Withdrawal>, returns: &mut Vec<Withdrawal>) {
    for back in returns.iter_mut() {
        for withdrawal in withdrawals.iter_mut().filter(|withdrawal| withdrawal.limit == back.limit)
        {
            let both = withdrawal.units.min(back.units);
            // `both` is the smaller of the two, so neither difference is below zero.
            withdrawal.units = withdrawal.units.checked_sub(both).unwrap_or_default();
            back.units = back.units.checked_sub(both).unwrap_or_default();
        }
    }
    withdrawals.retain(|withdrawal| !withdrawal.units.is_zero());
    returns.retain(|back| !back.units.is_zero());
}

/// Merges other withdrawals (or returns) into a list, one for each shared limit: an item can be
/// written only once in a transaction.
fn merge_withdrawals(
    withdrawals: &mut Vec<Withdrawal>,
    others: &[Withdrawal],
) -> Result<(), BrokenInvariant> {
    for withdrawal in others {
        match withdrawals.iter_mut().find(|own| own.limit == withdrawal.limit) {
            Some(own) => {
                let sum = own.units.checked_add(withdrawal.units);
                let too_much = || BrokenInvariant::WithdrawalIsTooMuch(own.limit.clone());
                own.units = sum.ok_or_else(too_much)?;
            }
            None => withdrawals.push(withdrawal.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ledger::Units;

    use super::*;

    #[test]
    fn withdrawals_from_one_limit_are_one_write_and_their_sum_never_overflows() {
        let of = |limit: &str, units: Units| {
            let limit = SharedLimit::Stock(limit.to_owned());
            Withdrawal { limit, units }
        };
        let mut merged = vec![of("cup", Units::ONE)];
        merge_withdrawals(&mut merged, &[of("cup", Units::ONE), of("bag", Units::ONE)]).unwrap();
        let two = Units::new(2).unwrap();
        assert_eq!(merged, [of("cup", two), of("bag", Units::ONE)]);
        let limit = SharedLimit::Stock("cup".to_owned());
        assert_eq!(
            merge_withdrawals(&mut merged, &[of("cup", Units::MAX)]),
            Err(BrokenInvariant::WithdrawalIsTooMuch(limit))
        );
        let mut returned = vec![of("cup", Units::ONE)];
        offset_returns(&mut merged, &mut returned);
        assert_eq!(merged, [of("cup", Units::ONE), of("bag", Units::ONE)]);
        assert_eq!(returned, []);
    }
}
