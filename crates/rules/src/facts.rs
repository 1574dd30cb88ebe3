//! What a rule can see. Every fact is read-only and typed; [`VOCABULARY`] lists them all, for the
//! check that finds misspelt ones and for "did you mean".

use std::sync::Arc;

use chrono::{DateTime, Datelike, Timelike, Weekday};
use chrono_tz::Tz;
use ledger::{Activity, FieldValue, Line, Member, Moment, Order, Programme};
use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Position, Scope};
use rust_decimal::Decimal;

use crate::mistake::{NO_ORDER, did_you_mean};

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// The facts by name, with what can be asked of each.
pub(crate) const VOCABULARY: [(&str, &[&str]); 4] = [
    ("member", &["tier", "days", "has", "attribute"]),
    ("order", &["total", "lines", "quantity", "spent"]),
    ("activity", &["id", "type", "channel", "payment"]),
    ("now", &["hour", "minute", "weekday", "weekend", "day", "month", "year"]),
];

/// The member, and the wallets that the programme knows.
#[derive(Clone)]
pub(crate) struct MemberFacts(Arc<(Member, Arc<Programme>, Moment)>);

/// The order, if there is one.
#[derive(Clone)]
struct OrderFacts(Option<Arc<Order>>);

/// One line of the order.
#[derive(Clone)]
struct LineFacts(Arc<Line>);

/// The activity without its order.
#[derive(Clone)]
struct ActivityFacts(Arc<Activity>);

/// The time of the activity on the merchant's clock.
#[derive(Clone)]
struct LocalTime(DateTime<Tz>);

/// Fills a scope with the facts of one evaluation.
pub(crate) struct Facts<'a> {
    pub(crate) member: &'a Member,
    pub(crate) programme: &'a Arc<Programme>,
    pub(crate) order: Option<&'a Order>,
    pub(crate) activity: Option<&'a Activity>,
    /// When what is judged happened.
    pub(crate) at: Moment,
    /// When it is judged: what can be spent is asked as of this moment.
    pub(crate) now: Moment,
}

impl Facts<'_> {
    /// Puts the named facts into a scope, in the order of the names: a compiled sheet finds them
    /// by their place.
    pub(crate) fn scope(&self, names: &[&str]) -> Scope<'static> {
        let mut scope = Scope::new();
        for name in names {
            scope.push_constant_dynamic(*name, self.fact(name));
        }
        scope
    }

    fn fact(&self, name: &str) -> Dynamic {
        match name {
            "member" => Dynamic::from(MemberFacts(Arc::new((
                self.member.clone(),
                Arc::clone(self.programme),
                self.now,
            )))),
            "order" => Dynamic::from(OrderFacts(self.order.cloned().map(Arc::new))),
            "activity" => self.activity.map_or(Dynamic::UNIT, |activity| {
                Dynamic::from(ActivityFacts(Arc::new(activity.clone())))
            }),
            "now" => Dynamic::from(LocalTime(self.at.with_timezone(&self.programme.time_zone))),
            _ => Dynamic::UNIT,
        }
    }
}

/// What can be spent from (or is counted in) a wallet of the member in scope.
pub(crate) fn wallet(member: &MemberFacts, name: &str) -> Outcome<INT> {
    let (member, programme, now) = &*member.0;
    if !programme.wallets.contains_key(name) {
        return fail(unknown_wallet(name, programme));
    }
    Ok(member.spendable(name, *now).get())
}

pub(crate) fn unknown_wallet(name: &str, programme: &Programme) -> String {
    let known = programme.wallets.keys().map(ledger::WalletName::as_str);
    format!("there is no wallet `{name}` in the manifest{}", did_you_mean(name, known))
}

fn fail<T>(message: String) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE)))
}

fn text(text: Option<&String>) -> ImmutableString {
    text.map_or_else(ImmutableString::new, ImmutableString::from)
}

/// Teaches an engine every fact.
pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<MemberFacts>("member")
        .register_get("tier", |member: &mut MemberFacts| text(member.0.0.tier.as_ref()))
        .register_get("days", |member: &mut MemberFacts| {
            let (member, _, now) = &*member.0;
            now.signed_duration_since(member.enrolled_at).num_days()
        })
        .register_fn("has", |member: &mut MemberFacts, tag: &str| member.0.0.tags.contains(tag))
        .register_fn("attribute", |member: &mut MemberFacts, name: &str| {
            text(member.0.0.attributes.get(name))
        });

    engine
        .register_type_with_name::<OrderFacts>("order")
        .register_get("total", |order: &mut OrderFacts| -> Outcome<Decimal> {
            Ok(order.get()?.total)
        })
        .register_get("lines", |order: &mut OrderFacts| -> Outcome<Array> {
            let lines = order.get()?.lines.iter();
            Ok(lines.map(|line| Dynamic::from(LineFacts(Arc::new(line.clone())))).collect())
        })
        .register_fn("quantity", |order: &mut OrderFacts, what: &str| -> Outcome<INT> {
            INT::try_from(order.get()?.quantity(what))
                .or_else(|_| fail("too many pieces to count".to_owned()))
        })
        .register_fn("spent", |order: &mut OrderFacts, on: &str| -> Outcome<Decimal> {
            order.get()?.spent(on).map_or_else(
                || {
                    fail(format!(
                        "what was spent on `{on}` is not known: a line of it has no price"
                    ))
                },
                Ok,
            )
        });

    engine
        .register_type_with_name::<LineFacts>("line")
        .register_get("sku", |line: &mut LineFacts| ImmutableString::from(&line.0.sku))
        .register_get("category", |line: &mut LineFacts| text(line.0.category.as_ref()))
        .register_get("quantity", |line: &mut LineFacts| INT::from(line.0.quantity))
        .register_get("price", |line: &mut LineFacts| -> Outcome<Decimal> {
            line.0
                .price
                .map_or_else(|| fail(format!("the line of `{}` has no price", line.0.sku)), Ok)
        });

    engine
        .register_type_with_name::<ActivityFacts>("activity")
        .register_get("id", |activity: &mut ActivityFacts| ImmutableString::from(&activity.0.id))
        .register_get("type", |activity: &mut ActivityFacts| {
            ImmutableString::from(&activity.0.kind)
        })
        .register_get("channel", |activity: &mut ActivityFacts| text(activity.0.channel.as_ref()))
        .register_get("payment", |activity: &mut ActivityFacts| text(activity.0.payment.as_ref()))
        // What the manifest lists for the activity reads like any other property; a field that
        // this activity came without is `()`.
        .register_indexer_get(|activity: &mut ActivityFacts, field: &str| {
            match activity.0.fields.get(field) {
                None => Dynamic::UNIT,
                Some(FieldValue::Integer(number)) => Dynamic::from(*number),
                Some(FieldValue::Amount(amount)) => Dynamic::from(*amount),
                Some(FieldValue::Text(text)) => Dynamic::from(text.clone()),
                Some(FieldValue::Flag(flag)) => Dynamic::from(*flag),
            }
        });

    engine
        .register_type_with_name::<LocalTime>("time")
        .register_get("hour", |time: &mut LocalTime| INT::from(time.0.hour()))
        .register_get("minute", |time: &mut LocalTime| INT::from(time.0.minute()))
        .register_get("weekday", |time: &mut LocalTime| weekday(time.0.weekday()))
        .register_get("weekend", |time: &mut LocalTime| {
            matches!(time.0.weekday(), Weekday::Sat | Weekday::Sun)
        })
        .register_get("day", |time: &mut LocalTime| INT::from(time.0.day()))
        .register_get("month", |time: &mut LocalTime| INT::from(time.0.month()))
        .register_get("year", |time: &mut LocalTime| INT::from(time.0.year()));
}

impl OrderFacts {
    fn get(&self) -> Outcome<&Order> {
        self.0.as_deref().map_or_else(|| fail(NO_ORDER.to_owned()), Ok)
    }
}

fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Monday",
        Weekday::Tue => "Tuesday",
        Weekday::Wed => "Wednesday",
        Weekday::Thu => "Thursday",
        Weekday::Fri => "Friday",
        Weekday::Sat => "Saturday",
        Weekday::Sun => "Sunday",
    }
}
