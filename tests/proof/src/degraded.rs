//! A store in a bad state: three requests in ten are throttled, two meet a conflict, and of one nobody
//! knows what became of it. Nobody is told anything wrong: either it is done, or the client is told to
//! come again, and when.

use crate::ProofResult;
use crate::fault_proxy::FaultRates;
use crate::simulation::{self, Report, Size};
use crate::world::Planted;

/// The same workload on a store that is well, and on one that is not.
#[derive(Debug)]
pub struct Found {
    /// On a store that is well.
    pub calm: Report,
    /// On one that is not.
    pub degraded: Report,
    /// What is wrong between them; nothing should be.
    pub faults: Vec<String>,
}

/// As many members as operations ask for, so that none comes to have a life that nobody has.
const OPERATIONS_PER_MEMBER: u64 = 50;
/// Members of each merchant, at least.
const MEMBERS_MIN: u32 = 100;

/// Runs both.
///
/// # Errors
/// They cannot go on, as when a client is told to come again without being told when.
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
    // For the same operations, those of clients who were told to come again among them.
    if sum(&degraded) > 2 * sum(&calm) {
        faults.push("it takes more than twice the requests".to_owned());
    }
    if calm.calls.1 > 0 {
        faults.push("a store that is well told somebody to come again".to_owned());
    }
    if degraded.calls.1 == 0 {
        faults.push("nobody was told to come again: the store was not in a bad state".to_owned());
    }
    Ok(Found { calm, degraded, faults })
}
