//! Join and leave: a member joins an account and shares its wallets from then on, or leaves it.

use ledger::{Decision, Member, MemberId};

use crate::context::Context;
use crate::pipeline::{with_account_tier, with_due_date, with_tier_review};
use crate::refusal::{Refusal, Undecided};

/// Decides that a member joins an account.
///
/// # Errors
/// The member cannot join, a tier's condition failed, or data is missing.
pub fn join(
    context: &Context<'_>,
    member: &Member,
    account: &MemberId,
) -> Result<Decision, Undecided> {
    member.present()?;
    let unknown = || Refusal::AccountIsUnknown(account.clone());
    let account = context.data.member(account)?.ok_or_else(unknown)?;
    let decision = ledger::account::join(member, account, context.programme(), context.now)?;
    let decision = with_tier_review(context, decision, member)?;
    Ok(with_due_date(context, with_account_tier(context, decision, Some(account))))
}

/// Decides that a member leaves its account and has its own wallets again.
///
/// # Errors
/// The member shares no account's wallets, a tier's condition failed, or data is missing.
pub fn leave(context: &Context<'_>, member: &Member) -> Result<Decision, Undecided> {
    let account = context.data.account(member)?;
    let decision = ledger::account::leave(member, account, context.programme(), context.now)?;
    let decision = with_tier_review(context, decision, member)?;
    Ok(with_due_date(context, with_account_tier(context, decision, account)))
}
