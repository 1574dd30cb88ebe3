//! The next due date of a member: the first moment at which time alone changes something for it.

use std::sync::Arc;

use ledger::{Member, Moment, Seq};
use rules::Bundle;

use crate::recurrence::recurrence;
use crate::reminders::{reminders, tier_ahead, tier_reminder};
use crate::tier;

/// The next due date of a member; nothing if it is never due. If a tier's condition fails, the
/// member is due at once, so that the run reports the failure.
#[must_use]
pub fn due_at(bundle: &Bundle, member: &Member, now: Moment) -> Option<Moment> {
    let mut due: Vec<Moment> = member.due_at().into_iter().collect();
    if member.erased_at.is_none() {
        due.extend(recurrence(bundle, member, now).into_iter().map(|(at, ..)| at));
        due.extend(reminders(bundle, member, now).into_iter().map(|(at, _)| at));
        match tier_ahead(bundle, member, now) {
            Ok(ahead) => {
                due.extend(ahead.review_at);
                due.extend(tier_reminder(bundle, member, ahead).map(|(at, _)| at));
            }
            Err(_) => due.push(now),
        }
    }
    due.into_iter().min()
}

/// Whether a member is due earlier by these rules than it is scheduled, or its tier differs from
/// the stored one, or a tier's condition fails. A member that is due later by these rules stays as
/// scheduled; the run then visits it once in vain.
#[must_use]
pub fn is_due_earlier(
    bundle: &Bundle,
    member: &Member,
    scheduled: Option<Moment>,
    now: Moment,
) -> bool {
    let due_at = due_at(bundle, member, now);
    if due_at.is_some_and(|due_at| scheduled.is_none_or(|scheduled| due_at < scheduled)) {
        return true;
    }
    // A member without an entry may qualify for a tier already; its first entry records that.
    let has_begun = member.seq > Seq::ENROLLED && member.erased_at.is_none();
    let tier_status = tier::tier_status(bundle, &Arc::new(member.clone()), now);
    has_begun && tier_status.map_or(true, |tier_status| tier_status.tier != member.tier_status.tier)
}
