//! Rules that are edited, fail, or never end.

use end_to_end::Shop;
use end_to_end::audit::audit;
use ledger::MerchantId;
use rules::Sources;
use serde_json::{Value, json};

const MANIFEST: &str =
    "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]\n[wallets.stamps]";

#[tokio::test]
async fn a_rule_that_fails_pays_nothing_and_its_activity_is_recorded() {
    let check = async |earn: &str, expected: &str| {
        let shop = Shop::under(&[("merchant.toml", MANIFEST), ("earn.rhai", earn)]).await;
        shop.enroll("ada").await;
        let order = json!({ "type": "purchase", "order": { "total": "1" } });
        let answer = shop.post("/v1/members/ada/earn", Some("k"), &order).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let note = answer.at("/entry/notes/0");
        let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
        let noted = format!("{} {}: {}", text("rule"), text("source"), text("message"));
        assert_eq!(noted, expected);
        // What the other rules give is given.
        assert_eq!(answer.at("/entry/balances/points"), 5);
        shop.all_is_well().await;
        // The merchant may want such an activity refused.
        let refuse = format!("on_failure = \"refuse\"\n{MANIFEST}");
        let shop = Shop::under(&[("merchant.toml", &refuse), ("earn.rhai", earn)]).await;
        shop.enroll("ada").await;
        let answer = shop.post("/v1/members/ada/earn", Some("k"), &order).await;
        assert_eq!((answer.status.as_u16(), answer.at("/code")), (500, json!("rule_failed")));
        let audited = audit(shop.database.store(), "test").await;
        assert_eq!((audited.members, audited.entries), (1, 0));
    };
    check(
        "earn \"Fine\" on purchase { 5 }\nearn \"Long\" on purchase { for i in 0..1_000_000 { } }",
        "Long earn.rhai:2: it does too much: together with what is asked beside it, it may take 25000 steps; a loop may have no end",
    )
    .await;
    check(
        "earn \"Fine\" on purchase { 5 }\nearn \"Broken\" on purchase { order.total / order.pieces }",
        "Broken earn.rhai:2: division by zero: 1.00 / 0",
    )
    .await;
    check(
        "fn many() { \"many\" }\nearn \"Text\" on purchase into stamps { many() }\nearn \"Fine\" on purchase { 5 }",
        "Text earn.rhai:2: a rule pays a number of units, not text",
    )
    .await;
    // What a rule gave before it failed is not given.
    check(
        "earn \"Half\" on purchase { award(7); order.total / order.pieces }\nearn \"Fine\" on purchase { 5 }",
        "Half earn.rhai:1: division by zero: 1.00 / 0",
    )
    .await;
}

const SPEC: &str = r#"[[spec]]
it = "pays six"
activity = { type = "purchase", at = "2026-05-02T09:30:00+02:00", order = { total = "1" } }
pays = { points = 6 }
"#;

#[tokio::test]
async fn a_bundle_with_mistakes_or_a_spec_that_fails_is_not_published_and_the_old_one_stays() {
    let shop =
        Shop::under(&[("merchant.toml", MANIFEST), ("earn.rhai", r#"earn "a" on purchase { 5 }"#)])
            .await;
    shop.enroll("ada").await;
    let merchant = MerchantId::parse("test").unwrap();
    for (files, expected) in [
        (
            vec![("merchant.toml", MANIFEST), ("earn.rhai", "earn \"a\" on purchase { 5 ")],
            "earn.rhai:1:22",
        ),
        (vec![("earn.rhai", "earn \"a\" on purchase { 5 }")], "merchant.toml: is missing"),
        (vec![("merchant.toml", MANIFEST)], "there is no sheet"),
        (
            vec![
                ("merchant.toml", MANIFEST),
                ("earn.rhai", "earn \"a\" on purchase { 5 }"),
                ("earn.spec.toml", SPEC),
            ],
            "earn.spec.toml:2:1: the spec \"pays six\" fails: pays: expected { points = 6 }, found { points = 5 }",
        ),
        (vec![("merchant.toml", "name = 5"), ("earn.rhai", "")], "merchant.toml:1:8"),
    ] {
        let rejected = api::publish(
            shop.database.store(),
            &merchant,
            &Sources::of(files),
            api::Forgetting::Allowed,
        )
        .await
        .unwrap_err();
        assert!(rejected.to_string().contains(expected), "{rejected}");
        assert_eq!(shop.buys("ada", expected, "1").await.at("/entry/postings/0/change"), 5);
    }
}

#[tokio::test]
async fn an_edit_is_in_force_with_the_next_request_and_past_lots_keep_their_terms() {
    let shop = Shop::under(&[
        ("merchant.toml", MANIFEST),
        ("earn.rhai", r#"earn "Old" on purchase { 5 }"#),
    ])
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "1").await;
    let merchant = MerchantId::parse("test").unwrap();
    let shorter = MANIFEST.replace("[wallets.points]", "[wallets.points]\nexpires = { days = 1 }");
    let files =
        [("merchant.toml", shorter.as_str()), ("earn.rhai", r#"earn "New" on purchase { 7 }"#)];
    api::publish(shop.database.store(), &merchant, &Sources::of(files), api::Forgetting::Allowed)
        .await
        .unwrap();
    let new = shop.buys("ada", "2", "1").await;
    assert_eq!(new.at("/entry/because/0/rule"), "New");
    assert_eq!(new.at("/entry/balances/points"), 12);
    shop.at("2026-05-04T00:00:00Z");
    assert_eq!(shop.get("/v1/members/ada").await.at("/wallets/points/balance"), 5);
    assert_eq!(shop.run_expiry().await.expired, 1);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_tier_that_fails_names_itself() {
    let shop = Shop::under(&[
        ("merchant.toml", MANIFEST),
        ("earn.rhai", ""),
        ("tiers.rhai", r#"tier "Odd" { wallet("points") / wallet("points") > 1 }"#),
    ])
    .await;
    shop.enroll("ada").await;
    // The member has no tier, and everything else works.
    assert_eq!(shop.get("/v1/members/ada").await.at("/tier"), Value::Null);
    let bought = json!({ "type": "purchase", "order": { "total": "1.00" } });
    for query in ["?dry_run=true", ""] {
        let path = format!("/v1/members/ada/earn{query}");
        let earned = shop.post(&path, Some("1"), &bought).await;
        assert_eq!(earned.at("/entry/notes/0/rule"), "Odd", "{}", earned.text);
    }
    let gift = json!({ "units": 5, "reason": "sorry", "author": "till" });
    let adjusted = shop.post("/v1/members/ada/adjust", Some("2"), &gift).await;
    assert_eq!((adjusted.status.as_u16(), adjusted.at("/entry/notes/0")), (201, Value::Null));
    assert_eq!(
        shop.post("/v1/members/ada/reverse", Some("3"), &json!({ "earn": "1" })).await.status,
        201
    );
    shop.all_is_well().await;
    // Whoever wants that a rule that fails refuses is told of the tier, too.
    let refuses = format!("on_failure = \"refuse\"\n{MANIFEST}");
    shop.publish(&[
        ("merchant.toml", &refuses),
        ("earn.rhai", ""),
        ("tiers.rhai", r#"tier "Odd" { 1 / (wallet("points") - 5) > 1 }"#),
    ])
    .await;
    assert_eq!(
        shop.get("/v1/members/ada").await.problem(),
        "500 rule_failed : rule `Odd` failed at tiers.rhai:1:16: division by zero: 1 / 0"
    );
}

#[tokio::test]
async fn a_tier_that_fails_keeps_nobody_from_a_reward_or_from_expiring() {
    let wallets = "[wallets.points]\nexpires = { days = 10 }\n[wallets.status]\nspendable = false\nexpires = { days = 10 }";
    let manifest = MANIFEST.replace("[wallets.points]", wallets);
    let rules = "earn \"p\" on purchase { award(1, \"status\"); order.total }\nreward \"r\" costs 1 { product(\"p\") }\nreward \"s\" costs 1 { product(\"p\") }";
    let tiers = "tier \"B\" { true }\ntier \"U\" { 1000 / wallet(\"status\") < 20 }";
    let files = [("merchant.toml", manifest.as_str()), ("earn.rhai", rules), ("tiers.rhai", tiers)];
    let shop = Shop::under(&files).await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "10.00").await;
    let hold = shop.post("/v1/members/ada/holds", Some("h"), &json!({ "reward": "r" })).await;
    assert_eq!(hold.status, 201, "{}", hold.text);
    shop.at("2026-05-13T10:00:00Z");
    // The status points are gone, and nobody can divide by them.
    let night = shop.run_expiry().await;
    assert_eq!((night.finished, night.units["test/points"]), (true, 10));
    let gift = json!({ "units": 5, "reason": "sorry", "author": "till" });
    let adjusted = shop.post("/v1/members/ada/adjust", Some("2"), &gift).await;
    assert_eq!(adjusted.at("/entry/notes/0/rule"), "U", "{}", adjusted.text);
    let redeemed = shop.post("/v1/members/ada/redeem", Some("3"), &json!({ "reward": "s" })).await;
    assert_eq!(redeemed.at("/entry/notes/0/rule"), "U", "{}", redeemed.text);
    assert_eq!(shop.get("/v1/members/ada/rewards").await.status, 200);
    shop.all_is_well().await;
}
