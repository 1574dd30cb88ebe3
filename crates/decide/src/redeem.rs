//! Redeem: the decision on a reward that a member takes at once, or took at a till without a network.

use ledger::{Decision, Member, Moment};

use crate::again::{Edit, Told, derive};
use crate::context::Context;
use crate::happen::{When, dated, redeemed};
use crate::pipeline::{Sharing, split, with_due_date};
use crate::refusal::{Refusal, Undecided};
use crate::reward::Redemption;

/// Decides on a reward that a member takes. `at` is when it was taken, if that was before it was sent:
/// then it is taken from what was there.
///
/// # Errors
/// The reward is unknown, not for this member, too expensive or sold out, its rule failed, it was
/// taken too long ago, or data is missing.
pub fn redeem(
    context: &Context<'_>,
    member: &Member,
    redemption: Redemption,
    at: Option<Moment>,
) -> Result<Decision, Undecided> {
    let happened_at = at.unwrap_or(context.now);
    ledger::earn::admit(member, happened_at, context.now)?;
    let then = match When::of(context, member, happened_at) {
        When::TooLate => return Err(Refusal::told_too_late(context, happened_at).into()),
        When::Late => {
            let told = Told::Redemption(redemption, happened_at);
            return Ok(derive(context, member, Edit::told(told))?.0);
        }
        When::InOrder(then) => Context { now: then, ..*context },
    };
    let sharing = Sharing { programme: context.programme(), account: member.account.as_ref() };
    let decision = split(&then, sharing, member, |member| redeemed(&then, member, redemption))?;
    let decision = match at {
        Some(at) => dated(decision, at).sent_at(context.now),
        None => decision,
    };
    Ok(with_due_date(context, decision))
}
