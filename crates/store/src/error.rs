//! The errors of the store, and which of DynamoDB's are worth another try.

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use ledger::{MemberId, Seq, SharedLimit, Units};

use crate::key::MemberKey;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table did not answer, or throttled the request. The same request may be sent again.
    #[error("the table is busy or out of reach: {0}")]
    Unavailable(String),
    /// The table refused the request: a permission, a name, a limit.
    #[error("the table refused a request: {0}")]
    Refused(String),
    /// An entry from before its person was erased. Nobody can read it any more.
    #[error("entry {entry} of `{member}` is sealed for ever: the member was erased")]
    Sealed {
        /// The member.
        member: MemberId,
        /// The number of the entry.
        entry: Seq,
    },
    /// An item that cannot be read: another program or a newer version wrote it, or it is damaged.
    #[error("an item of `{pk}` cannot be read: {reason}")]
    Unreadable {
        /// Its partition key.
        pk: String,
        /// Why.
        reason: String,
    },
    /// The loop of load, decide and commit broke an invariant: a fault of this program, and not of
    /// the table.
    #[error("a broken invariant: {0}")]
    Broken(#[from] BrokenInvariant),
}

/// An invariant between the steps of load, decide and commit that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenInvariant {
    /// A decision changes a member that does not exist.
    #[error("there is a decision for `{0}`, and no such member")]
    MemberIsMissing(MemberKey),
    /// A decision changes another member that it did not ask for.
    #[error("there is a decision for `{0}`, which was not loaded")]
    MemberIsNotLoaded(MemberKey),
    /// A decision still needs data after everything that it asked for was loaded.
    #[error("the decision for `{0}` needs more data each time")]
    DataIsNeverEnough(MemberKey),
    /// A decision withdraws from a shared limit that it did not ask for.
    #[error("{0} is withdrawn from, and its parts were not read")]
    SharesAreNotRead(SharedLimit),
    /// A decision withdraws more than is left in the parts that were read.
    #[error("{units} units are withdrawn from {limit}, and the parts that were read have fewer")]
    SharesAreTooSmall {
        /// The shared limit.
        limit: SharedLimit,
        /// The units withdrawn.
        units: Units,
    },
    /// A decision needs earlier rules, and whoever decides did not load them.
    #[error("the rules {0} were not loaded")]
    RulesAreNotLoaded(String),
    /// The withdrawals of a request overflow.
    #[error("more is withdrawn from {0} than can be counted")]
    WithdrawalIsTooMuch(SharedLimit),
}

impl StoreError {
    /// The member whose item cannot be read, if it is a member's item.
    #[must_use]
    pub fn member(&self) -> Option<MemberKey> {
        match self {
            StoreError::Unreadable { pk, .. } => MemberKey::of_pk(pk),
            _ => None,
        }
    }

    /// The error of a request that could not be built.
    pub(crate) fn request(error: impl Error) -> StoreError {
        StoreError::Refused(error.to_string())
    }

    pub(crate) fn unreadable(pk: &str, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Unreadable { pk: pk.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn sealed(key: &MemberKey, entry: Seq) -> StoreError {
        StoreError::Sealed { member: key.member.clone(), entry }
    }

    pub(crate) fn of<E>(error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let transient = match &error {
            // A proxy or load balancer before the table may fail too, without a DynamoDB code.
            SdkError::ServiceError(service) => {
                let code = service.err().code();
                service.raw().status().is_server_error()
                    || code.is_some_and(|code| TRANSIENT.contains(&code))
            }
            // The request may or may not have arrived, so it may be sent again.
            SdkError::TimeoutError(_)
            | SdkError::DispatchFailure(_)
            | SdkError::ResponseError(_) => true,
            _ => false,
        };
        let text = DisplayErrorContext(error).to_string();
        if transient { StoreError::Unavailable(text) } else { StoreError::Refused(text) }
    }
}

/// DynamoDB's codes for errors that pass: the same request may be sent again.
pub(crate) const TRANSIENT: [&str; 9] = [
    // A single write that met a transaction on the same item.
    "TransactionConflictException",
    "ThrottlingException",
    "ThrottlingError",
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
    "TransactionInProgressException",
];

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::get_item::GetItemError;

    use super::*;

    #[test]
    fn a_server_that_fails_without_a_code_is_asked_again_and_a_refusal_is_none() {
        let error_of = |status: u16| {
            let raw = HttpResponse::new(status.try_into().unwrap(), "<html></html>".into());
            let error = GetItemError::generic(ErrorMetadata::builder().build());
            StoreError::of(SdkError::service_error(error, raw))
        };
        assert!(matches!(error_of(503), StoreError::Unavailable(_)));
        assert!(matches!(error_of(500), StoreError::Unavailable(_)));
        assert!(matches!(error_of(403), StoreError::Refused(_)));
    }
}
