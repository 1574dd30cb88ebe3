//! Races: several requests for the same units at once, through a fault proxy with every fault. The
//! result of each race is counted, and the histories of single members must be linearizable.

use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use fastrand::Rng;
use futures::future::join_all;
use serde_json::{Value, json};
use todc_utils::specifications::Specification;
use todc_utils::{Action, History, WGLChecker};

use crate::ProofResult;
use crate::busy::is_busy;
use crate::fault_proxy::FaultRates;
use crate::world::{Answer, MERCHANTS, Planted, Worker, World};

/// The number of rounds of each race.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Rounds of histories of single members.
    pub histories: u64,
    /// Redemptions of one balance at once: the rounds, and the redemptions of each.
    pub redeems: (u64, u32),
    /// Rounds of each other race.
    pub others: u64,
}

/// The result of a race.
#[derive(Debug, Clone)]
pub struct Race {
    /// The name of the race.
    pub name: &'static str,
    /// Rounds.
    pub rounds: u64,
    /// Requests in all.
    pub requests: u64,
    /// The faults found; empty if all is well.
    pub faults: Vec<String>,
}

/// The merchant of all members.
const MERCHANT: &str = MERCHANTS[0];
/// The workers that race.
const WORKERS: usize = 8;
/// The pieces of the scarce reward.
const PIECES: i64 = 12;

/// Runs all races.
///
/// # Errors
/// The races cannot go on. What is wrong is in the results.
pub async fn run(
    seed: u64,
    rounds: Rounds,
    planted: Planted,
    mut progress: impl FnMut(&'static str),
) -> ProofResult<Vec<Race>> {
    let mut races = Vec::new();
    let mut track = Track::new(seed, planted).await?;
    progress("histories of single members");
    races.push(track.race("histories of single members", rounds.histories, Kind::History).await?);
    let (often, at_once) = rounds.redeems;
    progress("redemptions of one balance");
    races.push(track.race("redemptions of one balance", often, Kind::Redeems(at_once)).await?);
    for (name, kind) in [
        ("capture against release", Kind::Holds),
        ("expiry against redemption on the second", Kind::Boundary),
        ("transfers both ways", Kind::Transfers),
        ("the last pieces of a stock", Kind::Pieces),
        ("one request, many times at once", Kind::Same),
    ] {
        progress(name);
        let often = if matches!(kind, Kind::Pieces) { 1 } else { rounds.others };
        races.push(track.race(name, often, kind).await?);
    }
    Ok(races)
}

#[derive(Clone, Copy)]
enum Kind {
    History,
    Redeems(u32),
    Holds,
    Boundary,
    Transfers,
    Pieces,
    Same,
}

/// A world with its workers, in which races take place.
struct Track {
    world: World,
    workers: Vec<Worker>,
    rng: Rng,
    members: u64,
}

/// A request of a race: worker, member, verb, key and body.
type Request = (usize, String, &'static str, String, Value);

impl Track {
    async fn new(seed: u64, planted: Planted) -> ProofResult<Track> {
        let world = World::new(seed, FaultRates::calm(), planted, PIECES).await?;
        let mut workers = Vec::new();
        for number in 0..WORKERS {
            // The clocks are a second behind, right, or a second ahead.
            workers.push(world.worker(i64::try_from(number % 3)? - 1).await);
        }
        Ok(Track { world, workers, rng: Rng::with_seed(seed), members: 0 })
    }

    async fn race(&mut self, name: &'static str, rounds: u64, kind: Kind) -> ProofResult<Race> {
        let mut race = Race { name, rounds, requests: 0, faults: Vec::new() };
        for _ in 0..rounds {
            self.world.proxy.set(FaultRates::calm());
            self.look_up();
            let ran = match kind {
                Kind::History => self.history().await,
                Kind::Redeems(at_once) => self.redeems(at_once).await,
                Kind::Holds => self.holds().await,
                Kind::Boundary => self.boundary().await,
                Kind::Transfers => self.transfers().await,
                Kind::Pieces => self.pieces().await,
                Kind::Same => self.same().await,
            };
            match ran {
                Ok(requests) => race.requests += requests,
                Err(what) => race.faults.push(what.to_string()),
            }
        }
        let audited = self.world.audit(MERCHANT).await?;
        race.faults.extend(audited.wrong().take(5));
        Ok(race)
    }

    fn look_up(&self) {
        self.workers.iter().for_each(|worker| worker.look_up(&self.world));
    }

    fn first(&self) -> &Worker {
        // The second worker's clock is right.
        &self.workers[1]
    }

    /// Enrols a member, and gives it this many points.
    async fn member(&mut self, units: i64) -> ProofResult<String> {
        self.members += 1;
        let member = format!("r{}", self.members);
        let worker = self.first();
        let body = json!({ "id": member });
        let enrolled = worker.insist(MERCHANT, Method::POST, "/v1/members", None, &body).await?;
        said(&enrolled, 201)?;
        if units > 0 {
            let at = self.world.now().to_rfc3339();
            let order = json!({ "total": format!("{units}.00") });
            let body = json!({ "type": "purchase", "order": order, "at": at });
            let path = format!("/v1/members/{member}/earn");
            said(&worker.insist(MERCHANT, Method::POST, &path, Some("first"), &body).await?, 201)?;
        }
        Ok(member)
    }

    /// Sends all requests at once, with every fault. Returns the answers in the order of the
    /// requests.
    async fn all(&self, requests: Vec<Request>) -> ProofResult<Vec<Answer>> {
        self.world.proxy.set(FaultRates::everything(12));
        let asks = requests.into_iter().map(async |(worker, member, verb, key, body)| {
            let path = format!("/v1/members/{member}/{verb}");
            let worker = &self.workers[worker % WORKERS];
            worker.insist(MERCHANT, Method::POST, &path, Some(&key), &body).await
        });
        let answers: ProofResult<Vec<Answer>> = join_all(asks).await.into_iter().collect();
        self.world.proxy.set(FaultRates::calm());
        answers
    }

    async fn spendable(&self, member: &str) -> ProofResult<i64> {
        let path = format!("/v1/members/{member}");
        let answer = self.first().insist(MERCHANT, Method::GET, &path, None, &Value::Null).await?;
        Ok(answer.json()["wallets"]["points"]["balance"].as_i64().unwrap_or_default())
    }

    /// Several clients earn, spend and read at once. Some order of all steps, one after the other,
    /// must explain the answers.
    async fn history(&mut self) -> ProofResult<u64> {
        const CLIENTS: usize = 5;
        const STEPS: usize = 8;
        let member = self.member(0).await?;
        let actions: Mutex<Vec<(usize, Action<Step>)>> = Mutex::default();
        let note = |client: usize, action: Action<Step>| {
            actions.lock().unwrap_or_else(PoisonError::into_inner).push((client, action));
        };
        let plans: Vec<Vec<(u32, i64)>> = (0..CLIENTS)
            .map(|_| (0..STEPS).map(|_| (self.rng.u32(0..5), self.rng.i64(5..40))).collect())
            .collect();
        self.world.proxy.set(FaultRates::everything(12));
        let at = self.world.now().to_rfc3339();
        let clients = plans.iter().enumerate().map(async |(client, plan)| {
            for (number, (dice, units)) in plan.iter().enumerate() {
                let (dice, units) = (*dice, *units);
                let key = format!("{client}-{number}");
                let (method, verb, body) = match dice {
                    0 => (Method::GET, "", Value::Null),
                    1 | 2 => {
                        let order = json!({ "total": format!("{units}.00") });
                        let body = json!({ "type": "purchase", "order": order, "at": at });
                        (Method::POST, "/earn", body)
                    }
                    _ => (Method::POST, "/redeem", json!({ "reward": "some", "units": units })),
                };
                note(client, Action::Call(Step::Asked));
                let path = format!("/v1/members/{member}{verb}");
                let worker = &self.workers[client % WORKERS];
                let answer = worker.insist(MERCHANT, method, &path, Some(&key), &body).await?;
                let body = answer.json();
                let balance = body["entry"]["balances"]["points"].as_i64().unwrap_or_default();
                let step = match (verb, answer.status) {
                    ("", 200) => {
                        let wallet = &body["wallets"]["points"]["balance"];
                        Step::Saw(wallet.as_i64().unwrap_or_default())
                    }
                    ("/earn", 201) => Step::Earned { units, balance },
                    ("/redeem", 201) => Step::Spent { units, balance },
                    ("/redeem", 409) => Step::Refused { units },
                    _ => return Err(format!("{path}: {}", answer.text).into()),
                };
                note(client, Action::Response(step));
            }
            ProofResult::Ok(())
        });
        for client in join_all(clients).await {
            client?;
        }
        let actions = actions.into_inner().unwrap_or_else(PoisonError::into_inner);
        let listed = format!("{actions:?}");
        if !WGLChecker::<Balance>::is_linearizable(History::from_actions(actions)) {
            return Err(format!("{member}: no order explains {listed}").into());
        }
        Ok((CLIENTS * STEPS) as u64)
    }

    async fn redeems(&mut self, at_once: u32) -> ProofResult<u64> {
        let (price, affordable) = (10, i64::from(at_once) / 4);
        let member = self.member(price * affordable + 3).await?;
        let wish = |number: u32| {
            (
                number as usize,
                member.clone(),
                "redeem",
                format!("r{number}"),
                json!({ "reward": "ten" }),
            )
        };
        let answers = self.all((0..at_once).map(wish).collect()).await?;
        equal("redemptions done", winners(&answers, &["balance_is_insufficient"])?, affordable)?;
        equal("points left", self.spendable(&member).await?, 3)?;
        Ok(at_once.into())
    }

    async fn holds(&mut self) -> ProofResult<u64> {
        let member = self.member(50).await?;
        let body = json!({ "reward": "ten" });
        let path = format!("/v1/members/{member}/holds");
        let held = self.first().insist(MERCHANT, Method::POST, &path, Some("h"), &body).await?;
        said(&held, 201)?;
        let hold = held.json()["entry"]["hold"].as_str().unwrap_or_default().to_owned();
        self.world.proxy.set(FaultRates::everything(12));
        let asks = (0..6).map(async |number: usize| {
            let verb = if number.is_multiple_of(2) { "capture" } else { "release" };
            let path = format!("/v1/members/{member}/holds/{hold}/{verb}");
            let (worker, key) = (&self.workers[number], number.to_string());
            let answer =
                worker.insist(MERCHANT, Method::POST, &path, Some(&key), &json!({})).await?;
            ProofResult::Ok((verb, won(&answer, &["hold_was_captured", "hold_was_released"])?))
        });
        let answers: ProofResult<Vec<(&str, bool)>> = join_all(asks).await.into_iter().collect();
        self.world.proxy.set(FaultRates::calm());
        let done: Vec<&str> =
            answers?.into_iter().filter(|(_, won)| *won).map(|(verb, _)| verb).collect();
        equal("ends of a hold", done.len() as i64, 1)?;
        let left = if done == ["capture"] { 40 } else { 50 };
        equal("points left", self.spendable(&member).await?, left)?;
        Ok(6)
    }

    /// Redemptions race against expiry runs at the second of expiry, by workers whose clocks differ
    /// by a second.
    async fn boundary(&mut self) -> ProofResult<u64> {
        let member = self.member(60).await?;
        let path = format!("/v1/members/{member}/entries");
        let given = self.first().insist(MERCHANT, Method::GET, &path, None, &Value::Null).await?;
        let given = given.json();
        let postings = given["entries"][0]["postings"].as_array().into_iter().flatten();
        let end = postings.filter(|posting| posting["wallet"] == "points");
        let end = end.filter_map(|posting| posting["to"]["lot"]["expires_at"].as_str()).next();
        self.world.at(end.ok_or("what was earned has no end")?.parse()?);
        self.look_up();
        self.world.proxy.set(FaultRates::everything(12));
        let asks = (0..6).map(async |number: usize| {
            let worker = &self.workers[number];
            let path = format!("/v1/members/{member}/redeem");
            let body = json!({ "reward": "ten" });
            let key = number.to_string();
            let answer = worker.insist(MERCHANT, Method::POST, &path, Some(&key), &body).await?;
            let spent = won(&answer, &["balance_is_insufficient"])?;
            // Only a worker whose clock is a second behind can still spend units.
            match spent && !number.is_multiple_of(3) {
                true => Err("expired units were spent".into()),
                false => ProofResult::Ok(i64::from(spent)),
            }
        });
        let runs = [1usize, 2, 4].map(async |number| {
            // A run that finds the table too busy is followed by another.
            match expire::run(&self.workers[number].api, &expire::Event::default(), None).await {
                Err(error) if !is_busy(&error) => Err(error.into()),
                _ => ProofResult::Ok(()),
            }
        });
        let (done, runs) = futures::join!(join_all(asks), join_all(runs));
        runs.into_iter().collect::<ProofResult>()?;
        self.world.proxy.set(FaultRates::calm());
        let done: i64 = done.into_iter().collect::<ProofResult<Vec<i64>>>()?.into_iter().sum();
        self.world.pass(2);
        self.look_up();
        let summary = expire::run(&self.first().api, &expire::Event::default(), None).await?;
        let page = self.first().insist(MERCHANT, Method::GET, &path, None, &Value::Null).await?;
        let entries = page.json();
        let expired: i64 = (entries["entries"].as_array().into_iter().flatten())
            .filter(|entry| entry["kind"] == "expire")
            .flat_map(|entry| entry["postings"].as_array().cloned().unwrap_or_default())
            .filter(|posting| posting["wallet"] == "points")
            .map(|posting| -posting["change"].as_i64().unwrap_or_default())
            .sum();
        equal("units spent and expired", done * 10 + expired, 60)?;
        equal("points left", self.spendable(&member).await?, 0)?;
        equal("failures", i64::from(!summary.finished), 0)?;
        Ok(9)
    }

    async fn transfers(&mut self) -> ProofResult<u64> {
        let pair = [self.member(100).await?, self.member(100).await?];
        let wish = |number: usize| {
            let (from, to) = (&pair[number % 2], &pair[(number + 1) % 2]);
            let body = json!({ "to": to, "units": 7 + number % 5 });
            (number, from.clone(), "transfer", format!("t{number}"), body)
        };
        let answers = self.all((0..24).map(wish).collect()).await?;
        winners(&answers, &["balance_is_insufficient"])?;
        let sum = self.spendable(&pair[0]).await? + self.spendable(&pair[1]).await?;
        equal("points of both", sum, 200)?;
        Ok(24)
    }

    /// More members than pieces redeem the scarce reward. It runs once, since no pieces are left
    /// then.
    async fn pieces(&mut self) -> ProofResult<u64> {
        let mut requests = Vec::new();
        for number in 0..3 * PIECES {
            let member = self.member(20).await?;
            let number = usize::try_from(number)?;
            requests.push((
                number,
                member,
                "redeem",
                "s".to_owned(),
                json!({ "reward": "scarce" }),
            ));
        }
        let answers = self.all(requests).await?;
        equal("pieces handed out", winners(&answers, &["reward_is_sold_out"])?, PIECES)?;
        let merchant = ledger::MerchantId::parse(MERCHANT)?;
        let limit = ledger::SharedLimit::Stock("scarce".to_owned());
        equal("pieces left", self.world.store.left(&merchant, &limit).await?.get(), 0)?;
        Ok(answers.len() as u64)
    }

    async fn same(&mut self) -> ProofResult<u64> {
        let member = self.member(100).await?;
        let at = self.world.now().to_rfc3339();
        // The purchase has a number of its own beside its key.
        let order =
            json!({ "type": "purchase", "id": "own", "order": { "total": "10.00" }, "at": at });
        for (verb, body) in [("redeem", json!({ "reward": "ten" })), ("earn", order)] {
            let wish = |number| (number, member.clone(), verb, "same".to_owned(), body.clone());
            let answers = self.all((0..12).map(wish).collect()).await?;
            let first = answers.first().map(|answer| answer.text.clone()).unwrap_or_default();
            if let Some(other) = answers.iter().find(|answer| answer.text != first) {
                return Err(format!("answered {first} and {}", other.text).into());
            }
        }
        equal("points left", self.spendable(&member).await?, 100)?;
        Ok(24)
    }
}

fn said(answer: &Answer, status: u16) -> ProofResult {
    if answer.status == status { Ok(()) } else { Err(answer.text.clone().into()) }
}

/// Whether a request was done. A request that was refused must have one of the codes in `lost`.
fn won(answer: &Answer, lost: &[&str]) -> ProofResult<bool> {
    match answer.status {
        201 => Ok(true),
        409 if lost.iter().any(|lost| answer.json()["code"] == *lost) => Ok(false),
        _ => Err(answer.text.clone().into()),
    }
}

fn winners(answers: &[Answer], lost: &[&str]) -> ProofResult<i64> {
    answers.iter().map(|answer| won(answer, lost).map(i64::from)).sum()
}

fn equal(what: &str, found: i64, expected: i64) -> ProofResult {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found}, not {expected}").into()) }
}

/// A step of a member's history, by the answer that its client got.
#[derive(Debug, Clone)]
enum Step {
    /// The request is sent, and its result is not known yet.
    Asked,
    Earned {
        units: i64,
        balance: i64,
    },
    Spent {
        units: i64,
        balance: i64,
    },
    Refused {
        units: i64,
    },
    Saw(i64),
}

/// The specification of a balance if all steps came one after the other.
struct Balance;

impl Specification for Balance {
    type State = i64;
    type Operation = Step;

    fn init() -> i64 {
        0
    }

    fn apply(step: &Step, held: &i64) -> (bool, i64) {
        match step {
            Step::Asked => (false, *held),
            Step::Earned { units, balance } => {
                let after = held + units;
                if after == *balance { (true, after) } else { (false, *held) }
            }
            Step::Spent { units, balance } => {
                let after = held - units;
                if after == *balance && after >= 0 { (true, after) } else { (false, *held) }
            }
            Step::Refused { units } => (held < units, *held),
            Step::Saw(balance) => (held == balance, *held),
        }
    }
}

/// Whether the checker of histories tells a right history from a wrong one. Both have the same
/// steps; the wrong one has an impossible balance.
#[must_use]
pub fn checker_is_right() -> bool {
    let history = |balance: i64| {
        let step = |client: usize, step: Step| {
            [(client, Action::Call(Step::Asked)), (client, Action::Response(step))]
        };
        let steps = [
            step(0, Step::Earned { units: 10, balance: 10 }),
            step(1, Step::Spent { units: 4, balance }),
        ];
        WGLChecker::<Balance>::is_linearizable(History::from_actions(steps.concat()))
    };
    history(6) && !history(7)
}
