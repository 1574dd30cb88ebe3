//! What may happen to a request, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

/// What may happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Another transaction is at the same item.
    Conflict,
    /// The same transaction is under way.
    InProgress,
    /// Too much at once.
    Throttled,
    /// An error, and nothing was done.
    ErrorBefore,
    /// An error, and it was done.
    ErrorAfter,
    /// The connection breaks, and nothing was done.
    DropBefore,
    /// The connection breaks, and it was done.
    DropAfter,
    /// It is done after whoever sent it has given up and sent it again.
    Late,
    /// It arrives twice.
    Twice,
    /// An eventually consistent read is behind.
    StaleRead,
    /// An index is behind.
    LaggingIndex,
}

/// How often each thing happens, in a thousand requests to which it can happen.
#[derive(Debug, Clone, Default)]
pub struct FaultRates {
    /// By fault.
    pub per_thousand: BTreeMap<Fault, u32>,
    /// How long a late one takes.
    pub late: Duration,
}

impl FaultRates {
    /// Nothing happens.
    #[must_use]
    pub fn calm() -> FaultRates {
        FaultRates::default()
    }

    /// Everything happens.
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
        // Reads that are behind cost nothing but a second look: they can be many.
        often.insert(F::StaleRead, 80);
        often.insert(F::LaggingIndex, 200);
        FaultRates { per_thousand: often, late: Duration::from_millis(400) }
    }

    /// A store in a bad state: so many in a thousand are throttled, meet a conflict, or end unknown.
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
