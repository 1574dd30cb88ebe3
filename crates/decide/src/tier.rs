//! Tiers: the rules decide which tier a member qualifies for, and the ledger applies the policy on
//! keeping and losing a tier.

use std::sync::Arc;

use ledger::programme::OnFailure;
use ledger::tier::{Ahead, Ladder, Until};
use ledger::tier_status::TierStatus;
use ledger::{Member, Moment};
use rules::{Bundle, Facts, Rule, RuleFailure, StatementKind, Value};

/// The most steps that all tiers of a member take at one moment. A review evaluates them at many
/// moments.
const TIER_STEPS_MAX: u64 = 200;

/// The merchant's tiers, lowest first, and their policy.
#[must_use]
pub fn ladder(bundle: &Bundle) -> Ladder<'_> {
    let programme = bundle.programme();
    let (policy, time_zone) = (programme.tiers, programme.time_zone);
    Ladder { tiers: bundle.tiers().collect(), policy, time_zone, passing: bundle.passing() }
}

/// The member's tier status now, which may be newer than the stored one. If a tier's condition fails,
/// the member keeps the stored one, unless the merchant wants failures to refuse.
///
/// # Errors
/// A tier's condition failed, and the merchant wants that to refuse.
pub fn tier_status(
    bundle: &Bundle,
    member: &Arc<Member>,
    now: Moment,
) -> Result<TierStatus, RuleFailure> {
    match reviewed(bundle, member, now) {
        Err(_) if is_recorded(bundle) => Ok(member.tier_status.clone()),
        reviewed => reviewed,
    }
}

fn is_recorded(bundle: &Bundle) -> bool {
    bundle.programme().on_failure == OnFailure::Record
}

/// The member's tier status now, or the failure of a tier's condition.
pub(crate) fn reviewed(
    bundle: &Bundle,
    member: &Arc<Member>,
    now: Moment,
) -> Result<TierStatus, RuleFailure> {
    if let Some(tier) = bundle.pinned_tier(&member.id) {
        let tier = Some(tier.to_owned()).filter(|tier| !tier.is_empty());
        return Ok(TierStatus { tier, ..TierStatus::default() });
    }
    ledger::tier::review(&ladder(bundle), member, now, |at| qualified(bundle, member, at))
}

/// The next change and the loss of the member's tier if the member gets no further entry; none are
/// foreseen if a tier's condition fails.
///
/// # Errors
/// A tier's condition failed, and the merchant wants that to refuse.
pub fn ahead(
    bundle: &Bundle,
    member: &Arc<Member>,
    tier_status: &TierStatus,
    now: Moment,
    until: Until,
) -> Result<Ahead, RuleFailure> {
    let ahead = ledger::tier::ahead(&ladder(bundle), member, tier_status, now, until, |at| {
        qualified(bundle, member, at)
    });
    match ahead {
        Err(_) if is_recorded(bundle) => Ok(Ahead::default()),
        ahead => ahead,
    }
}

/// The tier that the member qualifies for at a moment, as its index from the lowest: the last tier
/// of the sheets whose condition holds.
pub(crate) fn qualified(
    bundle: &Bundle,
    member: &Arc<Member>,
    at: Moment,
) -> Result<Option<usize>, RuleFailure> {
    let tiers: Vec<&Rule> = bundle.rules_of(StatementKind::Tier).map(|(_, rule)| rule).collect();
    if tiers.is_empty() {
        return Ok(None);
    }
    let seen = bundle.see(member, member.tier().map(str::to_owned), at, at);
    let mut run = bundle.run_within(TIER_STEPS_MAX, &Facts::of_order(seen, None, None));
    for (rank, rule) in tiers.iter().enumerate().rev() {
        match run.body(rule)? {
            (Value::Flag(true), _) => return Ok(Some(rank)),
            (Value::Flag(false), _) => {}
            (other, _) => {
                let kind = other.kind();
                let message = format!("a tier's condition is yes or no, not {kind}");
                return Err(rule.failure(message));
            }
        }
    }
    Ok(None)
}

/// Whether each tier's condition holds for a member. It leaves out tiers whose condition fails.
pub(crate) fn conditions(bundle: &Bundle, member: &Arc<Member>, at: Moment) -> Vec<(String, bool)> {
    let seen = bundle.see(member, member.tier().map(str::to_owned), at, at);
    let mut run = bundle.run(&Facts::of_order(seen, None, None));
    let tiers = bundle.rules_of(StatementKind::Tier);
    tiers
        .filter_map(|(_, rule)| match run.body(rule).ok()? {
            (Value::Flag(holds), _) => Some((rule.title.clone(), holds)),
            _ => None,
        })
        .collect()
}
