//! The purchase that every engine evaluates, as plain values of no engine.

use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// A purchase, with all that the rules read.
#[derive(Debug, Clone)]
pub struct Case {
    /// The member's tier.
    pub tier: String,
    /// The member's tags.
    pub tags: Vec<String>,
    /// The points that the member can spend.
    pub points: i64,
    /// The web orders that the member has already placed today.
    pub web_orders_today: u32,
    /// The total of the order.
    pub total: Decimal,
    /// The lines of the order.
    pub lines: Vec<Line>,
    /// The means of payment.
    pub payment: String,
    /// The channel of the order.
    pub channel: String,
    /// The moment of the purchase.
    pub at: DateTime<Utc>,
    /// The shop's time zone.
    pub time_zone: Tz,
}

/// One line of the order.
#[derive(Debug, Clone)]
pub struct Line {
    /// The article number.
    pub sku: String,
    /// The category.
    pub category: String,
    /// The number of pieces.
    pub quantity: u32,
    /// The price of one piece.
    pub price: Decimal,
}

/// The parts of the shop's local time that the rules read.
#[derive(Debug, Clone, Copy)]
pub struct Local {
    /// Whether it is Saturday or Sunday.
    pub weekend: bool,
    /// The hour, from 0 to 23.
    pub hour: u32,
}

impl Case {
    /// An order of five lines on a Saturday morning. Every rule pays, so that no engine can skip
    /// work.
    #[must_use]
    pub fn saturday() -> Case {
        let lines = vec![
            line("espresso", "coffee", 2, "3.10"),
            line("flat-white", "coffee", 1, "3.60"),
            line("house-blend", "beans", 2, "12.40"),
            line("sencha", "tea", 3, "4.90"),
            line("croissant", "bakery", 2, "2.75"),
        ];
        Case {
            tier: "Gold".to_owned(),
            tags: ["newsletter", "founder"].map(str::to_owned).to_vec(),
            points: 740,
            web_orders_today: 0,
            total: total(&lines),
            lines,
            payment: "app".to_owned(),
            channel: "web".to_owned(),
            at: moment("2026-05-02T07:30:00Z"),
            time_zone: chrono_tz::Europe::Berlin,
        }
    }

    /// The same order with `count` lines, each with its own article number.
    #[must_use]
    pub fn with_lines(count: usize) -> Case {
        let five = Case::saturday();
        let lines: Vec<Line> = (0..count)
            .zip(five.lines.iter().cycle())
            .map(|(place, line)| Line { sku: format!("{}-{place}", line.sku), ..line.clone() })
            .collect();
        Case { total: total(&lines), lines, ..five }
    }

    /// The shop's local time.
    #[must_use]
    pub fn local(&self) -> Local {
        let local = self.at.with_timezone(&self.time_zone);
        Local {
            weekend: matches!(local.weekday(), Weekday::Sat | Weekday::Sun),
            hour: local.hour(),
        }
    }
}

/// Cases in which, taken together, every rule pays and does not pay, at the edges of its condition.
#[must_use]
pub fn all() -> Vec<Case> {
    let changes: [fn(&mut Case); 16] = [
        |_| {},
        |case| case.tier = "Silver".to_owned(),
        |case| case.tags = vec!["newsletter".to_owned()],
        |case| case.tags.clear(),
        |case| case.points = 500,
        |case| case.points = 499,
        |case| case.web_orders_today = 1,
        |case| case.channel = "shop".to_owned(),
        |case| case.payment = "card".to_owned(),
        |case| case.lines = vec![line("espresso", "coffee", 1, "50.00")],
        |case| case.lines = vec![line("espresso", "coffee", 1, "50.01")],
        |case| case.lines = vec![line("espresso", "coffee", 1, "0.99")],
        // The beans are one bag short; then the order has no lines at all.
        |case| case.lines.iter_mut().for_each(|line| line.quantity = 1),
        |case| case.lines.clear(),
        // It is eleven o'clock in Berlin; then it is a Friday.
        |case| case.at = moment("2026-05-02T09:00:00Z"),
        |case| case.at = moment("2026-05-01T07:30:00Z"),
    ];
    let changed = changes.into_iter().map(|change| {
        let mut case = Case::saturday();
        change(&mut case);
        // What was paid is what the lines come to; with another total, a line would cost a share of it.
        if !case.lines.is_empty() {
            case.total = total(&case.lines);
        }
        case
    });
    changed.chain([Case::with_lines(1), Case::with_lines(50), Case::with_lines(500)]).collect()
}

/// An amount in cents, exact, for the peers without decimals. Their users would do the same.
#[must_use]
pub fn cents(amount: Decimal) -> i64 {
    (amount * Decimal::ONE_HUNDRED)
        .to_i64()
        .expect("an amount of a case fits into 64 bits of cents")
}

fn line(sku: &str, category: &str, quantity: u32, price: &str) -> Line {
    let (sku, category) = (sku.to_owned(), category.to_owned());
    Line { sku, category, quantity, price: amount(price) }
}

fn total(lines: &[Line]) -> Decimal {
    lines.iter().map(|line| line.price * Decimal::from(line.quantity)).sum()
}

fn amount(text: &str) -> Decimal {
    text.parse().expect("an amount of a case is a decimal")
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment of a case is a moment")
}
