//! Adjust: an operator gives units to a member, or takes them.

use ledger::adjust::Adjustment;
use ledger::{Decision, Member};

use crate::context::Context;
use crate::pipeline::{on_shared_wallets, with_tier_review};
use crate::refusal::Undecided;

/// Decides on an adjustment by an operator.
///
/// # Errors
/// The units cannot be given or taken, a tier's condition failed, or data is missing.
pub fn adjust(
    context: &Context<'_>,
    member: &Member,
    adjustment: Adjustment,
) -> Result<Decision, Undecided> {
    on_shared_wallets(context, member, |member| {
        let programme = context.programme();
        let decision = ledger::adjust::decide(member, programme, adjustment, context.now)?;
        Ok(with_tier_review(context, decision, member)?)
    })
}
