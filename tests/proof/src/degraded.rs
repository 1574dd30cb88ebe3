//! A store in a bad state: of ten requests three are throttled, two meet a conflict, and one has an
//! unknown result. No client gets a wrong answer: either its request is done, or it gets a 503 with
//! `Retry-After`.

use crate::ProofResult;
use crate::fault_proxy::FaultRates;
use crate::simulation::{self, Report, Size};
use crate::world::Planted;

/// The reports of the same workload on a calm store and on a degraded one.
#[derive(Debug)]
pub struct Found {
    /// The report of the calm store.
    pub calm: Report,
    /// The report of the degraded store.
    pub degraded: Report,
    /// The faults in the comparison of both; empty if all is well.
    pub faults: Vec<String>,
}

/// Operations per member, so that no member gets an unrealistic number of them.
const OPERATIONS_PER_MEMBER: u64 = 50;
/// The fewest members of each merchant.
const MEMBERS_MIN: u32 = 100;

/// Runs the workload on both stores.
///
/// # Errors
/// A simulation cannot go on, such as when a 503 has no `Retry-After`.
pub async fn run(seed: u64, operations: u64, mut progress: impl FnMut(u64)) -> ProofResult<Found> {
    let members = u32::try_from(operations / OPERATIONS_PER_MEMBER)?.max(MEMBERS_MIN);
    let size = |rates: FaultRates| Size { operations, days: 60, members, workers: 32, rates };
    let none = Planted::default();
    let calm =
        simulation::run(seed, &size(FaultRates::calm()), none.clone(), &mut progress).await?;
    let rates = FaultRates::degraded(300, 200, 100);
    let degraded =
        simulation::run(seed, &size(rates), none, |done| progress(operations + done)).await?;
    let mut faults = Vec::new();
    let sum = |report: &Report| report.requests.values().sum::<u64>();
    // Both sums are for the same operations, repeats after a 503 included.
    if sum(&degraded) > 2 * sum(&calm) {
        faults.push("it takes more than twice the requests".to_owned());
    }
    if calm.calls.1 > 0 {
        faults.push("a sound store answered that it is busy".to_owned());
    }
    if degraded.calls.1 == 0 {
        faults.push("no answer was busy: the store was not in a bad state".to_owned());
    }
    Ok(Found { calm, degraded, faults })
}
