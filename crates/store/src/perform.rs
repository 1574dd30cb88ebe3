use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use ledger::{Decision, Draw, Entry, Lack, Member, Outcome, Pot, Supplies};
use serde_json::value::RawValue;

use crate::error::{StoreError, TRANSIENT};
use crate::item::{self, Held};
use crate::meter::Kind;
use crate::pot::Parts;
use crate::record::{Operation, Record, record_hash};
use crate::table::{Consistency, Item, MEMBER_SK, MemberKey, PK, SK, Store, key};

/// How often a request is decided anew before it is told to come back. Each time but the last
/// somebody else's request on the same member has gone through.
const ATTEMPTS_MAX: u32 = 16;
/// The longest wait before the first try again; it doubles up to the last.
const WAIT_FIRST: Duration = Duration::from_millis(4);
const WAIT_MAX: Duration = Duration::from_millis(250);

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
/// What is under way then is a look of at most two calls of the table and the commit, and each call
/// is bounded to three seconds by the client's configuration: all of it ends before the function's
/// time does, so that the client hears `busy` and not a time-out.
const TIME_MAX: Duration = Duration::from_secs(4);

/// What has been done.
#[derive(Debug)]
pub struct Performed {
    /// The entry and the answer.
    pub record: Record,
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
    /// The member who brought this one, as held.
    referrer: Option<(MemberKey, Held)>,
}

/// Things that one decision may lack, one after the other.
const LACKS_MAX: u32 = 32;

/// How a commit went.
enum Commit {
    Done,
    /// The member moved on, the entry is there already, or nobody knows: look again.
    LookAgain,
}

impl Store {
    /// Loads the member, asks `decide`, and commits what it decided: the member as it will be and
    /// the entry that says so in one transaction, on condition that the member is still as seen and
    /// the entry not yet there. A member that moved on is loaded and decided anew.
    ///
    /// A repeat finds its entry with the member, in the same read, and writes nothing.
    ///
    /// # Errors
    /// `decide` said no, the key was used for something else, or the table could not be reached.
    /// Nothing is written then, or, where the connection broke, the entry knows: ask again with the
    /// same key.
    pub async fn perform<R>(
        &self,
        at: &MemberKey,
        operation: &Operation,
        mut decide: impl FnMut(Option<&Member>, &Supplies) -> Result<(Decision, Answer), Undecided<R>>,
    ) -> Result<Performed, Failure<R>> {
        // The first look is a cheap one. It may be a moment behind: then the conditions of the
        // commit fail, and the second look is a strong one.
        let mut consistency = Consistency::Eventual;
        let stop_at = Instant::now() + TIME_MAX;
        for attempt in 0..ATTEMPTS_MAX {
            if Instant::now() >= stop_at {
                break;
            }
            if attempt > 1 || (attempt == 1 && consistency == Consistency::Eventual) {
                tokio::time::sleep(wait(attempt)).await;
            }
            let (held, record) = match self.load(at, operation.sk(), consistency).await {
                Ok(loaded) => loaded,
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!(%reason, attempt, "a read is tried again");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(record) = record {
                return replay(record, operation);
            }
            let mut looked = Looked::default();
            let member = held.as_ref().map(|held| &held.member);
            let decided = match self.decide(at, member, &mut looked, stop_at, &mut decide).await {
                Ok(decided) => decided,
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!(%reason, attempt, "a read is tried again");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match (decided, held) {
                // No one is refused because of a look that was a moment behind.
                (Err(_), _) if consistency == Consistency::Eventual => {
                    consistency = Consistency::Strong;
                }
                (Err(rejection), _) => {
                    // The two items of a look are not of one moment: a twin of this request may
                    // have changed the member after its record was looked for. The record decides.
                    let twin = match operation.sk() {
                        Some(sk) => self.record(at, sk).await?,
                        None => None,
                    };
                    return twin.map_or(Err(Failure::Rejected(rejection)), |record| {
                        replay(record, operation)
                    });
                }
                (Ok(_), None) => {
                    return Err(
                        StoreError::unreadable(&at.pk(), "a decision without a member").into()
                    );
                }
                (Ok((decision, answer)), Some(held)) => {
                    consistency = Consistency::Strong;
                    let (record, commit) =
                        self.commit(at, operation, held, decision, answer, looked).await?;
                    match commit {
                        Commit::Done => return Ok(Performed { record, replayed: false }),
                        Commit::LookAgain => {}
                    }
                }
            }
        }
        Err(Failure::Busy)
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

    /// One read: the member, and the operation's record if it was done before.
    async fn load(
        &self,
        at: &MemberKey,
        entry_sk: Option<&str>,
        consistency: Consistency,
    ) -> Result<(Option<Held>, Option<Record>), StoreError> {
        let pk = at.pk();
        let keys = [Some(MEMBER_SK), entry_sk].into_iter().flatten().map(|sk| key(&pk, sk));
        let (mut held, mut record) = (None, None);
        for item in self.batch(keys, consistency).await? {
            if item::is_member(&item) {
                held = Some(item::to_member(at, item)?);
            } else if entry_sk == Some(item::text(&item, SK)) {
                record = Some(item::to_record(&item)?);
            }
        }
        Ok((held, record))
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
                    let codes = self.codes(&at.merchant, &pool, at.part(), codes).await?;
                    looked.supplies.codes.insert(pool, codes);
                }
                Lack::Referrer(id) => {
                    let key = MemberKey { merchant: at.merchant.clone(), member: id.clone() };
                    let held = self.held(&key).await?;
                    let member = held.as_ref().map(|held| held.member.clone());
                    looked.supplies.referrer = Some((id, member));
                    looked.referrer = held.map(|held| (key, held));
                }
            }
        }
        Err(StoreError::unreadable(&at.pk(), "a decision that always lacks something"))
    }

    /// Writes all that was decided in one transaction: the member, its entry, what was taken from
    /// pots and pools, scores, and the same of the one who brought the member.
    async fn commit(
        &self,
        at: &MemberKey,
        operation: &Operation,
        seen: Held,
        decision: Decision,
        answer: Answer,
        looked: Looked,
    ) -> Result<(Record, Commit), StoreError> {
        let Looked { parts, referrer: other, .. } = looked;
        let Decision { member, entry, referrer } = decision;
        let bundle = answer.bundle.clone();
        let sk = operation.sk_at(entry.seq);
        let mut writes = self.given(at, &entry, &member)?;
        let mut draws = entry.draws.clone();
        if let (Some(decision), Some((key, held))) = (referrer, other) {
            let Decision { member, entry, .. } = *decision;
            writes.extend(self.given(&key, &entry, &member)?);
            draw_together(&mut draws, &entry.draws)?;
            let answer = Answer { bundle, status: 200, body: RawValue::NULL.to_owned() };
            let sk = operation.sk_of_referral(at, entry.seq);
            let (_, own) = self.own(&key, &sk, held, member, entry, answer, operation)?;
            writes.extend(own);
        }
        writes.extend(self.draws(at, &draws, &parts)?);
        let (record, own) = self.own(at, &sk, seen, member, entry, answer, operation)?;
        let written = self
            .client
            .transact_write_items()
            .set_transact_items(Some(own.into_iter().chain(writes).collect()))
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        let commit = match written {
            Ok(written) => {
                self.count(Kind::Write, written.consumed_capacity());
                Commit::Done
            }
            Err(error) if may_be_looked_at_again(&error) => Commit::LookAgain,
            Err(error) => match StoreError::of(error) {
                // Whether it was written is not known; the entry will say.
                StoreError::Unavailable(reason) => {
                    tracing::warn!(%reason, member = %at, "a write of {at} is looked at again");
                    Commit::LookAgain
                }
                error => return Err(error),
            },
        };
        Ok((record, commit))
    }

    /// The writes of a member's own: its item, on condition that it is as seen, and its entry, on
    /// condition that it is not there.
    #[expect(clippy::too_many_arguments, reason = "they are all that a record is made of")]
    fn own(
        &self,
        at: &MemberKey,
        sk: &str,
        seen: Held,
        member: Member,
        entry: Entry,
        answer: Answer,
        operation: &Operation,
    ) -> Result<(Record, [TransactWriteItem; 2]), StoreError> {
        let pk = at.pk();
        let record = Record {
            entry,
            bundle: answer.bundle,
            fingerprint: operation.fingerprint.clone(),
            previous: seen.head.clone(),
            status: answer.status,
            answer: answer.body,
        };
        let body = item::body(&pk, &record)?;
        let version = seen.member.version.to_string();
        let after = Held { member, head: Some(record_hash(&body)), ..seen };
        let put = |item: Item| Put::builder().table_name(&self.table).set_item(Some(item));
        let member = put(item::of_member(at, &after)?)
            .condition_expression("#version = :seen")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":seen", AttributeValue::N(version))
            .build()
            .map_err(StoreError::request)?;
        let entry = put(item::of_record(&pk, sk, &record, body))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()
            .map_err(StoreError::request)?;
        let writes = [
            TransactWriteItem::builder().put(member).build(),
            TransactWriteItem::builder().put(entry).build(),
        ];
        Ok((record, writes))
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
                Outcome::Score { contest, .. } => {
                    let score = member.scores.get(contest).copied().unwrap_or_default();
                    writes.push(self.put_score(at, contest, score)?);
                }
                Outcome::Units { .. }
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

/// Adds the draws of another member. An item can be written only once in a transaction, so what
/// two members draw from one pot is one draw.
fn draw_together(draws: &mut Vec<Draw>, others: &[Draw]) -> Result<(), StoreError> {
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

/// Whether a cancelled transaction was cancelled for reasons that a fresh look clears.
pub(crate) fn may_be_looked_at_again<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return false;
    };
    let mut reasons = cancelled
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code())
        .filter(|code| *code != "None")
        .peekable();
    reasons.peek().is_some()
        && reasons.all(|code| {
            matches!(code, "ConditionalCheckFailed" | "TransactionConflict")
                || TRANSIENT.contains(&code)
        })
}

/// The answer to an operation that had been done before.
fn replay<R>(record: Record, operation: &Operation) -> Result<Performed, Failure<R>> {
    if record.fingerprint == operation.fingerprint {
        Ok(Performed { record, replayed: true })
    } else {
        Err(Failure::KeyIsReusedWithAnotherBody)
    }
}

/// A random wait, so that those who met do not meet again.
fn wait(attempt: u32) -> Duration {
    let longest = WAIT_FIRST.saturating_mul(1 << attempt.min(8)).min(WAIT_MAX);
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(fastrand::u64(0..=micros))
}
