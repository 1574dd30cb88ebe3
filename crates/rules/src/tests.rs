//! What a merchant writes, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger::enroll::{self, Enrolment};
use ledger::{
    Activity, Decision, Left, Line, Lot, Member, MemberId, MerchantId, Moment, Order, Outcome,
    Supplies, Units, Wallet, WalletName,
};

use crate::{Bundle, Eligible, Redemption, Refused, Sources};

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
    let enrolment = Enrolment {
        id: MemberId::parse("ada").unwrap(),
        attributes: BTreeMap::new(),
        tags: BTreeSet::from(["regular".to_owned()]),
        referred_by: None,
    };
    let mut member = enroll::decide(enrolment, moment("2026-01-01T00:00:00Z"));
    member.standing.tier = Some(tier.to_owned());
    member.wallets = wallets
        .iter()
        .map(|(name, units)| (WalletName::parse(name).unwrap(), wallet(*units)))
        .collect();
    member
}

/// Full pots, pools and nobody who brought anyone.
fn supplies(bundle: &Bundle) -> Supplies {
    let left = bundle.pots().into_iter().map(|(pot, units)| (pot, Left::all(units))).collect();
    Supplies { left, ..Supplies::default() }
}

fn earn(bundle: &Bundle, member: &Member, activity: Activity) -> Result<Decision, Refused> {
    bundle.earn(member, activity, &supplies(bundle), moment("2026-05-02T08:00:00Z"))
}

/// `rule@source wallet units` of each reason.
fn lines(decision: &Decision) -> Vec<String> {
    let line = |reason: &ledger::Reason| match &reason.gave {
        Outcome::Units { wallet, units } => {
            format!("{}@{} {wallet} {units}", reason.rule, reason.source)
        }
        other => format!("{}@{} {other:?}", reason.rule, reason.source),
    };
    decision.entry.because.iter().map(line).collect()
}

/// A Saturday morning's order: 12.40 for two coffees and a bag of beans.
fn purchase() -> Activity {
    let line = |sku: &str, category: &str, quantity, price: &str| Line {
        sku: sku.to_owned(),
        category: Some(category.to_owned()),
        quantity,
        price: Some(price.parse().unwrap()),
        tags: Vec::new(),
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
fn pays(sheet: &str) -> Vec<String> {
    let bundle = match bundle(sheet) {
        Ok(bundle) => bundle,
        Err(rejection) => return vec![rejection],
    };
    match earn(&bundle, &member("Gold", &[]), purchase()) {
        Ok(decision) => lines(&decision),
        Err(failure) => vec![failure.to_string()],
    }
}

#[test]
fn every_programme_is_read_and_keeps_its_specs() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut names: Vec<String> = std::fs::read_dir(folders)
        .unwrap()
        .map(|folder| folder.unwrap())
        .filter(|folder| folder.path().is_dir())
        .map(|folder| folder.file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut wrong = Vec::new();
    for name in names {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules").join(&name);
        let sources = Sources::read(&folder).unwrap();
        let bundle = match Bundle::load(&MerchantId::parse(&name).unwrap(), &sources) {
            Ok(bundle) => bundle,
            Err(rejection) => {
                wrong.push(rejection.to_string());
                continue;
            }
        };
        wrong.extend(bundle.warnings().iter().map(|warning| format!("{name}/{warning}")));
        match bundle.hold_to(&sources) {
            Ok(report) => {
                for spec in report.failed() {
                    for difference in &spec.differences {
                        wrong.push(format!(
                            "{name}/{}:{} {}: {difference}",
                            spec.file, spec.line, spec.it
                        ));
                    }
                }
                for (rule, gap) in report.coverage.gaps() {
                    wrong.push(format!(
                        "{name}/{} {} `{}`: {gap}",
                        rule.source, rule.statement, rule.rule
                    ));
                }
            }
            Err(mistakes) => {
                wrong.extend(mistakes.iter().map(|mistake| format!("{name}/{mistake}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

/// Each sheet with what is said of it, the warnings too.
fn told(sheets: &[&str]) -> String {
    let mut page = String::new();
    for sheet in sheets {
        let said = match bundle(sheet) {
            Err(rejection) => rejection.replace("the rules of `test` cannot be used\n  ", ""),
            Ok(bundle) => match bundle.warnings() {
                [] => pays(sheet).join("\n  "),
                warnings => warnings.iter().map(|one| format!("warning: {one}")).collect(),
            },
        };
        page += &format!("{sheet}\n  {said}\n\n");
    }
    page
}

fn snapshot(name: &str, page: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, page));
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_remedy() {
    snapshot(
        "what_cannot_be_read",
        &told(&[
            r#"earn "a" on purchse { 1 }"#,
            r#"earn "a" on purchase into stmps { 1 }"#,
            r#"earn "a" on purchase whn true { 1 }"#,
            r#"earn "a" { 1 }"#,
            r#"earn "a" on purchase"#,
            "earn on purchase { 1 }",
            r#"earn "a" on purchase { 1 "#,
            "earn \"a\" on purchase { 1\nearn \"b\" on purchase { 2 }",
            r#"earn "a" on purchase at most 1 per fortnight { 1 }"#,
            r#"earn "a" on purchase at most 1 { 1 }"#,
            r#"earn "a" on purchase at most 0 per day { 1 }"#,
            r#"earn "a" on purchase on review { 1 }"#,
            r#"earn "a" on return { 1 }"#,
            r#"earn "a" on purchase into store-credit { 1 }"#,
            r#"earn "a" on purchase from 2026-02-30 { 1 }"#,
            r#"earn "a" on purchase from 2026-05-02 until 2026-05-01 { 1 }"#,
            r#"earn "a" on purchase during summmer { 1 }"#,
            r#"earn "a" on purchase stock 5 { 1 }"#,
            r#"let x = 5; earn "a" on purchase { 1 }"#,
            "earn \"a\" on purchase { 1 }\nearn \"a\" on purchase { 2 }",
            r#"earn "a" on purchase { earn "b" on purchase { 1 } }"#,
            r#"earn "a" on purchase { let tier = member.tier; if tier == "" { 1 } else { 2 } }"#,
            "earn \"a /* b\" on purchase { 1 } // /* no\n/* one */\nearn \"b\" on purchase { 2 }",
            "earn \"a\" on purchase { 1 } // one\rearn \"b\" on purchase { 2 }",
            "earn \"a\" on purchase { `x` }",
            r#"earn "a" on purchase until 31.12.2026 { 1 }"#,
            r#"earn "a" on purchase { order.total * 10 % }"#,
            r#"earn "a" on purchase when order.total >= 20,00 { 1 }"#,
            r#"earn "a" on purchase if now.weekend { 1 }"#,
            r#"earn "a" on purchase max 1 per week { 1 }"#,
            r#"earn "a" on purchase 15"#,
            r#"task "a" on purchase streak 3 { 1 }"#,
            "earn \"a\" on purchase when member.tier == \"Gold\n { 1 }",
            "earn \"a\" on purchase when \u{43e}rder.total > 5 { 1 }",
            "earn \"a\" on purchase { 1 }\n// \u{1}",
            "earn \"a\" on purchase { 1\u{200b} }",
            "earn \u{201c}a\u{201d} on purchase { 1 }",
            "earn \"a\" on purchase when order.total \u{2265} 5 { 1 }",
            r#"Earn "a" on purchase { 1 }"#,
            r#"eran "a" on purchase { 1 }"#,
            r#"earn_statement "a" on purchase { 1 }"#,
            "earn \"a\" on purchase\nearn \"b\" on purchase { 1 }",
            r#"earn "a" on purchase { eval("1") }"#,
            r#"earn "Endless" on purchase { loop { } }"#,
            r#"earn "a" on purchase { let m = #{ a: 1 }; 1 }"#,
            r#"task "a" on purchase { 1 }"#,
            r#"task "a" on purchase goal 5 within 7 fortnights { 1 }"#,
            r#"task "a" on purchase streak 3 years { 1 }"#,
            r#"reward "a" costs 100 to 50 { product("p") }"#,
            r#"reward "a" costs 5 status { product("p") }"#,
            r#"reward "a" { product("p") }"#,
            r#"tier "a" when true { true }"#,
            "fn f(n) { n }\nfn f(m) { m }\nearn \"a\" on purchase { 1 }",
        ]),
    );
}

#[test]
fn what_can_be_proven_wrong_is_told_in_branches_that_never_run_too() {
    snapshot(
        "what_can_be_proven_wrong",
        &told(&[
            r#"earn "a" on purchase { if false { order.totl } else { 1 } }"#,
            r#"earn "a" on purchase { ordr.total }"#,
            r#"earn "a" on purchase when membr.tier == "x" { 1 }"#,
            r#"earn "a" on purchase when wallet("pionts") > 1 { 1 }"#,
            r#"earn "a" on purchase when member.tier == Gold { 1 }"#,
            r#"earn "a" on purchase when status >= 500 { 1 }"#,
            r#"earn "a" on purchase { total }"#,
            r#"earn "a" on purchase when not now.weekend { 1 }"#,
            r#"earn "a" on purchase { -15 }"#,
            r#"reward "a" costs 5 { percent_off(150) }"#,
            r#"earn "a" on purchase { if order.total >= 50 { 10 } if order.pieces >= 5 { 5 } }"#,
            r#"earn "a" on purchase { for line in order.lines { line.quantity } }"#,
            r#"earn "a" on purchase { award(-5); }"#,
            r#"earn "a" on purchase { 1 / 2 * order.total }"#,
            r#"earn "a" on purchase { order.total / 0 }"#,
            r#"tier "a" { if now.weekend { true } }"#,
            "tier \"Gold\" { wallet(\"status\") >= 1500 }\ntier \"Silver\" { wallet(\"status\") >= 500 }",
            r#"earn "a" on purchase { switch order.total { 5 => 1, _ => 2 } }"#,
            r#"earn "a" on purchase when now.hour > 22.5 && now.hour < 23.5 { 1 }"#,
            "fn award(n) { n }\nearn \"a\" on purchase { 1 }",
            r#"earn "a" on purchase { }"#,
            r#"earn "a" on purchase when wallet("status") >= 1.500 { 1 }"#,
            r#"earn "a" on purchase { rnd(5) }"#,
            r#"earn "a" on purchase { min(5) }"#,
            r#"earn "a" on purchase { order.quantity }"#,
            r#"earn "a" on purchase { order.total("x") }"#,
            r#"earn "a" on purchase { order.lines[0].pric }"#,
            r#"earn "a" on purchase { let n = 0; for line in order.lines { n += line.quantty; } n }"#,
            r#"earn "a" on purchase { points = 5; 1 }"#,
            r#"earn "a" on purchase { let points = 5; points }"#,
            r#"earn "a" on purchase when order.total > "5" { 1 }"#,
            r#"earn "a" on purchase when order.total == "5" { 1 }"#,
            r#"earn "a" on purchase when 5 { 1 }"#,
            r#"earn "a" on purchase when order.total { 1 }"#,
            r#"earn "a" on purchase when member.has("x") and now.weekend { 1 }"#,
            r#"earn "a" on purchase when now.weekday == "Saterday" { 1 }"#,
            r#"earn "a" on purchase when now.weekday in ["Saturday", "Sonday"] { 1 }"#,
            "tier \"Gold\" { true }\nearn \"a\" on purchase when member.tier == \"Gould\" { 1 }",
            r#"earn "a" on purchase when member.granted("Clubb") { grant("Club", 1.year); }"#,
            r#"earn "a" on purchase when member.progress("Visits") > 1 { 1 }"#,
            r#"earn "a" on purchase { let tiers = ["a"]; 1 }"#,
            r#"earn "a" on purchase when [1, 2] == [1, 2] { 1 }"#,
            r#"earn "a" on purchase { let f = min; 1 }"#,
            r#"earn "a" on purchase { activity.stars }"#,
            r#"earn "a" on review { activity.strs }"#,
            r#"earn "a" on purchase { "5" }"#,
            r#"earn "a" on purchase { product("x") }"#,
            r#"earn "a" on purchase { order.total * "x" }"#,
            r#"earn "a" on purchase { voucher("SPRING"); 1 }"#,
            r#"earn "a" on purchase { refer(); 1 }"#,
            r#"earn "a" on purchase when award(5) { 1 }"#,
            r#"earn "a" on purchase { units }"#,
            "fn f() { order.total }\nearn \"a\" on purchase { f() }",
            "fn f() { award(5) }\nearn \"a\" on purchase { f(); }",
            "fn f(n) { n }\nearn \"a\" on purchase { f() }",
            "fn f(order) { order.total(\"x\") }\nearn \"a\" on purchase { f(order) }",
            r#"tier "a" { 5 }"#,
            r#"tier "a" { order.total > 5 }"#,
            r#"reward "a" costs 5 { 5 }"#,
            r#"reward "a" costs 5 { award(5); product("p") }"#,
            r#"benefit "a" { grant("x"); product("p") }"#,
            r#"contest "a" on purchase { "x" }"#,
            r#"earn "a" on purchase when now.hour >= 24 { 1 }"#,
            r#"earn "a" on purchase when now.hour < 9 && now.hour > 17 { 1 }"#,
            r#"earn "a" on purchase when member.bucket < 100 { 1 }"#,
            r#"earn "a" on purchase when member.tier == "" && member.tier == "x" { 1 }"#,
            r#"earn "a" on purchase when false { 1 }"#,
            "tier \"a\" { wallet(\"status\") > 5 }\ntier \"b\" { true }",
        ]),
    );
}

#[test]
fn a_rule_that_fails_while_it_runs_names_itself_and_its_place() {
    snapshot(
        "a_rule_that_fails_while_it_runs",
        &told(&[
            r#"earn "Long" on purchase { let n = 0; for i in 0..1000000 { n += 1; } n }"#,
            "fn f(n) { f(n) }\nearn \"Deep\" on purchase { f(1) }",
            r#"earn "Range" on purchase { for i in range(0, 100, 0) { } 1 }"#,
            r#"earn "Minus" on purchase { -5 }"#,
            "fn none() { 0 }\nearn \"Zero\" on purchase { 1 / none() }",
            r#"earn "Big" on purchase { 9_000_000_000_000_000_000 + 9_000_000_000_000_000_000 }"#,
            r#"earn "Huge" on purchase { 1_000_000_000_000_001 }"#,
            "fn f(n) { n + true }\nearn \"Mix\" on purchase { f(1) }",
            "fn f(n) { n.lines }\nearn \"Kind\" on purchase { f(1) }",
            "fn f(n) { n }\nearn \"Maybe\" on purchase when f(5) { 1 }",
            "fn f(n) { n }\nearn \"Text\" on purchase { f(\"5\") }",
            r#"earn "Line" on purchase { order.lines[7].quantity }"#,
            r#"task "Rounds" on purchase counting order.total * 10 goal 1 { 1 }"#,
            r#"task "Rounds" on purchase counting order.total goal 5 { 1 }"#,
            r#"earn "For ever" on purchase { grant("x", 100.years); grant("x", 100.years); }"#,
            r#"earn "On and off" on purchase { tag("x"); untag("x"); }"#,
            r#"earn "Off and on" on purchase { untag("regular"); tag("regular"); }"#,
            r#"earn "In" on purchase when order.lines[0].price * 2 in [6.2, 7] && 1.00 in [1] { 1 }"#,
            "earn \"a\" on purchase { 5 } earn \"b\" on purchase { 6 }",
            r#"earn "Span" on purchase { grant("x", 0.days); }"#,
            r#"earn "Text" on purchase { let s = "ab"; for i in 0..20 { s += s; } 1 }"#,
        ]),
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
    assert_eq!(
        found,
        "the rules of `test` cannot be used\n  there is no sheet; write one, such as earn.rhai"
    );
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
         \n  rewards.rhai:1:20: wallet `status` only counts; nothing can be paid from it\
         \n  tiers.rhai:1:19: there is no wallet `x` in the manifest"
    );
}

#[test]
fn rewards_ask_for_tier_order_and_price() {
    let bundle = shop("sunrise-coffee");
    let now = moment("2026-05-02T08:00:00Z");
    let silver = member("Silver", &[("points", 400), ("stamps", 7), ("status", 600)]);
    let offers: Vec<_> = bundle
        .offers(&silver, Some("Silver"), now)
        .into_iter()
        .map(Result::unwrap)
        .map(|offer| (offer.name, offer.missing.get(), offer.eligible))
        .collect();
    assert_eq!(
        offers,
        [
            ("free-coffee".to_owned(), 3, Eligible::Yes),
            ("five-off".to_owned(), 0, Eligible::DependsOnOrder),
            ("cupping-night".to_owned(), 400, Eligible::Yes),
        ]
    );
    let take = |total: Option<&str>| {
        let order = total.map(|total| Order { total: total.parse().unwrap(), lines: Vec::new() });
        let redemption = Redemption { reward: "five-off".to_owned(), units: None, order };
        bundle.redeem(&silver, redemption, &supplies(&bundle), now).err().map(|no| no.to_string())
    };
    assert_eq!(take(Some("20.00")), None);
    assert_eq!(
        take(Some("19.99")).as_deref(),
        Some("reward `five-off` is not for this member now: its condition does not hold")
    );
    assert_eq!(
        take(None).as_deref(),
        Some("reward `five-off` needs the order it is taken with: send `order`")
    );
}

#[test]
fn a_tier_that_asks_for_days_is_lost_on_its_day_whoever_looks_when() {
    let manifest = format!("{MANIFEST}[tiers]\ngrace_days = 30\n");
    let sheet = "tier \"Base\" { true }\ntier \"Active\" { member.days_since_purchase < 90 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let mut ada = member("", &[]);
    ada.standing.tier = None;
    let at = |text: &str| moment(&format!("{text}T10:00:00Z"));
    let bought = bundle.earn(
        &ada,
        Activity { at: at("2026-01-01"), ..purchase() },
        &supplies(&bundle),
        at("2026-01-01"),
    );
    let ada = bought.unwrap().member;
    assert_eq!(ada.tier(), Some("Active"));
    let tier = |member: &Member, text: &str| {
        bundle.standing(&std::sync::Arc::new(member.clone()), at(text)).unwrap().tier.unwrap()
    };
    // 90 days end on 1 April, and the grace on 1 May.
    let looked_at = bundle.expire(&ada, at("2026-04-02")).unwrap().unwrap().member;
    for member in [&ada, &looked_at] {
        assert_eq!(tier(member, "2026-04-30"), "Active");
        assert_eq!(tier(member, "2026-05-01"), "Base");
        assert_eq!(tier(member, "2026-08-01"), "Base");
    }
    let standing = bundle.standing(&std::sync::Arc::new(ada.clone()), at("2026-01-02")).unwrap();
    let at_risk = bundle.at_risk(&std::sync::Arc::new(ada), &standing, at("2026-01-02"));
    assert_eq!(at_risk.unwrap(), Some(at("2026-05-01")));
}

#[test]
fn a_tier_of_a_wallet_is_lost_when_its_lots_lapse_whoever_looks_when() {
    let manifest = MANIFEST
        .replace("spendable = false", "spendable = false\nexpires = { days = 10 }")
        + "[tiers]\ngrace_days = 30\n";
    let sheet = "earn \"a\" on purchase into status { 500 }\n\
        tier \"Base\" { true }\ntier \"Active\" { wallet(\"status\") >= 500 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let mut ada = member("", &[]);
    ada.standing.tier = None;
    let ada = earn(&bundle, &ada, purchase()).unwrap().member;
    let tier = |text: &str| {
        let at = moment(&format!("{text}T07:30:00Z"));
        bundle.standing(&std::sync::Arc::new(ada.clone()), at).unwrap().tier.unwrap()
    };
    // Its lot lapses on 12 May, and the grace ends on 11 June; nobody has looked in between.
    assert_eq!(tier("2026-06-10"), "Active");
    assert_eq!(tier("2026-06-11"), "Base");
}

#[test]
fn a_referral_that_the_budget_does_not_afford_pays_nobody() {
    let manifest = format!("{MANIFEST}[activities.referral]\n[campaigns.summer]\nbudget = 100\n");
    let sheet = "earn \"Friend\" on purchase during summer { refer(); 60 }\n\
        earn \"Brought\" on referral { 5 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let bob = Member { id: MemberId::parse("bob").unwrap(), ..member("", &[]) };
    let ada = Member { referred_by: Some(bob.id.clone()), ..member("", &[]) };
    let buy = |left: i64| {
        let pot = ledger::Pot::Budget("summer".to_owned());
        let left = [(pot, Left::all(Units::new(left).unwrap()))].into();
        let referrer = Some((bob.id.clone(), Some(bob.clone())));
        let supplies = Supplies { left, referrer, ..Supplies::default() };
        let now = moment("2026-05-02T08:00:00Z");
        let decision = bundle.earn(&ada, purchase(), &supplies, now).unwrap();
        let brought = decision.referrer.as_ref().map(|brought| lines(brought));
        (decision.entry.because.len(), brought)
    };
    assert_eq!(buy(60), (2, Some(vec!["Brought@earn.rhai:2 points 5".to_owned()])));
    assert_eq!(buy(59), (0, None));
}

#[test]
fn a_task_whose_codes_run_out_stays_done_until_there_are_more() {
    let manifest = format!("{MANIFEST}[pools.SPRING]\n");
    let sheet = "task \"t\" on purchase counting 2 goal 1 { voucher(\"SPRING\"); }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let mut ada = member("", &[]);
    let mut buy = |codes: &[&str]| {
        let mut supplies = supplies(&bundle);
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        supplies.codes.insert("SPRING".to_owned(), codes);
        let now = moment("2026-05-02T08:00:00Z");
        let decision = bundle.earn(&ada, purchase(), &supplies, now).unwrap();
        ada = decision.member;
        (decision.entry.because.len(), ada.tasks["t"].completed)
    };
    // Two rounds are done each time. One code, none, and then enough for all five that wait.
    assert_eq!(buy(&["A"]), (1, 1));
    assert_eq!(buy(&[]), (0, 1));
    assert_eq!(buy(&["B", "C", "D", "E", "F"]), (5, 6));
}

/// A rule in which every word can be asked: its example stands in for the block.
const ASKED: &str = "task \"Five visits in a week\" on review goal 5 { grant(\"Club\"); grant(\"Regular\"); }\n\
    contest \"Most cups in July\" on review { 1 }\ntier \"Gold\" { true }\n";

#[test]
fn every_word_of_the_reference_can_be_asked_and_is_what_the_reference_says() {
    use crate::vocabulary::{Kind, WORDS};
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
        supplies.codes.insert("SPRING".to_owned(), vec!["A".to_owned()]);
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
fn a_mistake_in_a_spec_is_told_at_its_value() {
    let check = |spec: &str, expected: &str| {
        let files = [
            ("merchant.toml", MANIFEST),
            ("earn.rhai", r#"earn "a" on purchase { 1 }"#),
            ("earn.spec.toml", spec),
        ];
        let sources = Sources::of(files);
        let bundle = Bundle::load(&MerchantId::parse("test").unwrap(), &sources).unwrap();
        let mistakes = bundle.hold_to(&sources).err().unwrap_or_default();
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told, [expected], "{spec}");
    };
    let order = |total: &str| {
        format!(
            "[[spec]]\nit = \"x\"\nactivity = {{ type = \"purchase\", at = \"2026-05-02T09:30:00+02:00\", order = {{ total = \"{total}\" }} }}\n"
        )
    };
    check(
        &(order("12,40") + "pays = {}"),
        "earn.spec.toml:3:77: `/order/total`: `12,40` is not an amount; write digits and a point, such as \"12.40\"",
    );
    check(
        &(order("1") + "pays = { pionts = 1 }"),
        "earn.spec.toml:4:10: there is no wallet `pionts` in the manifest; did you mean `points`?",
    );
    check(
        &(order("1") + "because = \"a\""),
        "earn.spec.toml:4:11: invalid type: string \"a\", expected a list, such as [\"a\", \"b\"]",
    );
    check(
        "[[spec]]\nit = \"x\"\npays = { points = 1 }",
        "earn.spec.toml:2:6: it says no time: write `at`",
    );
}

#[test]
fn the_manifest_and_the_spec_of_the_reference_are_right() {
    let page = crate::reference();
    let mut pieces = page.split("```toml\n").skip(1);
    let mut piece = || pieces.next().unwrap().split("```").next().unwrap().to_owned();
    let (manifest, spec) = (piece(), piece());
    // Its wallet waits; the spec's does not.
    let manifest = manifest.replace("pending_days = 14", "pending_days = 0");
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

#[test]
fn the_hash_changes_with_every_byte() {
    let hash = |files: &[(&str, &str)]| Sources::of(files.iter().copied()).hash();
    let base = hash(&[("a", "bc"), ("d", "e")]);
    assert_eq!(base, hash(&[("d", "e"), ("a", "bc")]));
    assert_ne!(base, hash(&[("a", "b"), ("cd", "e")]));
    assert_ne!(base, hash(&[("a", "bc"), ("d", "e ")]));
}
