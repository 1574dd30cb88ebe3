//! Shared limits and pools of codes: what all members share. They are stored outside of members, in
//! parts so that no item of the table is hot. A decision only says what it takes from them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Units;

/// A limit that all members share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedLimit {
    /// The stock of a reward, by the reward's name, in pieces.
    Stock(String),
    /// The budget of a campaign, by the campaign's name, in units of the main wallet.
    Budget(String),
}

impl fmt::Display for SharedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SharedLimit::Stock(reward) => write!(f, "the stock of `{reward}`"),
            SharedLimit::Budget(campaign) => write!(f, "the budget of `{campaign}`"),
        }
    }
}

/// A withdrawal: what one entry takes from a shared limit, or puts back into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The shared limit.
    pub limit: SharedLimit,
    /// The number of units or pieces.
    pub units: Units,
}

/// What is known to be left of a shared limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// The units that can be taken.
    pub units: Units,
    /// Whether these are all that are left. One of the limit's parts is usually enough, and then
    /// only that one is read.
    pub is_all: bool,
}

impl Remaining {
    /// The units, when they are all that are left.
    #[must_use]
    pub fn all(units: Units) -> Remaining {
        Remaining { units, is_all: true }
    }
}

/// The codes that are known to be in a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// Free codes.
    pub codes: Vec<String>,
    /// Whether these are all that are left.
    pub is_all: bool,
}

impl Codes {
    /// The codes, when they are all that are left.
    #[must_use]
    pub fn all(codes: Vec<String>) -> Codes {
        Codes { codes, is_all: true }
    }
}
