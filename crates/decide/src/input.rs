//! Input: activities and orders as clients send them in JSON and specs write them in TOML. Both
//! have the same form and get the same errors.

use std::collections::BTreeMap;
use std::fmt;

use chrono::DateTime;
use ledger::activity::WORD_LENGTH_MAX;
use ledger::money::{AmountRejection, believed, parse_amount};
use ledger::programme::FieldKind;
use ledger::{Activity, FieldValue, Line, Moment, Order, Programme};
use rules::{Object, did_you_mean};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{self, Deserializer, Unexpected, Visitor};

/// The most lines of an order.
const LINES_MAX: usize = 500;
/// The most tags of a line.
const TAGS_MAX: usize = 20;
/// The most characters of a text field.
const TEXT_LENGTH_MAX: usize = 200;

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
    #[serde(default)]
    fields: BTreeMap<String, serde_json::Value>,
}

/// An order as a client writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an order")]
pub struct OrderBody {
    total: Amount,
    #[serde(default)]
    lines: Vec<Object<LineBody>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a line of an order")]
struct LineBody {
    sku: String,
    category: Option<String>,
    quantity: Quantity,
    price: Option<Amount>,
    #[serde(default)]
    tags: Vec<String>,
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
        let kind = word("/type", self.kind.clone())?;
        let Some(policy) = programme.activities.get(&kind) else {
            let known = programme.activities.keys().map(String::as_str);
            let hint = did_you_mean(&self.kind, known);
            let reason = InputErrorReason::ActivityIsUnknown { kind: self.kind, hint };
            return Err(InputError { pointer: "/type".to_owned(), reason });
        };
        if self.kind == ledger::activity::PURCHASE && self.order.is_none() {
            return Err(wrong("/order", "a purchase has an order".to_owned()));
        }
        let mut fields = BTreeMap::new();
        for (name, value) in self.fields {
            let pointer = format!("/fields/{}", escape(&name));
            let Some(kind) = policy.fields.get(&name) else {
                let hint = did_you_mean(&name, policy.fields.keys().map(String::as_str));
                return Err(wrong(&pointer, format!("a {} has no such field{hint}", self.kind)));
            };
            fields.insert(name, field(&pointer, *kind, &value, programme)?);
        }
        Ok(Activity {
            id: match self.id {
                Some(id) => word("/id", id)?,
                None => key.to_owned(),
            },
            kind: self.kind,
            at: self.at.map_or(now, |at| at.0),
            of: self.of.map(|of| word("/of", of)).transpose()?,
            order: self.order.map(|Object(order)| order.check("/order", programme)).transpose()?,
            channel: self.channel.map(|channel| word("/channel", channel)).transpose()?,
            payment: self.payment.map(|payment| word("/payment", payment)).transpose()?,
            fields,
        })
    }
}

impl OrderBody {
    /// The order at `pointer` in the body, checked against the programme.
    ///
    /// # Errors
    /// A value is out of bounds; the pointer says which.
    pub fn check(self, pointer: &str, programme: &Programme) -> Result<Order, InputError> {
        if self.lines.len() > LINES_MAX {
            let reason = format!("it has {} lines, and {LINES_MAX} are allowed", self.lines.len());
            return Err(wrong(&format!("{pointer}/lines"), reason));
        }
        let total = self.total.check(&format!("{pointer}/total"), programme)?;
        let lines = self.lines.into_iter().enumerate().map(|(place, Object(line))| {
            let pointer = |field: &str| format!("{pointer}/lines/{place}/{field}");
            let price = line.price.map(|price| price.check(&pointer("price"), programme));
            let price = price.transpose()?;
            if let Some(price) = price {
                // The price of all pieces of the line must be a valid amount, too.
                let all = price.saturating_mul(line.quantity.0.into());
                let absurd = |reason| InputError { pointer: pointer("quantity"), reason };
                believed(all).map_err(|reason| absurd(InputErrorReason::Amount(reason)))?;
            }
            Ok(Line {
                sku: word(&pointer("sku"), line.sku)?,
                category: line
                    .category
                    .map(|category| word(&pointer("category"), category))
                    .transpose()?,
                quantity: line.quantity.0,
                price,
                tags: tags(&pointer("tags"), line.tags)?,
            })
        });
        Ok(Order { total, lines: lines.collect::<Result<_, InputError>>()? })
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

fn word(pointer: &str, word: String) -> Result<String, InputError> {
    match word.chars().count() {
        0 => Err(wrong(pointer, "it is empty".to_owned())),
        length if length > WORD_LENGTH_MAX => {
            let reason = format!("it has {length} characters, and {WORD_LENGTH_MAX} are allowed");
            Err(wrong(pointer, reason))
        }
        _ => Ok(word),
    }
}

fn tags(pointer: &str, tags: Vec<String>) -> Result<Vec<String>, InputError> {
    if tags.len() > TAGS_MAX {
        let reason = format!("there are {} tags, and {TAGS_MAX} are allowed", tags.len());
        return Err(wrong(pointer, reason));
    }
    tags.into_iter()
        .enumerate()
        .map(|(place, tag)| word(&format!("{pointer}/{place}"), tag))
        .collect()
}

fn field(
    pointer: &str,
    kind: FieldKind,
    value: &serde_json::Value,
    programme: &Programme,
) -> Result<FieldValue, InputError> {
    let found = match (kind, value) {
        (FieldKind::Integer, value) => value.as_i64().map(FieldValue::Integer),
        (FieldKind::Flag, value) => value.as_bool().map(FieldValue::Flag),
        (FieldKind::Amount, serde_json::Value::String(text)) => {
            return Amount(text.clone()).check(pointer, programme).map(FieldValue::Amount);
        }
        (FieldKind::Text, serde_json::Value::String(text))
            if text.chars().count() <= TEXT_LENGTH_MAX =>
        {
            Some(FieldValue::Text(text.clone()))
        }
        _ => None,
    };
    found.ok_or_else(|| {
        let wanted = match kind {
            FieldKind::Integer => "a whole number",
            FieldKind::Amount => "an amount in quotes, such as \"12.40\"",
            FieldKind::Text => "a text of at most 200 characters",
            FieldKind::Flag => "true or false",
        };
        wrong(pointer, format!("the manifest wants {wanted} here"))
    })
}

/// An amount as text, since most clients would pass a JSON number through floating point.
#[derive(Debug, Clone)]
pub struct Amount(pub String);

impl Amount {
    /// The amount at `pointer`, in the programme's currency.
    ///
    /// # Errors
    /// It is not an amount, or has more decimals than the currency.
    pub fn check(&self, pointer: &str, programme: &Programme) -> Result<Decimal, InputError> {
        parse_amount(&self.0, programme.currency)
            .map_err(|reason| InputError { pointer: pointer.to_owned(), reason: reason.into() })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount in quotes, such as \"12.40\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A number of pieces.
#[derive(Debug, Clone, Copy)]
struct Quantity(u32);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 1 to 1000000")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                u32::try_from(number)
                    .ok()
                    .filter(|number| (1..=1_000_000).contains(number))
                    .map(Quantity)
                    .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_u64(Whole)
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
