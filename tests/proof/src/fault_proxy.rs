//! The wire between the SDK and the database, and what happens on it. No emulator gives what AWS
//! gives: conflicts, throttling, errors after the write was done, answers that come too late or not
//! at all, reads and indexes that are behind. So a proxy gives it.
//!
//! What happens to a request depends on the seed and on how many came before it. Where all of it is in
//! one process ([`FaultProxy::within`]), one thing happens after the other, however many are under way, and
//! waiting takes no time: the same seed does the same to the last request. Where processes are killed,
//! it is a proxy between sockets ([`FaultProxy::to`]).

/// Answers in the database's place.
mod answers;
/// What a request asks.
mod asked;
/// The wire without a socket.
mod carrier;
/// What may happen.
mod fault_rates;
/// What is known of requests and answers.
mod memory;
/// The database.
mod upstream;
/// The database without a socket.
mod within;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use dynoxide::Database;
use fastrand::Rng;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::fault_rates::{Fault, FaultRates};

use self::answers::{Broken, cancelled, done, failed_in_front, json_answer, refused};
use self::asked::{Asked, withdraw};
use self::carrier::Carrier;
use self::memory::{Memory, remember, stale};
use self::upstream::{Upstream, as_target, forward, send};
use crate::ProofResult;

/// What may be changed of what goes over the wire: bugs are planted here.
pub type Tamper = Arc<dyn Fn(&str, &mut Value) -> Tampered + Send + Sync>;

/// What became of a request that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tampered {
    /// It goes on, changed or not.
    GoesOn,
    /// It is answered as done, and not done.
    Swallowed,
    /// It goes on after others that nobody sent.
    After(Vec<(&'static str, Value)>),
}

struct State {
    rates: Mutex<FaultRates>,
    upstream: Upstream,
    memory: Mutex<Memory>,
    tamper: Option<Tamper>,
    /// Told before a request goes on and after it has been answered: where a process can be killed.
    moments: Mutex<Option<Moments>>,
    /// Requests that the database has not answered.
    under_way: AtomicU64,
}

/// Told of each moment between a request and its answer: whether it is before the database has seen
/// it. Whoever hears it may never let it go on.
pub type Moments = Arc<dyn Fn(&str, bool) -> bool + Send + Sync>;

/// A proxy in front of a database.
pub struct FaultProxy {
    state: Arc<State>,
    served: Option<(SocketAddr, JoinHandle<()>)>,
}

impl FaultProxy {
    /// A wire to a database, and what happens on it.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn to(
        upstream: SocketAddr,
        seed: u64,
        rates: FaultRates,
        tamper: Option<Tamper>,
    ) -> std::io::Result<FaultProxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let upstream = Upstream::Served(upstream, Box::new(client));
        let state = Arc::new(State::new(upstream, seed, rates, tamper));
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(FaultProxy { state, served: Some((address, server)) })
    }

    /// A wire to a database in this process, and what happens on it: only [`FaultProxy::client`] reaches it.
    #[must_use]
    pub fn within(
        database: Database,
        seed: u64,
        rates: FaultRates,
        tamper: Option<Tamper>,
    ) -> FaultProxy {
        let state = State::new(Upstream::Held(database), seed, rates, tamper);
        FaultProxy { state: Arc::new(state), served: None }
    }

    /// Where clients reach it, if by a socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.served.as_ref().map(|(address, _)| *address)
    }

    /// Where other processes reach it.
    ///
    /// # Errors
    /// They do not.
    pub fn reached_at(&self) -> ProofResult<SocketAddr> {
        self.address().ok_or_else(|| "no other process reaches this wire".into())
    }

    /// What carries a client's requests over a wire in this process.
    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        let carrier = SharedHttpConnector::new(Carrier(Arc::clone(&self.state)));
        http_client_fn(move |_, _| carrier.clone())
    }

    /// From now on, other things happen.
    pub fn set(&self, rates: FaultRates) {
        *lock(&self.state.rates) = rates;
    }

    /// From now on, somebody is told of each moment.
    pub fn tell(&self, moments: Option<Moments>) {
        *lock(&self.state.moments) = moments;
    }

    /// Waits until the database has answered all that was sent, whoever hears it.
    pub async fn quiet(&self) {
        while self.state.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    /// Items that queries and scans looked at, as the database tells.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        lock(&self.state.memory).looked_at
    }

    /// Forgets how many requests there were.
    pub fn forget(&self) {
        lock(&self.state.memory).requests.clear();
    }

    /// How often what has happened.
    #[must_use]
    pub fn happened(&self) -> BTreeMap<Fault, u64> {
        lock(&self.state.memory).happened.clone()
    }

    /// Requests so far, by their kind.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.state.memory).requests.clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some((_, server)) = &self.served {
            server.abort();
        }
    }
}

impl State {
    fn new(upstream: Upstream, seed: u64, rates: FaultRates, tamper: Option<Tamper>) -> State {
        State {
            rates: Mutex::new(rates),
            upstream,
            memory: Mutex::new(Memory { chance: Rng::with_seed(seed), ..Memory::default() }),
            tamper,
            moments: Mutex::new(None),
            under_way: AtomicU64::new(0),
        }
    }
}

/// One of so many.
fn any(state: &State, many: usize) -> usize {
    lock(&state.memory).chance.usize(0..many.max(1))
}

/// An error, told in turn by the database and by what stands before it.
fn error(state: &State, fault: Fault) -> Response<Full<Bytes>> {
    let happened = lock(&state.memory).happened.get(&fault).copied().unwrap_or_default();
    match happened.is_multiple_of(2) {
        true => refused(500, "InternalServerError", "on purpose"),
        false => failed_in_front(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            // A connection that is broken on purpose ends with an error.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    answered(state, parts, body).await
}

async fn answered(
    state: Arc<State>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Broken> {
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let target = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
    let (body, before) = match tampered(&state, &target, body) {
        Some(tampered) => tampered,
        None => return Ok(done()),
    };
    for (target, other) in before {
        send(&state, &as_target(&parts, target)?, Bytes::from(other.to_string())).await?;
    }
    let asked = Asked::of(&target, &body);
    let fault = withdraw(&state, &target, &asked);
    let moments = lock(&state.moments).clone();
    if let Some(moments) = &moments
        && !moments(&target, true)
    {
        std::future::pending::<Infallible>().await;
    }
    match fault {
        Some(Fault::Conflict) => {
            return Ok(match asked.transaction {
                Some(items) => cancelled(items, any(&state, items), "TransactionConflict"),
                None => refused(400, "TransactionConflictException", "a transaction is at it"),
            });
        }
        Some(Fault::InProgress) => {
            return Ok(refused(400, "TransactionInProgressException", "it is under way"));
        }
        // The table refuses a transaction as a whole, or one of its items does.
        Some(Fault::Throttled) => {
            return Ok(match asked.transaction {
                Some(items) if any(&state, 2) == 0 => {
                    cancelled(items, any(&state, items), "ThrottlingError")
                }
                _ => refused(400, "ThrottlingException", "the rate is too high"),
            });
        }
        Some(fault @ Fault::ErrorBefore) => return Ok(error(&state, fault)),
        Some(Fault::DropBefore) => return Err(Broken),
        Some(fault @ (Fault::StaleRead | Fault::LaggingIndex)) => {
            if let Some(old) = stale(&state, &asked) {
                *lock(&state.memory).happened.entry(fault).or_default() += 1;
                return Ok(json_answer(StatusCode::OK, old));
            }
        }
        Some(Fault::Late) => {
            let late = lock(&state.rates).late;
            // It goes on although whoever sent it has gone.
            let forward = tokio::spawn(async move {
                tokio::time::sleep(late).await;
                forward(&state, parts, &target, body).await
            });
            return forward.await.map_err(|_| Broken)?;
        }
        Some(Fault::Twice) => {
            let first = forward(&state, parts.clone(), &target, body.clone()).await?;
            let _second = forward(&state, parts, &target, body).await?;
            return Ok(first);
        }
        Some(Fault::ErrorAfter | Fault::DropAfter) | None => {}
    }
    let done = forward(&state, parts, &target, body.clone()).await?;
    if matches!(target.as_str(), "Query" | "Scan") {
        let Ok(text) = done.body().clone().collect().await;
        let told: Value = serde_json::from_slice(&text.to_bytes()).unwrap_or_default();
        let count = told["ScannedCount"].as_u64().unwrap_or_default();
        lock(&state.memory).looked_at += count;
    }
    if asked.may_be_stale && done.status() == StatusCode::OK {
        remember(&state, &asked, &done).await;
    }
    if let Some(moments) = &moments
        && !moments(&target, false)
    {
        std::future::pending::<Infallible>().await;
    }
    match fault {
        Some(fault @ Fault::ErrorAfter) => Ok(error(&state, fault)),
        Some(Fault::DropAfter) => Err(Broken),
        _ => Ok(done),
    }
}

/// A request as somebody has tampered with it, and what goes before it; nothing if it goes no
/// further.
fn tampered(
    state: &State,
    target: &str,
    body: Bytes,
) -> Option<(Bytes, Vec<(&'static str, Value)>)> {
    let Some(tamper) = &state.tamper else { return Some((body, Vec::new())) };
    let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
        return Some((body, Vec::new()));
    };
    let before = match tamper(target, &mut value) {
        Tampered::GoesOn => Vec::new(),
        Tampered::After(others) => others,
        Tampered::Swallowed => return None,
    };
    Some((Bytes::from(value.to_string()), before))
}
