//! The fault proxy: a proxy between the SDK and the database that injects faults. No emulator has
//! the faults of AWS: conflicts, throttling, errors after the write was done, answers that come too
//! late or not at all, stale reads and lagging indexes. So the proxy injects them.
//!
//! The fault of a request depends on the seed and on the number of requests before it. If
//! everything is in one process ([`FaultProxy::within`]), tasks run one after the other, however
//! many are under way, and waiting takes no time: the same seed gives the same faults to the last
//! request. For processes that are killed, the proxy is between sockets ([`FaultProxy::to`]).

/// The faults, and how often each is injected.
mod fault_rates;
/// The state of the proxy.
mod state;
/// The properties of a request that decide which faults are possible, and the fault that it gets.
mod asked;
/// What the proxy remembers of requests and answers.
mod memory;
/// Answers that the proxy gives instead of the database.
mod answers;
/// The embedded database without a socket.
mod within;
/// The database behind the proxy.
mod upstream;
/// The handling of one request.
mod answer;
/// The proxy without a socket.
mod carrier;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use dynoxide::Database;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::fault_rates::{Fault, FaultRates};
pub use self::state::{Moments, Tamper, Tampered};

use self::answer::answered;
use self::answers::Broken;
use self::carrier::Carrier;
use self::state::{State, Upstream, lock};
use crate::ProofResult;

/// A proxy in front of a database.
pub struct FaultProxy {
    state: Arc<State>,
    served: Option<(SocketAddr, JoinHandle<()>)>,
}

impl FaultProxy {
    /// Starts a proxy to a database behind a socket. Clients reach it by a socket, too.
    ///
    /// # Errors
    /// No port can be bound.
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

    /// A proxy to a database in this process. Only [`FaultProxy::client`] reaches it.
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

    /// The address at which clients reach it, if it has a socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.served.as_ref().map(|(address, _)| *address)
    }

    /// The address at which other processes reach it.
    ///
    /// # Errors
    /// It has no socket.
    pub fn reached_at(&self) -> ProofResult<SocketAddr> {
        self.address().ok_or_else(|| "no other process reaches this wire".into())
    }

    /// An HTTP client for the SDK whose requests go through this proxy without a socket.
    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        let carrier = SharedHttpConnector::new(Carrier(Arc::clone(&self.state)));
        http_client_fn(move |_, _| carrier.clone())
    }

    /// Sets the fault rates from now on.
    pub fn set(&self, rates: FaultRates) {
        *lock(&self.state.rates) = rates;
    }

    /// Sets the function that is called with each moment from now on.
    pub fn tell(&self, moments: Option<Moments>) {
        *lock(&self.state.moments) = moments;
    }

    /// Waits until the database has answered all requests, even those whose clients have gone.
    pub async fn quiet(&self) {
        while self.state.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    /// The items that queries and scans examined so far, by the database's count.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        lock(&self.state.memory).looked_at
    }

    /// Sets the counts of requests back to zero.
    pub fn forget(&self) {
        lock(&self.state.memory).requests.clear();
    }

    /// The number of times that each fault occurred.
    #[must_use]
    pub fn happened(&self) -> BTreeMap<Fault, u64> {
        lock(&self.state.memory).happened.clone()
    }

    /// The number of requests so far, by operation and index.
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

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            // A connection that the proxy breaks ends with an error.
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
