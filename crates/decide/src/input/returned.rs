//! What comes back of an order, as clients write it.

use ledger::Programme;
use ledger::entry::{LineName, ReturnedLine};
use ledger::reverse::Wanted;
use ledger::text::compared;
use rules::Object;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::LINES_MAX;
use super::error::{InputError, wrong};
use super::value::{Amount, Quantity};

/// The part of an order that comes back; all that is left of it, if neither is given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "what comes back of an order")]
pub struct ReturnedBody {
    /// The pieces.
    pub lines: Option<Vec<Object<ReturnedLineBody>>>,
    /// The amount that is paid back; the price of the pieces if not given.
    pub refund: Option<Amount>,
}

/// Pieces of one line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a line that came back")]
pub struct ReturnedLineBody {
    /// The id of the line, or its number, from 1, if it has none.
    line: Option<String>,
    /// The article number, if all its lines have one price.
    sku: Option<String>,
    /// How much came back: pieces, or the line's unit.
    quantity: Quantity,
}

impl ReturnedBody {
    /// The part of the order, whose body is at `pointer`; nothing if all that is left comes back.
    ///
    /// # Errors
    /// A value is out of bounds, or nothing comes back; the pointer says which.
    pub fn check(self, pointer: &str, programme: &Programme) -> Result<Option<Wanted>, InputError> {
        let lines = self.lines.unwrap_or_default();
        if lines.is_empty() && self.refund.is_none() {
            return Ok(None);
        }
        if lines.len() > LINES_MAX {
            let reason = format!("at most {LINES_MAX} lines come back at a time");
            return Err(wrong(&format!("{pointer}/lines"), reason));
        }
        let refund =
            self.refund.map(|refund| refund.check(&format!("{pointer}/refund"), programme));
        let refund = refund.transpose()?;
        if lines.is_empty() && refund.is_none_or(|refund| refund.is_zero()) {
            let reason =
                "nothing comes back: name pieces in `lines`, or what is paid back in `refund`";
            return Err(wrong(pointer, reason.to_owned()));
        }
        let lines = lines.into_iter().enumerate();
        let lines =
            lines.map(|(place, Object(line))| line.check(&format!("{pointer}/lines/{place}")));
        Ok(Some(Wanted { lines: lines.collect::<Result<_, _>>()?, refund }))
    }
}

impl ReturnedLineBody {
    fn check(self, pointer: &str) -> Result<ReturnedLine, InputError> {
        let of_quantity = format!("{pointer}/quantity");
        let quantity = self.quantity.check(&of_quantity)?;
        if quantity <= Decimal::ZERO {
            return Err(wrong(&of_quantity, "it is above 0".to_owned()));
        }
        let of = match (self.line, self.sku) {
            (Some(line), None) => LineName::Line(compared(&line)),
            (None, Some(sku)) => LineName::Sku(compared(&sku)),
            _ => {
                let reason = "name what came back by one of `line` and `sku`";
                return Err(wrong(pointer, reason.to_owned()));
            }
        };
        Ok(ReturnedLine { of, quantity })
    }
}
