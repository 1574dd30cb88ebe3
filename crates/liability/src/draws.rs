//! Samples of the members, drawn anew, which say how sure a forecast is.
//!
//! A member redeems many units at once, so units say less than their number suggests. Members are
//! drawn, therefore, and not units: in each sample a member counts as often as a Poisson distribution
//! of mean one says, which is the bootstrap for members that are seen one after the other (Hanley and
//! MacGibbon, "Creating non-parametric bootstrap samples using Poisson frequencies", 2006).

use std::array;

use ledger::MemberId;
use sha2::{Digest, Sha256};

/// The samples that are drawn.
pub(crate) const SAMPLES: usize = 200;

/// The chances, in 2^-32, that a member counts 0 times, at most once, at most twice and so on.
const AT_MOST: [u32; 8] = [
    1_580_030_169,
    3_160_060_337,
    3_950_075_422,
    4_213_413_783,
    4_279_248_374,
    4_292_415_292,
    4_294_609_778,
    4_294_923_276,
];

/// How often a member counts in each sample. The same member counts the same each time.
pub(crate) struct Weights([i64; SAMPLES]);

impl Weights {
    pub(crate) fn of(member: &MemberId) -> Weights {
        let hash = Sha256::digest(member.as_str());
        let seed = hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let mut rng = fastrand::Rng::with_seed(seed);
        Weights(array::from_fn(|_| {
            let drawn = rng.u32(..);
            let times = AT_MOST.iter().take_while(|at_most| drawn >= **at_most).count();
            i64::try_from(times).unwrap_or_default()
        }))
    }
}

/// A number of units: of all members, and of those of each sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draws {
    all: i64,
    samples: Box<[i64; SAMPLES]>,
}

impl Default for Draws {
    fn default() -> Draws {
        Draws { all: 0, samples: Box::new([0; SAMPLES]) }
    }
}

impl Draws {
    /// Adds units of a member.
    pub(crate) fn add(&mut self, units: i64, weights: &Weights) {
        self.all += units;
        for (sample, times) in self.samples.iter_mut().zip(weights.0) {
            *sample += units * times;
        }
    }

    /// Adds the units of other members.
    pub(crate) fn merge(&mut self, other: &Draws) {
        self.all += other.all;
        for (own, other) in self.samples.iter_mut().zip(other.samples.iter()) {
            *own += other;
        }
    }

    /// The units in a sample, or those of all members if none is named.
    pub(crate) fn of(&self, sample: Option<usize>) -> i64 {
        match sample {
            None => self.all,
            Some(sample) => self.samples.get(sample).copied().unwrap_or_default(),
        }
    }
}
