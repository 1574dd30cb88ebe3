//! The faults, and how often each is injected.

use std::collections::BTreeMap;
use std::time::Duration;

/// A fault that a request can get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A conflict: another transaction is changing the same item.
    Conflict,
    /// The same transaction is in progress already.
    InProgress,
    /// The request is throttled.
    Throttled,
    /// An error, and the request was not done.
    ErrorBefore,
    /// An error, and the request was done.
    ErrorAfter,
    /// The connection breaks, and the request was not done.
    DropBefore,
    /// The connection breaks, and the request was done.
    DropAfter,
    /// The request is done after the client has given up and sent it again.
    Late,
    /// The request arrives twice.
    Twice,
    /// An eventually consistent read is stale.
    StaleRead,
    /// An index lags.
    LaggingIndex,
}

/// The rate of each fault, per thousand requests that can get it.
#[derive(Debug, Clone, Default)]
pub struct FaultRates {
    /// The rate of each fault.
    pub per_thousand: BTreeMap<Fault, u32>,
    /// The delay of a late request.
    pub late: Duration,
}

impl FaultRates {
    /// No faults.
    #[must_use]
    pub fn calm() -> FaultRates {
        FaultRates::default()
    }

    /// Every fault at this rate, except stale reads at 80 and lagging indexes at 200 per thousand.
    #[must_use]
    pub fn everything(per_thousand: u32) -> FaultRates {
        use Fault as F;
        let all = [
            F::Conflict,
            F::InProgress,
            F::Throttled,
            F::ErrorBefore,
            F::ErrorAfter,
            F::DropBefore,
            F::DropAfter,
            F::Late,
            F::Twice,
        ];
        let mut often: BTreeMap<Fault, u32> = all.map(|fault| (fault, per_thousand)).into();
        // A stale read costs only another read, so there can be many.
        often.insert(F::StaleRead, 80);
        often.insert(F::LaggingIndex, 200);
        FaultRates { per_thousand: often, late: Duration::from_millis(400) }
    }

    /// A degraded store: the rates of throttled requests, of conflicts and of unknown results.
    #[must_use]
    pub fn degraded(throttled: u32, conflicts: u32, unknown: u32) -> FaultRates {
        use Fault as F;
        let often = [
            (F::Throttled, throttled),
            (F::Conflict, conflicts),
            (F::ErrorAfter, unknown / 2),
            (F::DropAfter, unknown - unknown / 2),
        ];
        FaultRates { per_thousand: often.into(), late: Duration::ZERO }
    }
}
