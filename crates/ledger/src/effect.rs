//! Effects: what a rule can give, and how each is taken back; and reasons, which say what a rule gave.

use serde::{Deserialize, Serialize};

use crate::holdings::GrantEnd;
use crate::{MemberId, Seq, Units, WalletName};

/// An effect: what a rule gave, or what was taken back of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Units.
    Units {
        /// The wallet.
        wallet: WalletName,
        /// The number of units.
        units: Units,
    },
    /// Units that the rule had given, taken back.
    Reclaim {
        /// The wallet.
        wallet: WalletName,
        /// The number of units.
        units: Units,
    },
    /// A grant.
    Grant {
        /// Its name.
        grant: String,
        /// Its end.
        until: GrantEnd,
    },
    /// A grant taken back.
    Revoke {
        /// Its name.
        grant: String,
    },
    /// A tag.
    Tag {
        /// Its name.
        tag: String,
    },
    /// A tag taken off.
    Untag {
        /// Its name.
        tag: String,
    },
    /// A code from a pool.
    Voucher {
        /// The pool.
        pool: String,
        /// The code.
        code: String,
        /// Whether the member has it already, from a round that is no longer complete.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A code that the rule had given and that is no longer valid.
    Void {
        /// The pool that it came from.
        pool: String,
        /// The code.
        code: String,
    },
    /// The member's referrer got a `referral` for the activity.
    Referral {
        /// The referrer.
        referrer: MemberId,
        /// The number of the referrer's entry.
        entry: Seq,
    },
    /// Units added to a score.
    Score {
        /// The contest.
        contest: String,
        /// The number of units.
        units: Units,
    },
    /// Units taken back from a score.
    Unscore {
        /// The contest.
        contest: String,
        /// The number of units.
        units: Units,
    },
}

/// A rule and one effect that it gave. A rule that gives several effects has a reason for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The title of the rule.
    pub rule: String,
    /// The file and line of the rule, such as `earn.rhai:3`.
    pub source: String,
    /// The effect.
    #[serde(flatten)]
    pub effect: Effect,
}
