//! The terms of a lot: from when and until when it can be spent, and what it waits or is held for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::expiry::Inactivity;
use crate::{MemberId, Moment, Seq};

/// What tells lots apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// From when it can be spent; at once if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Moment>,
    /// The activity by which it can be spent, such as the delivery of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_on: Option<PendingOn>,
    /// The hold for which it is set aside, until it can be spent by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldId>,
    /// The first moment at which it is no longer there; it stays if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    /// How long it stays after the member was last active, where every activity puts its end off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactivity: Option<Inactivity>,
}

impl Terms {
    /// Can be spent at once, and lapses at a moment.
    #[must_use]
    pub fn until(expires_at: Option<Moment>) -> Terms {
        Terms { expires_at, ..Terms::default() }
    }

    /// It is set aside for a hold that has not passed.
    #[must_use]
    pub fn is_held(&self, now: Moment) -> bool {
        self.held.is_some() && self.is_not_yet_available(now)
    }

    /// It has run out, whether or not anyone has written that down. What is set aside does not run
    /// out before its hold does.
    #[must_use]
    pub fn is_expired(&self, now: Moment) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now) && !self.is_held(now)
    }

    /// It waits for its day, or for an activity.
    #[must_use]
    pub fn is_pending(&self, now: Moment) -> bool {
        let waits = self.pending_on.is_some() || self.is_not_yet_available(now);
        waits && self.held.is_none() && !self.is_expired(now)
    }

    /// It can be spent.
    #[must_use]
    pub fn is_spendable(&self, now: Moment) -> bool {
        !self.is_expired(now) && self.pending_on.is_none() && !self.is_not_yet_available(now)
    }

    /// The first moment at which there is something to write down of it.
    #[must_use]
    pub fn due_at(&self) -> Option<Moment> {
        let free_at = self.available_at.filter(|_| self.held.is_some());
        self.expires_at.map(|expires_at| free_at.map_or(expires_at, |at| expires_at.max(at)))
    }

    fn is_not_yet_available(&self, now: Moment) -> bool {
        self.available_at.is_some_and(|available_at| available_at > now)
    }

    /// The same terms as time has made them: what has come of age is told apart no more.
    #[must_use]
    pub fn matured(mut self, now: Moment) -> Terms {
        if !self.is_not_yet_available(now) {
            self.available_at = None;
            self.held = None;
        }
        self
    }

    /// The order in which lots are spent: the soonest to expire first, those that stay last.
    pub(crate) fn spend_order(&self) -> impl Ord + '_ {
        let Terms { available_at, pending_on, held, expires_at, inactivity } = self;
        (expires_at.is_none(), expires_at, available_at, pending_on, held, inactivity)
    }
}

/// An activity that a lot waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PendingOn {
    /// What kind of activity.
    pub activity: String,
    /// The id of what that one is `of`: an order's number.
    pub of: String,
    /// Days from there to the moment at which it can be spent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub days: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(days: &u32) -> bool {
    *days == 0
}

/// The name of a hold: unique among all that share a wallet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldId(String);

impl HoldId {
    /// The hold of a name, whether or not there is one.
    #[must_use]
    pub fn new(name: impl Into<String>) -> HoldId {
        HoldId(name.into())
    }

    /// The name of the hold that an entry makes: its number, and whose entry it is where others share
    /// the wallets.
    #[must_use]
    pub fn of(member: &MemberId, account: Option<&MemberId>, entry: Seq) -> HoldId {
        HoldId(match account {
            None => entry.to_string(),
            Some(_) => format!("{member}.{entry}"),
        })
    }

    /// The number of the entry that made it, if this is the name of a hold.
    #[must_use]
    pub fn entry(&self) -> Option<Seq> {
        let number = self.0.rsplit('.').next()?;
        number.parse().ok().map(Seq::new)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
