//! The counts of a replay that the table does not hold.

use std::collections::BTreeSet;

use ledger::Moment;

/// The counts of a replay that the table does not hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Activities accepted, repeats included.
    pub(crate) activities: u64,
    /// The repeats among them: activities that an earlier replay had sent.
    pub(crate) duplicates: u64,
    /// Lines that were refused.
    pub(crate) rejected: u64,
    /// The first refusals, in words.
    pub(crate) refusals: Vec<String>,
    /// The moments at which the earned units and grants expire, according to the answers.
    pub(crate) expiries: BTreeSet<Moment>,
}

/// The most refusals that are printed one by one; the others are counted.
const REFUSALS_TOLD_MAX: usize = 20;

impl Counts {
    pub(crate) fn reject(&mut self, refusal: String) {
        self.rejected += 1;
        if self.refusals.len() < REFUSALS_TOLD_MAX {
            self.refusals.push(refusal);
        }
    }

    pub(crate) fn add(&mut self, other: Counts) {
        self.activities += other.activities;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
        self.expiries.extend(other.expiries);
        let room = REFUSALS_TOLD_MAX.saturating_sub(self.refusals.len());
        self.refusals.extend(other.refusals.into_iter().take(room));
    }

    /// Prints the refusals to the standard error.
    pub(crate) fn tell(&self) {
        for refusal in &self.refusals {
            eprintln!("refused: {refusal}");
        }
        let untold = self.rejected.saturating_sub(self.refusals.len() as u64);
        if untold > 0 {
            eprintln!("refused: {untold} more");
        }
    }
}
