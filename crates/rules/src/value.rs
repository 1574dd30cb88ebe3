//! The value of a part of a rule in a type of this crate, so that no other crate sees the engine's.

use ledger::entry::Benefit;
use rhai::Dynamic;
use rust_decimal::Decimal;

use crate::mistake::plain_types;

/// The value of a condition or of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value, such as that of an `if` whose condition did not hold.
    Nothing,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// An amount.
    Amount(Decimal),
    /// The gift of a reward or a benefit.
    Gift(Benefit),
    /// Any other value, such as a text; it holds the name of its kind.
    Other(String),
}

impl Value {
    /// The value as a number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<Decimal> {
        match self {
            Value::Whole(number) => Some(Decimal::from(*number)),
            Value::Amount(amount) => Some(*amount),
            _ => None,
        }
    }

    /// The name of the value's kind, for messages to the merchant.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Value::Nothing => "nothing".to_owned(),
            Value::Flag(_) => "yes or no".to_owned(),
            Value::Whole(_) => "whole number".to_owned(),
            Value::Amount(_) => "amount".to_owned(),
            Value::Gift(_) => "a gift".to_owned(),
            Value::Other(kind) => kind.clone(),
        }
    }
}

impl From<Dynamic> for Value {
    fn from(value: Dynamic) -> Value {
        if value.is_unit() {
            Value::Nothing
        } else if let Ok(flag) = value.as_bool() {
            Value::Flag(flag)
        } else if let Ok(number) = value.as_int() {
            Value::Whole(number)
        } else if let Ok(amount) = value.as_decimal() {
            Value::Amount(amount)
        } else {
            let kind = plain_types(value.type_name());
            value.try_cast::<Benefit>().map_or(Value::Other(kind), Value::Gift)
        }
    }
}
