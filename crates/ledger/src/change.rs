//! Changes: what an entry changes that no rule gave, such as counts, progress and expiries.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::cap::Day;
use crate::holdings::{EarlyDelivery, Share};
use crate::task::Progress;
use crate::terms::HoldId;
use crate::{Units, WalletName};

const fn once() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_once(times: &u64) -> bool {
    *times == 1
}

impl Change {
    /// A rule or a reward of that name counts once more on a day.
    #[must_use]
    pub fn once(rule: &str, day: impl Into<Day>) -> Change {
        Change::Counted { rule: rule.to_owned(), day: day.into(), times: once() }
    }
}

/// A change that no rule gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A rule with a cap, or a reward with one, counts more.
    Counted {
        /// The name of the rule or the reward.
        rule: String,
        /// The day that it counts on.
        day: Day,
        /// How much: once, or the units that a rule has paid whose cap counts units.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        times: u64,
    },
    /// A count was undone.
    Uncounted {
        /// The name of the rule or the reward.
        rule: String,
        /// The day that it counted on.
        day: Day,
    },
    /// The progress of a task has changed.
    Progressed {
        /// The task.
        task: String,
        /// The progress after the entry.
        progress: Progress,
    },
    /// A grant has expired.
    GrantExpired {
        /// Its name.
        grant: String,
    },
    /// A hold has expired.
    HoldExpired {
        /// Its id.
        hold: HoldId,
    },
    /// A fraction of a unit is carried over to the rule's next payment.
    Carried {
        /// The name of the rule.
        rule: String,
        /// The fraction that is carried over from now on.
        #[serde(with = "rust_decimal::serde::str")]
        remainder: Decimal,
    },
    /// Units that were taken back had expired: nobody has them, and nobody owes them.
    Unrecoverable {
        /// The wallet.
        wallet: WalletName,
        /// The number of units.
        units: Units,
        /// Whether the wallet is that of the account that the member shares, instead of its own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        shared: bool,
    },
    /// Units that had expired are back: with the history as it is now, they have not.
    Revived {
        /// The wallet.
        wallet: WalletName,
        /// The number of units.
        units: Units,
        /// Whether the wallet is that of the account that the member shares, instead of its own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        shared: bool,
    },
    /// A delivery of an order that is not known is kept until the order comes.
    Awaited {
        /// The delivery.
        early: EarlyDelivery,
    },
    /// Deliveries that came before their order take effect, or are not kept any longer.
    Arrived {
        /// The deliveries.
        deliveries: Vec<EarlyDelivery>,
    },
    /// A delivery of pieces let go a share of what was pending on it.
    DeliveredInPart {
        /// The share.
        share: Share,
    },
    /// An activity was triggered by its day.
    Triggered {
        /// The kind of the activity.
        activity: String,
        /// The day.
        day: NaiveDate,
    },
}
