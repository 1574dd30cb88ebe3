//! Running rules: one run per request, its steps counted over all its rules.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, GlobalRuntimeState, INT,
    Module, Scope,
};

use crate::desk::{self, Act, Desk};
use crate::engine::OPERATIONS_MAX;
use crate::facts::Facts;
use crate::mistake::{RuleFailure, plain_types};
use crate::sheet::Rule;

/// The rules of one request, being asked one after the other about the same facts.
pub(crate) struct Run<'a> {
    engine: &'a Engine,
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
    depth: usize,
    desk: Desk,
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
        let desk = Desk::new(Arc::clone(&facts.seen));
        let mut global = engine.new_global_runtime_state();
        global.lib.push(Arc::clone(functions));
        global.tag = desk::tag(&desk);
        // The engine counts up to its own limit, so a smaller one begins later.
        let begins = OPERATIONS_MAX.saturating_sub(steps);
        global.num_operations = begins;
        let scope = facts.scope();
        let depth = scope.len();
        let caches = found.caches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let caches = caches.unwrap_or_default();
        Run { engine, global, caches, scope, depth, desk, found, steps }
    }

    /// Puts what has been paid so far in scope.
    pub(crate) fn set_points(&mut self, points: INT) {
        // It is the last of the facts.
        self.scope.rewind(self.depth.saturating_sub(1));
        self.scope.push_constant("points", points);
    }

    /// Whether the rule's condition holds. One without a condition applies.
    pub(crate) fn applies(&mut self, rule: &Rule) -> Result<bool, RuleFailure> {
        let Some(when) = &rule.when else { return Ok(true) };
        let found = self.value(rule, when)?;
        found.as_bool().map_err(|found| {
            failure(rule, format!("a condition is yes or no, not {}", plain_types(found)))
        })
    }

    /// The value of a part of the rule.
    pub(crate) fn value(&mut self, rule: &Rule, part: &Expr) -> Result<Dynamic, RuleFailure> {
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
                    Err(RuleFailure::of(rule, &error, self.steps, file_of))
                }
            },
        }
    }

    /// The value of the rule's block, and what it did besides.
    pub(crate) fn body(&mut self, rule: &Rule) -> Result<(Dynamic, Vec<Act>), RuleFailure> {
        // What a condition may have laid down is nobody's.
        self.desk.clear();
        let value = self.value(rule, &rule.body)?;
        Ok((value, self.desk.clear()))
    }
}

/// A failure of the rule as a whole.
pub(crate) fn failure(rule: &Rule, message: String) -> RuleFailure {
    RuleFailure::at(&rule.file, &rule.title, rule.position, message)
}
