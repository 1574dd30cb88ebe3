//! The commit: the writes of one decision, put together from what was decided and what was loaded, and
//! sent as one.

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

use crate::error::StoreError;
use crate::item::{self, LoadedMember, Person};
use crate::operation::{Fingerprint, Operation};
use crate::shared_limits::Shares;
use crate::table::{DUE, DUE_AT, MemberKey, PERSON_SK, PK, Store, key};
use crate::version::{Answer, Version};
use crate::write::Written;

/// Leaderboards that a member is taken off in the transaction that forgets it.
const SCORES_AT_ONCE: usize = 60;

/// A decision that is to be written, and what it was made from.
pub(crate) struct Commit<'a> {
    pub(crate) at: &'a MemberKey,
    pub(crate) operation: &'a Operation,
    /// The member as it was loaded.
    pub(crate) loaded: LoadedMember,
    pub(crate) decision: Decision,
    pub(crate) answer: Answer,
    /// The parts of pots that were looked into.
    pub(crate) shares: BTreeMap<SharedLimit, Shares>,
    /// Other members, as they were loaded.
    pub(crate) members: BTreeMap<MemberId, LoadedMember>,
}

/// One member's next version, and what goes with it.
struct Next<'a> {
    at: &'a MemberKey,
    operation: &'a Operation,
    loaded: &'a LoadedMember,
    member: Member,
    entry: Entry,
    due_at: Option<Moment>,
    answer: Answer,
}

impl Store {
    /// Writes all that was decided at once: the member's next version, and where there is more (a
    /// due date that moves, what was taken from pots and pools, scores, the one who brought the
    /// member), all of it in one transaction.
    pub(crate) async fn commit(
        &self,
        commit: Commit<'_>,
        stop_at: Instant,
    ) -> Result<(Version, Written), StoreError> {
        let Commit { at, operation, loaded, decision, answer, shares, mut members } = commit;
        let Decision { member, entry, due_at, others } = decision;
        if matches!(entry.kind, EntryKind::Erase) {
            let more = loaded.member.scores.keys().skip(SCORES_AT_ONCE);
            self.drop_scores(at, more).await?;
        }
        let mut writes = self.writes_of_effects(at, &entry, &member)?;
        let (mut withdrawals, mut returns) = (Vec::new(), Vec::new());
        merge_withdrawals(&mut withdrawals, &entry.withdrawals)?;
        merge_withdrawals(&mut returns, &entry.returns)?;
        // Nobody asks for it again: the member's own version is the memory of all.
        let scheduled = Operation::scheduled();
        for Decision { member, entry, due_at, .. } in others {
            let key = MemberKey { merchant: at.merchant.clone(), member: member.id.clone() };
            let loaded = members.remove(&key.member).ok_or_else(|| {
                StoreError::unreadable(&key.pk(), "it was decided without being looked at")
            })?;
            writes.extend(self.writes_of_effects(&key, &entry, &member)?);
            merge_withdrawals(&mut withdrawals, &entry.withdrawals)?;
            merge_withdrawals(&mut returns, &entry.returns)?;
            let bundle = answer.bundle.clone();
            let answer = Answer { bundle, status: 200, body: RawValue::NULL.to_owned() };
            let next = Next {
                at: &key,
                operation: &scheduled,
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
        writes.extend(self.put_back(at, &returns)?);
        writes.extend(self.withdrawals(at, &withdrawals, &shares)?);
        let next = Next { at, operation, loaded: &loaded, member, entry, due_at, answer };
        let (version, put, due) = self.next(next)?;
        writes.extend(due);
        let written = self.write(put, writes, stop_at).await?;
        Ok((version, written))
    }

    /// The write of a member's next version, on condition that there is none of its number; and
    /// those that go with it, where its due date moves or its person is forgotten.
    fn next(&self, next: Next<'_>) -> Result<(Version, Put, Vec<TransactWriteItem>), StoreError> {
        let Next { at, operation, loaded, member, entry, due_at, answer } = next;
        let erased = matches!(entry.kind, EntryKind::Erase);
        let beside = if erased {
            self.forget(at, loaded, due_at)?
        } else if loaded.due_at != due_at {
            vec![self.put_due(at, due_at)?]
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
        let item = item::of_version(at, &version, operation.name.as_deref(), secret)?;
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

    /// The writes that forget a person: its key, and so all that was sealed under it, its attributes,
    /// its places on leaderboards. That there is a member of its name stays.
    fn forget(
        &self,
        at: &MemberKey,
        loaded: &LoadedMember,
        due_at: Option<Moment>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let person = Person {
            enrolment: Enrolment {
                id: at.member.clone(),
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
        let put = put.set_item(Some(item::of_person(at, &person)?)).build();
        let put = put.map_err(StoreError::request)?;
        let mut writes = vec![TransactWriteItem::builder().put(put).build()];
        for contest in loaded.member.scores.keys().take(SCORES_AT_ONCE) {
            writes.push(self.drop_score(at, contest)?);
        }
        Ok(writes)
    }

    /// The write that moves a member in the due index, or takes it out. It needs no condition: it is
    /// written together with the version that it follows from.
    fn put_due(
        &self,
        at: &MemberKey,
        due_at: Option<Moment>,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&at.pk(), PERSON_SK)))
            .expression_attribute_names("#due", DUE)
            .expression_attribute_names("#at", DUE_AT);
        let update = match due_at {
            None => update.update_expression("REMOVE #due, #at"),
            Some(due_at) => {
                let [(_, due), (_, at)] = item::due(at, due_at);
                update
                    .update_expression("SET #due = :due, #at = :at")
                    .expression_attribute_values(":due", due)
                    .expression_attribute_values(":at", at)
            }
        };
        let update = update.build().map_err(StoreError::request)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// The writes that take what an entry drew from pots, from the parts that were looked into.
    fn withdrawals(
        &self,
        at: &MemberKey,
        withdrawals: &[Withdrawal],
        shares: &BTreeMap<SharedLimit, Shares>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = Vec::new();
        for withdraw in withdrawals {
            let shares = shares.get(&withdraw.limit).ok_or_else(|| {
                StoreError::unreadable(&at.pk(), format!("{} was not looked into", withdraw.limit))
            })?;
            writes.extend(self.take(&at.merchant, at.part(), withdraw, shares)?);
        }
        Ok(writes)
    }

    /// The writes that put units back into pots.
    fn put_back(
        &self,
        at: &MemberKey,
        returns: &[Withdrawal],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        returns.iter().map(|withdraw| self.give(&at.merchant, at.part(), withdraw)).collect()
    }

    /// The writes to what members share that are one member's alone: its codes, and its scores.
    fn writes_of_effects(
        &self,
        at: &MemberKey,
        entry: &Entry,
        member: &Member,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = Vec::new();
        for reason in &entry.reasons {
            match &reason.effect {
                Effect::Voucher { pool, code } => {
                    writes.extend(self.hand_out(&at.merchant, pool, code, at.member.as_str())?);
                }
                Effect::Score { contest, .. } | Effect::Unscore { contest, .. } => {
                    let score = member.scores.get(contest).copied().unwrap_or_default();
                    writes.push(self.put_score(at, contest, score)?);
                }
                Effect::Units { .. }
                | Effect::Reclaim { .. }
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

/// Settles what is drawn from a pot with what is put back into it: what a forgotten hold had set aside
/// may be what is taken now.
fn offset_returns(withdrawals: &mut Vec<Withdrawal>, returns: &mut Vec<Withdrawal>) {
    for back in returns.iter_mut() {
        for withdraw in withdrawals.iter_mut().filter(|withdraw| withdraw.limit == back.limit) {
            let both = withdraw.units.min(back.units);
            // Neither is below zero: it is the smaller of the two.
            withdraw.units = withdraw.units.checked_sub(both).unwrap_or_default();
            back.units = back.units.checked_sub(both).unwrap_or_default();
        }
    }
    withdrawals.retain(|withdraw| !withdraw.units.is_zero());
    returns.retain(|back| !back.units.is_zero());
}

/// Adds what another member draws or puts back. An item can be written only once in a transaction, so
/// what two members draw from one pot is one draw.
fn merge_withdrawals(
    withdrawals: &mut Vec<Withdrawal>,
    others: &[Withdrawal],
) -> Result<(), StoreError> {
    for withdraw in others {
        match withdrawals.iter_mut().find(|own| own.limit == withdraw.limit) {
            Some(own) => {
                own.units = own.units.checked_add(withdraw.units).ok_or_else(|| {
                    StoreError::unreadable(
                        &withdraw.limit.to_string(),
                        "more is drawn than a pot holds",
                    )
                })?;
            }
            None => withdrawals.push(withdraw.clone()),
        }
    }
    Ok(())
}
