//! Recording what has expired.

use crate::decision::{Draft, GiveRejection};
use crate::holdings::GrantEnd;
use crate::{Change, Decision, EntryKind, Member, Moment, Posting, PostingReason, Programme};

/// Makes the entry that records the lots, grants and holds that have expired. Write it only if
/// [`Decision::says_something`] returns true, so that a second run over the same member changes
/// nothing.
///
/// # Errors
/// The entry does not follow from the member.
pub fn decide(
    member: &Member,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, GiveRejection> {
    let mut given = Draft::default();
    for (name, mut wallet) in member.at(now).wallets {
        for lot in wallet.take_expired(now) {
            given.postings.push(Posting::out_of_lot(name.clone(), lot, PostingReason::Expired));
        }
    }
    let is_expired = |end: &GrantEnd| end.moment().is_some_and(|end| end <= now);
    let expired = member.grants.iter().filter(|(_, end)| is_expired(end));
    given.changes =
        expired.map(|(grant, _)| Change::GrantExpired { grant: grant.clone() }).collect();
    given.decide(member, programme, EntryKind::Expire, now)
}

impl Decision {
    /// Whether the entry changes anything, for entries of the scheduled run.
    #[must_use]
    pub fn says_something(&self) -> bool {
        let entry = &self.entry;
        !entry.postings.is_empty() || !entry.changes.is_empty() || entry.tier_status.is_some()
    }
}
