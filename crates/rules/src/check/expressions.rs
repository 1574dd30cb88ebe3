//! The check of expressions: it computes the kind of each.

use ledger::activity::{PURCHASE, REFERRAL};
use rhai::{ASTFlags, Expr, FnCallExpr, Position};
use rust_decimal::Decimal;

use super::not_zero::not_zero;
use super::{Check, LIST_ITEMS_MAX};
use crate::kind::{Domain, Kind};
use crate::range;
use crate::rule::Costs;
use crate::sheet::statement_of;
use crate::vocabulary::{EFFECTS, FACTS, Form, Word, functions, meant};

impl Check<'_> {
    #[expect(
        clippy::too_many_lines,
        reason = "a table of cases: one for each expression of the language"
    )]
    pub(super) fn expression(&mut self, expression: &Expr) -> Kind {
        match expression {
            Expr::IntegerConstant(..) => Kind::Whole,
            Expr::BoolConstant(..) => Kind::Flag,
            Expr::StringConstant(..) => Kind::Text(Domain::Free),
            Expr::InterpolatedString(parts, _) => {
                for part in parts.iter() {
                    self.expression(part);
                }
                Kind::Text(Domain::Free)
            }
            Expr::DynamicConstant(value, _) => {
                if value.is_decimal() {
                    Kind::Amount
                } else if value.type_name().contains("range") || value.type_name().contains("Range")
                {
                    Kind::Range
                } else {
                    Kind::Any
                }
            }
            Expr::CharConstant(_, position) => {
                self.wrong(*position, "texts are written in double quotes".to_owned());
                Kind::Text(Domain::Free)
            }
            Expr::Unit(_) => Kind::Nothing,
            Expr::Array(items, position) => {
                if !std::mem::take(&mut self.list_may_stand) {
                    let message =
                        "a list stands only after `in`: `member.tier in [\"Gold\", \"Silver\"]`";
                    self.wrong(*position, message.to_owned());
                }
                if items.len() > LIST_ITEMS_MAX {
                    self.wrong(*position, format!("a list has at most {LIST_ITEMS_MAX} items"));
                }
                let kinds: Vec<Kind> = items.iter().map(|item| self.expression(item)).collect();
                let item = kinds.into_iter().reduce(Kind::or).unwrap_or(Kind::Any);
                Kind::List(Box::new(item))
            }
            Expr::Variable(name, _, position) => self.variable(name.1.as_str(), *position),
            Expr::Stmt(block) => self.statements(block.iter()),
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::Dot(dot, ..) => {
                let of = self.expression(&dot.lhs);
                let kind = self.chain(&of, &dot.rhs);
                let least = |number: Decimal| number < Decimal::ONE;
                if kind == Kind::Span && range::number(&dot.lhs).is_some_and(least) {
                    let message = "a span of time is at least 1".to_owned();
                    self.wrong(dot.lhs.start_position(), message);
                }
                kind
            }
            Expr::Index(index, flags, _) => {
                let of = self.expression(&index.lhs);
                self.index(&of, &index.rhs, *flags)
            }
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                let depth = self.above_zero.len();
                let all = matches!(expression, Expr::And(..));
                for part in parts.iter() {
                    let found = self.expression(part);
                    // The next part is asked where this one holds, or, after `||`, where it does not.
                    self.above_zero.extend(not_zero(part, all));
                    self.want(
                        &found,
                        &Kind::Flag,
                        part.start_position(),
                        "each side of `&&` and `||`",
                    );
                }
                self.above_zero.truncate(depth);
                Kind::Flag
            }
            Expr::Coalesce(parts, _) => {
                let kinds: Vec<Kind> = parts.iter().map(|part| self.expression(part)).collect();
                kinds.into_iter().reduce(Kind::or).unwrap_or(Kind::Any)
            }
            Expr::Custom(custom, position) => {
                let keyword = statement_of(custom).map_or("this", |statement| statement.keyword);
                self.wrong(*position, format!("`{keyword}` stands by itself, not inside a block"));
                Kind::Any
            }
            other => {
                self.wrong(other.start_position(), "this cannot be used in a sheet".to_owned());
                Kind::Any
            }
        }
    }

    /// The kind of an expression where a literal list may stand.
    pub(super) fn list_or(&mut self, expression: &Expr) -> Kind {
        self.list_may_stand = matches!(expression, Expr::Array(..));
        let kind = self.expression(expression);
        self.list_may_stand = false;
        kind
    }

    pub(super) fn variable(&mut self, name: &str, position: Position) -> Kind {
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return kind.clone();
        }
        let Some(fact) = FACTS.iter().find(|fact| fact.name == name) else {
            let locals: Vec<String> = self.locals.iter().map(|(name, _)| name.clone()).collect();
            let hint = meant(name, self.known.programme, locals.iter().map(String::as_str));
            self.wrong(position, format!("`{name}` is not known here{hint}"));
            return Kind::Any;
        };
        match self.rule {
            None => self.wrong(
                position,
                format!("a function sees only what it is given; give it `{name}` in its brackets"),
            ),
            Some(rule) if !rule.statement.facts.contains(&name) => {
                let list = rule.statement.facts.join("`, `");
                self.wrong(
                    position,
                    format!("`{}` cannot see `{name}`; it sees `{list}`", rule.statement.keyword),
                );
            }
            Some(rule) if name == "units" && !rule.costs.as_ref().is_some_and(Costs::is_chosen) => {
                self.wrong(
                    position,
                    "`units` is what the member chooses: write `costs 100 to 5_000`".to_owned(),
                );
            }
            Some(rule) => {
                if let Some(on) = rule.on.as_deref().filter(|on| name == "order" && *on != PURCHASE)
                {
                    self.order_of(on, position);
                }
            }
        }
        fact.kind.clone()
    }

    /// Reports a look at the order of an activity that is no purchase: it has an order only if the
    /// client sends one, and never if it comes by itself.
    fn order_of(&mut self, on: &str, position: Position) {
        let policy = self.known.programme.activities.get(on);
        let by_itself = on == REFERRAL || policy.is_some_and(|policy| policy.recurrence.is_some());
        if by_itself {
            let message = format!("a {on} comes by itself and has no order");
            self.wrong(position, message);
        } else {
            let message = format!(
                "a {on} has an order only if your shop sends one with it; without one, this rule fails and pays nothing"
            );
            self.warn(position, message);
        }
    }

    /// The kind of a chain such as `.lines[0].price` after a value of the kind `of`.
    pub(super) fn chain(&mut self, of: &Kind, rest: &Expr) -> Kind {
        match rest {
            Expr::Property(property, position) => {
                self.word(of, Form::Property, property.2.as_str(), &[], *position)
            }
            Expr::MethodCall(call, position) => {
                self.word(of, Form::Method, &call.name, &call.args, *position)
            }
            Expr::Dot(dot, ..) => {
                let of = self.chain(of, &dot.lhs);
                self.chain(&of, &dot.rhs)
            }
            Expr::Index(index, flags, _) => {
                let of = self.chain(of, &index.lhs);
                self.index(&of, &index.rhs, *flags)
            }
            other => {
                self.wrong(other.start_position(), "this cannot be asked of anything".to_owned());
                Kind::Any
            }
        }
    }

    pub(super) fn index(&mut self, of: &Kind, rest: &Expr, flags: ASTFlags) -> Kind {
        // In the engine's tree, the chain that follows `[ ]` hangs on the index inside `[ ]`.
        let (place, following) = match rest {
            Expr::Dot(dot, ..) if !flags.intersects(ASTFlags::BREAK) => (&dot.lhs, Some(&dot.rhs)),
            Expr::Index(inner, ..) if !flags.intersects(ASTFlags::BREAK) => {
                self.expression(&inner.lhs);
                self.expression(&inner.rhs);
                return Kind::Any;
            }
            place => (place, None),
        };
        let found = self.expression(place);
        let item = match of {
            Kind::Lines => Kind::Line,
            Kind::Any => Kind::Any,
            other => {
                self.wrong(
                    place.start_position(),
                    format!(
                        "only the lines of the order are asked with `[ ]`, not {}",
                        other.say()
                    ),
                );
                return Kind::Any;
            }
        };
        self.want(&found, &Kind::Whole, place.start_position(), "what stands in `[ ]`");
        match following {
            Some(following) => self.chain(&item, following),
            None => item,
        }
    }

    pub(super) fn call(&mut self, call: &FnCallExpr, position: Position) -> Kind {
        let name = call.name.as_str();
        let is_in = name == "contains" && call.args.len() == 2;
        let kinds: Vec<Kind> = call
            .args
            .iter()
            .enumerate()
            .map(
                |(place, given)| {
                    if is_in && place == 0 { self.list_or(given) } else { self.value(given) }
                },
            )
            .collect();
        match (&call.args[..], &kinds[..]) {
            ([list, item], [in_kind, item_kind]) if name == "contains" => {
                return self.contains((list, in_kind), (item, item_kind));
            }
            ([left, right], [left_kind, right_kind])
                if call.is_operator_call() || is_symbol(name) =>
            {
                return self.operands(name, (left, left_kind), (right, right_kind), position);
            }
            ([side], [kind]) if is_symbol(name) => {
                let wanted = if name == "!" { Kind::Flag } else { Kind::Number };
                self.want(kind, &wanted, side.start_position(), &format!("`{name}`"));
                return if name == "!" { Kind::Flag } else { kind.clone() };
            }
            _ => {}
        }
        let own = &self.known.sheets.bodies;
        if own.iter().any(|own| own.name == name && own.parameters.len() == kinds.len()) {
            return Kind::Any;
        }
        if EFFECTS.contains(&name) || name == "voucher" {
            self.gave = true;
            self.may_be_given(name, position);
            self.budgeted(call);
        }
        self.gift(call);
        let all: Vec<&'static Word> = functions(name).collect();
        let fits = |word: &&&Word| {
            word.takes.len() == kinds.len()
                && kinds.iter().zip(word.takes).all(|(found, wanted)| found.fits(wanted))
        };
        if let Some(word) = all.iter().find(fits).or_else(|| {
            all.iter().find(|word| word.takes.len() == kinds.len()).or_else(|| all.first())
        }) {
            self.arguments(word, &call.args, &kinds, position);
            if name == "voucher"
                && self.rule.is_some_and(|rule| rule.statement.gives == Kind::Number)
            {
                // In a rule that pays units, the code is an effect and not the block's value.
                return Kind::Nothing;
            }
            return match (&word.gives, kinds.iter().cloned().reduce(Kind::or)) {
                (Kind::Number, Some(given)) => given,
                (gives, _) => gives.clone(),
            };
        }
        self.unknown_function(name, &kinds, position);
        Kind::Any
    }

    /// Checks both sides of an operator, and returns the kind of its value.
    fn operands(
        &mut self,
        name: &str,
        (left, left_kind): (&Expr, &Kind),
        (right, right_kind): (&Expr, &Kind),
        position: Position,
    ) -> Kind {
        let compares = matches!(name, "==" | "!=" | "<" | "<=" | ">" | ">=");
        for (side, other) in [(left_kind, right), (right_kind, left)] {
            if compares
                && *side == Kind::Whole
                && range::number(other).is_some_and(|number| number.scale() == 3)
            {
                let message = "this is compared with whole numbers; a thousand is written `1_000`";
                self.warn(other.start_position(), message.to_owned());
            }
        }
        if matches!(name, "/" | "%") {
            self.division(name, left, right, position);
            self.divisor(right, right_kind, right.start_position());
        }
        if compares {
            self.compared(left, left_kind, right);
            self.compared(right, right_kind, left);
        }
        self.operator(name, left_kind, right_kind, position)
    }

    /// Rejects a division by a literal 0, and warns if literal whole numbers leave a remainder.
    fn division(&mut self, symbol: &str, left: &Expr, right: &Expr, position: Position) {
        match (left, right) {
            (_, Expr::IntegerConstant(0, _)) => {
                self.wrong(position, "nothing can be divided by 0".to_owned());
            }
            (Expr::IntegerConstant(of, _), Expr::IntegerConstant(by, _))
                if symbol == "/" && of.checked_rem(*by).is_some_and(|rest| rest != 0) =>
            {
                let message = format!(
                    "`{of} / {by}` of whole numbers is {}; write it with a point, such as `0.5`",
                    of.checked_div(*by).unwrap_or_default()
                );
                self.warn(position, message);
            }
            _ => {}
        }
    }

    /// Checks `item in list`.
    pub(super) fn contains(
        &mut self,
        (list, in_kind): (&Expr, &Kind),
        (item, item_kind): (&Expr, &Kind),
    ) -> Kind {
        match in_kind {
            Kind::List(of) => {
                if let (Kind::Text(domain), Expr::Array(names, _)) = (item_kind, list) {
                    for name in names.iter() {
                        self.name(*domain, name);
                    }
                }
                let numbers = item_kind.may_be_number() && of.may_be_number();
                if !(numbers || item_kind.fits(of) || of.fits(item_kind)) {
                    let message =
                        format!("{} is never in a list of what is {}", item_kind.say(), of.say());
                    self.wrong(item.start_position(), message);
                }
            }
            Kind::Range => {
                self.want(item_kind, &Kind::Whole, item.start_position(), "`in` a range");
            }
            Kind::Text(_) => {
                self.want(
                    item_kind,
                    &Kind::Text(Domain::Free),
                    item.start_position(),
                    "`in` a text",
                );
            }
            Kind::Any => {}
            other => {
                let message = format!("`in` asks a list, a range or a text, not {}", other.say());
                self.wrong(list.start_position(), message);
            }
        }
        Kind::Flag
    }

    /// Checks that a text compared with a fact is a value that the fact can have.
    pub(super) fn compared(&mut self, _: &Expr, kind: &Kind, with: &Expr) {
        if let Kind::Text(domain) = kind {
            self.name(*domain, with);
        }
    }

    pub(super) fn operator(
        &mut self,
        symbol: &str,
        left: &Kind,
        right: &Kind,
        position: Position,
    ) -> Kind {
        let numbers = left.may_be_number() && right.may_be_number();
        let texts = matches!((left, right), (Kind::Text(_), Kind::Text(_)));
        let unknown = *left == Kind::Any || *right == Kind::Any;
        let pair = || format!("{} and {}", left.say(), right.say());
        match symbol {
            "==" | "!=" => {
                let nothing = *left == Kind::Nothing || *right == Kind::Nothing;
                let flags = *left == Kind::Flag && *right == Kind::Flag;
                if !(numbers || texts || flags || unknown || nothing) {
                    self.wrong(position, format!("{} are never equal", pair()));
                }
                Kind::Flag
            }
            "<" | "<=" | ">" | ">=" => {
                if *left == Kind::Flag {
                    let message = "one thing is compared with one other; join two comparisons: `5 < order.total && order.total < 10`";
                    self.wrong(position, message.to_owned());
                } else if texts
                    && [left, right].iter().any(|side| **side == Kind::Text(Domain::Tier))
                {
                    let message = "texts are compared by the alphabet, and not by which tier is higher; write `member.tier in [\"Silver\", \"Gold\"]`";
                    self.wrong(position, message.to_owned());
                } else if !(numbers || texts || unknown) {
                    self.wrong(position, format!("{} cannot be compared", pair()));
                }
                Kind::Flag
            }
            ".." | "..=" => {
                if !numbers {
                    self.wrong(
                        position,
                        format!("a range is between two whole numbers, not {}", pair()),
                    );
                }
                Kind::Range
            }
            "+" if matches!(left, Kind::Text(_)) || matches!(right, Kind::Text(_)) => {
                Kind::Text(Domain::Free)
            }
            "&" | "|" | "^" | "<<" | ">>" => {
                self.wrong(
                    position,
                    format!("`{symbol}` has no use here; `and` is written `&&`, `or` is `||`"),
                );
                Kind::Any
            }
            _ => {
                let may = unknown && may_calculate(left) && may_calculate(right);
                if !(numbers || may) {
                    self.wrong(position, format!("`{symbol}` cannot be done with {}", pair()));
                    return Kind::Any;
                }
                match (left, right) {
                    (Kind::Whole, Kind::Whole) => Kind::Whole,
                    (Kind::Amount, _) | (_, Kind::Amount) => Kind::Amount,
                    (Kind::Any, _) | (_, Kind::Any) => Kind::Any,
                    _ => Kind::Number,
                }
            }
        }
    }
}

fn may_calculate(kind: &Kind) -> bool {
    kind.may_be_number() || matches!(kind, Kind::Text(_) | Kind::Any)
}

fn is_symbol(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| !c.is_alphanumeric() && c != '_')
}
