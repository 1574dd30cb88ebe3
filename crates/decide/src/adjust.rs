//! Units are given or taken by hand.

use ledger::adjust::Adjustment;
use ledger::{Decision, Member};

use crate::context::Context;
use crate::pipeline::{on_shared_wallets, with_tier_review};
use crate::refusal::Undecided;

/// What an adjustment by hand changes.
///
/// # Errors
/// The units cannot be given, or not be taken.
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
