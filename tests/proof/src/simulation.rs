//! A seeded workload of every verb over many members and merchants, by several workers whose clocks
//! differ, over a wire on which everything happens; and what must hold of it afterwards.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::http::Method;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::ProofResult;
use crate::fault_proxy::{Fault, FaultRates};
use crate::simulation::client::Client;
pub(crate) use crate::simulation::client::is_busy;
use crate::world::{MERCHANTS, Planted, Worker, World};

/// What must hold afterwards.
mod check;
/// One who makes requests.
mod client;

/// How large a simulation is.
#[derive(Debug, Clone)]
pub struct Size {
    /// Operations in all, repeats, altered bodies and looks among them.
    pub operations: u64,
    /// Days that they are spread over.
    pub days: u32,
    /// Members of each merchant.
    pub members: u32,
    /// Workers.
    pub workers: u32,
    /// What happens on the wire.
    pub rates: FaultRates,
}

impl Size {
    /// So many operations by 32 workers on so many members of each merchant, over fourteen months and
    /// under everything that happens on a wire.
    #[must_use]
    pub fn of(operations: u64, members: u32) -> Size {
        Size { operations, days: 420, members, workers: 32, rates: FaultRates::everything(8) }
    }
}

/// Pieces that each merchant has of its scarce reward.
const SCARCE: i64 = 500;

/// What a simulation came to.
#[derive(Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Operations.
    pub operations: u64,
    /// By verb: those that were done.
    pub done: BTreeMap<String, u64>,
    /// By code: those that were refused.
    pub refused: BTreeMap<String, u64>,
    /// Repeats that had the first answer, byte for byte.
    pub repeats: u64,
    /// Altered bodies that were refused.
    pub altered: u64,
    /// Nights, and those of them that could not do everything at once.
    pub nights: (u64, u64),
    /// What happened on the wire.
    pub happened: BTreeMap<Fault, u64>,
    /// Calls of the API, and those of them that were told to come again.
    pub calls: (u64, u64),
    /// Requests on the wire, by their kind.
    pub requests: BTreeMap<String, u64>,
    /// All answers in their order, as a hash: with the same seed, the same.
    pub told: u64,
    /// Members audited.
    pub members: u64,
    /// Entries audited.
    pub entries: u64,
    /// Balances that the model was asked for.
    pub modelled: u64,
    /// Refusals for lack of points that the model agrees with.
    pub judged: u64,
    /// What is wrong; nothing should be.
    pub faults: Vec<String>,
    /// How long it took.
    pub seconds: u64,
}

impl Report {
    /// Adds what was found in another world.
    pub fn add(&mut self, other: &Report) {
        let Report { operations, done, refused, repeats, altered, nights, happened, .. } = other;
        let Report { calls, requests, members, entries, modelled, .. } = other;
        self.operations += operations;
        self.repeats += repeats;
        self.altered += altered;
        self.members += members;
        self.entries += entries;
        self.modelled += modelled;
        self.judged += other.judged;
        self.nights = (self.nights.0 + nights.0, self.nights.1 + nights.1);
        self.calls = (self.calls.0 + calls.0, self.calls.1 + calls.1);
        // In whatever order worlds end.
        self.told ^= other.told;
        add(&mut self.done, done);
        add(&mut self.refused, refused);
        add(&mut self.requests, requests);
        add(&mut self.happened, happened);
        let seed = other.seed;
        self.faults.extend(other.faults.iter().map(|fault| format!("seed {seed}: {fault}")));
        self.seconds = self.seconds.max(other.seconds);
    }
}

fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sums.entry(key.clone()).or_default() += count;
    }
}

/// One request that a client has made, and its answer.
#[derive(Debug, Clone)]
struct Asked {
    verb: &'static str,
    path: String,
    key: String,
    body: Value,
    /// The hash of the first answer.
    answer: u64,
    seq: u64,
}

/// A request that was refused for lack of points.
#[derive(Debug)]
struct Refused {
    /// The member's version then.
    seq: u64,
    /// What the worker's clock showed.
    at: i64,
    /// How many it wanted.
    units: i64,
}

/// What clients know of one member.
#[derive(Debug, Default)]
struct Known {
    asked: Vec<Asked>,
    /// Holds that may be open, by their name.
    holds: Vec<(String, Option<i64>)>,
    /// Whether it shares an account, as far as they know.
    is_home: bool,
    erased: bool,
    refused: Vec<Refused>,
}

type Members = HashMap<(usize, u32), Mutex<Known>>;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Runs a simulation.
///
/// # Errors
/// It cannot go on. What is wrong with what it found is in the report.
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
        // From a quarter of an hour behind to a quarter of an hour ahead.
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
            // Whoever finds something wrong has seen enough.
            while operations.load(Ordering::Relaxed) < most && client.is_well() {
                // Where there was nothing to ask for, nothing was done.
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

/// When the weather is fine again, one run does all that is due, and a second finds nothing.
async fn last_night(world: &World, worker: &Worker, report: &mut Report) {
    world.proxy.set(FaultRates::calm());
    worker.look_up(world);
    for (run, is_first) in [("the last night", true), ("one night too many", false)] {
        match expire::run(&worker.api, &expire::Event::default(), None).await {
            Ok(summary) if is_first || summary.due == 0 => {}
            Ok(summary) => report.faults.push(format!("{run} finds {} due", summary.due)),
            Err(error) => report.faults.push(format!("{run}: {error}")),
        }
    }
}

/// What is told of a member when it is enrolled. Some are brought by the one before.
fn enrolment(member: &str, number: u32) -> Value {
    let day = member.bytes().map(u32::from).sum::<u32>() % 28 + 1;
    let attributes = json!({ "birthday": format!("1990-{:02}-{day:02}", day % 12 + 1) });
    let mut body = json!({ "id": member, "attributes": attributes });
    if number % 5 == 4 {
        body["referred_by"] = json!(name(number - 1));
    }
    body
}

/// Enrols everybody, some of them twice, and some with something else: that is refused.
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

fn name(member: u32) -> String {
    format!("m{member}")
}

/// Accounts of each merchant that its members may share: at any time, about half of them do, some ten
/// in each.
fn homes(members: u32) -> u32 {
    (members / 20).max(2)
}

fn home(number: u32) -> String {
    format!("home-{number}")
}

/// Faults that are kept: whoever has more does not read them all.
const FAULTS_MAX: usize = 50;

fn lock_of(members: &Members, merchant: usize, member: u32) -> std::sync::MutexGuard<'_, Known> {
    static NOBODY: Mutex<Known> = Mutex::new(Known {
        asked: Vec::new(),
        holds: Vec::new(),
        is_home: false,
        erased: false,
        refused: Vec::new(),
    });
    lock(members.get(&(merchant, member)).unwrap_or(&NOBODY))
}
