//! Tiers. Which tier a member qualifies for is the rules' to say; how long it stays in one that it
//! no longer qualifies for is policy, and here.
//!
//! A tier is lost by time and not by a job: the moments at which anything can change are known
//! (a lot or a grant runs out, a grace period ends, a day more has passed), and a member that is
//! looked at late is walked through those that have passed, one by one. So it does not matter when
//! it is looked at. The same walk, ahead, says when somebody has to look.

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use chrono_tz::Tz;

use crate::calendar::{next_day, resolve};
use crate::programme::{Downgrade, TierPolicy};
use crate::tier_status::{TierChange, TierStatus};
use crate::{Decision, Member, Moment, Wallet};

/// A merchant's tiers, the lowest first, and what becomes of a member that no longer qualifies.
#[derive(Debug, Clone)]
pub struct Ladder<'a> {
    /// The names.
    pub tiers: Vec<&'a str>,
    /// The policy.
    pub policy: TierPolicy,
    /// The merchant's time zone.
    pub time_zone: Tz,
    /// What conditions ask for that changes by itself.
    pub passing: Passing,
}

/// Facts that a condition asks for and that change although nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passing {
    /// Days since joining.
    pub days: bool,
    /// Days since the last purchase, or since joining where there is none.
    pub days_since_purchase: bool,
    /// Full years since joining.
    pub years: bool,
    /// Full years since the birthday.
    pub age: bool,
}

impl Passing {
    /// Whether a condition asks for any.
    #[must_use]
    pub fn any(self) -> bool {
        self.days || self.days_since_purchase || self.years || self.age
    }
}

/// What becomes of a member's tier, should nothing more happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ahead {
    /// When somebody has to look: the tier is another then, or nobody has looked beyond.
    pub review_at: Option<Moment>,
    /// When the tier that it has now is lost.
    pub lost_at: Option<Moment>,
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
    fn lost_at(&self, tier_status: &TierStatus) -> Option<Moment> {
        if self.policy.downgrade == Downgrade::Never {
            return None;
        }
        let failing_since = tier_status.failing_since?;
        let grace = TimeDelta::days(self.policy.grace_days.into());
        let end = failing_since.checked_add_signed(grace).unwrap_or(Moment::MAX_UTC);
        Some(tier_status.kept_until.map_or(end, |kept_until| end.max(kept_until)))
    }

    /// What the standing becomes at `at`, where the rules find the member in tier number
    /// `qualified`.
    fn step(&self, tier_status: &mut TierStatus, qualified: Option<usize>, at: Moment) {
        let enter = |tier_status: &mut TierStatus, rank: Option<usize>| {
            tier_status.tier =
                rank.and_then(|rank| self.tiers.get(rank)).map(|name| (*name).to_owned());
            tier_status.kept_until = self.policy.keep.and_then(|keep| keep.of(at, self.time_zone));
            tier_status.failing_since = None;
        };
        let present = self.rank(tier_status.tier.as_deref());
        if qualified > present || (present.is_none() && tier_status.tier.is_some()) {
            // Also where the sheet no longer has the member's tier.
            enter(tier_status, qualified);
        } else if qualified == present {
            tier_status.failing_since = None;
        } else {
            tier_status.failing_since.get_or_insert(at);
            if self.lost_at(tier_status).is_some_and(|lost_at| lost_at <= at) {
                let below = match self.policy.downgrade {
                    Downgrade::OneStep => {
                        qualified.max(present.and_then(|present| present.checked_sub(1)))
                    }
                    Downgrade::Full | Downgrade::Never => qualified,
                };
                enter(tier_status, below);
                if below > qualified {
                    tier_status.failing_since = Some(at);
                }
            }
        }
        tier_status.lost_at = self.lost_at(tier_status);
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
) -> Result<TierStatus, E> {
    let mut tier_status = member.tier_status.clone();
    walk(ladder, member, &mut tier_status, member.settled_at, now, qualified, |_, _| false)?;
    Ok(tier_status)
}

/// How far somebody has to look ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To the first change.
    Change,
    /// To the loss of the tier, if it is lost.
    Loss,
}

/// What becomes of the member's tier, should nothing more happen. `tier_status` is its standing at
/// `now`.
///
/// # Errors
/// `qualified` failed.
pub fn ahead<E>(
    ladder: &Ladder<'_>,
    member: &Member,
    tier_status: &TierStatus,
    now: Moment,
    until: Until,
    qualified: impl FnMut(Moment) -> Result<Option<usize>, E>,
) -> Result<Ahead, E> {
    let present = ladder.rank(tier_status.tier.as_deref());
    let mut after = tier_status.clone();
    let mut ahead = Ahead::default();
    walk(ladder, member, &mut after, now, Moment::MAX_UTC, qualified, |after, at| {
        if after.tier != tier_status.tier {
            ahead.review_at.get_or_insert(at);
        }
        if ladder.rank(after.tier.as_deref()) < present {
            ahead.lost_at = Some(at);
        }
        ahead.lost_at.is_some() || (until == Until::Change && ahead.review_at.is_some())
    })?;
    if ahead.review_at.is_none() && ladder.passing.any() {
        ahead.review_at = now.checked_add_signed(TimeDelta::days(DAYS_MAX));
    }
    Ok(ahead)
}

/// Walks a standing from moment to moment, up to and including `to`, until `stop` says so. The end
/// of time is walked to by way of the moments that are known.
fn walk<E>(
    ladder: &Ladder<'_>,
    member: &Member,
    tier_status: &mut TierStatus,
    from: Moment,
    to: Moment,
    mut qualified: impl FnMut(Moment) -> Result<Option<usize>, E>,
    mut stop: impl FnMut(&TierStatus, Moment) -> bool,
) -> Result<(), E> {
    let mut known = moments(member);
    if ladder.passing.any() {
        known.extend(days(ladder, member, from, to));
        known.sort_unstable();
        known.dedup();
    }
    known.retain(|at| *at > from && *at < to);
    let mut known = known.into_iter().peekable();
    let mut at = from;
    for _ in 0..STEPS_MAX {
        let lost_at = tier_status.lost_at.filter(|lost_at| *lost_at > at && *lost_at < to);
        let next = match (known.peek().copied(), lost_at) {
            (Some(known), Some(lost_at)) => known.min(lost_at),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => break,
        };
        while known.next_if_eq(&next).is_some() {}
        at = next;
        ladder.step(tier_status, qualified(at)?, at);
        if stop(tier_status, at) {
            return Ok(());
        }
    }
    if to != Moment::MAX_UTC {
        ladder.step(tier_status, qualified(to)?, to);
    }
    Ok(())
}

/// The moments at which something of the member's own runs out or can be spent, in their order.
fn moments(member: &Member) -> Vec<Moment> {
    let lots = member.wallets.values().flat_map(Wallet::lots);
    let lots = lots.flat_map(|lot| [lot.terms.available_at, lot.terms.expires_at]).flatten();
    let mut moments: Vec<Moment> =
        lots.chain(member.grants.values().filter_map(|end| end.moment())).collect();
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// The moments at which a fact that changes by itself does: when one more day has passed since the
/// member joined or last bought, and when the day begins on which it joined or was born.
fn days(ladder: &Ladder<'_>, member: &Member, from: Moment, to: Moment) -> Vec<Moment> {
    let Passing { days, days_since_purchase, years, age } = ladder.passing;
    let most = TimeDelta::days(DAYS_MAX);
    // Back from the end where that is known, since the latest days count; ahead where it is not.
    let (first, last) = if to == Moment::MAX_UTC {
        (from, from.checked_add_signed(most).unwrap_or(to))
    } else {
        (from.max(to - most), to)
    };
    let joined = member.enrolled_at;
    let bought = member.history.last_purchase_at.unwrap_or(joined);
    let since = [(days, joined), (days_since_purchase, bought)];
    let mut moments = Vec::new();
    for (_, base) in since.into_iter().filter(|(asked, _)| *asked) {
        let passed = first.signed_duration_since(base).num_days().max(0);
        let steps = (1..=DAYS_MAX).map(|step| base + TimeDelta::days(passed + step));
        moments.extend(steps.take_while(|at| *at <= last));
    }
    let local = |at: Moment| at.with_timezone(&ladder.time_zone).date_naive();
    let dates = [years.then(|| local(joined)), age.then(|| member.birthday()).flatten()];
    for date in dates.into_iter().flatten() {
        let next = |day: NaiveDate| next_day(date, day.succ_opt()?);
        let days = std::iter::successors(next_day(date, local(first)), |day| next(*day));
        let begins = days.map(|day| resolve(day.and_time(NaiveTime::MIN), ladder.time_zone));
        moments.extend(begins.take_while(|at| *at <= last));
    }
    moments
}

/// Puts the standing that the rules find for the member as decided, and says so in the entry where
/// it differs from the one before.
#[must_use]
pub fn settle(mut decision: Decision, before: &TierStatus, tier_status: TierStatus) -> Decision {
    if before.tier != tier_status.tier {
        decision.entry.tier =
            Some(TierChange { from: before.tier.clone(), to: tier_status.tier.clone() });
    }
    decision.entry.tier_status = (*before != tier_status).then(|| tier_status.clone());
    decision.member.tier_status = tier_status;
    decision
}
