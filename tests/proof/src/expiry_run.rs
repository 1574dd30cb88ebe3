//! An expiry run in which all members are due, up to a million: it is killed again and again and
//! resumed, and every lot expires once. Its cost grows with the number of members that are due, and
//! not with the number of all members.

use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, PutRequest, TransactWriteItem, Update, WriteRequest,
};
use axum::http::Method;
use chrono::TimeDelta;
use fastrand::Rng;
use futures::{StreamExt, TryStreamExt};
use ledger::enroll::{self, Enrolment};
use ledger::{Activity, DecisionData, MemberId, MerchantId, Moment};
use local::{Database, TABLE};
use rules::{Bundle, Sources};
use serde_json::{Value, json};
use store::planted::items;
use store::{MemberKey, Store};

use crate::ProofResult;
use crate::fault_proxy::{FaultProxy, FaultRates};
use crate::process::Process;
use crate::world::{client, patient};

/// The size of this part of the proof.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Members, all of them due.
    pub members: u64,
    /// The number of times that the run is killed.
    pub kills: u64,
    /// Members of the runs whose costs and speeds are compared.
    pub compared: u64,
}

/// The result of this part of the proof.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Members that were due.
    pub members: u64,
    /// The number of times that the run was killed.
    pub kills: u64,
    /// Entries of expiry.
    pub expired: u64,
    /// Members that a later run read again.
    pub again: u64,
    /// Requests to the database in all.
    pub requests: u64,
    /// The time that all runs took, in milliseconds.
    pub millis: u64,
    /// The peak of a run's memory, in KiB.
    pub memory: u64,
    /// The speeds of a run that is not killed, and of a client that only writes the same items, in
    /// thousandths of a member per second.
    pub speed: (u64, u64),
    /// The costs of runs, by the numbers of members due and of all members.
    pub costs: Vec<Cost>,
    /// The faults found; empty if all is well.
    pub faults: Vec<String>,
}

/// The cost of an expiry run.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Members that were due.
    pub due: u64,
    /// Members in all.
    pub all: u64,
    /// Requests to the database.
    pub requests: u64,
    /// Items that queries and scans of the database examined.
    pub looked_at: u64,
}

const MERCHANT: &str = "expiry";
/// Units of each lot.
const UNITS: i64 = 10;
/// Concurrent writes, as many as an expiry run has.
const SIDE_BY_SIDE: usize = 16;
/// Items that one request writes.
const ITEMS_AT_ONCE: usize = 25;

/// Compares costs and speeds of expiry runs, then writes all members and kills runs over them.
///
/// # Errors
/// The proof cannot go on. What is wrong is in the report.
pub async fn run(
    seed: u64,
    program: &Path,
    size: Size,
    progress: impl FnMut(&'static str, u64, u64),
) -> ProofResult<Report> {
    let report = Report { members: size.members, ..Report::default() };
    let mut comparison = Comparison { seed, program, size, progress, report };
    comparison.costs().await?;
    comparison.speed().await?;
    comparison.killed().await?;
    Ok(comparison.report)
}

/// Expiry runs that are compared, and what has been found.
struct Comparison<'a, P> {
    seed: u64,
    /// The program that each run starts as a process.
    program: &'a Path,
    size: Size,
    progress: P,
    report: Report,
}

impl<P: FnMut(&'static str, u64, u64)> Comparison<'_, P> {
    /// Compares the costs of runs: members that are not due cost nothing.
    async fn costs(&mut self) -> ProofResult {
        for (due, others) in [(1, 0), (1, 1), (1, 3), (2, 2), (4, 0)] {
            let (due, others) = (due * self.size.compared / 4, others * self.size.compared / 4);
            (self.progress)("comparing costs", due, self.size.compared);
            let field = Field::new(self.seed).await?;
            field.lay(0..due, true, |_| ()).await?;
            field.lay(due..due + others, false, |_| ()).await?;
            let before = field.proxy.looked_at();
            let mut process = field.process(self.program)?;
            field.expire_all(&process).await?;
            process.kill()?;
            let (requests, looked_at) = (field.requests(), field.proxy.looked_at() - before);
            self.report.costs.push(Cost { due, all: due + others, requests, looked_at });
        }
        for of in [|cost: &Cost| cost.requests, |cost: &Cost| cost.looked_at] {
            let cost = |place: usize| self.report.costs.get(place).map_or(0, of);
            // Every shard is queried anyway, and every full page is followed by another query. All
            // other requests are for members that are due.
            let page = |due: u64| 2 * u64::from(store::SHARDS) + due / 100;
            if cost(0).abs_diff(cost(1)) > page(0) || cost(0).abs_diff(cost(2)) > page(0) {
                self.report
                    .faults
                    .push(format!("what there is costs something: {:?}", self.report.costs));
            }
            if cost(4) > 4 * cost(0) + page(self.size.compared) {
                self.report.faults.push(format!(
                    "what is due costs more the more it is: {:?}",
                    self.report.costs
                ));
            }
        }
        Ok(())
    }

    /// Compares the speed of a run with that of a client that only writes.
    async fn speed(&mut self) -> ProofResult {
        let field = Field::new(self.seed).await?;
        (self.progress)("comparing speeds", 0, 1);
        field.lay(0..self.size.compared, true, |_| ()).await?;
        let mut process = field.process(self.program)?;
        let began = Instant::now();
        field.expire_all(&process).await?;
        let took = began.elapsed();
        process.kill()?;
        let bare = field.bare(self.size.compared).await?;
        let speed = |took: Duration| {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
            self.size.compared * 1_000_000 / millis
        };
        self.report.speed = (speed(took), speed(bare));
        Ok(())
    }

    /// Runs over all members, each of them killed, until the last one is allowed to finish.
    async fn killed(&mut self) -> ProofResult {
        let field = Field::new(self.seed).await?;
        let members = self.size.members;
        field
            .lay(0..self.size.members, true, |laid| (self.progress)("laying down", laid, members))
            .await?;
        let mut rng = Rng::with_seed(self.seed);
        let mut ends: Vec<u64> =
            (0..self.size.kills).map(|_| rng.u64(1..self.size.members)).collect();
        ends.sort_unstable();
        let began = Instant::now();
        for end in ends {
            let mut process = field.process(self.program)?;
            let run = field.ask(&process);
            let run = tokio::spawn(run);
            // The run may have finished before this checks how far it is.
            while field.written() < end && !run.is_finished() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            (self.progress)("an expiry run, killed", field.written(), self.size.members);
            self.report.memory = self.report.memory.max(process.memory()?);
            process.kill()?;
            // A run that had answered was not killed in the middle of its work.
            match run.await? {
                Ok((status, text)) => {
                    self.report.faults.push(format!("{status} before the kill: {text}"));
                }
                Err(_) => self.report.kills += 1,
            }
            field.proxy.quiet().await;
        }
        let process = field.process(self.program)?;
        let run = tokio::spawn(field.ask(&process));
        while !run.is_finished() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            (self.progress)("the rest of the run", field.written(), self.size.members);
        }
        let (status, text) = run.await??;
        if status != 200 || text.contains("error") {
            self.report.faults.push(text);
        }
        self.report.memory = self.report.memory.max(process.memory()?);
        self.report.millis = u64::try_from(began.elapsed().as_millis())?;
        self.report.requests = field.requests();
        let looked = field.proxy.requests().get("Query").copied().unwrap_or_default();
        self.report.again = looked.saturating_sub(self.size.members);
        (self.progress)("auditing", 0, 1);
        field.check(&mut self.report).await?;
        Ok(())
    }
}

/// A database with members, and the fault proxy in front of it.
struct Field {
    database: Database,
    proxy: FaultProxy,
    client: Client,
    merchant: MerchantId,
    bundle: Bundle,
    /// The moment at which members got their lots, and the moment of the expiry run.
    given: Moment,
    expires_at: Moment,
}

impl Field {
    async fn new(seed: u64) -> ProofResult<Field> {
        let database = Database::open(None, 0).await?;
        let merchant = MerchantId::parse(MERCHANT)?;
        let manifest = "name = \"Night\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
            [wallets.points]\nworth = \"0.01\"\nexpires = { days = 30 }\n";
        let rules = "earn \"all\" on purchase { order.total }";
        let sources = Sources::of([("merchant.toml", manifest), ("rules.rhai", rules)]);
        api::publish(database.store(), &merchant, &sources, api::Forgetting::Allowed).await?;
        let bundle = decide::proven(&merchant, &sources)?;
        let proxy = FaultProxy::to(database.address(), seed, FaultRates::calm(), None).await?;
        let client = patient(proxy.reached_at()?).await;
        let given: Moment = "2026-03-01T08:00:00Z".parse()?;
        let expires_at = given + TimeDelta::days(31);
        Ok(Field { database, proxy, client, merchant, bundle, given, expires_at })
    }

    fn key(&self, number: u64) -> ProofResult<MemberKey> {
        let member = MemberId::parse(&format!("m{number}"))?;
        Ok(MemberKey { merchant: self.merchant.clone(), member })
    }

    /// Writes members with one lot each, which expires before the run if `due`, or else long after
    /// it.
    async fn lay(
        &self,
        numbers: std::ops::Range<u64>,
        due: bool,
        mut progress: impl FnMut(u64),
    ) -> ProofResult {
        let at = if due { self.given } else { self.given + TimeDelta::days(15) };
        let requests = numbers.collect::<Vec<u64>>();
        let requests = requests.chunks(ITEMS_AT_ONCE / 2).map(|numbers| {
            let mut puts = Vec::new();
            for number in numbers {
                for item in self.items(*number, at)? {
                    let put = PutRequest::builder().set_item(Some(item)).build()?;
                    puts.push(WriteRequest::builder().put_request(put).build());
                }
            }
            ProofResult::Ok(self.client.batch_write_item().request_items(TABLE, puts))
        });
        let mut laid = 0;
        let sent = futures::stream::iter(requests).map(async |request| {
            let sent = request?.send().await?;
            let left = sent.unprocessed_items.unwrap_or_default();
            if left.is_empty() {
                ProofResult::Ok(())
            } else {
                Err("not all items were laid down".into())
            }
        });
        let mut sent = sent.buffer_unordered(SIDE_BY_SIDE);
        while let Some(sent) = sent.next().await {
            sent?;
            laid += (ITEMS_AT_ONCE / 2) as u64;
            progress(laid);
        }
        // These requests are not the run's.
        self.proxy.forget();
        Ok(())
    }

    fn items(
        &self,
        number: u64,
        at: Moment,
    ) -> ProofResult<[std::collections::HashMap<String, AttributeValue>; 2]> {
        let key = self.key(number)?;
        let enrolment = Enrolment {
            id: key.member.clone(),
            attributes: Default::default(),
            tags: Default::default(),
            referred_by: None,
        };
        let member = enroll::decide(enrolment.clone(), at);
        let order = ledger::Order { total: UNITS.into(), ..ledger::Order::default() };
        let activity = Activity {
            id: "first".to_owned(),
            kind: "purchase".to_owned(),
            at,
            of: None,
            order: Some(order),
            channel: None,
            payment: None,
            fields: Default::default(),
        };
        let decision = {
            let data = DecisionData::default();
            let context = decide::Context::new(&self.bundle, &data, at);
            decide::earn(&context, &member, activity)
        };
        let decision = decision.map_err(|refused| refused.to_string())?;
        Ok(items(&key, enrolment, decision, &self.bundle.hash().to_string())?)
    }

    fn process(&self, program: &Path) -> ProofResult<Process> {
        Process::start(program, self.proxy.reached_at()?, self.expires_at)
    }

    fn ask(
        &self,
        process: &Process,
    ) -> impl Future<Output = ProofResult<crate::process::Answered>> + Send + use<> {
        let body = json!({ "now": self.expires_at.to_rfc3339() });
        process.request(MERCHANT, &Method::POST, "/expire-now", "none", &body)
    }

    async fn expire_all(&self, process: &Process) -> ProofResult {
        let (status, text) = self.ask(process).await?;
        let answer: Value = serde_json::from_str(&text)?;
        if status == 200 && answer["error"].is_null() { Ok(()) } else { Err(text.into()) }
    }

    fn requests(&self) -> u64 {
        self.proxy.requests().values().sum()
    }

    /// The members whose expiry has been written.
    fn written(&self) -> u64 {
        self.proxy.requests().get("TransactWriteItems").copied().unwrap_or_default()
    }

    /// Writes to another table the items that the run wrote, and does nothing else. Returns the
    /// time that the writes took.
    async fn bare(&self, members: u64) -> ProofResult<Duration> {
        const BARE: &str = "bare";
        let store = Store::new(client(self.proxy.reached_at()?).await, BARE);
        store.create_table().await?;
        let mut writes = Vec::new();
        for number in 0..members {
            let pk = AttributeValue::S(format!("m#{MERCHANT}#m{number}"));
            let get = self.client.get_item().table_name(TABLE).key("pk", pk.clone());
            let written =
                get.key("sk", AttributeValue::S("v#0000000002".to_owned())).send().await?;
            let item = written.item.ok_or("the run wrote nothing")?;
            let put = Put::builder()
                .table_name(BARE)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build()?;
            let update = Update::builder()
                .table_name(BARE)
                .key("pk", pk)
                .key("sk", AttributeValue::S("~".to_owned()))
                .update_expression("REMOVE due, due_at")
                .build()?;
            writes.push(
                self.client
                    .transact_write_items()
                    .transact_items(TransactWriteItem::builder().put(put).build())
                    .transact_items(TransactWriteItem::builder().update(update).build()),
            );
        }
        let began = Instant::now();
        futures::stream::iter(writes)
            .map(async |write| write.send().await)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_for_each(async |_| Ok(()))
            .await?;
        Ok(began.elapsed())
    }

    /// Checks that every lot expired once.
    async fn check(&self, report: &mut Report) -> ProofResult {
        let period = audit::Period::default();
        let store = Store::new(patient(self.database.address()).await, TABLE);
        let audited = audit::audit(&store, &self.merchant, period).await?;
        report.expired = audited.entries - audited.members;
        report.faults.extend(audited.wrong().take(10));
        let wallet = audited.wallets.values().next().map(|owed| owed.units).unwrap_or_default();
        let units = UNITS * i64::try_from(report.members)?;
        if audited.members != report.members || report.expired != report.members {
            report
                .faults
                .push(format!("{} members, {} entries of expiry", audited.members, report.expired));
        }
        if (wallet.issued, wallet.expired, wallet.closing) != (units, -units, 0) {
            report.faults.push(format!("the wallet comes to {wallet:?}"));
        }
        // Members that were under way when a run was killed may be read again, or one in 100 if
        // that is more.
        let under_way = report.kills * SIDE_BY_SIDE as u64;
        if report.again > under_way.max(report.members / 100) {
            report.faults.push(format!("{} were looked at again", report.again));
        }
        Ok(())
    }
}
