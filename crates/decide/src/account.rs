//! A member joins an account, whose wallets it shares from then on, or leaves it.

use ledger::{Decision, Member, MemberId};

use crate::context::Context;
use crate::pipeline::{with_account_tier, with_due_date, with_tier_review};
use crate::refusal::{Refusal, Undecided};

/// What sharing another member's wallets changes.
///
/// # Errors
/// The member cannot join, or data has to be loaded first.
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
    Ok(with_due_date(context, with_account_tier(context, decision, Some(account))?))
}

/// What having its own wallets again changes for a member.
///
/// # Errors
/// It shares nobody's wallets, or data has to be loaded first.
pub fn leave(context: &Context<'_>, member: &Member) -> Result<Decision, Undecided> {
    let account = context.data.account(member)?;
    let decision = ledger::account::leave(member, account, context.programme(), context.now)?;
    let decision = with_tier_review(context, decision, member)?;
    Ok(with_due_date(context, with_account_tier(context, decision, account)?))
}
