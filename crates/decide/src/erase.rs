//! Erase: a person's data is removed.

use ledger::{Decision, Member};

use crate::context::Context;
use crate::pipeline::{with_account_tier, with_due_date};
use crate::refusal::Undecided;

/// Decides that a person is erased.
///
/// # Errors
/// The person is erased already, others share its wallets, or data is missing.
pub fn erase(context: &Context<'_>, member: &Member) -> Result<Decision, Undecided> {
    let account = context.data.account(member)?;
    let decision = ledger::erase::decide(member, account, context.programme(), context.now)?;
    Ok(with_due_date(context, with_account_tier(context, decision, account)))
}
