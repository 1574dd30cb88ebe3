//! Adjust: an operator gives units to a member, or takes them.

use ledger::adjust::Adjustment;
use ledger::{Decision, Member, Moment};

use crate::context::Context;
use crate::deed::Deed;
use crate::offline::done_at;
use crate::refusal::Undecided;

/// Decides on an adjustment by an operator. `at` is when it happened, if that was before it was sent.
///
/// # Errors
/// The units cannot be given or taken, it happened too long ago, a tier's condition failed, or data is
/// missing.
pub fn adjust(
    context: &Context<'_>,
    member: &Member,
    adjustment: Adjustment,
    at: Option<Moment>,
) -> Result<Decision, Undecided> {
    done_at(context, member, Deed::Adjustment(adjustment), at)
}
