//! Conditions that never hold, or always hold. The analysis intersects comparisons of one fact with
//! literal numbers or texts that are joined by `&&`. It ignores everything else.

use std::collections::BTreeMap;

use rhai::{Expr, Stmt};
use rust_decimal::Decimal;

use crate::kind::Kind;
use crate::vocabulary::Word;
use crate::words::words;

/// Whether a condition holds: sometimes, never or always, the latter two with the reason.
pub(crate) enum Holds {
    Sometimes,
    Never(String),
    Always(String),
}

/// The value of a condition that is a literal `true` or `false`.
pub(crate) fn constant(condition: &Expr) -> Option<bool> {
    match condition {
        Expr::BoolConstant(value, _) => Some(*value),
        Expr::Stmt(_) => constant(only_expression(condition)?),
        _ => None,
    }
}

/// The only expression of a block; nothing if the block has more than that.
pub(crate) fn only_expression(block: &Expr) -> Option<&Expr> {
    match block {
        Expr::Stmt(statements) => match statements.statements() {
            [Stmt::Expr(only)] => Some(only),
            _ => None,
        },
        expression => Some(expression),
    }
}

/// The values that a fact can still have after some comparisons.
#[derive(Default)]
struct Bounds {
    least: Option<Decimal>,
    most: Option<Decimal>,
    above: Option<Decimal>,
    below: Option<Decimal>,
    text: Option<String>,
}

impl Bounds {
    fn is_empty(&self) -> bool {
        let at_least = self.least.max(self.above);
        let at_most = match (self.most, self.below) {
            (Some(most), Some(below)) => Some(most.min(below)),
            (one, other) => one.or(other),
        };
        match (at_least, at_most) {
            (Some(least), Some(most)) => {
                let open = self.above == Some(least) || self.below == Some(most);
                least > most || (least == most && open)
            }
            _ => false,
        }
    }
}

/// Finds out whether a condition holds sometimes, never or always. `word_of` returns the word of
/// the language that an expression is.
pub(crate) fn judge(condition: &Expr, word_of: &dyn Fn(&Expr) -> Option<&'static Word>) -> Holds {
    match constant(condition) {
        Some(true) => return Holds::Always("it is `true`".to_owned()),
        Some(false) => return Holds::Never("its condition is `false`".to_owned()),
        None => {}
    }
    let parts: Vec<&Expr> = match condition {
        Expr::And(parts, _) => parts.iter().collect(),
        one => vec![one],
    };
    let mut bounds: BTreeMap<String, Bounds> = BTreeMap::new();
    let mut all_always = true;
    let mut always = String::new();
    for part in parts {
        if constant(part) == Some(false) {
            return Holds::Never("a part of its condition is `false`".to_owned());
        }
        let Some(comparison) = Comparison::of(part, word_of) else {
            all_always = false;
            continue;
        };
        if comparison.always() {
            always = comparison.say_range();
        } else {
            all_always = false;
        }
        let known = bounds.entry(comparison.fact.clone()).or_insert_with(|| Bounds {
            least: comparison.within.map(|(least, _)| Decimal::from(least)),
            most: comparison.within.map(|(_, most)| Decimal::from(most)),
            ..Bounds::default()
        });
        if let Some(why) = comparison.narrow(known) {
            return Holds::Never(why);
        }
    }
    if all_always && !always.is_empty() { Holds::Always(always) } else { Holds::Sometimes }
}

/// A comparison of a fact with a literal.
struct Comparison {
    fact: String,
    symbol: &'static str,
    with: Value,
    within: Option<(i64, i64)>,
    whole: bool,
}

enum Value {
    Number(Decimal),
    Text(String),
}

impl Comparison {
    fn of(part: &Expr, word_of: &dyn Fn(&Expr) -> Option<&'static Word>) -> Option<Comparison> {
        let Expr::FnCall(call, _) = part else { return None };
        let [left, right] = &call.args[..] else { return None };
        const SYMBOLS: [(&str, &str); 5] =
            [("==", "=="), ("<", ">"), ("<=", ">="), (">", "<"), (">=", "<=")];
        let (symbol, turned) = SYMBOLS.into_iter().find(|(symbol, _)| *symbol == call.name)?;
        let (fact, symbol, with) = match (value(left), value(right)) {
            (None, Some(with)) => (left, symbol, with),
            (Some(with), None) => (right, turned, with),
            _ => return None,
        };
        let word = word_of(fact);
        Some(Comparison {
            fact: words(fact)?,
            symbol,
            with,
            within: word.and_then(|word| word.within),
            whole: word.is_some_and(|word| word.gives == Kind::Whole),
        })
    }

    fn say_range(&self) -> String {
        match self.within {
            Some((least, i64::MAX)) => format!("`{}` is never below {least}", self.fact),
            Some((least, most)) => format!("`{}` is from {least} to {most}", self.fact),
            None => String::new(),
        }
    }

    /// Whether it holds for every value that the fact can have.
    fn always(&self) -> bool {
        let (Some((least, most)), Value::Number(number)) = (self.within, &self.with) else {
            return false;
        };
        let (least, most) = (Decimal::from(least), Decimal::from(most));
        match self.symbol {
            "<" => most < *number,
            "<=" => most <= *number,
            ">" => least > *number,
            ">=" => least >= *number,
            _ => false,
        }
    }

    /// Narrows the values that the fact can have. Returns the reason if none is left.
    fn narrow(&self, known: &mut Bounds) -> Option<String> {
        match &self.with {
            Value::Text(text) => {
                if self.symbol != "==" {
                    return None;
                }
                match &known.text {
                    Some(other) if other != text => {
                        Some(format!("`{}` is not `{other}` and `{text}` at once", self.fact))
                    }
                    _ => {
                        known.text = Some(text.clone());
                        None
                    }
                }
            }
            Value::Number(number) => {
                let own = Bounds {
                    least: self.within.map(|(least, _)| Decimal::from(least)),
                    most: self.within.map(|(_, most)| Decimal::from(most)),
                    ..Bounds::default()
                };
                for bounds in [known, &mut { own }] {
                    match self.symbol {
                        "<" if self.whole => lower(&mut bounds.most, number.ceil() - Decimal::ONE),
                        ">" if self.whole => {
                            raise(&mut bounds.least, number.floor() + Decimal::ONE);
                        }
                        "<" => lower(&mut bounds.below, *number),
                        ">" => raise(&mut bounds.above, *number),
                        "<=" => lower(&mut bounds.most, *number),
                        ">=" => raise(&mut bounds.least, *number),
                        _ => {
                            lower(&mut bounds.most, *number);
                            raise(&mut bounds.least, *number);
                        }
                    }
                    if bounds.is_empty() {
                        let range = self.say_range();
                        let why = if range.is_empty() || !self.alone_is_empty() {
                            format!("`{}` cannot be all of that at once", self.fact)
                        } else {
                            range
                        };
                        return Some(why);
                    }
                }
                None
            }
        }
    }

    fn alone_is_empty(&self) -> bool {
        let (Some((least, most)), Value::Number(number)) = (self.within, &self.with) else {
            return false;
        };
        let (least, most) = (Decimal::from(least), Decimal::from(most));
        match self.symbol {
            "<" => *number <= least,
            "<=" => *number < least,
            ">" => *number >= most,
            ">=" => *number > most,
            _ => *number < least || *number > most,
        }
    }
}

fn lower(bound: &mut Option<Decimal>, to: Decimal) {
    *bound = Some(bound.map_or(to, |bound| bound.min(to)));
}

fn raise(bound: &mut Option<Decimal>, to: Decimal) {
    *bound = Some(bound.map_or(to, |bound| bound.max(to)));
}

/// The fact and the number of a block that is only `FACT >= NUMBER` or `FACT > NUMBER`.
pub(crate) fn threshold(block: &Expr) -> Option<(String, Decimal)> {
    let comparison = Comparison::of(only_expression(block)?, &|_| None)?;
    match (comparison.symbol, comparison.with) {
        (">=" | ">", Value::Number(number)) => Some((comparison.fact, number)),
        _ => None,
    }
}

/// The value of a literal number, with or without a minus sign.
pub(crate) fn number(expression: &Expr) -> Option<Decimal> {
    match value(expression) {
        Some(Value::Number(number)) => Some(number),
        _ => match expression {
            Expr::FnCall(call, _) if call.name == "-" && call.args.len() == 1 => {
                call.args.first().and_then(number).map(|number| -number)
            }
            _ => None,
        },
    }
}

fn value(expression: &Expr) -> Option<Value> {
    match expression {
        Expr::IntegerConstant(number, _) => Some(Value::Number(Decimal::from(*number))),
        Expr::StringConstant(text, _) => Some(Value::Text(text.to_string())),
        Expr::DynamicConstant(value, _) => value.as_decimal().ok().map(Value::Number),
        _ => None,
    }
}
