//! A database behind a fault proxy, and workers that call the API through it, each with a clock of
//! its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use api::{Api, Clock, Identity};
use aws_config::ConfigLoader;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use chrono::{DateTime, TimeDelta};
use ledger::{Member, MemberId, MerchantId, Moment};
use local::{Database, app};
use rules::{Bundle, Sources};
use serde_json::Value;
use store::{Bug, History, Store};
use tower::ServiceExt;

use crate::ProofResult;
use crate::fault_proxy::{FaultProxy, FaultRates, Tamper};

/// The merchants. Their time zones change to and from summer time on different days.
pub const MERCHANTS: [&str; 2] = ["north", "south"];

/// The codes in each merchant's pool.
const CODES: u32 = 200;
/// The contest of both merchants.
pub const CONTEST: &str = "Visits";

/// A database, and the fault proxy in front of it.
pub struct World {
    /// The table, reached without the fault proxy, for audits.
    pub store: Store,
    /// The fault proxy.
    pub proxy: FaultProxy,
    /// The database behind the fault proxy, if other processes reach it; it runs until it is
    /// dropped.
    _served: Option<Database>,
    /// The bug in every decision of the workers, if one is planted.
    bug: Option<Bug>,
    /// The calls of the API so far, and those of them answered with 503.
    calls: Arc<Calls>,
    /// The true time, in seconds since 1970.
    now: AtomicI64,
    /// The pieces of the scarce reward at the beginning.
    scarce: i64,
}

/// The bugs planted in a world; none by default.
#[derive(Clone, Default)]
pub struct Planted {
    /// The bug in the fault proxy.
    pub tamper: Option<Tamper>,
    /// The bug between a decision and its write.
    pub bug: Option<Bug>,
}

/// Counts of the calls of the API.
#[derive(Debug, Default)]
struct Calls {
    all: AtomicU64,
    busy: AtomicU64,
}

/// An answer of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, as text.
    pub text: String,
    /// Whether it is marked as the answer to a repeat.
    pub replayed: bool,
    /// The header `Retry-After`, in seconds.
    pub retry_after: Option<String>,
}

impl Answer {
    /// The body, parsed as JSON; null if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// The rules of a merchant, with `scarce` pieces of the scarce reward. Both merchants have the same
/// rules, except that points of south are pending for three days.
fn sources(merchant: &str, scarce: i64) -> Sources {
    let (zone, points) = match merchant {
        "north" => ("Europe/Berlin", "expires = { days = 20 }"),
        _ => ("America/Santiago", "expires = { days = 20 }\npending_days = 3"),
    };
    let manifest = format!(
        "name = \"{merchant}\"\ncurrency = \"EUR\"\ntime_zone = \"{zone}\"\nhold_minutes = 120\n\
         [wallets.points]\nworth = \"0.01\"\ntransferable = true\n{points}\n\
         [wallets.miles]\nshared = true\ncarry = true\nexpires = {{ inactive_days = 40 }}\n\
         [wallets.status]\nspendable = false\nexpires = {{ months = 2, end_of = \"month\" }}\n\
         [tiers]\ngrace_days = 5\n[activities.birthday]\nyearly = \"birthday\"\n\
         [activities.referral]\n[pools.CODES]\n[reminders]\nexpiry_days = 3\ntask_left = 1\n"
    );
    let rules = format!(
        r#"
earn "Points" on purchase {{ order.total }}
earn "Miles" on purchase into miles {{ order.total / 3 }}
earn "Status" on purchase into status {{ order.total }}
earn "Gold" on purchase into miles when member.tier == "Gold" {{ 1 }}
earn "Once a week" on purchase into miles at most 1 per week {{ 7 }}
earn "Birthday" on birthday into miles {{ 50 }}
earn "A friend has come" on referral into miles {{ 20 }}
earn "Brought by a friend" on purchase into miles when member.referred at most 1 ever {{ refer(); 5 }}
contest "Visits" on purchase at most 1 per week {{ 1 }}
task "Ten" on purchase goal 10 {{ award(25, "miles"); }}
task "Days" on purchase streak 3 days {{ award(5, "miles"); }}
tier "Base" {{ true }}
tier "Gold" {{ wallet("status") >= 300 }}
reward "ten" costs 10 {{ product("Ten") }}
reward "some" costs 5 to 60 {{ discount(units * 0.01) }}
reward "code" costs 7 {{ voucher("CODES") }}
reward "scarce" costs 20 stock {scarce} at most 3 per month {{ product("Scarce") }}
"#
    );
    Sources::of([("merchant.toml", manifest.as_str()), ("rules.rhai", rules.as_str())])
}

/// A client with short timeouts, which gives up before a delayed answer arrives.
pub async fn client(address: SocketAddr) -> Client {
    hasty(local::config(&format!("http://{address}"))).await
}

async fn hasty(config: ConfigLoader) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(500))
        .operation_attempt_timeout(Duration::from_millis(250))
        .operation_timeout(Duration::from_secs(2))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(1))
        .with_max_backoff(Duration::from_millis(4))
        .with_reconnect_mode(
            aws_sdk_dynamodb::config::retry::ReconnectMode::ReconnectOnTransientError,
        );
    let config = config.timeout_config(timeouts).retry_config(retries).load().await;
    // The SDK stops retrying if most requests of a partition fail, as they do here. So each client
    // has a partition of its own.
    let config = aws_sdk_dynamodb::config::Builder::from(&config)
        .retry_partition(aws_sdk_dynamodb::config::retry::RetryPartition::new(format!(
            "{:x}",
            fastrand::u64(..)
        )))
        .build();
    Client::from_conf(config)
}

/// A client with long timeouts, for writing or reading a million members.
pub async fn patient(address: SocketAddr) -> Client {
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_mins(5)).build();
    let config = local::config(&format!("http://{address}")).timeout_config(timeouts);
    Client::new(&config.load().await)
}

impl World {
    /// Creates a world on 2 January 2026, in which both merchants have published their rules, with
    /// `scarce` pieces of the scarce reward.
    ///
    /// # Errors
    /// The database or the fault proxy cannot be started.
    pub async fn new(
        seed: u64,
        rates: FaultRates,
        planted: Planted,
        scarce: i64,
    ) -> ProofResult<World> {
        // Random waits between retries follow the seed.
        fastrand::seed(seed);
        let database = dynoxide::Database::memory()?;
        let past = FaultProxy::within(database.clone(), seed, FaultRates::calm(), None);
        let config = local::config("http://within").http_client(past.client());
        let store = Store::new(Client::new(&config.load().await), local::TABLE);
        store.create_table().await?;
        let proxy = FaultProxy::within(database, seed, rates, planted.tamper);
        World::of(store, proxy, None, planted.bug, scarce).await
    }

    /// Like [`World::new`] without faults and bugs, behind a socket that other processes reach.
    ///
    /// # Errors
    /// The database or the fault proxy cannot be started.
    pub async fn served(seed: u64, scarce: i64) -> ProofResult<World> {
        let database = Database::open(None, 0).await?;
        let proxy = FaultProxy::to(database.address(), seed, FaultRates::calm(), None).await?;
        World::of(database.store().clone(), proxy, Some(database), None, scarce).await
    }

    async fn of(
        store: Store,
        proxy: FaultProxy,
        served: Option<Database>,
        bug: Option<Bug>,
        scarce: i64,
    ) -> ProofResult<World> {
        for merchant in MERCHANTS {
            let merchant_id = MerchantId::parse(merchant)?;
            api::publish(
                &store,
                &merchant_id,
                &sources(merchant, scarce),
                api::Forgetting::Allowed,
            )
            .await?;
            let codes: Vec<String> = (0..CODES).map(|code| format!("C{code}")).collect();
            store.import_codes(&merchant_id, "CODES", &codes).await?;
        }
        let start: Moment = "2026-01-02T08:00:00Z".parse()?;
        let now = AtomicI64::new(start.timestamp());
        Ok(World { store, proxy, _served: served, bug, calls: Arc::default(), now, scarce })
    }

    /// The rules of a merchant.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn rules(&self, merchant: &str) -> ProofResult<Bundle> {
        let sources = sources(merchant, self.scarce);
        Ok(Bundle::load(&MerchantId::parse(merchant)?, &sources)?)
    }

    /// All members of a merchant as they are now.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn present(&self, merchant: &MerchantId) -> ProofResult<BTreeMap<MemberId, Member>> {
        let mut members = BTreeMap::new();
        let see = |history: History| {
            members.insert(history.key.member.clone(), history.member().clone());
        };
        self.store.each(merchant, see).await?;
        Ok(members)
    }

    /// The calls of the API so far, and those of them answered with 503.
    #[must_use]
    pub fn calls(&self) -> (u64, u64) {
        (self.calls.all.load(Ordering::Relaxed), self.calls.busy.load(Ordering::Relaxed))
    }

    /// The true time.
    #[must_use]
    pub fn now(&self) -> Moment {
        DateTime::from_timestamp(self.now.load(Ordering::Relaxed), 0).unwrap_or_default()
    }

    /// Sets the true time.
    pub fn at(&self, now: Moment) {
        self.now.store(now.timestamp(), Ordering::Relaxed);
    }

    /// Moves the true time on.
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Creates a worker whose clock is this many seconds ahead, or behind if negative.
    pub async fn worker(&self, skew: i64) -> Worker {
        let client = match self.proxy.address() {
            Some(address) => client(address).await,
            None => hasty(local::config("http://within").http_client(self.proxy.client())).await,
        };
        let store = Store::new(client, local::TABLE);
        let store = store.with_bug(self.bug.clone());
        let clock = Clock::standing(self.now());
        let api = Api::new(store, clock.clone(), Identity::Development);
        let calls = Arc::clone(&self.calls);
        Worker { app: app(&api), api, clock, calls, skew: TimeDelta::seconds(skew) }
    }

    /// Audits a merchant's table, without the fault proxy.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn audit(&self, merchant: &str) -> ProofResult<audit::Audited> {
        let merchant = MerchantId::parse(merchant)?;
        let period = audit::Period::default();
        Ok(audit::audit(&self.store, &merchant, period).await?)
    }
}

/// A worker: one instance of all functions, whose API it calls.
#[derive(Clone)]
pub struct Worker {
    app: Router,
    /// The state of its functions.
    pub api: Api,
    clock: Clock,
    calls: Arc<Calls>,
    skew: TimeDelta,
}

impl Worker {
    /// Sets its clock to the true time plus its skew.
    pub fn look_up(&self, world: &World) {
        self.clock.set(world.now() + self.skew);
    }

    /// The time that its clock shows.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Calls the API once.
    ///
    /// # Errors
    /// The request cannot be built.
    pub async fn call(
        &self,
        merchant: &str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> ProofResult<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer local:{merchant}"))
            .header("idempotency-key", key.unwrap_or("none"))
            .body(Body::from(body.to_string()))?;
        let answer = self.app.clone().oneshot(request).await?;
        let (parts, body) = answer.into_parts();
        let header = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
        let replayed = header("idempotency-replayed").is_some();
        let retry_after = header("retry-after");
        let status = parts.status.as_u16();
        self.calls.all.fetch_add(1, Ordering::Relaxed);
        self.calls.busy.fetch_add(u64::from(status == 503), Ordering::Relaxed);
        let body = axum::body::to_bytes(body, usize::MAX).await?;
        let text = String::from_utf8(body.to_vec())?;
        Ok(Answer { status, text, replayed, retry_after })
    }

    /// Calls the API until the answer is not a 503.
    ///
    /// # Errors
    /// The answer stays a 503, or a 503 has no `Retry-After`.
    pub async fn insist(
        &self,
        merchant: &str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> ProofResult<Answer> {
        for _ in 0..INSISTS_MAX {
            let answer = self.call(merchant, method.clone(), path, key, body).await?;
            if answer.status != 503 {
                return Ok(answer);
            }
            if answer.retry_after.is_none() {
                return Err(format!("{path} is busy, and does not say when to come again").into());
            }
        }
        Err(format!("{path} stays busy").into())
    }
}

/// The most calls for one request that is answered with 503.
const INSISTS_MAX: u32 = 200;
