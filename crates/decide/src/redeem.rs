//! Redeem: the decision on a reward that a member takes at once.

use std::sync::Arc;

use ledger::{Decision, Member};

use crate::context::Context;
use crate::pipeline::{on_shared_wallets, with_tier};
use crate::refusal::Undecided;
use crate::reward::{Redemption, Timing, take};
use crate::tier;

/// Decides on a reward that a member takes at once.
///
/// # Errors
/// The reward is unknown, not for this member, too expensive or sold out, its rule failed, or data
/// is missing.
pub fn redeem(
    context: &Context<'_>,
    member: &Member,
    redemption: Redemption,
) -> Result<Decision, Undecided> {
    on_shared_wallets(context, member, |member| {
        let Context { bundle, now, .. } = *context;
        let tier_status = tier::tier_status(bundle, &Arc::new(member.clone()), now)?;
        let tier = tier_status.tier.clone();
        let (taken, order, draft) = take(context, member, tier, redemption, Timing::Now)?;
        let programme = context.programme();
        let decision = ledger::redeem::decide(member, programme, taken, order, draft, now)?;
        Ok(with_tier(context, tier_status, decision, &member.tier_status)?)
    })
}
