//! The check of blocks in `{ }`, statement by statement.

use std::collections::BTreeSet;

use rhai::{BinaryExpr, Expr, OpAssignment, Position, Stmt};

use super::not_zero::not_zero;
use super::{CASES_MAX, Check};
use crate::kind::{Domain, Kind};
use crate::mistake::{Mistake, place};
use crate::pieces::{self, byte_of};
use crate::vocabulary::FACTS;

impl Check<'_> {
    pub(super) fn statements<'s>(
        &mut self,
        statements: impl IntoIterator<Item = &'s Stmt>,
    ) -> Kind {
        let depth = self.locals.len();
        let known = self.above_zero.len();
        let mut last = Kind::Nothing;
        let mut before: Option<&Stmt> = None;
        for statement in statements {
            if let Some(before) = before {
                self.lost(before, &last);
            }
            last = self.statement(statement);
            if let Stmt::If(flow, _) = statement
                && matches!(flow.body.iter().last(), Some(Stmt::Return(..)))
            {
                self.above_zero.extend(not_zero(&flow.expr, false));
            }
            before = Some(statement);
        }
        self.locals.truncate(depth);
        self.above_zero.truncate(known);
        last
    }

    /// Reports a value that is lost: a block returns only its last value.
    pub(super) fn lost(&mut self, statement: &Stmt, kind: &Kind) {
        let is_value = matches!(
            statement,
            Stmt::Expr(_) | Stmt::FnCall(..) | Stmt::If(..) | Stmt::Switch(..) | Stmt::Block(_)
        );
        if is_value && !matches!(kind, Kind::Nothing | Kind::Any) {
            let remedy = match kind {
                Kind::Gift => "write a reward for each",
                _ => "add it up with `let sum = 0;` and `sum += ..;`, or write a rule for each",
            };
            let message =
                format!("{} is lost here: a block gives its last value only; {remedy}", kind.say());
            self.wrong(statement.position(), message);
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "a table of cases: one for each statement of the language"
    )]
    pub(super) fn statement(&mut self, statement: &Stmt) -> Kind {
        match statement {
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.statements(block.iter()),
            Stmt::If(flow, _) => {
                let found = self.expression(&flow.expr);
                self.want(&found, &Kind::Flag, flow.expr.start_position(), "a condition");
                let known = self.above_zero.len();
                self.above_zero.extend(not_zero(&flow.expr, true));
                let then = self.statements(flow.body.iter());
                self.above_zero.truncate(known);
                if then == Kind::Flag && flow.branch.is_empty() {
                    let message = "this is neither yes nor no where the `if` does not hold; write `else { false }`";
                    self.wrong(statement.position(), message.to_owned());
                }
                self.above_zero.extend(not_zero(&flow.expr, false));
                let otherwise = self.statements(flow.branch.iter());
                self.above_zero.truncate(known);
                self.either(then, otherwise, statement.position())
            }
            Stmt::Switch(switch, _) => {
                let (on, cases) = &**switch;
                let kind = self.expression(on);
                let mut gives: Option<Kind> = None;
                if matches!(kind, Kind::Amount | Kind::Number) {
                    let message =
                        "`switch` looks for texts and whole numbers; compare an amount with `if`";
                    self.wrong(on.start_position(), message.to_owned());
                }
                if cases.expressions.len() > CASES_MAX {
                    self.wrong(
                        on.start_position(),
                        format!("a `switch` has at most {CASES_MAX} cases"),
                    );
                }
                self.cases(&kind, on.start_position());
                for case in &cases.expressions {
                    self.expression(&case.lhs);
                    let found = self.expression(&case.rhs);
                    let position = case.rhs.start_position();
                    gives = Some(match gives {
                        None => found,
                        Some(gives) => self.either(gives, found, position),
                    });
                }
                gives.unwrap_or(Kind::Nothing)
            }
            Stmt::For(walk, position) => {
                let (name, counter, flow) = &**walk;
                let over = self.list_or(&flow.expr);
                let item = match over {
                    Kind::Lines => Kind::Line,
                    Kind::List(item) => *item,
                    Kind::Range => Kind::Whole,
                    Kind::Any => Kind::Any,
                    other => {
                        self.wrong(
                            flow.expr.start_position(),
                            format!(
                                "`for` walks through lines, a list or a range, not {}",
                                other.say()
                            ),
                        );
                        Kind::Any
                    }
                };
                let depth = self.locals.len();
                self.local(&name.name, item, *position);
                if let Some(counter) = counter {
                    self.local(&counter.name, Kind::Whole, *position);
                }
                let last = self.statements(flow.body.iter());
                if let Some(statement) = flow.body.iter().last() {
                    self.lost(statement, &last);
                }
                self.locals.truncate(depth);
                Kind::Nothing
            }
            Stmt::Var(variable, _, position) => {
                let (name, value, _) = &**variable;
                let kind = self.value(value);
                self.note_local(&name.name, value);
                self.local(&name.name, kind, *position);
                Kind::Nothing
            }
            Stmt::Assignment(assignment) => {
                self.assignment(&assignment.0, &assignment.1);
                Kind::Nothing
            }
            Stmt::Return(value, ..) => {
                let kind = value.as_ref().map_or(Kind::Nothing, |value| self.expression(value));
                self.returns.push(kind);
                // Statements after it do not run.
                Kind::Nothing
            }
            Stmt::BreakLoop(value, ..) => {
                if let Some(value) = value {
                    self.expression(value);
                }
                Kind::Nothing
            }
            Stmt::Noop(_) => Kind::Nothing,
            other => {
                self.wrong(other.position(), "this cannot be used in a sheet".to_owned());
                Kind::Any
            }
        }
    }

    /// The kind of a value that is one of two. Both must be of one kind, unless one of them is
    /// nothing or unknown.
    fn either(&mut self, one: Kind, other: Kind, position: Position) -> Kind {
        let is_known = |kind: &Kind| !matches!(kind, Kind::Nothing | Kind::Any);
        let both = is_known(&one) && is_known(&other);
        let (first, second) = (one.say(), other.say());
        let kind = one.or(other);
        if both && kind == Kind::Any {
            let message = format!("this is {first} in one case and {second} in another");
            self.wrong(position, message);
        }
        kind
    }

    /// Checks the cases of a `switch`: each text is a name that exists, and stands there once.
    fn cases(&mut self, kind: &Kind, on: Position) {
        let domain = if let Kind::Text(domain) = kind { *domain } else { Domain::Free };
        let known = self.known;
        let text = known.sources.get(&self.file).unwrap_or_default();
        let Some(from) = place(on).and_then(|place| byte_of(text, place)) else { return };
        let mut always: BTreeSet<&str> = BTreeSet::new();
        for case in pieces::cases(text, from) {
            let message = if always.contains(case.text) {
                Some(format!("`{}` is looked for above, so this is never done", case.text))
            } else {
                self.unknown_name(domain, case.text)
            };
            if let Some(message) = message {
                self.mistakes.push(Mistake::at_byte(&self.file, text, case.at, message));
            }
            if !case.has_condition {
                always.insert(case.text);
            }
        }
    }

    /// The kind of an expression whose value is used. It must have a value in every branch.
    pub(super) fn value(&mut self, expression: &Expr) -> Kind {
        let kind = self.expression(expression);
        if kind != Kind::Nothing && is_partial(expression) {
            let message = "there is a value here only sometimes; end the `if` with `else { 0 }`, and a `switch` with `_ => 0`";
            self.wrong(expression.start_position(), message.to_owned());
        }
        kind
    }

    pub(super) fn local(&mut self, name: &str, kind: Kind, position: Position) {
        if FACTS.iter().any(|fact| fact.name == name) {
            self.wrong(position, format!("`{name}` is a fact; take another name for your own"));
        }
        self.locals.push((name.to_owned(), kind));
    }

    pub(super) fn assignment(&mut self, operation: &OpAssignment, sides: &BinaryExpr) {
        let value = self.value(&sides.rhs);
        let position = sides.lhs.start_position();
        let root = root(&sides.lhs);
        if let Some(name) = root
            && !self.locals.iter().any(|(local, _)| local == name)
        {
            self.wrong(
                position,
                format!(
                    "`{name}` is a fact and cannot be changed; use `let` for a number of your own"
                ),
            );
            return;
        }
        let Expr::Variable(name, ..) = &sides.lhs else {
            self.expression(&sides.lhs);
            return;
        };
        let before = self.locals.iter().rev().find(|(local, _)| *local == name.1.as_str());
        let before = before.map_or(Kind::Any, |(_, kind)| kind.clone());
        let after = match operation.get_op_assignment_info() {
            Some((.., symbol)) => {
                if matches!(symbol, "/" | "%") {
                    self.divisor(&sides.rhs, &value, sides.rhs.start_position());
                }
                self.operator(symbol, &before, &value, operation.position())
            }
            None => {
                self.note_local(name.1.as_str(), &sides.rhs);
                value
            }
        };
        if let Some((_, kind)) =
            self.locals.iter_mut().rev().find(|(local, _)| *local == name.1.as_str())
        {
            *kind = before.or(after);
        }
    }
}

/// Whether a block may end without a value: in an `if` without an `else`, or in a `switch` without
/// a default case.
fn is_partial(expression: &Expr) -> bool {
    match expression {
        Expr::Stmt(block) => block.iter().last().is_some_and(ends_without),
        _ => false,
    }
}

fn ends_without(statement: &Stmt) -> bool {
    match statement {
        Stmt::Expr(expression) => is_partial(expression),
        Stmt::Block(block) => block.iter().last().is_some_and(ends_without),
        Stmt::If(flow, _) => {
            flow.branch.is_empty()
                || flow.body.iter().last().is_some_and(ends_without)
                || flow.branch.iter().last().is_some_and(ends_without)
        }
        Stmt::Switch(switch, _) => {
            let cases = &switch.1;
            cases.def_case.is_none() || cases.expressions.iter().any(|case| is_partial(&case.rhs))
        }
        _ => false,
    }
}

/// The variable at the root of a chain of properties and indices.
fn root(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(name, ..) => Some(name.1.as_str()),
        Expr::Dot(inner, ..) | Expr::Index(inner, ..) => root(&inner.lhs),
        _ => None,
    }
}
