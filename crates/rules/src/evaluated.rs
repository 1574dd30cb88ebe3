//! What facts and functions give to the engine: values in its own types, or the message of a failure.

use rhai::{Dynamic, EvalAltResult, INT, ImmutableString, Position};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// The result of a fact or a function for the engine.
pub(crate) type Evaluated<T> = Result<T, Box<EvalAltResult>>;

pub(crate) fn fail<T>(message: String) -> Evaluated<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE)))
}

pub(crate) fn text(text: Option<&str>) -> ImmutableString {
    text.map_or_else(ImmutableString::new, ImmutableString::from)
}

pub(crate) fn whole<N: TryInto<INT>>(number: N) -> INT {
    number.try_into().unwrap_or(INT::MAX)
}

/// A number as rules see it: a whole number if it is one.
pub(crate) fn number(number: Decimal) -> Dynamic {
    let whole = number.is_integer().then(|| number.to_i64()).flatten();
    whole.map_or_else(|| Dynamic::from(number), Dynamic::from)
}
