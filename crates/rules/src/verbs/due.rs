use std::sync::Arc;

use chrono::{Days, NaiveDate};
use ledger::decision::Draft;
use ledger::programme::{Yearly, resolve};
use ledger::remind::{self, Reminder, days_before};
use ledger::{Activity, Decision, Member, Moment, Supplies, What};

use super::Told;
use crate::bundle::Bundle;
use crate::facts::this_year;
use crate::mistake::RuleFailure;
use crate::refused::Refused;

/// Days for which an activity that comes by itself is made up for, where nobody looked in time.
const MADE_UP_DAYS: u64 = 31;

impl Bundle {
    /// The next thing that is due for a member; nothing if nothing is. What has run out comes first,
    /// then activities that come by themselves, then reminders.
    ///
    /// # Errors
    /// A rule failed, or something has to be loaded first.
    pub fn next_due(
        &self,
        member: &Member,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Option<Decision>, Refused> {
        if let Some(decision) = self.expire(member, supplies, now)? {
            return Ok(Some(decision));
        }
        if member.erased_at.is_none() {
            // A rule that fails keeps nothing else from being done.
            let mut failed = None;
            for told in self.raised(member, now) {
                match self.earn(member, told, supplies, now) {
                    Ok(decision) => return Ok(Some(decision)),
                    Err(Refused::Lacks(lack)) => return Err(lack.into()),
                    Err(refused) => failed = failed.or(Some(refused)),
                }
            }
            let reminders = self.reminders(member, supplies.account(member)?, now)?;
            if !reminders.is_empty() {
                let what = What::Remind { reminders };
                let decision = Draft::default().decide(member, self.programme(), what, now, now)?;
                return Ok(Some(self.dated(decision, supplies, now)?));
            }
            if let Some(failed) = failed {
                return Err(failed);
            }
        }
        // It was put down as due when other rules were in force: it is put down anew.
        if supplies.due_at.is_some_and(|due_at| due_at <= now) {
            let decision = ledger::expire::decide(member, self.programme(), now)?;
            return Ok(Some(self.dated(decision, supplies, now)?));
        }
        Ok(None)
    }

    /// The decision with the moment at which somebody has to look at each member next.
    pub(crate) fn dated(
        &self,
        mut decision: Decision,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let due_at = |member: &Member| -> Result<Option<Moment>, Refused> {
            let account = match decision.account_after(member) {
                Some(account) => Some(account),
                None => supplies.account(member)?,
            };
            Ok(self.due_at(member, account, now)?)
        };
        let own = due_at(&decision.member)?;
        let others = decision.others.iter().map(|other| due_at(&other.member));
        let others: Vec<Option<Moment>> = others.collect::<Result<_, _>>()?;
        decision.due_at = own;
        for (other, due_at) in decision.others.iter_mut().zip(others) {
            other.due_at = due_at;
        }
        Ok(decision)
    }

    /// When somebody has to look at a member next; never if nothing.
    ///
    /// # Errors
    /// A tier's condition failed.
    pub fn due_at(
        &self,
        member: &Member,
        account: Option<&Member>,
        now: Moment,
    ) -> Result<Option<Moment>, RuleFailure> {
        let mut due: Vec<Moment> = member.lapses_at().into_iter().collect();
        if member.erased_at.is_none() {
            due.extend(self.yearly(member, now).map(|(at, ..)| at));
            due.extend(self.to_remind(member, account, now)?.into_iter().map(|(at, _)| at));
        }
        Ok(due.into_iter().min())
    }

    /// The activities that have come by themselves, in the order in which they came.
    fn raised(&self, member: &Member, now: Moment) -> Vec<Told> {
        let mut come: Vec<_> = self.yearly(member, now).filter(|(at, ..)| *at <= now).collect();
        come.sort();
        come.into_iter().filter_map(|(_, kind, day)| self.told_of(member, kind, day)).collect()
    }

    fn told_of(&self, member: &Member, kind: String, day: NaiveDate) -> Option<Told> {
        let at = day.and_hms_opt(0, 0, 0)?;
        // Somebody who joined in the course of the day was not there when it began.
        let at = resolve(at, self.programme().time_zone).max(member.enrolled_at);
        let activity = Activity {
            id: format!("{kind} {day}"),
            kind,
            at,
            of: None,
            order: None,
            channel: None,
            payment: None,
            fields: Default::default(),
        };
        Some(Told { activity, raised: Some(day) })
    }

    /// The next day of each activity that comes by itself, and when it begins.
    fn yearly(
        &self,
        member: &Member,
        now: Moment,
    ) -> impl Iterator<Item = (Moment, String, NaiveDate)> {
        let programme = self.programme();
        let zone = programme.time_zone;
        let local = move |at: Moment| at.with_timezone(&zone).date_naive();
        let joined = local(member.enrolled_at);
        let today = local(now);
        let made_up = today.checked_sub_days(Days::new(MADE_UP_DAYS)).unwrap_or(today);
        let next = move |(kind, policy): (&String, &ledger::programme::ActivityPolicy)| {
            let (day, first) = match policy.yearly.as_ref()? {
                // The first anniversary is a year after the day itself.
                Yearly::Joined => (joined, joined.succ_opt()?),
                Yearly::Attribute(name) => (member.attributes.get(name)?.parse().ok()?, joined),
            };
            let after = member.raised.get(kind).and_then(NaiveDate::succ_opt);
            let from = first.max(made_up).max(after.unwrap_or(first));
            let day = next_day(day, from)?;
            let at = resolve(day.and_hms_opt(0, 0, 0)?, zone);
            Some((at, kind.clone(), day))
        };
        let found: Vec<(Moment, String, NaiveDate)> =
            programme.activities.iter().filter_map(next).collect();
        found.into_iter()
    }

    /// What a member is told now.
    fn reminders(
        &self,
        member: &Member,
        account: Option<&Member>,
        now: Moment,
    ) -> Result<Vec<Reminder>, RuleFailure> {
        let due = self.to_remind(member, account, now)?.into_iter().filter(|(at, _)| *at <= now);
        Ok(due.map(|(_, reminder)| reminder).collect())
    }

    /// What a member will be told, and when, as things are. Of what it shares, the account is told.
    fn to_remind(
        &self,
        member: &Member,
        account: Option<&Member>,
        now: Moment,
    ) -> Result<Vec<(Moment, Reminder)>, RuleFailure> {
        let programme = self.programme();
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
        if let Some(days) = policy.tier_days
            && let Some(tier) = member.tier()
        {
            let seen = Arc::new(self.viewed(member, account, now));
            let at = self.at_risk(&seen, &member.standing, now)?;
            if let Some(at) = at.filter(|at| member.reminded.tier != Some(*at)) {
                let reminder = Reminder::Tier { tier: tier.to_owned(), at };
                reminders.push((days_before(at, days, zone), reminder));
            }
        }
        if let Some(most) = policy.task_left {
            for (task, goal) in self.tasks() {
                let Some(progress) = member.tasks.get(task) else { continue };
                let left = goal.target().saturating_sub(progress.done(*goal, now, zone));
                let round = progress.completed.saturating_add(1);
                let told = member.reminded.tasks.get(task).is_some_and(|told| *told >= round);
                if !told && (1..=most).contains(&left) && left < goal.target() {
                    let task = task.clone();
                    reminders.push((now, Reminder::Task { task, left, round }));
                }
            }
        }
        Ok(reminders)
    }
}

/// The first time from a day on that a date comes round. 29 February comes round on the 28th in
/// common years.
fn next_day(date: NaiveDate, from: NaiveDate) -> Option<NaiveDate> {
    let this = this_year(date, from)?;
    if this >= from {
        return Some(this);
    }
    // Twelve months after the first of January: the next year's.
    let next = from.checked_add_months(chrono::Months::new(12))?;
    this_year(date, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_comes_round_every_year_and_29_february_too() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (date, from, expected) in [
            ("1990-05-17", "2026-05-17", "2026-05-17"),
            ("1990-05-17", "2026-05-18", "2027-05-17"),
            ("1992-02-29", "2026-01-01", "2026-02-28"),
            ("1992-02-29", "2027-03-01", "2028-02-29"),
            ("1992-02-29", "2028-02-29", "2028-02-29"),
            ("1990-01-01", "2026-12-31", "2027-01-01"),
        ] {
            assert_eq!(next_day(day(date), day(from)), Some(day(expected)), "{date} {from}");
        }
    }
}
