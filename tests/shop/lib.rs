//! A shop for tests: the local server over its own embedded DynamoDB, with a clock that stands
//! still until it is set, and a client that calls the server over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so")]

/// What must always hold for a table.
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

/// Parses a moment written as in RFC 3339.
#[must_use]
pub fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

/// The most attempts of the client after a 503 with `Retry-After`. A busy laptop is slow, which is
/// not a failure of what is tested.
const BUSY_MAX: u32 = 20;

/// The environment variable with the address of another implementation of DynamoDB, against which
/// the tests then run.
pub const ANOTHER_VARIABLE: &str = "REGULARS_TEST_DYNAMODB";

/// A database for one test: an embedded one or, if `REGULARS_TEST_DYNAMODB` names an address, a
/// table of its own in the database there.
///
/// # Panics
/// The database cannot be opened.
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

/// Whether the database reports the capacity units that AWS would. Only the embedded database does,
/// by figures that its authors captured from AWS. DynamoDB Local counts nothing for a query that
/// finds nothing, and counts each write of a transaction several times.
#[must_use]
pub fn tells_capacity() -> bool {
    std::env::var(ANOTHER_VARIABLE).is_err()
}

/// An open shop: a running server, its database and its client.
pub struct Shop {
    /// The database.
    pub database: Database,
    /// The state of the functions.
    pub api: Api,
    /// The clock.
    pub clock: Clock,
    /// The merchant that the client calls as.
    pub merchant: String,
    /// The base URL of the server.
    pub base: String,
    /// The HTTP client.
    pub client: Client,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, as text.
    pub text: String,
    /// Whether it is marked as the answer to a repeat.
    pub replayed: bool,
    /// The content type.
    pub content_type: String,
    /// The numbers of the entries that have undone the entry of a repeat; empty if there are none.
    pub reversed_by: String,
    /// The seconds of the header `Retry-After`, if it has one.
    pub retry_after: Option<u64>,
}

impl Answer {
    /// The body, parsed as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The value at a JSON pointer in the body; null if there is none.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    /// The answer, which has to be a problem, as `status code pointer: detail`.
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

/// Serves the API, and returns its base URL.
async fn serve(api: &Api) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = app(api);
    tokio::spawn(async { axum::serve(listener, app).await });
    base
}

impl Shop {
    /// Opens a shop with the rules of this merchant, on 2 May 2026, a Saturday, at 9:30 in Berlin.
    pub async fn open(merchant: &str) -> Shop {
        let shop = Shop::with(database().await, merchant).await;
        local::publish_folder(
            shop.database.store(),
            &rules().join(merchant),
            api::Forgetting::Allowed,
        )
        .await
        .unwrap();
        shop
    }

    /// Opens a shop with these rules.
    pub async fn under(files: &[(&str, &str)]) -> Shop {
        let shop = Shop::with(database().await, "test").await;
        shop.publish(files).await;
        shop
    }

    /// Publishes other rules.
    pub async fn publish(&self, files: &[(&str, &str)]) {
        let merchant = MerchantId::parse(&self.merchant).unwrap();
        let sources = Sources::of(files.iter().copied());
        api::publish(self.database.store(), &merchant, &sources, api::Forgetting::Allowed)
            .await
            .unwrap();
    }

    /// Opens a shop over a database, without publishing rules.
    pub async fn with(database: Database, merchant: &str) -> Shop {
        let clock = Clock::standing(moment("2026-05-02T07:30:00Z"));
        let api = Api::new(database.store().clone(), clock.clone(), Identity::Development)
            .with_bundle_age_max(Duration::ZERO);
        let base = serve(&api).await;
        let merchant = merchant.to_owned();
        Shop { database, api, clock, merchant, base, client: Client::new() }
    }

    /// Serves the shop through another store of its table from now on, such as a metered one.
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

    /// Sends a purchase, and expects it to be accepted.
    pub async fn buys(&self, member: &str, key: &str, total: &str) -> Answer {
        let body = serde_json::json!({ "type": "purchase", "order": { "total": total } });
        let answer = self.post(&format!("/v1/members/{member}/earn"), Some(key), &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer
    }

    /// Expects an audit of the merchant's whole table to find nothing wrong.
    pub async fn all_is_well(&self) {
        let audited = audit::audit(self.database.store(), &self.merchant).await;
        assert_eq!(audited.faults, [""; 0]);
    }

    /// Does an expiry run.
    pub async fn run_expiry(&self) -> expire::Summary {
        expire::run(&self.api, &expire::Event::default(), None).await.unwrap()
    }

    /// Sends a POST with a JSON body.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Answer {
        self.send(Method::POST, path, key, body.to_string()).await
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, String::new()).await
    }

    /// Sends a request, and repeats it as long as the answer has `Retry-After`.
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
            reversed_by: header("entry-reversed-by"),
            retry_after: header("retry-after").parse().ok(),
            text: answer.text().await.unwrap(),
        }
    }
}
