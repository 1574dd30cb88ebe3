//! Redeem: the decision on a reward that a member takes at once.

use std::sync::Arc;

use ledger::decision::Draft;
use ledger::{Decision, Member, Order, RedeemedReward};

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
    with_reward(context, member, redemption, Timing::Now, |member, taken, order, draft| {
        ledger::redeem::decide(member, context.programme(), taken, order, draft, context.now)
    })
}

/// Finds the reward and what it costs on the wallets that the member uses, lets `decide` make the
/// ledger's decision of it, and adds the tier that follows.
pub(crate) fn with_reward<E: Into<Undecided>>(
    context: &Context<'_>,
    member: &Member,
    redemption: Redemption,
    timing: Timing,
    decide: impl FnOnce(&Member, RedeemedReward, Option<Order>, Draft) -> Result<Decision, E>,
) -> Result<Decision, Undecided> {
    on_shared_wallets(context, member, |member| {
        let present = Arc::new(member.clone());
        let tier_status = tier::tier_status(context.bundle, &present, context.now)?;
        let tier = tier_status.tier.clone();
        let (taken, order, draft) = take(context, member, tier, redemption, timing)?;
        let decision = decide(member, taken, order, draft).map_err(Into::into)?;
        Ok(with_tier(context, tier_status, decision, &member.tier_status)?)
    })
}
