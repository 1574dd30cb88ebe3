//! The reminders of a member, and when each is due.

use std::sync::Arc;

use ledger::calendar::days_before;
use ledger::remind::{self};
use ledger::reminder::Reminder;
use ledger::tier::{Ahead, Until};
use ledger::{Member, Moment, Wallet};
use rules::{Bundle, RuleFailure, Task};

use crate::tier;

/// The reminders that are due now, and the failure of a tier's condition, if one fails.
pub(crate) fn due_reminders(
    bundle: &Bundle,
    member: &Member,
    now: Moment,
) -> (Vec<Reminder>, Option<RuleFailure>) {
    let (ahead, failed) = match tier_ahead(bundle, member, now) {
        Ok(ahead) => (ahead, None),
        Err(failure) => (Ahead::default(), Some(failure)),
    };
    let all = reminders(bundle, member, now).into_iter();
    let due = all.chain(tier_reminder(bundle, member, ahead)).filter(|(at, _)| *at <= now);
    (due.map(|(_, reminder)| reminder).collect(), failed)
}

/// How time alone will change the member's tier. Looks ahead only if the programme reminds of the
/// loss of a tier, or if a tier can change other than with an expiry: the member is due at every
/// expiry anyway, and its tier is reviewed then.
pub(crate) fn tier_ahead(
    bundle: &Bundle,
    member: &Member,
    now: Moment,
) -> Result<Ahead, RuleFailure> {
    let lots = member.wallets.values().flat_map(Wallet::lots);
    let mut matures = lots.filter_map(|lot| lot.terms.available_at);
    let is_asked = bundle.passing().any()
        || bundle.programme().reminders.tier_days.is_some()
        || matures.any(|at| at > now);
    if !is_asked || bundle.tiers().next().is_none() {
        return Ok(Ahead::default());
    }
    let member = Arc::new(member.clone());
    let until = match bundle.programme().reminders.tier_days {
        Some(_) => Until::Loss,
        None => Until::Change,
    };
    tier::ahead(bundle, &member, &tier::tier_status(bundle, &member, now)?, now, until)
}

/// The reminder of a tier that the member will lose, and the moment it is due.
pub(crate) fn tier_reminder(
    bundle: &Bundle,
    member: &Member,
    ahead: Ahead,
) -> Option<(Moment, Reminder)> {
    let days = bundle.programme().reminders.tier_days?;
    let tier = member.tier()?.to_owned();
    let at = ahead.lost_at.filter(|at| member.reminded.tier != Some(*at))?;
    let zone = bundle.programme().time_zone;
    Some((days_before(at, days, zone), Reminder::Tier { tier, at }))
}

/// The reminders of expiries and tasks, with the moments they are due. The account gets the
/// reminders of shared wallets.
pub(crate) fn reminders(bundle: &Bundle, member: &Member, now: Moment) -> Vec<(Moment, Reminder)> {
    let programme = bundle.programme();
    let zone = programme.time_zone;
    let policy = programme.reminders;
    let mut reminders = Vec::new();
    if let Some(days) = policy.expiry_days {
        for reminder in remind::expiries(member, programme, now) {
            if let Reminder::Expiry { at, .. } = &reminder {
                reminders.push((days_before(*at, days, zone), reminder));
            }
        }
    }
    if let Some(most) = policy.task_left {
        for Task { name: task, goal, .. } in bundle.tasks() {
            let Some(progress) = member.tasks.get(task) else { continue };
            let left = goal.target().saturating_sub(progress.done(*goal, now, zone));
            let round = progress.completed.saturating_add(1);
            let is_reminded = member.reminded.tasks.get(task).is_some_and(|last| *last >= round);
            if !is_reminded && (1..=most).contains(&left) && left < goal.target() {
                let task = task.clone();
                reminders.push((now, Reminder::Task { task, left, round }));
            }
        }
    }
    reminders
}
