//! The properties of a request that decide which faults are possible, and the fault that it gets.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::fault_rates::Fault;
use super::state::{State, lock};

/// The properties of a request that decide which faults are possible.
pub(super) struct Asked {
    pub(super) index: Option<String>,
    pub(super) writes: bool,
    /// The number of items that a transaction writes; nothing if the request is not a transaction.
    pub(super) transaction: Option<usize>,
    pub(super) may_be_stale: bool,
    pub(super) of_index: bool,
    /// A hash of what is read, the same for every reader and every time.
    pub(super) read: u64,
}

impl Asked {
    pub(super) fn of(target: &str, body: &[u8]) -> Asked {
        let is_transaction = target == "TransactWriteItems";
        let writes = is_transaction || matches!(target, "PutItem" | "UpdateItem" | "DeleteItem");
        let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
        let items = value["TransactItems"].as_array().map_or(0, Vec::len);
        let transaction = is_transaction.then_some(items);
        let says_strong = |value: &Value| value["ConsistentRead"].as_bool().unwrap_or_default();
        let strong = says_strong(&value)
            || value["RequestItems"]
                .as_object()
                .is_some_and(|tables| tables.values().any(says_strong));
        let index = value["IndexName"].as_str().map(str::to_owned);
        let of_index = matches!(index.as_deref(), Some("due" | "board"));
        let reads = matches!(target, "GetItem" | "Query" | "BatchGetItem");
        // The time is left out of the hash, so that a later query of an index can get an earlier
        // answer.
        if let Some(now) = value.pointer_mut("/ExpressionAttributeValues/:now") {
            now.take();
        }
        let mut hasher = DefaultHasher::new();
        value.to_string().hash(&mut hasher);
        let read = hasher.finish();
        Asked { index, writes, transaction, may_be_stale: reads && !strong, of_index, read }
    }

    pub(super) fn can(&self, fault: Fault) -> bool {
        match fault {
            Fault::Conflict => self.writes,
            Fault::InProgress => self.transaction.is_some(),
            Fault::StaleRead => self.may_be_stale && !self.of_index,
            Fault::LaggingIndex => self.of_index,
            _ => true,
        }
    }
}

/// Counts a request and draws its fault, if any.
pub(super) fn draw_fault(state: &State, target: &str, asked: &Asked) -> Option<Fault> {
    let rates = lock(&state.rates).per_thousand.clone();
    let mut memory = lock(&state.memory);
    let of_index = |index: &str| format!("{target} of {index}");
    let label = asked.index.as_deref().map_or_else(|| target.to_owned(), of_index);
    *memory.requests.entry(label).or_default() += 1;
    if rates.is_empty() || matches!(target, "CreateTable" | "Scan" | "DescribeTable") {
        return None;
    }
    let mut dice = memory.chance.u32(0..1000);
    for (fault, often) in rates {
        if !asked.can(fault) {
            continue;
        }
        if dice < often {
            // A stale answer is counted when it is given: there may be no older answer.
            if !matches!(fault, Fault::StaleRead | Fault::LaggingIndex) {
                *memory.happened.entry(fault).or_default() += 1;
            }
            return Some(fault);
        }
        dice -= often;
    }
    None
}
