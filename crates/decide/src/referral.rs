//! Referral: what a friend's activity gives the friend's referrer, and what is taken back of that with
//! the friend's purchase.

use ledger::activity::{FRIEND, REFERRAL};
use ledger::{Activity, FieldValue, Member};

/// What follows for a member's referrer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Referrals {
    /// The referrer's activities, of the type `referral`.
    pub told: Vec<Activity>,
    /// The activities of that type that are taken back.
    pub undone: Vec<Activity>,
}

/// The referral that a friend's activity gives the friend's referrer.
pub(crate) fn referral(friend: &Member, referrer: &Member, activity: &Activity) -> Activity {
    Activity {
        // It is not the number of the friend's order, which is private to the friend.
        id: format!("{} {}", friend.id, friend.seq.next()),
        kind: REFERRAL.to_owned(),
        // The referrer may have joined after the time that the activity states.
        at: activity.at.max(referrer.enrolled_at),
        of: None,
        order: None,
        channel: None,
        payment: None,
        fields: [(FRIEND.to_owned(), FieldValue::Text(friend.id.to_string()))].into(),
    }
}
