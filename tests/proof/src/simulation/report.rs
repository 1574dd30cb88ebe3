//! The result of a simulation.

use std::collections::BTreeMap;

use crate::fault_proxy::Fault;

/// The result of a simulation.
#[derive(Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Operations.
    pub operations: u64,
    /// Operations done, by verb.
    pub done: BTreeMap<String, u64>,
    /// Operations refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Repeats that got the first answer, byte for byte.
    pub repeats: u64,
    /// Altered bodies that were refused.
    pub altered: u64,
    /// Expiry runs, and those of them that could not finish because the table was busy.
    pub expiry_runs: (u64, u64),
    /// The number of times that each fault occurred.
    pub happened: BTreeMap<Fault, u64>,
    /// Calls of the API, and those of them answered with 503.
    pub calls: (u64, u64),
    /// Requests to the database, by operation and index.
    pub requests: BTreeMap<String, u64>,
    /// A hash of all answers in their order. The same seed gives the same hash.
    pub answers_hash: u64,
    /// Members audited.
    pub members: u64,
    /// Entries audited.
    pub entries: u64,
    /// Balances that were compared with the model's.
    pub modelled: u64,
    /// Refusals for lack of points that the model agrees with.
    pub judged: u64,
    /// Members that are as stored what all of their history makes.
    pub derived: u64,
    /// The faults found; empty if all is well.
    pub faults: Vec<String>,
    /// The seconds that it took.
    pub seconds: u64,
}

impl Report {
    /// Adds the report of another world.
    pub fn add(&mut self, other: &Report) {
        let Report { operations, done, refused, repeats, altered, expiry_runs, happened, .. } =
            other;
        let Report { calls, requests, members, entries, modelled, .. } = other;
        self.operations += operations;
        self.repeats += repeats;
        self.altered += altered;
        self.members += members;
        self.entries += entries;
        self.modelled += modelled;
        self.judged += other.judged;
        self.derived += other.derived;
        self.expiry_runs = (self.expiry_runs.0 + expiry_runs.0, self.expiry_runs.1 + expiry_runs.1);
        self.calls = (self.calls.0 + calls.0, self.calls.1 + calls.1);
        // XOR, since worlds end in any order.
        self.answers_hash ^= other.answers_hash;
        add(&mut self.done, done);
        add(&mut self.refused, refused);
        add(&mut self.requests, requests);
        add(&mut self.happened, happened);
        let seed = other.seed;
        self.faults.extend(other.faults.iter().map(|fault| format!("seed {seed}: {fault}")));
        self.seconds = self.seconds.max(other.seconds);
    }
}

fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sums.entry(key.clone()).or_default() += count;
    }
}
