//! The verbs: what makes an entry.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What makes an entry: a request of a client, the scheduled run, or a member who shares a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// A member did something.
    Earn,
    /// A reward is taken.
    Redeem,
    /// A reward is held.
    Hold,
    /// A held reward is taken.
    Capture,
    /// A held reward is let go.
    Release,
    /// An entry is undone.
    Reverse,
    /// Units are given or taken by hand.
    Adjust,
    /// Units go from one member to another.
    Transfer,
    /// A member shares the wallets of an account.
    Join,
    /// A member has its own wallets again.
    Leave,
    /// A member that shares this one's wallets has moved units in them.
    Share,
    /// What has expired is written down.
    Expire,
    /// A member is reminded.
    Remind,
    /// A person is forgotten.
    Erase,
}

impl Verb {
    /// Its name in paths, answers, statements and figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Earn => "earn",
            Verb::Redeem => "redeem",
            Verb::Hold => "hold",
            Verb::Capture => "capture",
            Verb::Release => "release",
            Verb::Reverse => "reverse",
            Verb::Adjust => "adjust",
            Verb::Transfer => "transfer",
            Verb::Join => "join",
            Verb::Leave => "leave",
            Verb::Share => "share",
            Verb::Expire => "expire",
            Verb::Remind => "remind",
            Verb::Erase => "erase",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
