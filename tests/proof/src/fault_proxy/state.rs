//! The state of the proxy: the database behind it, its fault rates, its hooks, and what it
//! remembers of requests.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::Database;
use fastrand::Rng;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;

use super::fault_rates::{Fault, FaultRates};

/// A map that drops its oldest values.
pub(super) struct Recent<K, V> {
    pub(super) values: HashMap<K, V>,
    pub(super) order: VecDeque<K>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Recent<K, V> {
        Recent { values: HashMap::new(), order: VecDeque::new() }
    }
}

/// The most values that are kept.
const RECENT_MAX: usize = 20_000;

impl<K: Clone + Eq + std::hash::Hash, V: Default> Recent<K, V> {
    pub(super) fn has(&self, key: &K) -> bool {
        self.values.contains_key(key)
    }

    pub(super) fn of(&mut self, key: &K) -> &mut V {
        if !self.has(key) {
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

/// What the proxy remembers of requests and answers.
#[derive(Default)]
pub(super) struct Memory {
    /// The random numbers that decide on faults.
    pub(super) chance: Rng,
    /// Answers to each read, the oldest first.
    pub(super) answers: Recent<u64, VecDeque<Bytes>>,
    /// The tokens of transactions that were done. DynamoDB keeps them for ten minutes. The embedded
    /// database keeps them too, but goes through all of them at each transaction.
    pub(super) tokens: Recent<String, ()>,
    pub(super) happened: BTreeMap<Fault, u64>,
    pub(super) requests: BTreeMap<String, u64>,
    /// The items that queries and scans examined.
    pub(super) looked_at: u64,
}

/// The database behind the proxy.
pub(super) enum Upstream {
    /// A database in this process.
    Held(Database),
    /// A database behind a socket, with the client that reaches it.
    Served(SocketAddr, Box<Client<HttpConnector, Full<Bytes>>>),
}

/// A function that may change a request on its way to the database. Bugs are planted with it. It
/// gets the operation's name and the body.
pub type Tamper = Arc<dyn Fn(&str, &mut Value) -> Tampered + Send + Sync>;

/// What to do with a request that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tampered {
    /// Forward the request, changed or not.
    GoesOn,
    /// Answer the request as done, and do not forward it.
    Swallowed,
    /// Forward these other requests first, by operation and body, and then the request.
    After(Vec<(&'static str, Value)>),
}

pub(super) struct State {
    pub(super) rates: Mutex<FaultRates>,
    pub(super) upstream: Upstream,
    pub(super) memory: Mutex<Memory>,
    pub(super) tamper: Option<Tamper>,
    /// Called before a request is forwarded and after it is answered: the moments at which a
    /// process can be killed.
    pub(super) moments: Mutex<Option<Moments>>,
    /// The number of requests that the database has not answered yet.
    pub(super) under_way: AtomicU64,
}

/// A function that is called with each moment of a request: with the operation's name, and with
/// whether the database has yet to see the request. If it returns false, the request stops there
/// for ever.
pub type Moments = Arc<dyn Fn(&str, bool) -> bool + Send + Sync>;

impl State {
    pub(super) fn new(
        upstream: Upstream,
        seed: u64,
        rates: FaultRates,
        tamper: Option<Tamper>,
    ) -> State {
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
