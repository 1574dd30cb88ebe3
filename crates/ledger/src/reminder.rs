//! Reminders, and the record of those that a member has had, so that each is sent once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Moment, Units, WalletName};

/// One reminder to a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Reminder {
    /// Units will expire.
    Expiry {
        /// The wallet.
        wallet: WalletName,
        /// How many units expire on that day.
        units: Units,
        /// When the first of them expire.
        at: Moment,
        /// When the last of that day expire.
        until: Moment,
    },
    /// The member will lose its tier.
    Tier {
        /// The tier.
        tier: String,
        /// When, unless something more happens.
        at: Moment,
    },
    /// A task is nearly completed.
    Task {
        /// The task.
        task: String,
        /// How much is left to do.
        left: u32,
        /// The round that would be completed, from 1.
        round: u32,
    },
}

/// What a member has been reminded of, so that each reminder is sent once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reminded {
    /// By wallet: the spans of time, both ends included, whose expiries it was reminded of. Past
    /// spans are dropped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expiry: BTreeMap<WalletName, Vec<(Moment, Moment)>>,
    /// The moment of the loss of a tier that it was last reminded of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Moment>,
    /// By task: the last round that it was reminded of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, u32>,
}

impl Reminded {
    pub(crate) fn note(&mut self, reminder: &Reminder, now: Moment) {
        match reminder {
            Reminder::Expiry { wallet, at, until, .. } => {
                let reminded = self.expiry.entry(wallet.clone()).or_default();
                reminded.retain(|(_, until)| *until > now);
                reminded.push((*at, *until));
            }
            Reminder::Tier { at, .. } => self.tier = Some(*at),
            Reminder::Task { task, round, .. } => {
                self.tasks.insert(task.clone(), *round);
            }
        }
    }
}
