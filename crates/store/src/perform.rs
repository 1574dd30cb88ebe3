use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use ledger::enroll::Enrolment;
use ledger::{Decision, Draw, Entry, Lack, Member, MemberId, Moment, Outcome, Pot, Supplies, What};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::item::{self, Held, Person};
use crate::operation::{Fingerprint, Operation};
use crate::pot::Parts;
use crate::retry::wait;
use crate::table::{Consistency, DUE, DUE_AT, MemberKey, PERSON_SK, PK, Store, key};
use crate::version::Version;
use crate::write::Written;

/// How often a request is decided anew before it is told to come back. Each time but the last
/// somebody else's request on the same member has gone through.
const ATTEMPTS_MAX: u32 = 16;

/// The answer to an operation, as it is given now and at every repeat.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The hash of the bundle that decided.
    pub bundle: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Box<RawValue>,
}

/// The time after which no further try is begun, and nothing further is looked at for a decision.
/// What is under way then is a look of at most four calls of the table, or of two and the commit. The
/// client's configuration bounds each call to three seconds, and a read is begun again only in its
/// first half second: all of it ends before the function's time does, so that the client hears `busy`
/// and not a time-out.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(4);

/// What has been done.
#[derive(Debug)]
pub struct Performed {
    /// The version that it made, with the entry and the answer.
    pub version: Version,
    /// It had been done before, and this is the first answer again.
    pub replayed: bool,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Failure<R> {
    /// The decision was no.
    #[error("rejected")]
    Rejected(R),
    /// The idempotency key has been used for something else.
    #[error("the idempotency key was used with another body")]
    KeyIsReusedWithAnotherBody,
    /// Others kept changing the member, or the table stayed out of reach, for all attempts. The
    /// same request may be sent again.
    #[error("the member could not be changed in {ATTEMPTS_MAX} attempts")]
    Busy,
    /// The table refused, or holds what cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no decision.
#[derive(Debug)]
pub enum Undecided<R> {
    /// The decision is no.
    Rejected(R),
    /// It cannot be made before this is known.
    Lacks(Lack),
}

/// What has been looked at for one try.
#[derive(Default)]
struct Looked {
    supplies: Supplies,
    parts: BTreeMap<Pot, Parts>,
    /// Other members, as held.
    members: BTreeMap<MemberId, Held>,
}

/// Leaderboards that a member is taken off in the transaction that forgets it.
const SCORES_AT_ONCE: usize = 60;

/// Things that one decision may lack, one after the other.
const LACKS_MAX: u32 = 32;

/// How a try went.
enum Tried<R> {
    Done(Box<Performed>),
    Rejected(R),
    KeyIsReused,
    /// Somebody was faster, or nobody knows: look again.
    LookAgain,
}

impl Store {
    /// Loads the member, asks `decide`, and commits what it decided as the member's next version, on
    /// condition that there is none of that number yet. Where there is, somebody was faster: the
    /// member is loaded and decided anew.
    ///
    /// A repeat finds its version by its key, and writes nothing. It is looked for after the member
    /// was read: what was done before that version is found, and what is done after it takes the
    /// number that this one wants.
    ///
    /// # Errors
    /// `decide` said no, the key was used for something else, or the table could not be reached.
    /// Nothing is written then, or, where the connection broke, the table knows: ask again with the
    /// same key.
    pub async fn perform<R>(
        &self,
        at: &MemberKey,
        operation: &Operation,
        mut decide: impl FnMut(Option<&Member>, &Supplies) -> Result<(Decision, Answer), Undecided<R>>,
    ) -> Result<Performed, Failure<R>> {
        // The first look is a cheap one. It may be a moment behind: then the number is taken, and
        // the second look is a strong one.
        let mut consistency = Consistency::Eventual;
        let stop_at = Instant::now() + TIME_MAX;
        for attempt in 0..ATTEMPTS_MAX {
            if Instant::now() >= stop_at {
                break;
            }
            if attempt > 1 || (attempt == 1 && consistency == Consistency::Eventual) {
                tokio::time::sleep(wait(attempt)).await;
            }
            let tried = self.attempt(at, operation, consistency, stop_at, &mut decide).await;
            match tried {
                Ok(Tried::Done(done)) => return Ok(*done),
                // No one is refused because of a look that was a moment behind.
                Ok(Tried::Rejected(_)) if consistency == Consistency::Eventual => {}
                Ok(Tried::Rejected(rejection)) => return Err(Failure::Rejected(rejection)),
                Ok(Tried::KeyIsReused) => return Err(Failure::KeyIsReusedWithAnotherBody),
                // A person who is forgotten between two looks is seen to be by the next.
                Ok(Tried::LookAgain) | Err(StoreError::Sealed { .. }) => {}
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!(%reason, attempt, "a read is tried again");
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            consistency = Consistency::Strong;
        }
        Err(Failure::Busy)
    }

    /// One try: load, decide, commit.
    async fn attempt<R>(
        &self,
        at: &MemberKey,
        operation: &Operation,
        consistency: Consistency,
        stop_at: Instant,
        decide: &mut impl FnMut(Option<&Member>, &Supplies) -> Result<(Decision, Answer), Undecided<R>>,
    ) -> Result<Tried<R>, StoreError> {
        let held = self.held(at, consistency).await?;
        if let (Some(held), Some(op)) = (&held, &operation.name)
            && let Some(version) = self.version_of(at, op, &held.person).await?
        {
            let same = version.fingerprint == operation.fingerprint;
            let done = || Tried::Done(Box::new(Performed { version, replayed: true }));
            return Ok(if same { done() } else { Tried::KeyIsReused });
        }
        let mut looked = Looked::default();
        looked.supplies.due_at = held.as_ref().and_then(|held| held.due_at);
        let member = held.as_ref().map(|held| &held.member);
        let (decision, answer) = match self.decide(at, member, &mut looked, stop_at, decide).await?
        {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Tried::Rejected(rejection)),
        };
        let held =
            held.ok_or_else(|| StoreError::unreadable(&at.pk(), "a decision without a member"))?;
        #[cfg(feature = "planted")]
        let decision = {
            let mut decision = decision;
            if let Some(bug) = &self.bug {
                bug.0(&held.member, &mut decision);
            }
            decision
        };
        self.commit(at, operation, held, decision, answer, looked, stop_at).await
    }

    /// Decides for a member as it is now, and writes nothing.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn consider<T, R>(
        &self,
        at: &MemberKey,
        mut decide: impl FnMut(Option<&Member>, &Supplies) -> Result<T, Undecided<R>>,
    ) -> Result<Result<T, R>, StoreError> {
        let stop_at = Instant::now() + TIME_MAX;
        let member = self.member(at).await?;
        self.decide(at, member.as_ref(), &mut Looked::default(), stop_at, &mut decide).await
    }

    /// Asks for a decision, and looks up what it lacks until it is made.
    async fn decide<T, R>(
        &self,
        at: &MemberKey,
        member: Option<&Member>,
        looked: &mut Looked,
        stop_at: Instant,
        decide: &mut impl FnMut(Option<&Member>, &Supplies) -> Result<T, Undecided<R>>,
    ) -> Result<Result<T, R>, StoreError> {
        for _ in 0..LACKS_MAX {
            let lack = match decide(member, &looked.supplies) {
                Ok(decided) => return Ok(Ok(decided)),
                Err(Undecided::Rejected(rejection)) => return Ok(Err(rejection)),
                Err(Undecided::Lacks(lack)) => lack,
            };
            if Instant::now() >= stop_at {
                return Err(StoreError::Unavailable("looking things up took too long".to_owned()));
            }
            match lack {
                Lack::Left { pot, units } => {
                    let parts = self.look_into(&at.merchant, &pot, at.part(), units).await?;
                    looked.supplies.left.insert(pot.clone(), parts.known());
                    looked.parts.insert(pot, parts);
                }
                Lack::Codes { pool, codes } => {
                    let codes = self.codes(&at.merchant, &pool, at.part(), codes, stop_at).await?;
                    looked.supplies.codes.insert(pool, codes);
                }
                Lack::Member(id) => {
                    let key = MemberKey { merchant: at.merchant.clone(), member: id.clone() };
                    let held = self.held(&key, Consistency::Strong).await?;
                    let member = held.as_ref().map(|held| held.member.clone());
                    looked.supplies.members.insert(id.clone(), member);
                    looked.members.extend(held.map(|held| (id, held)));
                }
                Lack::Past { member: id, entry } => {
                    let key = MemberKey { merchant: at.merchant.clone(), member: id.clone() };
                    let known = looked.supplies.pasts.get(&id);
                    if known.is_some_and(|known| known.before.version < entry) {
                        // It was looked at, and was not of the moment of the rest.
                        return Err(StoreError::Unavailable("a member moved on".to_owned()));
                    }
                    let past = self.past(&key, entry).await?;
                    looked.supplies.pasts.insert(id, past);
                }
            }
        }
        Err(StoreError::unreadable(&at.pk(), "a decision that always lacks something"))
    }

    /// Writes all that was decided at once: the member's next version, and where there is more (a
    /// due date that moves, what was taken from pots and pools, scores, the one who brought the
    /// member), all of it in one transaction.
    #[expect(clippy::too_many_arguments, reason = "they are all that was looked at and decided")]
    async fn commit<R>(
        &self,
        at: &MemberKey,
        operation: &Operation,
        seen: Held,
        decision: Decision,
        answer: Answer,
        looked: Looked,
        stop_at: Instant,
    ) -> Result<Tried<R>, StoreError> {
        let Looked { parts, mut members, .. } = looked;
        let Decision { member, entry, due_at, others } = decision;
        if matches!(entry.what, What::Erase) {
            let more = seen.member.scores.keys().skip(SCORES_AT_ONCE);
            self.drop_scores(at, more).await?;
        }
        let mut writes = self.given(at, &entry, &member)?;
        let (mut draws, mut returns) = (Vec::new(), Vec::new());
        together(&mut draws, &entry.draws)?;
        together(&mut returns, &entry.returns)?;
        for Decision { member, entry, due_at, .. } in others {
            let key = MemberKey { merchant: at.merchant.clone(), member: member.id.clone() };
            let held = members.remove(&key.member).ok_or_else(|| {
                StoreError::unreadable(&key.pk(), "it was decided without being looked at")
            })?;
            writes.extend(self.given(&key, &entry, &member)?);
            together(&mut draws, &entry.draws)?;
            together(&mut returns, &entry.returns)?;
            let bundle = answer.bundle.clone();
            let answer = Answer { bundle, status: 200, body: RawValue::NULL.to_owned() };
            // Nobody asks for it again: the member's own version is the memory of all.
            let scheduled = Operation::scheduled();
            let (_, put, due) =
                self.next(&key, &scheduled, &held, member, entry, due_at, answer)?;
            writes.push(TransactWriteItem::builder().put(put).build());
            writes.extend(due);
        }
        net(&mut draws, &mut returns);
        writes.extend(self.put_back(at, &returns)?);
        writes.extend(self.draws(at, &draws, &parts)?);
        let (version, put, due) = self.next(at, operation, &seen, member, entry, due_at, answer)?;
        writes.extend(due);
        match self.write(put, writes, stop_at).await? {
            Written::Done => Ok(Tried::Done(Box::new(Performed { version, replayed: false }))),
            Written::SomebodyWasFaster(_) => Ok(Tried::LookAgain),
            // The next look may say.
            Written::NobodyKnows(reason) => {
                tracing::warn!(%reason, member = %at, "a write of {at} is looked at again");
                Ok(Tried::LookAgain)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are all that a version is made of")]
    /// The write of a member's next version, on condition that there is none of its number; and
    /// those that go with it, where its due date moves or its person is forgotten.
    fn next(
        &self,
        at: &MemberKey,
        operation: &Operation,
        seen: &Held,
        member: Member,
        entry: Entry,
        due_at: Option<Moment>,
        answer: Answer,
    ) -> Result<(Version, Put, Vec<TransactWriteItem>), StoreError> {
        let erased = matches!(entry.what, What::Erase);
        let beside = if erased {
            self.forget(at, seen, due_at)?
        } else if seen.due_at != due_at {
            vec![self.put_due(at, due_at)?]
        } else {
            Vec::new()
        };
        let secret = seen.person.secret.as_ref().filter(|_| !erased);
        let version = Version {
            entry,
            member,
            due_at,
            bundle: answer.bundle,
            fingerprint: operation.fingerprint.clone(),
            previous: seen.head.clone(),
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
        seen: &Held,
        due_at: Option<Moment>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let person = Person {
            enrolment: Enrolment {
                id: at.member.clone(),
                attributes: BTreeMap::new(),
                tags: BTreeSet::new(),
                referred_by: None,
            },
            enrolled_at: seen.person.enrolled_at,
            fingerprint: Fingerprint::of(&serde_json::Value::Null),
            due_at,
            secret: None,
        };
        let put = Put::builder().table_name(&self.table);
        let put = put.set_item(Some(item::of_person(at, &person)?)).build();
        let put = put.map_err(StoreError::request)?;
        let mut writes = vec![TransactWriteItem::builder().put(put).build()];
        for contest in seen.member.scores.keys().take(SCORES_AT_ONCE) {
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
    fn draws(
        &self,
        at: &MemberKey,
        draws: &[Draw],
        parts: &BTreeMap<Pot, Parts>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = Vec::new();
        for draw in draws {
            let parts = parts.get(&draw.pot).ok_or_else(|| {
                StoreError::unreadable(&at.pk(), format!("{} was not looked into", draw.pot))
            })?;
            writes.extend(self.take(&at.merchant, at.part(), draw, parts)?);
        }
        Ok(writes)
    }

    /// The writes that put units back into pots.
    fn put_back(
        &self,
        at: &MemberKey,
        returns: &[Draw],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        returns.iter().map(|draw| self.give(&at.merchant, at.part(), draw)).collect()
    }

    /// The writes to what members share that are one member's alone: its codes, and its scores.
    fn given(
        &self,
        at: &MemberKey,
        entry: &Entry,
        member: &Member,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = Vec::new();
        for reason in &entry.because {
            match &reason.gave {
                Outcome::Voucher { pool, code } => {
                    writes.extend(self.hand_out(&at.merchant, pool, code, at.member.as_str())?);
                }
                Outcome::Score { contest, .. } | Outcome::Unscore { contest, .. } => {
                    let score = member.scores.get(contest).copied().unwrap_or_default();
                    writes.push(self.put_score(at, contest, score)?);
                }
                Outcome::Units { .. }
                | Outcome::Back { .. }
                | Outcome::Void { .. }
                | Outcome::Grant { .. }
                | Outcome::Revoke { .. }
                | Outcome::Tag { .. }
                | Outcome::Untag { .. }
                | Outcome::Referral { .. } => {}
            }
        }
        Ok(writes)
    }
}

/// Settles what is drawn from a pot with what is put back into it: what a forgotten hold had set aside
/// may be what is taken now.
fn net(draws: &mut Vec<Draw>, returns: &mut Vec<Draw>) {
    for back in returns.iter_mut() {
        for draw in draws.iter_mut().filter(|draw| draw.pot == back.pot) {
            let both = draw.units.min(back.units);
            // Neither is below zero: it is the smaller of the two.
            draw.units = draw.units.checked_sub(both).unwrap_or_default();
            back.units = back.units.checked_sub(both).unwrap_or_default();
        }
    }
    draws.retain(|draw| !draw.units.is_zero());
    returns.retain(|back| !back.units.is_zero());
}

/// Adds what another member draws or puts back. An item can be written only once in a transaction, so
/// what two members draw from one pot is one draw.
fn together(draws: &mut Vec<Draw>, others: &[Draw]) -> Result<(), StoreError> {
    for draw in others {
        match draws.iter_mut().find(|own| own.pot == draw.pot) {
            Some(own) => {
                own.units = own.units.checked_add(draw.units).ok_or_else(|| {
                    StoreError::unreadable(&draw.pot.to_string(), "more is drawn than a pot holds")
                })?;
            }
            None => draws.push(draw.clone()),
        }
    }
    Ok(())
}
