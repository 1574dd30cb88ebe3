//! What a wire knows of the requests and answers so far.

use std::collections::{BTreeMap, HashMap, VecDeque};

use fastrand::Rng;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Bytes;

use super::asked::Asked;
use super::fault_rates::Fault;
use super::{State, lock};

/// Values of which the oldest are forgotten.
pub(super) struct Recent<K, V> {
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

/// What is known of each request and answer.
#[derive(Default)]
pub(super) struct Memory {
    /// What makes one thing happen and not another.
    pub(super) chance: Rng,
    /// Answers to reads, the oldest first.
    pub(super) answers: Recent<u64, VecDeque<Bytes>>,
    /// Transactions that were done, by their token, as DynamoDB knows them for ten minutes. The
    /// embedded database does so too, but walks through all of them at each transaction.
    pub(super) tokens: Recent<String, ()>,
    pub(super) happened: BTreeMap<Fault, u64>,
    pub(super) requests: BTreeMap<String, u64>,
    /// Items that queries and scans looked at.
    pub(super) looked_at: u64,
}

/// An earlier answer to the same read.
pub(super) fn stale(state: &State, asked: &Asked) -> Option<Bytes> {
    lock(&state.memory).answers.values.get(&asked.read)?.front().cloned()
}

/// Answers that are remembered of one read.
const ANSWERS_MAX: usize = 3;

/// Larger answers are not remembered.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

pub(super) async fn remember(state: &State, asked: &Asked, answer: &Response<Full<Bytes>>) {
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
