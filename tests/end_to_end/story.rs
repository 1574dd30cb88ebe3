//! A day in a coffee shop.

use end_to_end::Shop;
use end_to_end::audit::audit;
use serde_json::json;

#[tokio::test]
async fn a_member_earns_redeems_and_reads_why() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;

    // It is a Saturday, 9:30.
    let order = json!({
        "type": "purchase",
        "order": { "total": "31.60", "lines": [
            { "sku": "espresso", "category": "coffee", "quantity": 10, "price": "2.54" },
            { "sku": "house", "category": "beans", "quantity": 1, "price": "6.20" },
        ]},
    });
    let earned = shop.post("/v1/members/ada/earn", Some("order-1"), &order).await;
    insta::assert_json_snapshot!("earned", earned.json());
    assert_eq!(earned.status, 201);

    let redeemed =
        shop.post("/v1/members/ada/redeem", Some("r-1"), &json!({ "reward": "free-coffee" })).await;
    assert_eq!(redeemed.status, 201);
    insta::assert_json_snapshot!("redeemed", redeemed.json());

    insta::assert_json_snapshot!("member", shop.get("/v1/members/ada").await.json());
    insta::assert_json_snapshot!("rewards", shop.get("/v1/members/ada/rewards").await.json());

    // The statement has the newest entry first, with the same entries as the answers, and with all
    // that is known of the activity.
    let statement = shop.get("/v1/members/ada/entries").await;
    assert_eq!(statement.at("/entries/0"), redeemed.at("/entry"));
    let mut stated = statement.at("/entries/1");
    let order = stated["activity"].as_object_mut().unwrap().remove("order").unwrap();
    assert_eq!(stated, earned.at("/entry"));
    assert_eq!(order["lines"][0]["sku"], "espresso");
    assert!(statement.at("/entries/2").is_null());
    assert!(statement.at("/next_cursor").is_null());
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_tier_is_reached_and_pays_from_the_next_order() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let bronze = shop.buys("ada", "1", "400.00").await;
    assert_eq!(bronze.at("/entry/tier"), json!({ "from": null, "to": "Bronze" }));
    let gold = shop.buys("ada", "2", "1100.00").await;
    assert_eq!(gold.at("/entry/tier"), json!({ "from": "Bronze", "to": "Gold" }));
    let rules = |answer: &end_to_end::Answer| -> Vec<String> {
        let reasons = answer.at("/entry/because");
        reasons.as_array().unwrap().iter().map(|paid| paid["rule"].to_string()).collect()
    };
    assert!(!rules(&gold).contains(&"\"Gold members earn double\"".to_owned()));
    let doubled = shop.buys("ada", "3", "10.00").await;
    assert!(rules(&doubled).contains(&"\"Gold members earn double\"".to_owned()));
}

#[tokio::test]
async fn a_cap_holds_through_its_period_and_opens_with_the_next() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let review = json!({ "type": "review", "fields": { "stars": 5 } });
    let mut paid = Vec::new();
    for (key, at) in [
        ("a", "2026-05-02T07:30:00Z"),
        ("b", "2026-05-03T20:00:00Z"),
        // Monday in Berlin, Sunday still in Greenwich.
        ("c", "2026-05-03T22:30:00Z"),
    ] {
        shop.at(at);
        let answer = shop.post("/v1/members/ada/earn", Some(key), &review).await;
        let reasons = answer.at("/entry/because");
        let reasons = reasons.as_array().unwrap();
        paid.push(reasons.iter().map(|paid| paid["units"].as_i64().unwrap()).collect::<Vec<_>>());
    }
    assert_eq!(paid, [vec![20, 10], vec![], vec![20]]);
}

#[tokio::test]
async fn telling_late_does_not_open_a_cap() {
    let manifest = "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]\n[activities.review]";
    let sheet = r#"earn "Review" on review at most 2 per week { 5 }"#;
    let shop = Shop::under(&[("merchant.toml", manifest), ("earn.rhai", sheet)]).await;
    shop.at("2026-05-01T00:00:00Z");
    shop.enroll("ada").await;
    shop.at("2026-05-13T12:00:00Z");
    let mut paid = Vec::new();
    // Two reviews in the first week, one in the second week, a third one in the first week, then a
    // second and a third one in the second week. The third is before the second, and takes its place.
    for day in ["04", "05", "12", "06", "13", "11"] {
        let review = json!({ "type": "review", "at": format!("2026-05-{day}T10:00:00Z") });
        let answer = shop.post("/v1/members/ada/earn", Some(day), &review).await;
        paid.push(answer.at("/entry/because/0/units").as_i64().unwrap_or_default());
    }
    assert_eq!(paid, [5, 5, 5, 0, 5, 5]);
    let entries = shop.get("/v1/members/ada/entries").await;
    assert_eq!(
        entries.at("/entries/0/again/differences"),
        json!([{ "entry": 5, "because": [
            { "rule": "Review", "source": "earn.rhai:1", "effect": "reclaim", "wallet": "points", "units": 5 },
        ], "causes": [{ "rule": "Review", "fact": "cap", "was": "1", "is": "0" }] }])
    );
    assert_eq!(shop.get("/v1/members/ada").await.at("/wallets/points/balance"), 20);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_reward_that_fails_does_not_stand_in_the_way_of_an_order() {
    let manifest = "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]";
    let shop = Shop::under(&[
        ("merchant.toml", manifest),
        ("earn.rhai", r#"earn "a" on purchase { 50 }"#),
        (
            "rewards.rhai",
            r#"fn halved(n) { n / 2 }
            reward "odd" costs 5 when halved(member.attribute("age")) > 9 { product("x") }
            reward "tenth" costs 5 { discount(order.total / 10) }
            reward "steep" costs 5 { percent_off(halved(300)) }
            reward "fine" costs 5 { product("y") }
            "#,
        ),
    ])
    .await;
    shop.enroll("ada").await;
    let earned = shop.buys("ada", "1", "10.00").await;
    assert_eq!(earned.at("/within_reach"), json!(["fine"]));
    let redeem = async |reward: &str| {
        let body = json!({ "reward": reward, "order": { "total": "20.00" } });
        shop.post("/v1/members/ada/redeem", Some(reward), &body).await
    };
    assert_eq!(
        redeem("odd").await.problem(),
        "500 rule_failed : rule `odd` failed at rewards.rhai:1:18: `/ (text, whole number)` cannot be used here"
    );
    assert_eq!(
        redeem("steep").await.problem(),
        "500 rule_failed : rule `steep` failed at rewards.rhai:4:13: 150 is no percentage; it is above 0 and at most 100"
    );
    assert_eq!(redeem("tenth").await.at("/entry/reward/gives/amount"), "2.00");
}

#[tokio::test]
async fn a_dry_run_answers_in_full_and_writes_nothing() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let order = json!({ "type": "purchase", "order": { "total": "12.40" } });
    let tried = shop.post("/v1/members/ada/earn?dry_run=true", None, &order).await;
    assert_eq!(tried.status, 200);
    assert_eq!(tried.at("/dry_run"), true);
    assert_eq!(tried.at("/entry/balances/points"), 27);
    assert_eq!(audit(shop.database.store(), "sunrise-coffee").await.entries, 0);
    let redeem = json!({ "reward": "free-coffee" });
    let tried = shop.post("/v1/members/ada/redeem?dry_run=true", None, &redeem).await;
    assert_eq!(
        tried.problem(),
        "409 balance_is_insufficient : reward `free-coffee` costs 10 stamps, and 0 can be spent"
    );
}

#[tokio::test]
async fn a_statement_is_read_page_by_page() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    for number in 1..=5 {
        shop.buys("ada", &number.to_string(), "1.00").await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/members/ada/entries?limit=2".to_owned();
    loop {
        let page = shop.get(&path).await;
        let entries = page.at("/entries");
        seen.extend(entries.as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
        match page.at("/next_cursor").as_str() {
            Some(cursor) => path = format!("/v1/members/ada/entries?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    let database = local::Database::open(Some(&file), 0).await.unwrap();
    local::publish_all(database.store(), &end_to_end::rules()).await.unwrap();
    let shop = Shop::with(database, "sunrise-coffee").await;
    shop.enroll("ada").await;
    let first = shop.buys("ada", "1", "50.00").await;
    drop(shop);

    let database = local::Database::open(Some(&file), 0).await.unwrap();
    let shop = Shop::with(database, "sunrise-coffee").await;
    let again = shop.buys("ada", "1", "50.00").await;
    assert!(again.replayed);
    assert_eq!(again.text, first.text);
    assert_eq!(audit(shop.database.store(), "sunrise-coffee").await.entries, 1);
}
