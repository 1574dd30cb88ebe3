//! The tools for merchants: check, test, simulate, explain.

use std::path::Path;
use std::process::Output;

use end_to_end::{Shop, rules};
use ledger::MerchantId;
use local::Database;
use rules::Sources;

use super::regulars;

const MANIFEST: &str =
    "name = \"Corner shop\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n[wallets.points]\n";

fn shop(folder: &Path, files: &[(&str, &str)]) -> String {
    let shop = folder.join("corner-shop");
    std::fs::create_dir_all(&shop).unwrap();
    for (name, text) in files {
        std::fs::write(shop.join(name), text).unwrap();
    }
    shop.to_str().unwrap().to_owned()
}

fn run(arguments: &[&str]) -> Output {
    regulars(arguments.iter().copied()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn check_draws_each_mistake_under_its_line_and_tells_editors_too() {
    let folder = tempfile::tempdir().unwrap();
    let sheet =
        "earn \"a\" on purchase { order.totl }\nearn \"b\" on purchase when now.hour >= 24 { 1 }\n";
    let shop =
        shop(folder.path(), &[("merchant.toml", MANIFEST), ("earn.rhai", sheet), ("earn.txt", "")]);
    let checked = run(&["check", &shop]);
    assert!(!checked.status.success());
    let output = out(&checked).replace(&shop, "corner-shop");
    assert_eq!(
        output,
        "corner-shop/earn.txt: this file is not read; sheets end in `.rhai`, specs in `.spec.toml`, and the manifest is `merchant.toml`\n\n\
error: `order` has no `totl`\n \
--> corner-shop/earn.rhai:1:30\n  \
  |\n1 | earn \"a\" on purchase { order.totl }\n  |                              ^^^^ did you mean `total`?\n\n\
warning: this never applies: `now.hour` is from 0 to 23\n \
--> corner-shop/earn.rhai:2:36\n  \
  |\n2 | earn \"b\" on purchase when now.hour >= 24 { 1 }\n  |                                    ^\n\n\
1 programme checked: 1 error, 2 warnings\n"
    );
    let json = run(&["check", "--format", "json", &shop]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["mistakes"][0]["severity"], "warning");
    assert_eq!(json["mistakes"][1]["line"], 1);
    assert_eq!(json["mistakes"][1]["column"], 30);
    assert_eq!(json["mistakes"][1]["end_column"], 34);
    assert_eq!(json["mistakes"][2]["severity"], "warning");
    let all = rules();
    assert!(run(&["check", all.to_str().unwrap()]).status.success());
}

#[test]
fn a_sheet_that_is_not_read_or_empty_is_told_before_what_follows_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "[[spec]]\nit = \"pays\"\nactivity = { type = \"purchase\", at = \"2026-05-02T09:30:00+02:00\", order = { total = \"1\" } }\npays = { points = 1 }\n";
    let files = [
        ("merchant.toml", MANIFEST),
        ("earn.rhia", "earn \"a\" on purchase { 1 }"),
        ("more.rhai", "// to come\n"),
        ("earn.spec.toml", spec),
    ];
    let shop = shop(folder.path(), &files);
    let tested = run(&["test", &shop]);
    assert!(!tested.status.success());
    let said = String::from_utf8_lossy(&tested.stderr).replace(&shop, "corner-shop");
    let first = "corner-shop/earn.rhia: this file is not read; sheets end in `.rhai`, specs in `.spec.toml`, and the manifest is `merchant.toml`\n\ncorner-shop/more.rhai: there is no rule in this sheet\n";
    assert!(said.starts_with(first), "{said}");
    let checked = out(&run(&["check", &shop])).replace(&shop, "corner-shop");
    assert!(checked.starts_with(first), "{checked}");
}

#[test]
fn test_shows_what_differs_and_update_writes_it_down() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "# What we promise.\n[[spec]]\nit = \"pays five\"\nactivity = { type = \"purchase\", at = \"2026-05-02T09:30:00+02:00\", order = { total = \"1\" } }\npays = { points = 4 } # or so\n";
    let shop = shop(
        folder.path(),
        &[
            ("merchant.toml", MANIFEST),
            (
                "earn.rhai",
                "earn \"Five\" on purchase { 5 }\nearn \"Rich\" on purchase when order.total > 100 { 1 }",
            ),
            ("earn.spec.toml", spec),
        ],
    );
    let failed = run(&["test", &shop]);
    assert!(!failed.status.success());
    assert_eq!(
        out(&failed),
        "\ncorner-shop: 1 spec\n  pays five ... FAILS\n      earn.spec.toml:3: pays\n        - { points = 4 }\n        + { points = 5 }\n  1 of 2 rules shown both ways\n    earn `Rich` at earn.rhai:2 is never true\n\n0 specs hold, 1 fail\n"
    );
    assert!(run(&["test", "--update", &shop]).status.success());
    let updated = std::fs::read_to_string(Path::new(&shop).join("earn.spec.toml")).unwrap();
    assert_eq!(updated, spec.replace("4", "5"));
    assert!(run(&["test", &shop]).status.success());
    // A spec with inline arrays and steps is updated, too.
    let spec = "spec = [\n  { it = \"x\", step = [\n    { at = \"2026-05-02T09:30:00+02:00\", balance = { points = 1 } }, # too many\n  ] },\n]\n";
    std::fs::write(Path::new(&shop).join("earn.spec.toml"), spec).unwrap();
    assert!(run(&["test", "--update", &shop]).status.success());
    let updated = std::fs::read_to_string(Path::new(&shop).join("earn.spec.toml")).unwrap();
    assert_eq!(updated, spec.replace("points = 1", "points = 0"));
    assert!(run(&["test", &shop]).status.success());
    // So is a spec with tables and a list over several lines. A difference in what is refused is
    // left to a person.
    let spec = "[[spec]]\nit = \"x\"\n[[spec.step]]\nactivity = { type = \"purchase\", at = \"2026-05-02T09:30:00+02:00\", order = { total = \"101\" } }\nbecause = [\n  \"Rich\", # first\n  # no more\n]\n[spec.step.pays]\npoints = 4 # or so\n";
    let refused =
        "[[spec]]\nit = \"y\"\nat = \"2026-05-02T09:30:00+02:00\"\npays = {}\nrefused = \"dear\"\n";
    std::fs::write(Path::new(&shop).join("earn.spec.toml"), spec.to_owned() + refused).unwrap();
    let failed = out(&run(&["test", "--update", &shop]));
    assert!(failed.contains("earn.spec.toml:3, step 1: pays"), "{failed}");
    assert!(failed.ends_with("0 specs hold, 2 fail; 1 written anew; 1 left to you: whether something is refused is never written for you\n"), "{failed}");
    let updated = std::fs::read_to_string(Path::new(&shop).join("earn.spec.toml")).unwrap();
    let first = spec
        .replace("4 #", "6 #")
        .replace("\"Rich\", # first\n  # no more\n", "\"Five\", \"Rich\", # first\n  # no more\n");
    assert_eq!(updated, first + refused);
    // An empty table is written out, or the spec would expect nothing.
    let spec = "[[spec]]\nit = \"x\"\nat = \"2026-05-02T09:30:00+02:00\"\npays.points = 5\n";
    std::fs::write(Path::new(&shop).join("earn.spec.toml"), spec).unwrap();
    assert!(run(&["test", "--update", &shop]).status.success());
    assert!(run(&["test", &shop]).status.success());
    let unread = std::fs::write(Path::new(&shop).join("earn.spec.toml"), "[[spec]]\nit = 5\n");
    unread.unwrap();
    let broken = run(&["test", &shop]);
    assert!(
        String::from_utf8_lossy(&broken.stderr)
            .contains("a text in quotes is needed here, not the number `5`")
    );
}

#[test]
fn simulate_shows_every_rule_and_explain_derives_an_entry_again() {
    let folder = tempfile::tempdir().unwrap();
    let (activity, member) = (folder.path().join("a.json"), folder.path().join("m.json"));
    let order = r#"{ "type": "purchase", "at": "2026-05-02T09:30:00+02:00", "order": { "total": "12.40" } }"#;
    std::fs::write(&activity, order).unwrap();
    std::fs::write(&member, r#"{ "tier": "Gold" }"#).unwrap();
    let all = rules();
    let (all, activity) = (all.to_str().unwrap(), activity.to_str().unwrap());
    let simulated = run(&[
        "simulate",
        "--merchant",
        "sunrise-coffee",
        activity,
        "--rules",
        all,
        "--member",
        member.to_str().unwrap(),
        "--json",
    ]);
    let json: serde_json::Value = serde_json::from_slice(&simulated.stdout).unwrap();
    assert_eq!(json["trace"][1]["verdict"], "applies");
    assert_eq!(json["trace"][1]["saw"]["member.tier"], "\"Gold\"");
    assert_eq!(json["entry"]["balances"]["points"], 39);

    let orders = folder.path().join("orders.jsonl");
    let line = |day: u32| {
        format!(
            r#"{{"member": "ada", "activity": {{"type": "purchase", "id": "{day}", "at": "2026-05-{day:02}T08:00:00Z", "order": {{"total": "40.00"}}}}}}"#
        )
    };
    let lines: Vec<String> = (4..10).map(line).collect();
    std::fs::write(&orders, lines.join("\n")).unwrap();
    let data = folder.path().join("d.db");
    let (orders, data) = (orders.to_str().unwrap(), data.to_str().unwrap());
    let replayed = run(&[
        "replay",
        "--merchant",
        "sunrise-coffee",
        orders,
        "--rules",
        all,
        "--data",
        data,
        "--redeem-when-possible",
    ]);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    for entry in ["1", "5", "6"] {
        let explained = run(&[
            "explain",
            "--merchant",
            "sunrise-coffee",
            "--member",
            "ada",
            entry,
            "--data",
            data,
        ]);
        let output = out(&explained);
        assert!(
            explained.status.success(),
            "{output}{}",
            String::from_utf8_lossy(&explained.stderr)
        );
        assert!(output.contains("the member as it was before it: the same."), "{output}");
    }
    let none =
        run(&["explain", "--merchant", "sunrise-coffee", "--member", "ada", "99", "--data", data]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("has no entry 99"));
}

/// The code blocks of a page in this language.
fn pieces(page: &str, kind: &str) -> Vec<String> {
    let begins = format!("```{kind}\n");
    let rest = page.split(&begins).skip(1);
    rest.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn the_guide_and_the_readme_show_what_the_tools_say() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("rules/my-shop");
    copy(&rules().join("sunrise-coffee"), &shop);
    let here = |arguments: &[&str]| {
        regulars(arguments.iter().copied()).current_dir(folder.path()).output().unwrap()
    };
    let guide = std::fs::read_to_string(rules().join("GUIDE.md")).unwrap();

    // The guide's first rule is one of the shop, and its mistake is reported as the guide shows it.
    let sheet = std::fs::read_to_string(shop.join("earn.rhai")).unwrap();
    let snippets = pieces(&guide, "rust");
    assert!(sheet.contains(&snippets[0]));
    std::fs::write(shop.join("earn.rhai"), sheet.replace("now.hour <", "now.hours <")).unwrap();
    assert!(out(&here(&["check", "rules/my-shop"])).starts_with(&pieces(&guide, "text")[0]));

    // The guide's own rules have no mistakes, and its spec holds for them.
    std::fs::write(shop.join("earn.rhai"), sheet.clone() + snippets[1].as_str()).unwrap();
    let rest = snippets[2].replace("wallet(\"status\") >= 300", "wallet(\"status\") < 0");
    std::fs::write(shop.join("more.rhai"), rest).unwrap();
    std::fs::write(shop.join("more.spec.toml"), &pieces(&guide, "toml")[0]).unwrap();
    let manifest = std::fs::read_to_string(shop.join("merchant.toml")).unwrap();
    let policy = &pieces(&guide, "toml")[1];
    std::fs::write(shop.join("merchant.toml"), format!("{manifest}\n{policy}")).unwrap();
    let checked = here(&["check", "rules/my-shop"]);
    assert!(checked.status.success(), "{}", out(&checked));
    let held = here(&["test", "rules/my-shop", "--only", "rainy Monday"]);
    assert!(out(&held).ends_with("1 specs hold, 0 fail\n"), "{}", out(&held));

    // So has the rule under its new title, in the place of the old one.
    std::fs::write(shop.join("earn.rhai"), sheet + snippets[3].as_str()).unwrap();
    let spec = pieces(&guide, "toml")[0].replace("\"Rainy Mondays\"", "\"Mondays in the rain\"");
    std::fs::write(shop.join("more.spec.toml"), spec).unwrap();
    let checked = here(&["check", "rules/my-shop"]);
    assert!(checked.status.success(), "{}", out(&checked));

    std::fs::write(folder.path().join("order.json"), &pieces(&guide, "json")[0]).unwrap();
    let simulated = out(&here(&["simulate", "--merchant", "my-shop", "order.json"]));
    assert!(
        simulated.ends_with(
            "+32 points, until 2027-06-01 00:00\n+2 stamps\n+12 status, until 2027-06-01 00:00\ntier: Bronze\n"
        ),
        "{simulated}"
    );

    let readme = std::fs::read_to_string(rules().join("../README.md")).unwrap();
    copy(&rules().join("sunrise-coffee"), &shop);
    std::fs::remove_file(shop.join("more.rhai")).unwrap();
    std::fs::write(shop.join("more.spec.toml"), &pieces(&readme, "toml")[0]).unwrap();
    let held = here(&["test", "rules/my-shop"]);
    assert!(out(&held).ends_with(" specs hold, 0 fail\n"), "{}", out(&held));
}

#[test]
fn codes_are_brought_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("d.db"), folder.path().join("codes.txt"));
    std::fs::write(&file, "A-1\nA-2\n\nA-3\n").unwrap();
    let bring = || {
        let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
        run(&["vouchers", "--merchant", "test", "--pool", "SPRING", file, "--data", data])
    };
    assert_eq!(out(&bring()), "3 codes are new in SPRING; 0 were there\n");
    assert_eq!(out(&bring()), "0 codes are new in SPRING; 3 were there\n");
}

#[tokio::test]
async fn explain_derives_both_sides_of_a_referral_and_what_found_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d.db");
    let database = Database::open(Some(&data), 0).await.unwrap();
    let manifest = MANIFEST.to_owned()
        + "[activities.referral]\n[pools.SPRING]\n[campaigns.summer]\nbudget = 100\n[campaigns.autumn]\nbudget = 100\n";
    let sheet = r#"
earn "Friend" on purchase during summer when member.referred { refer(); tag("came"); 6 }
earn "Marked" on purchase during autumn { tag("summer"); }
earn "Code" on purchase { voucher("SPRING"); }
earn "Brought" on referral during summer { 6 }"#;
    let sources = Sources::of([("merchant.toml", manifest.as_str()), ("earn.rhai", sheet)]);
    let merchant = MerchantId::parse("test").unwrap();
    api::publish(database.store(), &merchant, &sources, api::Forgetting::Allowed).await.unwrap();
    let shop = Shop::with(database, "test").await;
    shop.enroll("ada").await;
    let bob = serde_json::json!({ "id": "bob", "referred_by": "ada" });
    shop.post("/v1/members", None, &bob).await;
    shop.buys("bob", "o1", "10.00").await;
    drop(shop);
    for member in ["ada", "bob"] {
        let data = data.to_str().unwrap();
        let explained =
            run(&["explain", "--merchant", "test", "--member", member, "1", "--data", data]);
        let said = String::from_utf8_lossy(&explained.stderr).into_owned();
        assert!(out(&explained).ends_with("the same.\n"), "{member}: {said}");
    }
}

#[tokio::test]
async fn explain_says_what_something_told_late_changed_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d.db");
    let database = Database::open(Some(&data), 0).await.unwrap();
    let sheet = r#"
earn "First" on purchase when member.purchases == 0 { 50 }
earn "Twice" on purchase at most 2 per month { 10 }
earn "Gold" on purchase { if member.tier == "Gold" { order.total } else { 0 } }
task "Three" on purchase goal 3 { 30 }
tier "Base" { true }
tier "Gold" { member.spend >= 100 }"#;
    let sources = Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", sheet)]);
    let merchant = MerchantId::parse("test").unwrap();
    api::publish(database.store(), &merchant, &sources, api::Forgetting::Allowed).await.unwrap();
    let shop = Shop::with(database, "test").await;
    shop.enroll("ada").await;
    shop.at("2026-05-04T08:00:00Z");
    let ask = async |path: &str, key: &str, body: serde_json::Value| {
        let answer = shop.post(&format!("/v1/members/ada/{path}"), Some(key), &body).await;
        assert!(answer.status.is_success(), "{path} {key}: {}", answer.text);
    };
    for (id, hour, total) in [("2", 10, "60.00"), ("3", 12, "60.00"), ("1", 9, "50.00")] {
        let at = format!("2026-05-03T{hour:02}:00:00Z");
        let order = serde_json::json!({ "total": total });
        let order = serde_json::json!({ "id": id, "type": "purchase", "at": at, "order": order });
        ask("earn", id, order).await;
    }
    ask("reverse", "a", serde_json::json!({ "order": "1" })).await;
    let gift = serde_json::json!({
        "units": 5, "reason": "sorry", "author": "eve", "at": "2026-05-03T11:00:00Z"
    });
    ask("adjust", "b", gift).await;
    drop(shop);
    let explain = |entry: &str| {
        let data = data.to_str().unwrap();
        let explained =
            run(&["explain", "--merchant", "test", "--member", "ada", entry, "--data", data]);
        let page = out(&explained);
        let said = String::from_utf8_lossy(&explained.stderr).into_owned();
        assert!(page.ends_with("the same.\n"), "{entry}: {said}\n{page}");
        page
    };
    let page = explain("3");
    for why in [
        "It changes what happened from 2026-05-03",
        "member.purchases is 1, not 0",
        "its cap has 0 left, not 1",
        "judged as Gold, not Base",
        "2 of it were done before, not 1",
    ] {
        assert!(page.contains(why), "{why}: {page}");
    }
    let back = explain("4");
    assert!(back.contains("Taken back: entry 3, purchase 1 of 50.00"), "{back}");
    assert!(back.contains("member.purchases is 0, not 1"), "{back}");
    let gift = explain("5");
    assert!(gift.contains("No other entry is otherwise for it."), "{gift}");
}

#[tokio::test]
async fn explain_says_what_was_put_right_what_part_came_back_and_what_counts_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d.db");
    let database = Database::open(Some(&data), 0).await.unwrap();
    let sheet = r#"
earn "First" on purchase when member.purchases == 0 { 50 }
earn "Euros" on purchase { order.total }
task "Two" on purchase goal 2 { voucher("SPRING"); 30 }"#;
    let manifest = format!("{MANIFEST}[pools.SPRING]\n");
    let sources = Sources::of([("merchant.toml", manifest.as_str()), ("earn.rhai", sheet)]);
    let merchant = MerchantId::parse("test").unwrap();
    api::publish(database.store(), &merchant, &sources, api::Forgetting::Allowed).await.unwrap();
    let codes = ["A".to_owned(), "B".to_owned()];
    database.store().import_codes(&merchant, "SPRING", &codes).await.unwrap();
    let shop = Shop::with(database, "test").await;
    shop.enroll("ada").await;
    let ask = async |path: &str, key: &str, body: serde_json::Value| {
        let answer = shop.post(&format!("/v1/members/ada/{path}"), Some(key), &body).await;
        assert!(answer.status.is_success(), "{path} {key}: {}", answer.text);
    };
    let order = |total: &str| serde_json::json!({ "id": "o", "type": "purchase", "order": { "total": total } });
    ask("earn", "1", order("100.00")).await;
    let mut right = order("80.00");
    right["replaces"] = "o".into();
    ask("earn", "2", right).await;
    ask("reverse", "3", serde_json::json!({ "order": "o", "refund": "30.00" })).await;
    shop.buys("ada", "p", "10.00").await;
    ask("reverse", "5", serde_json::json!({ "order": "p" })).await;
    ask("reverse", "6", serde_json::json!({ "reverse": "5" })).await;
    drop(shop);
    let explain = |entry: &str| {
        let data = data.to_str().unwrap();
        let explained =
            run(&["explain", "--merchant", "test", "--member", "ada", entry, "--data", data]);
        let page = out(&explained);
        let said = String::from_utf8_lossy(&explained.stderr).into_owned();
        assert!(page.ends_with("the same.\n"), "{entry}: {said}\n{page}");
        page
    };
    let put_right = explain("2");
    assert!(put_right.starts_with("Entry 2 of test/ada: purchase o of 80.00, "), "{put_right}");
    let first = put_right.lines().find(|line| line.contains(" First ")).unwrap();
    assert!(first.contains("applies") && first.contains("member.purchases is 0"), "{put_right}");
    assert!(put_right.contains("stands at 1 of 2"), "{put_right}");
    let part = explain("3");
    assert!(
        part.contains("Taken back: 30.00 paid back, of entry 2, purchase o of 80.00"),
        "{part}"
    );
    assert!(part.contains("-30 points"), "{part}");
    let gone = explain("5");
    assert!(gone.contains("A from SPRING is good no more"), "{gone}");
    let again = explain("6");
    for said in [
        "Not taken back any more: entry 4, purchase p of 10.00",
        "it counts again",
        "gives A from SPRING",
    ] {
        assert!(again.contains(said), "{said}: {again}");
    }
}
