//! The cost of requests, in DynamoDB's capacity units.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;
use rust_decimal::Decimal;

/// The cost of requests, in the capacity units that DynamoDB bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Read capacity units.
    pub reads: Decimal,
    /// Write capacity units.
    pub writes: Decimal,
    /// The number of requests that were answered.
    pub requests: u32,
}

/// A running sum of costs. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Cost>>);

impl Meter {
    /// The cost since the last call; resets the sum.
    #[must_use]
    pub fn take(&self) -> Cost {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one request that was answered.
    pub(crate) fn count<'a>(
        &self,
        kind: Kind,
        consumed: impl IntoIterator<Item = &'a ConsumedCapacity>,
    ) {
        // DynamoDB sends halves as floating point, whose text is exact.
        let units: Decimal = consumed
            .into_iter()
            .filter_map(|consumed| consumed.capacity_units()?.to_string().parse::<Decimal>().ok())
            .sum();
        let mut cost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            Kind::Read => cost.reads += units,
            Kind::Write => cost.writes += units,
        }
        cost.requests = cost.requests.saturating_add(1);
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Read,
    Write,
}
