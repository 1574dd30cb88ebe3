//! How far a member is from the next tier: the comparisons in its condition, with what the member
//! has and what it needs.

use std::sync::Arc;

use ledger::{Member, Moment};
use rhai::Expr;
use rust_decimal::Decimal;

use crate::bundle::Bundle;
use crate::grammar::StatementKind;
use crate::range::only_expression;
use crate::run::Run;
use crate::sheet::Rule;
use crate::words::words;

/// The next tier, and what is needed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTier {
    /// Its name.
    pub tier: String,
    /// The comparisons of its condition. Where it has none with numbers, there are none.
    pub needs: Vec<Need>,
}

/// A fact that has to reach a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As it stands in the sheet: `wallet("status")`.
    pub fact: String,
    /// What the member has.
    pub have: Decimal,
    /// What it needs.
    pub need: Decimal,
}

impl Bundle {
    /// The tier above the one that the member is in; nothing if it is in the highest.
    #[must_use]
    pub fn next_tier(&self, member: &Member, tier: Option<&str>, now: Moment) -> Option<NextTier> {
        let present = self.tiers().position(|name| Some(name) == tier);
        let above = present.map_or(0, |present| present + 1);
        let (_, rule) = self.rules_of(StatementKind::Tier).nth(above)?;
        let seen = self.see(&Arc::new(member.clone()), tier.map(str::to_owned), now, now);
        let mut run = self.run(&Bundle::facts_of_order(seen, None, None));
        let mut needs = Vec::new();
        if let Some(condition) = only_expression(&rule.body) {
            collect(&mut run, rule, condition, &mut needs);
        }
        Some(NextTier { tier: rule.title.clone(), needs })
    }
}

/// The comparisons of a condition, with what the member has of each.
fn collect(run: &mut Run<'_>, rule: &Rule, condition: &Expr, needs: &mut Vec<Need>) {
    match condition {
        Expr::And(parts, _) | Expr::Or(parts, _) => {
            parts.iter().for_each(|part| collect(run, rule, part, needs));
        }
        Expr::FnCall(call, _) if call.name == ">=" || call.name == ">" => {
            let [fact, number] = &call.args[..] else { return };
            let (Some(words), Some(need)) = (words(fact), number_of(number)) else { return };
            // Of several parts one may guard another: what cannot be told of this member is no need.
            let Ok(value) = run.value(rule, fact) else { return };
            let have = value.as_decimal().or_else(|_| value.as_int().map(Decimal::from));
            if let Ok(have) = have {
                needs.push(Need { fact: words, have, need });
            }
        }
        _ => {}
    }
}

fn number_of(expression: &Expr) -> Option<Decimal> {
    match expression {
        Expr::IntegerConstant(number, _) => Some(Decimal::from(*number)),
        Expr::DynamicConstant(value, _) => value.as_decimal().ok(),
        _ => None,
    }
}
