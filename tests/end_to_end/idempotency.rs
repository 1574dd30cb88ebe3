//! One effect per key, however often a request is repeated.

use std::collections::BTreeMap;

use end_to_end::Shop;
use end_to_end::audit::audit;
use futures::future::join_all;
use serde_json::json;

#[tokio::test]
async fn a_repeat_gets_the_first_answer_byte_for_byte() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let first = shop.buys("ada", "order-1", "12.40").await;
    // Time passes, another purchase follows, and the rules change.
    shop.at("2026-09-01T00:00:00Z");
    shop.buys("ada", "order-2", "99.00").await;
    let manifest =
        std::fs::read_to_string(end_to_end::rules().join("sunrise-coffee/merchant.toml"));
    let sources = rules::Sources::of([
        ("merchant.toml", manifest.unwrap().as_str()),
        ("earn.rhai", r#"earn "Nothing more" on purchase { 0 }"#),
    ]);
    let merchant = ledger::MerchantId::parse("sunrise-coffee").unwrap();
    api::publish(shop.database.store(), &merchant, &sources, api::Forgetting::Allowed)
        .await
        .unwrap();

    let again = shop.buys("ada", "order-1", "12.40").await;
    assert!(!first.replayed && again.replayed);
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    // Another order of fields and another layout are the same body.
    let text = r#"{ "order": {"total": "12.40"},   "type": "purchase" }"#;
    let path = "/v1/members/ada/earn";
    let laid_out = shop.send(reqwest::Method::POST, path, Some("order-1"), text).await;
    assert_eq!(laid_out.text, first.text);
    assert_eq!(audit(shop.database.store(), "sunrise-coffee").await.entries, 2);
}

#[tokio::test]
async fn a_repeat_is_known_even_where_its_activity_no_longer_is() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let birthday = json!({ "type": "birthday" });
    let first = shop.post("/v1/members/ada/earn", Some("b"), &birthday).await;
    assert_eq!(first.status, 201);
    let sources = rules::Sources::of([
        (
            "merchant.toml",
            "name = \"S\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]",
        ),
        ("earn.rhai", ""),
    ]);
    let merchant = ledger::MerchantId::parse("sunrise-coffee").unwrap();
    api::publish(shop.database.store(), &merchant, &sources, api::Forgetting::Allowed)
        .await
        .unwrap();
    let again = shop.post("/v1/members/ada/earn", Some("b"), &birthday).await;
    assert_eq!(again.text, first.text);
    let other = shop.post("/v1/members/ada/earn", Some("c"), &birthday).await;
    assert_eq!(other.problem(), "422 activity_is_unknown /type: there is no activity `birthday`");
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "order-1", "12.40").await;
    let other = json!({ "type": "purchase", "order": { "total": "12.41" } });
    let refused = shop.post("/v1/members/ada/earn", Some("order-1"), &other).await;
    assert_eq!(
        refused.problem(),
        "422 idempotency_key_is_reused : this `Idempotency-Key` was used for a request with another body"
    );
    // A key belongs to one verb and one member. With another it is a new key.
    shop.enroll("bob").await;
    assert!(!shop.buys("bob", "order-1", "12.41").await.replayed);
    assert_eq!(audit(shop.database.store(), "sunrise-coffee").await.entries, 2);
}

#[tokio::test]
async fn enrolling_again_changes_nothing() {
    let shop = Shop::open("sunrise-coffee").await;
    let ada = json!({ "id": "ada", "attributes": { "city": "Graz" }, "tags": ["founder"] });
    let first = shop.post("/v1/members", None, &ada).await;
    shop.buys("ada", "1", "20.00").await;
    shop.at("2026-06-01T00:00:00Z");
    let again = shop.post("/v1/members", None, &ada).await;
    assert_eq!((again.text, again.replayed), (first.text, true));
    let other = shop.post("/v1/members", None, &json!({ "id": "ada" })).await;
    assert_eq!(
        other.problem(),
        "409 member_id_is_taken : there is a member `ada` already, enrolled with other data"
    );
    let member = shop.get("/v1/members/ada").await;
    assert_eq!(member.at("/tier"), "Gold");
    assert_eq!(member.at("/wallets/points/balance"), 55);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_50_redeems_at_once_exactly_those_succeed_that_the_balance_affords() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let coffees = json!({ "type": "purchase", "order": { "total": "200.00", "lines": [
        { "sku": "espresso", "category": "coffee", "quantity": 79, "price": "2.50" },
    ]}});
    shop.post("/v1/members/ada/earn", Some("coffees"), &coffees).await;

    let body = json!({ "reward": "free-coffee" });
    let shop = &shop;
    let ask = async |number: usize| {
        let key = format!("redeem-{number}");
        shop.post("/v1/members/ada/redeem", Some(&key), &body).await
    };
    let answers = join_all((0..50).map(&ask)).await;
    let mut by_status: BTreeMap<u16, usize> = BTreeMap::new();
    for answer in &answers {
        *by_status.entry(answer.status.as_u16()).or_default() += 1;
    }
    assert_eq!(by_status, BTreeMap::from([(201, 7), (409, 43)]));
    for refused in answers.iter().filter(|answer| answer.status == 409) {
        assert_eq!(
            refused.problem(),
            "409 balance_is_insufficient : reward `free-coffee` costs 10 stamps, and 9 can be spent"
        );
    }

    let repeats = join_all((0..50).map(&ask)).await;
    for (answer, repeat) in answers.iter().zip(&repeats) {
        assert_eq!((answer.status, &answer.text), (repeat.status, &repeat.text));
        assert_eq!(repeat.replayed, answer.status == 201);
    }
    assert_eq!(shop.get("/v1/members/ada").await.at("/wallets/stamps/balance"), 9);
    shop.all_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_20_same_requests_at_once_one_is_done_and_all_hear_the_same() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let answers = join_all((0..20).map(async |_| shop.buys("ada", "order-1", "12.40").await)).await;
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert_eq!(audit(shop.database.store(), "sunrise-coffee").await.entries, 1);
}

#[tokio::test]
async fn no_one_is_refused_because_of_a_look_that_may_be_behind() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let (store, meter) = shop.database.store().metered();
    let api = api::Api::new(store, shop.clock.clone(), api::Identity::Development);
    let at = store::MemberKey {
        merchant: ledger::MerchantId::parse("sunrise-coffee").unwrap(),
        member: ledger::MemberId::parse("ada").unwrap(),
    };
    let operation =
        store::Operation::new(ledger::Verb::Earn, "k", store::Fingerprint::of(&json!(null)));
    let mut looks = 0;
    let refused = api
        .store
        .perform(&at, &operation, |_, _| {
            looks += 1;
            Err(store::Undecided::Rejected("no"))
        })
        .await;
    assert!(matches!(refused, Err(store::Failure::Rejected("no"))));
    // The member costs half a unit at the first reading and one at the second, which is strongly
    // consistent. The lookup of the request's own version is strongly consistent both times.
    assert_eq!(looks, 2);
    if end_to_end::tells_capacity() {
        assert_eq!(meter.take().reads.to_string(), "3.5");
    }
}
