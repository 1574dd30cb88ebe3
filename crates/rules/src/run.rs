//! A run: the rules of one request over the same facts. Its steps are counted over all its rules.

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
use crate::rule::Rule;
use crate::value::Value;
use crate::words::{facts, facts_within, say, words};

/// A run of the rules of one request, one after the other over the same facts.
pub struct Run<'a> {
    engine: &'a Engine,
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
    depth: usize,
    effects: EffectBuffer,
    found: &'a Found,
    /// The most steps that all its rules take together.
    steps: u64,
}

/// Function look-ups of earlier runs of the same bundle, which the next run reuses.
#[derive(Debug, Default)]
pub(crate) struct Found {
    caches: Mutex<Vec<Caches>>,
    /// The file of each function that the merchant wrote.
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

/// The most caches that are kept: the runs of one bundle that run in parallel on one machine.
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
        // The engine counts up to its own limit, so a smaller budget starts at a higher count.
        let begins = OPERATIONS_MAX.saturating_sub(steps);
        global.num_operations = begins;
        let scope = facts.scope();
        let depth = scope.len();
        let caches = found.caches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let caches = caches.unwrap_or_default();
        Run { engine, global, caches, scope, depth, effects, found, steps }
    }

    /// Sets the fact `points`: the units that earlier rules have paid into the main wallet.
    pub fn set_points(&mut self, points: Units) {
        // INVARIANT: `points` is the last fact in the scope, so removing one entry removes it.
        self.scope.rewind(self.depth.saturating_sub(1));
        self.scope.push_constant("points", points.get());
    }

    /// Whether the rule's condition holds. A rule without a condition applies.
    ///
    /// # Errors
    /// The condition fails, or its value is not yes or no.
    pub fn applies(&mut self, rule: &Rule) -> Result<bool, RuleFailure> {
        let Some(when) = &rule.when else { return Ok(true) };
        match self.value(rule, when)? {
            Value::Flag(applies) => Ok(applies),
            other => Err(rule.failure(format!("a condition is yes or no, not {}", other.kind()))),
        }
    }

    /// The value of the rule's block, and its effect requests.
    ///
    /// # Errors
    /// The block fails.
    pub fn body(&mut self, rule: &Rule) -> Result<(Value, Vec<EffectRequest>), RuleFailure> {
        // Effects that a condition requested are dropped.
        self.effects.drain();
        let value = self.value(rule, &rule.body)?;
        Ok((value, self.effects.drain()))
    }

    /// How much the activity counts towards a task; nothing if the rule has no `counting`.
    ///
    /// # Errors
    /// The `counting` expression fails.
    pub fn counting(&mut self, rule: &Rule) -> Result<Option<Value>, RuleFailure> {
        rule.counting.as_ref().map(|counting| self.value(rule, counting)).transpose()
    }

    /// The facts that the rule's condition reads, with their values. It leaves out a fact that
    /// fails, such as a missing order: the condition did not evaluate it, since the request would
    /// have failed otherwise.
    pub fn facts_seen(&mut self, rule: &Rule) -> Vec<(String, String)> {
        let asked = rule.when.iter().flat_map(facts);
        let seen = asked.filter_map(|fact| {
            let value = self.evaluate(rule, fact).ok()?;
            Some((words(fact)?, say(&value)))
        });
        seen.collect()
    }

    /// The facts about the member that the rule reads, in its condition or its block, with their values.
    pub fn facts_of_member(&mut self, rule: &Rule) -> Vec<(String, String)> {
        let parts = rule.when.iter().chain(&rule.counting).chain([&rule.body]);
        let mut seen: Vec<(String, String)> = Vec::new();
        for fact in parts.flat_map(facts_within) {
            // A fact of a name that the block makes itself has no value here.
            if let (Some(name), Ok(value)) = (words(&fact), self.evaluate(rule, &fact))
                && !seen.iter().any(|(other, _)| *other == name)
            {
                seen.push((name, say(&value)));
            }
        }
        seen
    }

    /// The facts, with their values, of those parts of the rule's condition that do not hold. Parts
    /// are joined by `&&`.
    pub fn unmet(&mut self, rule: &Rule) -> Vec<(String, String)> {
        let parts: Vec<&Expr> = match &rule.when {
            Some(Expr::And(parts, _)) => parts.iter().collect(),
            other => other.iter().collect(),
        };
        let fails =
            |run: &mut Self, part: &Expr| matches!(run.value(rule, part), Ok(Value::Flag(false)));
        let mut unmet = Vec::new();
        for part in parts {
            if !fails(self, part) {
                continue;
            }
            for fact in facts(part) {
                if let (Some(words), Ok(value)) = (words(fact), self.evaluate(rule, fact)) {
                    unmet.push((words, say(&value)));
                }
            }
        }
        unmet
    }

    /// The comparisons with numbers in a tier's condition, each with the member's current number.
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
                // One part may guard another, so a fact that fails is left out.
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

/// A number that a fact must reach for a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The fact as the sheet writes it: `wallet("status")`.
    pub fact: String,
    /// The member's current number.
    pub have: Decimal,
    /// The number that the tier needs.
    pub need: Decimal,
}
