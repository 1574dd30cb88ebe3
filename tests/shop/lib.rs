//! A shop for tests: the local server over an embedded DynamoDB of its own, with a clock that
//! stands until it is set, and a till that calls it over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so")]

/// What must always hold of a table.
pub mod audit;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api::{Api, Clock, Identity};
use ledger::{MerchantId, Moment};
use local::{Database, app};
use reqwest::{Client, Method, StatusCode};
use rules::Sources;
use serde_json::Value;
use store::Store;
use tokio::net::TcpListener;

/// The folder of the merchants' rules.
#[must_use]
pub fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

/// A time, written as in RFC 3339.
#[must_use]
pub fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

/// How often the till comes again where it is told to: a laptop with other things to do is slow, and
/// that is no fault of what is tested.
const BUSY_MAX: u32 = 20;

/// The variable that names another implementation of DynamoDB for the stories to run against.
pub const ANOTHER_VARIABLE: &str = "REGULARS_TEST_DYNAMODB";

/// A database of its own: the embedded one, or a table of its own in the one that
/// `REGULARS_TEST_DYNAMODB` names by its address.
///
/// # Panics
/// It cannot be had.
pub async fn database() -> Database {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    match std::env::var(ANOTHER_VARIABLE) {
        Err(_) => Database::open(None, 0).await.unwrap(),
        Ok(address) => {
            let table = TABLES.fetch_add(1, Ordering::Relaxed);
            let table = format!("regulars-{}-{table}", std::process::id());
            Database::at(address.parse().unwrap(), &table).await.unwrap()
        }
    }
}

/// Whether capacity units are those that its authors captured from AWS. Only the embedded database
/// tells such: DynamoDB Local counts nothing for a query that finds nothing, and each write of a
/// transaction several times.
#[must_use]
pub fn tells_capacity() -> bool {
    std::env::var(ANOTHER_VARIABLE).is_err()
}

/// A shop that is open.
pub struct Shop {
    /// Its table.
    pub database: Database,
    /// Its state.
    pub api: Api,
    /// What its clock shows.
    pub clock: Clock,
    /// Whom its till calls as.
    pub merchant: String,
    /// Where it is served.
    pub base: String,
    /// Who asks.
    pub client: Client,
}

/// An answer as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its bytes.
    pub text: String,
    /// Whether it was marked as given before.
    pub replayed: bool,
    /// Its type.
    pub content_type: String,
    /// After how many seconds to come again, if it says so.
    pub retry_after: Option<u64>,
}

impl Answer {
    /// Its body.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The value at a pointer of its body.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    /// `status code pointer: detail` of a problem.
    #[must_use]
    pub fn problem(&self) -> String {
        assert_eq!(self.content_type, "application/problem+json", "{}", self.text);
        let text = |pointer| self.at(pointer).as_str().unwrap_or_default().to_owned();
        format!(
            "{} {} {}: {}",
            self.status.as_u16(),
            text("/code"),
            text("/pointer"),
            text("/detail")
        )
    }
}

/// Serves the API, and says where.
async fn serve(api: &Api) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = app(api);
    tokio::spawn(async { axum::serve(listener, app).await });
    base
}

impl Shop {
    /// A shop under the rules of that name, on 2 May 2026, a Saturday, at 9:30 in Berlin.
    pub async fn open(merchant: &str) -> Shop {
        let shop = Shop::with(database().await, merchant).await;
        local::publish_folder(shop.database.store(), &rules().join(merchant)).await.unwrap();
        shop
    }

    /// A shop under rules of its own.
    pub async fn under(files: &[(&str, &str)]) -> Shop {
        let shop = Shop::with(database().await, "test").await;
        shop.publish(files).await;
        shop
    }

    /// Puts other rules into force.
    pub async fn publish(&self, files: &[(&str, &str)]) {
        let merchant = MerchantId::parse(&self.merchant).unwrap();
        let sources = Sources::of(files.iter().copied());
        api::publish(self.database.store(), &merchant, &sources).await.unwrap();
    }

    /// A shop over a database, whatever is in it.
    pub async fn with(database: Database, merchant: &str) -> Shop {
        let clock = Clock::standing(moment("2026-05-02T07:30:00Z"));
        let api = Api::new(database.store().clone(), clock.clone(), Identity::Development)
            .with_bundle_age_max(Duration::ZERO);
        let base = serve(&api).await;
        let merchant = merchant.to_owned();
        Shop { database, api, clock, merchant, base, client: Client::new() }
    }

    /// The same shop, from now on served through another store of its table, such as one that
    /// counts.
    pub async fn through(&mut self, store: Store) {
        self.api = Api::new(store, self.clock.clone(), Identity::Development);
        self.base = serve(&self.api).await;
    }

    /// Sets the clock.
    pub fn at(&self, text: &str) {
        self.clock.set(moment(text));
    }

    /// Enrols a member.
    pub async fn enroll(&self, member: &str) {
        let answer = self.post("/v1/members", None, &serde_json::json!({ "id": member })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }

    /// Tells a purchase, and expects it to be taken.
    pub async fn buys(&self, member: &str, key: &str, total: &str) -> Answer {
        let body = serde_json::json!({ "type": "purchase", "order": { "total": total } });
        let answer = self.post(&format!("/v1/members/{member}/earn"), Some(key), &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer
    }

    /// Does the scheduled run.
    pub async fn night(&self) -> expire::Summary {
        expire::run(&self.api, &expire::Event::default(), None).await.unwrap()
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Answer {
        self.send(Method::POST, path, key, body.to_string()).await
    }

    /// Gets.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, String::new()).await
    }

    /// Sends whatever it is told, and as long as it is told to come again, does.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: impl Into<String>,
    ) -> Answer {
        let body = body.into();
        for _ in 0..BUSY_MAX {
            let answer = self.once(method.clone(), path, key, body.clone()).await;
            let Some(after) = answer.retry_after else { return answer };
            tokio::time::sleep(Duration::from_secs(after)).await;
        }
        self.once(method, path, key, body).await
    }

    async fn once(&self, method: Method, path: &str, key: Option<&str>, body: String) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("authorization", format!("Bearer local:{}", self.merchant))
            .body(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        Answer {
            status: answer.status(),
            replayed: header("idempotency-replayed") == "true",
            content_type: header("content-type"),
            retry_after: header("retry-after").parse().ok(),
            text: answer.text().await.unwrap(),
        }
    }
}
