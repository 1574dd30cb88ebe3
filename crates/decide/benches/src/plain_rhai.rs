//! The peer Rhai: the language of our sheets, without our sandbox.

use rhai::{AST, Array, Dynamic, Engine, INT, ImmutableString, Map, Scope};
use rust_decimal::Decimal;

use crate::Paid;
use crate::case::Case;

/// Rhai as its manual uses it: the full engine with no limits set, the whole sheet as one compiled
/// script, facts as maps, and no trace.
///
/// `quantity` and `spent` are registered functions, as they are in our sheets. A loop in the script
/// would make this peer slower and Regulars look better. The remaining difference is the cost of
/// the sandbox, of running rules one by one, and of the trace.
pub struct PlainRhai {
    engine: Engine,
    script: AST,
}

impl PlainRhai {
    /// Compiles the script.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this engine is the one without our sandbox")]
    pub fn new() -> PlainRhai {
        let mut engine = Engine::new();
        engine
            .set_max_expr_depths(0, 0)
            .register_fn("quantity", |lines: &mut Array, category: &str| quantity(lines, category))
            .register_fn("spent", |lines: &mut Array, category: &str| spent(lines, category));
        let script =
            engine.compile(include_str!("../rules/plain.rhai")).expect("the script compiles");
        PlainRhai { engine, script }
    }

    /// The units that the rules pay.
    #[must_use]
    pub fn pay(&self, case: &Case) -> Paid {
        let mut scope = scope(case);
        let paid: Array =
            self.engine.eval_ast_with_scope(&mut scope, &self.script).expect("the script runs");
        let mut units = paid.iter().map(|units| units.as_int().expect("a rule pays a number"));
        std::array::from_fn(|_| units.next().expect("every rule says what it pays"))
    }
}

impl Default for PlainRhai {
    fn default() -> PlainRhai {
        PlainRhai::new()
    }
}

fn scope(case: &Case) -> Scope<'static> {
    let local = case.local();
    let lines: Array = case
        .lines
        .iter()
        .map(|line| {
            map([
                ("sku", text(&line.sku)),
                ("category", text(&line.category)),
                ("quantity", INT::from(line.quantity).into()),
                ("price", line.price.into()),
            ])
        })
        .collect();
    let tags: Array = case.tags.iter().map(|tag| text(tag)).collect();

    let mut scope = Scope::new();
    scope.push_dynamic(
        "member",
        map([
            ("tier", text(&case.tier)),
            ("tags", tags.into()),
            ("points", case.points.into()),
            ("web_orders_today", INT::from(case.web_orders_today).into()),
        ]),
    );
    scope.push_dynamic("order", map([("total", case.total.into()), ("lines", lines.into())]));
    scope.push_dynamic(
        "activity",
        map([("payment", text(&case.payment)), ("channel", text(&case.channel))]),
    );
    scope.push_dynamic(
        "now",
        map([("weekend", local.weekend.into()), ("hour", INT::from(local.hour).into())]),
    );
    scope
}

fn map<const N: usize>(entries: [(&str, Dynamic); N]) -> Dynamic {
    let map: Map = entries.into_iter().map(|(name, value)| (name.into(), value)).collect();
    map.into()
}

fn text(text: &str) -> Dynamic {
    ImmutableString::from(text).into()
}

fn quantity(lines: &Array, category: &str) -> INT {
    of(lines, category, |line| number(line, "quantity")).sum()
}

fn spent(lines: &Array, category: &str) -> Decimal {
    let price = |line: &Map| line.get("price").and_then(|price| price.as_decimal().ok());
    of(lines, category, |line| {
        price(line).expect("a line has a price") * Decimal::from(number(line, "quantity"))
    })
    .sum()
}

fn number(line: &Map, name: &str) -> INT {
    line.get(name).and_then(|number| number.as_int().ok()).expect("a line has a quantity")
}

fn of<T>(lines: &Array, category: &str, take: impl Fn(&Map) -> T) -> impl Iterator<Item = T> {
    lines.iter().filter_map(move |line| {
        let line = line.as_map_ref().ok()?;
        let same = line.get("category")?.as_immutable_string_ref().ok()?.as_str() == category;
        same.then(|| take(&line))
    })
}
