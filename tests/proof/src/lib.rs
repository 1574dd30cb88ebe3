//! The proof: what no fault, race, crash or repeat may do to a ledger, and figures to show that it
//! does not. Each part has a short form, which `cargo test` runs, and a long one, which the command
//! `proof` runs; the same seed gives the same requests and lets the same happen to them.
#![expect(
    clippy::indexing_slicing,
    reason = "a value that is not in an answer is null, and a proof that cannot go on should say so"
)]

/// Bugs that have to be found.
pub mod bugs;
/// Processes that are killed.
pub mod crashes;
/// A store in a bad state.
pub mod degraded;
/// A night in which everybody is due.
pub mod expiry_run;
/// The wire, and what happens on it.
pub mod fault_proxy;
/// What a wallet should hold, by simple means.
pub mod model;
/// A process of its own.
pub mod process;
/// Several who want the same at once.
pub mod races;
/// A workload of every verb, and what must hold of it.
pub mod simulation;
/// A database behind a wire, and workers.
pub mod world;

/// Runs something on a thread of its own, on which one thing happens after the other and waiting takes
/// no time: with the same seed, the same.
///
/// # Errors
/// As what is run.
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

/// An error on its way to whoever runs a proof.
pub type ProofResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
