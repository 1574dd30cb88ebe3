//! Changes that no rule gave: counts, progress, what has expired.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::expiry::Inactivity;
use crate::holdings::History;
use crate::task::{Progress, Step};
use crate::terms::HoldId;
use crate::{Moment, Seq, Units, WalletName};

/// A change that no rule gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A rule that may act only so often has acted once more.
    Counted {
        /// Which rule.
        rule: String,
        /// In the period that began then.
        since: Moment,
    },
    /// It had acted, and that was undone.
    Uncounted {
        /// Which rule.
        rule: String,
        /// In the period that began then.
        since: Moment,
    },
    /// A task is further on, or back.
    Progressed {
        /// Which.
        task: String,
        /// What the entry counts for; after a return, what is left of that.
        step: Step,
        /// How far now.
        progress: Progress,
    },
    /// A grant has expired.
    GrantExpired {
        /// Which.
        grant: String,
    },
    /// A hold has expired.
    HoldExpired {
        /// Which.
        hold: HoldId,
    },
    /// A part of a unit is carried over to the rule's next payment.
    Carried {
        /// Which rule.
        rule: String,
        /// What is carried over from now on.
        #[serde(with = "rust_decimal::serde::str")]
        remainder: Decimal,
    },
    /// What the member has bought, after a return.
    PurchasesCorrected {
        /// All of it.
        history: History,
    },
    /// Units of an entry that is undone had expired: nothing was left to take back.
    Unrecoverable {
        /// Of which wallet.
        wallet: WalletName,
        /// How many.
        units: Units,
        /// Of which entry, by its number where the wallet is.
        of: Seq,
        /// It is the wallet of the account that the member shares, and not its own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        shared: bool,
        /// Of the lot that expired then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Moment>,
        /// How long it stayed after the last activity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inactivity: Option<Inactivity>,
    },
    /// An activity was triggered by its day.
    Triggered {
        /// Which.
        activity: String,
        /// Which day.
        day: NaiveDate,
    },
}
