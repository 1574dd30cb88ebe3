//! Tiers. The rules decide which tier a member qualifies for. How long it keeps a tier that it no
//! longer qualifies for is policy, and computed here.
//!
//! A member loses a tier by time, not by a job. The moments at which a tier can change are known: a
//! lot or a grant expires, a grace period ends, another day has passed. A review walks the tier
//! status through all such moments since the member's last entry, one by one, so its result does
//! not depend on how late it happens. The same walk into the future finds the next review.

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use chrono_tz::Tz;

use crate::calendar::{next_day, resolve};
use crate::programme::{Downgrade, TierPolicy};
use crate::tier_status::{TierChange, TierStatus};
use crate::{Decision, Member, Moment, Wallet};

/// A merchant's ladder: its tiers, and the policy for a member that no longer qualifies.
#[derive(Debug, Clone)]
pub struct Ladder<'a> {
    /// The names of the tiers, the lowest first.
    pub tiers: Vec<&'a str>,
    /// The policy.
    pub policy: TierPolicy,
    /// The merchant's time zone.
    pub time_zone: Tz,
    /// The facts that conditions ask for and that change with time alone.
    pub passing: Passing,
}

/// The facts that change with time alone, each with whether a condition asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passing {
    /// Days since the enrolment.
    pub days: bool,
    /// Days since the last purchase, or since the enrolment if there is none.
    pub days_since_purchase: bool,
    /// Full years since the enrolment.
    pub years: bool,
    /// Full years since the birthday.
    pub age: bool,
}

impl Passing {
    /// Whether a condition asks for any of them.
    #[must_use]
    pub fn any(self) -> bool {
        self.days || self.days_since_purchase || self.years || self.age
    }
}

/// How a member's tier will change if the member gets no further entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ahead {
    /// When the next review is due: the tier changes then, or the walk ended there.
    pub review_at: Option<Moment>,
    /// When the member loses the tier that it has now.
    pub lost_at: Option<Moment>,
}

/// The most days for which a walk looks at facts that change with time alone, back or ahead.
const DAYS_MAX: i64 = 800;

/// The most steps of one walk. A member has dozens of moments, not thousands.
const STEPS_MAX: usize = 2000;

impl Ladder<'_> {
    fn rank(&self, tier: Option<&str>) -> Option<usize> {
        self.tiers.iter().position(|name| Some(*name) == tier)
    }

    /// The moment at which the member loses its tier; `None` if it still qualifies, or never loses
    /// it.
    fn lost_at(&self, tier_status: &TierStatus) -> Option<Moment> {
        if self.policy.downgrade == Downgrade::Never {
            return None;
        }
        let failing_since = tier_status.failing_since?;
        let grace = TimeDelta::days(self.policy.grace_days.into());
        let end = failing_since.checked_add_signed(grace).unwrap_or(Moment::MAX_UTC);
        Some(tier_status.kept_until.map_or(end, |kept_until| end.max(kept_until)))
    }

    /// Advances a tier status to `at`, where the member qualifies for tier number `qualified`.
    fn step(&self, tier_status: &mut TierStatus, qualified: Option<usize>, at: Moment) {
        let enter = |tier_status: &mut TierStatus, rank: Option<usize>| {
            tier_status.tier =
                rank.and_then(|rank| self.tiers.get(rank)).map(|name| (*name).to_owned());
            tier_status.kept_until = self.policy.keep.and_then(|keep| keep.of(at, self.time_zone));
            tier_status.failing_since = None;
        };
        let present = self.rank(tier_status.tier.as_deref());
        if qualified > present || (present.is_none() && tier_status.tier.is_some()) {
            // Also if the sheet no longer has the member's tier.
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

/// The member's tier status at `now`, from the one at its last entry. `qualified` returns the tier
/// that the member qualifies for at a moment, by its number from the lowest.
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
    walk(ladder, member, &mut tier_status, member.happened_at, now, qualified, |_, _| false)?;
    Ok(tier_status)
}

/// How far a walk into the future goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To the first change of the tier.
    Change,
    /// To the loss of the tier, if the member loses it.
    Loss,
}

/// How the member's tier will change if the member gets no further entry. `tier_status` is the
/// status at `now`.
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

/// Walks a tier status from moment to moment, after `from` and up to and including `to`, until
/// `stop` returns true. If `to` is the end of time, the walk ends with the last known moment.
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

/// The moments at which the member's lots become available or expire, or its grants expire, sorted.
fn moments(member: &Member) -> Vec<Moment> {
    let lots = member.wallets.values().flat_map(Wallet::lots);
    let lots = lots.flat_map(|lot| [lot.terms.available_at, lot.terms.expires_at]).flatten();
    let mut moments: Vec<Moment> =
        lots.chain(member.grants.values().filter_map(|end| end.moment())).collect();
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// The moments at which a fact changes with time alone: when another day has passed since the
/// member enrolled or last bought, and when an anniversary of its enrolment or its birthday begins.
fn days(ladder: &Ladder<'_>, member: &Member, from: Moment, to: Moment) -> Vec<Moment> {
    let Passing { days, days_since_purchase, years, age } = ladder.passing;
    let most = TimeDelta::days(DAYS_MAX);
    // The latest days count: back from the end if it is known, else ahead from the start.
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

/// The decision with the member's new tier status, recorded in the entry if it has changed.
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
