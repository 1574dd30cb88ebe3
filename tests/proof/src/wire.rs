//! The wire between the SDK and the database, and what happens on it. No emulator gives what AWS
//! gives: conflicts, throttling, errors after the write was done, answers that come too late or not
//! at all, reads and indexes that are behind. So a proxy gives it.
//!
//! What happens to a request depends on the seed and on how many came before it. Where all of it is in
//! one process ([`Wire::within`]), one thing happens after the other, however many are under way, and
//! waiting takes no time: the same seed does the same to the last request. Where processes are killed,
//! it is a proxy between sockets ([`Wire::to`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector as SdkConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use fastrand::Rng;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{Outcome, within};

/// What may happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Another transaction is at the same item.
    Conflict,
    /// The same transaction is under way.
    InProgress,
    /// Too much at once.
    Throttled,
    /// An error, and nothing was done.
    ErrorBefore,
    /// An error, and it was done.
    ErrorAfter,
    /// The connection breaks, and nothing was done.
    DropBefore,
    /// The connection breaks, and it was done.
    DropAfter,
    /// It is done after whoever sent it has given up and sent it again.
    Late,
    /// It arrives twice.
    Twice,
    /// An eventually consistent read is behind.
    StaleRead,
    /// An index is behind.
    LaggingIndex,
}

/// How often each thing happens, in a thousand requests to which it can happen.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// By fault.
    pub per_thousand: BTreeMap<Fault, u32>,
    /// How long a late one takes.
    pub late: Duration,
}

impl Weather {
    /// Nothing happens.
    #[must_use]
    pub fn calm() -> Weather {
        Weather::default()
    }

    /// Everything happens.
    #[must_use]
    pub fn everything(per_thousand: u32) -> Weather {
        use Fault as F;
        let all = [
            F::Conflict,
            F::InProgress,
            F::Throttled,
            F::ErrorBefore,
            F::ErrorAfter,
            F::DropBefore,
            F::DropAfter,
            F::Late,
            F::Twice,
        ];
        let mut often: BTreeMap<Fault, u32> = all.map(|fault| (fault, per_thousand)).into();
        // Reads that are behind cost nothing but a second look: they can be many.
        often.insert(F::StaleRead, 80);
        often.insert(F::LaggingIndex, 200);
        Weather { per_thousand: often, late: Duration::from_millis(400) }
    }

    /// A store in a bad state: so many in a thousand are throttled, meet a conflict, or end unknown.
    #[must_use]
    pub fn degraded(throttled: u32, conflicts: u32, unknown: u32) -> Weather {
        use Fault as F;
        let often = [
            (F::Throttled, throttled),
            (F::Conflict, conflicts),
            (F::ErrorAfter, unknown / 2),
            (F::DropAfter, unknown - unknown / 2),
        ];
        Weather { per_thousand: often.into(), late: Duration::ZERO }
    }
}

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

/// Values of which the oldest are forgotten.
struct Recent<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Recent<K, V> {
        Recent { values: HashMap::new(), order: VecDeque::new() }
    }
}

/// Values that are remembered.
const RECENT_MAX: usize = 20_000;

impl<K: Clone + Eq + std::hash::Hash, V: Default> Recent<K, V> {
    fn of(&mut self, key: &K) -> &mut V {
        if !self.values.contains_key(key) {
            self.order.push_back(key.clone());
            if self.order.len() > RECENT_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.values.remove(&oldest);
            }
        }
        self.values.entry(key.clone()).or_default()
    }
}

/// What is known of each request and answer.
#[derive(Default)]
struct Memory {
    /// What makes one thing happen and not another.
    chance: Rng,
    /// Answers to reads, the oldest first.
    answers: Recent<u64, VecDeque<Bytes>>,
    /// Transactions that were done, by their token, as DynamoDB knows them for ten minutes. The
    /// embedded database does so too, but walks through all of them at each transaction.
    tokens: Recent<String, ()>,
    happened: BTreeMap<Fault, u64>,
    requests: BTreeMap<String, u64>,
    /// Items that queries and scans looked at.
    looked_at: u64,
}

/// The database behind a wire.
enum Upstream {
    /// In this process.
    Held(Database),
    /// Behind a socket.
    Served(SocketAddr, Box<Client<HttpConnector, Full<Bytes>>>),
}

struct State {
    weather: Mutex<Weather>,
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
pub struct Wire {
    state: Arc<State>,
    served: Option<(SocketAddr, JoinHandle<()>)>,
}

impl Wire {
    /// A wire to a database, and what happens on it.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn to(
        upstream: SocketAddr,
        seed: u64,
        weather: Weather,
        tamper: Option<Tamper>,
    ) -> std::io::Result<Wire> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let upstream = Upstream::Served(upstream, Box::new(client));
        let state = Arc::new(State::new(upstream, seed, weather, tamper));
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Wire { state, served: Some((address, server)) })
    }

    /// A wire to a database in this process, and what happens on it: only [`Wire::client`] reaches it.
    #[must_use]
    pub fn within(database: Database, seed: u64, weather: Weather, tamper: Option<Tamper>) -> Wire {
        let state = State::new(Upstream::Held(database), seed, weather, tamper);
        Wire { state: Arc::new(state), served: None }
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
    pub fn reached_at(&self) -> Outcome<SocketAddr> {
        self.address().ok_or_else(|| "no other process reaches this wire".into())
    }

    /// What carries a client's requests over a wire in this process.
    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        let carrier = SharedHttpConnector::new(Carrier(Arc::clone(&self.state)));
        http_client_fn(move |_, _| carrier.clone())
    }

    /// From now on, other things happen.
    pub fn set(&self, weather: Weather) {
        *lock(&self.state.weather) = weather;
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

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some((_, server)) = &self.served {
            server.abort();
        }
    }
}

impl State {
    fn new(upstream: Upstream, seed: u64, weather: Weather, tamper: Option<Tamper>) -> State {
        State {
            weather: Mutex::new(weather),
            upstream,
            memory: Mutex::new(Memory { chance: Rng::with_seed(seed), ..Memory::default() }),
            tamper,
            moments: Mutex::new(None),
            under_way: AtomicU64::new(0),
        }
    }
}

/// Carries requests of the SDK over a wire in this process.
#[derive(Clone)]
struct Carrier(Arc<State>);

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Carrier")
    }
}

/// How long a request or an answer is on its way, at most.
const ON_ITS_WAY_MAX: Duration = Duration::from_millis(20);

impl SdkConnector for Carrier {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let state = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
            let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
            let broken = |broken: Broken| ConnectorError::io(broken.into());
            let parts = Request::builder().header("x-amz-target", target).body(());
            let (parts, ()) = parts.map_err(|_| broken(Broken))?.into_parts();
            on_its_way(&state).await;
            let (parts, body) =
                answered(state.clone(), parts, body).await.map_err(broken)?.into_parts();
            on_its_way(&state).await;
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let status = parts.status.as_u16().try_into();
            let status = status.map_err(|_| broken(Broken))?;
            Ok(HttpResponse::new(status, SdkBody::from(body.to_vec())))
        })
    }
}

/// Some are faster than others.
async fn on_its_way(state: &State) {
    let most = u64::try_from(ON_ITS_WAY_MAX.as_micros()).unwrap_or(u64::MAX);
    let micros = lock(&state.memory).chance.u64(0..most);
    tokio::time::sleep(Duration::from_micros(micros)).await;
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

/// A connection that breaks.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

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
    parts: hyper::http::request::Parts,
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
    let fault = draw(&state, &target, &asked);
    let moments = lock(&state.moments).clone();
    if let Some(moments) = &moments
        && !moments(&target, true)
    {
        std::future::pending::<Infallible>().await;
    }
    match fault {
        Some(Fault::Conflict) => return Ok(conflict(&target)),
        Some(Fault::InProgress) => {
            return Ok(refused(400, "TransactionInProgressException", "it is under way"));
        }
        Some(Fault::Throttled) => {
            return Ok(refused(400, "ThrottlingException", "the rate is too high"));
        }
        Some(Fault::ErrorBefore) => return Ok(refused(500, "InternalServerError", "before")),
        Some(Fault::DropBefore) => return Err(Broken),
        Some(fault @ (Fault::StaleRead | Fault::LaggingIndex)) => {
            if let Some(old) = stale(&state, &asked) {
                *lock(&state.memory).happened.entry(fault).or_default() += 1;
                return Ok(json_answer(StatusCode::OK, old));
            }
        }
        Some(Fault::Late) => {
            let late = lock(&state.weather).late;
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
        Some(Fault::ErrorAfter) => Ok(refused(500, "InternalServerError", "after")),
        Some(Fault::DropAfter) => Err(Broken),
        _ => Ok(done),
    }
}

/// What a request asks, as far as it matters to what may happen to it.
struct Asked {
    index: Option<String>,
    writes: bool,
    is_transaction: bool,
    may_be_stale: bool,
    of_index: bool,
    /// What is read, whoever reads it and when.
    read: u64,
}

impl Asked {
    fn of(target: &str, body: &[u8]) -> Asked {
        let is_transaction = target == "TransactWriteItems";
        let writes = is_transaction || matches!(target, "PutItem" | "UpdateItem" | "DeleteItem");
        let mut value: Value =
            if writes { Value::Null } else { serde_json::from_slice(body).unwrap_or_default() };
        let says_strong = |value: &Value| value["ConsistentRead"].as_bool().unwrap_or_default();
        let strong = says_strong(&value)
            || value["RequestItems"]
                .as_object()
                .is_some_and(|tables| tables.values().any(says_strong));
        let index = value["IndexName"].as_str().map(str::to_owned);
        let of_index = matches!(index.as_deref(), Some("due" | "board"));
        let reads = matches!(target, "GetItem" | "Query" | "BatchGetItem");
        // An index that is behind is behind for whoever asks a little later, too.
        if let Some(now) = value.pointer_mut("/ExpressionAttributeValues/:now") {
            now.take();
        }
        let mut hasher = DefaultHasher::new();
        value.to_string().hash(&mut hasher);
        let read = hasher.finish();
        Asked { index, writes, is_transaction, may_be_stale: reads && !strong, of_index, read }
    }

    fn can(&self, fault: Fault) -> bool {
        match fault {
            Fault::Conflict => self.writes,
            Fault::InProgress => self.is_transaction,
            Fault::StaleRead => self.may_be_stale && !self.of_index,
            Fault::LaggingIndex => self.of_index,
            _ => true,
        }
    }
}

/// What happens to a request this time.
fn draw(state: &State, target: &str, asked: &Asked) -> Option<Fault> {
    let weather = lock(&state.weather).per_thousand.clone();
    let mut memory = lock(&state.memory);
    let of_index = |index: &str| format!("{target} of {index}");
    let label = asked.index.as_deref().map_or_else(|| target.to_owned(), of_index);
    *memory.requests.entry(label).or_default() += 1;
    if weather.is_empty() || matches!(target, "CreateTable" | "Scan" | "DescribeTable") {
        return None;
    }
    let mut dice = memory.chance.u32(0..1000);
    for (fault, often) in weather {
        if !asked.can(fault) {
            continue;
        }
        if dice < often {
            // Whether a read can be behind is seen when it is made: there may be nothing older.
            if !matches!(fault, Fault::StaleRead | Fault::LaggingIndex) {
                *memory.happened.entry(fault).or_default() += 1;
            }
            return Some(fault);
        }
        dice -= often;
    }
    None
}

/// An earlier answer to the same read.
fn stale(state: &State, asked: &Asked) -> Option<Bytes> {
    lock(&state.memory).answers.values.get(&asked.read)?.front().cloned()
}

/// Answers that are remembered of one read.
const ANSWERS_MAX: usize = 3;
/// Larger answers are not remembered.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

async fn remember(state: &State, asked: &Asked, answer: &Response<Full<Bytes>>) {
    let Ok(text) = answer.body().clone().collect().await;
    let text = text.to_bytes();
    if text.len() > ANSWER_BYTES_MAX {
        return;
    }
    let mut memory = lock(&state.memory);
    let answers = memory.answers.of(&asked.read);
    answers.push_back(text);
    if answers.len() > ANSWERS_MAX {
        answers.pop_front();
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

fn as_target(
    parts: &hyper::http::request::Parts,
    target: &str,
) -> Result<hyper::http::request::Parts, Broken> {
    let target = hyper::header::HeaderValue::from_str(&format!("DynamoDB_20120810.{target}"));
    let mut parts = parts.clone();
    parts.headers.insert("x-amz-target", target.map_err(|_| Broken)?);
    Ok(parts)
}

async fn forward(
    state: &Arc<State>,
    parts: hyper::http::request::Parts,
    target: &str,
    mut body: Bytes,
) -> Result<Response<Full<Bytes>>, Broken> {
    let mut token = None;
    if target == "TransactWriteItems"
        && let Ok(mut value) = serde_json::from_slice::<Value>(&body)
    {
        token = value.as_object_mut().and_then(|value| value.remove("ClientRequestToken"));
        body = Bytes::from(value.to_string());
    }
    let token = token.and_then(|token| Some(token.as_str()?.to_owned()));
    if token.as_ref().is_some_and(|token| lock(&state.memory).tokens.values.contains_key(token)) {
        return Ok(done());
    }
    let answer = send(state, &parts, body).await?;
    if let Some(token) = token.filter(|_| answer.status() == StatusCode::OK) {
        lock(&state.memory).tokens.of(&token);
    }
    Ok(answer)
}

async fn send(
    state: &Arc<State>,
    parts: &hyper::http::request::Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (upstream, client) = match &state.upstream {
        Upstream::Served(upstream, client) => (upstream, client),
        Upstream::Held(database) => {
            let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
            let target = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
            let (status, text) = within::answer(database, target, &body);
            let status = StatusCode::from_u16(status).map_err(|_| Broken)?;
            return Ok(json_answer(status, Bytes::from(text)));
        }
    };
    let mut request =
        Request::builder().method(parts.method.clone()).uri(format!("http://{upstream}/"));
    for (name, value) in &parts.headers {
        if name != hyper::header::HOST && name != hyper::header::CONTENT_LENGTH {
            request = request.header(name, value);
        }
    }
    let request = request.body(Full::new(body)).map_err(|_| Broken)?;
    let asked = client.request(request);
    let state = Arc::clone(state);
    state.under_way.fetch_add(1, Ordering::SeqCst);
    // It comes to its end although whoever sent it may have gone.
    let answered = tokio::spawn(async move {
        let answer = async {
            let answer = asked.await.map_err(|_| Broken)?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
            Ok(json_answer(parts.status, body))
        };
        let answer = answer.await;
        state.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    });
    answered.await.map_err(|_| Broken)?
}

fn done() -> Response<Full<Bytes>> {
    json_answer(StatusCode::OK, Bytes::from_static(b"{}"))
}

fn json_answer(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/x-amz-json-1.0");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

fn refused(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
        "message": message,
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_answer(status, Bytes::from(body.to_string()))
}

fn conflict(target: &str) -> Response<Full<Bytes>> {
    if target != "TransactWriteItems" {
        return refused(400, "TransactionConflictException", "a transaction is at the item");
    }
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "cancelled",
        "CancellationReasons": [{ "Code": "TransactionConflict", "Message": "met another" }],
    });
    json_answer(StatusCode::BAD_REQUEST, Bytes::from(body.to_string()))
}
