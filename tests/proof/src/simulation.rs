//! The simulation: a seeded workload of every verb on many members of two merchants, by several
//! workers whose clocks differ, through a fault proxy with every fault; and what must hold after
//! it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::http::Method;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::ProofResult;
use crate::fault_proxy::FaultRates;
use crate::simulation::client::Client;
use crate::world::{MERCHANTS, Planted, Worker, World};

/// The size of a simulation.
mod size;
/// The result of a simulation.
mod report;
/// What the clients know of members: their requests and the answers.
mod known;
/// A client that makes requests.
mod client;
/// What the entries of a member stand for in the model.
mod followed;
/// Whether a member as stored is the one that all of its history makes.
mod derived;
/// What must hold after a simulation.
mod check;

pub use self::report::Report;
pub use self::size::Size;

use self::known::{Members, SCARCE, home, homes, lock, name};

/// Runs a simulation.
///
/// # Errors
/// The simulation cannot go on. What is wrong is in the report.
pub async fn run(
    seed: u64,
    size: &Size,
    planted: Planted,
    mut progress: impl FnMut(u64),
) -> ProofResult<Report> {
    let began = Instant::now();
    let world = Arc::new(World::new(seed, FaultRates::calm(), planted, SCARCE).await?);
    let members: Members = (0..MERCHANTS.len())
        .flat_map(|merchant| (0..size.members).map(move |member| (merchant, member)))
        .map(|who| (who, Mutex::default()))
        .collect();
    let members = Arc::new(members);
    let first = world.worker(0).await;
    first.look_up(&world);
    world.proxy.set(size.rates.clone());
    let enrolled = enroll_all(&world, &first, size.members).await?;

    let report = Arc::new(Mutex::new(Report { seed, ..enrolled }));
    let operations = Arc::new(AtomicU64::new(0));
    let steps = Arc::new(AtomicU64::new(0));
    let day = Arc::new(RwLock::new(()));
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..size.workers {
        // The clocks are spread from 15 minutes behind to 15 minutes ahead.
        let skew = i64::from(number) * 1800 / i64::from(size.workers.max(2) - 1) - 900;
        let mut client = Client {
            world: Arc::clone(&world),
            worker: world.worker(skew).await,
            members: Arc::clone(&members),
            day: Arc::clone(&day),
            size: size.clone(),
            rng: Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number.into())),
            report: Arc::clone(&report),
            number,
            keys: 0,
            last: (0, 0),
        };
        let (operations, most) = (Arc::clone(&operations), size.operations);
        let steps = Arc::clone(&steps);
        workers.spawn(async move {
            // A client stops once something wrong is found.
            while operations.load(Ordering::Relaxed) < most && client.is_well() {
                // A step that had nothing to request does not count.
                let asked = client.step(steps.fetch_add(1, Ordering::Relaxed)).await?;
                operations.fetch_add(asked.into(), Ordering::Relaxed);
            }
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(500));
    while !workers.is_empty() {
        tokio::select! {
            biased;
            ended = workers.join_next() => if let Some(ended) = ended { ended??; },
            _ = ticks.tick() => progress(operations.load(Ordering::Relaxed).min(size.operations)),
        }
    }
    let mut found = std::mem::take(&mut *lock(&report));
    found.happened = world.proxy.happened();
    found.requests = world.proxy.requests();
    found.calls = world.calls();
    last_night(&world, &first, &mut found).await;
    check::check(&world, &members, &mut found).await?;
    found.operations = operations.load(Ordering::Relaxed);
    found.seconds = began.elapsed().as_secs();
    Ok(found)
}

/// Without faults, one expiry run must do all that is due, and a second one must find nothing.
async fn last_night(world: &World, worker: &Worker, report: &mut Report) {
    world.proxy.set(FaultRates::calm());
    worker.look_up(world);
    for (run, is_first) in [("the last expiry run", true), ("one expiry run too many", false)] {
        match expire::run(&worker.api, &expire::Event::default(), None).await {
            Ok(summary) if is_first || summary.due == 0 => {}
            Ok(summary) => report.faults.push(format!("{run} finds {} due", summary.due)),
            Err(error) => report.faults.push(format!("{run}: {error}")),
        }
    }
}

/// The body of an enrolment. Every fifth member has the one before it as its referrer.
fn enrolment(member: &str, number: u32) -> Value {
    let day = member.bytes().map(u32::from).sum::<u32>() % 28 + 1;
    let attributes = json!({ "birthday": format!("1990-{:02}-{day:02}", day % 12 + 1) });
    let mut body = json!({ "id": member, "attributes": attributes });
    if number % 5 == 4 {
        body["referred_by"] = json!(name(number - 1));
    }
    body
}

/// Enrols all members. Some are enrolled again with the same data, which is a repeat, and some with
/// other data, which is refused.
async fn enroll_all(world: &World, worker: &Worker, members: u32) -> ProofResult<Report> {
    let mut report = Report::default();
    for merchant in MERCHANTS {
        let homes = (0..homes(members)).map(|number| (0, home(number)));
        let all = (0..members).map(|number| (number, name(number))).chain(homes);
        for (number, member) in all {
            let body = enrolment(&member, number);
            let enroll = async |body: &Value| {
                worker.look_up(world);
                worker.insist(merchant, Method::POST, "/v1/members", None, body).await
            };
            let first = enroll(&body).await?;
            if first.status != 201 {
                report.faults.push(format!("{member} is not enrolled: {}", first.text));
            }
            *report.done.entry("enroll".to_owned()).or_default() += 1;
            if number % 3 == 1 {
                let again = enroll(&body).await?;
                if (again.status, &again.text, again.replayed) != (201, &first.text, true) {
                    report.faults.push(format!("{member} was enrolled anew: {}", again.text));
                }
                report.repeats += 1;
            }
            if number % 4 == 1 {
                let mut other = body;
                other["attributes"]["city"] = json!("Elsewhere");
                let refused = enroll(&other).await?;
                if refused.json()["code"] != "member_id_is_taken" {
                    report.faults.push(format!("{member} was enrolled twice: {}", refused.text));
                }
                report.altered += 1;
            }
        }
    }
    Ok(report)
}
