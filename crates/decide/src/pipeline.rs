//! What follows every decision: the tier, the account whose wallets the member shares, and the next
//! due date.

use std::sync::Arc;

use ledger::tier::settle;
use ledger::tier_status::TierStatus;
use ledger::{Decision, Member, MemberId, Programme};
use rules::RuleFailure;

use crate::context::Context;
use crate::refusal::Undecided;
use crate::schedule::due_at;
use crate::tier;

/// Decides on the wallets that the member shares, if it shares any, and splits the decision into the
/// member's part and the account's. Both get their next due date.
pub(crate) fn on_shared_wallets(
    context: &Context<'_>,
    member: &Member,
    decide: impl FnOnce(&Member) -> Result<Decision, Undecided>,
) -> Result<Decision, Undecided> {
    let sharing = Sharing { programme: context.programme(), account: member.account.as_ref() };
    on_wallets_shared_as(context, sharing, member, decide)
}

/// The wallets of which account a member shares, and which of them by which programme.
pub(crate) struct Sharing<'a> {
    pub(crate) programme: &'a Programme,
    pub(crate) account: Option<&'a MemberId>,
}

/// The same where the wallets are shared in another way than they are now.
pub(crate) fn on_wallets_shared_as(
    context: &Context<'_>,
    sharing: Sharing<'_>,
    member: &Member,
    decide: impl FnOnce(&Member) -> Result<Decision, Undecided>,
) -> Result<Decision, Undecided> {
    let Sharing { programme, account } = sharing;
    let now = context.now;
    let account = account.map(|account| context.data.member(account)).transpose()?.flatten();
    let decision = match account {
        None => decide(member)?,
        Some(account) => {
            let decision = decide(&ledger::account::view(member, account, programme, now))?;
            let decision = ledger::account::part(member, account, programme, decision, now)?;
            with_account_tier(context, decision, Some(account))?
        }
    };
    Ok(with_due_date(context, decision))
}

/// The decision with the tier that follows from it. The rules have seen the tier that held before,
/// `tier_status`, however late anyone writes it down; the entry records the change since the entry
/// before.
pub(crate) fn with_tier(
    context: &Context<'_>,
    tier_status: TierStatus,
    decision: Decision,
    before: &TierStatus,
) -> Result<Decision, RuleFailure> {
    let mut after = decision.member.clone();
    after.tier_status = tier_status;
    let tier_status = tier::tier_status(context.bundle, &Arc::new(after), context.now)?;
    Ok(settle(decision, before, tier_status))
}

/// The same for a decision on no rule of an activity or a reward: the member's tier is reviewed
/// first. A member that is forgotten has no tier.
pub(crate) fn with_tier_review(
    context: &Context<'_>,
    decision: Decision,
    member: &Member,
) -> Result<Decision, RuleFailure> {
    if member.erased_at.is_some() {
        return Ok(decision);
    }
    let tier_status = tier::tier_status(context.bundle, &Arc::new(member.clone()), context.now)?;
    with_tier(context, tier_status, decision, &member.tier_status)
}

/// The decision with the tier of the account that has a part in it.
pub(crate) fn with_account_tier(
    context: &Context<'_>,
    mut decision: Decision,
    account: Option<&Member>,
) -> Result<Decision, RuleFailure> {
    let others = std::mem::take(&mut decision.others).into_iter();
    let reviewed = others.map(|other| match account {
        Some(account) if account.id == other.member.id => with_tier_review(context, other, account),
        _ => Ok(other),
    });
    decision.others = reviewed.collect::<Result<_, _>>()?;
    Ok(decision)
}

/// The decision with the moment at which each member is due next.
pub(crate) fn with_due_date(context: &Context<'_>, mut decision: Decision) -> Decision {
    decision.due_at = due_at(context.bundle, &decision.member, context.now);
    for other in &mut decision.others {
        other.due_at = due_at(context.bundle, &other.member, context.now);
    }
    decision
}
