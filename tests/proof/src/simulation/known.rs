//! What the clients know of members: their requests and the answers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// One request that a client has made, and its answer.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) verb: &'static str,
    pub(super) path: String,
    pub(super) key: String,
    pub(super) body: Value,
    /// The hash of the first answer.
    pub(super) answer: u64,
    pub(super) seq: u64,
}

/// A request that was refused since the member had too few points.
#[derive(Debug)]
pub(super) struct Refused {
    /// The number of the member's newest entry then.
    pub(super) seq: u64,
    /// The time of the worker's clock, in seconds since 1970.
    pub(super) at: i64,
    /// The points that the request needed.
    pub(super) units: i64,
}

/// What the clients know of one member.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) asked: Vec<Asked>,
    /// Holds that may be open, by id, each with the units that the member chose, if it could
    /// choose.
    pub(super) holds: Vec<(String, Option<i64>)>,
    /// Whether the member has an account, by the answers so far.
    pub(super) is_home: bool,
    pub(super) erased: bool,
    pub(super) refused: Vec<Refused>,
}

pub(super) type Members = HashMap<(usize, u32), Mutex<Known>>;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn lock_of(
    members: &Members,
    merchant: usize,
    member: u32,
) -> std::sync::MutexGuard<'_, Known> {
    static NOBODY: Mutex<Known> = Mutex::new(Known {
        asked: Vec::new(),
        holds: Vec::new(),
        is_home: false,
        erased: false,
        refused: Vec::new(),
    });
    lock(members.get(&(merchant, member)).unwrap_or(&NOBODY))
}

pub(super) fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

pub(super) fn name(member: u32) -> String {
    format!("m{member}")
}

/// The number of each merchant's accounts that its members can join. At any time about half of the
/// members have one, about ten in each.
pub(super) fn homes(members: u32) -> u32 {
    (members / 20).max(2)
}

pub(super) fn home(number: u32) -> String {
    format!("home-{number}")
}

/// The most faults that are kept.
pub(super) const FAULTS_MAX: usize = 50;

/// The pieces of each merchant's scarce reward.
pub(super) const SCARCE: i64 = 500;

/// The price of one piece of an order's only line.
pub(super) const LINE_PRICE: &str = "3.25";

/// The price of a reward.
pub(super) fn price(body: &Value) -> i64 {
    match body["reward"].as_str() {
        Some("ten") => 10,
        Some("code") => 7,
        Some("scarce") => 20,
        _ => body["units"].as_i64().unwrap_or_default(),
    }
}
