//! The peer `zen-engine`: GoRules.

use std::sync::Arc;

use futures::executor::block_on;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use zen_engine::model::DecisionContent;
use zen_engine::{Decision, DecisionEngine, Variable};

use crate::Paid;
use crate::case::{Case, Line};

/// The keys of the expression node, in the order of the sheet.
const KEYS: [&str; 10] =
    ["per_euro", "gold", "breakfast", "beans", "app", "stamps", "tea", "web", "basket", "founder"];

/// GoRules as its manual uses it: a JSON decision model, loaded and compiled once.
///
/// The sheet is one expression node with one expression per rule. A later expression can refer to
/// an earlier one, which "Gold members earn double" needs. This was the fastest of the engine's
/// forms. A decision table that collects took a fifth longer, and could not refer to an earlier
/// row. A policy document took twice as long, since it checks its input against a data model.
///
/// The facts are the engine's variables, made directly without JSON; the engine has decimals. Its
/// trace is off, since the output names the rules already. `evaluate` is async and never waits
/// here, so the cheapest executor drives it.
pub struct Zen {
    decision: Decision,
}

impl Zen {
    /// Loads and compiles the decision.
    #[must_use]
    pub fn new() -> Zen {
        let content: DecisionContent = serde_json::from_str(include_str!("../rules/zen.json"))
            .expect("the model is a decision model");
        let mut decision = DecisionEngine::default()
            .create_decision(Arc::new(content))
            .expect("the model is a graph");
        decision.validate().expect("the graph is whole");
        decision.compile();
        Zen { decision }
    }

    /// The units that the rules pay.
    #[must_use]
    pub fn pay(&self, case: &Case) -> Paid {
        let response = block_on(self.decision.evaluate(facts(case))).expect("the decision runs");
        let paid = response.result.as_object().expect("the decision answers with an object");
        let paid = paid.borrow();
        KEYS.map(|key| {
            let units = paid.get_str(key).and_then(Variable::as_number);
            units.and_then(|units| units.to_i64()).expect("every rule says what it pays")
        })
    }
}

impl Default for Zen {
    fn default() -> Zen {
        Zen::new()
    }
}

fn facts(case: &Case) -> Variable {
    let local = case.local();
    let tags = case.tags.iter().map(|tag| text(tag)).collect();
    let lines = case.lines.iter().map(line).collect();
    object([
        (
            "member",
            object([
                ("tier", text(&case.tier)),
                ("tags", Variable::from_array(tags)),
                ("points", Variable::Number(case.points.into())),
                ("web_orders_today", Variable::Number(case.web_orders_today.into())),
            ]),
        ),
        (
            "order",
            object([
                ("total", Variable::Number(case.total)),
                ("lines", Variable::from_array(lines)),
            ]),
        ),
        ("activity", object([("payment", text(&case.payment)), ("channel", text(&case.channel))])),
        (
            "now",
            object([
                ("weekend", Variable::Bool(local.weekend)),
                ("hour", Variable::Number(local.hour.into())),
            ]),
        ),
    ])
}

fn line(line: &Line) -> Variable {
    object([
        ("sku", text(&line.sku)),
        ("category", text(&line.category)),
        ("quantity", Variable::Number(Decimal::from(line.quantity))),
        ("price", Variable::Number(line.price)),
    ])
}

fn object<const N: usize>(entries: [(&'static str, Variable); N]) -> Variable {
    Variable::from_object(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn text(text: &str) -> Variable {
    Variable::String(text.into())
}
