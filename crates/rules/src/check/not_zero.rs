//! The facts that a condition keeps from being 0.

use rhai::Expr;
use rust_decimal::Decimal;

use crate::range;
use crate::words::words;

/// The facts that are not 0 where a condition holds, or where it does not.
pub(super) fn not_zero(condition: &Expr, holds: bool) -> Vec<String> {
    match condition {
        Expr::And(parts, _) if holds => {
            parts.iter().flat_map(|part| not_zero(part, true)).collect()
        }
        Expr::Or(parts, _) if !holds => {
            parts.iter().flat_map(|part| not_zero(part, false)).collect()
        }
        Expr::Stmt(_) => range::only_expression(condition)
            .map(|condition| not_zero(condition, holds))
            .unwrap_or_default(),
        Expr::FnCall(call, _) => match (call.name.as_str(), &call.args[..]) {
            ("!", [inner]) => not_zero(inner, !holds),
            (symbol, [left, right]) => compared(symbol, left, right, holds).into_iter().collect(),
            _ => Vec::new(),
        },
        Expr::Dot(..) if holds => {
            let asked = words(condition).unwrap_or_default();
            match asked.strip_prefix("order.has(").and_then(|rest| rest.strip_suffix(')')) {
                Some(what) => vec![
                    format!("order.quantity({what})"),
                    "order.pieces".to_owned(),
                    "order.lines.len()".to_owned(),
                ],
                None => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// The fact that is not 0 where a comparison with a number holds, or where it does not.
fn compared(symbol: &str, left: &Expr, right: &Expr, holds: bool) -> Option<String> {
    let turned = match symbol {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    };
    let (fact, symbol, number) = match (range::number(left), range::number(right)) {
        (None, Some(number)) => (left, symbol, number),
        (Some(number), None) => (right, turned, number),
        _ => return None,
    };
    let zero_passes = match symbol {
        "==" => number.is_zero(),
        "!=" => !number.is_zero(),
        "<" => number > Decimal::ZERO,
        "<=" => number >= Decimal::ZERO,
        ">" => number < Decimal::ZERO,
        ">=" => number <= Decimal::ZERO,
        _ => return None,
    };
    (zero_passes != holds).then(|| words(fact)).flatten()
}
