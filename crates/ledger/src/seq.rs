//! The number of an entry.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of an entry in its member's history, from 1. It also names the version that the
/// entry made, and the member after the entry.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The number of a member that has no entry yet.
    pub const ENROLLED: Seq = Seq(0);
    /// The number of a member's first entry.
    pub const FIRST: Seq = Seq(1);

    /// A number that was stored or sent.
    #[must_use]
    pub const fn new(number: u64) -> Seq {
        Seq(number)
    }

    /// The number as an integer.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of the next entry. No member has so many entries that 64 bits overflow.
    #[must_use]
    pub const fn next(self) -> Seq {
        Seq(self.0 + 1)
    }

    /// The number before this one; `None` for [`Seq::ENROLLED`].
    #[must_use]
    pub const fn previous(self) -> Option<Seq> {
        match self.0.checked_sub(1) {
            Some(number) => Some(Seq(number)),
            None => None,
        }
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
