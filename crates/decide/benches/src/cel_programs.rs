//! The peer `cel`: the Common Expression Language.

use std::sync::Arc;

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::Val;
use cel::{Context, Env, Program, Value};

use crate::Paid;
use crate::case::{Case, Line, cents};

/// The expression of each rule, and whether the rule pays points. Money is in cents, since the
/// language has 64-bit integers and floating point, but no decimals.
const SHEET: [(&str, bool); 10] = [
    ("order.total / 100", true),
    (r#"member.tier == "Gold" ? points : 0"#, true),
    ("now.weekend && now.hour < 11 ? 15 : 0", true),
    (r#"quantity(order.lines, "beans") >= 2 ? 40 : 0"#, true),
    (r#"activity.payment == "app" ? 5 : 0"#, true),
    (r#"quantity(order.lines, "coffee")"#, false),
    (r#"spent(order.lines, "tea") * 3 / 100"#, true),
    (r#"activity.channel == "web" && member.web_orders_today == 0 ? 10 : 0"#, true),
    ("order.total > 5000 ? 25 : 0", true),
    (r#""founder" in member.tags && member.points >= 500 ? 10 : 0"#, true),
];

/// The variable with the points that the sheet has paid so far.
const POINTS: &str = "points";

/// The Common Expression Language as its manual uses it: one program per rule, compiled once, and
/// one context per evaluation.
///
/// The language can iterate over a list but not add it up, so `quantity` and `spent` are functions
/// of the host. The facts are the interpreter's own maps, made directly, with texts and keys
/// borrowed from the case. The points paid so far are counted outside, and set before a rule that
/// reads them.
pub struct Cel {
    env: Arc<Env>,
    rules: Vec<Rule>,
}

struct Rule {
    pays: Program,
    pays_points: bool,
    asks_for_points: bool,
}

impl Cel {
    /// Compiles the programs.
    #[must_use]
    pub fn new() -> Cel {
        let mut env = Env::stdlib();
        cel::add_overload!(env, fn quantity: (CelList, CelString) -> CelInt)
            .expect("`quantity` is a new name");
        cel::add_overload!(env, fn spent: (CelList, CelString) -> CelInt)
            .expect("`spent` is a new name");
        let compile = |source: &str| env.compile(source).expect("the program compiles");
        let rules = SHEET
            .iter()
            .map(|(pays, pays_points)| {
                let pays = compile(pays);
                let asks_for_points = pays.references().has_variable(POINTS);
                Rule { pays, pays_points: *pays_points, asks_for_points }
            })
            .collect();
        Cel { env: Arc::new(env), rules }
    }

    /// The units that the rules pay.
    #[must_use]
    pub fn pay(&self, case: &Case) -> Paid {
        let mut context = self.context(case);
        let mut points = 0;
        let mut paid = Paid::default();
        for (rule, units) in self.rules.iter().zip(&mut paid) {
            if rule.asks_for_points {
                context.add_variable_from_value(POINTS, points);
            }
            *units = rule.pay(&context);
            if rule.pays_points {
                points += *units;
            }
        }
        paid
    }

    fn context<'v>(&self, case: &'v Case) -> Context<'v, 'v> {
        let local = case.local();
        let tags: Vec<Box<dyn Val + 'v>> = case.tags.iter().map(|tag| text(tag)).collect();
        let lines: Vec<Box<dyn Val + 'v>> = case.lines.iter().map(line).collect();
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.add_variable_as_val(
            "member",
            map([
                ("tier", text(&case.tier)),
                ("tags", Box::new(CelList::from(tags))),
                ("points", int(case.points)),
                ("web_orders_today", int(case.web_orders_today)),
            ]),
        );
        context.add_variable_as_val(
            "order",
            map([("total", int(cents(case.total))), ("lines", Box::new(CelList::from(lines)))]),
        );
        context.add_variable_as_val(
            "activity",
            map([("payment", text(&case.payment)), ("channel", text(&case.channel))]),
        );
        context.add_variable_as_val(
            "now",
            map([("weekend", Box::new(CelBool::from(local.weekend))), ("hour", int(local.hour))]),
        );
        context
    }
}

impl Default for Cel {
    fn default() -> Cel {
        Cel::new()
    }
}

impl Rule {
    fn pay(&self, context: &Context<'_, '_>) -> i64 {
        match self.pays.execute(context).expect("the program runs") {
            Value::Int(units) => units,
            other => panic!("a rule pays a whole number, not {other:?}"),
        }
    }
}

fn line(line: &Line) -> Box<dyn Val + '_> {
    map([
        ("sku", text(&line.sku)),
        ("category", text(&line.category)),
        ("quantity", int(line.quantity)),
        ("price", int(cents(line.price))),
    ])
}

fn map<'v, const N: usize>(entries: [(&'static str, Box<dyn Val + 'v>); N]) -> Box<dyn Val + 'v> {
    let key = |name| CelMapKey::String(CelString::from(name));
    Box::new(CelMap::from(
        entries
            .into_iter()
            .map(|(name, value)| (key(name), value))
            .collect::<std::collections::HashMap<_, _>>(),
    ))
}

fn text(text: &str) -> Box<dyn Val + '_> {
    Box::new(CelString::from(text))
}

fn int<'v>(number: impl Into<i64>) -> Box<dyn Val + 'v> {
    Box::new(CelInt::from(number.into()))
}

fn quantity(lines: &CelList<'_>, category: &CelString<'_>) -> CelInt {
    of(lines, category, |line| number(line, "quantity"))
}

fn spent(lines: &CelList<'_>, category: &CelString<'_>) -> CelInt {
    of(lines, category, |line| number(line, "price") * number(line, "quantity"))
}

fn of(lines: &CelList<'_>, category: &CelString<'_>, take: impl Fn(&dyn Val) -> i64) -> CelInt {
    let same = |line: &&dyn Val| field(*line, "category", |value| value.equals(category));
    CelInt::from(lines.iter().map(Box::as_ref).filter(same).map(take).sum::<i64>())
}

fn number(line: &dyn Val, name: &str) -> i64 {
    field(line, name, |value| {
        **value.downcast_ref::<CelInt>().expect("quantities and prices are whole numbers")
    })
}

fn field<T>(line: &dyn Val, name: &str, take: impl Fn(&dyn Val) -> T) -> T {
    let line = line.as_indexer().expect("a line is a map");
    let value = line.get(&CelString::from(name)).expect("a line has all its fields");
    take(&*value)
}
