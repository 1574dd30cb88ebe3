//! A client that makes requests of every verb, some of them repeats, and some with another body
//! under a used key.

use std::sync::{Arc, Mutex};

use axum::http::Method;
use chrono::TimeDelta;
use fastrand::Rng;
use ledger::{MemberId, MerchantId, Moment};
use serde_json::{Value, json};
use store::MemberKey;
use tokio::sync::RwLock;

use super::known::{
    Asked, FAULTS_MAX, LINE_PRICE, Members, Refused, digest, home, homes, lock, lock_of, name,
    price,
};
use super::report::Report;
use super::size::Size;
use crate::ProofResult;
use crate::busy::is_busy;
use crate::world::{Answer, CONTEST, MERCHANTS, Worker, World};

/// The steps of all clients between two expiry runs.
const STEPS_OF_A_DAY: u64 = 333;

/// A request of a verb under a key.
struct Request {
    verb: &'static str,
    path: String,
    key: String,
    body: Value,
}

/// A client that makes requests.
pub(super) struct Client {
    pub(super) world: Arc<World>,
    pub(super) worker: Worker,
    pub(super) members: Arc<Members>,
    /// Write-locked while the time moves on, so that no client is in the middle of a request then.
    pub(super) day: Arc<RwLock<()>>,
    pub(super) size: Size,
    pub(super) rng: Rng,
    pub(super) report: Arc<Mutex<Report>>,
    pub(super) number: u32,
    pub(super) keys: u64,
    /// The merchant and the member of the last request.
    pub(super) last: (usize, u32),
}

impl Client {
    /// Does the step of this number, which is counted over all clients. Returns whether there was
    /// anything to request.
    pub(super) async fn step(&mut self, number: u64) -> ProofResult<bool> {
        if number % STEPS_OF_A_DAY == STEPS_OF_A_DAY - 1 {
            return self.expiry_run().await.map(|()| true);
        }
        let day = Arc::clone(&self.day);
        let _day = day.read().await;
        self.world.pass(self.rng.i64(0..30));
        self.worker.look_up(&self.world);
        if self.rng.bool() {
            // Members with low numbers are chosen far more often.
            let member = self.rng.u32(0..self.size.members);
            self.last = (self.rng.usize(0..MERCHANTS.len()), self.rng.u32(0..=member));
        }
        let (merchant, member) = self.last;
        match self.rng.u32(0..1000) {
            0..60 => self.repeat(merchant, member).await,
            60..80 => self.alter(merchant, member).await,
            80..120 => self.look(merchant, member).await,
            _ => self.ask(merchant, member).await,
        }
    }

    pub(super) fn is_well(&self) -> bool {
        lock(&self.report).faults.is_empty()
    }

    /// Moves the time on and does an expiry run.
    async fn expiry_run(&mut self) -> ProofResult {
        let expiry_runs = self.size.operations / STEPS_OF_A_DAY;
        let seconds = u64::from(self.size.days) * 86_400 / expiry_runs.max(1);
        {
            let _nobody = self.day.write().await;
            self.world.pass(self.rng.i64(0..2 * seconds.cast_signed()));
        }
        let _day = self.day.read().await;
        self.worker.look_up(&self.world);
        let done = expire::run(&self.worker.api, &expire::Event::default(), None).await;
        // The next run does what this one could not do because the table was busy.
        if let Err(error) = &done
            && !is_busy(error)
        {
            self.fault(format!("an expiry run: {error}"));
        }
        let mut report = lock(&self.report);
        report.expiry_runs.0 += 1;
        report.expiry_runs.1 += u64::from(done.is_err());
        Ok(())
    }

    /// Reads something, or does a dry run.
    async fn look(&mut self, merchant: usize, member: u32) -> ProofResult<bool> {
        let id = name(member);
        let path = match self.rng.u32(0..5) {
            0 => format!("/v1/members/{id}/entries"),
            1 => format!("/v1/members/{id}/rewards"),
            2 => format!("/v1/contests/{CONTEST}"),
            3 => format!("/v1/members/{id}/redeem?dry_run=true"),
            _ => format!("/v1/members/{id}"),
        };
        let (method, body) = match path.contains("dry_run") {
            true => (Method::POST, json!({ "reward": "ten" })),
            false => (Method::GET, Value::Null),
        };
        let name = MERCHANTS.get(merchant).copied().unwrap_or_default();
        let answer = self.worker.insist(name, method, &path, None, &body).await?;
        let erased = lock_of(&self.members, merchant, member).erased;
        let is_well = match answer.status {
            200 => true,
            410 => erased,
            409 => path.contains("dry_run"),
            _ => false,
        };
        if !is_well {
            self.fault(format!("{path}: {} {}", answer.status, answer.text));
        }
        *lock(&self.report).done.entry("look".to_owned()).or_default() += 1;
        Ok(true)
    }

    /// Repeats a request that was done.
    async fn repeat(&mut self, merchant: usize, member: u32) -> ProofResult<bool> {
        let Some(asked) = self.some_asked(merchant, member) else { return Ok(false) };
        let again = self.send(merchant, &asked.path, &asked.key, &asked.body).await?;
        let erased = lock_of(&self.members, merchant, member).erased;
        if again.status == 410 && erased {
            return Ok(true);
        }
        if again.status != 201 || digest(&again.text) != asked.answer || !again.replayed {
            self.fault(format!("{} {} was answered anew: {}", asked.path, asked.key, again.text));
        } else {
            lock(&self.report).repeats += 1;
        }
        Ok(true)
    }

    /// Sends another body under a key that was used.
    async fn alter(&mut self, merchant: usize, member: u32) -> ProofResult<bool> {
        let Some(asked) = self.some_asked(merchant, member) else { return Ok(false) };
        let mut body = asked.body.clone();
        let changed = match asked.verb {
            "earn" => {
                let (id, at) = (&body["id"], &body["at"]);
                json!({ "type": "purchase", "id": id, "order": { "total": "99.99" }, "at": at })
            }
            "redeem" | "hold" => json!({ "reward": "some", "units": 61 }),
            "capture" => json!({ "units": 61 }),
            "join" => json!({ "account": "nowhere" }),
            "adjust" => json!({ "units": 77, "reason": "another", "author": "eve" }),
            "transfer" => json!({ "to": body["to"], "units": 61 }),
            "reverse" => {
                body["refund"] = json!("0.07");
                body
            }
            // The other verbs have no body that could differ.
            _ => return Ok(false),
        };
        let refused = self.send(merchant, &asked.path, &asked.key, &changed).await?;
        let erased = lock_of(&self.members, merchant, member).erased;
        if refused.status == 410 && erased {
            return Ok(true);
        }
        let code = refused.json()["code"].clone();
        if code != "idempotency_key_is_reused" && code != "activity_id_is_reused" {
            self.fault(format!("{} {} took another body: {}", asked.path, asked.key, refused.text));
        } else {
            lock(&self.report).altered += 1;
        }
        Ok(true)
    }

    /// Makes a new request.
    async fn ask(&mut self, merchant: usize, member: u32) -> ProofResult<bool> {
        let id = name(member);
        let path = |verb: &str| format!("/v1/members/{id}/{verb}");
        let now = self.world.now();
        let earned = self.some_key(merchant, member, "earn");
        // Half of the requests end an open hold, if there is one.
        let held = if self.rng.bool() { self.some_hold(merchant, member) } else { None };
        if let Some((hold, most)) = held {
            let verb = if self.rng.bool() { "release" } else { "capture" };
            // Half of the captures name their units, if the member chose the price.
            let units = most.filter(|_| verb == "capture" && self.rng.bool());
            let body = units.map_or(json!({}), |most| json!({ "units": self.rng.i64(5..=most) }));
            let path = path(&format!("holds/{hold}/{verb}"));
            return self.ask_for(merchant, member, verb, path, body).await;
        }
        let (verb, path, body) = match self.rng.u32(0..1000) {
            0..420 => ("earn", path("earn"), self.purchase(now)),
            420..480 => {
                let Some(key) = earned else { return Ok(false) };
                ("earn", path("earn"), self.instead_of(&key, now))
            }
            480..585 => ("redeem", path("redeem"), self.reward(member)),
            585..600 => {
                // A till without a network tells it late.
                let mut body = self.reward(member);
                body["at"] = self.before(now);
                ("redeem", path("redeem"), body)
            }
            600..770 => ("hold", path("holds"), self.reward(member)),
            770..890 => {
                let Some(body) = self.reversal(merchant, member) else { return Ok(false) };
                ("reverse", path("reverse"), body)
            }
            890..920 => ("adjust", path("adjust"), self.adjustment(now)),
            920..960 => {
                let to = name(self.rng.u32(0..self.size.members));
                ("transfer", path("transfer"), json!({ "to": to, "units": self.rng.i64(1..60) }))
            }
            960..992 => {
                let is_home = lock_of(&self.members, merchant, member).is_home;
                // Some leave without having joined, and some join twice.
                if is_home == (self.rng.u32(0..5) == 0) {
                    let account = home(self.rng.u32(0..homes(self.size.members)));
                    ("join", path("join"), json!({ "account": account }))
                } else {
                    ("leave", path("leave"), json!({}))
                }
            }
            _ => return self.erase(merchant, member).await,
        };
        self.ask_for(merchant, member, verb, path, body).await
    }

    /// A moment of the last days: what happened then is told late, and out of order.
    fn before(&mut self, now: Moment) -> Value {
        let at = now - TimeDelta::seconds(self.rng.i64(0..200_000));
        json!(at.to_rfc3339())
    }

    /// An adjustment: some units were forgotten, or given by mistake, on an earlier day.
    fn adjustment(&mut self, now: Moment) -> Value {
        let units = self.rng.i64(-40..60);
        let mut body = json!({ "units": units, "reason": "by hand", "author": "eve" });
        if self.rng.u32(0..3) == 0 {
            body["at"] = self.before(now);
        }
        body
    }

    /// A purchase that puts another one right, or with which another one comes back, or a part of it,
    /// whether or not that has come back before.
    fn instead_of(&mut self, key: &str, now: Moment) -> Value {
        let mut body = self.purchase(now);
        match self.rng.u32(0..6) {
            0 => body["returns"] = json!({ "order": key }),
            1 => {
                let refund = format!("{}.00", self.rng.u32(1..30));
                body["returns"] = json!({ "order": key, "refund": refund });
            }
            2 => {
                let lines = json!([{ "sku": "a", "quantity": 1 }]);
                body["returns"] = json!({ "order": key, "lines": lines });
            }
            _ => body["replaces"] = json!(key),
        }
        body
    }

    /// A reversal, mostly of a purchase; of some only a part comes back.
    fn reversal(&mut self, merchant: usize, member: u32) -> Option<Value> {
        let verbs = ["redeem", "capture", "adjust", "transfer", "reverse"];
        let verb = verbs.get(self.rng.usize(0..verbs.len() * 3)).copied().unwrap_or("earn");
        let mut body = json!({ verb: self.some_key(merchant, member, verb)? });
        match (verb, self.rng.u32(0..3)) {
            ("earn", 0) => body["refund"] = json!(format!("{}.00", self.rng.u32(1..30))),
            ("earn", 1) => body["lines"] = json!([{ "sku": "a", "quantity": 1 }]),
            ("redeem" | "capture", 0) => body["units"] = json!(self.rng.i64(1..12)),
            _ => {}
        }
        Some(body)
    }

    /// A purchase: some have lines, some a number of their own, and some are sent late.
    fn purchase(&mut self, now: Moment) -> Value {
        let total = format!("{}.{:02}", self.rng.u32(7..80), self.rng.u32(0..100));
        let mut body = json!({ "type": "purchase", "order": { "total": total } });
        if self.rng.bool() {
            let line = json!({ "sku": "a", "quantity": 2, "price": LINE_PRICE });
            body["order"]["lines"] = json!([line]);
            body["order"]["tax"] = json!("1.19");
            body["order"]["payments"] = json!([{ "method": "card", "amount": total }]);
        }
        if self.rng.u32(0..4) == 0 {
            // The shop numbers its orders otherwise than its requests.
            body["id"] = json!(format!("order-{}", self.rng.u64(..)));
        }
        if self.rng.u32(0..3) == 0 {
            body["at"] = self.before(now);
        } else {
            body["at"] = json!((now - TimeDelta::seconds(900)).to_rfc3339());
        }
        body
    }

    /// Sends one request under a new key, and notes its answer.
    async fn ask_for(
        &mut self,
        merchant: usize,
        member: u32,
        verb: &'static str,
        path: String,
        body: Value,
    ) -> ProofResult<bool> {
        self.keys += 1;
        let key = format!("{verb}-{}-{}", self.number, self.keys);
        let takes = takes(verb, &body);
        let before = if takes > 0 { self.version(merchant, member).await? } else { 0 };
        let answer = self.send(merchant, &path, &key, &body).await?;
        if answer.json()["code"] == "balance_is_insufficient"
            && self.version(merchant, member).await? == before
        {
            // The member has not changed meanwhile, so it is known which balance was too small.
            let at = self.worker.now().timestamp();
            let refused = Refused { seq: before, at, units: takes };
            lock_of(&self.members, merchant, member).refused.push(refused);
        }
        let request = Request { verb, path, key, body };
        self.note((merchant, member), request, &answer);
        Ok(true)
    }

    /// The number of a member's newest entry, read without the fault proxy.
    async fn version(&self, merchant: usize, member: u32) -> ProofResult<u64> {
        let merchant = MerchantId::parse(MERCHANTS.get(merchant).copied().unwrap_or_default())?;
        let at = MemberKey { merchant, member: MemberId::parse(&name(member))? };
        Ok(self.world.store.member(&at).await?.map_or(0, |member| member.seq.get()))
    }

    /// Records the result of a request: the code of its refusal, or the request with its answer.
    fn note(&self, (merchant, member): (usize, u32), request: Request, answer: &Answer) {
        let Request { verb, path, key, body } = request;
        let json = answer.json();
        if answer.status != 201 {
            let code = json["code"].as_str().unwrap_or("no code").to_owned();
            if answer.status >= 500 {
                self.fault(format!("{path} {key}: {}", answer.text));
            }
            *lock(&self.report).refused.entry(code).or_default() += 1;
            return;
        }
        *lock(&self.report).done.entry(verb.to_owned()).or_default() += 1;
        let seq = json["entry"]["seq"].as_u64().unwrap_or_default();
        let mut known = lock_of(&self.members, merchant, member);
        if let Some(hold) = json["entry"]["hold"].as_str().filter(|_| verb == "hold") {
            // The units that the member chose, if it could choose.
            known.holds.push((hold.to_owned(), json["units"].as_i64()));
        }
        match verb {
            "join" => known.is_home = true,
            "leave" => known.is_home = false,
            _ => {}
        }
        let answer = digest(&answer.text);
        known.asked.push(Asked { verb, path, key, body, answer, seq });
    }

    /// Erases a member, without a key. Few members are erased.
    async fn erase(&mut self, merchant: usize, member: u32) -> ProofResult<bool> {
        // The next lower member that may be erased.
        let Some(member) = (0..=member).rev().find(|member| may_be_erased(*member)) else {
            return Ok(false);
        };
        let path = format!("/v1/members/{}", name(member));
        // From now on, a repeat may get a 410 instead of its first answer.
        lock_of(&self.members, merchant, member).erased = true;
        let merchant_name = MERCHANTS.get(merchant).copied().unwrap_or_default();
        let answer =
            self.worker.insist(merchant_name, Method::DELETE, &path, None, &json!({})).await?;
        match answer.status {
            200 if answer.replayed => {}
            200 => *lock(&self.report).done.entry("erase".to_owned()).or_default() += 1,
            _ => self.fault(format!("{path} is not forgotten: {}", answer.text)),
        }
        Ok(true)
    }

    fn reward(&mut self, member: u32) -> Value {
        match self.rng.u32(0..16) {
            0..4 => json!({ "reward": "ten" }),
            4 => json!({ "reward": "code" }),
            // The entries of an erased member cannot be read, so its pieces could not be counted.
            5..9 if !may_be_erased(member) => json!({ "reward": "scarce" }),
            _ => json!({ "reward": "some", "units": self.rng.i64(5..61) }),
        }
    }

    async fn send(
        &self,
        merchant: usize,
        path: &str,
        key: &str,
        body: &Value,
    ) -> ProofResult<Answer> {
        let merchant = MERCHANTS.get(merchant).copied().unwrap_or_default();
        let answer = self.worker.insist(merchant, Method::POST, path, Some(key), body).await?;
        let mut report = lock(&self.report);
        report.answers_hash = digest(&format!("{:x} {key} {}", report.answers_hash, answer.text));
        Ok(answer)
    }

    fn some_asked(&mut self, merchant: usize, member: u32) -> Option<Asked> {
        let known = lock_of(&self.members, merchant, member);
        let place = self.rng.usize(0..known.asked.len().max(1));
        known.asked.get(place).cloned()
    }

    fn some_key(&mut self, merchant: usize, member: u32, verb: &str) -> Option<String> {
        let known = lock_of(&self.members, merchant, member);
        let own: Vec<&Asked> = known.asked.iter().filter(|asked| asked.verb == verb).collect();
        // Mostly one of the last three requests, sometimes one of the last 40.
        let last = if self.rng.u8(0..20) == 0 { 40 } else { 3 };
        let skip = own.len().saturating_sub(last);
        let place = skip + self.rng.usize(0..(own.len() - skip).max(1));
        own.get(place).map(|asked| asked.key.clone())
    }

    fn some_hold(&mut self, merchant: usize, member: u32) -> Option<(String, Option<i64>)> {
        let mut known = lock_of(&self.members, merchant, member);
        let last = known.holds.len().checked_sub(1)?;
        // Some holds are left to expire, and some are ended twice.
        if self.rng.u32(0..4) == 0 {
            known.holds.get(last).cloned()
        } else {
            Some(known.holds.remove(last))
        }
    }

    fn fault(&self, text: String) {
        let mut report = lock(&self.report);
        if report.faults.len() < FAULTS_MAX {
            report.faults.push(text);
        }
    }
}

/// The points that a request takes if the member has them; zero or less for other requests.
fn takes(verb: &str, body: &Value) -> i64 {
    match verb {
        // What is told late is judged by what was there then.
        "redeem" | "adjust" if !body["at"].is_null() => 0,
        "redeem" | "hold" => price(body),
        "transfer" => body["units"].as_i64().unwrap_or_default(),
        "adjust" => -body["units"].as_i64().unwrap_or_default(),
        _ => 0,
    }
}

/// Whether a member may be erased: one in seven.
fn may_be_erased(member: u32) -> bool {
    member % 7 == 3
}
