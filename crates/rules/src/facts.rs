//! The facts that a rule can see, as values of the engine. Every fact is read-only. `vocabulary`
//! says what each word means; this file computes it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use chrono_tz::Tz;
use ledger::calendar::this_year;
use ledger::programme::Arm;
use ledger::task::Goal;
use ledger::{Activity, FieldValue, Member, Moment, Order, Programme, Units};
use rhai::{Dynamic, Engine, INT, Scope};

use crate::chance::{arm, bucket};
use crate::evaluated::{Evaluated, fail, text};
use crate::order_facts::{self, OrderFacts, OrderRef};
use crate::suggest::did_you_mean;
use crate::vocabulary::{FACTS, WEEKDAYS};

/// The part of the bundle that facts read: its policy and its tasks.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) programme: Programme,
    pub(crate) tasks: Vec<Task>,
    /// The index in `tasks` of each title.
    pub(crate) places: HashMap<String, usize>,
}

/// A task of the sheets.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its title.
    pub title: String,
    /// The name under which members' progress is kept.
    pub name: String,
    /// Its goal.
    pub goal: Goal,
}

/// The fact `member`.
#[derive(Clone)]
pub(crate) struct MemberFacts(pub(crate) Arc<Seen>);

/// The member as rules see it at one moment.
#[derive(Debug)]
pub struct Seen {
    pub(crate) member: Arc<Member>,
    /// The member's tier, which may be newer than the stored one.
    pub(crate) tier: Option<String>,
    pub(crate) background: Arc<Background>,
    /// When the activity happened.
    pub(crate) at: Moment,
    /// When the rules run. Spendable units are counted as of this moment.
    pub(crate) now: Moment,
}

/// The activity without its order.
#[derive(Clone)]
struct ActivityFacts(Arc<Activity>);

/// The time of the activity on the merchant's clock.
#[derive(Clone)]
struct LocalTime(DateTime<Tz>, Arc<Background>);

/// A span of calendar time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A number of days.
    Days(u32),
    /// A number of months.
    Months(u32),
}

/// The facts that the rules of one request see.
#[derive(Debug)]
pub struct Facts {
    pub(crate) seen: Arc<Seen>,
    pub(crate) order: Option<OrderRef>,
    pub(crate) activity: Option<Arc<Activity>>,
    /// The units that the member wants to spend.
    pub(crate) units: Option<INT>,
}

impl Facts {
    /// The facts for the rules of an activity.
    #[must_use]
    pub fn of_activity(seen: Arc<Seen>, activity: &Arc<Activity>) -> Facts {
        let order = activity.order.as_ref().map(|_| OrderRef::Of(Arc::clone(activity)));
        Facts { seen, order, activity: Some(Arc::clone(activity)), units: None }
    }

    /// The facts for tiers, rewards and benefits. `units` is the number that the member wants to
    /// spend.
    #[must_use]
    pub fn of_order(seen: Arc<Seen>, order: Option<&Order>, units: Option<Units>) -> Facts {
        let order = order.map(|order| OrderRef::Alone(Arc::new(order.clone())));
        Facts { seen, order, activity: None, units: units.map(Units::get) }
    }

    /// The scope of a run. It has every fact in the order of [`FACTS`], because a compiled sheet
    /// finds the facts by their positions.
    pub(crate) fn scope(&self) -> Scope<'static> {
        let mut scope = Scope::new();
        for fact in &FACTS {
            scope.push_constant_dynamic(fact.name, self.fact(fact.name));
        }
        scope
    }

    fn fact(&self, name: &str) -> Dynamic {
        match name {
            "member" => Dynamic::from(MemberFacts(Arc::clone(&self.seen))),
            "order" => {
                let decimals = self.seen.background.programme.decimals();
                Dynamic::from(OrderFacts::of(self.order.clone(), decimals))
            }
            "activity" => self.activity.as_ref().map_or(Dynamic::UNIT, |activity| {
                Dynamic::from(ActivityFacts(Arc::clone(activity)))
            }),
            "now" => {
                let order = self.order.as_ref().and_then(OrderRef::get);
                let zone = self.seen.background.programme.zone_of(order);
                let local = self.seen.at.with_timezone(&zone);
                Dynamic::from(LocalTime(local, Arc::clone(&self.seen.background)))
            }
            "points" => Dynamic::from(0 as INT),
            "units" => self.units.map_or(Dynamic::UNIT, Dynamic::from),
            _ => Dynamic::UNIT,
        }
    }
}

/// The units that the member can spend from a wallet, or that a counting wallet holds.
pub(crate) fn wallet(seen: &Seen, name: &str) -> Evaluated<INT> {
    let programme = &seen.background.programme;
    if !programme.wallets.contains_key(name) {
        return fail(unknown_wallet(name, programme));
    }
    Ok(seen.member.spendable(name, seen.now).get())
}

/// The message about a wallet that the manifest does not list.
#[must_use]
pub fn unknown_wallet(name: &str, programme: &Programme) -> String {
    let known = programme.wallets.keys().map(ledger::WalletName::as_str);
    let hint = did_you_mean(name, known.clone());
    let hint = if hint.is_empty() {
        let list: Vec<&str> = known.collect();
        format!("; there are `{}`, and another is listed as [wallets.{name}]", list.join("`, `"))
    } else {
        hint
    };
    format!("there is no wallet `{name}` in the manifest{hint}")
}

/// Registers every fact with an engine.
pub(crate) fn register(engine: &mut Engine) {
    register_member(engine);
    order_facts::register(engine);
    register_activity(engine);
    register_time(engine);
    register_span(engine);
}

fn register_member(engine: &mut Engine) {
    engine
        .register_type_with_name::<MemberFacts>("member")
        .register_get("tier", |member: &mut MemberFacts| text(member.0.tier.as_deref()))
        .register_get("days", |member: &mut MemberFacts| {
            member.0.at.signed_duration_since(member.0.member.enrolled_at).num_days().max(0)
        })
        .register_get("years", |member: &mut MemberFacts| {
            full_years(member.0.local_date(member.0.member.enrolled_at), member.0.today())
        })
        .register_get("bucket", |member: &mut MemberFacts| {
            let merchant = &member.0.background.programme.merchant;
            INT::from(bucket(merchant, &member.0.member.id))
        })
        .register_get("purchases", |member: &mut MemberFacts| {
            INT::from(member.0.member.history.purchases)
        })
        .register_get("spend", |member: &mut MemberFacts| member.0.member.history.spend)
        .register_get("days_since_purchase", |member: &mut MemberFacts| {
            let member = &*member.0;
            let since = member.member.history.last_purchase_at;
            let since = since.unwrap_or(member.member.enrolled_at);
            member.at.signed_duration_since(since).num_days().max(0)
        })
        .register_get("has_birthday", |member: &mut MemberFacts| {
            member
                .0
                .member
                .birthday()
                .is_some_and(|birthday| is_its_day(birthday, member.0.today()))
        })
        .register_get("birthday_month", |member: &mut MemberFacts| {
            member.0.member.birthday().map_or(0, |birthday| INT::from(birthday.month()))
        })
        .register_get("age", |member: &mut MemberFacts| {
            member.0.member.birthday().map_or(0, |birthday| full_years(birthday, member.0.today()))
        })
        .register_get("has_anniversary", |member: &mut MemberFacts| {
            let joined = member.0.local_date(member.0.member.enrolled_at);
            let today = member.0.today();
            today.year() > joined.year() && is_its_day(joined, today)
        })
        .register_get("referred", |member: &mut MemberFacts| member.0.member.referred_by.is_some())
        .register_fn("has", |member: &mut MemberFacts, tag: &str| {
            member.0.member.tags.contains(tag)
        })
        .register_fn("attribute", |member: &mut MemberFacts, name: &str| {
            text(member.0.member.attributes.get(name).map(String::as_str))
        })
        .register_fn("in_trial", |member: &mut MemberFacts, trial: &str| member.0.in_trial(trial))
        .register_fn("granted", |member: &mut MemberFacts, grant: &str| {
            member.0.member.is_granted(grant, member.0.at)
        })
        .register_fn("progress", |member: &mut MemberFacts, task: &str| {
            INT::from(member.0.progress(task))
        })
        .register_fn("completed", |member: &mut MemberFacts, task: &str| {
            member.0.member.tasks.get(task).map_or(0, |progress| INT::from(progress.completed))
        })
        .register_fn("score", |member: &mut MemberFacts, contest: &str| {
            member.0.member.scores.get(contest).map_or(0, |score| score.get())
        });
}

impl Seen {
    fn local_date(&self, at: Moment) -> NaiveDate {
        at.with_timezone(&self.background.programme.time_zone).date_naive()
    }

    fn today(&self) -> NaiveDate {
        self.local_date(self.at)
    }

    /// Whether a trial is on and the member takes part in it.
    fn in_trial(&self, name: &str) -> Evaluated<bool> {
        let programme = &self.background.programme;
        let Some(trial) = programme.trials.get(name) else {
            let hint = did_you_mean(name, programme.trials.keys().map(String::as_str));
            return fail(format!("there is no trial `{name}` in the manifest{hint}"));
        };
        let is_on = trial.days.contains(&self.today());
        Ok(is_on && arm(programme, name, &self.member.id) == Some(Arm::Part))
    }

    fn progress(&self, task: &str) -> u32 {
        let place = self.background.places.get(task);
        let task = place.and_then(|place| self.background.tasks.get(*place));
        let progress = task.and_then(|task| Some((task, self.member.tasks.get(&task.name)?)));
        progress.map_or(0, |(task, progress)| {
            progress.done(task.goal, self.at, self.background.programme.time_zone)
        })
    }
}

fn full_years(from: NaiveDate, today: NaiveDate) -> INT {
    let not_yet = this_year(from, today).is_some_and(|day| today < day);
    (INT::from(today.year()) - INT::from(from.year()) - INT::from(not_yet)).max(0)
}

/// Whether today is the anniversary of a day.
fn is_its_day(day: NaiveDate, today: NaiveDate) -> bool {
    this_year(day, today) == Some(today)
}

fn register_activity(engine: &mut Engine) {
    engine
        .register_type_with_name::<ActivityFacts>("activity")
        .register_get("id", |activity: &mut ActivityFacts| text(Some(&activity.0.id)))
        .register_get("type", |activity: &mut ActivityFacts| text(Some(&activity.0.kind)))
        .register_get("channel", |activity: &mut ActivityFacts| text(activity.0.channel.as_deref()))
        .register_get("payment", |activity: &mut ActivityFacts| text(activity.0.payment.as_deref()))
        // A field from the manifest reads like any other property. It is `()` if this activity
        // does not have it.
        .register_indexer_get(|activity: &mut ActivityFacts, field: &str| {
            match activity.0.fields.get(field) {
                None => Dynamic::UNIT,
                Some(FieldValue::Integer(number)) => Dynamic::from(*number),
                Some(FieldValue::Amount(amount)) => Dynamic::from(*amount),
                Some(FieldValue::Text(text)) => Dynamic::from(text.clone()),
                Some(FieldValue::Flag(flag)) => Dynamic::from(*flag),
            }
        });
}

fn register_time(engine: &mut Engine) {
    engine
        .register_type_with_name::<LocalTime>("time")
        .register_get("hour", |time: &mut LocalTime| INT::from(time.0.hour()))
        .register_get("minute", |time: &mut LocalTime| INT::from(time.0.minute()))
        .register_get("weekday", |time: &mut LocalTime| text(time.weekday()))
        .register_get("weekend", |time: &mut LocalTime| {
            time.0.weekday().num_days_from_monday() >= 5
        })
        .register_get("day", |time: &mut LocalTime| INT::from(time.0.day()))
        .register_get("month", |time: &mut LocalTime| INT::from(time.0.month()))
        .register_get("year", |time: &mut LocalTime| INT::from(time.0.year()))
        .register_get("date", |time: &mut LocalTime| time.0.format("%Y-%m-%d").to_string())
        .register_get("time", |time: &mut LocalTime| time.0.format("%H:%M").to_string())
        .register_get("month_day", |time: &mut LocalTime| time.0.format("%m-%d").to_string())
        .register_get("holiday", |time: &mut LocalTime| time.holiday().is_some())
        .register_get("holiday_name", |time: &mut LocalTime| text(time.holiday()));
}

impl LocalTime {
    fn weekday(&self) -> Option<&'static str> {
        let number = usize::try_from(self.0.weekday().num_days_from_monday()).ok()?;
        WEEKDAYS.get(number).copied()
    }

    fn holiday(&self) -> Option<&str> {
        self.1.programme.holidays.on(self.0.date_naive())
    }
}

/// The longest spans. Whatever should last longer is given without a span.
const DAYS_MAX: u32 = 36_500;
const MONTHS_MAX: u32 = 1_200;

fn register_span(engine: &mut Engine) {
    engine.register_type_with_name::<Span>("span of time");
    for (name, days) in [("day", 1), ("days", 1), ("week", 7), ("weeks", 7)] {
        engine.register_get(name, move |number: &mut INT| {
            span(*number, days, DAYS_MAX).map(Span::Days)
        });
    }
    for (name, months) in [("month", 1), ("months", 1), ("year", 12), ("years", 12)] {
        engine.register_get(name, move |number: &mut INT| {
            span(*number, months, MONTHS_MAX).map(Span::Months)
        });
    }
}

fn span(number: INT, times: u32, most: u32) -> Evaluated<u32> {
    let span = u32::try_from(number).ok().and_then(|number| number.checked_mul(times));
    span.filter(|span| (1..=most).contains(span))
        .map_or_else(|| fail(format!("`{number}` is not a number from 1 to {}", most / times)), Ok)
}
