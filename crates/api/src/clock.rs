use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use ledger::Moment;

/// What tells the time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// The machine's clock, so much ahead: for looking at old data as of its day.
    Shifted(TimeDelta),
    /// A clock that stands until it is set: a replay's, which follows the data.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that shows `now` and goes on from there.
    #[must_use]
    pub fn from(now: Moment) -> Clock {
        Clock::Shifted(now - system())
    }

    /// A clock that stands at `now` until it is set.
    #[must_use]
    pub fn standing(now: Moment) -> Clock {
        Clock::Set(Arc::new(AtomicI64::new(now.timestamp())))
    }

    /// Sets a standing clock; others go by themselves.
    pub fn set(&self, now: Moment) {
        if let Clock::Set(seconds) = self {
            seconds.store(now.timestamp(), Ordering::SeqCst);
        }
    }

    /// The time, to the second.
    #[must_use]
    pub fn now(&self) -> Moment {
        match self {
            Clock::System => system(),
            Clock::Shifted(ahead) => system() + *ahead,
            Clock::Set(seconds) => {
                DateTime::from_timestamp(seconds.load(Ordering::SeqCst), 0).unwrap_or_default()
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the clock is read")]
fn system() -> Moment {
    Utc::now().trunc_subsecs(0)
}
