use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem};
use ledger::{Decision, Member};
use serde_json::value::RawValue;

use crate::error::{StoreError, TRANSIENT};
use crate::item::{self, Held};
use crate::meter::Kind;
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

/// The time after which no further try is begun. A try is at most three calls of the table, each of
/// which `api::client` bounds to three seconds: all of it ends before the function's time does, so
/// that the client hears `busy` and not a time-out.
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
        mut decide: impl FnMut(Option<&Member>) -> Result<(Decision, Answer), R>,
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
            match (decide(held.as_ref().map(|held| &held.member)), held) {
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
                    let record = Record {
                        entry: decision.entry,
                        bundle: answer.bundle,
                        fingerprint: operation.fingerprint.clone(),
                        previous: held.head.clone(),
                        status: answer.status,
                        answer: answer.body,
                    };
                    match self
                        .commit(
                            at,
                            &operation.sk_at(record.entry.seq),
                            held,
                            decision.member,
                            &record,
                        )
                        .await?
                    {
                        Commit::Done => return Ok(Performed { record, replayed: false }),
                        Commit::LookAgain => {}
                    }
                }
            }
        }
        Err(Failure::Busy)
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
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(consistency == Consistency::Strong)
            .build()
            .map_err(StoreError::request)?;
        let found = self
            .client
            .batch_get_item()
            .request_items(&self.table, wanted)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await
            .map_err(StoreError::of)?;
        self.count(Kind::Read, found.consumed_capacity());
        if found.unprocessed_keys().is_some_and(|keys| !keys.is_empty()) {
            return Err(StoreError::Unavailable("a part of the read was put off".to_owned()));
        }
        let items = found.responses.and_then(|mut tables| tables.remove(&self.table));
        let (mut held, mut record) = (None, None);
        for item in items.unwrap_or_default() {
            if item::is_member(&item) {
                held = Some(item::to_member(at, item)?);
            } else if entry_sk == Some(item::text(&item, SK)) {
                record = Some(item::to_record(&item)?);
            }
        }
        Ok((held, record))
    }

    async fn commit(
        &self,
        at: &MemberKey,
        entry_sk: &str,
        seen: Held,
        member: Member,
        record: &Record,
    ) -> Result<Commit, StoreError> {
        let pk = at.pk();
        let body = item::body(&pk, record)?;
        let version = seen.member.version.to_string();
        let after = Held { member, head: Some(record_hash(&body)), ..seen };
        let put = |item: Item| Put::builder().table_name(&self.table).set_item(Some(item));
        let member = put(item::of_member(at, &after)?)
            .condition_expression("#version = :seen")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":seen", AttributeValue::N(version))
            .build()
            .map_err(StoreError::request)?;
        let entry = put(item::of_record(&pk, entry_sk, record, body))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()
            .map_err(StoreError::request)?;
        let written = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(member).build())
            .transact_items(TransactWriteItem::builder().put(entry).build())
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        match written {
            Ok(written) => {
                self.count(Kind::Write, written.consumed_capacity());
                Ok(Commit::Done)
            }
            Err(error) if may_be_looked_at_again(&error) => Ok(Commit::LookAgain),
            Err(error) => match StoreError::of(error) {
                // Whether it was written is not known; the entry will say.
                StoreError::Unavailable(reason) => {
                    tracing::warn!(%reason, member = %at, "a write of {at} is looked at again");
                    Ok(Commit::LookAgain)
                }
                error => Err(error),
            },
        }
    }
}

/// Whether a cancelled transaction was cancelled for reasons that a fresh look clears.
fn may_be_looked_at_again<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
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
