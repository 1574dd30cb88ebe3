//! Changes: what an entry changes that no rule gave, such as counts, progress and expiries.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::cap::Day;
use crate::expiry::Inactivity;
use crate::holdings::{EarlyDelivery, History, Share};
use crate::task::{Progress, Step};
use crate::terms::HoldId;
use crate::{Moment, Seq, Units, WalletName};

/// A change that no rule gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A rule with a cap, or a reward with one, counts once more.
    Counted {
        /// The title of the rule, or the name of the reward.
        rule: String,
        /// The day that it counts on.
        #[serde(rename = "since")]
        day: Day,
    },
    /// A count was undone.
    Uncounted {
        /// The title of the rule, or the name of the reward.
        rule: String,
        /// The day that it counted on.
        #[serde(rename = "since")]
        day: Day,
    },
    /// The progress of a task has changed.
    Progressed {
        /// The task.
        task: String,
        /// What the entry counts towards it; after a return, what is left of that.
        step: Step,
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
        /// The title of the rule.
        rule: String,
        /// The fraction that is carried over from now on.
        #[serde(with = "rust_decimal::serde::str")]
        remainder: Decimal,
    },
    /// The member's purchases were corrected after a return.
    PurchasesCorrected {
        /// What it has bought from now on.
        history: History,
    },
    /// Units of a reversed entry are unrecoverable: they expired before they could be taken back.
    Unrecoverable {
        /// The wallet.
        wallet: WalletName,
        /// The number of units.
        units: Units,
        /// The number of the reversed entry, in the history of the wallet's owner.
        of: Seq,
        /// Whether the wallet is that of the account that the member shares, instead of its own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        shared: bool,
        /// When their lot expired.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Moment>,
        /// The inactivity after which the lot expired, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inactivity: Option<Inactivity>,
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
