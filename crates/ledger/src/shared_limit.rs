//! What many members share. It is held outside of any member, in parts so that no item of the
//! table is hot, and a decision only says what it takes from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Units;

/// Something of which there is only so much for all members together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedLimit {
    /// Pieces of a reward.
    Stock(String),
    /// Units of a campaign.
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

/// What one entry takes from a pot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// From which.
    pub limit: SharedLimit,
    /// How much.
    pub units: Units,
}

/// What is known of a pot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// So many can be taken.
    pub units: Units,
    /// Whether that is all there is. A pot lies in parts, and mostly one of them is enough.
    pub is_all: bool,
}

impl Remaining {
    /// All that is left.
    #[must_use]
    pub fn all(units: Units) -> Remaining {
        Remaining { units, is_all: true }
    }
}

/// What is known of a pool of codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// Codes that nobody has.
    pub codes: Vec<String>,
    /// Whether those are all there are.
    pub is_all: bool,
}

impl Codes {
    /// All that are left.
    #[must_use]
    pub fn all(codes: Vec<String>) -> Codes {
        Codes { codes, is_all: true }
    }
}
