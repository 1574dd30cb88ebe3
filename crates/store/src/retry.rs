//! Sending a request again. A read changes nothing, so a failed read is sent again by itself.
//! Earlier reads and decisions stay valid, and the client need not send its whole request again.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;

/// The time after which no attempt is started and no data is loaded. After it, a request makes at
/// most four more calls to the table, or two and the commit. The client's configuration limits each
/// call to three seconds, and a read is sent again only within its first half second. So the
/// request ends before the function times out, and the client gets `busy` instead of a time-out.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(4);

/// How often one request is sent.
const SENT_MAX: u32 = 4;
/// The time after which one request is not sent again. A table that throttles answers at once. One
/// that takes this long is out of reach, and the caller should know.
const RETRY_WINDOW: Duration = Duration::from_millis(500);
/// The base of the longest wait. It doubles with each attempt, up to `WAIT_MAX`.
const WAIT_FIRST: Duration = Duration::from_millis(4);
const WAIT_MAX: Duration = Duration::from_millis(250);

/// Sends a request that may arrive more than once, such as a read, until the table has answered,
/// [`SENT_MAX`] times at most and not after [`RETRY_WINDOW`].
pub(crate) async fn retry<T, F: Future<Output = Result<T, StoreError>>>(
    mut send: impl FnMut() -> F,
) -> Result<T, StoreError> {
    let began = Instant::now();
    for attempt in 1..SENT_MAX {
        match send().await {
            Err(StoreError::Unavailable(reason)) if began.elapsed() < RETRY_WINDOW => {
                tracing::warn!(%reason, attempt, "a request is sent again");
                tokio::time::sleep(wait(attempt)).await;
            }
            done => return done,
        }
    }
    send().await
}

/// A random wait before an attempt, so that requests that conflicted do not conflict again.
pub(crate) fn wait(attempt: u32) -> Duration {
    let longest = WAIT_FIRST.saturating_mul(1 << attempt.min(8)).min(WAIT_MAX);
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(fastrand::u64(0..=micros))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Sends a request to a table that takes `takes` to answer, with the error `says` before
    /// request number `until`. Returns how often it was sent, and whether it succeeded.
    async fn asked(takes: Duration, says: fn() -> StoreError, until: u32) -> (u32, bool) {
        let asked = Cell::new(0);
        let answer = retry(async || {
            asked.set(asked.get() + 1);
            tokio::time::sleep(takes).await;
            if asked.get() < until { Err(says()) } else { Ok(()) }
        });
        let is_answered = answer.await.is_ok();
        (asked.get(), is_answered)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_asked_again_is_asked_again_as_long_as_there_is_hope() {
        let busy = || StoreError::Unavailable("busy".to_owned());
        let refused = || StoreError::Refused("no".to_owned());
        let soon = Duration::from_millis(5);
        assert_eq!(asked(soon, busy, 1).await, (1, true));
        assert_eq!(asked(soon, busy, 4).await, (4, true));
        assert_eq!(asked(soon, busy, 5).await, (4, false));
        assert_eq!(asked(RETRY_WINDOW, busy, 5).await, (1, false));
        assert_eq!(asked(soon, refused, 5).await, (1, false));
    }
}
