//! The only place that reads the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use ledger::Moment;

/// The source of the current time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// The machine's clock, shifted by this much, so that old data can be seen as of its own days.
    Shifted(TimeDelta),
    /// A clock that stands still until it is set. A replay sets it to the times in its data. Unix
    /// time in seconds.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that starts at `now` and runs on from there.
    #[must_use]
    pub fn from(now: Moment) -> Clock {
        Clock::Shifted(now - system())
    }

    /// A clock that stands still at `now` until it is set.
    #[must_use]
    pub fn standing(now: Moment) -> Clock {
        Clock::Set(Arc::new(AtomicI64::new(now.timestamp())))
    }

    /// Sets a standing clock. It does nothing to the other kinds, which run by themselves.
    pub fn set(&self, now: Moment) {
        if let Clock::Set(seconds) = self {
            seconds.store(now.timestamp(), Ordering::SeqCst);
        }
    }

    /// The current time, in whole seconds.
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
