//! Why rules give something else for an activity than they did: what they saw of the member, and see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use ledger::cap;
use ledger::{Activity, Cause, Effect, Fact, Member, Reason, Units};
use rules::{Bundle, Facts, Rule, Run, StatementKind};

use super::side::Happened;

/// What the rules of an activity that give something else see otherwise: `was` by the history as it
/// was, and `is` as it is.
pub(super) fn causes(
    rules: &Bundle,
    activity: &Arc<Activity>,
    was: &Happened,
    is: &Happened,
) -> Vec<Cause> {
    let changed = changed(&was.entry.reasons, &is.entry.reasons);
    if changed.is_empty() {
        return Vec::new();
    }
    let (mut was, mut is) = (Sight::new(rules, activity, was), Sight::new(rules, activity, is));
    let mut causes = Vec::new();
    let mut points = [Units::ZERO; 2];
    for (_, rule) in rules.rules_on(&activity.kind) {
        if changed.contains(rule.title.as_str()) {
            let (before, now) = (was.of(rule, points[0]), is.of(rule, points[1]));
            for (fact, is) in now {
                let cause = before.get(&fact).filter(|was| **was != is).map(|was| {
                    let (rule, was) = (rule.title.clone(), was.clone());
                    Cause { rule, fact, was, is }
                });
                causes.extend(cause);
            }
        }
        points = [was.paid(rule, points[0]), is.paid(rule, points[1])];
    }
    causes
}

/// The titles of the rules that give something else.
fn changed<'r>(was: &'r [Reason], is: &'r [Reason]) -> BTreeSet<&'r str> {
    let titles = was.iter().chain(is).map(|reason| reason.rule.as_str());
    let of = |reasons: &'r [Reason], title: &str| -> Vec<&'r Effect> {
        let own = reasons.iter().filter(|reason| reason.rule == title);
        own.map(|reason| &reason.effect).collect()
    };
    titles.filter(|title| of(was, title) != of(is, title)).collect()
}

/// What rules see on one side.
struct Sight<'a> {
    run: Run<'a>,
    rules: &'a Bundle,
    activity: &'a Activity,
    /// The day of the activity, by the clock of its store.
    day: NaiveDate,
    member: Arc<Member>,
    reasons: &'a [Reason],
}

impl<'a> Sight<'a> {
    fn new(rules: &'a Bundle, activity: &'a Arc<Activity>, happened: &'a Happened) -> Sight<'a> {
        let member = Arc::new(happened.before.at(activity.at));
        let seen = rules.see(&member, happened.tier.clone(), activity.at, activity.at);
        let zone = rules.programme().zone_of(activity.order.as_ref());
        Sight {
            run: rules.run(&Facts::of_activity(seen, activity)),
            rules,
            activity,
            day: activity.at.with_timezone(&zone).date_naive(),
            member,
            reasons: &happened.entry.reasons,
        }
    }

    /// What a rule sees, after others have paid so many units.
    fn of(&mut self, rule: &Rule, points: Units) -> BTreeMap<Fact, String> {
        self.run.set_points(points);
        let read = self.run.facts_of_member(rule).into_iter();
        let mut seen: BTreeMap<Fact, String> =
            read.map(|(fact, value)| (Fact::Read(fact), value)).collect();
        if let Some(cap) = rule.cap {
            let room = cap::room(self.member.counters(&rule.name), cap, self.day);
            seen.insert(Fact::Cap, room.to_string());
        }
        if let Some(goal) = rule.goal {
            let (zone, at) = (self.rules.programme().time_zone, self.activity.at);
            let progress = self.member.tasks.get(&rule.name);
            let done = progress.map_or(0, |progress| progress.done(goal, at, zone));
            seen.insert(Fact::Progress, done.to_string());
        }
        let remainder = self.member.remainders.get(&rule.name).copied().unwrap_or_default();
        seen.insert(Fact::Remainder, remainder.to_string());
        seen
    }

    /// The units that earn rules have paid into the main wallet, with those of one more rule.
    fn paid(&self, rule: &Rule, before: Units) -> Units {
        if rule.kind() != StatementKind::Earn {
            return before;
        }
        let main = &self.rules.programme().main_wallet;
        let own = self.reasons.iter().filter(|reason| reason.rule == rule.title);
        own.fold(before, |sum, reason| match &reason.effect {
            // The entry has been decided, so the sum fits.
            Effect::Units { wallet, units } if wallet == main => {
                sum.checked_add(*units).unwrap_or(sum)
            }
            _ => sum,
        })
    }
}
