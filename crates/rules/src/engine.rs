//! The sandbox: the only place where an engine is built. Each kind of sheet has its own, with its
//! own statement, so that a statement's keyword is free to be a fact in the other sheets.

use std::sync::LazyLock;

use ledger::entry::Gives;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, Package,
};
use rhai::{Dynamic, Engine, INT, OptimizationLevel};
use rust_decimal::Decimal;

use crate::facts;
use crate::grammar::{self, EARN, REWARD, Statement, TIER};

/// Steps that one condition or one block may take. A rule takes about ten.
pub(crate) const OPERATIONS_MAX: u64 = 20_000;
/// Calls of functions inside functions.
const CALL_LEVELS_MAX: usize = 8;
/// Nesting of expressions in a rule, and in a function.
const EXPRESSION_DEPTH_MAX: usize = 32;
const FUNCTION_EXPRESSION_DEPTH_MAX: usize = 16;
/// Variables that a rule may have at a time, its facts among them.
const VARIABLES_MAX: usize = 32;
/// Functions that a sheet may define.
const FUNCTIONS_MAX: usize = 64;
/// Bytes of a text.
const STRING_BYTES_MAX: usize = 4096;
/// Items of a list: an order has at most 500 lines.
const ARRAY_ITEMS_MAX: usize = 1000;
/// Entries of a map.
const MAP_ENTRIES_MAX: usize = 100;
/// Texts that the engine keeps one copy of.
const STRINGS_INTERNED_MAX: usize = 256;

/// Words of Rhai that a sheet has no use for.
const FORBIDDEN: [&str; 5] = ["eval", "print", "debug", "Fn", "exit"];

/// A sheet: its file, its statement and what its rules can see.
pub(crate) struct SheetKind {
    pub(crate) file: &'static str,
    pub(crate) statement: &'static Statement,
    /// The facts in scope. A compiled sheet finds them by place, so the order is part of it.
    pub(crate) facts: &'static [&'static str],
    engine: LazyLock<Result<Engine, String>>,
}

/// What activities pay.
pub(crate) static EARN_SHEET: SheetKind = SheetKind {
    file: "earn.rhai",
    statement: &EARN,
    facts: &["member", "order", "activity", "now", "points"],
    engine: LazyLock::new(|| build(&EARN)),
};
/// Which tier a member is in.
pub(crate) static TIERS_SHEET: SheetKind = SheetKind {
    file: "tiers.rhai",
    statement: &TIER,
    facts: &["member", "now"],
    engine: LazyLock::new(|| build(&TIER)),
};
/// What units buy.
pub(crate) static REWARDS_SHEET: SheetKind = SheetKind {
    file: "rewards.rhai",
    statement: &REWARD,
    facts: &["member", "order", "now"],
    engine: LazyLock::new(|| build(&REWARD)),
};

impl SheetKind {
    /// The sheet's engine, built once in a process.
    pub(crate) fn engine(&self) -> Result<&Engine, String> {
        self.engine.as_ref().map_err(Clone::clone)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where an engine is built")]
fn build(statement: &'static Statement) -> Result<Engine, String> {
    let mut engine = Engine::new_raw();

    // Every limit is set, so that debug and release agree and no default decides.
    engine
        .set_max_operations(OPERATIONS_MAX)
        .set_max_call_levels(CALL_LEVELS_MAX)
        .set_max_expr_depths(EXPRESSION_DEPTH_MAX, FUNCTION_EXPRESSION_DEPTH_MAX)
        .set_max_variables(VARIABLES_MAX)
        .set_max_functions(FUNCTIONS_MAX)
        .set_max_string_size(STRING_BYTES_MAX)
        .set_max_array_size(ARRAY_ITEMS_MAX)
        .set_max_map_size(MAP_ENTRIES_MAX)
        .set_max_strings_interned(STRINGS_INTERNED_MAX)
        // Names are checked when the sheet is read, also in branches that never ran.
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_allow_anonymous_fn(false)
        .set_allow_shadowing(false)
        .set_allow_looping(true)
        .set_allow_if_expression(true)
        .set_allow_switch_expression(true)
        .set_allow_statement_expression(true)
        .set_allow_loop_expressions(false)
        .set_fast_operators(true)
        // A constant fact must not be folded into the compiled sheet.
        .set_optimization_level(OptimizationLevel::None);
    for word in FORBIDDEN {
        engine.disable_symbol(word);
    }

    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);

    register_text(&mut engine);
    facts::register(&mut engine);
    register_gifts(&mut engine);
    grammar::register_statement(&mut engine, statement);
    grammar::register_wallet(&mut engine).map_err(|error| error.to_string())?;
    Ok(engine)
}

/// What can be asked of a text. Rhai's own package has more than a sheet needs, and among it a
/// `pad` that never ends when it pads with nothing.
fn register_text(engine: &mut Engine) {
    let whole = |length: usize| INT::try_from(length).unwrap_or(INT::MAX);
    engine
        .register_fn("contains", |text: &str, part: &str| text.contains(part))
        .register_fn("starts_with", |text: &str, start: &str| text.starts_with(start))
        .register_fn("ends_with", |text: &str, end: &str| text.ends_with(end))
        .register_fn("to_upper", |text: &str| text.to_uppercase())
        .register_fn("to_lower", |text: &str| text.to_lowercase())
        .register_fn("len", move |text: &str| whole(text.chars().count()));
}

/// What a reward can give.
fn register_gifts(engine: &mut Engine) {
    let discount = |amount: Decimal| Gives::Discount { amount };
    let percent_off = |percent: Decimal| Gives::PercentOff { percent };
    engine
        .register_type_with_name::<Gives>("reward")
        .register_fn("product", |title: &str| Gives::Product { title: title.to_owned() })
        .register_fn("event", |title: &str| Gives::Event { title: title.to_owned() })
        .register_fn("free_shipping", || Gives::FreeShipping)
        .register_fn("discount", discount)
        .register_fn("discount", move |amount: INT| discount(Decimal::from(amount)))
        .register_fn("percent_off", percent_off)
        .register_fn("percent_off", move |percent: INT| percent_off(Decimal::from(percent)));
}

/// The value of a fact while a sheet is read: only its name counts then.
pub(crate) const UNREAD: Dynamic = Dynamic::UNIT;
