use crate::Decision;
use crate::entry::TierChange;

/// Puts the tier that the rules find for the member as decided, and says so in the entry where it
/// differs from the one before.
#[must_use]
pub fn settle(mut decision: Decision, tier: Option<String>) -> Decision {
    if decision.member.tier != tier {
        let from = std::mem::replace(&mut decision.member.tier, tier.clone());
        decision.entry.tier = Some(TierChange { from, to: tier });
    }
    decision
}
