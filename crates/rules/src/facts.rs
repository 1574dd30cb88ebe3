//! The facts that a rule can see, as values of the engine. Every fact is read-only. `vocabulary`
//! says what each word means; this file computes it.

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

/// The order, if there is one, with an index of its lines that is built at the first use.
#[derive(Clone)]
struct OrderFacts(Option<(OrderRef, Arc<OnceLock<Bought>>)>);

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

    fn lines(&self) -> &[Line] {
        self.get().map_or(&[], |order| &order.lines)
    }
}

/// The index of a long order: the hash of each article, category and tag with the index of its
/// line, sorted. A rule may look up thousands of times, so each look-up must be short.
type Bought = Vec<(u64, usize)>;

/// The most lines of an order that is searched without an index.
const LINES_WALKED: usize = 32;

/// The pieces and the money of one article, category or tag in an order.
#[derive(Clone, Copy)]
struct Pieces {
    quantity: u64,
    /// Nothing if one of its lines has no price.
    spent: Option<Decimal>,
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

fn bought(lines: &[Line]) -> Bought {
    let mut bought = Bought::new();
    for (place, line) in lines.iter().enumerate() {
        let words = [Some(&line.sku), line.category.as_ref()].into_iter().flatten();
        bought.extend(words.chain(&line.tags).map(|word| (hash(word), place)));
    }
    bought.sort_unstable();
    bought.dedup();
    bought
}

/// Whether the word is the line's article number, its category or one of its tags.
fn is(line: &Line, word: &str) -> bool {
    line.sku == word
        || line.category.as_deref() == Some(word)
        || line.tags.iter().any(|tag| tag == word)
}

/// The lines of an order. They are not copied.
#[derive(Clone)]
struct LinesFacts(OrderRef);

/// One line of the order.
#[derive(Clone)]
struct LineFacts(OrderRef, usize);

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
                let order = self.order.clone();
                Dynamic::from(OrderFacts(order.map(|order| (order, Arc::default()))))
            }
            "activity" => self.activity.as_ref().map_or(Dynamic::UNIT, |activity| {
                Dynamic::from(ActivityFacts(Arc::clone(activity)))
            }),
            "now" => {
                let zone = self.seen.background.programme.time_zone;
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
    format!("there is no wallet `{name}` in the manifest{}", did_you_mean(name, known))
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
    engine
        .register_type_with_name::<OrderFacts>("order")
        .register_get("total", |order: &mut OrderFacts| -> Evaluated<Decimal> {
            Ok(order.get()?.total)
        })
        .register_get("pieces", |order: &mut OrderFacts| -> Evaluated<INT> {
            Ok(whole(order.get()?.pieces()))
        })
        .register_get("lines", |order: &mut OrderFacts| -> Evaluated<LinesFacts> {
            order.get()?;
            let order = order.0.as_ref().map(|(order, _)| LinesFacts(order.clone()));
            order.map_or_else(|| fail(NO_ORDER.to_owned()), Ok)
        })
        .register_fn("quantity", |order: &mut OrderFacts, what: &str| -> Evaluated<INT> {
            Ok(whole(order.of(what)?.quantity))
        })
        .register_fn("has", |order: &mut OrderFacts, what: &str| -> Evaluated<bool> {
            Ok(order.of(what)?.quantity > 0)
        })
        .register_fn("spent", |order: &mut OrderFacts, on: &str| -> Evaluated<Decimal> {
            order.of(on)?.spent.map_or_else(
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
                |place| Ok(LineFacts(lines.0.clone(), place)),
            )
        });

    let price = |line: &mut LineFacts, price: Option<Decimal>| -> Evaluated<Decimal> {
        let sku = line.get().map_or("", |line| line.sku.as_str());
        price.map_or_else(|| fail(format!("the line of `{sku}` has no price")), Ok)
    };
    engine
        .register_type_with_name::<LineFacts>("line")
        .register_get("sku", |line: &mut LineFacts| text(line.get().map(|line| line.sku.as_str())))
        .register_get("category", |line: &mut LineFacts| {
            text(line.get().and_then(|line| line.category.as_deref()))
        })
        .register_get("quantity", |line: &mut LineFacts| {
            line.get().map_or(0, |line| INT::from(line.quantity))
        })
        .register_get("price", move |line: &mut LineFacts| {
            let of_one = line.get().and_then(|line| line.price);
            price(line, of_one)
        })
        .register_get("amount", move |line: &mut LineFacts| {
            let of_all = line.get().and_then(Line::amount);
            price(line, of_all)
        })
        .register_fn("tagged", |line: &mut LineFacts, tag: &str| {
            line.get().is_some_and(|line| line.tags.iter().any(|had| had == tag))
        });
}

impl OrderFacts {
    fn get(&self) -> Evaluated<&Order> {
        let order = self.0.as_ref().and_then(|(order, _)| order.get());
        order.map_or_else(|| fail(NO_ORDER.to_owned()), Ok)
    }

    fn of(&self, word: &str) -> Evaluated<Pieces> {
        let lines = &self.get()?.lines;
        let mut pieces = Pieces { quantity: 0, spent: Some(Decimal::ZERO) };
        let mut add = |line: &Line| {
            if is(line, word) {
                pieces.quantity = pieces.quantity.saturating_add(line.quantity.into());
                let sum = |spent: Decimal| spent.checked_add(line.amount()?);
                pieces.spent = pieces.spent.and_then(sum);
            }
        };
        match &self.0 {
            Some((_, seen)) if lines.len() > LINES_WALKED => {
                let seen = seen.get_or_init(|| bought(lines));
                let hash = hash(word);
                let first = seen.partition_point(|(other, _)| *other < hash);
                let found = seen.iter().skip(first).take_while(|(other, _)| *other == hash);
                found.filter_map(|(_, place)| lines.get(*place)).for_each(&mut add);
            }
            _ => lines.iter().for_each(&mut add),
        }
        Ok(pieces)
    }
}

impl LineFacts {
    fn get(&self) -> Option<&Line> {
        self.0.lines().get(self.1)
    }
}

impl IntoIterator for LinesFacts {
    type Item = LineFacts;
    type IntoIter = Box<dyn Iterator<Item = LineFacts>>;

    fn into_iter(self) -> Self::IntoIter {
        let places = 0..self.0.lines().len();
        Box::new(places.map(move |place| LineFacts(self.0.clone(), place)))
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
