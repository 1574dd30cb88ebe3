//! The smallest form of the proof. The command `proof` has larger ones, which the README describes.
#![expect(clippy::panic, reason = "a test that cannot go on should say so")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use proof::crashes::{self, Killed};
use proof::expiry_run;
use proof::races::{self, Rounds};
use proof::simulation::{self, Size};
use proof::world::Planted;
use proof::{ProofResult, bugs, degraded};

/// The seed: `REGULARS_PROOF_SEED`, or 1. A new seed each day finds more than the same one for
/// ever, and every failure prints its seed.
fn seed() -> u64 {
    match std::env::var("REGULARS_PROOF_SEED") {
        Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("`{seed}` is no seed")),
        Err(_) => 1,
    }
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_proof"))
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "seed {}: {faults:#?}", seed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_nothing_doubled_under_everything_that_happens() -> ProofResult {
    let report = simulation::run(seed(), &Size::of(1000, 10), Planted::default(), |_| ()).await?;
    none(&report.faults);
    // Every verb, repeats, altered bodies, expiry runs and faults of every kind occurred.
    let verbs = [
        "adjust", "capture", "earn", "enroll", "erase", "hold", "join", "leave", "look", "redeem",
        "release", "reverse", "transfer",
    ];
    assert!(verbs.iter().all(|verb| report.done.contains_key(*verb)), "{:?}", report.done);
    assert!(report.repeats > 0 && report.altered > 0 && report.expiry_runs.0 > 0, "{report:?}");
    assert_eq!(report.happened.len(), 11, "{:?}", report.happened);
    Ok(())
}

/// The same seed gives the same answers, to the last byte.
#[tokio::test(start_paused = true)]
async fn the_same_seed_does_the_same() -> ProofResult {
    let size = Size::of(200, 5);
    let first = simulation::run(seed(), &size, Planted::default(), |_| ()).await?;
    let second = simulation::run(seed(), &size, Planted::default(), |_| ()).await?;
    let other = simulation::run(seed() + 1, &size, Planted::default(), |_| ()).await?;
    assert_eq!((first.answers_hash, &first.happened), (second.answers_hash, &second.happened));
    assert_ne!(first.answers_hash, other.answers_hash);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_leaves_all_or_nothing() -> ProofResult {
    let report = crashes::run(seed(), program(), 120, false, |_| ()).await?;
    none(&report.faults);
    let sum = |of: fn(&Killed) -> u64| report.killed.iter().map(of).sum::<u64>();
    assert!(sum(|killed| killed.at_moments) > 20 && sum(|killed| killed.at_random) > 20);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_several_who_want_the_same_one_has_it() -> ProofResult {
    assert!(races::checker_is_right());
    let rounds = Rounds { histories: 4, redeems: (1, 200), others: 2 };
    for race in races::run(seed(), rounds, Planted::default(), |_| ()).await? {
        none(&race.faults);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_that_is_killed_is_resumed() -> ProofResult {
    let size = expiry_run::Size { members: 2000, kills: 4, compared: 400 };
    let report = expiry_run::run(seed(), &program(), size, |_, _, _| ()).await?;
    none(&report.faults);
    assert_eq!((report.expired, report.kills), (2000, 4));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_in_a_bad_state_gives_no_wrong_answer() -> ProofResult {
    let found = degraded::run(seed(), 800, |_| ()).await?;
    none(&[found.calm.faults, found.degraded.faults, found.faults].concat());
    Ok(())
}

/// One bug in six. The command `proof` plants all of them, which takes minutes.
const EVERY: NonZeroUsize = NonZeroUsize::new(6).unwrap();

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the list is for whoever runs it")]
async fn bugs_that_are_planted_are_found() -> ProofResult {
    let found = bugs::run(seed(), 350, EVERY, |_| ()).await?;
    for bug in &found {
        println!("{}: {}", bug.name, bug.by.as_deref().unwrap_or("found by nobody"));
    }
    let missed: Vec<&str> =
        found.iter().filter(|bug| bug.by.is_none()).map(|bug| bug.name).collect();
    assert_eq!(missed, [""; 0], "seed {}", seed());
    assert_eq!(found.len(), 7);
    Ok(())
}
