//! The steps after every decision: the tier that follows, the split between the member and the
//! account whose wallets it shares, and the next due date.

use std::sync::Arc;

use ledger::tier::settle;
use ledger::tier_status::TierStatus;
use ledger::{Decision, Member, MemberId, Programme};
use rules::RuleFailure;

use crate::context::Context;
use crate::failures::Failures;
use crate::refusal::Undecided;
use crate::schedule::due_at;
use crate::tier;

/// Runs `decide` with the account's wallets in the member, if it shares any, and splits the
/// decision into the member's part and the account's. Both get their next due date.
pub(crate) fn on_shared_wallets(
    context: &Context<'_>,
    member: &Member,
    decide: impl FnOnce(&Member) -> Result<Decision, Undecided>,
) -> Result<Decision, Undecided> {
    let sharing = Sharing { programme: context.programme(), account: member.account.as_ref() };
    on_wallets_shared_as(context, sharing, member, decide)
}

/// How a member shares wallets: the account that owns them, and the programme that says which
/// wallets are shared.
#[derive(Clone, Copy)]
pub(crate) struct Sharing<'a> {
    pub(crate) programme: &'a Programme,
    pub(crate) account: Option<&'a MemberId>,
}

/// Does the same as [`on_shared_wallets`] with an explicit sharing, which may differ from today's.
pub(crate) fn on_wallets_shared_as(
    context: &Context<'_>,
    sharing: Sharing<'_>,
    member: &Member,
    decide: impl FnOnce(&Member) -> Result<Decision, Undecided>,
) -> Result<Decision, Undecided> {
    Ok(with_due_date(context, split(context, sharing, member, decide)?))
}

/// Does the same without the due dates.
pub(crate) fn split(
    context: &Context<'_>,
    sharing: Sharing<'_>,
    member: &Member,
    decide: impl FnOnce(&Member) -> Result<Decision, Undecided>,
) -> Result<Decision, Undecided> {
    let Sharing { programme, account } = sharing;
    let now = context.now;
    let account = account.map(|account| context.data.member(account)).transpose()?.flatten();
    match account {
        None => decide(member),
        Some(account) => {
            let decision = decide(&ledger::account::view(member, account, programme, now))?;
            let decision = ledger::account::part(member, account, programme, decision, now)?;
            Ok(with_account_tier(context, decision, Some(account)))
        }
    }
}

/// Adds the tier that follows from a decision. `tier_status` is the status that the rules saw; it
/// may not be stored yet. `before` is the status of the member's last entry; the new entry records
/// the change from it.
pub(crate) fn with_tier(
    context: &Context<'_>,
    tier_status: TierStatus,
    decision: Decision,
    before: &TierStatus,
) -> Result<Decision, RuleFailure> {
    with_tier_noted(context, tier_status, decision, before, Failures::of(context))
}

/// Does the same as [`with_tier`], and adds the notes of what has failed so far. If a tier's
/// condition fails, the member keeps the stored tier.
pub(crate) fn with_tier_noted(
    context: &Context<'_>,
    tier_status: TierStatus,
    decision: Decision,
    before: &TierStatus,
    mut failures: Failures,
) -> Result<Decision, RuleFailure> {
    let mut after = decision.member.clone();
    after.tier_status = tier_status;
    let followed = tier::reviewed(context.bundle, &Arc::new(after), context.now).map(Some);
    let mut decision = match failures.or(followed, || None)? {
        Some(followed) => settle(decision, before, followed),
        None => decision,
    };
    decision.entry.notes.append(&mut failures.notes);
    Ok(decision)
}

/// Reviews the member's tier, and then does the same as [`with_tier`]. An erased member has no
/// tier.
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

/// Adds the tier of the account to the account's part of a decision, if there is an account. If a
/// tier's condition fails, the account keeps its tier, and its entry notes the failure: what a
/// member does must not fail by it.
pub(crate) fn with_account_tier(
    context: &Context<'_>,
    mut decision: Decision,
    account: Option<&Member>,
) -> Decision {
    let others = std::mem::take(&mut decision.others).into_iter();
    let reviewed = others.map(|mut other| match account {
        Some(account) if account.id == other.member.id => {
            // Others may have told of something later already.
            let context = Context { now: context.now.max(account.happened_at), ..*context };
            match with_tier_review(&context, other.clone(), account) {
                Ok(reviewed) => reviewed,
                Err(failure) => {
                    other.entry.notes.push(failure.note());
                    other
                }
            }
        }
        _ => other,
    });
    decision.others = reviewed.collect();
    decision
}

/// Adds the next due date of each member to a decision.
pub(crate) fn with_due_date(context: &Context<'_>, mut decision: Decision) -> Decision {
    decision.due_at = due_at(context.bundle, &decision.member, context.now);
    for other in &mut decision.others {
        other.due_at = due_at(context.bundle, &other.member, context.now);
    }
    decision
}
