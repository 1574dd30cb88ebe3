//! Input: activities and orders as clients send them in JSON and specs write them in TOML. Both
//! have the same form and get the same errors.
//!
//! What is absent, `null` or empty is the same. Numbers are read by their decimal text, never
//! through floating point, and may be written as JSON numbers or as texts.

/// What is wrong with a value, and where it stands.
mod error;
/// Values as clients write them.
mod value;
/// What comes back of an order.
mod returned;

use std::collections::{BTreeMap, BTreeSet};

use ledger::money::{AmountRejection, amount_max, parse_decimal, parse_price};
use ledger::programme::FieldKind;
use ledger::text::{TEXT_LENGTH_MAX, compared, parse_text};
use ledger::{
    Activity, FieldValue, Line, Moment, Order, OrderAmounts, Payment, Programme, activity,
};
use rules::{Object, did_you_mean};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

use self::error::wrong;
pub use self::error::{InputError, InputErrorReason, escape};
pub use self::returned::{ReturnedBody, ReturnedLineBody};
pub(crate) use self::value::InJson;
pub use self::value::{Amount, At, Quantity};
use self::value::{Scalar, object_or_empty, or_empty};

/// The most lines of an order.
pub const LINES_MAX: usize = 500;
/// The most tags, categories or attributes of a line, and the most payments of an order.
const LIST_MAX: usize = 20;

/// An activity as a client writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an activity")]
pub struct ActivityBody {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    at: Option<At>,
    /// The id of the earlier activity to which it belongs.
    of: Option<String>,
    /// The id of the purchase that this one puts right.
    replaces: Option<String>,
    /// What comes back with this purchase, in an exchange.
    returns: Option<Object<ExchangedBody>>,
    order: Option<Object<OrderBody>>,
    channel: Option<String>,
    payment: Option<String>,
    #[serde(default, deserialize_with = "object_or_empty")]
    fields: BTreeMap<String, Scalar>,
}

/// What comes back of an earlier purchase with a new one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "what comes back of a purchase")]
struct ExchangedBody {
    order: String,
    lines: Option<Vec<Object<ReturnedLineBody>>>,
    refund: Option<Amount>,
}

/// What an activity takes back: the id of another, and the part of its order.
#[derive(Debug, Clone)]
pub struct TakesBack {
    /// The id of the other activity.
    pub id: String,
    /// The field that names it.
    pub pointer: &'static str,
    /// The part of its order.
    pub part: ReturnedBody,
}

/// An order as a client writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an order")]
pub struct OrderBody {
    total: Amount,
    #[serde(default, deserialize_with = "or_empty")]
    lines: Vec<Object<LineBody>>,
    discount: Option<Amount>,
    shipping: Option<Amount>,
    tax: Option<Amount>,
    tip: Option<Amount>,
    currency: Option<String>,
    store: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    payments: Vec<Object<PaymentBody>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a line of an order")]
struct LineBody {
    id: Option<String>,
    sku: Option<String>,
    category: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    categories: Vec<String>,
    #[serde(default, deserialize_with = "or_empty")]
    tags: Vec<String>,
    quantity: Option<Quantity>,
    unit: Option<String>,
    price: Option<Amount>,
    amount: Option<Amount>,
    discount: Option<Amount>,
    tax: Option<Amount>,
    #[serde(default, deserialize_with = "object_or_empty")]
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a payment")]
struct PaymentBody {
    method: String,
    amount: Amount,
}

impl ActivityBody {
    /// The moment of the activity, if the input has one.
    pub(crate) fn stated_at(&self) -> Option<Moment> {
        self.at.map(|at| at.0)
    }

    /// The type of the activity, which may be unknown.
    #[must_use]
    pub fn kind(&self) -> String {
        compared(&self.kind)
    }

    /// The id of the activity that it is about, if it is about one.
    #[must_use]
    pub fn of(&self) -> Option<String> {
        self.of.as_deref().map(compared).filter(|of| !of.is_empty())
    }

    /// The activity that this one takes back, if it takes one back.
    ///
    /// # Errors
    /// It takes two back.
    pub fn takes_back(&self) -> Result<Option<TakesBack>, InputError> {
        let replaced = self.replaces.as_deref().map(compared).filter(|id| !id.is_empty());
        match (replaced, &self.returns) {
            (None, None) => Ok(None),
            (Some(id), None) => {
                let part = ReturnedBody::default();
                Ok(Some(TakesBack { id, pointer: "/replaces", part }))
            }
            (None, Some(Object(ExchangedBody { order, lines, refund }))) => {
                let part = ReturnedBody { lines: lines.clone(), refund: refund.clone() };
                Ok(Some(TakesBack { id: compared(order), pointer: "/returns/order", part }))
            }
            (Some(_), Some(_)) => {
                let reason = "a purchase either puts another right or is an exchange";
                Err(wrong("/returns", reason.to_owned()))
            }
        }
    }

    /// The id that tells the activity from others of its type: the one in the body, or the
    /// request's key.
    ///
    /// # Errors
    /// The id is empty, too long, or has a character that cannot be seen.
    pub fn id(&self, key: &str) -> Result<String, InputError> {
        Ok(optional("/id", self.id.clone())?.unwrap_or_else(|| key.to_owned()))
    }

    /// The activity, checked against the programme. Without an id it gets the request's key as its
    /// id, and without a time it happened now.
    ///
    /// # Errors
    /// A value is unknown or out of bounds; the pointer says which.
    pub fn check(
        self,
        programme: &Programme,
        key: &str,
        now: Moment,
    ) -> Result<Activity, InputError> {
        let kind = text("/type", &self.kind)?;
        let Some(policy) = programme.activities.get(&kind) else {
            let known = programme.activities.keys().map(String::as_str);
            let hint = did_you_mean(&kind, known);
            let reason = InputErrorReason::ActivityIsUnknown { kind, hint };
            return Err(InputError { pointer: "/type".to_owned(), reason });
        };
        if kind == activity::PURCHASE && self.order.is_none() {
            return Err(wrong("/order", "a purchase has an order".to_owned()));
        }
        let id = self.id(key)?;
        let mut fields = BTreeMap::new();
        for (name, value) in self.fields {
            let pointer = format!("/fields/{}", escape(&name));
            let Some(field_kind) = policy.fields.get(&name) else {
                let hint = did_you_mean(&name, policy.fields.keys().map(String::as_str));
                return Err(wrong(&pointer, format!("a {kind} has no such field{hint}")));
            };
            if let Some(value) = field(&pointer, *field_kind, &value, programme)? {
                fields.insert(name, value);
            }
        }
        Ok(Activity {
            id,
            at: self.at.map_or(now, |at| at.0),
            of: optional("/of", self.of)?,
            order: self.order.map(|Object(order)| order.check("/order", programme)).transpose()?,
            channel: optional("/channel", self.channel)?,
            payment: optional("/payment", self.payment)?,
            fields,
            kind,
        })
    }
}

impl OrderBody {
    /// The order at `pointer` in the body, checked against the programme. A line of which nothing
    /// was bought is left out.
    ///
    /// # Errors
    /// A value is out of bounds; the pointer says which.
    pub fn check(self, pointer: &str, programme: &Programme) -> Result<Order, InputError> {
        let at = |field: &str| format!("{pointer}/{field}");
        let positive = |field: &str, amount: Option<Amount>| match told(amount) {
            None => Ok(Decimal::ZERO),
            Some(amount) => amount.check(&at(field), programme),
        };
        let total = self.total.check_signed(&at("total"), programme)?;
        let currency = programme.currency.code();
        if optional(&at("currency"), self.currency)?.is_some_and(|told| told != currency) {
            let reason = format!("the programme counts in {currency}; convert the order to it");
            return Err(wrong(&at("currency"), reason));
        }
        if self.lines.len() > LINES_MAX {
            let reason = format!("it has {} lines, and {LINES_MAX} are allowed", self.lines.len());
            return Err(wrong(&at("lines"), reason));
        }
        few(&at("payments"), self.payments.len())?;
        let payments = self.payments.into_iter().enumerate().map(|(place, Object(payment))| {
            let at = |field: &str| format!("{pointer}/payments/{place}/{field}");
            Ok(Payment {
                method: text(&at("method"), &payment.method)?,
                amount: payment.amount.check_signed(&at("amount"), programme)?,
            })
        });
        let payments = payments.collect::<Result<_, InputError>>()?;
        let mut ids = BTreeSet::new();
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut voided = Vec::new();
        for (place, Object(line)) in self.lines.into_iter().enumerate() {
            let pointer = format!("{pointer}/lines/{place}");
            let line = line.check(&pointer, programme)?;
            if let Some(id) = &line.id
                && !ids.insert(id.clone())
            {
                let reason = format!("there is another line `{id}` in the order");
                return Err(wrong(&format!("{pointer}/id"), reason));
            }
            match line.quantity.is_zero() {
                true => voided.push(place),
                false => lines.push(line),
            }
        }
        let tax = told(self.tax).map(|tax| tax.check_signed(&at("tax"), programme)).transpose()?;
        Ok(Order {
            total,
            lines,
            voided,
            amounts: OrderAmounts {
                discount: positive("discount", self.discount)?,
                shipping: positive("shipping", self.shipping)?,
                tax: tax.unwrap_or_default(),
                tip: positive("tip", self.tip)?,
            },
            store: optional(&at("store"), self.store)?,
            payments,
        })
    }
}

impl LineBody {
    fn check(self, pointer: &str, programme: &Programme) -> Result<Line, InputError> {
        let at = |field: &str| format!("{pointer}/{field}");
        let signed = |field: &str, amount: Option<Amount>| {
            told(amount).map(|amount| amount.check_signed(&at(field), programme)).transpose()
        };
        let quantity = self.quantity.filter(|quantity| !compared(&quantity.0).is_empty());
        let quantity = quantity.map(|quantity| quantity.check(&at("quantity")));
        let quantity = quantity.transpose()?.unwrap_or(Decimal::ONE);
        let price = told(self.price).map(|price| {
            let price = parse_price(&price.0, programme.currency);
            price.map_err(|reason| InputError { pointer: at("price"), reason: reason.into() })
        });
        let price = price.transpose()?;
        if let Some(price) = price {
            // What all pieces come to must be a valid amount, too.
            let most = amount_max(programme.currency);
            let all = price.checked_mul(quantity).filter(|all| all.abs() <= most);
            let absurd = || AmountRejection::AmountIsAbsurd {
                amount: price.saturating_mul(quantity).normalize(),
                most,
                currency: programme.currency.code(),
            };
            all.ok_or_else(|| InputError { pointer: at("quantity"), reason: absurd().into() })?;
        }
        let mut categories = list(&at("categories"), self.categories)?;
        if let Some(category) = optional(&at("category"), self.category)?
            && !categories.contains(&category)
        {
            categories.insert(0, category);
        }
        few(&at("attributes"), self.attributes.len())?;
        let mut attributes = BTreeMap::new();
        for (name, value) in self.attributes {
            let pointer = format!("{}/{}", at("attributes"), escape(&name));
            let name = text(&pointer, &name)?;
            attributes.extend(optional(&pointer, Some(value))?.map(|value| (name, value)));
        }
        let discount =
            told(self.discount).map(|discount| discount.check(&at("discount"), programme));
        Ok(Line {
            id: optional(&at("id"), self.id)?,
            sku: optional(&at("sku"), self.sku)?,
            categories,
            tags: list(&at("tags"), self.tags)?,
            quantity,
            unit: optional(&at("unit"), self.unit)?,
            price,
            amount: signed("amount", self.amount)?,
            discount: discount.transpose()?.unwrap_or_default(),
            tax: signed("tax", self.tax)?.unwrap_or_default(),
            attributes,
        })
    }
}

/// A text that has to be there.
fn text(pointer: &str, text: &str) -> Result<String, InputError> {
    parse_text(text).map_err(|reason| wrong(pointer, reason.to_string()))
}

/// A text that may be absent, which is the same as empty.
fn optional(pointer: &str, told: Option<String>) -> Result<Option<String>, InputError> {
    let told = told.filter(|told| !compared(told).is_empty());
    told.map(|told| text(pointer, &told)).transpose()
}

/// An amount that may be absent, which is the same as empty.
fn told(amount: Option<Amount>) -> Option<Amount> {
    amount.filter(|amount| !compared(&amount.0).is_empty())
}

fn few(pointer: &str, found: usize) -> Result<(), InputError> {
    if found > LIST_MAX {
        return Err(wrong(pointer, format!("there are {found}, and {LIST_MAX} are allowed")));
    }
    Ok(())
}

/// A list of texts; empty ones are left out.
fn list(pointer: &str, texts: Vec<String>) -> Result<Vec<String>, InputError> {
    few(pointer, texts.len())?;
    let texts = texts.into_iter().enumerate();
    let texts = texts.map(|(place, text)| optional(&format!("{pointer}/{place}"), Some(text)));
    texts.filter_map(Result::transpose).collect()
}

/// The value of a field; nothing if it is `null` or an empty text.
fn field(
    pointer: &str,
    kind: FieldKind,
    value: &Scalar,
    programme: &Programme,
) -> Result<Option<FieldValue>, InputError> {
    let found = match (kind, value) {
        (_, Scalar::Null) => return Ok(None),
        // The empty text is absent for every kind.
        (_, Scalar::Text(text)) if compared(text).is_empty() => return Ok(None),
        (FieldKind::Integer, Scalar::Number(text) | Scalar::Text(text)) => {
            let number = parse_decimal(text).ok().filter(Decimal::is_integer);
            number.and_then(|number| number.to_i64()).map(FieldValue::Integer)
        }
        (FieldKind::Flag, Scalar::Flag(flag)) => Some(FieldValue::Flag(*flag)),
        (FieldKind::Amount, Scalar::Text(text) | Scalar::Number(text)) => {
            let amount = Amount(text.clone()).check(pointer, programme)?;
            Some(FieldValue::Amount(amount))
        }
        (FieldKind::Text, Scalar::Text(text)) => {
            return Ok(optional(pointer, Some(text.clone()))?.map(FieldValue::Text));
        }
        _ => None,
    };
    let wanted = match kind {
        FieldKind::Integer => "a whole number".to_owned(),
        FieldKind::Amount => "an amount, such as \"12.40\"".to_owned(),
        FieldKind::Text => format!("a text of at most {TEXT_LENGTH_MAX} characters"),
        FieldKind::Flag => "true or false".to_owned(),
    };
    let reason = || wrong(pointer, format!("the manifest wants {wanted} here"));
    found.map(Some).ok_or_else(reason)
}
