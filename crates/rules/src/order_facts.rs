//! The facts of the order and of its lines, as values of the engine. Every fact is read-only.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use ledger::{Activity, Line, Order};
use rhai::{Dynamic, Engine, INT, ImmutableString};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::evaluated::{Evaluated, fail, number, text, whole};
use crate::mistake::NO_ORDER;

/// The order, if there is one.
#[derive(Clone)]
pub(crate) struct OrderFacts(Option<Arc<OrderSeen>>);

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
    pub(crate) fn get(&self) -> Option<&Order> {
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

/// Registers the facts of the order and of its lines with an engine.
pub(crate) fn register(engine: &mut Engine) {
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
        .register_get("priced", |order: &mut OrderFacts| -> Evaluated<bool> {
            Ok(order.seen()?.amounts().iter().all(Option::is_some))
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

impl OrderFacts {
    /// The facts of an order, in a currency of so many decimals.
    pub(crate) fn of(order: Option<OrderRef>, decimals: u32) -> OrderFacts {
        let seen =
            |order| OrderSeen { order, decimals, words: OnceLock::new(), amounts: OnceLock::new() };
        OrderFacts(order.map(|order| Arc::new(seen(order))))
    }

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
