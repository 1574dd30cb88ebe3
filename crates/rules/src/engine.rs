//! The sandbox: the only module that builds an engine. One engine serves all merchants, and has no
//! state. A rule can call only the functions that this module registers, and cannot use the words
//! and symbols that it disables.

use std::sync::LazyLock;

use ledger::entry::Benefit;
use rhai::packages::{ArithmeticPackage, BasicIteratorPackage, LogicPackage, Package};
use rhai::{Array, Dynamic, Engine, INT, OptimizationLevel};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::evaluated::{Evaluated, fail};
use crate::facts;
use crate::{effect_buffer, grammar};

/// The most steps that all rules of one request take together. A rule takes about ten.
pub(crate) const OPERATIONS_MAX: u64 = 25_000;
/// The deepest nesting of function calls.
const CALL_LEVELS_MAX: usize = 8;
/// The deepest nesting of expressions in a rule, and in a function.
const EXPRESSION_DEPTH_MAX: usize = 32;
const FUNCTION_EXPRESSION_DEPTH_MAX: usize = 16;
/// The most variables of a rule at a time, its facts included.
const VARIABLES_MAX: usize = 32;
/// The most functions that a sheet defines.
const FUNCTIONS_MAX: usize = 64;
/// The most bytes of a text. It is small because one step may copy a whole text.
const STRING_BYTES_MAX: usize = 1024;
/// The most items of a list, for the same reason.
const ARRAY_ITEMS_MAX: usize = 100;
/// The most entries of a map. A sheet cannot make one; Rhai reads 0 as unlimited.
const MAP_ENTRIES_MAX: usize = 1;
/// The most texts that the engine interns.
const STRINGS_INTERNED_MAX: usize = 256;

/// Words and symbols of Rhai that a sheet must not use: those with side effects, those that hide
/// mistakes, those that turn text into code, and containers that the limits do not bound.
const FORBIDDEN: [&str; 26] = [
    "eval",
    "print",
    "debug",
    "Fn",
    "call",
    "curry",
    "exit",
    "type_of",
    "is_def_var",
    "is_def_fn",
    "is_shared",
    "this",
    "global",
    "import",
    "export",
    "private",
    "try",
    "catch",
    "throw",
    "do",
    "loop",
    "while",
    "#{",
    "<<=",
    // No rule needs a power, and one power of a decimal takes as long as a hundred other steps.
    "**",
    "**=",
];

/// Whether the engine's optimiser is on. A test checks that rules mean the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimized {
    No,
    Yes,
}

/// The engine, built once per process.
pub(crate) fn engine(optimized: Optimized) -> &'static Engine {
    static PLAIN: LazyLock<Engine> = LazyLock::new(|| build(OptimizationLevel::None));
    static SIMPLE: LazyLock<Engine> = LazyLock::new(|| build(OptimizationLevel::Simple));
    match optimized {
        Optimized::No => &PLAIN,
        Optimized::Yes => &SIMPLE,
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where an engine is built")]
fn build(level: OptimizationLevel) -> Engine {
    let mut engine = Engine::new_raw();

    // Every limit is set explicitly, since Rhai's defaults differ between debug and release.
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
        // Names are checked when the sheet is read, also in branches that never run.
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
        .set_optimization_level(level);
    for word in FORBIDDEN {
        engine.disable_symbol(word);
    }

    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);

    register_numbers(&mut engine);
    register_text(&mut engine);
    register_lists(&mut engine);
    facts::register(&mut engine);
    effect_buffer::register(&mut engine);
    register_gifts(&mut engine);
    grammar::register(&mut engine);
    engine
}

/// Registers the functions on numbers. A whole number and an amount together give an amount.
fn register_numbers(engine: &mut Engine) {
    engine
        .register_fn("min", |a: INT, b: INT| a.min(b))
        .register_fn("min", |a: Decimal, b: Decimal| a.min(b))
        .register_fn("min", |a: INT, b: Decimal| Decimal::from(a).min(b))
        .register_fn("min", |a: Decimal, b: INT| a.min(Decimal::from(b)))
        .register_fn("max", |a: INT, b: INT| a.max(b))
        .register_fn("max", |a: Decimal, b: Decimal| a.max(b))
        .register_fn("max", |a: INT, b: Decimal| Decimal::from(a).max(b))
        .register_fn("max", |a: Decimal, b: INT| a.max(Decimal::from(b)))
        .register_fn("abs", |a: Decimal| a.abs())
        .register_fn("floor", |a: INT| a)
        .register_fn("floor", |a: Decimal| a.floor())
        .register_fn("ceiling", |a: INT| a)
        .register_fn("ceiling", |a: Decimal| a.ceil())
        .register_fn("round", |a: INT| a)
        .register_fn("round", |a: Decimal| {
            a.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
        });
    let percent = |of: Decimal, part: Decimal| -> Evaluated<Decimal> {
        let hundredths = of.checked_mul(part).and_then(|all| all.checked_div(Decimal::ONE_HUNDRED));
        hundredths.map_or_else(|| fail("the number is too large".to_owned()), Ok)
    };
    engine
        .register_fn("percent", percent)
        .register_fn("percent", move |of: INT, part: INT| percent(of.into(), part.into()))
        .register_fn("percent", move |of: INT, part: Decimal| percent(of.into(), part))
        .register_fn("percent", move |of: Decimal, part: INT| percent(of, part.into()));
    effect_buffer::register_cents(engine);
}

/// Registers the functions on texts. Rhai's own package has more than a sheet needs, such as a
/// `pad` that never ends when it pads with an empty text.
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

/// Registers what can be done with a list: test whether an item is in it, and walk through it. A
/// list is always a literal, and is never kept or grown.
fn register_lists(engine: &mut Engine) {
    engine
        .register_fn("contains", |list: &mut Array, item: INT| among(list, item.into()))
        .register_fn("contains", |list: &mut Array, item: Decimal| among(list, item))
        .register_fn("contains", |list: &mut Array, item: bool| {
            list.iter().any(|one| one.as_bool().is_ok_and(|one| one == item))
        })
        .register_fn("contains", |list: &mut Array, item: &str| {
            list.iter().any(|one| one.as_immutable_string_ref().is_ok_and(|one| **one == *item))
        })
        .register_iterator::<Array>();
}

/// Whether a number is in a list. 5 and 5.00 are equal.
fn among(list: &Array, item: Decimal) -> bool {
    let number = |one: &Dynamic| one.as_decimal().or_else(|_| one.as_int().map(Decimal::from));
    list.iter().any(|one| number(one).is_ok_and(|one| one == item))
}

/// Registers the functions that make the gift of a reward or a benefit.
fn register_gifts(engine: &mut Engine) {
    engine
        .register_type_with_name::<Benefit>("gift")
        .register_fn("product", |title: &str| Benefit::Product { title: title.to_owned() })
        .register_fn("event", |title: &str| Benefit::Event { title: title.to_owned() })
        .register_fn("access", |title: &str| Benefit::Access { title: title.to_owned() })
        .register_fn("free_shipping", || Benefit::FreeShipping);
    for (name, gift) in [
        ("discount", (|amount| Benefit::Discount { amount }) as fn(Decimal) -> Benefit),
        ("percent_off", |percent| Benefit::PercentOff { percent }),
        ("gift_card", |amount| Benefit::GiftCard { amount }),
        ("payout", |amount| Benefit::Payout { amount }),
    ] {
        engine
            .register_fn(name, gift)
            .register_fn(name, move |amount: INT| gift(Decimal::from(amount)));
    }
}

/// The value of a fact while a sheet is compiled. Compiling uses only the fact's name.
pub(crate) const UNREAD: Dynamic = Dynamic::UNIT;
