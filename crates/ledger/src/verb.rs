//! The verbs: what makes an entry, and the name of each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What makes an entry: a client's request, the scheduled run, or another member's request that
/// moves units in this member's wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// A member did something.
    Earn,
    /// A member redeems a reward.
    Redeem,
    /// A reward is held.
    Hold,
    /// A held reward is paid.
    Capture,
    /// A held reward is given up.
    Release,
    /// An entry is undone.
    Reverse,
    /// Activities are judged again with a rule that has been mended.
    Rejudge,
    /// Units are given or taken by hand.
    Adjust,
    /// Units move from one member to another.
    Transfer,
    /// A member starts to share the wallets of an account.
    Join,
    /// A member uses its own wallets again.
    Leave,
    /// A member that shares this one's wallets has joined, left or moved units in them.
    Share,
    /// What has expired is recorded.
    Expire,
    /// A member is reminded.
    Remind,
    /// A person's data is erased.
    Erase,
}

impl Verb {
    /// The verb's name in paths, answers, statements and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Earn => "earn",
            Verb::Redeem => "redeem",
            Verb::Hold => "hold",
            Verb::Capture => "capture",
            Verb::Release => "release",
            Verb::Reverse => "reverse",
            Verb::Rejudge => "rejudge",
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
