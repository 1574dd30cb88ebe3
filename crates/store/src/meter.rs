use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;
use rust_decimal::Decimal;

use crate::table::Store;

/// What requests cost, in the units that DynamoDB bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Read units.
    pub reads: Decimal,
    /// Write units.
    pub writes: Decimal,
    /// Requests that were answered.
    pub requests: u32,
}

/// A running sum of costs. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Cost>>);

impl Meter {
    /// What has been counted since the last time it was asked.
    #[must_use]
    pub fn take(&self) -> Cost {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Read,
    Write,
}

impl Store {
    pub(crate) fn count<'a>(
        &self,
        kind: Kind,
        consumed: impl IntoIterator<Item = &'a ConsumedCapacity>,
    ) {
        let Some(meter) = &self.meter else { return };
        // DynamoDB tells halves as floating point; their text is exact.
        let units: Decimal = consumed
            .into_iter()
            .filter_map(|consumed| consumed.capacity_units()?.to_string().parse::<Decimal>().ok())
            .sum();
        let mut cost = meter.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            Kind::Read => cost.reads += units,
            Kind::Write => cost.writes += units,
        }
        cost.requests = cost.requests.saturating_add(1);
    }
}
