//! Tests of the language: every word of the vocabulary, the hash and the reference.

use std::path::Path;
use std::sync::Arc;

use ledger::enroll::{self, Enrolment};
use ledger::programme::Arm;
use ledger::{Activity, Line, MerchantId, Moment, Order, Units};
use rust_decimal::Decimal;

use crate::kind::Kind;
use crate::vocabulary::WORDS;
use crate::{Bundle, Facts, Rule, Sources, arm};

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
[trials.double-mondays]
from = 2026-05-01
until = 2026-05-31
share = "20 %"
holdout = "12.5 %"
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

/// The bundle of a manifest and a rule that pays those who take part in a trial.
fn with_trials(trials: &str) -> Result<Bundle, String> {
    let (manifest, _) = MANIFEST.split_once("[trials.").unwrap();
    let manifest = format!("{manifest}{trials}");
    let sheet = "earn \"a\" on purchase when member.in_trial(\"twice\") { 1 }";
    let sources = Sources::of([("merchant.toml", manifest.as_str()), ("earn.rhai", sheet)]);
    let bundle = Bundle::load(&MerchantId::parse("test").unwrap(), &sources);
    bundle.map_err(|rejection| rejection.to_string())
}

fn trial(name: &str, share: &str, holdout: &str) -> String {
    format!(
        "[trials.{name}]\nfrom = 2026-05-01\nuntil = 2026-05-31\nshare = \"{share}\"\nholdout = \"{holdout}\"\n"
    )
}

#[test]
fn members_stay_in_their_arm_and_trials_do_not_share_them() {
    let small =
        with_trials(&[trial("twice", "20 %", "12.5 %"), trial("other", "20 %", "12.5 %")].concat());
    let large = with_trials(&trial("twice", "60 %", "40 %"));
    let (small, large) = (small.unwrap(), large.unwrap());
    let (mut part, mut holdout, mut both) = (0, 0, 0);
    for number in 0..10_000 {
        let member = ledger::MemberId::parse(&format!("member-{number}")).unwrap();
        let of = |bundle: &Bundle, trial: &str| arm(bundle.programme(), trial, &member);
        let own = of(&small, "twice");
        part += u32::from(own == Some(Arm::Part));
        holdout += u32::from(own == Some(Arm::Holdout));
        both += u32::from(own.is_some() && own == of(&small, "other"));
        let later = of(&large, "twice");
        assert!(later.is_some() && (own.is_none() || own == later), "{member}: {own:?}, {later:?}");
        assert_eq!(of(&large, "other"), None);
    }
    // Of ten thousand: 2,000 and 1,250, and 400 and 156 of them in the same arm of both.
    assert!((1880..2120).contains(&part) && (1150..1350).contains(&holdout), "{part}, {holdout}");
    assert!((480..640).contains(&both), "{both}");
}

#[test]
fn a_member_takes_part_on_the_days_of_the_trial() {
    let bundle = with_trials(&trial("twice", "50 %", "50 %")).unwrap();
    let pays = |member: &str, at: &str| {
        let id = ledger::MemberId::parse(member).unwrap();
        let (attributes, tags) = ([].into(), [].into());
        let enrolment = Enrolment { id, attributes, tags, referred_by: None };
        let member = Arc::new(enroll::decide(enrolment, moment("2026-01-01T00:00:00Z")));
        let seen = bundle.see(&member, None, moment(at), moment(at));
        let facts = Facts::of_activity(seen, &Arc::new(purchase()));
        let (_, rule) = bundle.rules_on("purchase").next().unwrap();
        bundle.run(&facts).applies(rule).unwrap()
    };
    let member = (0..).map(|number| format!("member-{number}")).find(|member| {
        let member = ledger::MemberId::parse(member).unwrap();
        arm(bundle.programme(), "twice", &member) == Some(Arm::Part)
    });
    let member = member.unwrap();
    // Days begin in Berlin.
    assert!(!pays(&member, "2026-04-30T21:59:59Z"));
    assert!(pays(&member, "2026-04-30T22:00:00Z"));
    assert!(pays(&member, "2026-05-31T21:59:59Z"));
    assert!(!pays(&member, "2026-05-31T22:00:00Z"));
}

#[test]
fn a_trial_that_cannot_be_is_refused_with_its_place() {
    let measures = |list: &str| format!("{}measures = [{list}]\n", trial("twice", "50 %", "50 %"));
    for (trials, message) in [
        (
            trial("twic", "50 %", "50 %"),
            "there is no trial `twice` in the manifest; did you mean `twic`?",
        ),
        (
            trial("twice", "60 %", "50 %"),
            "who takes part and the holdout are more than all members together",
        ),
        (
            trial("twice", "0 %", "50 %"),
            "`0 %` is not a share of the members: it is above 0 %, in hundredths of a percent",
        ),
        (trial("twice", "0.001 %", "50 %"), "`0.001 %` is not a share of the members"),
        (
            trial("twice", "50", "50 %"),
            "`50` is not a share from 0 % to 100 %; write it such as \"3 %\"",
        ),
        (
            trial("twice", "50 %", "50 %").replace("05-31", "04-01"),
            "trial `twice` ends before it begins",
        ),
        (trial("twice", "50 %", "50 %").replace("holdout", "holdouts"), "`holdouts`"),
        (measures(""), "trial `twice` measures nothing"),
        (measures("\"revenu\""), "`revenu` cannot be measured; did you mean `revenue`?"),
        (
            measures("\"stars\""),
            "`stars` cannot be measured; there is `revenue`, `orders`, and what is an amount or an integer under [activities.purchase]",
        ),
    ] {
        let refused = with_trials(&trials).unwrap_err();
        assert!(refused.contains(message), "{message}\n{refused}");
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
