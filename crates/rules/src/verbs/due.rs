use std::sync::Arc;

use chrono::{Days, NaiveDate};
use ledger::decision::Draft;
use ledger::programme::{Yearly, next_day, resolve};
use ledger::remind::{self, Reminder, days_before};
use ledger::tier::{Ahead, Until};
use ledger::{Activity, Decision, Member, Moment, Supplies, Wallet, What};

use super::Told;
use crate::bundle::Bundle;
use crate::mistake::RuleFailure;
use crate::refused::Refused;

/// Days for which an activity that comes by itself is made up for, where nobody looked in time.
const MADE_UP_DAYS: u64 = 31;

impl Bundle {
    /// The next thing that is due for a member; nothing if nothing is. What has run out comes first,
    /// then activities that come by themselves, then reminders. A rule that fails keeps nothing else
    /// from being done.
    ///
    /// # Errors
    /// A rule failed and nothing else is due, or something has to be loaded first.
    pub fn next_due(
        &self,
        member: &Member,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Option<Decision>, Refused> {
        let mut failed: Option<Refused> = None;
        let lapsed = ledger::expire::decide(member, self.programme(), now)?;
        // What has run out has, whatever becomes of the tier.
        let decision = self.reviewed(lapsed.clone(), member, now).unwrap_or_else(|failure| {
            failed = Some(failure.into());
            lapsed
        });
        if decision.says_something() {
            let mut decision = self.dated(decision, now);
            if failed.is_some() {
                // The run comes again at once, and says so.
                decision.due_at = Some(now);
            }
            return Ok(Some(decision));
        }
        if member.erased_at.is_none() {
            for told in self.raised(member, now) {
                match self.earn(member, told, supplies, now) {
                    Ok(decision) => return Ok(Some(decision)),
                    Err(Refused::Lacks(lack)) => return Err(lack.into()),
                    Err(refused) => failed = failed.or(Some(refused)),
                }
            }
            let (reminders, fails) = self.reminders(member, now);
            failed = failed.or(fails.map(Refused::from));
            if !reminders.is_empty() {
                let what = What::Remind { reminders };
                let decision = Draft::default().decide(member, self.programme(), what, now, now)?;
                return Ok(Some(self.dated(decision, now)));
            }
            if let Some(failed) = failed {
                return Err(failed);
            }
        }
        // It was put down as due when other rules were in force: it is put down anew.
        let is_due = supplies.due_at.is_some_and(|due_at| due_at <= now);
        Ok(is_due.then(|| self.dated(decision, now)))
    }

    /// Puts a member down as due by these rules, where that is earlier than by those of its last
    /// entry; nothing where it is not.
    ///
    /// # Errors
    /// A tier's condition failed.
    pub fn put_down(
        &self,
        member: &Member,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Option<Decision>, Refused> {
        if !self.is_due_earlier(member, supplies.due_at, now) {
            return Ok(None);
        }
        let decision = ledger::expire::decide(member, self.programme(), now)?;
        let decision = self.reviewed(decision, member, now)?;
        Ok(Some(self.dated(decision, now)))
    }

    /// Whether a member is due earlier by these rules than it is put down, or in another tier than
    /// it is written down, as far as anybody can tell. What is due later is looked at once in vain.
    #[must_use]
    pub fn is_due_earlier(&self, member: &Member, put_down: Option<Moment>, now: Moment) -> bool {
        let due_at = self.due_at(member, now);
        if due_at.is_some_and(|due_at| put_down.is_none_or(|put_down| due_at < put_down)) {
            return true;
        }
        // Whoever has no entry yet is in the first tier without anyone having written that down.
        let has_begun = member.version > 0 && member.erased_at.is_none();
        let standing = self.standing(&Arc::new(member.clone()), now);
        has_begun && standing.map_or(true, |standing| standing.tier != member.standing.tier)
    }

    /// What has run out by now; nothing where there is nothing to write down.
    ///
    /// # Errors
    /// A tier's condition failed.
    pub fn expire(&self, member: &Member, now: Moment) -> Result<Option<Decision>, Refused> {
        let lapsed = ledger::expire::decide(member, self.programme(), now)?;
        let decision = self.reviewed(lapsed, member, now)?;
        Ok(decision.says_something().then(|| self.dated(decision, now)))
    }

    /// What was decided on no rule, with the tier following. Who is forgotten has none.
    pub(crate) fn reviewed(
        &self,
        decision: Decision,
        member: &Member,
        now: Moment,
    ) -> Result<Decision, RuleFailure> {
        if member.erased_at.is_some() {
            return Ok(decision);
        }
        let standing = self.standing(&Arc::new(member.clone()), now)?;
        self.settled(standing, decision, &member.standing, now)
    }

    /// What was decided, with the tier following of the account that has a part in it.
    pub(crate) fn account_reviewed(
        &self,
        mut decision: Decision,
        account: Option<&Member>,
        now: Moment,
    ) -> Result<Decision, RuleFailure> {
        let others = std::mem::take(&mut decision.others).into_iter();
        let reviewed = others.map(|other| match account {
            Some(account) if account.id == other.member.id => self.reviewed(other, account, now),
            _ => Ok(other),
        });
        decision.others = reviewed.collect::<Result<_, _>>()?;
        Ok(decision)
    }

    /// The decision with the moment at which somebody has to look at each member next.
    pub(crate) fn dated(&self, mut decision: Decision, now: Moment) -> Decision {
        decision.due_at = self.due_at(&decision.member, now);
        for other in &mut decision.others {
            other.due_at = self.due_at(&other.member, now);
        }
        decision
    }

    /// When somebody has to look at a member next; never if nothing. Where a rule fails nobody knows,
    /// and the run is to find it at once and say so.
    #[must_use]
    pub fn due_at(&self, member: &Member, now: Moment) -> Option<Moment> {
        let mut due: Vec<Moment> = member.lapses_at().into_iter().collect();
        if member.erased_at.is_none() {
            due.extend(self.yearly(member, now).map(|(at, ..)| at));
            due.extend(self.to_remind(member, now).into_iter().map(|(at, _)| at));
            match self.tier_ahead(member, now) {
                Ok(ahead) => {
                    due.extend(ahead.review_at);
                    due.extend(self.tier_reminder(member, ahead).map(|(at, _)| at));
                }
                Err(_) => due.push(now),
            }
        }
        due.into_iter().min()
    }

    /// What becomes of the tier by itself, as far as anybody has to know now: what lapses is due
    /// in any case, and whoever looks then looks at the tier.
    fn tier_ahead(&self, member: &Member, now: Moment) -> Result<Ahead, RuleFailure> {
        let lots = member.wallets.values().flat_map(Wallet::lots);
        let mut matures = lots.filter_map(|lot| lot.terms.available_at);
        let is_asked = self.ladder().passing.any()
            || self.programme().reminders.tier_days.is_some()
            || matures.any(|at| at > now);
        if !is_asked || self.tiers().next().is_none() {
            return Ok(Ahead::default());
        }
        let member = Arc::new(member.clone());
        let until = match self.programme().reminders.tier_days {
            Some(_) => Until::Loss,
            None => Until::Change,
        };
        self.ahead(&member, &self.standing(&member, now)?, now, until)
    }

    /// What a member is told of a tier that it will lose, and when.
    fn tier_reminder(&self, member: &Member, ahead: Ahead) -> Option<(Moment, Reminder)> {
        let days = self.programme().reminders.tier_days?;
        let tier = member.tier()?.to_owned();
        let at = ahead.lost_at.filter(|at| member.reminded.tier != Some(*at))?;
        let zone = self.programme().time_zone;
        Some((days_before(at, days, zone), Reminder::Tier { tier, at }))
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

    /// What a member is told now, and why nobody can tell what becomes of its tier, if so.
    fn reminders(&self, member: &Member, now: Moment) -> (Vec<Reminder>, Option<RuleFailure>) {
        let (ahead, failed) = match self.tier_ahead(member, now) {
            Ok(ahead) => (ahead, None),
            Err(failure) => (Ahead::default(), Some(failure)),
        };
        let due = self.to_remind(member, now).into_iter().chain(self.tier_reminder(member, ahead));
        let due = due.filter(|(at, _)| *at <= now);
        (due.map(|(_, reminder)| reminder).collect(), failed)
    }

    /// What a member will be told but for its tier, and when, as things are. Of what it shares, the
    /// account is told.
    fn to_remind(&self, member: &Member, now: Moment) -> Vec<(Moment, Reminder)> {
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
        reminders
    }
}
