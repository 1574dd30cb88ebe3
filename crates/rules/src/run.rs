//! Running rules: one run per request, its steps counted over all its rules.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledger::Units;
use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, GlobalRuntimeState,
    Module, Scope,
};
use rust_decimal::Decimal;

use crate::effect_buffer::{self, EffectBuffer, EffectRequest};
use crate::engine::OPERATIONS_MAX;
use crate::facts::Facts;
use crate::mistake::RuleFailure;
use crate::range::only_expression;
use crate::sheet::Rule;
use crate::value::Value;
use crate::words::{facts, say, words};

/// The rules of one request, being asked one after the other about the same facts.
pub struct Run<'a> {
    engine: &'a Engine,
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
    depth: usize,
    effects: EffectBuffer,
    found: &'a Found,
    /// Steps that all its rules may take together.
    steps: u64,
}

/// Functions that earlier runs of the same bundle have looked up, for the next to begin with.
#[derive(Debug, Default)]
pub(crate) struct Found {
    caches: Mutex<Vec<Caches>>,
    /// The file in which each function of the merchant's stands.
    files: BTreeMap<String, Arc<str>>,
}

impl Found {
    pub(crate) fn of(files: BTreeMap<String, Arc<str>>) -> Found {
        Found { caches: Mutex::default(), files }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let caches = std::mem::replace(&mut self.caches, Caches::new());
        let mut found = self.found.caches.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() < FOUND_MAX {
            found.push(caches);
        }
    }
}

/// Runs of one bundle that go on side by side on one machine.
const FOUND_MAX: usize = 8;

impl<'a> Run<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        functions: &Arc<Module>,
        facts: &Facts,
        found: &'a Found,
        steps: u64,
    ) -> Run<'a> {
        let effects = EffectBuffer::new(Arc::clone(&facts.seen));
        let mut global = engine.new_global_runtime_state();
        global.lib.push(Arc::clone(functions));
        global.tag = effect_buffer::tag(&effects);
        // The engine counts up to its own limit, so a smaller one begins later.
        let begins = OPERATIONS_MAX.saturating_sub(steps);
        global.num_operations = begins;
        let scope = facts.scope();
        let depth = scope.len();
        let caches = found.caches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let caches = caches.unwrap_or_default();
        Run { engine, global, caches, scope, depth, effects, found, steps }
    }

    /// Puts the units that have been paid so far in scope.
    pub fn set_points(&mut self, points: Units) {
        // It is the last of the facts.
        self.scope.rewind(self.depth.saturating_sub(1));
        self.scope.push_constant("points", points.get());
    }

    /// Whether the rule's condition holds. One without a condition applies.
    ///
    /// # Errors
    /// The condition fails, or is not yes or no.
    pub fn applies(&mut self, rule: &Rule) -> Result<bool, RuleFailure> {
        let Some(when) = &rule.when else { return Ok(true) };
        match self.value(rule, when)? {
            Value::Flag(applies) => Ok(applies),
            other => Err(rule.failure(format!("a condition is yes or no, not {}", other.kind()))),
        }
    }

    /// The value of the rule's block, and the effects that it asks for.
    ///
    /// # Errors
    /// The block fails.
    pub fn body(&mut self, rule: &Rule) -> Result<(Value, Vec<EffectRequest>), RuleFailure> {
        // Effects that a condition asked for are dropped.
        self.effects.drain();
        let value = self.value(rule, &rule.body)?;
        Ok((value, self.effects.drain()))
    }

    /// How much the activity counts towards a task; nothing where the rule does not say.
    ///
    /// # Errors
    /// What it counts by fails.
    pub fn counting(&mut self, rule: &Rule) -> Result<Option<Value>, RuleFailure> {
        rule.counting.as_ref().map(|counting| self.value(rule, counting)).transpose()
    }

    /// Each fact that the rule's condition asks for, with its value. A fact that fails, such as an
    /// order that is not there, was not seen: the condition did not come to it, or the request would
    /// have failed.
    pub fn facts_seen(&mut self, rule: &Rule) -> Vec<(String, String)> {
        let asked = rule.when.iter().flat_map(facts);
        let seen = asked.filter_map(|fact| {
            let value = self.evaluate(rule, fact).ok()?;
            Some((words(fact)?, say(&value)))
        });
        seen.collect()
    }

    /// The comparisons with numbers in a tier's condition, with what the member has of each.
    pub fn needs(&mut self, tier: &Rule) -> Vec<Need> {
        let mut needs = Vec::new();
        if let Some(condition) = only_expression(&tier.body) {
            self.collect_needs(tier, condition, &mut needs);
        }
        needs
    }

    fn collect_needs(&mut self, tier: &Rule, condition: &Expr, needs: &mut Vec<Need>) {
        match condition {
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                parts.iter().for_each(|part| self.collect_needs(tier, part, needs));
            }
            Expr::FnCall(call, _) if call.name == ">=" || call.name == ">" => {
                let [fact, number] = &call.args[..] else { return };
                let (Some(words), Some(need)) = (words(fact), number_of(number)) else { return };
                // Of several parts one may guard another: a fact that fails is no need.
                let Ok(value) = self.value(tier, fact) else { return };
                if let Some(have) = value.number() {
                    needs.push(Need { fact: words, have, need });
                }
            }
            _ => {}
        }
    }

    /// The value of a part of the rule.
    fn value(&mut self, rule: &Rule, part: &Expr) -> Result<Value, RuleFailure> {
        self.evaluate(rule, part).map(Value::from)
    }

    fn evaluate(&mut self, rule: &Rule, part: &Expr) -> Result<Dynamic, RuleFailure> {
        let mut context = EvalContext::new(
            self.engine,
            &mut self.global,
            &mut self.caches,
            &mut self.scope,
            None,
        );
        let found = context.eval_expression_tree(&Expression::from(part));
        self.scope.rewind(self.depth);
        match found {
            Ok(value) => Ok(value),
            Err(error) => match *error {
                EvalAltResult::Return(value, _) => Ok(value),
                mut error => {
                    if error.position().is_none() {
                        error.set_position(rule.position);
                    }
                    let file_of = |name: &str| self.found.files.get(name).cloned();
                    let names = (rule.title.as_str(), &*rule.file);
                    Err(RuleFailure::of(names, &error, self.steps, file_of))
                }
            },
        }
    }
}

fn number_of(expression: &Expr) -> Option<Decimal> {
    match expression {
        Expr::IntegerConstant(number, _) => Some(Decimal::from(*number)),
        Expr::DynamicConstant(value, _) => value.as_decimal().ok(),
        _ => None,
    }
}

/// A fact that has to reach a number for a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As it stands in the sheet: `wallet("status")`.
    pub fact: String,
    /// What the member has.
    pub have: Decimal,
    /// What it needs.
    pub need: Decimal,
}
