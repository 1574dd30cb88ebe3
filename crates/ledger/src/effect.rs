//! What a rule can give, and what of it can be taken back.

use serde::{Deserialize, Serialize};

use crate::holdings::GrantEnd;
use crate::{MemberId, Seq, Units, WalletName};

/// What a rule gave, or what was taken back of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Units.
    Units {
        /// Into which wallet.
        wallet: WalletName,
        /// How many.
        units: Units,
    },
    /// Units that the rule had given, taken back.
    Reclaim {
        /// Of which wallet.
        wallet: WalletName,
        /// How many.
        units: Units,
    },
    /// A right.
    Grant {
        /// Its name.
        grant: String,
        /// Its end.
        until: GrantEnd,
    },
    /// A right taken back.
    Revoke {
        /// Its name.
        grant: String,
    },
    /// A mark.
    Tag {
        /// Its name.
        tag: String,
    },
    /// A mark taken off.
    Untag {
        /// Its name.
        tag: String,
    },
    /// A code from a pool.
    Voucher {
        /// Which pool.
        pool: String,
        /// The code.
        code: String,
    },
    /// A code that the rule had given, and that is no longer valid.
    Void {
        /// Which pool it came from.
        pool: String,
        /// The code.
        code: String,
    },
    /// The activity was a `referral` for the member who brought this one.
    Referral {
        /// Who.
        referrer: MemberId,
        /// That member's entry of it.
        entry: Seq,
    },
    /// Units of a contest's score.
    Score {
        /// Which contest.
        contest: String,
        /// How many more.
        units: Units,
    },
    /// Units of a contest's score, taken back.
    Unscore {
        /// Which contest.
        contest: String,
        /// How many fewer.
        units: Units,
    },
}
