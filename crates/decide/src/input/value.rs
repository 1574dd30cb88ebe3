//! Values as clients write them: amounts, quantities and times, and what may be absent or empty.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use chrono::DateTime;
use ledger::money::{parse_amount, parse_decimal, parse_signed_amount};
use ledger::{Moment, Programme};
use rust_decimal::Decimal;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::{Deserialize, de::Error as _};
use serde_json::value::RawValue;

use super::error::{InputError, wrong};

/// The largest quantity of a line.
const QUANTITY_MAX: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
/// The most decimals of a quantity, such as a weight in kilograms to the milligram.
const QUANTITY_DECIMALS_MAX: u32 = 6;

/// An object that may be `null` or `[]`, which are the same as empty: some languages write an empty
/// object as an empty list.
pub(super) fn object_or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
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
pub(super) fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
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
    pub(super) fn check_signed(
        &self,
        pointer: &str,
        programme: &Programme,
    ) -> Result<Decimal, InputError> {
        parse_signed_amount(&self.0, programme.currency)
            .map_err(|reason| InputError { pointer: pointer.to_owned(), reason: reason.into() })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        Scalar::number(deserializer, "an amount, such as \"12.40\"").map(Amount)
    }
}

/// How much of a line: pieces, or a measure such as 0.752 kilograms.
#[derive(Debug, Clone)]
pub struct Quantity(pub(super) String);

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
        Scalar::number(deserializer, "a number, such as 2 or 0.752").map(Quantity)
    }
}

/// A single JSON value, with a number as its text. A number would otherwise pass through floating
/// point.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    /// A list or an object, which is nowhere a value here.
    Many(&'static str),
}

impl Scalar {
    /// The text of a number, written as one or as a text.
    fn number<'de, D: Deserializer<'de>>(
        deserializer: D,
        expected: &'static str,
    ) -> Result<String, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) | Scalar::Number(text) => Ok(text),
            other => Err(de::Error::invalid_type(other.unexpected(), &expected)),
        }
    }

    pub(super) fn unexpected(&self) -> Unexpected<'_> {
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
