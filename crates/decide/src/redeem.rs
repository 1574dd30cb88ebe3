//! Redeem: the decision on a reward that a member takes at once, or took at a till without a network.

use ledger::{Decision, Member, Moment};

use crate::context::Context;
use crate::deed::Deed;
use crate::offline::done_at;
use crate::refusal::Undecided;
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
    done_at(context, member, Deed::Redemption(redemption), at)
}
