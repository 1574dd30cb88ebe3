//! When a member is due next: the first moment at which anything happens to it by itself.

use std::sync::Arc;

use ledger::{Member, Moment, Seq};
use rules::Bundle;

use crate::recurrence::recurrence;
use crate::reminders::{reminders, tier_ahead, tier_reminder};
use crate::tier;

/// When a member is due next; never if nothing. Where a rule fails nobody knows, and the member is
/// due at once, so that the run says so.
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

/// Whether a member is due earlier by these rules than it is scheduled, or in another tier than is
/// written down, as far as anybody knows. A member that is due later is looked at once in vain.
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
    // A member without an entry is in the first tier although nobody has written that down.
    let has_begun = member.seq > Seq::ENROLLED && member.erased_at.is_none();
    let tier_status = tier::tier_status(bundle, &Arc::new(member.clone()), now);
    has_begun && tier_status.map_or(true, |tier_status| tier_status.tier != member.tier_status.tier)
}
