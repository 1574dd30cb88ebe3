//! Failed expiry runs: whether the reason is that the table was busy.

use api::Refusal;
use expire::{ExpireError, WriteError};
use store::StoreError;

/// Whether an expiry run failed because the table was busy, judged by the first member that failed.
pub(crate) fn is_busy(error: &ExpireError) -> bool {
    match error {
        ExpireError::Store(StoreError::Unavailable(_)) => true,
        ExpireError::MembersFailed { reason, .. } => matches!(
            reason,
            WriteError::Store(StoreError::Unavailable(_)) | WriteError::Refused(Refusal::Busy)
        ),
        _ => false,
    }
}
