//! Crashes: a process is killed in the middle of its work, at each moment between a request to the
//! database and its answer, and at random times. Afterwards all of the work is done, or none of it;
//! and a repeat gets the answer to the work, which is done only once.

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

use crate::ProofResult;
use crate::process::Process;
use crate::world::{MERCHANTS, Worker, World};

/// The work that the process does when it is killed.
const ACTS: [&str; 27] = [
    "enroll",
    "earn",
    "earn again",
    "earn, told late",
    "put a purchase right",
    "exchange",
    "redeem",
    "redeem a scarce one",
    "redeem, told late",
    "hold",
    "capture",
    "capture a part",
    "release",
    "reverse an earn",
    "reverse a redemption",
    "reverse a capture",
    "reverse an adjustment",
    "reverse a transfer",
    "reverse a reversal",
    "adjust",
    "adjust, told late",
    "transfer",
    "join",
    "earn in an account",
    "leave",
    "erase",
    "an expiry run",
];

/// The counts of processes that were killed during one kind of work.
#[derive(Debug, Clone, Default)]
pub struct Killed {
    /// The work.
    pub act: &'static str,
    /// The moments at which the work can be killed.
    pub moments: u32,
    /// Processes killed at one of these moments.
    pub at_moments: u64,
    /// Processes killed at a random time, before they had answered.
    pub at_random: u64,
    /// Those of all these processes that had done their work.
    pub done: u64,
}

/// The result of this part of the proof.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The counts, by kind of work.
    pub killed: Vec<Killed>,
    /// The faults found; empty if all is well.
    pub faults: Vec<String>,
}

/// The time at which a process is killed.
#[derive(Debug, Clone, Copy)]
enum When {
    /// The process is not killed.
    Never,
    /// At this moment of its work, counted from 1.
    At(u32),
    /// After this time.
    After(Duration),
}

/// The merchant of all members.
const MERCHANT: &str = MERCHANTS[0];
/// The kills after which a new world is started, since expiry runs read all due members of a world.
const KILLS_PER_WORLD: u64 = 300;
/// The most tries per kill: some processes answer before they are killed.
const TRIES_MAX: u64 = 20;

/// Kills processes of a program until `kills` of them were killed in the middle of their work:
/// first at every moment of every kind of work, if `every`, and then at random moments and times.
///
/// # Errors
/// The proof cannot go on. What is wrong is in the report.
pub async fn run(
    seed: u64,
    program: PathBuf,
    kills: u64,
    every: bool,
    mut progress: impl FnMut(u64),
) -> ProofResult<Report> {
    let killed = ACTS.map(|act| Killed { act, ..Killed::default() }).to_vec();
    let mut report = Report { killed, faults: Vec::new() };
    let mut rng = Rng::with_seed(seed);
    let mut place = Place::new(seed, program.clone()).await?;
    let mut done = 0;
    let mut tries = 0;
    let mut act = if every { 0 } else { ACTS.len() };
    let mut moment = 1;
    while done < kills {
        let number = if act < ACTS.len() { act } else { rng.usize(0..ACTS.len()) };
        let name = ACTS[number];
        let Rehearsed { moments, took, .. } = place.rehearsed(name).await?;
        let when = if act < ACTS.len() {
            When::At(moment)
        } else if rng.bool() {
            When::At(rng.u32(1..=moments))
        } else {
            When::After(Duration::from_micros(rng.u64(0..=took)))
        };
        tries += 1;
        if tries > TRIES_MAX * kills {
            return Err(format!("only {done} were killed before they had answered").into());
        }
        let killed = &mut report.killed[number];
        match place.kill(name, when).await {
            Ok(None) => {
                // The work ended before this moment, so the moment before was the last one.
                if act < ACTS.len() {
                    // An expiry run may find less to do than the rehearsed one.
                    if moment <= moments && name != "an expiry run" {
                        let what = format!("{name} was killed at {} of {moments}", moment - 1);
                        report.faults.push(what);
                    }
                    (act, moment) = (act + 1, 1);
                    if ACTS.get(act) == Some(&"an expiry run") {
                        // An expiry run reads all due members, so a new world with few members is
                        // enough.
                        report.faults.extend(place.audit().await?);
                        place = Place::new(seed + done, program.clone()).await?;
                    }
                }
            }
            Ok(Some(was_done)) => {
                done += 1;
                killed.moments = killed.moments.max(moments);
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

/// A request, and the members whose entries it writes.
struct Asked {
    members: Vec<String>,
    method: Method,
    path: String,
    key: &'static str,
    body: Value,
}

/// A world, a worker that prepares, and the process that is killed.
struct Place {
    world: World,
    worker: Worker,
    program: PathBuf,
    process: Arc<Mutex<Process>>,
    members: u64,
    rehearsed: BTreeMap<&'static str, Rehearsed>,
}

/// The result of work that is not killed.
#[derive(Debug, Clone, Default)]
struct Rehearsed {
    /// The entries that it writes, by member.
    entries: Vec<u64>,
    /// The moments of the work: two for each request to the database.
    moments: u32,
    /// The time that it took, in microseconds.
    took: u64,
}

impl Place {
    async fn new(seed: u64, program: PathBuf) -> ProofResult<Place> {
        let world = World::served(seed, 1_000_000).await?;
        let worker = world.worker(0).await;
        let process = Process::start(&program, world.proxy.reached_at()?, world.now())?;
        let process = Arc::new(Mutex::new(process));
        Ok(Place { world, worker, program, process, members: 0, rehearsed: BTreeMap::new() })
    }

    async fn audit(&self) -> ProofResult<Vec<String>> {
        let audited = self.world.audit(MERCHANT).await?;
        let mut faults: Vec<String> = audited.wrong().collect();
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

    /// Sends a request through the worker, to prepare for the work.
    async fn does(&self, member: &str, verb: &str, key: &str, body: Value) -> ProofResult<Value> {
        let path = format!("/v1/members/{member}/{verb}");
        let done = self.worker.insist(MERCHANT, Method::POST, &path, Some(key), &body).await?;
        if done.status == 201 { Ok(done.json()) } else { Err(done.text.into()) }
    }

    /// Prepares new members for a kind of work, and returns its request.
    #[expect(clippy::too_many_lines, reason = "a table of cases: one for each kind of work")]
    async fn prepare(&mut self, act: &str) -> ProofResult<Asked> {
        self.worker.look_up(&self.world);
        self.members += 1;
        let (one, other) = (format!("c{}", self.members), format!("d{}", self.members));
        let enroll = async |id: &str| {
            let body = json!({ "id": id });
            self.worker.insist(MERCHANT, Method::POST, "/v1/members", None, &body).await
        };
        // No time passes here, since the process has a clock of its own. What is told late happened in
        // the five minutes before the enrolment, by which a client's clock may be behind.
        let ago = |minutes: i64| (self.world.now() - TimeDelta::minutes(minutes)).to_rfc3339();
        let order = json!({ "total": "50.00" });
        let bought = |at: String| json!({ "type": "purchase", "order": order, "at": at });
        let purchase = bought(ago(0));
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
            ProofResult::Ok(held["entry"]["hold"].as_str().unwrap_or_default().to_owned())
        };
        let (method, path, body) = match act {
            "earn" | "earn again" => (Method::POST, path("earn"), purchase),
            "earn, told late" => (Method::POST, path("earn"), bought(ago(2))),
            "put a purchase right" => {
                let mut body = purchase;
                body["replaces"] = json!("first");
                body["order"]["total"] = json!("30.00");
                (Method::POST, path("earn"), body)
            }
            "exchange" => {
                let mut body = purchase;
                body["returns"] = json!({ "order": "first", "refund": "20.00" });
                (Method::POST, path("earn"), body)
            }
            "redeem" => (Method::POST, path("redeem"), ten()),
            "redeem, told late" => {
                // What pays for it was bought before.
                self.does(&one, "earn", "early", bought(ago(4))).await?;
                (Method::POST, path("redeem"), json!({ "reward": "ten", "at": ago(2) }))
            }
            "redeem a scarce one" => (Method::POST, path("redeem"), json!({ "reward": "scarce" })),
            "hold" => (Method::POST, path("holds"), ten()),
            "capture" | "release" => {
                (Method::POST, path(&format!("holds/{}/{act}", held().await?)), json!({}))
            }
            "capture a part" => {
                let some = json!({ "reward": "some", "units": 30 });
                let held = self.does(&one, "holds", "h", some).await?;
                let held = held["entry"]["hold"].as_str().unwrap_or_default();
                (Method::POST, path(&format!("holds/{held}/capture")), json!({ "units": 20 }))
            }
            "reverse a capture" => {
                let verb = format!("holds/{}/capture", held().await?);
                self.does(&one, &verb, "c", json!({})).await?;
                (Method::POST, path("reverse"), json!({ "capture": "c" }))
            }
            "earn in an account" | "leave" => {
                enroll(&other).await?;
                members.push(other.clone());
                self.does(&one, "join", "j", json!({ "account": other })).await?;
                match act {
                    "leave" => (Method::POST, path("leave"), json!({})),
                    _ => (Method::POST, path("earn"), purchase),
                }
            }
            "reverse an earn" => (Method::POST, path("reverse"), json!({ "earn": "first" })),
            "reverse a redemption" => {
                self.does(&one, "redeem", "r", ten()).await?;
                (Method::POST, path("reverse"), json!({ "redeem": "r" }))
            }
            "reverse a reversal" => {
                self.does(&one, "reverse", "v", json!({ "earn": "first" })).await?;
                (Method::POST, path("reverse"), json!({ "reverse": "v" }))
            }
            "reverse an adjustment" => {
                let body = json!({ "units": 7, "reason": "by hand", "author": "eve" });
                self.does(&one, "adjust", "a", body).await?;
                (Method::POST, path("reverse"), json!({ "adjust": "a" }))
            }
            "reverse a transfer" => {
                enroll(&other).await?;
                members.push(other.clone());
                self.does(&one, "transfer", "t", json!({ "to": other, "units": 10 })).await?;
                (Method::POST, path("reverse"), json!({ "transfer": "t" }))
            }
            "adjust" => {
                let body = json!({ "units": 7, "reason": "by hand", "author": "eve" });
                (Method::POST, path("adjust"), body)
            }
            "adjust, told late" => {
                let (reason, author) = ("forgotten", "eve");
                let body = json!({ "units": 7, "reason": reason, "author": author, "at": ago(2) });
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
                (Method::POST, "/expire-now".to_owned(), body)
            }
        };
        Ok(Asked { members, method, path, key: "k", body })
    }

    /// The number of entries of each member; nothing for a member that does not exist.
    async fn entries(&self, members: &[String]) -> ProofResult<Vec<Option<u64>>> {
        let store = &self.world.store;
        let mut entries = Vec::new();
        for member in members {
            let merchant = MerchantId::parse(MERCHANT)?;
            let at = MemberKey { merchant, member: MemberId::parse(member)? };
            entries.push(store.member(&at).await?.map(|member| member.seq.get()));
        }
        Ok(entries)
    }

    /// Kills the process during some work, and checks the result. Returns whether the work had been
    /// done, or nothing if the process was not killed before its answer.
    async fn kill(&mut self, act: &'static str, when: When) -> ProofResult<Option<bool>> {
        let expected = self.rehearsed(act).await?.entries;
        let asked = self.prepare(act).await?;
        let before = self.entries(&asked.members).await?;
        let (killed, answer) = self.ask(&asked, when).await;
        if killed {
            let process =
                Process::start(&self.program, self.world.proxy.reached_at()?, self.world.now())?;
            *self.process() = process;
        }
        let after = self.entries(&asked.members).await?;
        let all = differences(&before, &after);
        let nothing = vec![0; expected.len()];
        // An expiry run writes one entry after the other, each of them wholly or not at all.
        let partly =
            act == "an expiry run" && all.iter().zip(&expected).all(|(one, most)| one <= most);
        if all != expected && all != nothing && !partly {
            return Err(format!("{all:?} entries were written, of {expected:?}").into());
        }
        // A repeat gets the answer of the work, which is done once.
        let (_, again) = self.ask(&asked, When::Never).await;
        let (status, text) = again.map_err(|error| format!("asked again: {error}"))?;
        let well = matches!(status, 200 | 201) && !text.contains("\"error\"");
        if !well {
            return Err(format!("asked again: {status} {text}").into());
        }
        if let Ok((_, first)) = &answer
            && *first != text
            && act != "an expiry run"
        {
            return Err(format!("answered {first}, and then {text}").into());
        }
        let at_last = differences(&before, &self.entries(&asked.members).await?);
        if at_last != expected {
            return Err(format!("{at_last:?} entries at last, of {expected:?}").into());
        }
        // A process that had answered before it was killed was not killed in the middle of its
        // work.
        let in_the_middle = killed && (matches!(when, When::At(_)) || answer.is_err());
        Ok(in_the_middle.then_some(all == expected))
    }

    /// The result of work that is not killed, measured once per kind.
    async fn rehearsed(&mut self, act: &'static str) -> ProofResult<Rehearsed> {
        if let Some(rehearsed) = self.rehearsed.get(act) {
            return Ok(rehearsed.clone());
        }
        // The first run of a process also loads the rules, so it is not measured.
        let _first = self.rehearse(act).await?;
        let rehearsed = self.rehearse(act).await?;
        self.rehearsed.insert(act, rehearsed.clone());
        Ok(rehearsed)
    }

    async fn rehearse(&mut self, act: &'static str) -> ProofResult<Rehearsed> {
        let asked = self.prepare(act).await?;
        let before = self.entries(&asked.members).await?;
        let seen = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&seen);
        self.world.proxy.tell(Some(Arc::new(move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            true
        })));
        let began = std::time::Instant::now();
        let (_, answer) = self.ask(&asked, When::Never).await;
        let took = u64::try_from(began.elapsed().as_micros())?;
        let moments = seen.load(Ordering::SeqCst);
        let (status, text) = answer?;
        let after = differences(&before, &self.entries(&asked.members).await?);
        match status {
            200 | 201 if after.iter().any(|more| *more > 0) => {
                Ok(Rehearsed { entries: after, moments, took })
            }
            _ => Err(format!("{act} cannot be rehearsed: {status} {text}").into()),
        }
    }

    /// Sends the request to the process, and kills it. Returns whether it was killed, and its
    /// answer.
    async fn ask(&self, asked: &Asked, when: When) -> (bool, ProofResult<(u16, String)>) {
        let killed = Arc::new(AtomicBool::new(false));
        if let When::At(moment) = when {
            let (killed, process) = (Arc::clone(&killed), Arc::clone(&self.process));
            let seen = AtomicU32::new(0);
            self.world.proxy.tell(Some(Arc::new(move |_, _| {
                if seen.fetch_add(1, Ordering::SeqCst) + 1 == moment {
                    let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                    killed.store(true, Ordering::SeqCst);
                    // If the kill fails, the request times out and reports it.
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
        self.world.proxy.tell(None);
        // Requests that the process had sent may still be under way.
        if killed.load(Ordering::SeqCst) {
            self.world.proxy.quiet().await;
        }
        (killed.load(Ordering::SeqCst), answer)
    }
}

/// The number of new entries of each member, plus one for a new member.
fn differences(before: &[Option<u64>], after: &[Option<u64>]) -> Vec<u64> {
    let count = |entries: &Option<u64>| entries.map_or(0, |entries| entries + 1);
    before.iter().zip(after).map(|(before, after)| count(after) - count(before)).collect()
}
