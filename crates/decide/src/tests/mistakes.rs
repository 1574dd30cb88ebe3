//! Tests of messages about mistakes in a sheet, and about rules that fail.

use super::*;

/// Each sheet with its mistakes, warnings included.
fn mistakes_of(sheets: &[&str]) -> String {
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
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each mistake")]
fn what_cannot_be_read_is_reported_with_its_place_and_remedy() {
    snapshot(
        "what_cannot_be_read",
        &mistakes_of(&[
            r#"task "B" on purchase goal 2 streak 3 weeks { 5 }"#,
            "earn \"a\" on purchase named \"b\" { 1 }\nearn \"b\" on purchase { 2 }",
            r#"earn "a" on purchase named "" { 1 }"#,
            r#"earn "a" on purchase named b { 1 }"#,
            r#"tier "a" named "b" { true }"#,
            "-- my comment\nearn \"a\" on purchase { 5 }",
            r#"earn "a" on purchase when now.weekend AND order.total > 5 { 5 }"#,
            r#"earn "a" on purchase when now.hour < 11:30 { 5 }"#,
            r#"earn "a" on purchase when order.total > 20€ { 5 }"#,
            r#"task "B" on purchase counting order.pieces streak 3 weeks { 5 }"#,
            r#"earn "a" on purchase { grant("Club", 30 days); }"#,
            r#"reward "a" costs 5.50 { product("x") }"#,
            r#"earn "a" on purchase when now.weekday == "Tuesday" || "Thursday" { 1 }"#,
            r#"earn "a" on purchase { now.weekend ? 10 : 5 }"#,
            r#"earn "a" on purchase { .5 }"#,
            r#"earn "a" on purchase, review { 5 }"#,
            r#"earn "a" on purchase { 1 } when now.weekend"#,
            r#"earn "a" on purchase { let bonus = 5; bonsu * 2 }"#,
            "# my rule\nearn \"a\" on purchase { 1 }",
            r#"earn "a" on purchase at most 100 points per day { 1 }"#,
            r#"earn "a" on purchase at most 1 per 2 weeks { 1 }"#,
            r#"earn "a" on purchase when now.hour =< 11 { 1 }"#,
            r#"earn "a" on purchase { switch order.lines.len() { _ => 1, 2 => 3 } }"#,
            r#"earn "a" on purchase { order. + 1 }"#,
            r#"earn "a" on purchase { let 5 = 3; 1 }"#,
            r#"earn "a" on purchase { if { 1 } }"#,
            r#"fn f { 1 }"#,
            r#"earn "a" on purchase { 1 = 2; 3 }"#,
            r#"earn "a" on purchase { break; 3 }"#,
            r#"earn "a" on purchase { fn f(x) { 1 } 3 }"#,
            r#"earn "a" on purchase { 5 <> 3 }"#,
            r#"earn "a" on purchase { if order.total => 5 { 1 } }"#,
            r#"earn "a" on purchase { if order.total > 5 then 1 else 2 }"#,
            r#"earn "a" on purchase { let x = 5; x++; x }"#,
            r#"earn "a" on purchase { max(1, 2 }"#,
            r#"earn "a" on purchase { 5 points }"#,
            r#"earn "a" on purchase when { 5 }"#,
            r#"earn "a" on purchase when member.tier is "Gold" { 5 }"#,
            r#"earn "a" on purchase when order.total >= 5 && <= 10 { 5 }"#,
            r#"earn "a" on purchase into points and stamps { 1 }"#,
            r#"earn "a" on purchse { 1 }"#,
            r#"earn "a" on purchase into stmps { 1 }"#,
            r#"earn "a" on purchase whn true { 1 }"#,
            r#"earn "a" { 1 }"#,
            r#"earn "a" on purchase"#,
            "earn on purchase { 1 }",
            r#"earn "a" on purchase { 1 "#,
            "earn \"a\" on purchase { 1\nearn \"b\" on purchase { 2 }",
            "earn \"a\" on purchase {\n  if now.hour < 9 { // {\n    1\n\nearn \"b\" on purchase { 2 }",
            "earn \"a\" on purchase {\n  if now.hour < 9 {\n    1\n  else { 2 }\n}",
            "earn \"a\" on purchase { order.lines.filter(|line| line.quantity > 1).len() }",
            r#"earn "a" on purchase at most 1 per fortnight { 1 }"#,
            r#"earn "a" on purchase at most 1 { 1 }"#,
            r#"earn "a" on purchase at most 0 per day { 1 }"#,
            r#"earn "a" on purchase at most 0 points per day { 1 }"#,
            r#"earn "a" on purchase at most 5 points { 1 }"#,
            r#"earn "a" on purchase at most 5 stamps per day { 1 }"#,
            r#"earn "a" on purchase into stamps at most 5 per day points { 1 }"#,
            r#"earn "a" on purchase at most 5 coins per day { 1 }"#,
            r#"task "a" on purchase goal 3 at most 5 points per day { 1 }"#,
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
            r#"reward "a" costs 5 gives product("p")"#,
            r#"earn "a" on purchase once per day { 1 }"#,
            r#"reward "a" costs 5 points gives product("p")"#,
            r#"earn "a" on purchase gives 5"#,
            r#"task "a" on purchase goal 5 within 1 month { 1 }"#,
            r#"task "a" on purchase goal 5 within 2 years { 1 }"#,
            r#"earn "a" on purchase { 1 } earn "b" on purchase { 2 }"#,
            "earn \"a\" on purchase {\n  1\n} // one\nearn \"b\" on purchase { 2 } tier \"c\" { true }",
            "// earn \"a\" on purchase { 1 }\n\n",
            r#"tier "a" when true { true }"#,
            "fn f(n) { n }\nfn f(m) { m }\nearn \"a\" on purchase { 1 }",
        ]),
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each mistake")]
fn what_can_be_proven_wrong_is_reported_in_branches_that_never_run_too() {
    snapshot(
        "what_can_be_proven_wrong",
        &mistakes_of(&[
            "tier \"Silver\" { true }\nearn \"a\" on purchase when member.tier >= \"Silver\" { 7 }",
            r#"earn "a" on purchase when now.date == "24.12.2026" { 1 }"#,
            r#"earn "a" on purchase when now.month_day == "24-12" { 1 }"#,
            r#"earn "a" on purchase when now.date >= "2027-06-01" && now.holiday_name == "Xmas" { 1 }"#,
            r#"earn "a" on purchase { 1.000 }"#,
            r#"earn "a" on purchase { 5 - order.total }"#,
            r#"earn "a" on purchase { points - 20 }"#,
            r#"earn "a" on purchase { if now.weekend { 5 } else { "no" } }"#,
            r#"earn "a" on purchase { member.purchases % 0 }"#,
            r#"earn "a" on purchase { grant("Club", 0.days); }"#,
            r#"reward "a" costs 10 { percent_off(0.10) }"#,
            r#"reward "a" costs 10 { product("") }"#,
            r#"task "a" on purchase goal 3 { product("Coffee") }"#,
            r#"earn "a" on purchase when now.weekday == "Tue" { 1 }"#,
            "fn p(m) { m.has_birthday }\ntier \"B\" { p(member) }",
            "task \"t\" on review goal 3 { 1 }\ntier \"B\" { member.progress(\"t\") >= 2 }",
            r#"earn "a" on purchase { switch order.lines[0].sku { "a" => 1, "a" => 2, _ => 3 } }"#,
            r#"earn "a" on purchase { 99999999999999999999 }"#,
            r#"earn "a" on purchase when 5 < order.total < 10 { 5 }"#,
            r#"earn "a" on purchase when order.category == "x" { 5 }"#,
            "earn \"a\" on purchase { let x = if order.total > 5 { 5 }; x + 1 }",
            "earn \"a\" on purchase { 1 + switch order.lines[0].sku { \"a\" => 1, \"b\" => 2 } }",
            "tier \"Gold\" { true }\nearn \"a\" on purchase { switch member.tier { \"Gold\" => 1, \"Gould\" | \"Silver\" => 2, _ => 0 } }",
            "earn \"a\" on purchase { order.total - 50 }",
            "earn \"a\" on purchase when order.total > 50 { order.total - 50 }",
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
            r#"earn "a" on purchase { order.total / order.quantity("beans") }"#,
            r#"earn "a" on purchase { order.total % order.pieces }"#,
            r#"earn "a" on purchase { 100 / (wallet("points") * 2) }"#,
            "earn \"a\" on purchase { let n = 0; for line in order.lines { n += 1; } order.total / n }",
            r#"earn "a" on review { 10 / activity.stars }"#,
            r#"earn "a" on purchase { let x = 7; x /= member.purchases; x }"#,
            r#"earn "a" on purchase when order.pieces > 0 || order.total / order.pieces > 5 { 1 }"#,
            r#"earn "a" on purchase { if order.pieces > 0 { 1 } else { order.total / order.pieces } }"#,
            r#"earn "a" on purchase when order.has("beans") { order.total / order.quantity("beans") }"#,
            r#"earn "a" on purchase when order.pieces >= 1 && order.total / order.pieces > 5 { 1 }"#,
            r#"earn "a" on purchase { order.total / max(order.pieces, 1) }"#,
            r#"earn "a" on purchase { order.total / (member.purchases + 1) + order.total / now.day }"#,
            r#"earn "a" on purchase { if order.pieces == 0 { 0 } else { order.total / order.pieces } }"#,
            r#"earn "a" on purchase { if order.pieces < 1 { return 0; } order.total / order.pieces }"#,
            r#"earn "a" on purchase { let n = max(order.pieces, 1); order.total / n }"#,
            r#"earn "a" on purchase when order.has("beans") { order.spent("beans") }"#,
            "fn f(order) { order.spent(\"beans\") }\nearn \"a\" on purchase { f(order) }",
            "earn \"a\" on purchase { let n = 0; for line in order.lines { n += line.amount; } n }",
            r#"earn "a" on purchase when order.priced { order.spent("beans") }"#,
            "earn \"a\" on purchase when order.has(\"coffee\") { order.quantity(\"coffee\") }\nearn \"b\" on purchase when order.has(\"cofee\") { 1 }",
            "earn \"a\" on purchase { let n = 0; for line in order.lines { if line.category == \"Beans\" { n += 1; } if line.has(\"beans\") { n += 1; } } n }",
            "earn \"a\" on purchase when member.attribute(\"city\") == \"Berlin\" { 1 }\nearn \"b\" on purchase when member.attribute(\"city\") in [\"Berlni\", \"Rome\"] { 1 }",
            "earn \"a\" on purchase { tag(\"regular\"); }\nearn \"b\" on purchase when member.has(\"reguler\") { 1 }",
            r#"earn "a" on purchase when order.has("size-1") || order.has("size-2") || order.has("tea") || order.has("pea") { 1 }"#,
            r#"earn "a" on purchase when member.tier == "Platinum" { 1 }"#,
            "tier \"Gold\" { true }\ntier \"Top\" { member.tier == \"Platinum\" }\nearn \"a\" on purchase when member.tier == \"Platinum\" { 1 }",
            r#"reward "a" costs 100 to 5_000 when units * 0.005 <= order.total { discount(units * 0.005) }"#,
            r#"earn "a" on purchase when order.has("shoes-s") || order.has("shoes-m") || order.has("running") || order.has("cunning") { 1 }"#,
            r#"earn "a" on purchase when !order.priced { order.spent("beans") }"#,
            r#"reward "a" costs 5 to 10 { discount(100 / units) }"#,
            r#"tier "a" { 10 / member.purchases > 3 }"#,
            r#"earn "a" on purchase when now.time < "11.30" { 1 }"#,
            r#"earn "a" on purchase when now.time >= "09:00" && now.time < "11:30" { 1 }"#,
            r#"earn "a" on purchase { order.id }"#,
            r#"earn "a" on purchase when order.category == "x" && member.points > 5 && member.city == "x" { 1 }"#,
            r#"earn "a" on purchase { 2.5 }"#,
            r#"earn "a" on purchase into status { if now.weekend { 1.5 } else { 2.0 } }"#,
            r#"earn "a" on purchase { switch now.weekday { "Monday" => 0.5, _ => 1 } }"#,
            r#"earn "a" on purchase { award(2.5); }"#,
            r#"earn "a" on purchase { order.total * 2.5 }"#,
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
            r#"earn "a" on purchase { order.amount }"#,
            r#"earn "a" on purchase { order.qty }"#,
            r#"earn "a" on review when activity.photo { 1 }"#,
            r#"earn "a" on purchase { grant("x", 2.hours); }"#,
            r#"earn "a" on purchase { wallet("miles") }"#,
            r#"earn "a" on review { order.total }"#,
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
        &mistakes_of(&[
            r#"earn "Long" on purchase { let n = 0; for i in 0..1000000 { n += 1; } n }"#,
            "fn f(n) { f(n) }\nearn \"Deep\" on purchase { f(1) }",
            r#"earn "Range" on purchase { for i in range(0, 100, 0) { } 1 }"#,
            r#"earn "Minus" on purchase { -5 }"#,
            "fn none() { 0 }\nearn \"Zero\" on purchase { 1 / none() }",
            r#"earn "Big" on purchase { 9_000_000_000_000_000_000 + 9_000_000_000_000_000_000 }"#,
            r#"earn "Huge" on purchase { 1_000_000_000_000_000 + 1 }"#,
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
            r#"earn "In" on purchase when order.priced && order.lines[0].price * 2 in [6.2, 7] && 1.00 in [1] { 1 }"#,
            "earn \"a\" on purchase { 5 }\nearn \"b\" on purchase { 6 }",
            r#"earn "Span" on purchase { grant("x", member.purchases.days); }"#,
            r#"earn "Text" on purchase { let s = "ab"; for i in 0..20 { s += s; } 1 }"#,
        ]),
    );
}

#[test]
fn what_one_activity_sets_in_motion_together_is_bounded() {
    let load = |campaigns: &[&str], sheet: &str| {
        let campaigns: String = campaigns
            .iter()
            .enumerate()
            .map(|(number, days)| format!("[campaigns.c{number}]\nbudget = 9\n{days}\n"))
            .collect();
        let pools: String = (0..9).map(|number| format!("[pools.p{number}]\n")).collect();
        let manifest = format!("{MANIFEST}{campaigns}{pools}");
        load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)])
    };
    let rules = |count: usize, rule: fn(usize) -> String| (0..count).map(rule).collect::<String>();
    let earn = |number| format!("earn \"e{number}\" on purchase during c{number} {{ 1 }}\n");
    let contest = |number| format!("contest \"k{number}\" on purchase {{ 1 }}\n");
    let voucher = |number| {
        format!(
            "earn \"v{number}\" on purchase when order.total > {number} {{ voucher(\"p{number}\"); }}\n"
        )
    };
    let reward = |number| format!("reward \"r{number}\" costs 9 {{ voucher(\"p{number}\") }}\n");
    assert!(load(&[""; 3], &rules(3, earn)).is_ok());
    let message = load(&[""; 4], &rules(4, earn)).unwrap_err();
    assert!(message.contains("earn.rhai:4:1: at most 3 campaigns with a budget"), "{message}");
    // Any number is allowed on days that do not overlap.
    let days = ["from = 2026-01-01\nuntil = 2026-01-31"; 3];
    let later = ["from = 2026-02-01"; 3];
    assert!(load(&[days, later].concat(), &rules(6, earn)).is_ok());
    assert!(load(&[], &rules(10, contest)).is_ok());
    let message = load(&[], &rules(11, contest)).unwrap_err();
    assert!(message.contains("earn.rhai:11:1: at most 10 contests"), "{message}");
    // Rewards do not count together, since each is redeemed alone.
    assert!(load(&[], &rules(9, reward)).is_ok());
    assert!(load(&[], &rules(8, voucher)).is_ok());
    let message = load(&[], &rules(9, voucher)).unwrap_err();
    assert!(message.contains("earn.rhai:9:54: at most 8 pools"), "{message}");
}

#[test]
fn what_was_published_before_a_check_became_stricter_is_still_read() {
    let merchant = MerchantId::parse("test").unwrap();
    let sources = |earn| Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", earn)]);
    let proven_wrong =
        sources("earn \"a\" on purchase { if order.total > 5 { 1 } else { \"no\" } }");
    assert!(Bundle::load(&merchant, &proven_wrong).is_err());
    assert!(Bundle::published(&merchant, &proven_wrong).is_ok());
    assert!(Bundle::published(&merchant, &sources("earn \"a\" on")).is_err());
}

#[test]
fn a_tier_cannot_ask_for_what_others_spend() {
    let manifest = format!("{MANIFEST}[wallets.miles]\nshared = true\n");
    let check = |sheet: &str, expected: &str| {
        let message = load(&[("merchant.toml", &manifest), ("tiers.rhai", sheet)]).err();
        let message = message.unwrap_or_default();
        assert!(message.contains(expected), "{sheet}: {message}");
    };
    let cannot = "a tier is one member's own and cannot ask for `miles`, which others spend from";
    check("tier \"Gold\" { wallet(\"miles\") >= 100 }", cannot);
    check("fn many() { wallet(\"miles\") >= 100 }\ntier \"Gold\" { many() }", cannot);
    // The wallet is not known before the sheet runs.
    check("fn many(w) { wallet(w) >= 100 }\ntier \"Gold\" { many(\"status\") }", cannot);
    let own = "tier \"Gold\" { wallet(\"status\") >= 100 }";
    assert!(load(&[("merchant.toml", &manifest), ("tiers.rhai", own)]).is_ok());
}
