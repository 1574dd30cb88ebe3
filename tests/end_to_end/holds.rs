//! Rewards held at the till.

use end_to_end::{Answer, Shop};
use futures::future::join_all;
use serde_json::{Value, json};

const MANIFEST: &str = r#"
name = "T"
currency = "EUR"
time_zone = "Europe/Berlin"
hold_minutes = 15
[wallets.points]
expires = { days = 10 }
[pools.CODES]
"#;

const RULES: &str = r#"
earn "a" on purchase { order.total }
reward "mug" costs 30 stock 2 at most 1 per month { grant("Mug club"); product("Mug") }
reward "off" costs 10 to 100 { discount(units * 0.10) }
reward "code" costs 5 { voucher("CODES") }
"#;

async fn shop() -> Shop {
    let shop = Shop::under(&[("merchant.toml", MANIFEST), ("earn.rhai", RULES)]).await;
    shop.enroll("ada").await;
    shop.buys("ada", "order-1", "100.00").await;
    shop
}

async fn wallet(shop: &Shop) -> (Value, Value) {
    let member = shop.get("/v1/members/ada").await;
    (member.at("/wallets/points/balance"), member.at("/wallets/points/held"))
}

async fn hold(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post("/v1/members/ada/holds", Some(key), &body).await
}

async fn end(shop: &Shop, what: &str, hold: &str, key: &str, body: Value) -> Answer {
    shop.post(&format!("/v1/members/ada/holds/{hold}/{what}"), Some(key), &body).await
}

#[tokio::test]
async fn what_is_held_is_captured_with_all_that_the_reward_gives() {
    let shop = shop().await;
    let held = hold(&shop, "h", json!({ "reward": "mug" })).await;
    assert_eq!(held.status, 201, "{}", held.text);
    assert_eq!(held.at("/entry/kind"), "hold");
    assert_eq!(held.at("/entry/until"), "2026-05-02T07:45:00Z");
    assert_eq!(held.at("/entry/reward/gives"), Value::Null);
    assert_eq!(wallet(&shop).await, (json!(70), json!(30)));
    let id = held.at("/entry/hold").as_str().unwrap().to_owned();
    // A hold counts: one of two pieces is left, and this member has had its one.
    assert_eq!(shop.get("/v1/members/ada/rewards").await.at("/rewards/0/left"), 1);
    let second = hold(&shop, "h2", json!({ "reward": "mug" })).await;
    assert_eq!(second.at("/code"), "reward_was_taken_as_often_as_it_may");

    let captured = end(&shop, "capture", &id, "c", json!({})).await;
    assert_eq!(captured.status, 201, "{}", captured.text);
    assert_eq!(captured.at("/entry/reward/gives/title"), "Mug");
    assert_eq!(captured.at("/entry/because/0/grant"), "Mug club");
    assert_eq!(wallet(&shop).await, (json!(70), Value::Null));
    // A repeat gets the same answer. Capturing under another key and releasing find no hold.
    assert_eq!(end(&shop, "capture", &id, "c", json!({})).await.text, captured.text);
    for (what, key) in [("capture", "c2"), ("release", "r")] {
        let refused = end(&shop, what, &id, key, json!({})).await;
        assert_eq!(
            (refused.status.as_u16(), refused.at("/code")),
            (409, json!("hold_was_captured"))
        );
    }
    // The same key for another hold is another request.
    let other = hold(&shop, "h3", json!({ "reward": "off", "units": 20 })).await;
    let other = other.at("/entry/hold").as_str().unwrap().to_owned();
    let reused = end(&shop, "capture", &other, "c", json!({})).await;
    assert_eq!(reused.at("/code"), "idempotency_key_is_reused");
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_part_is_captured_and_the_rest_is_free() {
    let shop = shop().await;
    let held = hold(&shop, "h", json!({ "reward": "off", "units": 60 })).await;
    let id = held.at("/entry/hold").as_str().unwrap().to_owned();
    let too_much = end(&shop, "capture", &id, "c0", json!({ "units": 61 })).await;
    assert_eq!(
        too_much.problem(),
        "422 more_is_captured_than_held /units: hold `2` has 60 units set aside, and 61 are captured; say in `units` how many, at most 60"
    );
    let too_little = end(&shop, "capture", &id, "c1", json!({ "units": 9 })).await;
    assert_eq!(too_little.at("/code"), "units_are_out_of_range");
    let captured = end(&shop, "capture", &id, "c2", json!({ "units": 25 })).await;
    assert_eq!(captured.at("/entry/reward/costs"), 25, "{}", captured.text);
    assert_eq!(captured.at("/entry/reward/gives/amount"), "2.50");
    assert_eq!(wallet(&shop).await, (json!(75), Value::Null));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_is_released_can_be_spent_again_and_had_again() {
    let shop = shop().await;
    let held = hold(&shop, "h", json!({ "reward": "mug" })).await;
    let id = held.at("/entry/hold").as_str().unwrap().to_owned();
    let released = end(&shop, "release", &id, "r", json!({})).await;
    assert_eq!(released.status, 201, "{}", released.text);
    assert_eq!(wallet(&shop).await, (json!(100), Value::Null));
    assert_eq!(shop.get("/v1/members/ada/rewards").await.at("/rewards/0/left"), 2);
    assert_eq!(hold(&shop, "h2", json!({ "reward": "mug" })).await.status, 201);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_hold_that_is_forgotten_expires_by_itself_on_the_second() {
    let shop = shop().await;
    let held = hold(&shop, "h", json!({ "reward": "mug" })).await;
    let id = held.at("/entry/hold").as_str().unwrap().to_owned();
    shop.at("2026-05-02T07:44:59Z");
    assert_eq!(wallet(&shop).await, (json!(70), json!(30)));
    shop.at("2026-05-02T07:45:00Z");
    // Without an expiry run, the units are free, the reward can be redeemed, and the piece of stock
    // is back.
    assert_eq!(wallet(&shop).await, (json!(100), Value::Null));
    assert_eq!(end(&shop, "capture", &id, "c", json!({})).await.at("/code"), "hold_has_expired");
    assert_eq!(end(&shop, "release", &id, "r", json!({})).await.at("/code"), "hold_has_expired");
    assert_eq!(hold(&shop, "h2", json!({ "reward": "mug" })).await.status, 201);
    assert_eq!(shop.get("/v1/members/ada/rewards").await.at("/rewards/0/left"), 1);
    shop.all_is_well().await;
    // The expiry run writes the expiry of the second hold.
    shop.at("2026-05-02T08:30:00Z");
    assert_eq!(shop.run_expiry().await.expired, 1);
    assert_eq!(shop.get("/v1/members/ada/rewards").await.at("/rewards/0/left"), 2);
    assert_eq!(wallet(&shop).await, (json!(100), Value::Null));
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_is_held_in_time_is_captured_although_its_lot_expired_meanwhile() {
    let shop = shop().await;
    shop.at("2026-05-12T07:29:00Z");
    let first = hold(&shop, "h", json!({ "reward": "off", "units": 50 })).await;
    let second = hold(&shop, "h2", json!({ "reward": "off", "units": 20 })).await;
    // The lot has expired, and the holds have not. An expiry run takes the units that are not held.
    shop.at("2026-05-12T07:31:00Z");
    let night = shop.run_expiry().await;
    assert_eq!((night.expired, night.units["test/points"]), (1, 30));
    let id = |answer: &Answer| answer.at("/entry/hold").as_str().unwrap().to_owned();
    let captured = end(&shop, "capture", &id(&first), "c", json!({})).await;
    assert_eq!(captured.status, 201, "{}", captured.text);
    // Released units expire at once, and the expiry run writes their entry.
    let released = end(&shop, "release", &id(&second), "r", json!({})).await;
    assert_eq!(released.at("/entry/balances/points"), 0);
    assert_eq!(shop.run_expiry().await.units["test/points"], 20);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_code_is_handed_over_with_the_capture_and_not_before() {
    let shop = shop().await;
    let pool = ["SPRING-1".to_owned()];
    let merchant = ledger::MerchantId::parse("test").unwrap();
    shop.database.store().import_codes(&merchant, "CODES", &pool).await.unwrap();
    let held = hold(&shop, "h", json!({ "reward": "code" })).await;
    assert!(!held.text.contains("SPRING-1"));
    let id = held.at("/entry/hold").as_str().unwrap().to_owned();
    let captured = end(&shop, "capture", &id, "c", json!({})).await;
    assert_eq!(captured.at("/entry/reward/gives/code"), "SPRING-1");
    let second = hold(&shop, "h2", json!({ "reward": "code" })).await;
    let id = second.at("/entry/hold").as_str().unwrap().to_owned();
    assert_eq!(end(&shop, "capture", &id, "c2", json!({})).await.at("/code"), "pool_is_empty");
    shop.all_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_captured_or_released_and_never_both() {
    let shop = shop().await;
    let shop = &shop;
    for round in 0..8 {
        let body = json!({ "reward": "off", "units": 10 });
        let held = hold(shop, &format!("h{round}"), body).await;
        let id = held.at("/entry/hold").as_str().unwrap().to_owned();
        let ended = join_all((0..6).map(async |number| {
            let what = if number % 2 == 0 { "capture" } else { "release" };
            let key = format!("e{round}-{number}");
            end(shop, what, &id, &key, json!({})).await.status.as_u16()
        }));
        let ended = ended.await;
        assert_eq!(ended.iter().filter(|status| **status == 201).count(), 1, "{ended:?}");
        assert!(ended.iter().all(|status| matches!(status, 201 | 409)), "{ended:?}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn too_many_holds_are_refused() {
    let shop = shop().await;
    for number in 0..3 {
        let held = hold(&shop, &number.to_string(), json!({ "reward": "off", "units": 33 })).await;
        assert_eq!(held.status, 201, "{}", held.text);
    }
    let poor = hold(&shop, "poor", json!({ "reward": "off", "units": 10 })).await;
    assert_eq!(poor.at("/code"), "balance_is_insufficient");
    shop.buys("ada", "more", "50.00").await;
    let refused = hold(&shop, "more", json!({ "reward": "off", "units": 10 })).await;
    assert_eq!(
        refused.problem(),
        "409 holds_are_too_many : member `ada` has 3 holds already; capture or release one first"
    );
}

#[tokio::test]
async fn what_is_held_is_captured_where_it_lies_whatever_is_shared_by_now() {
    let rules =
        "earn \"a\" on purchase { order.total }\nreward \"cup\" costs 40 { product(\"Cup\") }";
    let manifest = |shared: bool| {
        format!(
            "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
             [wallets.points]\nshared = {shared}\n[wallets.miles]\nshared = true"
        )
    };
    for at_first in [true, false] {
        for what in ["capture", "release"] {
            let manifests = (manifest(at_first), manifest(!at_first));
            let files = [("merchant.toml", manifests.0.as_str()), ("rules.rhai", rules)];
            let shop = Shop::under(&files).await;
            shop.enroll("ada").await;
            shop.enroll("smiths").await;
            let smiths = json!({ "account": "smiths" });
            assert_eq!(shop.post("/v1/members/ada/join", Some("j"), &smiths).await.status, 201);
            shop.buys("ada", "1", "100.00").await;
            let held = hold(&shop, "h", json!({ "reward": "cup" })).await;
            let name = held.at("/entry/hold").as_str().unwrap().to_owned();
            let sources = rules::Sources::of([
                ("merchant.toml", manifests.1.as_str()),
                ("rules.rhai", rules),
            ]);
            let merchant = ledger::MerchantId::parse("test").unwrap();
            api::publish(shop.database.store(), &merchant, &sources, api::Forgetting::Allowed)
                .await
                .unwrap();
            let ended = end(&shop, what, &name, "e", json!({})).await;
            assert_eq!(ended.status, 201, "{at_first} {what}: {}", ended.text);
            let whose = if at_first { "smiths" } else { "ada" };
            let entries = shop.get(&format!("/v1/members/{whose}/entries")).await;
            let moved = entries.at("/entries/0/postings");
            let moved = moved.as_array().unwrap().iter().map(|one| one["change"].as_i64().unwrap());
            let left = if what == "capture" { -40 } else { 0 };
            assert_eq!(moved.sum::<i64>(), left, "{at_first} {what}: {}", entries.text);
            shop.all_is_well().await;
        }
    }
}
