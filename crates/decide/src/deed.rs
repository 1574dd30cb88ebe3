//! Deeds: what a member takes or staff moves, without a rule that judges an activity.

use ledger::adjust::Adjustment;
use ledger::{Decision, EntryKind, Member, Moment};

use crate::context::Context;
use crate::happen::redeemed;
use crate::pipeline::with_tier_review;
use crate::refusal::Undecided;
use crate::reward::Redemption;

/// Something that is done to a member's wallets.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// A reward is taken.
    Redemption(Redemption),
    /// Staff gives or takes units.
    Adjustment(Adjustment),
}

impl Deed {
    /// Does it, for one member and the wallets that it uses.
    pub(crate) fn done(
        self,
        context: &Context<'_>,
        member: &Member,
    ) -> Result<Decision, Undecided> {
        match self {
            Deed::Redemption(redemption) => redeemed(context, member, redemption),
            Deed::Adjustment(adjustment) => {
                let programme = context.programme();
                let decision = ledger::adjust::decide(member, programme, adjustment, context.now)?;
                Ok(with_tier_review(context, decision, member)?)
            }
        }
    }
}

/// The same decision, of something that was sent later than it happened.
pub(crate) fn dated(mut decision: Decision, at: Moment) -> Decision {
    if let EntryKind::Redeem { happened_at, .. } | EntryKind::Adjust { happened_at, .. } =
        &mut decision.entry.kind
    {
        *happened_at = Some(at);
    }
    decision
}
