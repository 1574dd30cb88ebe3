//! Races: several requests for the same units at once, through a fault proxy with every fault. The
//! result of each race is counted, and the histories of single members must be linearizable.

use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use chrono::TimeDelta;
use fastrand::Rng;
use futures::future::join_all;
use ledger::{MemberId, MerchantId, Moment};
use serde_json::{Value, json};
use store::MemberKey;
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
        ("one order, taken back in several ways", Kind::TakenBack),
        ("a return, undone and done again", Kind::Undone),
        ("late orders against redemptions", Kind::ToldLate),
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
    TakenBack,
    Undone,
    ToldLate,
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

/// A request that moves a member's points: verb, body, and the points that it adds if it is done.
type Move = (&'static str, Value, i64);

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
                Kind::TakenBack => self.taken_back().await,
                Kind::Undone => self.undone().await,
                Kind::ToldLate => self.told_late().await,
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

    /// Several clients earn, spend and read at once, tell orders late, put their own right, and take
    /// them back. Some order of all steps, one after the other, must explain the answers.
    async fn history(&mut self) -> ProofResult<u64> {
        const CLIENTS: usize = 5;
        const STEPS: usize = 8;
        let member = self.member(0).await?;
        let actions: Mutex<Vec<(usize, Action<Step>)>> = Mutex::default();
        let note = |client: usize, action: Action<Step>| {
            actions.lock().unwrap_or_else(PoisonError::into_inner).push((client, action));
        };
        let plans: Vec<Vec<(u32, i64)>> = (0..CLIENTS)
            .map(|_| (0..STEPS).map(|_| (self.rng.u32(0..8), self.rng.i64(5..40))).collect())
            .collect();
        self.world.proxy.set(FaultRates::everything(12));
        let now = self.world.now();
        let clients = plans.iter().enumerate().map(async |(client, plan)| {
            let mut own = Own::default();
            for (number, (dice, units)) in plan.iter().enumerate() {
                let (dice, units) = (*dice, *units);
                let key = format!("{client}-{number}");
                let (verb, body, adds) = own.request(dice, units, now);
                let method = if verb.is_empty() { Method::GET } else { Method::POST };
                note(client, Action::Call(Step::Asked));
                let path = format!("/v1/members/{member}{verb}");
                let worker = &self.workers[client % WORKERS];
                let answer = worker.insist(MERCHANT, method, &path, Some(&key), &body).await?;
                let said = answer.json();
                let balance = said["entry"]["balances"]["points"].as_i64().unwrap_or_default();
                let step = match (verb, answer.status) {
                    ("", 200) => {
                        let wallet = &said["wallets"]["points"]["balance"];
                        Step::Saw(wallet.as_i64().unwrap_or_default())
                    }
                    ("/earn" | "/reverse", 201) => {
                        own.note(&body, &key, units);
                        Step::Earned { units: adds, balance }
                    }
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

    /// One order is put right, exchanged and taken back at once, while others are told late and
    /// units are spent. One of those who take the order back does so.
    async fn taken_back(&mut self) -> ProofResult<u64> {
        let member = self.member(40).await?;
        let now = self.world.now();
        let exchanged = json!({ "order": "first" });
        let moves: [Move; 10] = [
            ("earn", with(bought(31, now), "replaces", &json!("first")), 31 - 40),
            ("earn", with(bought(32, now), "replaces", &json!("first")), 32 - 40),
            ("earn", with(bought(33, now), "returns", &exchanged), 33 - 40),
            ("earn", with(bought(34, now), "returns", &exchanged), 34 - 40),
            ("reverse", json!({ "earn": "first" }), -40),
            ("reverse", json!({ "order": "first" }), -40),
            ("earn", bought(7, now - TimeDelta::seconds(200)), 7),
            ("earn", bought(9, now - TimeDelta::seconds(100)), 9),
            ("redeem", json!({ "reward": "some", "units": 20 }), -20),
            ("redeem", json!({ "reward": "some", "units": 20 }), -20),
        ];
        let done = self.moved(&member, 40, &moves).await?;
        equal("times that an order was taken back", count(&done[..6]), 1)?;
        equal("orders told late", count(&done[6..8]), 2)?;
        Ok(moves.len() as u64)
    }

    /// A return is undone by several at once, while others return the order again, or put it right.
    /// The return is undone once, and then the order is taken back once, or not.
    async fn undone(&mut self) -> ProofResult<u64> {
        let member = self.member(30).await?;
        let now = self.world.now();
        let back = json!({ "earn": "first" });
        let path = format!("/v1/members/{member}/reverse");
        said(&self.first().insist(MERCHANT, Method::POST, &path, Some("b"), &back).await?, 201)?;
        let moves: [Move; 7] = [
            ("reverse", json!({ "reverse": "b" }), 30),
            ("reverse", json!({ "reverse": "b" }), 30),
            ("reverse", json!({ "reverse": "b" }), 30),
            ("reverse", back.clone(), -30),
            ("reverse", back, -30),
            ("earn", with(bought(12, now), "replaces", &json!("first")), 12 - 30),
            ("earn", bought(7, now - TimeDelta::seconds(100)), 7),
        ];
        let done = self.moved(&member, 0, &moves).await?;
        equal("times that a return was undone", count(&done[..3]), 1)?;
        equal("orders told late", count(&done[6..]), 1)?;
        if count(&done[3..6]) > 1 {
            return Err("an order was taken back twice after its return was undone".into());
        }
        Ok(moves.len() as u64)
    }

    /// Two orders are told late, while redemptions of then and of now want more units than there are.
    /// What is spent now and was not there, once one of then has spent it, is owed.
    async fn told_late(&mut self) -> ProofResult<u64> {
        let member = self.member(10).await?;
        let now = self.world.now();
        let then = (now - TimeDelta::seconds(100)).to_rfc3339();
        let spent_then = json!({ "reward": "some", "units": 25, "at": then });
        let spent_now = json!({ "reward": "some", "units": 30 });
        let moves: [Move; 6] = [
            ("earn", bought(15, now - TimeDelta::seconds(200)), 15),
            ("earn", bought(15, now - TimeDelta::seconds(200)), 15),
            ("redeem", spent_then.clone(), -25),
            ("redeem", spent_then, -25),
            ("redeem", spent_now.clone(), -30),
            ("redeem", spent_now, -30),
        ];
        let done = self.moved(&member, 10, &moves).await?;
        equal("orders told late", count(&done[..2]), 2)?;
        if count(&done[2..4]) > 1 || count(&done[4..]) > 1 {
            return Err(format!("more was spent than there was: {done:?}").into());
        }
        Ok(moves.len() as u64)
    }

    /// Sends all requests of a member at once, and returns which of them were done. The member must
    /// then have one entry more for each of these, and the points that it had with what they add.
    async fn moved(&self, member: &str, had: i64, moves: &[Move]) -> ProofResult<Vec<bool>> {
        let before = self.entries(member).await?;
        let request = |(number, (verb, body, _)): (usize, &Move)| {
            (number, member.to_owned(), *verb, format!("m{number}"), body.clone())
        };
        let answers = self.all(moves.iter().enumerate().map(request).collect()).await?;
        let lost = ["entry_is_reversed_already", "balance_is_insufficient"];
        let done: ProofResult<Vec<bool>> =
            answers.iter().map(|answer| won(answer, &lost)).collect();
        let done = done?;
        let added = moves.iter().zip(&done).filter(|(_, done)| **done);
        let added: i64 = added.map(|((_, _, units), _)| units).sum();
        equal("points less what is owed", self.points(member).await?, had + added)?;
        equal("entries", self.entries(member).await? - before, count(&done))?;
        Ok(done)
    }

    /// The points of a member, less what it owes.
    async fn points(&self, member: &str) -> ProofResult<i64> {
        let path = format!("/v1/members/{member}");
        let answer = self.first().insist(MERCHANT, Method::GET, &path, None, &Value::Null).await?;
        let member = answer.json();
        let of = |what: &str| member["wallets"]["points"][what].as_i64().unwrap_or_default();
        Ok(of("balance") - of("debt"))
    }

    /// The number of a member's entries.
    async fn entries(&self, member: &str) -> ProofResult<i64> {
        let merchant = MerchantId::parse(MERCHANT)?;
        let at = MemberKey { merchant, member: MemberId::parse(member)? };
        let member = self.world.store.member(&at).await?.ok_or("the member is not there")?;
        Ok(member.seq.get().cast_signed())
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

fn count(done: &[bool]) -> i64 {
    done.iter().map(|done| i64::from(*done)).sum()
}

/// A purchase of this many points.
fn bought(units: i64, at: Moment) -> Value {
    let order = json!({ "total": format!("{units}.00") });
    json!({ "type": "purchase", "order": order, "at": at.to_rfc3339() })
}

/// The same body with a field more.
fn with(mut body: Value, field: &str, value: &Value) -> Value {
    body[field] = value.clone();
    body
}

/// The orders that a client of a history has told. Nobody else takes them back.
#[derive(Default)]
struct Own {
    /// The last one that stands: its key and its units.
    order: Option<(String, i64)>,
    /// The last one that came back, behind the key of its return.
    back: Option<(String, (String, i64))>,
}

impl Own {
    /// A request: its verb, its body, and the units that it adds.
    fn request(&self, dice: u32, units: i64, now: Moment) -> (&'static str, Value, i64) {
        match (dice, &self.order, &self.back) {
            (0, ..) => ("", Value::Null, 0),
            (1 | 2, ..) => ("/redeem", json!({ "reward": "some", "units": units }), -units),
            (3, Some((order, had)), _) => {
                ("/earn", with(bought(units, now), "replaces", &json!(order)), units - had)
            }
            (4, _, Some((back, (_, had)))) => ("/reverse", json!({ "reverse": back }), *had),
            (4, Some((order, had)), None) => ("/reverse", json!({ "earn": order }), -had),
            (5, ..) => ("/earn", bought(units, now - TimeDelta::seconds(100)), units),
            _ => ("/earn", bought(units, now), units),
        }
    }

    /// Notes an order, a return, or a return that was undone.
    fn note(&mut self, body: &Value, key: &str, units: i64) {
        if body["type"] == "purchase" {
            self.order = Some((key.to_owned(), units));
        } else if body["earn"].is_string() {
            self.back = self.order.take().map(|order| (key.to_owned(), order));
        } else {
            self.order = self.back.take().map(|(_, order)| order);
        }
    }
}

/// A step of a member's history, by the answer that its client got.
#[derive(Debug, Clone)]
enum Step {
    /// The request is sent, and its result is not known yet.
    Asked,
    /// Units came, or were taken back.
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

/// The specification of a balance, less what is owed, if all steps came one after the other.
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
                if after.max(0) == *balance { (true, after) } else { (false, *held) }
            }
            Step::Spent { units, balance } => {
                let after = held - units;
                if after == *balance && after >= 0 { (true, after) } else { (false, *held) }
            }
            Step::Refused { units } => (held < units, *held),
            Step::Saw(balance) => ((*held).max(0) == *balance, *held),
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
