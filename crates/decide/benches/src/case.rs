use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// What one member bought and all that the rules may ask about it, as plain values of no engine.
#[derive(Debug, Clone)]
pub struct Case {
    /// The member's tier.
    pub tier: String,
    /// The member's tags.
    pub tags: Vec<String>,
    /// What the member can spend from the wallet of points.
    pub points: i64,
    /// Orders on the web that the member placed today already.
    pub web_orders_today: u32,
    /// What was paid in all.
    pub total: Decimal,
    /// What it was paid for.
    pub lines: Vec<Line>,
    /// Paid with what.
    pub payment: String,
    /// Ordered where.
    pub channel: String,
    /// When it was bought.
    pub at: DateTime<Utc>,
    /// The shop's time zone.
    pub time_zone: Tz,
}

/// One line of the order.
#[derive(Debug, Clone)]
pub struct Line {
    /// The article number.
    pub sku: String,
    /// The shop's category of it.
    pub category: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
    pub price: Decimal,
}

/// The time on the shop's clock, as far as the rules ask.
#[derive(Debug, Clone, Copy)]
pub struct Local {
    /// Saturday or Sunday.
    pub weekend: bool,
    /// The hour, from 0.
    pub hour: u32,
}

impl Case {
    /// Five lines on a Saturday morning. Every rule pays, so that no engine has a shorter way than
    /// another.
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

    /// The same order with as many lines, every one an article of its own.
    #[must_use]
    pub fn with_lines(count: usize) -> Case {
        let five = Case::saturday();
        let lines: Vec<Line> = (0..count)
            .zip(five.lines.iter().cycle())
            .map(|(place, line)| Line { sku: format!("{}-{place}", line.sku), ..line.clone() })
            .collect();
        Case { total: total(&lines), lines, ..five }
    }

    /// The time on the shop's clock.
    #[must_use]
    pub fn local(&self) -> Local {
        let local = self.at.with_timezone(&self.time_zone);
        Local {
            weekend: matches!(local.weekday(), Weekday::Sat | Weekday::Sun),
            hour: local.hour(),
        }
    }
}

/// Cases that between them let every rule pay and every rule not pay, at the edges of its condition.
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
        |case| case.total = amount("50.00"),
        |case| case.total = amount("50.01"),
        |case| case.total = amount("0.99"),
        // Beans are one bag short; then no coffee, no tea, no beans, no lines.
        |case| case.lines.iter_mut().for_each(|line| line.quantity = 1),
        |case| case.lines.clear(),
        // Eleven o'clock in Berlin, and a Friday.
        |case| case.at = moment("2026-05-02T09:00:00Z"),
        |case| case.at = moment("2026-05-01T07:30:00Z"),
    ];
    let changed = changes.into_iter().map(|change| {
        let mut case = Case::saturday();
        change(&mut case);
        case
    });
    changed.chain([Case::with_lines(1), Case::with_lines(50), Case::with_lines(500)]).collect()
}

/// An amount in cents, for the peers that have no decimals: exact, as their users would do it.
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
