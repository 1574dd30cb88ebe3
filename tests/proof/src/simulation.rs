//! A seeded workload of every verb over many members and merchants, by several workers whose clocks
//! differ, over a wire on which everything happens; and what must hold of it afterwards.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::http::Method;
use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use fastrand::Rng;
use ledger::{MerchantId, What};
use serde_json::{Value, json};
use store::{History, VersionLine};

use crate::Outcome;
use crate::model::{Points, Span};
use crate::wire::{Fault, Tamper, Weather};
use crate::world::{Answer, MERCHANTS, Worker, World};

/// How large a simulation is.
#[derive(Debug, Clone)]
pub struct Size {
    /// Operations in all, repeats and altered bodies among them.
    pub operations: u64,
    /// Members of each merchant.
    pub members: u32,
    /// Workers.
    pub workers: u32,
    /// What happens on the wire.
    pub weather: Weather,
}

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
    /// Requests on the wire.
    pub requests: u64,
    /// Members audited.
    pub members: u64,
    /// Entries audited.
    pub entries: u64,
    /// Balances that the model was asked for.
    pub modelled: u64,
    /// What is wrong; nothing should be.
    pub faults: Vec<String>,
    /// How long it took.
    pub seconds: u64,
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

/// What clients know of one member.
#[derive(Debug, Default)]
struct Known {
    asked: Vec<Asked>,
    /// Holds that may be open, by their name.
    holds: Vec<(String, i64)>,
    erased: bool,
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
    tamper: Option<Tamper>,
    mut progress: impl FnMut(u64),
) -> Outcome<Report> {
    let began = Instant::now();
    let world = Arc::new(World::new(seed, Weather::calm(), tamper).await?);
    let members: Members = (0..MERCHANTS.len())
        .flat_map(|merchant| (0..size.members).map(move |member| (merchant, member)))
        .map(|who| (who, Mutex::default()))
        .collect();
    let members = Arc::new(members);
    let first = world.worker(0).await;
    first.look_up(&world);
    enroll_all(&first, size.members).await?;
    world.wire.set(size.weather.clone());

    let report = Arc::new(Mutex::new(Report { seed, ..Report::default() }));
    let operations = Arc::new(AtomicU64::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..size.workers {
        // From a quarter of an hour behind to a quarter of an hour ahead.
        let skew = i64::from(number) * 1800 / i64::from(size.workers.max(2) - 1) - 900;
        let mut client = ClientOf {
            world: Arc::clone(&world),
            worker: world.worker(skew).await,
            members: Arc::clone(&members),
            count: size.members,
            rng: Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number.into())),
            report: Arc::clone(&report),
            number,
            keys: 0,
        };
        let (operations, most) = (Arc::clone(&operations), size.operations);
        workers.spawn(async move {
            while operations.fetch_add(1, Ordering::Relaxed) < most {
                client.step().await?;
            }
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(500));
    while !workers.is_empty() {
        tokio::select! {
            ended = workers.join_next() => if let Some(ended) = ended { ended??; },
            _ = ticks.tick() => progress(operations.load(Ordering::Relaxed).min(size.operations)),
        }
    }
    let mut found = std::mem::take(&mut *lock(&report));
    found.happened = world.wire.happened();
    found.requests = world.wire.requests().values().sum();
    check(&world, &members, &mut found).await?;
    found.operations = size.operations;
    found.seconds = began.elapsed().as_secs();
    Ok(found)
}

async fn enroll_all(worker: &Worker, members: u32) -> Outcome {
    for merchant in MERCHANTS {
        for member in (0..members).map(name).chain(["home-0".to_owned(), "home-1".to_owned()]) {
            let day = member.bytes().map(u32::from).sum::<u32>() % 28 + 1;
            let attributes = json!({ "birthday": format!("1990-{:02}-{day:02}", day % 12 + 1) });
            let body = json!({ "id": member, "attributes": attributes });
            let answer = worker.insist(merchant, Method::POST, "/v1/members", None, &body).await?;
            if answer.status != 201 {
                return Err(answer.text.into());
            }
        }
    }
    Ok(())
}

fn name(member: u32) -> String {
    format!("m{member}")
}

/// One who makes requests.
struct ClientOf {
    world: Arc<World>,
    worker: Worker,
    members: Arc<Members>,
    count: u32,
    rng: Rng,
    report: Arc<Mutex<Report>>,
    number: u32,
    keys: u64,
}

impl ClientOf {
    async fn step(&mut self) -> Outcome {
        self.world.pass(self.rng.i64(0..90));
        self.worker.look_up(&self.world);
        let merchant = self.rng.usize(0..MERCHANTS.len());
        let member = self.rng.u32(0..self.count);
        match self.rng.u32(0..1000) {
            0..3 => self.night().await,
            3..63 => self.repeat(merchant, member).await,
            63..83 => self.alter(merchant, member).await,
            _ => self.ask(merchant, member).await,
        }
    }

    async fn night(&mut self) -> Outcome {
        let done = expire::run(&self.worker.api, &expire::Event::default(), None).await;
        let mut report = lock(&self.report);
        report.nights.0 += 1;
        report.nights.1 += u64::from(done.is_err());
        Ok(())
    }

    /// Sends something again that was done.
    async fn repeat(&mut self, merchant: usize, member: u32) -> Outcome {
        let Some(asked) = self.some_asked(merchant, member) else { return Ok(()) };
        let again = self.send(merchant, &asked.path, &asked.key, &asked.body).await?;
        let erased = lock_of(&self.members, merchant, member).erased;
        if again.status == 410 && erased {
            return Ok(());
        }
        if again.status != 201 || digest(&again.text) != asked.answer || !again.replayed {
            self.fault(format!("{} {} was answered anew: {}", asked.path, asked.key, again.text));
        } else {
            lock(&self.report).repeats += 1;
        }
        Ok(())
    }

    /// Sends something else under a key that was used.
    async fn alter(&mut self, merchant: usize, member: u32) -> Outcome {
        let Some(asked) = self.some_asked(merchant, member) else { return Ok(()) };
        let mut body = asked.body.clone();
        let changed = match asked.verb {
            "earn" => {
                json!({ "type": "purchase", "order": { "total": "77.77" }, "at": body["at"] })
            }
            "redeem" | "hold" => json!({ "reward": "some", "units": 59 }),
            "adjust" => json!({ "units": 77, "reason": "another", "author": "eve" }),
            "transfer" => json!({ "to": body["to"], "units": 59 }),
            "reverse" => {
                body["refund"] = json!("0.07");
                body
            }
            _ => return Ok(()),
        };
        let refused = self.send(merchant, &asked.path, &asked.key, &changed).await?;
        let erased = lock_of(&self.members, merchant, member).erased;
        if refused.status == 410 && erased {
            return Ok(());
        }
        if refused.json()["code"] != "idempotency_key_is_reused" {
            self.fault(format!("{} {} took another body: {}", asked.path, asked.key, refused.text));
        } else {
            lock(&self.report).altered += 1;
        }
        Ok(())
    }

    /// Asks for something new.
    async fn ask(&mut self, merchant: usize, member: u32) -> Outcome {
        let id = name(member);
        let path = |verb: &str| format!("/v1/members/{id}/{verb}");
        let now = self.world.now();
        let earned = self.some_key(merchant, member, "earn");
        let (verb, path, body) = match self.rng.u32(0..1000) {
            0..480 => {
                let total = format!("{}.{:02}", self.rng.u32(0..80), self.rng.u32(0..100));
                let mut body = json!({ "type": "purchase", "order": { "total": total } });
                if self.rng.u32(0..3) == 0 {
                    // Told late, and out of order.
                    let at = now - TimeDelta::seconds(self.rng.i64(0..200_000));
                    body["at"] = json!(at.to_rfc3339());
                } else {
                    body["at"] = json!((now - TimeDelta::seconds(900)).to_rfc3339());
                }
                ("earn", path("earn"), body)
            }
            480..600 => ("redeem", path("redeem"), self.reward()),
            600..700 => ("hold", path("holds"), self.reward()),
            700..800 => {
                let Some((hold, _)) = self.some_hold(merchant, member) else { return Ok(()) };
                let verb = if self.rng.u32(0..3) == 0 { "release" } else { "capture" };
                (verb, path(&format!("holds/{hold}/{verb}")), json!({}))
            }
            800..870 => {
                let Some(key) = earned else { return Ok(()) };
                let mut body = json!({ "earn": key });
                if self.rng.bool() {
                    body["refund"] = json!(format!("{}.00", self.rng.u32(1..30)));
                }
                ("reverse", path("reverse"), body)
            }
            870..910 => {
                let verb = if self.rng.bool() { "redeem" } else { "capture" };
                let key = self.some_key(merchant, member, verb);
                let Some(key) = key else { return Ok(()) };
                ("reverse", path("reverse"), json!({ verb: key }))
            }
            910..940 => {
                let units = self.rng.i64(-40..60);
                let body = json!({ "units": units, "reason": "by hand", "author": "eve" });
                ("adjust", path("adjust"), body)
            }
            940..980 => {
                let to = name(self.rng.u32(0..self.count));
                ("transfer", path("transfer"), json!({ "to": to, "units": self.rng.i64(1..60) }))
            }
            980..998 => {
                if self.rng.bool() {
                    let home = format!("home-{}", self.rng.u32(0..2));
                    ("join", path("join"), json!({ "account": home }))
                } else {
                    ("leave", path("leave"), json!({}))
                }
            }
            _ => return self.erase(merchant, member).await,
        };
        self.keys += 1;
        let key = format!("{verb}-{}-{}", self.number, self.keys);
        let answer = self.send(merchant, &path, &key, &body).await?;
        self.put_down(merchant, member, verb, path, key, body, &answer);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are what there is to put down")]
    fn put_down(
        &self,
        merchant: usize,
        member: u32,
        verb: &'static str,
        path: String,
        key: String,
        body: Value,
        answer: &Answer,
    ) {
        let told = answer.json();
        if answer.status != 201 {
            let code = told["code"].as_str().unwrap_or("no code").to_owned();
            if answer.status >= 500 {
                self.fault(format!("{path} {key}: {}", answer.text));
            }
            *lock(&self.report).refused.entry(code).or_default() += 1;
            return;
        }
        *lock(&self.report).done.entry(verb.to_owned()).or_default() += 1;
        let seq = told["entry"]["seq"].as_u64().unwrap_or_default();
        let mut known = lock_of(&self.members, merchant, member);
        if let Some(hold) = told["entry"]["hold"].as_str().filter(|_| verb == "hold") {
            known.holds.push((hold.to_owned(), 0));
        }
        let answer = digest(&answer.text);
        known.asked.push(Asked { verb, path, key, body, answer, seq });
    }

    /// Few are forgotten, and it is not done under a key.
    async fn erase(&mut self, merchant: usize, member: u32) -> Outcome {
        if self.rng.u32(0..20) > 0 {
            return Ok(());
        }
        let path = format!("/v1/members/{}", name(member));
        // From now on, answers of before may be gone.
        lock_of(&self.members, merchant, member).erased = true;
        let merchant_name = MERCHANTS.get(merchant).copied().unwrap_or_default();
        let answer =
            self.worker.insist(merchant_name, Method::DELETE, &path, None, &json!({})).await?;
        if answer.status == 201 && !answer.replayed {
            *lock(&self.report).done.entry("erase".to_owned()).or_default() += 1;
        }
        Ok(())
    }

    fn reward(&mut self) -> Value {
        match self.rng.u32(0..4) {
            0 => json!({ "reward": "ten" }),
            1 => json!({ "reward": "scarce" }),
            _ => json!({ "reward": "some", "units": self.rng.i64(5..61) }),
        }
    }

    async fn send(&self, merchant: usize, path: &str, key: &str, body: &Value) -> Outcome<Answer> {
        let merchant = MERCHANTS.get(merchant).copied().unwrap_or_default();
        self.worker.insist(merchant, Method::POST, path, Some(key), body).await
    }

    fn some_asked(&mut self, merchant: usize, member: u32) -> Option<Asked> {
        let known = lock_of(&self.members, merchant, member);
        let place = self.rng.usize(0..known.asked.len().max(1));
        known.asked.get(place).cloned()
    }

    fn some_key(&mut self, merchant: usize, member: u32, verb: &str) -> Option<String> {
        let known = lock_of(&self.members, merchant, member);
        let own: Vec<&Asked> = known.asked.iter().filter(|asked| asked.verb == verb).collect();
        // Mostly of late.
        let skip = own.len().saturating_sub(8);
        let place = skip + self.rng.usize(0..(own.len() - skip).max(1));
        own.get(place).map(|asked| asked.key.clone())
    }

    fn some_hold(&mut self, merchant: usize, member: u32) -> Option<(String, i64)> {
        let mut known = lock_of(&self.members, merchant, member);
        let last = known.holds.len().checked_sub(1)?;
        // Some are left to lapse, and some are tried twice.
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

/// Faults that are kept: whoever has more does not read them all.
const FAULTS_MAX: usize = 50;

fn lock_of(members: &Members, merchant: usize, member: u32) -> std::sync::MutexGuard<'_, Known> {
    static NOBODY: Mutex<Known> =
        Mutex::new(Known { asked: Vec::new(), holds: Vec::new(), erased: false });
    lock(members.get(&(merchant, member)).unwrap_or(&NOBODY))
}

/// What must hold afterwards: the audit; that what clients were told is what is there, and nothing
/// else; and the model's balances.
async fn check(world: &World, members: &Members, report: &mut Report) -> Outcome {
    for (number, merchant) in MERCHANTS.iter().enumerate() {
        let audited = world.audit(merchant).await?;
        report.members += audited.members;
        report.entries += audited.entries;
        let faults = audited.faults.iter().map(ToString::to_string);
        report.faults.extend(faults.take(FAULTS_MAX));
        for (name, wallet) in &audited.wallets {
            if wallet.sum() != wallet.closing || wallet.transferred != 0 {
                report.faults.push(format!("{merchant}: {name} does not reconcile: {wallet:?}"));
            }
        }
        let id = MerchantId::parse(merchant)?;
        let mut faults = Vec::new();
        let mut modelled = 0;
        let see = |history: History| {
            let member = history.at.member.as_str();
            let Some(member) = member.strip_prefix('m').and_then(|number| number.parse().ok())
            else {
                return;
            };
            let known = lock_of(members, number, member);
            let mut wrong = |text: String| faults.push(format!("{}: {text}", history.at));
            told_and_there(&history, &known, &mut wrong);
            if history.member().erased_at.is_none() {
                modelled += follow(&history, &known, merchant, &mut wrong);
            }
        };
        world.database.store().each(&id, see).await?;
        report.modelled += modelled;
        report.faults.extend(faults.into_iter().take(FAULTS_MAX));
    }
    Ok(())
}

/// Everything that a client was told was done is there, once; and nothing is there that nobody asked
/// for.
fn told_and_there(history: &History, known: &Known, wrong: &mut impl FnMut(String)) {
    let mut told: BTreeMap<u64, &Asked> = BTreeMap::new();
    for asked in &known.asked {
        if let Some(other) = told.insert(asked.seq, asked) {
            wrong(format!("{} and {} were told to be entry {}", asked.key, other.key, asked.seq));
        }
    }
    for line in &history.lines {
        let Some(version) = &line.version else {
            told.remove(&line.seq);
            continue;
        };
        match told.remove(&line.seq) {
            Some(asked) if digest(version.answer.get()) != asked.answer => {
                wrong(format!("{} was told another answer than is kept", asked.key));
            }
            None if line.asked && !matches!(version.entry.what, What::Erase) => {
                wrong(format!("entry {} was done, and nobody was told", line.seq));
            }
            _ => {}
        }
    }
    for (seq, asked) in told {
        wrong(format!("{} was told to be entry {seq}, which is not there", asked.key));
    }
}

/// What a client's request came to, for those that undo it.
enum Came {
    /// Units that were earned, what is left of the total, and what is held of it.
    Earned {
        span: Span,
        left: i64,
    },
    Spent(Vec<Span>),
}

/// Follows a member's points by the model, and says how many balances were compared.
fn follow(history: &History, known: &Known, merchant: &str, wrong: &mut impl FnMut(String)) -> u64 {
    let told: BTreeMap<u64, &Asked> = known.asked.iter().map(|asked| (asked.seq, asked)).collect();
    let mut points = Points::default();
    let mut came: HashMap<(&str, String), Came> = HashMap::new();
    let mut held: HashMap<String, i64> = HashMap::new();
    let mut compared = 0;
    for line in &history.lines {
        let Some(version) = &line.version else { return compared };
        let now = line.at.timestamp();
        let entry = &version.entry;
        match (&entry.what, told.get(&line.seq)) {
            (What::Earn { activity }, Some(asked)) => {
                let cents = cents(&asked.body["order"]["total"]);
                let at = activity.at.timestamp();
                let from = if merchant == "south" { at + 3 * 86_400 } else { 0 };
                let span = Span { units: cents / 100, from, until: until(at, merchant) };
                points.credit(span, now);
                came.insert(("earn", asked.key.clone()), Came::Earned { span, left: cents });
            }
            (What::Redeem { .. }, Some(asked)) => match points.take(price(&asked.body), now) {
                Some(spans) => {
                    came.insert(("redeem", asked.key.clone()), Came::Spent(spans));
                }
                None => wrong(format!("entry {} spends what is not there", line.seq)),
            },
            (What::Hold { hold, until, .. }, Some(asked)) => {
                let units = price(&asked.body);
                held.insert(hold.clone(), units);
                if points.hold(units, hold, until.timestamp(), now).is_none() {
                    wrong(format!("entry {} holds what is not there", line.seq));
                }
                if until.timestamp() != now + 120 * 60 {
                    wrong(format!("entry {} is held for another time", line.seq));
                }
            }
            (What::Capture { hold, .. }, Some(asked)) => {
                let units = held.get(hold).copied().unwrap_or_default();
                match points.capture(units, hold, now) {
                    Some(spans) => {
                        came.insert(("capture", asked.key.clone()), Came::Spent(spans));
                    }
                    None => wrong(format!("entry {} captures what is not held", line.seq)),
                }
            }
            (What::Release { hold }, Some(_)) => {
                let released = points.release(hold, now).is_some();
                check(released, "releases what is not held");
            }
            (What::Reverse { .. }, Some(asked)) => {
                let undone = undo(&mut points, &mut came, asked, now);
                check(undone, "undoes what was not done");
            }
            (What::Adjust { .. }, Some(asked)) => {
                let units = asked.body["units"].as_i64().unwrap_or_default();
                if units > 0 {
                    points.credit(Span { units, from: 0, until: until(now, merchant) }, now);
                } else if points.take(-units, now).is_none() {
                    wrong(format!("entry {} takes what is not there", line.seq));
                }
            }
            (What::Transfer { .. }, Some(asked)) => {
                let units = asked.body["units"].as_i64().unwrap_or_default();
                if points.take(units, now).is_none() {
                    wrong(format!("entry {} gives what is not there", line.seq));
                }
            }
            // What came from another member keeps the ends that it had there.
            (What::Transfer { .. }, None) => had(&mut points, line, now),
            (What::Expire, None) => points.expire(now),
            _ => {}
        }
        let told = entry.balances.get("points").map_or(0, |units| units.get());
        let expected = points.spendable(now);
        compared += 1;
        if told != expected {
            let kind = entry.what.kind();
            wrong(format!("entry {} ({kind}) says {told} points, the model {expected}", line.seq));
            return compared;
        }
    }
    let posted = history.member().wallet("points").posted();
    if posted != points.posted() {
        wrong(format!("it holds {posted} points, by the model {}", points.posted()));
    }
    compared
}

fn undo(
    points: &mut Points,
    came: &mut HashMap<(&str, String), Came>,
    asked: &Asked,
    now: i64,
) -> bool {
    for verb in ["earn", "redeem", "capture"] {
        let Some(key) = asked.body[verb].as_str() else { continue };
        let whole = asked.body["refund"].is_null();
        let name = (verb, key.to_owned());
        return match came.get_mut(&name) {
            Some(Came::Earned { span, left }) => {
                *left = if whole { 0 } else { *left - cents(&asked.body["refund"]) };
                let units = *left / 100;
                points.take_back(Span { units: span.units - units, ..*span }, now);
                span.units = units;
                let valid = *left >= 0;
                if *left == 0 {
                    came.remove(&name);
                }
                valid
            }
            Some(Came::Spent(spans)) => {
                let spans = spans.clone();
                points.give_back(&spans, now);
                came.remove(&name).is_some()
            }
            None => false,
        };
    }
    false
}

/// Units that came from another member.
fn had(points: &mut Points, line: &VersionLine, now: i64) {
    // What paid a debt has no end of its own any more.
    let mut paid = 0;
    for posting in line.postings.iter().filter(|posting| posting.wallet.as_str() == "points") {
        if posting.debt {
            paid += posting.change;
        }
    }
    if paid > 0 {
        points.credit(Span { units: paid, from: 0, until: i64::MAX }, now);
    }
    for posting in line.postings.iter().filter(|posting| !posting.debt && posting.change > 0) {
        let until = posting.terms.expires_at.map_or(i64::MAX, |at| at.timestamp());
        points.credit(Span { units: posting.change, from: 0, until }, now);
    }
}

/// Twenty days on the wall after a moment.
fn until(at: i64, merchant: &str) -> i64 {
    let zone = match merchant {
        "north" => chrono_tz::Europe::Berlin,
        _ => chrono_tz::America::Santiago,
    };
    let Some(at) = chrono::DateTime::from_timestamp(at, 0) else { return i64::MAX };
    let local: NaiveDateTime = at.with_timezone(&zone).naive_local() + TimeDelta::days(20);
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::None => {
            // The hour that clocks skip: by the clock of the day before.
            let before = zone.from_utc_datetime(&(local - TimeDelta::days(1)));
            let offset = before.naive_local() - before.naive_utc();
            (local - offset).and_utc().timestamp()
        }
        found => found.earliest().map_or(i64::MAX, |at| at.timestamp()),
    }
}

fn price(body: &Value) -> i64 {
    match body["reward"].as_str() {
        Some("ten") => 10,
        Some("scarce") => 20,
        _ => body["units"].as_i64().unwrap_or_default(),
    }
}

fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_default();
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    whole.parse::<i64>().unwrap_or_default() * 100 + part.parse::<i64>().unwrap_or_default()
}
