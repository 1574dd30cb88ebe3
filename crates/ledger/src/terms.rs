//! The terms of a lot: from when and until when its units can be spent, what they are pending on,
//! and which hold they are held for.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::expiry::Inactivity;
use crate::{MemberId, Moment, Seq};

/// The terms of a lot. A wallet merges lots of equal terms, so they also identify a lot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// The first moment at which it can be spent; `None` if at once. For a held lot, the moment at
    /// which its hold expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Moment>,
    /// The activity that it is pending on, such as the delivery of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_on: Option<PendingOn>,
    /// The hold that it is held for, until `available_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldId>,
    /// The first moment at which it has expired; `None` if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    /// How long it stays after the member was last active, if every activity extends its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactivity: Option<Inactivity>,
    /// What one unit is worth in the programme's currency, by the rules that gave it; `None` if they
    /// did not say. A later worth is that of later lots, so that a closed month stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<Decimal>,
}

impl Terms {
    /// The terms of a lot that can be spent at once and expires at a moment, or never.
    #[must_use]
    pub fn until(expires_at: Option<Moment>) -> Terms {
        Terms { expires_at, ..Terms::default() }
    }

    /// Whether it is held, by a hold that has not expired.
    #[must_use]
    pub fn is_held(&self, now: Moment) -> bool {
        self.held.is_some() && self.is_not_yet_available(now)
    }

    /// Whether it has expired, recorded by an entry or not. A held lot does not expire before its
    /// hold does.
    #[must_use]
    pub fn is_expired(&self, now: Moment) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now) && !self.is_held(now)
    }

    /// Whether it is pending, until a moment or until an activity.
    #[must_use]
    pub fn is_pending(&self, now: Moment) -> bool {
        let waits = self.pending_on.is_some() || self.is_not_yet_available(now);
        waits && self.held.is_none() && !self.is_expired(now)
    }

    /// Whether it can be spent.
    #[must_use]
    pub fn is_spendable(&self, now: Moment) -> bool {
        !self.is_expired(now) && self.pending_on.is_none() && !self.is_not_yet_available(now)
    }

    /// The first moment at which its expiry has to be recorded; `None` if it never expires.
    #[must_use]
    pub fn due_at(&self) -> Option<Moment> {
        let free_at = self.available_at.filter(|_| self.held.is_some());
        self.expires_at.map(|expires_at| free_at.map_or(expires_at, |at| expires_at.max(at)))
    }

    fn is_not_yet_available(&self, now: Moment) -> bool {
        self.available_at.is_some_and(|available_at| available_at > now)
    }

    /// The same terms at `now`: without `available_at` and `held` if that moment has come, so that
    /// lots which differ only in a past moment merge.
    #[must_use]
    pub fn matured(mut self, now: Moment) -> Terms {
        if !self.is_not_yet_available(now) {
            self.available_at = None;
            self.held = None;
        }
        self
    }

    /// The order in which lots are spent: the soonest to expire first, those that never do last.
    pub(crate) fn spend_order(&self) -> impl Ord + '_ {
        let Terms { available_at, pending_on, held, expires_at, inactivity, worth } = self;
        (expires_at.is_none(), expires_at, available_at, pending_on, held, inactivity, worth)
    }
}

/// An activity that a lot is pending on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PendingOn {
    /// The kind of the activity, such as `delivery`.
    pub activity: String,
    /// The id that the activity has in its `of`: the order's number.
    pub of: String,
    /// Days of 24 hours from that activity until the lot can be spent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub days: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(days: &u32) -> bool {
    *days == 0
}

/// The name of a hold, unique among all members that share a wallet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldId(String);

impl HoldId {
    /// The id with that name. Such a hold need not exist.
    #[must_use]
    pub fn new(name: impl Into<String>) -> HoldId {
        HoldId(name.into())
    }

    /// The id of the hold that a member's entry makes: the entry's number, with the member's name
    /// before it if the member shares the wallets of an account.
    #[must_use]
    pub fn of(member: &MemberId, account: Option<&MemberId>, entry: Seq) -> HoldId {
        HoldId(match account {
            None => entry.to_string(),
            Some(_) => format!("{member}.{entry}"),
        })
    }

    /// The number of the entry that made the hold; `None` if no hold can have this name.
    #[must_use]
    pub fn entry(&self) -> Option<Seq> {
        let number = self.0.rsplit('.').next()?;
        number.parse().ok().map(Seq::new)
    }

    /// The name as text.
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
