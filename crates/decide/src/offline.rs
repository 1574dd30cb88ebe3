//! Deeds with a moment: a till without a network tells of them later.

use ledger::{Decision, Member, Moment};

use crate::again::{Edit, Told, derive};
use crate::context::Context;
use crate::deed::{Deed, dated};
use crate::happen::When;
use crate::pipeline::{Sharing, split, with_due_date};
use crate::refusal::{Refusal, Undecided};
use crate::reward::{Redemption, can_be_late};

/// Does a deed as of the moment when it was done, if that was before it was sent.
///
/// # Errors
/// It cannot be done, it was done too long ago, or data is missing.
pub(crate) fn done_at(
    context: &Context<'_>,
    member: &Member,
    deed: Deed,
    at: Option<Moment>,
) -> Result<Decision, Undecided> {
    let happened_at = at.unwrap_or(context.now);
    ledger::earn::admit(member, happened_at, context.now)?;
    let then = match When::of(context, member, happened_at) {
        When::TooLate => return Err(Refusal::told_too_late(context, happened_at).into()),
        When::Late => {
            if let Deed::Redemption(Redemption { reward, .. }) = &deed {
                can_be_late(context, member, reward, happened_at)?;
            }
            let edit = Edit::told(Told::Deed(deed, happened_at));
            return Ok(derive(context, member, edit)?.0);
        }
        When::InOrder(then) => Context { now: then, ..*context },
    };
    let sharing = Sharing { programme: context.programme(), account: member.account.as_ref() };
    let decision = split(&then, sharing, member, |member| deed.done(&then, member))?;
    let decision = match at {
        Some(at) => dated(decision, at).sent_at(context.now),
        None => decision,
    };
    Ok(with_due_date(context, decision))
}
