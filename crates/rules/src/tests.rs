//! Tests of the language: every word of the vocabulary, the hash and the reference.

use std::path::Path;
use std::sync::Arc;

use ledger::enroll::{self, Enrolment};
use ledger::{Activity, Line, MerchantId, Moment, Order, Units};
use rust_decimal::Decimal;

use crate::kind::Kind;
use crate::vocabulary::WORDS;
use crate::{Bundle, Facts, Rule, Sources};

const MANIFEST: &str = r#"
name = "Test"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
[wallets.stamps]
[wallets.status]
spendable = false
[activities.review]
fields = { stars = "integer" }
[activities.referral]
[pools.SPRING]
"#;

/// The statements to which the words in the examples refer.
const ASKED: &str = "task \"Five visits in a week\" on review goal 5 { grant(\"Club\"); grant(\"Regular\"); }\n\
    contest \"Most cups in July\" on review { 1 }\ntier \"Gold\" { true }\n";

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

/// A purchase on a Saturday morning.
fn purchase() -> Activity {
    let line = |sku: &str, category: &str, quantity: u32, price: &str| Line {
        sku: Some(sku.to_owned()),
        categories: vec![category.to_owned()],
        quantity: Decimal::from(quantity),
        price: Some(price.parse().unwrap()),
        ..Line::default()
    };
    Activity {
        id: "1001".to_owned(),
        kind: "purchase".to_owned(),
        at: moment("2026-05-02T07:30:00Z"),
        of: None,
        order: Some(Order {
            total: "12.40".parse().unwrap(),
            lines: vec![line("espresso", "coffee", 2, "3.10"), line("house", "beans", 1, "6.20")],
            ..Order::default()
        }),
        channel: None,
        payment: Some("card".to_owned()),
        fields: [].into(),
    }
}

/// Runs all rules of a bundle over the purchase.
fn run(bundle: &Bundle) -> Result<(), String> {
    let enrolment = Enrolment {
        id: ledger::MemberId::parse("ada").unwrap(),
        attributes: [].into(),
        tags: [].into(),
        referred_by: None,
    };
    let member = Arc::new(enroll::decide(enrolment, moment("2026-01-01T00:00:00Z")));
    let activity = Arc::new(purchase());
    let seen = || bundle.see(&member, Some("Gold".to_owned()), activity.at, activity.at);
    let ask = |rule: &Rule, facts: Facts| {
        let mut run = bundle.run(&facts);
        run.applies(rule).and_then(|_| run.body(rule)).map(drop).map_err(|no| no.to_string())
    };
    for (_, rule) in bundle.rules_on("purchase") {
        ask(rule, Facts::of_activity(seen(), &activity))?;
    }
    for (rule, _) in bundle.priced() {
        ask(rule, Facts::of_order(seen(), activity.order.as_ref(), Some(Units::ONE)))?;
    }
    Ok(())
}

/// Runs one rule for each word, with the word's example in its block.
#[test]
fn every_word_of_the_reference_can_be_asked_and_is_what_the_reference_says() {
    for word in WORDS {
        // A value of another kind is turned into a number with an operation that only its kind has.
        let example = word.example;
        let block = match &word.gives {
            Kind::Whole | Kind::Amount | Kind::Number => example.to_owned(),
            Kind::Flag => format!("if {example} {{ 1 }} else {{ 2 }}"),
            Kind::Text(_) => format!("{example}.len()"),
            Kind::Lines => format!("{example}.len()"),
            Kind::Span => format!("grant(\"Club\", {example});"),
            Kind::Gift | Kind::Nothing => format!("{example};"),
            other => panic!("{example}: no word gives {other:?}"),
        };
        let sheet = if word.gives == Kind::Gift {
            format!("{ASKED}reward \"r\" costs 1 {{ {example} }}")
        } else if example.starts_with("line.") {
            format!(
                "{ASKED}earn \"a\" on purchase {{ for line in order.lines {{ let it = {block}; }} 1 }}"
            )
        } else {
            format!("{ASKED}earn \"a\" on purchase {{ {block} }}")
        };
        let sources = Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", sheet.as_str())]);
        let bundle = Bundle::load(&MerchantId::parse("test").unwrap(), &sources);
        let bundle = bundle.unwrap_or_else(|rejection| panic!("{example}: {rejection}"));
        run(&bundle).unwrap_or_else(|failure| panic!("{example}: {failure}"));
    }
}

#[test]
fn the_hash_changes_with_every_byte() {
    let hash = |files: &[(&str, &str)]| Sources::of(files.iter().copied()).hash();
    let base = hash(&[("a", "bc"), ("d", "e")]);
    assert_eq!(base, hash(&[("d", "e"), ("a", "bc")]));
    assert_ne!(base, hash(&[("a", "b"), ("cd", "e")]));
    assert_ne!(base, hash(&[("a", "bc"), ("d", "e ")]));
}

#[test]
fn the_reference_is_not_stale() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/LANGUAGE.md");
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == crate::reference(), "write it anew with `cargo run -- reference`");
}
