use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use ledger::{MemberId, Seq};

use crate::table::MemberKey;

/// What can go wrong between here and the table.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table did not answer, or asked for a slower pace. The same request may be tried again.
    #[error("the table is busy or out of reach: {0}")]
    Unavailable(String),
    /// The table refused the request: a permission, a name, a limit.
    #[error("the table refused a request: {0}")]
    Refused(String),
    /// What was written before a person was forgotten. Nobody can read it any more.
    #[error("entry {entry} of `{member}` is sealed for ever: the member was erased")]
    Sealed {
        /// The member.
        member: MemberId,
        /// Which entry.
        entry: Seq,
    },
    /// An item that this code did not write, or a newer one did.
    #[error("an item of `{pk}` cannot be read: {reason}")]
    Unreadable {
        /// Its partition key.
        pk: String,
        /// Why.
        reason: String,
    },
}

impl StoreError {
    /// Whose item it is that cannot be read, if a member's.
    #[must_use]
    pub fn member(&self) -> Option<MemberKey> {
        match self {
            StoreError::Unreadable { pk, .. } => MemberKey::of_pk(pk),
            _ => None,
        }
    }

    /// A request that could not even be put together.
    pub(crate) fn request(error: impl Error) -> StoreError {
        StoreError::Refused(error.to_string())
    }

    pub(crate) fn unreadable(pk: &str, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Unreadable { pk: pk.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn sealed(at: &MemberKey, entry: Seq) -> StoreError {
        StoreError::Sealed { member: at.member.clone(), entry }
    }

    pub(crate) fn of<E>(error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let transient = match &error {
            // What stands before the table may fail too, and has no code of the table's.
            SdkError::ServiceError(service) => {
                let code = service.err().code();
                service.raw().status().is_server_error()
                    || code.is_some_and(|code| TRANSIENT.contains(&code))
            }
            // The request may or may not have arrived: ask again with the same key.
            SdkError::TimeoutError(_)
            | SdkError::DispatchFailure(_)
            | SdkError::ResponseError(_) => true,
            _ => false,
        };
        let text = DisplayErrorContext(error).to_string();
        if transient { StoreError::Unavailable(text) } else { StoreError::Refused(text) }
    }
}

/// DynamoDB's codes for "later, please".
pub(crate) const TRANSIENT: [&str; 9] = [
    // A write beside a transaction at the same item.
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
        let told = |status: u16| {
            let raw = HttpResponse::new(status.try_into().unwrap(), "<html></html>".into());
            let error = GetItemError::generic(ErrorMetadata::builder().build());
            StoreError::of(SdkError::service_error(error, raw))
        };
        assert!(matches!(told(503), StoreError::Unavailable(_)));
        assert!(matches!(told(500), StoreError::Unavailable(_)));
        assert!(matches!(told(403), StoreError::Refused(_)));
    }
}
