//! Asking again. A read changes nothing, so where one could not be made it is made again by itself:
//! what was read and decided before it need not be done anew, and the client need not send all of it
//! again.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;

/// The time after which no further try is begun, and nothing further is looked at for a decision.
/// What is under way then is a look of at most four calls of the table, or of two and the commit. The
/// client's configuration bounds each call to three seconds, and a read is begun again only in its
/// first half second: all of it ends before the function's time does, so that the client hears `busy`
/// and not a time-out.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(4);

/// How often one request is sent.
const SENT_MAX: u32 = 4;
/// The time after which it is not sent again. A table that throttles says so at once; one that takes
/// as long as this is out of reach, and whoever waits should hear of it.
const RETRY_WINDOW: Duration = Duration::from_millis(500);
/// The longest wait before the first try again; it doubles up to the last.
const WAIT_FIRST: Duration = Duration::from_millis(4);
const WAIT_MAX: Duration = Duration::from_millis(250);

/// Sends what may arrive more than once, a read above all, until the table has answered, or for as
/// long as there is hope.
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

/// A random wait, so that those who met do not meet again.
pub(crate) fn wait(attempt: u32) -> Duration {
    let longest = WAIT_FIRST.saturating_mul(1 << attempt.min(8)).min(WAIT_MAX);
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(fastrand::u64(0..=micros))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often a table is asked that takes so long to answer, and says so until it was asked so
    /// often.
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
