//! The size of a simulation.

use crate::fault_proxy::FaultRates;

/// The size of a simulation.
#[derive(Debug, Clone)]
pub struct Size {
    /// Operations in all, including repeats, altered bodies and reads.
    pub operations: u64,
    /// The days over which the operations are spread.
    pub days: u32,
    /// Members of each merchant.
    pub members: u32,
    /// Workers.
    pub workers: u32,
    /// The fault rates.
    pub rates: FaultRates,
}

impl Size {
    /// This many operations by 32 workers on this many members of each merchant, over 420 days and
    /// under every fault.
    #[must_use]
    pub fn of(operations: u64, members: u32) -> Size {
        Size { operations, days: 420, members, workers: 32, rates: FaultRates::everything(8) }
    }
}
