//! A test with generated sheets and facts. The same sheet over the same facts pays the same twice
//! in one process, in two processes, with the optimiser on and off, and in a model in plain Rust
//! that does not use the engine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should say so"
)]

use std::fmt;

use decide::{Context, earn};
use ledger::enroll::{self, Enrolment};
use ledger::entry::Note;
use ledger::{
    Activity, DecisionData, Effect, Line, Lot, Member, MemberId, MerchantId, Moment, Order,
    OrderAmounts, Payment, Terms, Units, Wallet, WalletName,
};
use rules::{Bundle, Sources};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

/// The number of sheets, and of facts over which each runs. CI runs ten times as many sheets.
const SHEETS: u64 = 500;
const FACTS: u64 = 20;
/// The environment variable with the number of sheets, for a longer run.
const SHEETS_VARIABLE: &str = "REGULARS_GENERATED_SHEETS";
/// The environment variable that marks the second process.
const CHILD_VARIABLE: &str = "REGULARS_GENERATED_CHILD";

const MANIFEST: &str = r#"
name = "Generated"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
[wallets.stamps]
"#;
/// A function that the merchant wrote, with a loop.
const WALKED: &str =
    "fn walked(lines) { let sum = 0; for line in lines { sum += line.quantity; } sum }\n";
const TIERS: &str = "tier \"Bronze\" { true }\ntier \"Gold\" { member.has(\"gold\") }\n";
const WORDS: [&str; 4] = ["coffee", "beans", "tea", "espresso"];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A sequence of numbers that a seed determines (SplitMix64, Steele, Lea and Flood 2014).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// An expression of a generated rule whose value is a number.
enum Number {
    Whole(i64),
    Amount(Decimal),
    Total,
    Goods,
    Net,
    Paid,
    Pieces,
    Quantity(&'static str),
    Spent(&'static str),
    Purchases,
    Points,
    Stamps,
    /// The sum of the lines' quantities, computed by a function with a loop.
    Walked,
    Sum(Box<Number>, Box<Number>),
    Difference(Box<Number>, Box<Number>),
    Product(Box<Number>, Box<Number>),
    Smaller(Box<Number>, Box<Number>),
    Greater(Box<Number>, Box<Number>),
    Percent(Box<Number>, i64),
    Either(Box<Condition>, Box<Number>, Box<Number>),
    /// A `switch` on the day of the week.
    Switch(&'static str, Box<Number>, Box<Number>),
}

/// A condition of a generated rule, or a part of one.
enum Condition {
    Compared(&'static str, Number, Number),
    Tag(&'static str),
    Tier(&'static str),
    TierAmong,
    Weekend,
    Hour(i64),
    Has(&'static str),
    Both(Box<Condition>, Box<Condition>),
    Any(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

fn number(seeded: &mut Seeded, depth: u32) -> Number {
    let boxed = |seeded: &mut Seeded| Box::new(number(seeded, depth - 1));
    let kinds = if depth == 0 { 13 } else { 21 };
    match seeded.below(kinds) {
        0 => Number::Whole(i64::try_from(seeded.below(200)).unwrap()),
        1 => Number::Amount(Decimal::new(i64::try_from(seeded.below(5000)).unwrap(), 2)),
        2 => Number::Total,
        3 => Number::Pieces,
        4 => Number::Quantity(seeded.one_of(&WORDS)),
        5 => Number::Spent(seeded.one_of(&WORDS)),
        6 => Number::Purchases,
        7 => Number::Points,
        8 => Number::Stamps,
        9 => Number::Walked,
        10 => Number::Goods,
        11 => Number::Net,
        12 => Number::Paid,
        13 => Number::Sum(boxed(seeded), boxed(seeded)),
        14 => Number::Difference(boxed(seeded), boxed(seeded)),
        15 => Number::Product(boxed(seeded), boxed(seeded)),
        16 => Number::Smaller(boxed(seeded), boxed(seeded)),
        17 => Number::Greater(boxed(seeded), boxed(seeded)),
        18 => Number::Percent(boxed(seeded), i64::try_from(seeded.below(120)).unwrap()),
        19 => Number::Either(Box::new(condition(seeded, depth - 1)), boxed(seeded), boxed(seeded)),
        _ => Number::Switch(seeded.one_of(&WEEKDAYS), boxed(seeded), boxed(seeded)),
    }
}

fn condition(seeded: &mut Seeded, depth: u32) -> Condition {
    let boxed = |seeded: &mut Seeded| Box::new(condition(seeded, depth - 1));
    let kinds = if depth == 0 { 7 } else { 10 };
    match seeded.below(kinds) {
        0 => {
            let symbol = seeded.one_of(&["<", "<=", ">", ">=", "==", "!="]);
            Condition::Compared(symbol, number(seeded, 0), number(seeded, 0))
        }
        1 => Condition::Tag(seeded.one_of(&["gold", "founder"])),
        2 => Condition::Tier(seeded.one_of(&["Gold", "Bronze"])),
        3 => Condition::TierAmong,
        4 => Condition::Weekend,
        5 => Condition::Hour(i64::try_from(seeded.below(24)).unwrap()),
        6 => Condition::Has(seeded.one_of(&WORDS)),
        7 => Condition::Both(boxed(seeded), boxed(seeded)),
        8 => Condition::Any(boxed(seeded), boxed(seeded)),
        _ => Condition::Not(boxed(seeded)),
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Number as N;
        match self {
            N::Whole(number) => write!(f, "{number}"),
            N::Amount(amount) => write!(f, "{amount}"),
            N::Total => write!(f, "order.total"),
            N::Goods => write!(f, "order.goods"),
            N::Net => write!(f, "order.net"),
            N::Paid => write!(f, "order.paid(\"card\")"),
            N::Pieces => write!(f, "order.pieces"),
            N::Quantity(word) => write!(f, "order.quantity(\"{word}\")"),
            N::Spent(word) => write!(f, "order.spent(\"{word}\")"),
            N::Purchases => write!(f, "member.purchases"),
            N::Points => write!(f, "points"),
            N::Stamps => write!(f, "wallet(\"stamps\")"),
            N::Walked => write!(f, "walked(order.lines)"),
            N::Sum(one, other) => write!(f, "({one} + {other})"),
            N::Difference(one, other) => write!(f, "({one} - {other})"),
            N::Product(one, other) => write!(f, "({one} * {other})"),
            N::Smaller(one, other) => write!(f, "min({one}, {other})"),
            N::Greater(one, other) => write!(f, "max({one}, {other})"),
            N::Percent(of, part) => write!(f, "percent({of}, {part})"),
            N::Either(when, then, otherwise) => {
                write!(f, "(if {when} {{ {then} }} else {{ {otherwise} }})")
            }
            N::Switch(day, then, otherwise) => {
                write!(f, "(switch now.weekday {{ \"{day}\" => {then}, _ => {otherwise} }})")
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Condition as C;
        match self {
            C::Compared(symbol, one, other) => write!(f, "({one} {symbol} {other})"),
            C::Tag(tag) => write!(f, "member.has(\"{tag}\")"),
            C::Tier(tier) => write!(f, "member.tier == \"{tier}\""),
            C::TierAmong => write!(f, "(member.tier in [\"Gold\", \"Bronze\"])"),
            C::Weekend => write!(f, "now.weekend"),
            C::Hour(hour) => write!(f, "now.hour < {hour}"),
            C::Has(word) => write!(f, "order.has(\"{word}\")"),
            C::Both(one, other) => write!(f, "({one} && {other})"),
            C::Any(one, other) => write!(f, "({one} || {other})"),
            C::Not(one) => write!(f, "!({one})"),
        }
    }
}

/// The facts over which a generated rule runs, in the model.
struct World {
    total: Decimal,
    shipping: Decimal,
    tax: Decimal,
    /// What was paid with a card.
    card: Decimal,
    /// The word, quantity and price of each line.
    lines: Vec<(&'static str, i64, Decimal)>,
    /// What was paid for each line, in cents.
    paid: Vec<i64>,
    purchases: i64,
    stamps: i64,
    tags: Vec<&'static str>,
    weekday: usize,
    hour: i64,
}

/// A number of the model: a whole number or an amount.
#[derive(Clone, Copy)]
enum Value {
    Whole(i64),
    Amount(Decimal),
}

impl Value {
    fn amount(self) -> Decimal {
        match self {
            Value::Whole(whole) => Decimal::from(whole),
            Value::Amount(amount) => amount,
        }
    }
}

impl World {
    fn number(&self, number: &Number, points: i64) -> Option<Value> {
        use Number as N;
        let both = |one: &Number, other: &Number| {
            Some((self.number(one, points)?, self.number(other, points)?))
        };
        let of = |word: &'static str| self.lines.iter().filter(move |line| line.0 == word);
        Some(match number {
            N::Whole(whole) => Value::Whole(*whole),
            N::Amount(amount) => Value::Amount(*amount),
            N::Total => Value::Amount(self.total),
            N::Goods => Value::Amount(self.total - self.shipping),
            N::Net => Value::Amount(self.total - self.tax),
            N::Paid => Value::Amount(self.card),
            N::Pieces | N::Walked => Value::Whole(self.lines.iter().map(|line| line.1).sum()),
            N::Quantity(word) => Value::Whole(of(word).map(|line| line.1).sum()),
            N::Spent(word) => {
                let paid = self.lines.iter().zip(&self.paid);
                let cents = paid.filter(|(line, _)| line.0 == *word).map(|(_, cents)| cents).sum();
                Value::Amount(Decimal::new(cents, 2))
            }
            N::Purchases => Value::Whole(self.purchases),
            N::Points => Value::Whole(points),
            N::Stamps => Value::Whole(self.stamps),
            N::Sum(one, other) => match both(one, other)? {
                (Value::Whole(one), Value::Whole(other)) => Value::Whole(one.checked_add(other)?),
                (one, other) => Value::Amount(one.amount().checked_add(other.amount())?),
            },
            N::Difference(one, other) => match both(one, other)? {
                (Value::Whole(one), Value::Whole(other)) => Value::Whole(one.checked_sub(other)?),
                (one, other) => Value::Amount(one.amount().checked_sub(other.amount())?),
            },
            N::Product(one, other) => match both(one, other)? {
                (Value::Whole(one), Value::Whole(other)) => Value::Whole(one.checked_mul(other)?),
                (one, other) => Value::Amount(one.amount().checked_mul(other.amount())?),
            },
            N::Smaller(one, other) => match both(one, other)? {
                (Value::Whole(one), Value::Whole(other)) => Value::Whole(one.min(other)),
                (one, other) => Value::Amount(one.amount().min(other.amount())),
            },
            N::Greater(one, other) => match both(one, other)? {
                (Value::Whole(one), Value::Whole(other)) => Value::Whole(one.max(other)),
                (one, other) => Value::Amount(one.amount().max(other.amount())),
            },
            N::Percent(of, part) => {
                let all = self.number(of, points)?.amount().checked_mul(Decimal::from(*part))?;
                Value::Amount(all.checked_div(Decimal::ONE_HUNDRED)?)
            }
            N::Either(when, then, otherwise) => {
                let branch = if self.holds(when, points)? { then } else { otherwise };
                self.number(branch, points)?
            }
            N::Switch(day, then, otherwise) => {
                let branch = if WEEKDAYS[self.weekday] == *day { then } else { otherwise };
                self.number(branch, points)?
            }
        })
    }

    fn holds(&self, condition: &Condition, points: i64) -> Option<bool> {
        use Condition as C;
        let gold = self.tags.contains(&"gold");
        Some(match condition {
            C::Compared(symbol, one, other) => {
                let one = self.number(one, points)?.amount();
                let other = self.number(other, points)?.amount();
                match *symbol {
                    "<" => one < other,
                    "<=" => one <= other,
                    ">" => one > other,
                    ">=" => one >= other,
                    "==" => one == other,
                    _ => one != other,
                }
            }
            C::Tag(tag) => self.tags.contains(tag),
            C::Tier(tier) => (*tier == "Gold") == gold,
            C::TierAmong => true,
            C::Weekend => self.weekday >= 5,
            C::Hour(hour) => self.hour < *hour,
            C::Has(word) => self.lines.iter().any(|line| line.0 == *word),
            C::Both(one, other) => self.holds(one, points)? && self.holds(other, points)?,
            C::Any(one, other) => self.holds(one, points)? || self.holds(other, points)?,
            C::Not(one) => !self.holds(one, points)?,
        })
    }

    /// The indices of the rules that pay, with their units, and of those that fail.
    fn pays(&self, rules: &[(Condition, Number, &'static str)]) -> Pays {
        let (mut points, mut stamps) = (0, self.stamps);
        let (mut paid, mut failed) = (Vec::new(), Vec::new());
        for (place, (when, pays, into)) in rules.iter().enumerate() {
            let units = || -> Option<i64> {
                if !self.holds(when, points)? {
                    return Some(0);
                }
                // Below zero, nothing is paid.
                let value = self.number(pays, points)?.amount().max(Decimal::ZERO);
                let units: i64 = value.floor().try_into().ok()?;
                let sum = units + if *into == "points" { points } else { 0 };
                Some(units).filter(|_| sum <= Units::MAX.get())
            };
            match units() {
                None => failed.push(place),
                Some(0) => {}
                Some(units) => {
                    paid.push((place, units));
                    points += if *into == "points" { units } else { 0 };
                    stamps += if *into == "points" { 0 } else { units };
                }
            }
        }
        if stamps > Units::MAX.get() {
            return REFUSED;
        }
        (paid, failed)
    }

    fn generated(seeded: &mut Seeded) -> (World, Member, Activity) {
        // The days on which clocks change are left out; other tests cover them.
        let day = seeded.below(365);
        let day = i64::try_from(if [87, 297].contains(&day) { day + 1 } else { day }).unwrap();
        let hour = i64::try_from(seeded.below(24)).unwrap();
        // 1 January 2026 is a Thursday. Berlin has winter time until 29 March, and summer time
        // until 25 October.
        let summer = (87..297).contains(&day);
        let offset = if summer { 2 } else { 1 };
        let midnight: Moment = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = midnight + chrono::TimeDelta::hours(day * 24 + hour - offset);
        let weekday = usize::try_from((day + 3) % 7).unwrap();
        let count = seeded.below(6);
        let lines: Vec<(&'static str, i64, Decimal)> = (0..count)
            .map(|_| {
                let quantity = i64::try_from(seeded.below(9)).unwrap() + 1;
                let price = Decimal::new(i64::try_from(seeded.below(3000)).unwrap(), 2);
                (seeded.one_of(&WORDS), quantity, price)
            })
            .collect();
        // A coupon takes a part off, and shipping adds some.
        let coupon = i64::try_from(seeded.below(4)).unwrap() * 10;
        let cents: Vec<i64> = lines.iter().map(|line| line.1 * cents_of(line.2)).collect();
        let goods = cents.iter().sum::<i64>() * (100 - coupon) / 100;
        let paid = spread(goods, &cents);
        let shipping = Decimal::new(i64::try_from(seeded.below(2) * 490).unwrap(), 2);
        let total = Decimal::new(goods, 2) + shipping;
        let tax = Decimal::new(goods * 19 / 119, 2);
        let card = Decimal::new(goods / 3, 2);
        let tags: Vec<&'static str> =
            ["gold", "founder"].into_iter().filter(|_| seeded.below(2) == 0).collect();
        let purchases = i64::try_from(seeded.below(30)).unwrap();
        let stamps = i64::try_from(seeded.below(12)).unwrap();
        let world = World {
            total,
            shipping,
            tax,
            card,
            lines,
            paid,
            purchases,
            stamps,
            tags,
            weekday,
            hour,
        };
        let (member, activity) = world.as_values(at);
        (world, member, activity)
    }

    fn as_values(&self, at: Moment) -> (Member, Activity) {
        let enrolment = Enrolment {
            id: MemberId::parse("ada").unwrap(),
            attributes: [].into(),
            tags: self.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            referred_by: None,
        };
        let mut member = enroll::decide(enrolment, "2025-06-01T00:00:00Z".parse().unwrap());
        member.history.purchases = u32::try_from(self.purchases).unwrap();
        let units = Units::new(self.stamps).unwrap();
        let lot = Lot { units, terms: Terms::default() };
        member
            .wallets
            .insert(WalletName::parse("stamps").unwrap(), Wallet::of([lot], Units::ZERO).unwrap());
        let line = |(word, quantity, price): &(&str, i64, Decimal)| Line {
            categories: vec![(*word).to_owned()],
            quantity: Decimal::from(*quantity),
            price: Some(*price),
            ..Line::default()
        };
        let lines = self.lines.iter().map(line).collect();
        let activity = Activity {
            id: "1".to_owned(),
            kind: "purchase".to_owned(),
            at,
            of: None,
            order: Some(Order {
                total: self.total,
                lines,
                amounts: OrderAmounts {
                    shipping: self.shipping,
                    tax: self.tax,
                    ..OrderAmounts::default()
                },
                payments: vec![
                    Payment { method: "card".to_owned(), amount: self.card },
                    Payment { method: "cash".to_owned(), amount: self.total - self.card },
                ],
                ..Order::default()
            }),
            channel: None,
            payment: None,
            fields: [].into(),
        };
        (member, activity)
    }
}

/// The indices of the rules that pay, with their units, and of those that fail.
type Pays = (Vec<(usize, i64)>, Vec<usize>);

/// A wallet would be too full, and the activity is refused.
const REFUSED: Pays = (Vec::new(), Vec::new());

fn cents_of(price: Decimal) -> i64 {
    (price * Decimal::ONE_HUNDRED).try_into().unwrap()
}

/// Cents in proportion to others; those that are left go to the largest remainders.
fn spread(whole: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i64 = weights.iter().sum();
    if sum == 0 {
        return weights.to_vec();
    }
    let mut parts: Vec<i64> = weights.iter().map(|weight| whole * weight / sum).collect();
    let mut left = whole - parts.iter().sum::<i64>();
    let mut places: Vec<usize> = (0..weights.len()).collect();
    places.sort_by_key(|place| -(whole * weights[*place] % sum));
    for place in places {
        if left > 0 && weights[place] > 0 {
            parts[place] += 1;
            left -= 1;
        }
    }
    parts
}

/// What the rules of a bundle do, and the messages of those that fail.
fn pays(bundle: &Bundle, member: &Member, activity: &Activity) -> (Pays, Vec<String>) {
    let data = DecisionData::default();
    let context = Context::new(bundle, &data, activity.at);
    let decision = earn(&context, member, activity.clone());
    let Ok(decision) = decision else { return (REFUSED, Vec::new()) };
    let (mut failed, mut messages) = (Vec::new(), Vec::new());
    for note in &decision.entry.notes {
        if let Note::RuleFailed { rule, message, .. } = note {
            failed.push(rule.parse().unwrap());
            messages.push(message.clone());
        }
    }
    let paid = decision.entry.reasons.iter().map(|reason| match &reason.effect {
        Effect::Units { units, .. } => (reason.rule.parse().unwrap(), units.get()),
        other => panic!("{other:?}"),
    });
    ((paid.collect(), failed), messages)
}

/// Runs every sheet over its facts, compares all results, and returns their digest.
fn play(sheets: u64) -> String {
    let merchant = MerchantId::parse("generated").unwrap();
    let mut digest = Sha256::new();
    for sheet in 0..sheets {
        let mut seeded = Seeded(sheet);
        let rules: Vec<(Condition, Number, &'static str)> = (0..=seeded.below(4))
            .map(|_| {
                let into = seeded.one_of(&["points", "stamps"]);
                (condition(&mut seeded, 2), number(&mut seeded, 3), into)
            })
            .collect();
        let mut text = WALKED.to_owned();
        for (place, (when, pays, into)) in rules.iter().enumerate() {
            text += &format!("earn \"{place}\" on purchase into {into} when {when} {{ {pays} }}\n");
        }
        let sources =
            Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", &text), ("tiers.rhai", TIERS)]);
        let rejected = |rejection| -> Bundle { panic!("seed {sheet}: {rejection}\n{text}") };
        let plain = Bundle::load(&merchant, &sources).unwrap_or_else(rejected);
        let optimized = Bundle::load_optimized(&merchant, &sources).unwrap_or_else(rejected);
        for _ in 0..FACTS {
            let (world, member, activity) = World::generated(&mut seeded);
            let first = pays(&plain, &member, &activity);
            assert_eq!(first, pays(&plain, &member, &activity), "seed {sheet}, twice\n{text}");
            let folded = pays(&optimized, &member, &activity);
            assert_eq!(first.0, folded.0, "seed {sheet}, optimised\n{text}");
            let model = world.pays(&rules);
            assert_eq!(first.0, model, "seed {sheet}, model: {first:?}\n{text}");
            digest.update(format!("{first:?}"));
        }
    }
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

#[test]
fn the_same_facts_pay_the_same_everywhere_and_what_a_plain_model_says() {
    let sheets = std::env::var(SHEETS_VARIABLE).ok().and_then(|number| number.parse().ok());
    let sheets: u64 = sheets.unwrap_or(SHEETS);
    if std::env::var(CHILD_VARIABLE).is_ok() {
        println!("digest {}", play(sheets));
        return;
    }
    let this = std::env::current_exe().unwrap();
    let name = "the_same_facts_pay_the_same_everywhere_and_what_a_plain_model_says";
    let child = std::process::Command::new(this)
        .args([name, "--exact", "--nocapture"])
        .env(CHILD_VARIABLE, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let here = play(sheets);
    let there = child.wait_with_output().unwrap();
    let there = String::from_utf8_lossy(&there.stdout).into_owned();
    assert!(there.contains(&format!("digest {here}")), "{here}\n{there}");
    println!(
        "{} pairs, each the same in two processes, twice, optimised and by the model",
        sheets * FACTS
    );
}
