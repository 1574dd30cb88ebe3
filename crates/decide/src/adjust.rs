//! Adjust: an operator gives units to a member, or takes them.

use ledger::adjust::Adjustment;
use ledger::{Decision, Member, Moment};

use crate::again::{Edit, Told, derive};
use crate::context::Context;
use crate::happen::{When, adjusted, dated};
use crate::pipeline::{Sharing, split, with_due_date};
use crate::refusal::{Refusal, Undecided};

/// Decides on an adjustment by an operator. `at` is when it happened, if that was before it was sent.
///
/// # Errors
/// The units cannot be given or taken, it happened too long ago, a tier's condition failed, or data is
/// missing.
pub fn adjust(
    context: &Context<'_>,
    member: &Member,
    adjustment: Adjustment,
    at: Option<Moment>,
) -> Result<Decision, Undecided> {
    let happened_at = at.unwrap_or(context.now);
    ledger::earn::admit(member, happened_at, context.now)?;
    let then = match When::of(context, member, happened_at) {
        When::TooLate => return Err(Refusal::told_too_late(context, happened_at).into()),
        When::Late => {
            let told = Told::Adjustment(adjustment, happened_at);
            return Ok(derive(context, member, Edit::told(told))?.0);
        }
        When::InOrder(then) => Context { now: then, ..*context },
    };
    let sharing = Sharing { programme: context.programme(), account: member.account.as_ref() };
    let decision = split(&then, sharing, member, |member| adjusted(&then, member, adjustment))?;
    let decision = match at {
        Some(at) => dated(decision, at).sent_at(context.now),
        None => decision,
    };
    Ok(with_due_date(context, decision))
}
