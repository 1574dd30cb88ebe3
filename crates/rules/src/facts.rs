//! The facts that a rule can see, as values of the engine. Every fact is read-only. `vocabulary`
//! says what each word means; this file computes it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use chrono_tz::Tz;
use ledger::calendar::this_year;
use ledger::task::Goal;
use ledger::{
    Activity, FieldValue, Line, Member, MemberId, MerchantId, Moment, Order, Programme, Units,
};
use rhai::{Dynamic, Engine, EvalAltResult, INT, ImmutableString, Position, Scope};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sha2::{Digest, Sha256};

use crate::mistake::NO_ORDER;
use crate::suggest::did_you_mean;
use crate::vocabulary::{FACTS, WEEKDAYS};

/// The result of a fact or a function for the engine.
pub(crate) type Evaluated<T> = Result<T, Box<EvalAltResult>>;

/// The part of the bundle that facts read: its policy, and the goals of its tasks.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) programme: Programme,
    /// The title and the goal of each task.
    pub(crate) goals: Vec<(String, Goal)>,
    /// The index in `goals` of each task.
    pub(crate) places: HashMap<String, usize>,
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

/// The order, if there is one.
#[derive(Clone)]
struct OrderFacts(Option<Arc<OrderSeen>>);

/// An order as rules see it, with what is computed of it at the first use.
struct OrderSeen {
    order: OrderRef,
    /// The decimals of the currency.
    decimals: u32,
    words: OnceLock<Words>,
    amounts: OnceLock<Vec<Option<Decimal>>>,
}

/// A reference to an order, in its activity or on its own. It is not copied.
#[derive(Debug, Clone)]
pub(crate) enum OrderRef {
    Of(Arc<Activity>),
    Alone(Arc<Order>),
}

impl OrderRef {
    fn get(&self) -> Option<&Order> {
        match self {
            OrderRef::Of(activity) => activity.order.as_ref(),
            OrderRef::Alone(order) => Some(order),
        }
    }
}

impl OrderSeen {
    fn lines(&self) -> &[Line] {
        self.order.get().map_or(&[], |order| &order.lines)
    }

    /// What was paid for each line: its share of the goods.
    fn amounts(&self) -> &[Option<Decimal>] {
        self.amounts.get_or_init(|| {
            let order = self.order.get();
            order.map_or_else(Vec::new, |order| order.shares(order.goods(), self.decimals))
        })
    }

    /// What was bought of one article, category or tag.
    fn of(&self, word: &str) -> Pieces {
        let word: Cow<'_, str> =
            if word.is_ascii() { word.into() } else { ledger::text::compared(word).into() };
        let lines = self.lines();
        let mut pieces = Pieces { quantity: Decimal::ZERO, places: Vec::new() };
        let mut add = |(place, line): (usize, &Line)| {
            if line.is(&word) {
                pieces.quantity = pieces.quantity.saturating_add(line.quantity);
                pieces.places.push(place);
            }
        };
        if lines.len() > LINES_WALKED {
            let words = self.words.get_or_init(|| words_of_lines(lines));
            let hash = hash(&word);
            let first = words.partition_point(|(other, _)| *other < hash);
            let found = words.iter().skip(first).take_while(|(other, _)| *other == hash);
            found.filter_map(|(_, place)| Some((*place, lines.get(*place)?))).for_each(&mut add);
        } else {
            lines.iter().enumerate().for_each(&mut add);
        }
        pieces
    }

    /// What was paid for some lines; nothing if it is not known of one of them.
    fn spent(&self, places: &[usize]) -> Option<Decimal> {
        let amounts = self.amounts();
        places.iter().try_fold(Decimal::ZERO, |sum, place| {
            sum.checked_add(amounts.get(*place).copied().flatten()?)
        })
    }
}

/// The index of a long order: the hash of each article, category and tag with the index of its
/// line, sorted. A rule may look up thousands of times, so each look-up must be short.
type Words = Vec<(u64, usize)>;

/// The most lines of an order that is searched without an index.
const LINES_WALKED: usize = 32;

/// What was bought of one article, category or tag: how much, and the places of its lines.
struct Pieces {
    quantity: Decimal,
    places: Vec<usize>,
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

fn words_of_lines(lines: &[Line]) -> Words {
    let mut index = Words::new();
    for (place, line) in lines.iter().enumerate() {
        let words = line.sku.iter().chain(&line.categories).chain(&line.tags);
        index.extend(words.map(|word| (hash(word), place)));
    }
    index.sort_unstable();
    index.dedup();
    index
}

/// The lines of an order. They are not copied.
#[derive(Clone)]
struct LinesFacts(Arc<OrderSeen>);

/// One line of the order.
#[derive(Clone)]
struct LineFacts(Arc<OrderSeen>, usize);

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
                let seen = |order: &OrderRef| OrderSeen {
                    order: order.clone(),
                    decimals,
                    words: OnceLock::new(),
                    amounts: OnceLock::new(),
                };
                Dynamic::from(OrderFacts(self.order.as_ref().map(|order| Arc::new(seen(order)))))
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

pub(crate) fn fail<T>(message: String) -> Evaluated<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE)))
}

fn text(text: Option<&str>) -> ImmutableString {
    text.map_or_else(ImmutableString::new, ImmutableString::from)
}

fn whole<N: TryInto<INT>>(number: N) -> INT {
    number.try_into().unwrap_or(INT::MAX)
}

/// Registers every fact with an engine.
pub(crate) fn register(engine: &mut Engine) {
    register_member(engine);
    register_order(engine);
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

    fn progress(&self, task: &str) -> u32 {
        let place = self.background.places.get(task);
        let goal = place.and_then(|place| self.background.goals.get(*place));
        match (self.member.tasks.get(task), goal) {
            (Some(progress), Some((_, goal))) => {
                progress.done(*goal, self.at, self.background.programme.time_zone)
            }
            _ => 0,
        }
    }
}

/// A number from 0 to 99 that never changes for a member. It depends on the merchant, so that the
/// same people are not in every merchant's trials.
#[must_use]
pub fn bucket(merchant: &MerchantId, member: &MemberId) -> u8 {
    let digest = Sha256::digest(format!("{merchant}#{member}"));
    let number = digest.iter().take(7).fold(0u64, |sum, byte| sum * 256 + u64::from(*byte));
    u8::try_from(number % 100).unwrap_or_default()
}

fn full_years(from: NaiveDate, today: NaiveDate) -> INT {
    let not_yet = this_year(from, today).is_some_and(|day| today < day);
    (INT::from(today.year()) - INT::from(from.year()) - INT::from(not_yet)).max(0)
}

/// Whether today is the anniversary of a day.
fn is_its_day(day: NaiveDate, today: NaiveDate) -> bool {
    this_year(day, today) == Some(today)
}

fn register_order(engine: &mut Engine) {
    let amount = |pick: fn(&Order) -> Decimal| {
        move |order: &mut OrderFacts| -> Evaluated<Decimal> { Ok(pick(order.get()?)) }
    };
    engine
        .register_type_with_name::<OrderFacts>("order")
        .register_get("total", amount(|order| order.total))
        .register_get("goods", amount(Order::goods))
        .register_get("net", amount(|order| order.total - order.amounts.tax))
        .register_get("discount", amount(|order| order.amounts.discount))
        .register_get("shipping", amount(|order| order.amounts.shipping))
        .register_get("tax", amount(|order| order.amounts.tax))
        .register_get("tip", amount(|order| order.amounts.tip))
        .register_get("store", |order: &mut OrderFacts| -> Evaluated<ImmutableString> {
            Ok(text(order.get()?.store.as_deref()))
        })
        .register_get("pieces", |order: &mut OrderFacts| -> Evaluated<INT> {
            Ok(order.get()?.pieces().to_i64().unwrap_or(INT::MAX))
        })
        .register_get("lines", |order: &mut OrderFacts| -> Evaluated<LinesFacts> {
            Ok(LinesFacts(Arc::clone(order.seen()?)))
        })
        .register_fn("paid", |order: &mut OrderFacts, by: &str| -> Evaluated<Decimal> {
            let payments = order.get()?.payments.iter();
            Ok(payments.filter(|payment| payment.method == by).map(|payment| payment.amount).sum())
        })
        .register_fn("quantity", |order: &mut OrderFacts, what: &str| -> Evaluated<Dynamic> {
            Ok(number(order.seen()?.of(what).quantity))
        })
        .register_fn("has", |order: &mut OrderFacts, what: &str| -> Evaluated<bool> {
            Ok(order.seen()?.of(what).quantity > Decimal::ZERO)
        })
        .register_fn("spent", |order: &mut OrderFacts, on: &str| -> Evaluated<Decimal> {
            let seen = order.seen()?;
            seen.spent(&seen.of(on).places).map_or_else(
                || {
                    fail(format!(
                        "what was spent on `{on}` is not known: a line of it has no price"
                    ))
                },
                Ok,
            )
        });

    engine
        .register_type_with_name::<LinesFacts>("lines")
        .register_iterator::<LinesFacts>()
        .register_fn("len", |lines: &mut LinesFacts| whole(lines.0.lines().len()))
        .register_indexer_get(|lines: &mut LinesFacts, place: INT| -> Evaluated<LineFacts> {
            let place = usize::try_from(place).ok().filter(|place| *place < lines.0.lines().len());
            let known = lines.0.lines().len();
            place.map_or_else(
                || fail(format!("there is no such line; the order has {known}, counted from 0")),
                |place| Ok(LineFacts(Arc::clone(&lines.0), place)),
            )
        });
    register_line(engine);
}

fn register_line(engine: &mut Engine) {
    let known = |line: &mut LineFacts, amount: Option<Decimal>| -> Evaluated<Decimal> {
        let sku = line.get().and_then(|line| line.sku.as_deref()).unwrap_or_default();
        amount.map_or_else(|| fail(format!("the line of `{sku}` has no price")), Ok)
    };
    let word = |pick: fn(&Line) -> Option<&str>| {
        move |line: &mut LineFacts| text(line.get().and_then(pick))
    };
    engine
        .register_type_with_name::<LineFacts>("line")
        .register_get("id", word(|line| line.id.as_deref()))
        .register_get("sku", word(|line| line.sku.as_deref()))
        .register_get("category", word(|line| line.categories.first().map(String::as_str)))
        .register_get("unit", word(|line| line.unit.as_deref()))
        .register_get("quantity", |line: &mut LineFacts| {
            number(line.get().map_or(Decimal::ZERO, |line| line.quantity))
        })
        .register_get("price", move |line: &mut LineFacts| {
            let of_one = line.price();
            known(line, of_one)
        })
        .register_get("amount", move |line: &mut LineFacts| {
            let of_all = line.0.spent(&[line.1]);
            known(line, of_all)
        })
        .register_get("discount", |line: &mut LineFacts| {
            line.get().map_or(Decimal::ZERO, |line| line.discount)
        })
        .register_get("tax", |line: &mut LineFacts| {
            line.get().map_or(Decimal::ZERO, |line| line.tax)
        })
        .register_fn("attribute", |line: &mut LineFacts, name: &str| {
            let line = line.get();
            text(line.and_then(|line| line.attributes.get(name)).map(String::as_str))
        })
        .register_fn("has", |line: &mut LineFacts, what: &str| {
            line.get().is_some_and(|line| line.is(what))
        })
        .register_fn("tagged", |line: &mut LineFacts, tag: &str| {
            line.get().is_some_and(|line| line.tags.iter().any(|had| had == tag))
        });
}

/// A number as rules see it: a whole number if it is one.
fn number(number: Decimal) -> Dynamic {
    let whole = number.is_integer().then(|| number.to_i64()).flatten();
    whole.map_or_else(|| Dynamic::from(number), Dynamic::from)
}

impl OrderFacts {
    fn seen(&self) -> Evaluated<&Arc<OrderSeen>> {
        self.0.as_ref().map_or_else(|| fail(NO_ORDER.to_owned()), Ok)
    }

    fn get(&self) -> Evaluated<&Order> {
        let order = self.0.as_ref().and_then(|seen| seen.order.get());
        order.map_or_else(|| fail(NO_ORDER.to_owned()), Ok)
    }
}

impl LineFacts {
    fn get(&self) -> Option<&Line> {
        self.0.lines().get(self.1)
    }

    /// The price of one, as it was sent or as the line came to it.
    fn price(&self) -> Option<Decimal> {
        let line = self.get()?;
        let of_amount = || line.own_amount(self.0.decimals)?.checked_div(line.quantity);
        line.price.or_else(of_amount)
    }
}

impl IntoIterator for LinesFacts {
    type Item = LineFacts;
    type IntoIter = Box<dyn Iterator<Item = LineFacts>>;

    fn into_iter(self) -> Self::IntoIter {
        let places = 0..self.0.lines().len();
        Box::new(places.map(move |place| LineFacts(Arc::clone(&self.0), place)))
    }
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
