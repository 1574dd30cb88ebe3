//! What a merchant writes, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger::{
    Activity, Line, Lot, Member, MemberId, MerchantId, Moment, Order, Units, Wallet, WalletName,
};

use crate::{Bundle, Sources};

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
"#;

fn load(files: &[(&str, &str)]) -> Result<Bundle, String> {
    let merchant = MerchantId::parse("test").unwrap();
    Bundle::load(&merchant, &Sources::of(files.iter().copied())).map_err(|error| error.to_string())
}

fn bundle(earn: &str) -> Result<Bundle, String> {
    load(&[("merchant.toml", MANIFEST), ("earn.rhai", earn)])
}

fn shop(name: &str) -> Bundle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules").join(name);
    let merchant = MerchantId::parse(name).unwrap();
    Bundle::load(&merchant, &Sources::read(&folder).unwrap()).unwrap()
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn member(tier: &str, wallets: &[(&str, i64)]) -> Member {
    let wallet = |units| {
        let lot = Lot { units: Units::new(units).unwrap(), available_at: None, expires_at: None };
        Wallet::of([lot]).unwrap()
    };
    Member {
        id: MemberId::parse("ada").unwrap(),
        version: 0,
        enrolled_at: moment("2026-01-01T00:00:00Z"),
        attributes: BTreeMap::new(),
        tags: BTreeSet::from(["regular".to_owned()]),
        tier: Some(tier.to_owned()),
        wallets: wallets
            .iter()
            .map(|(name, units)| (WalletName::parse(name).unwrap(), wallet(*units)))
            .collect(),
        counters: BTreeMap::new(),
    }
}

/// A Saturday morning's order: 12.40 for two coffees and a bag of beans.
fn purchase() -> Activity {
    let line = |sku: &str, category: &str, quantity, price: &str| Line {
        sku: sku.to_owned(),
        category: Some(category.to_owned()),
        quantity,
        price: Some(price.parse().unwrap()),
    };
    Activity {
        id: "1001".to_owned(),
        kind: "purchase".to_owned(),
        at: moment("2026-05-02T07:30:00Z"),
        order: Some(Order {
            total: "12.40".parse().unwrap(),
            lines: vec![line("espresso", "coffee", 2, "3.10"), line("house", "beans", 1, "6.20")],
        }),
        channel: None,
        payment: Some("card".to_owned()),
        fields: BTreeMap::new(),
    }
}

/// What a sheet pays Saturday's order: `rule@line wallet units`, or the failure.
fn pays(earn: &str) -> Vec<String> {
    let bundle = match bundle(earn) {
        Ok(bundle) => bundle,
        Err(rejection) => return vec![rejection],
    };
    let now = moment("2026-05-02T08:00:00Z");
    match bundle.earn(&member("Gold", &[]), &purchase(), now) {
        Ok(paid) => paid
            .iter()
            .map(|paid| format!("{}@{} {} {}", paid.rule, paid.source, paid.wallet, paid.units))
            .collect(),
        Err(failure) => vec![failure.to_string()],
    }
}

#[test]
fn the_sheet_of_the_readme_pays_as_it_reads() {
    let bundle = shop("sunrise-coffee");
    let paid =
        bundle.earn(&member("Gold", &[]), &purchase(), moment("2026-05-02T08:00:00Z")).unwrap();
    let lines: Vec<String> =
        paid.iter().map(|paid| format!("{} {} {}", paid.source, paid.wallet, paid.units)).collect();
    assert_eq!(
        lines,
        [
            "earn.rhai:1 points 12",
            "earn.rhai:2 points 12",
            "earn.rhai:3 points 15",
            "earn.rhai:6 stamps 2",
            "earn.rhai:7 status 12",
        ]
    );
}

#[test]
fn rules_pay_in_their_order_and_in_whole_units() {
    let check = |earn: &str, expected: &[&str]| assert_eq!(pays(earn), expected, "{earn}");
    check(r#"earn "a" on purchase { order.total }"#, &["a@earn.rhai:1 points 12"]);
    check(r#"earn "a" on purchase { 0.99 }"#, &[]);
    check(r#"earn "a" on purchase { if order.total > 100 { 5 } }"#, &[]);
    check(
        r#"earn "a" on purchase when member.has("regular") && member.days >= 121 { 3 }"#,
        &["a@earn.rhai:1 points 3"],
    );
    check(
        "// A comment.\nearn \"a\" on purchase { 10 }\nearn \"b\" on purchase into stamps { points * 2 }\n\nearn \"c\" on purchase { points }",
        &["a@earn.rhai:2 points 10", "b@earn.rhai:3 stamps 20", "c@earn.rhai:5 points 10"],
    );
    check(
        "fn twice(n) { n * 2 }\nearn \"a\" on purchase into stamps when wallet(\"points\") == 0 { twice(order.quantity(\"espresso\")) }",
        &["a@earn.rhai:2 stamps 4"],
    );
    check(
        r#"earn "lines" on purchase { let sum = 0; for line in order.lines { if line.category == "coffee" { sum += line.quantity; } } sum }"#,
        &["lines@earn.rhai:1 points 2"],
    );
    check(r#"earn "a" on purchase { order.spent("coffee") * 10 }"#, &["a@earn.rhai:1 points 62"]);
    check(r#"earn "a" on review { 5 }"#, &[]);
    check(
        r#"earn "noon" on purchase when now.hour == 9 && now.minute == 30 && now.weekday == "Saturday" { 1 }"#,
        &["noon@earn.rhai:1 points 1"],
    );
}

#[test]
fn a_mistake_in_a_sheet_is_found_when_it_is_read_with_its_place_and_remedy() {
    let check = |earn: &str, expected: &str| {
        let found = bundle(earn).err().unwrap_or_else(|| "no mistake found".to_owned());
        assert_eq!(found, format!("the rules of `test` cannot be used\n  {expected}"), "{earn}");
    };
    check(
        r#"earn "a" on purchase { if false { order.totl } else { 1 } }"#,
        "earn.rhai:1:41: `order` has no `totl`; did you mean `total`?",
    );
    check(
        r#"earn "a" on purchase { ordr.total }"#,
        "earn.rhai:1:24: `ordr` is not known here; did you mean `order`?",
    );
    check(
        r#"earn "a" on purchase when membr.tier == "x" { 1 }"#,
        "earn.rhai:1:27: `membr` is not known here; did you mean `member`?",
    );
    check(
        r#"earn "a" on purchse { 1 }"#,
        "earn.rhai:1:13: there is no activity `purchse` in the manifest; did you mean `purchase`?; list it as [activities.purchse]",
    );
    check(
        r#"earn "a" on purchase into stmps { 1 }"#,
        "earn.rhai:1:27: there is no wallet `stmps` in the manifest; did you mean `stamps`?",
    );
    check(
        r#"earn "a" on purchase when wallet("pionts") > 1 { 1 }"#,
        "earn.rhai:1:34: there is no wallet `pionts` in the manifest; did you mean `points`?",
    );
    check(
        r#"earn "a" on purchase whn true { 1 }"#,
        "earn.rhai:1:22: expected `when` or `into` or `at most` or `{`, found `whn`; did you mean `when`?",
    );
    check(r#"earn "a" { 1 }"#, "earn.rhai:1:10: `on` is missing before `{`");
    check(
        "earn \"a\" on purchase",
        "earn.rhai:1:21: expected `when` or `into` or `at most` or `{`, found the end of the sheet",
    );
    check("earn on purchase { 1 }", "earn.rhai:1:6: a title in double quotes is missing");
    check(
        r#"earn "a" on purchase { 1 "#,
        "earn.rhai:1:26: `;` is missing to terminate this statement",
    );
    check(
        r#"earn "a" on purchase at most 1 per fortnight { 1 }"#,
        "earn.rhai:1:36: `fortnight` is no period; there are day, week, month, year, ever",
    );
    check(
        r#"earn "a" on purchase at most 1 { 1 }"#,
        "earn.rhai:1:32: `per day`, `per week` or the like is missing before `{`",
    );
    check(
        r#"earn "a" on purchase at most 0 per day { 1 }"#,
        "earn.rhai:1:30: `at most` wants a number from 1 to 1000000",
    );
    check(
        r#"let x = 5; earn "a" on purchase { 1 }"#,
        "earn.rhai:1:1: only `earn` statements and functions stand in this sheet",
    );
    check(
        "earn \"a\" on purchase { 1 }\nearn \"a\" on purchase { 2 }",
        "earn.rhai:2:1: `a` stands already at earn.rhai:1; titles say which rule paid, so each is used once",
    );
    check(
        r#"earn "a" on purchase { earn "b" on purchase { 1 } }"#,
        "earn.rhai:1:24: `earn` stands by itself, not inside a block",
    );
    check(
        "earn \"a /* b\" on purchase { 1 } // /* no\n/* one /* two */\nearn \"b\" on purchase { 2 }",
        "earn.rhai:2:1: this `/*` is never closed: all that follows would be left out",
    );
    check(
        "earn \"a\" on purchase { 1 }\n// \u{1}",
        "earn.rhai:2:4: there is a character here that cannot be seen",
    );
    check(
        r#"earn "a" on purchase { eval("1") }"#,
        "earn.rhai:1:24: `eval` cannot be used in a sheet",
    );
    check(
        r#"tier "a" { true }"#,
        "earn.rhai:1:1: `tier` is not known here; the statements of this sheet begin with `earn`",
    );
}

#[test]
fn a_rule_that_fails_while_it_runs_names_itself_and_its_place() {
    let check = |earn: &str, expected: &str| assert_eq!(pays(earn), [expected], "{earn}");
    check(
        r#"earn "Endless" on purchase { loop { } }"#,
        "rule `Endless` failed at earn.rhai:1:35: it does too much: a rule may take 20000 steps, and a loop may have no end",
    );
    check(
        "fn f(n) { f(n) }\nearn \"Deep\" on purchase { f(1) }",
        "rule `Deep` failed at earn.rhai:2:27: a function calls itself too often",
    );
    check(
        "fn f() { order.total }\nearn \"Blind\" on purchase { f() }",
        "rule `Blind` failed at earn.rhai:1:10: `order` is not known here; a function sees only what it is given",
    );
    check(
        r#"earn "Pad" on purchase { let s = "x"; s.pad(10, ""); 1 }"#,
        "rule `Pad` failed at earn.rhai:1:41: `pad (text, whole number, text)` cannot be used here",
    );
    check(
        r#"earn "Range" on purchase { for i in range(0, 100, 0) { } 1 }"#,
        "rule `Range` failed at earn.rhai:1:37: step value cannot be zero",
    );
    check(
        r#"earn "Minus" on purchase { -5 }"#,
        "rule `Minus` failed at earn.rhai:1:1: the rule pays -5: it is negative",
    );
    check(
        r#"earn "Text" on purchase { "5" }"#,
        "rule `Text` failed at earn.rhai:1:1: a rule pays a number of units, not text",
    );
    check(
        r#"earn "Maybe" on purchase when 5 { 1 }"#,
        "rule `Maybe` failed at earn.rhai:1:1: a condition is yes or no, not whole number",
    );
    check(
        r#"earn "Zero" on purchase { 1 / 0 }"#,
        "rule `Zero` failed at earn.rhai:1:29: division by zero: 1 / 0",
    );
    check(
        r#"earn "Big" on purchase { 9_000_000_000_000_000_000 + 9_000_000_000_000_000_000 }"#,
        "rule `Big` failed at earn.rhai:1:52: addition overflow: 9000000000000000000 + 9000000000000000000",
    );
    check(
        r#"earn "Huge" on purchase { 1_000_000_000_000_001 }"#,
        "rule `Huge` failed at earn.rhai:1:1: the rule pays 1000000000000001: it is more than 1000000000000000 units",
    );
    check(
        r#"earn "Mix" on purchase { order.total * "x" }"#,
        "rule `Mix` failed at earn.rhai:1:38: `* (amount, text)` cannot be used here",
    );
}

#[test]
fn a_manifest_says_what_is_wrong_and_where() {
    let check = |from: &str, to: &str, expected: &str| {
        let text = MANIFEST.replace(from, to);
        assert_ne!(text, MANIFEST);
        let found = load(&[("merchant.toml", &text), ("earn.rhai", "")]).err().unwrap_or_default();
        assert_eq!(found, format!("the rules of `test` cannot be used\n  {expected}"));
    };
    check(
        "EUR",
        "EURO",
        "merchant.toml:3:12: `EURO` is not a currency; write its ISO code, such as \"EUR\"",
    );
    check(
        "Europe/Berlin",
        "Europe/Berlim",
        "merchant.toml:4:13: `Europe/Berlim` is not a time zone; did you mean `Europe/Berlin`?",
    );
    check(
        "[wallets.points]",
        "[wallets.pionts]",
        "merchant.toml:1:1: there is no wallet `points`; did you mean `pionts`?; rules without `into` pay into it, so list it under [wallets.points] or name another in `main_wallet`",
    );
    check(
        "spendable",
        "spendabel",
        "merchant.toml:8:1: unknown field `spendabel`, expected one of `spendable`, `worth`, `expires`, `pending_days`",
    );
    check(
        "spendable = false",
        "spendable = \"no\"",
        "merchant.toml:8:13: invalid type: string \"no\", expected a boolean",
    );
    check(
        "spendable = false",
        "expires = { days = 3, months = 1 }",
        "merchant.toml:8:11: `expires` of `status`: is one of `{ days = 90 }`, `{ months = 12 }`, `{ months = 12, end_of = \"month\" }`, `{ years = 1, end_of = \"year\" }`",
    );
    check(
        "spendable = false",
        "worth = \"cheap\"",
        "merchant.toml:8:9: `cheap` is not what a unit is worth; write an amount such as \"0.01\"",
    );
    check(
        "name = \"Test\"",
        "name = ",
        "merchant.toml:2:8: string values must be quoted, expected literal string",
    );
}

#[test]
fn a_bundle_is_whole_or_not_there() {
    let found = load(&[("earn.rhai", "")]).err().unwrap_or_default();
    assert_eq!(found, "the rules of `test` cannot be used\n  merchant.toml: is missing");
    let found = load(&[("merchant.toml", MANIFEST)]).err().unwrap_or_default();
    assert_eq!(found, "the rules of `test` cannot be used\n  earn.rhai: is missing");
    // Every sheet's mistakes are told at once.
    let found = load(&[
        ("merchant.toml", MANIFEST),
        ("earn.rhai", "earn"),
        ("tiers.rhai", r#"tier "a" { wallet("x") > 1 }"#),
        ("rewards.rhai", r#"reward "r" costs 5 status { product("p") }"#),
    ]);
    assert_eq!(
        found.err().unwrap_or_default(),
        "the rules of `test` cannot be used\
         \n  earn.rhai:1:5: a title in double quotes is missing\
         \n  tiers.rhai:1:19: there is no wallet `x` in the manifest\
         \n  rewards.rhai:1:20: wallet `status` only counts; nothing can be paid from it"
    );
}

#[test]
fn the_last_tier_that_holds_is_the_members() {
    let bundle = shop("sunrise-coffee");
    let tier = |status| {
        bundle.tier(&member("", &[("status", status)]), moment("2026-05-02T08:00:00Z")).unwrap()
    };
    assert_eq!(tier(499).as_deref(), Some("Bronze"));
    assert_eq!(tier(500).as_deref(), Some("Silver"));
    assert_eq!(tier(1500).as_deref(), Some("Gold"));
    assert_eq!(bundle.tiers().collect::<Vec<_>>(), ["Bronze", "Silver", "Gold"]);
}

#[test]
fn rewards_ask_for_tier_order_and_price() {
    let bundle = shop("sunrise-coffee");
    let now = moment("2026-05-02T08:00:00Z");
    let silver = member("Silver", &[("points", 400), ("stamps", 7)]);
    let offers: Vec<_> = bundle
        .rewards()
        .iter()
        .map(|reward| bundle.offer(reward, &silver, now).unwrap())
        .map(|offer| (offer.name, offer.missing.get(), offer.eligible))
        .collect();
    assert_eq!(
        offers,
        [
            ("free-coffee".to_owned(), 3, Some(true)),
            ("five-off".to_owned(), 0, None),
            ("cupping-night".to_owned(), 400, Some(true)),
        ]
    );
    let five_off = &bundle.rewards()[1];
    let take = |total: &str| {
        let order = Order { total: total.parse().unwrap(), lines: Vec::new() };
        bundle.take(five_off, &silver, Some(&order), now).unwrap().is_some()
    };
    assert!(take("20.00"));
    assert!(!take("19.99"));
    assert!(bundle.take(five_off, &silver, None, now).unwrap_err().needs_order);
}

#[test]
fn the_hash_changes_with_every_byte() {
    let hash = |files: &[(&str, &str)]| Sources::of(files.iter().copied()).hash();
    let base = hash(&[("a", "bc"), ("d", "e")]);
    assert_eq!(base, hash(&[("d", "e"), ("a", "bc")]));
    assert_ne!(base, hash(&[("a", "b"), ("cd", "e")]));
    assert_ne!(base, hash(&[("a", "bc"), ("d", "e ")]));
}
