//! Tiers. Which tier a member qualifies for is the rules' to say; how long it stays in one that it
//! no longer qualifies for is policy, and here.
//!
//! A tier is lost by time and not by a job: the moments at which anything can change are known
//! (a lot or a grant runs out, a grace period ends), and a member that is looked at late is walked
//! through those that have passed, one by one. So it does not matter when it is looked at.

use chrono::TimeDelta;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::programme::{Downgrade, TierPolicy};
use crate::{Decision, Member, Moment, Wallet};

/// From which tier to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierChange {
    /// The tier before; nothing if there was none.
    pub from: Option<String>,
    /// The tier after; nothing if none.
    pub to: Option<String>,
}

/// How a member stands with its tier.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// The tier; nothing if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// It stays at least until then, whatever its condition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Moment>,
    /// Since when its condition does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Moment>,
    /// When it is lost, should its condition not hold again before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Moment>,
}

/// A merchant's tiers, the lowest first, and what becomes of a member that no longer qualifies.
#[derive(Debug, Clone)]
pub struct Ladder<'a> {
    /// The names.
    pub tiers: Vec<&'a str>,
    /// The policy.
    pub policy: TierPolicy,
    /// The merchant's time zone.
    pub time_zone: Tz,
    /// Whether a condition asks for days that pass: since joining, since the last purchase.
    pub daily: bool,
}

/// The most days that one walk looks at, back or ahead.
const DAYS_MAX: i64 = 800;

/// Steps that one walk takes at most. A member has dozens of moments, not thousands.
const STEPS_MAX: usize = 2000;

impl Ladder<'_> {
    fn rank(&self, tier: Option<&str>) -> Option<usize> {
        self.tiers.iter().position(|name| Some(*name) == tier)
    }

    /// The moment at which a tier that its member no longer qualifies for is lost; nothing if it
    /// still qualifies, or never loses it.
    fn lost_at(&self, standing: &Standing) -> Option<Moment> {
        if self.policy.downgrade == Downgrade::Never {
            return None;
        }
        let failing_since = standing.failing_since?;
        let grace = TimeDelta::days(self.policy.grace_days.into());
        let end = failing_since.checked_add_signed(grace).unwrap_or(Moment::MAX_UTC);
        Some(standing.kept_until.map_or(end, |kept_until| end.max(kept_until)))
    }

    /// What the standing becomes at `at`, where the rules find the member in tier number
    /// `qualified`.
    fn step(&self, standing: &mut Standing, qualified: Option<usize>, at: Moment) {
        let enter = |standing: &mut Standing, rank: Option<usize>| {
            standing.tier =
                rank.and_then(|rank| self.tiers.get(rank)).map(|name| (*name).to_owned());
            standing.kept_until = self.policy.keep.and_then(|keep| keep.of(at, self.time_zone));
            standing.failing_since = None;
        };
        let present = self.rank(standing.tier.as_deref());
        if qualified > present || (present.is_none() && standing.tier.is_some()) {
            // Also where the sheet no longer has the member's tier.
            enter(standing, qualified);
        } else if qualified == present {
            standing.failing_since = None;
        } else {
            standing.failing_since.get_or_insert(at);
            if self.lost_at(standing).is_some_and(|lost_at| lost_at <= at) {
                let below = match self.policy.downgrade {
                    Downgrade::OneStep => {
                        qualified.max(present.and_then(|present| present.checked_sub(1)))
                    }
                    Downgrade::Full | Downgrade::Never => qualified,
                };
                enter(standing, below);
                if below > qualified {
                    standing.failing_since = Some(at);
                }
            }
        }
        standing.lost_at = self.lost_at(standing);
    }
}

/// The member's standing at `now`, from the one it had when its last entry was written. `qualified`
/// says in which tier the rules find the member at a moment, by its number from the lowest.
///
/// # Errors
/// `qualified` failed.
pub fn review<E>(
    ladder: &Ladder<'_>,
    member: &Member,
    now: Moment,
    qualified: impl FnMut(Moment) -> Result<Option<usize>, E>,
) -> Result<Standing, E> {
    let mut standing = member.standing.clone();
    walk(ladder, member, &mut standing, member.settled_at, now, qualified, |_, _| false)?;
    Ok(standing)
}

/// When the member, should nothing more happen, loses the tier that it has at `now`; nothing if
/// never. `standing` is its standing at `now`.
///
/// # Errors
/// `qualified` failed.
pub fn at_risk<E>(
    ladder: &Ladder<'_>,
    member: &Member,
    standing: &Standing,
    now: Moment,
    qualified: impl FnMut(Moment) -> Result<Option<usize>, E>,
) -> Result<Option<Moment>, E> {
    let Some(present) = ladder.rank(standing.tier.as_deref()) else { return Ok(None) };
    let lost = |standing: &Standing| ladder.rank(standing.tier.as_deref()) < Some(present);
    let mut after = standing.clone();
    let mut lost_at = None;
    walk(ladder, member, &mut after, now, Moment::MAX_UTC, qualified, |standing, at| {
        if lost(standing) {
            lost_at = Some(at);
        }
        lost_at.is_some()
    })?;
    Ok(lost_at)
}

/// Walks a standing from moment to moment, up to and including `to`, until `stop` says so. The end
/// of time is walked to by way of the moments that are known.
fn walk<E>(
    ladder: &Ladder<'_>,
    member: &Member,
    standing: &mut Standing,
    from: Moment,
    to: Moment,
    mut qualified: impl FnMut(Moment) -> Result<Option<usize>, E>,
    mut stop: impl FnMut(&Standing, Moment) -> bool,
) -> Result<(), E> {
    let mut known = moments(member);
    if ladder.daily {
        known.extend(days(member, from, to));
        known.sort_unstable();
        known.dedup();
    }
    known.retain(|at| *at > from && *at < to);
    let mut known = known.into_iter().peekable();
    let mut at = from;
    for _ in 0..STEPS_MAX {
        let lost_at = standing.lost_at.filter(|lost_at| *lost_at > at && *lost_at < to);
        let next = match (known.peek().copied(), lost_at) {
            (Some(known), Some(lost_at)) => known.min(lost_at),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => break,
        };
        while known.next_if_eq(&next).is_some() {}
        at = next;
        ladder.step(standing, qualified(at)?, at);
        if stop(standing, at) {
            return Ok(());
        }
    }
    if to != Moment::MAX_UTC {
        ladder.step(standing, qualified(to)?, to);
    }
    Ok(())
}

/// The moments at which something of the member's own runs out or can be spent, in their order.
fn moments(member: &Member) -> Vec<Moment> {
    let lots = member.wallets.values().flat_map(Wallet::lots);
    let lots = lots.flat_map(|lot| [lot.terms.available_at, lot.terms.expires_at]).flatten();
    let mut moments: Vec<Moment> = lots.chain(member.grants.values().copied().flatten()).collect();
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// The moments at which one more day has passed since the member joined, and since it last bought.
fn days(member: &Member, from: Moment, to: Moment) -> Vec<Moment> {
    let since = [Some(member.enrolled_at), member.history.last_purchase_at];
    // Back from the end where that is known, since the latest days count; ahead where it is not.
    let last = to.min(from.checked_add_signed(TimeDelta::days(DAYS_MAX)).unwrap_or(to));
    let first = if to == Moment::MAX_UTC { from } else { from.max(to - TimeDelta::days(DAYS_MAX)) };
    let mut days = Vec::new();
    for base in since.into_iter().flatten() {
        let passed = first.signed_duration_since(base).num_days().max(0);
        let end = if to == Moment::MAX_UTC { last } else { to };
        let steps = (1..=DAYS_MAX).map(|step| base + TimeDelta::days(passed + step));
        days.extend(steps.take_while(|at| *at < end));
    }
    days
}

/// Puts the standing that the rules find for the member as decided, and says so in the entry where
/// it differs from the one before.
#[must_use]
pub fn settle(mut decision: Decision, before: &Standing, standing: Standing) -> Decision {
    if before.tier != standing.tier {
        decision.entry.tier =
            Some(TierChange { from: before.tier.clone(), to: standing.tier.clone() });
    }
    decision.entry.standing = (*before != standing).then(|| standing.clone());
    decision.member.standing = standing;
    decision
}
