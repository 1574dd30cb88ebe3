//! The rules in plain Rust: the lower bound of the time.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::Paid;
use crate::case::{Case, Line};

/// The units that the rules pay, computed from the case without facts, checks or a trace.
#[must_use]
pub fn pay(case: &Case) -> Paid {
    let local = case.local();
    let per_euro = whole(case.total);
    let when = |applies: bool, units: i64| if applies { units } else { 0 };
    let founder = || case.tags.iter().any(|tag| tag == "founder");
    [
        per_euro,
        when(case.tier == "Gold", per_euro),
        when(local.weekend && local.hour < 11, 15),
        when(quantity(&case.lines, "beans") >= 2, 40),
        when(case.payment == "app", 5),
        quantity(&case.lines, "coffee"),
        whole(spent(&case.lines, "tea") * Decimal::from(3)),
        when(case.channel == "web" && case.web_orders_today == 0, 10),
        when(case.total > Decimal::from(50), 25),
        when(founder() && case.points >= 500, 10),
    ]
}

fn whole(amount: Decimal) -> i64 {
    amount.floor().to_i64().expect("what a case pays fits into 64 bits")
}

fn quantity(lines: &[Line], category: &str) -> i64 {
    of(lines, category).map(|line| i64::from(line.quantity)).sum()
}

fn spent(lines: &[Line], category: &str) -> Decimal {
    of(lines, category).map(|line| line.price * Decimal::from(line.quantity)).sum()
}

fn of<'a>(lines: &'a [Line], category: &'a str) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(move |line| line.category == category)
}
