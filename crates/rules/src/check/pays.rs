//! The check of what a rule pays: literal amounts that cannot be paid, or not wholly, and amounts that
//! some orders do not have.

use ledger::{Units, WalletName};
use rhai::{Expr, Position, Stmt};
use rust_decimal::Decimal;

use super::Check;
use crate::asked::Asked;
use crate::kind::Kind;
use crate::range;
use crate::rule::Rule;
use crate::words::words;

impl Check<'_> {
    pub(super) fn pays(&mut self, rule: &Rule) {
        let pays = range::only_expression(&rule.body).and_then(range::number);
        if let Some(pays) = pays.filter(|_| rule.statement.gives == Kind::Number) {
            if pays.scale() == 3 {
                let message = "a thousand is written `1_000`; the point is for a part of one";
                self.warn(rule.body.position(), message.to_owned());
            }
            if pays < Decimal::ZERO {
                let message = "a rule pays nothing or more, and this is below zero";
                self.wrong(rule.body.position(), message.to_owned());
            } else if pays > Decimal::from(Units::MAX.get()) {
                let message = format!("a rule pays at most {} at once", Units::MAX);
                self.wrong(rule.body.position(), message);
            }
        }
        if rule.statement.gives == Kind::Number {
            let wallet = rule.into.as_ref().unwrap_or(&self.known.programme.main_wallet);
            let mut paid = Vec::new();
            literals(&rule.body, &mut paid);
            for (number, position) in paid {
                self.dropped(number, wallet, position);
            }
        }
        self.without_prices(rule);
    }

    /// Warns of a fraction that is dropped, since the wallet does not carry fractions.
    pub(super) fn dropped(&mut self, number: Decimal, wallet: &WalletName, position: Position) {
        let carries = self.known.programme.wallets.get(wallet).is_none_or(|policy| policy.carry);
        // Three decimals are a thousand that is written with a point.
        if carries || number.fract().is_zero() || number.scale() == 3 {
            return;
        }
        let whole = number.trunc();
        let message = format!(
            "`{number}` pays {whole}: `{wallet}` does not carry fractions; write `carry = true` under [wallets.{wallet}], or a whole number"
        );
        self.warn(position, message);
    }

    /// Warns of a rule that asks what was paid for lines and fails where a line has no price, unless
    /// it asks for that or a spec shows that it has been tried.
    fn without_prices(&mut self, rule: &Rule) {
        let blocks = [rule.when.as_ref(), rule.counting.as_ref(), Some(&rule.body)];
        let asked: Vec<Asked> = blocks
            .into_iter()
            .flatten()
            .map(|block| Asked::by(block, &self.known.sheets.bodies))
            .collect();
        let asks = |word: &str| asked.iter().any(|asked| asked.words.contains(word));
        let of = match (asks("spent"), asks("lines") && (asks("amount") || asks("price"))) {
            (true, _) => "order.spent(..)",
            (_, true) => "line.amount",
            _ => return,
        };
        let title = format!("{:?}", rule.title);
        let is_tried = self.known.sources.specs().any(|(_, spec)| spec.contains(&title));
        let is_asked = rule.when.as_ref().is_some_and(asks_prices)
            || Asked::by(&rule.body, &self.known.sheets.bodies).words.contains("priced");
        if is_asked || is_tried {
            return;
        }
        let message = format!(
            "`{of}` is not known where a line of the order has neither a price nor an amount, and then this rule fails and pays nothing; ask `when order.priced`, or show in a spec what your shop sends"
        );
        self.warn(rule.position, message);
    }
}

/// Whether a condition holds only where every line has a price.
fn asks_prices(condition: &Expr) -> bool {
    match condition {
        Expr::And(parts, _) => parts.iter().any(asks_prices),
        other => words(other).is_some_and(|asked| asked == "order.priced"),
    }
}

/// The literal numbers that a block can end with, in any of its branches, each with its place.
fn literals(block: &Expr, found: &mut Vec<(Decimal, Position)>) {
    match block {
        Expr::Stmt(statements) => of_statement(statements.iter().last(), found),
        expression => found
            .extend(range::number(expression).map(|number| (number, expression.start_position()))),
    }
}

fn of_statement(statement: Option<&Stmt>, found: &mut Vec<(Decimal, Position)>) {
    match statement {
        Some(Stmt::Expr(expression)) => literals(expression, found),
        Some(Stmt::Block(block)) => of_statement(block.iter().last(), found),
        Some(Stmt::If(flow, _)) => {
            of_statement(flow.body.iter().last(), found);
            of_statement(flow.branch.iter().last(), found);
        }
        Some(Stmt::Switch(switch, _)) => {
            switch.1.expressions.iter().for_each(|case| literals(&case.rhs, found));
        }
        _ => {}
    }
}
