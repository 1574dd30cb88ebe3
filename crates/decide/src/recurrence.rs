//! Recurrence: activities that are triggered by their day, such as birthdays and anniversaries.

use chrono::{Days, NaiveDate};
use ledger::calendar::{next_day, resolve};
use ledger::programme::{ActivityPolicy, Recurrence};
use ledger::{Activity, Member, Moment};
use rules::Bundle;

use crate::event::ActivityEvent;

/// The number of days within which a missed activity is still triggered, if the run was late.
const MADE_UP_DAYS: u64 = 31;

/// The triggered activities that are due by now, the earliest first.
pub(crate) fn triggered(bundle: &Bundle, member: &Member, now: Moment) -> Vec<ActivityEvent> {
    let mut come: Vec<_> =
        recurrence(bundle, member, now).into_iter().filter(|(at, ..)| *at <= now).collect();
    come.sort();
    come.into_iter().filter_map(|(_, kind, day)| event_of(bundle, member, kind, day)).collect()
}

fn event_of(
    bundle: &Bundle,
    member: &Member,
    kind: String,
    day: NaiveDate,
) -> Option<ActivityEvent> {
    let at = day.and_hms_opt(0, 0, 0)?;
    // The activity is not earlier than the enrolment, if the member joined during the day.
    let at = resolve(at, bundle.programme().time_zone).max(member.enrolled_at);
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
    Some(ActivityEvent { triggered: Some(day), ..activity.into() })
}

/// The next occurrence of each triggered activity: the moment its day begins, its type, its day.
pub(crate) fn recurrence(
    bundle: &Bundle,
    member: &Member,
    now: Moment,
) -> Vec<(Moment, String, NaiveDate)> {
    let programme = bundle.programme();
    let zone = programme.time_zone;
    let local = |at: Moment| at.with_timezone(&zone).date_naive();
    let joined = local(member.enrolled_at);
    let today = local(now);
    let made_up = today.checked_sub_days(Days::new(MADE_UP_DAYS)).unwrap_or(today);
    let next = |(kind, policy): (&String, &ActivityPolicy)| {
        let (day, first) = match policy.recurrence.as_ref()? {
            // The day of joining itself does not count; the first anniversary is a year later.
            Recurrence::Joined => (joined, joined.succ_opt()?),
            Recurrence::Attribute(name) => (member.attributes.get(name)?.parse().ok()?, joined),
        };
        let after = member.triggered.get(kind).and_then(NaiveDate::succ_opt);
        let from = first.max(made_up).max(after.unwrap_or(first));
        let day = next_day(day, from)?;
        let at = resolve(day.and_hms_opt(0, 0, 0)?, zone);
        Some((at, kind.clone(), day))
    };
    programme.activities.iter().filter_map(next).collect()
}
