//! One write, sent again while its outcome is unknown, at most [`SENT_MAX`] times. It is sent
//! unchanged and with its condition, so it does not matter how many copies arrive, or when.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use tokio::time::Instant;

use crate::error::{StoreError, TRANSIENT};
use crate::key::Item;
use crate::meter::Kind;
use crate::retry::wait;
use crate::table::Store;

/// The most times that one write is sent, if it conflicts with another or its outcome is unknown.
const SENT_MAX: u32 = 5;

/// The outcome of a write.
pub(crate) enum Written {
    /// It was written.
    Done,
    /// A condition failed: something has changed since it was loaded. The item is the one that
    /// exists under the key, if one does and the table returned it.
    Conflict(Option<Item>),
    /// The outcome is unknown: it may have been written, or may still arrive.
    Unknown(String),
}

/// The outcome of sending a write once.
enum Sent {
    Done,
    /// A condition failed. The item is the one that exists under the key of the first put, if that
    /// condition failed and the table returned it.
    Taken(Option<Item>),
    /// The write conflicted with another, or no answer came. The same write may be sent again.
    Again(String),
}

impl Store {
    /// Puts an item on condition that there is none under its key (a member's next version, a
    /// person). If there are writes `beside` it, all are one transaction. After `stop_at` it is not
    /// sent again.
    pub(crate) async fn write(
        &self,
        put: Put,
        beside: Vec<TransactWriteItem>,
        stop_at: Instant,
    ) -> Result<Written, StoreError> {
        // DynamoDB recognizes a repeated transaction by its token for ten minutes.
        let token = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let mut reason = String::new();
        for attempt in 1..=SENT_MAX {
            let sent = match beside.as_slice() {
                [] => self.put(&put).await?,
                beside => self.transact(&put, beside, &token).await?,
            };
            match sent {
                Sent::Done => return Ok(Written::Done),
                Sent::Taken(there) => {
                    // If the identical item is there, an earlier copy of this write has arrived.
                    // The first copy has no earlier one: another request wrote the item that it
                    // finds, or the same request sent to another server.
                    let own = attempt > 1 && there.as_ref() == Some(put.item());
                    return Ok(if own { Written::Done } else { Written::Conflict(there) });
                }
                Sent::Again(why) => reason = why,
            }
            if Instant::now() >= stop_at {
                break;
            }
            tokio::time::sleep(wait(attempt)).await;
        }
        Ok(Written::Unknown(reason))
    }

    async fn put(&self, put: &Put) -> Result<Sent, StoreError> {
        let request = self
            .client
            .put_item()
            .table_name(put.table_name())
            .set_item(Some(put.item().clone()))
            .set_condition_expression(put.condition_expression().map(str::to_owned))
            .set_expression_attribute_names(put.expression_attribute_names().cloned())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.capacity());
        let error = match request.send().await {
            Ok(written) => {
                self.count(Kind::Write, written.consumed_capacity());
                return Ok(Sent::Done);
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                Ok(Sent::Taken(taken.item().cloned()))
            }
            Some(PutItemError::TransactionConflictException(met)) => {
                Ok(Sent::Again(met.to_string()))
            }
            _ => again(StoreError::of(error)),
        }
    }

    async fn transact(
        &self,
        put: &Put,
        beside: &[TransactWriteItem],
        token: &str,
    ) -> Result<Sent, StoreError> {
        let first = TransactWriteItem::builder().put(put.clone()).build();
        let request = self
            .client
            .transact_write_items()
            .transact_items(first)
            .client_request_token(token)
            .set_return_consumed_capacity(self.capacity());
        let request =
            beside.iter().cloned().fold(request, |request, write| request.transact_items(write));
        let error = match request.send().await {
            Ok(written) => {
                self.count(Kind::Write, written.consumed_capacity());
                return Ok(Sent::Done);
            }
            Err(error) => error,
        };
        match reasons(&error) {
            Some(reasons) if reasons.iter().any(is_condition) => {
                let own = reasons.first().filter(|reason| is_condition(reason));
                Ok(Sent::Taken(own.and_then(|reason| reason.item().cloned())))
            }
            Some(reasons) if may_go_again(reasons) => {
                Ok(Sent::Again("it met another transaction".to_owned()))
            }
            _ => again(StoreError::of(error)),
        }
    }
}

fn again(error: StoreError) -> Result<Sent, StoreError> {
    match error {
        StoreError::Unavailable(reason) => Ok(Sent::Again(reason)),
        error => Err(error),
    }
}

/// The reasons why a transaction was cancelled, one for each item.
fn reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<&[CancellationReason]> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            Some(cancelled.cancellation_reasons())
        }
        _ => None,
    }
}

fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Whether a transaction was cancelled only because it conflicted with another or was throttled.
fn may_go_again(reasons: &[CancellationReason]) -> bool {
    let mut codes =
        reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None");
    let is_passing = |code: &str| code == "TransactionConflict" || TRANSIENT.contains(&code);
    codes.clone().next().is_some() && codes.all(is_passing)
}

/// Whether reading again may help: a condition failed, or the transaction conflicted with another
/// or was throttled.
pub(crate) fn may_be_looked_at_again<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let Some(reasons) = reasons(error) else { return false };
    reasons.iter().any(is_condition) || may_go_again(reasons)
}
