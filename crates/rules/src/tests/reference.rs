//! The reference, held to the language.

use super::*;

/// A rule in which every word can be asked: its example stands in for the block.
const ASKED: &str = "task \"Five visits in a week\" on review goal 5 { grant(\"Club\"); grant(\"Regular\"); }\n\
    contest \"Most cups in July\" on review { 1 }\ntier \"Gold\" { true }\n";

#[test]
fn every_word_of_the_reference_can_be_asked_and_is_what_the_reference_says() {
    use crate::kind::Kind;
    use crate::vocabulary::WORDS;
    let manifest = format!("{MANIFEST}[activities.referral]\n[pools.SPRING]\n");
    for word in WORDS {
        // What is no number is turned into one, by what only its kind can do.
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
        let is_gift = word.gives == Kind::Gift;
        let sheet = if is_gift {
            format!("{ASKED}reward \"r\" costs 1 {{ {example} }}")
        } else if example.starts_with("line.") {
            format!(
                "{ASKED}earn \"a\" on purchase {{ for line in order.lines {{ let it = {block}; }} 1 }}"
            )
        } else {
            format!("{ASKED}earn \"a\" on purchase {{ {block} }}")
        };
        let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", &sheet)]);
        let bundle = bundle.unwrap_or_else(|rejection| panic!("{example}: {rejection}"));
        let mut supplies = supplies(&bundle);
        supplies.codes.insert("SPRING".to_owned(), Codes::all(vec!["A".to_owned()]));
        let member = member("Gold", &[("points", 10)]);
        let now = moment("2026-05-02T08:00:00Z");
        let done = if is_gift {
            let redemption = Redemption { reward: "r".to_owned(), units: None, order: None };
            bundle.redeem(&member, redemption, &supplies, now)
        } else {
            bundle.earn(&member, purchase(), &supplies, now)
        };
        assert!(done.is_ok(), "{example}: {done:?}");
    }
}

#[test]
fn the_manifest_and_the_spec_of_the_reference_are_right() {
    let page = crate::reference();
    let mut pieces = page.split("```toml\n").skip(1);
    let mut piece = || pieces.next().unwrap().split("```").next().unwrap().to_owned();
    let (manifest, spec) = (piece(), piece());
    // Its wallet waits; the spec's does not.
    let waits = |line: &&str| line.starts_with("pending_days") || line.starts_with("pending_until");
    let manifest: String =
        manifest.lines().filter(|line| !waits(line)).map(|line| format!("{line}\n")).collect();
    let merchant = MerchantId::parse("test").unwrap();
    let sources = Sources::of([
        ("merchant.toml", manifest.as_str()),
        ("earn.rhai", "earn \"a\" on purchase { order.total }"),
        ("earn.spec.toml", &spec),
    ]);
    Bundle::proven(&merchant, &sources).unwrap();
}

#[test]
fn the_reference_is_not_stale() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/LANGUAGE.md");
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == crate::reference(), "write it anew with `cargo run -- reference`");
}
