//! Failed expiry runs: whether the only reason is that the table was busy.

use expire::ExpireError;
use store::StoreError;

/// Whether an expiry run failed since the table was busy.
pub(crate) fn is_busy(error: &ExpireError) -> bool {
    match error {
        ExpireError::Store(StoreError::Unavailable(_)) => true,
        ExpireError::MembersFailed { reason, .. } => reason.contains("busy"),
        _ => false,
    }
}
