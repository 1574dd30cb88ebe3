//! The check of divisors: a division by 0 fails, and its rule pays nothing.

use rhai::{Expr, Position};
use rust_decimal::Decimal;

use super::Check;
use crate::grammar::StatementKind;
use crate::kind::Kind;
use crate::range;
use crate::words::words;

impl Check<'_> {
    /// Warns of a divisor that can be 0, unless a condition around it excludes that.
    pub(super) fn divisor(&mut self, divisor: &Expr, kind: &Kind, position: Position) {
        if !matches!(kind, Kind::Whole | Kind::Amount | Kind::Number) {
            return;
        }
        let Some(fact) = self.may_be_zero(divisor) else { return };
        let of_tier = self.rule.is_some_and(|rule| rule.kind() == StatementKind::Tier);
        let remedy = match bought(&fact) {
            _ if of_tier => format!("write `{fact} > 0 && ..`"),
            Some(what) => format!("ask `when order.has({what})`"),
            None => format!("ask `when {fact} > 0`, or divide by `max({fact}, 1)`"),
        };
        let message =
            format!("`{fact}` can be 0, and then this rule fails and pays nothing; {remedy}");
        self.warn(position, message);
    }

    /// The fact that makes an expression 0, if one can.
    fn may_be_zero(&self, expression: &Expr) -> Option<String> {
        let is_above_zero =
            |side: &Expr| range::number(side).is_some_and(|number| number > Decimal::ZERO);
        match expression {
            Expr::Stmt(_) => self.may_be_zero(range::only_expression(expression)?),
            Expr::FnCall(call, _) => match (call.name.as_str(), &call.args[..]) {
                ("+" | "max", sides) if sides.iter().any(is_above_zero) => None,
                ("+" | "max", sides) => {
                    let zeros: Option<Vec<String>> =
                        sides.iter().map(|side| self.may_be_zero(side)).collect();
                    zeros?.into_iter().next()
                }
                ("*" | "min", sides) => sides.iter().find_map(|side| self.may_be_zero(side)),
                ("/" | "round" | "floor" | "abs", [of, ..]) => self.may_be_zero(of),
                ("wallet", _) => self.fact(expression),
                _ => None,
            },
            Expr::Dot(..) => {
                let word = self.word_of(expression);
                let least = word.and_then(|word| word.within).map_or(0, |(least, _)| least);
                let fact = self.fact(expression).filter(|_| least < 1)?;
                // Neither a year nor the length of a text is ever 0.
                let is_counted = !fact.ends_with(".len()") || fact == "order.lines.len()";
                (fact != "now.year" && is_counted).then_some(fact)
            }
            Expr::Variable(name, ..) => {
                let name = name.1.as_str();
                let is_own = self.locals.iter().any(|(local, _)| local == name);
                let may = if is_own {
                    self.zero_locals.iter().any(|local| local == name)
                } else {
                    let costs = self.rule.and_then(|rule| rule.costs.as_ref());
                    let from_zero = costs.is_none_or(|costs| costs.least.is_zero());
                    name == "points" || (name == "units" && from_zero)
                };
                self.fact(expression).filter(|_| may)
            }
            _ => None,
        }
    }

    /// A fact in words, unless a condition says that it is not 0.
    fn fact(&self, expression: &Expr) -> Option<String> {
        let fact = words(expression)?;
        (!self.above_zero.contains(&fact)).then_some(fact)
    }

    /// Notes whether a number of the merchant's own can be 0.
    pub(super) fn note_local(&mut self, name: &str, value: &Expr) {
        let is_zero = range::number(value).is_some_and(|number| number.is_zero());
        let may_be_zero = is_zero || self.may_be_zero(value).is_some();
        self.zero_locals.retain(|local| local != name);
        if may_be_zero {
            self.zero_locals.push(name.to_owned());
        }
    }
}

/// What is asked by `order.quantity(..)`; nothing for another fact.
fn bought(fact: &str) -> Option<&str> {
    fact.strip_prefix("order.quantity(")?.strip_suffix(')')
}
