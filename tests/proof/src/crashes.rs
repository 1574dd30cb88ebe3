//! A process is killed in the middle of what it does: at each moment between a request to the
//! database and its answer, and at random. Afterwards all of it was done, or nothing; and whoever asks
//! again is told that it was done, once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use fastrand::Rng;
use ledger::{MemberId, MerchantId};
use serde_json::{Value, json};
use store::MemberKey;

use crate::Outcome;
use crate::process::Process;
use crate::world::{MERCHANTS, Worker, World};

/// What is done when the process is killed.
const ACTS: [&str; 15] = [
    "enroll",
    "earn",
    "earn again",
    "redeem",
    "redeem a scarce one",
    "hold",
    "capture",
    "release",
    "reverse an earn",
    "reverse a redemption",
    "adjust",
    "transfer",
    "join",
    "erase",
    "a night",
];

/// What became of all that were killed while they did one thing.
#[derive(Debug, Clone, Default)]
pub struct Killed {
    /// What they did.
    pub act: &'static str,
    /// Moments at which one can be killed.
    pub moments: u32,
    /// Killed at one of them.
    pub at_moments: u64,
    /// Killed at random.
    pub at_random: u64,
    /// Of all of them: those after which it had been done.
    pub done: u64,
}

/// What became of all.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By what they did.
    pub killed: Vec<Killed>,
    /// What is wrong; nothing should be.
    pub faults: Vec<String>,
}

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
enum When {
    /// Never.
    Never,
    /// At a moment, counted from one.
    At(u32),
    /// After so long.
    After(Duration),
}

/// The merchant at whose members all of it happens.
const MERCHANT: &str = MERCHANTS[0];
/// Kills after which another world is begun, since nights look at everybody.
const KILLS_PER_WORLD: u64 = 300;
/// The longest that one who is killed at random is let alone.
const ALONE_MAX: u64 = 5000;

/// Kills processes of a program at all moments, and then at random until so many have been killed.
///
/// # Errors
/// It cannot go on. What is wrong is in the report.
pub async fn run(
    seed: u64,
    program: PathBuf,
    kills: u64,
    mut progress: impl FnMut(u64),
) -> Outcome<Report> {
    let killed = ACTS.map(|act| Killed { act, ..Killed::default() }).to_vec();
    let mut report = Report { killed, faults: Vec::new() };
    let mut rng = Rng::with_seed(seed);
    let mut place = Place::new(seed, program.clone()).await?;
    let mut plan: Vec<(usize, When)> = Vec::new();
    let mut done = 0;
    let mut act = 0;
    let mut moment = 1;
    while done < kills {
        // First every moment of each act, then at random.
        let (number, when) = if act < ACTS.len() {
            (act, When::At(moment))
        } else {
            let alone = Duration::from_micros(rng.u64(0..ALONE_MAX));
            (rng.usize(0..ACTS.len()), When::After(alone))
        };
        plan.push((number, when));
        let name = ACTS[number];
        let killed = &mut report.killed[number];
        match place.kill(name, when).await {
            Ok(None) => {
                // It came to its end before that moment: that was the last one.
                if let When::At(last) = when {
                    killed.moments = last - 1;
                    (act, moment) = (act + 1, 1);
                }
            }
            Ok(Some(was_done)) => {
                done += 1;
                killed.done += u64::from(was_done);
                match when {
                    When::At(_) => {
                        killed.at_moments += 1;
                        moment += 1;
                    }
                    _ => killed.at_random += 1,
                }
                progress(done);
                if done % KILLS_PER_WORLD == 0 {
                    report.faults.extend(place.audit().await?);
                    place = Place::new(seed + done, program.clone()).await?;
                }
            }
            Err(what) => {
                report.faults.push(format!("{name}, killed {when:?}: {what}"));
                if report.faults.len() > 20 {
                    break;
                }
                (act, moment) = if act < ACTS.len() { (act + 1, 1) } else { (act, 1) };
                place = Place::new(seed + done, program.clone()).await?;
            }
        }
    }
    report.faults.extend(place.audit().await?);
    Ok(report)
}

/// What is asked, and of whom it is.
struct Asked {
    members: Vec<String>,
    method: Method,
    path: String,
    key: &'static str,
    body: Value,
}

/// A world, one who prepares, and the process that is killed.
struct Place {
    world: World,
    worker: Worker,
    program: PathBuf,
    process: Arc<Mutex<Process>>,
    members: u64,
    /// Entries that come of it if nobody is killed.
    expected: BTreeMap<&'static str, Vec<u64>>,
}

impl Place {
    async fn new(seed: u64, program: PathBuf) -> Outcome<Place> {
        let world = World::served(seed, 1_000_000).await?;
        let worker = world.worker(0).await;
        let process = Process::start(&program, world.wire.reached_at()?, world.now())?;
        let process = Arc::new(Mutex::new(process));
        Ok(Place { world, worker, program, process, members: 0, expected: BTreeMap::new() })
    }

    async fn audit(&self) -> Outcome<Vec<String>> {
        let audited = self.world.audit(MERCHANT).await?;
        let mut faults: Vec<String> = audited.faults.iter().map(ToString::to_string).collect();
        for (name, wallet) in &audited.wallets {
            if !wallet.is_reconciled() {
                faults.push(format!("{name} does not reconcile: {wallet:?}"));
            }
        }
        Ok(faults)
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something by hand, on the way to what is asked.
    async fn does(&self, member: &str, verb: &str, key: &str, body: Value) -> Outcome<Value> {
        let path = format!("/v1/members/{member}/{verb}");
        let done = self.worker.insist(MERCHANT, Method::POST, &path, Some(key), &body).await?;
        if done.status == 201 { Ok(done.json()) } else { Err(done.text.into()) }
    }

    /// Two new members, and something to ask for.
    async fn prepare(&mut self, act: &str) -> Outcome<Asked> {
        self.worker.look_up(&self.world);
        self.members += 1;
        let (one, other) = (format!("c{}", self.members), format!("d{}", self.members));
        let enroll = async |id: &str| {
            let body = json!({ "id": id });
            self.worker.insist(MERCHANT, Method::POST, "/v1/members", None, &body).await
        };
        let at = self.world.now().to_rfc3339();
        let order = json!({ "total": "50.00" });
        let purchase = json!({ "type": "purchase", "order": order, "at": at });
        let mut members = vec![one.clone()];
        if act == "enroll" {
            let (path, body) = ("/v1/members".to_owned(), json!({ "id": one }));
            return Ok(Asked { members, method: Method::POST, path, key: "k", body });
        }
        enroll(&one).await?;
        let path = |verb: &str| format!("/v1/members/{one}/{verb}");
        if act != "earn" {
            self.does(&one, "earn", "first", purchase.clone()).await?;
        }
        let ten = || json!({ "reward": "ten" });
        let held = async || {
            let held = self.does(&one, "holds", "h", ten()).await?;
            Outcome::Ok(held["entry"]["hold"].as_str().unwrap_or_default().to_owned())
        };
        let (method, path, body) = match act {
            "earn" | "earn again" => (Method::POST, path("earn"), purchase),
            "redeem" => (Method::POST, path("redeem"), ten()),
            "redeem a scarce one" => (Method::POST, path("redeem"), json!({ "reward": "scarce" })),
            "hold" => (Method::POST, path("holds"), ten()),
            "capture" | "release" => {
                (Method::POST, path(&format!("holds/{}/{act}", held().await?)), json!({}))
            }
            "reverse an earn" => (Method::POST, path("reverse"), json!({ "earn": "first" })),
            "reverse a redemption" => {
                self.does(&one, "redeem", "r", ten()).await?;
                (Method::POST, path("reverse"), json!({ "redeem": "r" }))
            }
            "adjust" => {
                let body = json!({ "units": 7, "reason": "by hand", "author": "eve" });
                (Method::POST, path("adjust"), body)
            }
            "transfer" | "join" => {
                enroll(&other).await?;
                members.push(other.clone());
                let body = match act {
                    "join" => json!({ "account": other }),
                    _ => json!({ "to": other, "units": 10 }),
                };
                (Method::POST, path(act), body)
            }
            "erase" => (Method::DELETE, format!("/v1/members/{one}"), Value::Null),
            _ => {
                self.world.pass(TimeDelta::days(21).num_seconds());
                let body = json!({ "now": self.world.now().to_rfc3339() });
                (Method::POST, "/night".to_owned(), body)
            }
        };
        Ok(Asked { members, method, path, key: "k", body })
    }

    /// How many entries each has; nothing of one that there is not.
    async fn entries(&self, members: &[String]) -> Outcome<Vec<Option<u64>>> {
        let store = &self.world.store;
        let mut entries = Vec::new();
        for member in members {
            let merchant = MerchantId::parse(MERCHANT)?;
            let at = MemberKey { merchant, member: MemberId::parse(member)? };
            entries.push(store.member(&at).await?.map(|member| member.version));
        }
        Ok(entries)
    }

    /// Kills the process while it does something, and says whether it had been done; nothing if the
    /// process came to its end alive.
    async fn kill(&mut self, act: &'static str, when: When) -> Outcome<Option<bool>> {
        let expected = match self.expected.get(act) {
            Some(expected) => expected.clone(),
            None => self.rehearse(act).await?,
        };
        self.expected.insert(act, expected.clone());
        let asked = self.prepare(act).await?;
        let before = self.entries(&asked.members).await?;
        let (killed, answer) = self.ask(&asked, when).await;
        if killed {
            let process =
                Process::start(&self.program, self.world.wire.reached_at()?, self.world.now())?;
            *self.process() = process;
        }
        let after = self.entries(&asked.members).await?;
        let all = differences(&before, &after);
        let nothing = vec![0; expected.len()];
        // A night does one thing after the other: each of them wholly, or not at all.
        let partly = act == "a night" && all.iter().zip(&expected).all(|(one, most)| one <= most);
        if all != expected && all != nothing && !partly {
            return Err(format!("{all:?} entries were written, of {expected:?}").into());
        }
        // Whoever asks again is told that it is done, and it was done once.
        let (_, again) = self.ask(&asked, When::Never).await;
        let (status, text) = again.map_err(|error| format!("asked again: {error}"))?;
        let well = matches!(status, 200 | 201) && !text.contains("\"error\"");
        if !well {
            return Err(format!("asked again: {status} {text}").into());
        }
        if let Ok((_, first)) = &answer
            && *first != text
            && act != "a night"
        {
            return Err(format!("told {first}, and then {text}").into());
        }
        let at_last = differences(&before, &self.entries(&asked.members).await?);
        if at_last != expected {
            return Err(format!("{at_last:?} entries at last, of {expected:?}").into());
        }
        Ok(killed.then_some(all == expected))
    }

    /// What it comes to if nobody is killed.
    async fn rehearse(&mut self, act: &'static str) -> Outcome<Vec<u64>> {
        let asked = self.prepare(act).await?;
        let before = self.entries(&asked.members).await?;
        let (_, answer) = self.ask(&asked, When::Never).await;
        let (status, text) = answer?;
        let after = differences(&before, &self.entries(&asked.members).await?);
        match status {
            200 | 201 if after.iter().any(|more| *more > 0) => Ok(after),
            _ => Err(format!("{act} cannot be rehearsed: {status} {text}").into()),
        }
    }

    /// Asks the process, and kills it; whether it was killed, and what it said.
    async fn ask(&self, asked: &Asked, when: When) -> (bool, Outcome<(u16, String)>) {
        let killed = Arc::new(AtomicBool::new(false));
        if let When::At(moment) = when {
            let (killed, process) = (Arc::clone(&killed), Arc::clone(&self.process));
            let seen = AtomicU32::new(0);
            self.world.wire.tell(Some(Arc::new(move |_, _| {
                if seen.fetch_add(1, Ordering::SeqCst) + 1 == moment {
                    let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                    killed.store(true, Ordering::SeqCst);
                    // Should it not end, whoever waits for its answer will say so.
                    let _ = process.kill();
                }
                !killed.load(Ordering::SeqCst)
            })));
        }
        let Asked { method, path, key, body, .. } = asked;
        let request = self.process().request(MERCHANT, method, path, key, body);
        let answer = match when {
            When::After(alone) => {
                let request = tokio::spawn(request);
                tokio::time::sleep(alone).await;
                killed.store(self.process().kill().is_ok(), Ordering::SeqCst);
                match request.await {
                    Ok(answer) => answer,
                    Err(error) => Err(error.into()),
                }
            }
            _ => request.await,
        };
        self.world.wire.tell(None);
        // What it had sent may still be under way.
        if killed.load(Ordering::SeqCst) {
            self.world.wire.quiet().await;
        }
        (killed.load(Ordering::SeqCst), answer)
    }
}

/// Entries that have come; one more for one that there was not.
fn differences(before: &[Option<u64>], after: &[Option<u64>]) -> Vec<u64> {
    let count = |entries: &Option<u64>| entries.map_or(0, |entries| entries + 1);
    before.iter().zip(after).map(|(before, after)| count(after) - count(before)).collect()
}
