//! A person is forgotten.

use ledger::{Decision, Member};

use crate::context::Context;
use crate::pipeline::{with_account_tier, with_due_date};
use crate::refusal::Undecided;

/// What forgetting the person changes.
///
/// # Errors
/// It is forgotten already, others share its wallets, or data has to be loaded first.
pub fn erase(context: &Context<'_>, member: &Member) -> Result<Decision, Undecided> {
    let account = context.data.account(member)?;
    let decision = ledger::erase::decide(member, account, context.programme(), context.now)?;
    Ok(with_due_date(context, with_account_tier(context, decision, account)?))
}
