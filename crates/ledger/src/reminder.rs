//! What members are reminded of, and what of it they have been told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Moment, Units, WalletName};

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Reminder {
    /// Units expire.
    Expiry {
        /// Of which wallet.
        wallet: WalletName,
        /// How many, on that day.
        units: Units,
        /// When the first of them do.
        at: Moment,
        /// When the last of that day do.
        until: Moment,
    },
    /// A tier is lost.
    Tier {
        /// Which.
        tier: String,
        /// When, should nothing more happen.
        at: Moment,
    },
    /// A task is nearly done.
    Task {
        /// Which.
        task: String,
        /// How much is left.
        left: u32,
        /// For which time it would be completed, from 1.
        round: u32,
    },
}

/// What a member has been reminded of, so that it comes once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reminded {
    /// By wallet: of what expires between two moments, both included, that are still to come.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expiry: BTreeMap<WalletName, Vec<(Moment, Moment)>>,
    /// Of a tier that is lost then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Moment>,
    /// By task: up to which round.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, u32>,
}

impl Reminded {
    pub(crate) fn note(&mut self, reminder: &Reminder, now: Moment) {
        match reminder {
            Reminder::Expiry { wallet, at, until, .. } => {
                let told = self.expiry.entry(wallet.clone()).or_default();
                told.retain(|(_, until)| *until > now);
                told.push((*at, *until));
            }
            Reminder::Tier { at, .. } => self.tier = Some(*at),
            Reminder::Task { task, round, .. } => {
                self.tasks.insert(task.clone(), *round);
            }
        }
    }
}
