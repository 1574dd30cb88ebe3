//! Planted bugs, one at a time, in the fault proxy or between a decision and its write. The checks
//! have to find each of them, and must find nothing without a bug.

/// Requests to the database that are changed.
mod requests;
/// Decisions that are changed.
mod decisions;

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::StreamExt;
use ledger::{Decision, Member};
use serde_json::Value;
use store::Bug;

use crate::fault_proxy::{FaultRates, Tamper, Tampered};
use crate::races::{self, Rounds};
use crate::simulation::{self, Size};
use crate::world::Planted;
use crate::{ProofResult, alone};

/// The result for one bug.
#[derive(Debug, Clone)]
pub struct Found {
    /// The bug.
    pub name: &'static str,
    /// The first fault that was found; nothing if the bug was not found.
    pub by: Option<String>,
}

impl Found {
    fn is_missing(&self) -> bool {
        self.by.is_none()
    }
}

/// The injection point of a bug.
enum InjectionPoint {
    FaultProxy(fn(&str, &mut Value) -> Tampered),
    Decision(fn(&Member, &mut Decision)),
}

use InjectionPoint::{Decision as Decided, FaultProxy};

/// The bugs: what each does wrong, and where it is planted.
const BUGS: [(&str, InjectionPoint); 39] = [
    ("a version is written without its condition", FaultProxy(requests::no_condition)),
    ("a stale read is written without its version", FaultProxy(requests::stale_without_version)),
    ("a bare ADD, beside the transaction", FaultProxy(requests::bare_add)),
    ("a stock is taken whether it is there or not", FaultProxy(requests::no_stock_condition)),
    ("entries are deleted by TTL", FaultProxy(requests::entries_by_ttl)),
    ("the key is not looked for", FaultProxy(requests::key_is_not_looked_for)),
    ("the key is not kept", FaultProxy(requests::key_is_not_kept)),
    ("the last half of a transaction is left out", FaultProxy(requests::half_a_transaction)),
    ("answered as done before it is written", FaultProxy(requests::swallowed)),
    ("a due date is not moved in the index", FaultProxy(requests::due_is_not_moved)),
    ("a byte of an entry rots", FaultProxy(requests::rot)),
    ("all transactions have the same token", FaultProxy(requests::one_token)),
    ("a debt is lost", Decided(decisions::lost_debt)),
    ("a hold can be captured twice", Decided(decisions::doubled_capture)),
    ("expired units vanish, by TTL", Decided(decisions::units_by_ttl)),
    ("units expire early", Decided(decisions::early_expiry)),
    ("a rule pays one more, and says so", Decided(decisions::one_more)),
    ("who is given units has one more", Decided(decisions::one_more_transferred)),
    ("a hold stays an hour longer", Decided(decisions::longer_hold)),
    ("pending units can be spent at once", Decided(decisions::no_pending)),
    ("a due date is forgotten", Decided(decisions::no_due_date)),
    ("units come into another wallet", Decided(decisions::other_wallet)),
    ("a redemption gives back one more than it took", Decided(decisions::one_more_back)),
    ("an entry records another balance", Decided(decisions::other_balance)),
    ("derived again, a counter stays as it was", Decided(decisions::same_counters)),
    ("derived again, a task stays as it was", Decided(decisions::same_tasks)),
    ("derived again, a score stays as it was", Decided(decisions::same_scores)),
    ("derived again, the purchases stay as they were", Decided(decisions::same_purchases)),
    ("derived again, the last activity stays as it was", Decided(decisions::same_activity)),
    ("derived again, units stay in the lots they were in", Decided(decisions::same_lots)),
    ("derived again, the difference is posted twice", Decided(decisions::twice_the_difference)),
    ("what an edit takes back is not noted", Decided(decisions::nothing_undone)),
    ("a late order is dated by when it was told", Decided(decisions::dated_today)),
    ("a late order is judged by the tier of today", Decided(decisions::tier_of_today)),
    ("a late order is judged by rules that pay twice as much", Decided(decisions::other_rules)),
    ("derived again, a streak begins anew", Decided(decisions::broken_streaks)),
    ("derived again, a day is that of another time zone", Decided(decisions::another_day)),
    ("units that come back end a day later", Decided(decisions::later_end)),
    ("what a reversal gives back is given back twice", Decided(decisions::given_back_twice)),
];

/// How often a bug is looked for, each time with another seed: some bugs show only in some orders of
/// events. These looks have few operations, since most bugs show soon, and two more have all.
const SHORT_LOOKS: u64 = 5;
const LONG_LOOKS: u64 = 2;

/// The operations of a short look.
const FEW_OPERATIONS: u64 = 350;

/// Operations per member, and the fewest members. Members are few, so that their requests conflict,
/// and have few operations each, since an order told late lets all after it happen again.
const OPERATIONS_PER_MEMBER: u64 = 60;
const MEMBERS_MIN: u32 = 6;

/// The number of bugs.
#[must_use]
pub fn count() -> u64 {
    BUGS.len() as u64
}

/// Plants bugs, each alone: all of them if `every` is 1, or the first of each `every`. Looks for each
/// with the simulation and, if that finds nothing, with the races, in `operations` at most. Each seed
/// is also tried without a bug. One search per processor runs at a time, with a thread and a clock of
/// its own, so that the same seed gives the same result.
///
/// # Errors
/// A fault was found without a bug.
pub async fn run(
    seed: u64,
    operations: u64,
    every: NonZeroUsize,
    mut progress: impl FnMut(u64),
) -> ProofResult<Vec<Found>> {
    let at_once = std::thread::available_parallelism()?.get();
    let bugs: Vec<_> = BUGS.iter().step_by(every.get()).collect();
    let mut found: Vec<_> = bugs.iter().map(|(name, _)| Found { name, by: None }).collect();
    for (seed, before) in (seed..).zip(0..SHORT_LOOKS + LONG_LOOKS) {
        let operations =
            if before < SHORT_LOOKS { operations.min(FEW_OPERATIONS) } else { operations };
        let missing = (0..bugs.len()).filter(|bug| found.get(*bug).is_some_and(Found::is_missing));
        let missing: Vec<usize> = missing.collect();
        if missing.is_empty() {
            break;
        }
        // What is found where no bug is, is found by mistake.
        let looks = std::iter::once(None).chain(missing.into_iter().map(Some));
        let looks = looks.map(async |bug| {
            let planted = bug.and_then(|bug| bugs.get(bug));
            let planted = planted.map_or_else(Planted::default, |bug| plant(bug));
            let by = alone(move || async move { Ok(look(seed, operations, &planted).await) });
            ProofResult::Ok((bug, by.await?))
        });
        let mut looks = futures::stream::iter(looks).buffer_unordered(at_once);
        while let Some(looked) = looks.next().await {
            match looked? {
                (None, Some(what)) => {
                    return Err(format!("found where no bug is, seed {seed}: {what}").into());
                }
                (Some(bug), by) => {
                    if let Some(found) = found.get_mut(bug) {
                        found.by = by;
                    }
                }
                (None, None) => {}
            }
            let is_found = |found: &&Found| !found.is_missing();
            progress(found.iter().filter(is_found).count() as u64);
        }
    }
    Ok(found)
}

fn plant((_, place): &(&str, InjectionPoint)) -> Planted {
    match *place {
        FaultProxy(tamper) => {
            let tamper: Tamper = Arc::new(tamper);
            Planted { tamper: Some(tamper), bug: None }
        }
        Decided(bug) => Planted { tamper: None, bug: Some(Bug(Arc::new(bug))) },
    }
}

/// The first fault that the simulation or the races find.
async fn look(seed: u64, operations: u64, planted: &Planted) -> Option<String> {
    let mut rates = FaultRates::everything(10);
    rates.per_thousand.insert(crate::fault_proxy::Fault::StaleRead, 200);
    let members = u32::try_from(operations / OPERATIONS_PER_MEMBER).ok()?.max(MEMBERS_MIN);
    let size = Size { operations, days: 90, members, workers: 24, rates };
    // A simulation that could not go on has found nothing.
    if let Ok(report) = simulation::run(seed, &size, planted.clone(), |_| ()).await
        && let Some(fault) = report.faults.first()
    {
        return Some(format!("simulation: {fault}"));
    }
    let rounds = Rounds { histories: 2, redeems: (1, 24), others: 2 };
    let races = races::run(seed, rounds, planted.clone(), |_| ()).await.ok()?;
    races.iter().find_map(|race| Some(format!("races, {}: {}", race.name, race.faults.first()?)))
}
