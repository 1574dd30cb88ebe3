//! The proof: it shows, with figures, that no fault, race, crash or repeat loses or doubles
//! anything in the ledger. Each part has three forms: the smallest is in `cargo test`, and the
//! command `proof` runs a short one and a long one. The same seed gives the same requests and the same faults.
#![expect(
    clippy::indexing_slicing,
    reason = "a value that is not in an answer is null, and a proof that cannot go on should say so"
)]

/// Whether a run failed because the table was busy.
mod busy;
/// The fault proxy: a proxy between the SDK and the database that injects faults.
pub mod fault_proxy;
/// A database behind a fault proxy, and workers.
pub mod world;
/// Races: several requests for the same units at once.
pub mod races;
/// A simple model of what a wallet should hold.
pub mod model;
/// A workload of every verb, and what must hold after it.
pub mod simulation;
/// Planted bugs, each of which has to be found.
pub mod bugs;
/// A worker in a process of its own.
pub mod process;
/// Processes that are killed in the middle of their work.
pub mod crashes;
/// A store that throttles, conflicts, and leaves results unknown.
pub mod degraded;
/// An expiry run in which all members are due.
pub mod expiry_run;

/// Runs a future on a thread of its own, with a paused clock: tasks run one after the other,
/// waiting takes no time, and the same seed gives the same result.
///
/// # Errors
/// The future fails, or its thread panics.
pub async fn alone<T, F>(run: impl FnOnce() -> F + Send + 'static) -> ProofResult<T>
where
    T: Send + 'static,
    F: Future<Output = ProofResult<T>>,
{
    tokio::task::spawn_blocking(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build()?.block_on(run())
    })
    .await?
}

/// The result of a part of the proof. Its error is printed as it is.
pub type ProofResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
