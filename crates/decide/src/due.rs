//! The expiry run for one member: it records what has expired, triggers activities by their day,
//! and reminds.

use ledger::decision::Draft;
use ledger::{Decision, EntryKind, Member};

use crate::context::Context;
use crate::earn::earn;
use crate::pipeline::{with_due_date, with_tier_review};
use crate::recurrence::triggered;
use crate::refusal::{Refusal, Undecided};
use crate::reminders::due_reminders;
use crate::schedule::is_due_earlier;

/// The next decision that is due for a member; nothing if nothing is due. Expiries come first, then
/// triggered activities, then reminders. A rule that fails does not stop the rest.
///
/// # Errors
/// A rule failed and nothing else is due, or data is missing.
pub fn next_due(context: &Context<'_>, member: &Member) -> Result<Option<Decision>, Undecided> {
    let Context { bundle, data, now, .. } = *context;
    let mut failed: Option<Refusal> = None;
    let expired = ledger::expire::decide(member, context.programme(), now)?;
    // Expiries are recorded even if a tier's condition fails.
    let decision = with_tier_review(context, expired.clone(), member).unwrap_or_else(|failure| {
        failed = Some(failure.into());
        expired
    });
    if decision.says_something() {
        let mut decision = with_due_date(context, decision);
        if failed.is_some() {
            // The run visits the member again at once, and then reports the failure.
            decision.due_at = Some(now);
        }
        return Ok(Some(decision));
    }
    if member.erased_at.is_none() {
        for event in triggered(bundle, member, now) {
            match earn(context, member, event) {
                Ok(decision) => return Ok(Some(decision)),
                Err(Undecided::NeedsData(missing)) => return Err(missing.into()),
                Err(Undecided::Refused(refusal)) => failed = failed.or(Some(refusal)),
            }
        }
        let (reminders, failure) = due_reminders(bundle, member, now);
        failed = failed.or(failure.map(Refusal::from));
        if !reminders.is_empty() {
            let kind = EntryKind::Remind { reminders };
            let decision = Draft::default().decide(member, context.programme(), kind, now)?;
            return Ok(Some(with_due_date(context, decision)));
        }
        if let Some(failed) = failed {
            return Err(failed.into());
        }
    }
    // Earlier rules scheduled the member. Reschedule it by the rules in force.
    let is_due = data.due_at.is_some_and(|due_at| due_at <= now);
    Ok(is_due.then(|| with_due_date(context, decision)))
}

/// Reschedules a member that is due earlier by the rules in force than it is scheduled, or whose
/// tier differs from the stored one; nothing for any other member.
///
/// # Errors
/// A tier's condition failed, or the entry does not follow from the member.
pub fn schedule(context: &Context<'_>, member: &Member) -> Result<Option<Decision>, Undecided> {
    if !is_due_earlier(context.bundle, member, context.data.due_at, context.now) {
        return Ok(None);
    }
    let decision = ledger::expire::decide(member, context.programme(), context.now)?;
    let decision = with_tier_review(context, decision, member)?;
    Ok(Some(with_due_date(context, decision)))
}

/// Records what has expired by now; nothing if there is nothing to record.
///
/// # Errors
/// A tier's condition failed, or the entry does not follow from the member.
pub fn expire(context: &Context<'_>, member: &Member) -> Result<Option<Decision>, Undecided> {
    let expired = ledger::expire::decide(member, context.programme(), context.now)?;
    let decision = with_tier_review(context, expired, member)?;
    Ok(decision.says_something().then(|| with_due_date(context, decision)))
}
