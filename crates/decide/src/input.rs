//! Input: activities and orders as clients send them in JSON and specs write them in TOML. Both
//! have the same form and get the same errors.
//!
//! What is absent, `null` or empty is the same. Numbers are read by their decimal text, never
//! through floating point, and may be written as JSON numbers or as texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use chrono::DateTime;
use ledger::money::{
    AmountRejection, amount_max, parse_amount, parse_decimal, parse_price, parse_signed_amount,
};
use ledger::programme::FieldKind;
use ledger::text::{TEXT_LENGTH_MAX, compared, parse_text};
use ledger::{
    Activity, FieldValue, Line, Moment, Order, OrderAmounts, Payment, Programme, activity,
};
use rules::{Object, did_you_mean};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::{Deserialize, de::Error as _};
use serde_json::value::RawValue;

/// The most lines of an order.
pub const LINES_MAX: usize = 500;
/// The most tags, categories or attributes of a line, and the most payments of an order.
const LIST_MAX: usize = 20;
/// The largest quantity of a line.
const QUANTITY_MAX: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
/// The most decimals of a quantity, such as a weight in kilograms to the milligram.
const QUANTITY_DECIMALS_MAX: u32 = 6;

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
    order: Option<Object<OrderBody>>,
    channel: Option<String>,
    payment: Option<String>,
    #[serde(default, deserialize_with = "object_or_empty")]
    fields: BTreeMap<String, Scalar>,
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

/// An object that may be `null` or `[]`, which are the same as empty: some languages write an empty
/// object as an empty list.
fn object_or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    struct Fields<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
        type Value = BTreeMap<String, T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            match items.next_element::<IgnoredAny>()? {
                None => Ok(BTreeMap::new()),
                Some(_) => Err(A::Error::invalid_type(Unexpected::Seq, &self)),
            }
        }
        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
            BTreeMap::deserialize(MapAccessDeserializer::new(fields))
        }
    }
    deserializer.deserialize_any(Fields(PhantomData))
}

/// A list that may be `null`, which is the same as empty.
fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An input error, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", place(.pointer, .reason))]
pub struct InputError {
    /// The place of the value, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong with the value.
    pub reason: InputErrorReason,
}

fn place(pointer: &str, reason: &InputErrorReason) -> String {
    match reason {
        // The message names the activity itself.
        InputErrorReason::ActivityIsUnknown { .. } => String::new(),
        _ if pointer.is_empty() => String::new(),
        _ => format!("`{pointer}`: "),
    }
}

/// What is wrong with a value of the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputErrorReason {
    /// A field is unknown or out of bounds.
    #[error("{0}")]
    Field(String),
    /// The manifest does not list the activity.
    #[error("there is no activity `{kind}`{hint}")]
    ActivityIsUnknown {
        /// The type of the activity.
        kind: String,
        /// The hint "did you mean", or an empty text.
        hint: String,
    },
    /// The amount is not valid in the programme's currency.
    #[error(transparent)]
    Amount(#[from] AmountRejection),
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

/// A name, escaped as a part of a JSON pointer (RFC 6901).
#[must_use]
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn wrong(pointer: &str, reason: String) -> InputError {
    InputError { pointer: pointer.to_owned(), reason: InputErrorReason::Field(reason) }
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

/// An amount as the client writes it: the decimal text of a JSON number or of a JSON string.
#[derive(Debug, Clone)]
pub struct Amount(pub String);

impl Amount {
    /// The amount at `pointer`, in the programme's currency.
    ///
    /// # Errors
    /// It is not an amount, is negative, or has more decimals than the currency.
    pub fn check(&self, pointer: &str, programme: &Programme) -> Result<Decimal, InputError> {
        parse_amount(&self.0, programme.currency)
            .map_err(|reason| InputError { pointer: pointer.to_owned(), reason: reason.into() })
    }

    /// The amount at `pointer`, which may be negative.
    fn check_signed(&self, pointer: &str, programme: &Programme) -> Result<Decimal, InputError> {
        parse_signed_amount(&self.0, programme.currency)
            .map_err(|reason| InputError { pointer: pointer.to_owned(), reason: reason.into() })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) | Scalar::Number(text) => Ok(Amount(text)),
            other => {
                Err(de::Error::invalid_type(other.unexpected(), &"an amount, such as \"12.40\""))
            }
        }
    }
}

/// How much of a line: pieces, or a measure such as 0.752 kilograms.
#[derive(Debug, Clone)]
pub struct Quantity(String);

impl Quantity {
    /// The quantity at `pointer`.
    ///
    /// # Errors
    /// It is not a number, or is out of bounds.
    pub fn check(&self, pointer: &str) -> Result<Decimal, InputError> {
        let quantity = parse_decimal(&self.0).ok().map(|quantity| quantity.normalize());
        let is_in_bounds = |quantity: &Decimal| {
            quantity.abs() <= QUANTITY_MAX && quantity.scale() <= QUANTITY_DECIMALS_MAX
        };
        quantity.filter(is_in_bounds).ok_or_else(|| {
            let text: String = self.0.chars().take(40).collect();
            let reason = format!(
                "`{text}` is not a number up to {QUANTITY_MAX} with at most {QUANTITY_DECIMALS_MAX} decimals"
            );
            wrong(pointer, reason)
        })
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) | Scalar::Number(text) => Ok(Quantity(text)),
            other => {
                Err(de::Error::invalid_type(other.unexpected(), &"a number, such as 2 or 0.752"))
            }
        }
    }
}

/// A single JSON value, with a number as its text. A number would otherwise pass through floating
/// point.
#[derive(Debug, Clone)]
enum Scalar {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    /// A list or an object, which is nowhere a value here.
    Many(&'static str),
}

impl Scalar {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Scalar::Null => Unexpected::Unit,
            Scalar::Flag(flag) => Unexpected::Bool(*flag),
            Scalar::Number(number) => Unexpected::Other(number),
            Scalar::Text(text) => Unexpected::Str(text),
            Scalar::Many(what) => Unexpected::Other(what),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        Ok(match text.bytes().next() {
            Some(b'"') => Scalar::Text(serde_json::from_str(text).map_err(D::Error::custom)?),
            Some(b'-' | b'0'..=b'9') => Scalar::Number(text.to_owned()),
            Some(b't' | b'f') => Scalar::Flag(text == "true"),
            Some(b'[') => Scalar::Many("a list"),
            Some(b'{') => Scalar::Many("an object"),
            _ => Scalar::Null,
        })
    }
}

/// A value of a spec, read as the same value in JSON would be, so that both have one form and the
/// same errors.
#[derive(Debug, Clone)]
pub(crate) struct InJson<T>(pub(crate) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for InJson<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<InJson<T>, D::Error> {
        let mut value = serde_json::Value::deserialize(deserializer)?;
        write_times(&mut value);
        let text = serde_json::to_string(&value).map_err(D::Error::custom)?;
        let mut reader = serde_json::Deserializer::from_str(&text);
        serde_path_to_error::deserialize(&mut reader).map(InJson).map_err(|error| {
            let reason = error.inner().to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let reason = rules::say_found_for_wanted(reason);
            match error.path().iter().next() {
                None => D::Error::custom(reason),
                Some(_) => D::Error::custom(format!("`{}`: {reason}", error.path())),
            }
        })
    }
}

/// Replaces times and days without quotes, which TOML has and JSON has not, by their text.
fn write_times(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            let time = fields.get("$__toml_private_datetime").filter(|_| fields.len() == 1);
            match time.cloned() {
                Some(text) => *value = text,
                None => fields.values_mut().for_each(write_times),
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(write_times),
        _ => {}
    }
}

/// A time with its offset, truncated to the second.
#[derive(Debug, Clone, Copy)]
pub struct At(pub Moment);

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        struct Time;
        impl Visitor<'_> for Time {
            type Value = At;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with its offset, such as \"2026-05-02T09:30:00+02:00\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<At, E> {
                // The conversion via whole seconds turns a leap second into the second before it.
                DateTime::parse_from_rfc3339(text)
                    .ok()
                    .and_then(|at| DateTime::from_timestamp(at.timestamp(), 0))
                    .map(At)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Time)
    }
}
