//! Purchases and rewards that are reversed.

use end_to_end::{Answer, Shop};
use serde_json::{Value, json};

const MANIFEST: &str = r#"
name = "T"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
expires = { days = 30 }
[wallets.status]
spendable = false
[tiers]
grace_days = 30
[activities.review]
[activities.referral]
[pools.CODES]
[campaigns.summer]
budget = 1000
"#;

async fn under(rules: &str) -> Shop {
    let shop = Shop::under(&[("merchant.toml", MANIFEST), ("rules.rhai", rules)]).await;
    shop.enroll("ada").await;
    shop
}

async fn buys(shop: &Shop, key: &str, order: Value) -> Answer {
    let body = json!({ "type": "purchase", "order": order });
    let answer = shop.post("/v1/members/ada/earn", Some(key), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer
}

async fn reverse(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post("/v1/members/ada/reverse", Some(key), &body).await
}

async fn redeem(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post("/v1/members/ada/redeem", Some(key), &body).await
}

/// The balance and the debt.
async fn points(shop: &Shop) -> (Value, Value) {
    let member = shop.get("/v1/members/ada").await;
    (member.at("/wallets/points/balance"), member.at("/wallets/points/debt"))
}

fn three_lines() -> Value {
    json!({ "total": "60.00", "lines": [
        { "sku": "tea", "quantity": 2, "price": "10.00" },
        { "sku": "pot", "quantity": 1, "price": "40.00" },
    ]})
}

#[tokio::test]
async fn a_return_by_line_takes_back_what_is_not_earned_by_the_rest() {
    let shop = under(
        r#"earn "1 per euro" on purchase { order.total }
        earn "Above 50" on purchase when order.total >= 50 { 20 }
        reward "r" costs 10 { product("p") }"#,
    )
    .await;
    buys(&shop, "order-1", three_lines()).await;
    assert_eq!(points(&shop).await, (json!(80), Value::Null));
    let lines = json!({ "earn": "order-1", "lines": [{ "sku": "tea", "quantity": 1 }] });
    let answer = reverse(&shop, "return-1", lines.clone()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.at("/entry/reverses"), 1);
    assert_eq!(answer.at("/entry/returned/refund"), "10.00");
    assert_eq!(
        answer.at("/entry/because"),
        json!([
            { "rule": "1 per euro", "source": "rules.rhai:1", "effect": "reclaim", "wallet": "points", "units": 10 },
        ])
    );
    assert_eq!(points(&shop).await, (json!(70), Value::Null));
    // Without the second tea the order is below 50.
    let answer = reverse(&shop, "return-2", lines).await;
    assert_eq!(answer.at("/entry/because/1/effect"), "reclaim");
    assert_eq!(answer.at("/entry/because/1/units"), 20, "{}", answer.text);
    assert_eq!(points(&shop).await, (json!(40), Value::Null));
    // There is no third tea.
    let third = json!({ "earn": "order-1", "lines": [{ "sku": "tea", "quantity": 1 }] });
    assert_eq!(
        reverse(&shop, "return-3", third).await.problem(),
        "422 line_is_unknown /lines: there is no `tea` in the order, or it has come back already"
    );
    // All that is left comes back; then nothing is left.
    let rest = reverse(&shop, "return-4", json!({ "earn": "order-1" })).await;
    assert_eq!(rest.status, 201, "{}", rest.text);
    assert_eq!(points(&shop).await, (json!(0), Value::Null));
    assert_eq!(
        reverse(&shop, "return-5", json!({ "earn": "order-1" })).await.problem(),
        "409 entry_is_reversed_already : entry 1 has been reversed already, by entry 4"
    );
    // A repeat gets the first answer.
    let again = reverse(&shop, "return-4", json!({ "earn": "order-1" })).await;
    assert!(again.replayed && again.text == rest.text);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_return_is_judged_by_the_rules_that_judged_the_purchase() {
    let shop = under(r#"earn "double" on purchase { order.total * 2 }"#).await;
    buys(&shop, "order-1", three_lines()).await;
    let sources = rules::Sources::of([
        ("merchant.toml", MANIFEST),
        ("rules.rhai", r#"earn "single" on purchase { order.total }"#),
    ]);
    let merchant = ledger::MerchantId::parse("test").unwrap();
    api::publish(shop.database.store(), &merchant, &sources, api::Forgetting::Allowed)
        .await
        .unwrap();
    buys(&shop, "order-2", json!({ "total": "5.00" })).await;
    let teapot = json!({ "earn": "order-1", "lines": [{ "sku": "pot", "quantity": 1 }] });
    let answer = reverse(&shop, "r", teapot).await;
    assert_eq!(answer.at("/entry/because/0/rule"), "double", "{}", answer.text);
    assert_eq!(answer.at("/entry/because/0/effect"), "reclaim");
    assert_eq!(answer.at("/entry/because/0/units"), 80);
    assert_eq!(points(&shop).await, (json!(45), Value::Null));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_was_spent_is_owed_and_paid_with_what_comes_in() {
    let shop = under(
        r#"earn "a" on purchase { order.total }
        reward "r" costs 70 { product("p") }"#,
    )
    .await;
    buys(&shop, "order-1", json!({ "total": "100.00" })).await;
    redeem(&shop, "r1", json!({ "reward": "r" })).await;
    let answer = reverse(&shop, "back", json!({ "earn": "order-1" })).await;
    let postings = answer.at("/entry/postings");
    assert_eq!(postings[0]["change"], -30, "{postings}");
    assert_eq!((&postings[1]["change"], &postings[1]["from"]), (&json!(-70), &json!("debt")));
    assert_eq!(points(&shop).await, (json!(0), json!(70)));
    buys(&shop, "order-2", json!({ "total": "50.00" })).await;
    assert_eq!(points(&shop).await, (json!(0), json!(20)));
    buys(&shop, "order-3", json!({ "total": "50.00" })).await;
    assert_eq!(points(&shop).await, (json!(30), Value::Null));
    // The purchase that paid the debt comes back too. What it paid is owed again, except for the
    // units that are in a lot of the same terms.
    reverse(&shop, "back-2", json!({ "earn": "order-2" })).await;
    assert_eq!(points(&shop).await, (json!(0), json!(20)));
    // The redemption is reversed: its units pay the debt first.
    let undone = reverse(&shop, "back-3", json!({ "redeem": "r1" })).await;
    assert_eq!(undone.status, 201, "{}", undone.text);
    assert_eq!(points(&shop).await, (json!(50), Value::Null));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_has_expired_is_not_owed() {
    let shop = under(
        r#"earn "a" on purchase { order.total }
        reward "r" costs 40 { product("p") }"#,
    )
    .await;
    buys(&shop, "order-1", json!({ "total": "100.00" })).await;
    redeem(&shop, "r1", json!({ "reward": "r" })).await;
    shop.at("2026-06-02T00:00:00Z");
    assert_eq!(shop.run_expiry().await.units["test/points"], 60);
    let answer = reverse(&shop, "back", json!({ "earn": "order-1" })).await;
    assert_eq!(answer.at("/entry/postings/0/change"), -40, "{}", answer.text);
    assert_eq!(points(&shop).await, (json!(0), json!(40)));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_reward_that_is_given_back_gives_units_back_with_their_first_terms() {
    let shop = under(
        r#"earn "a" on purchase { order.total }
        reward "r" costs 120 at most 1 per year stock 1 { tag("had it"); product("p") }"#,
    )
    .await;
    buys(&shop, "order-1", json!({ "total": "100.00" })).await;
    shop.at("2026-05-12T07:30:00Z");
    buys(&shop, "order-2", json!({ "total": "100.00" })).await;
    redeem(&shop, "r1", json!({ "reward": "r" })).await;
    // The first lot has expired when the redemption is reversed.
    shop.at("2026-06-02T07:30:00Z");
    let answer = reverse(&shop, "back", json!({ "redeem": "r1" })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let postings = answer.at("/entry/postings");
    assert_eq!(postings[0]["change"], 100);
    assert_eq!(postings[0]["to"]["lot"]["expires_at"], "2026-06-01T07:30:00Z");
    assert_eq!(postings[1]["to"]["lot"]["expires_at"], "2026-06-11T07:30:00Z");
    assert_eq!(answer.at("/entry/because/0/effect"), "untag");
    assert_eq!(answer.at("/entry/because/0/tag"), "had it");
    assert_eq!(points(&shop).await, (json!(100), Value::Null));
    assert_eq!(shop.run_expiry().await.units["test/points"], 100);
    // The piece of stock and the count against the cap are given back as well.
    let again = redeem(&shop, "r2", json!({ "reward": "r" })).await;
    assert_eq!(again.at("/code"), "balance_is_insufficient");
    buys(&shop, "order-3", json!({ "total": "20.00" })).await;
    assert_eq!(redeem(&shop, "r3", json!({ "reward": "r" })).await.status, 201);
    let twice = reverse(&shop, "back-2", json!({ "redeem": "r1" })).await;
    assert_eq!(twice.at("/code"), "entry_is_reversed_already");
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_captured_hold_is_given_back_like_a_redemption() {
    let shop = under(
        r#"earn "a" on purchase { order.total }
        reward "r" costs 30 at most 1 per year stock 1 { product("p") }"#,
    )
    .await;
    buys(&shop, "order-1", json!({ "total": "50.00" })).await;
    let held = shop.post("/v1/members/ada/holds", Some("h"), &json!({ "reward": "r" })).await;
    let hold = held.at("/entry/hold").as_str().unwrap().to_owned();
    let path = format!("/v1/members/ada/holds/{hold}/capture");
    assert_eq!(shop.post(&path, Some("c"), &json!({})).await.status, 201);
    let answer = reverse(&shop, "back", json!({ "capture": "c" })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(points(&shop).await, (json!(50), Value::Null));
    assert_eq!(redeem(&shop, "r1", json!({ "reward": "r" })).await.status, 201);
    shop.all_is_well().await;
}

#[tokio::test]
async fn tier_tasks_counters_and_marks_follow_a_return() {
    let shop = under(
        r#"earn "status" on purchase into status { order.total }
        earn "Once a day" on purchase at most 1 per day { 5 }
        earn "Regular" on purchase when member.purchases >= 1 { tag("regular"); grant("Club", 30.days); }
        task "Three visits" on purchase goal 3 { 100 }
        tier "Base" { true }
        tier "Gold" { wallet("status") >= 100 }"#,
    )
    .await;
    buys(&shop, "order-1", json!({ "total": "20.00" })).await;
    shop.at("2026-05-03T07:30:00Z");
    let second = buys(&shop, "order-2", json!({ "total": "90.00" })).await;
    assert_eq!(second.at("/entry/tier/to"), "Gold");
    let member = shop.get("/v1/members/ada").await;
    assert_eq!(member.at("/tasks/Three visits/done"), 2);
    assert_eq!(member.at("/tags/0"), "regular");
    // The tier should not have been reached, so it is lost at once, without the 30 days of grace.
    let answer = reverse(&shop, "back", json!({ "earn": "order-2" })).await;
    assert_eq!(
        answer.at("/entry/tier"),
        json!({ "from": "Gold", "to": "Base" }),
        "{}",
        answer.text
    );
    let member = shop.get("/v1/members/ada").await;
    assert_eq!(member.at("/tier"), "Base");
    assert_eq!(member.at("/tasks/Three visits/done"), 1);
    assert_eq!(member.at("/tags"), Value::Null);
    assert_eq!(member.at("/grants"), Value::Null);
    // The rule can pay once more today, and the member has bought once.
    let third = buys(&shop, "order-3", json!({ "total": "20.00" })).await;
    assert_eq!(third.at("/entry/because/1/rule"), "Once a day", "{}", third.text);
    assert_eq!(third.at("/entry/because/2/tag"), "regular");
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_round_is_complete_as_long_as_its_purchases_are_there() {
    let shop = under(r#"task "Three visits" on purchase goal 3 { 100 }"#).await;
    for number in 1..=4 {
        shop.buys("ada", &format!("order-{number}"), "10.00").await;
    }
    // The first of the three paid purchases comes back, and the fourth takes its place.
    reverse(&shop, "back-1", json!({ "earn": "order-1" })).await;
    let task = shop.get("/v1/members/ada").await.at("/tasks/Three visits");
    assert_eq!(task, json!({ "done": 0, "goal": 3, "completed": 1 }));
    // Another one comes back: the round is no longer complete, and what it paid goes with it.
    reverse(&shop, "back-2", json!({ "earn": "order-2" })).await;
    let task = shop.get("/v1/members/ada").await.at("/tasks/Three visits");
    assert_eq!(task, json!({ "done": 2, "goal": 3, "completed": 0 }));
    assert_eq!(points(&shop).await, (json!(0), Value::Null));
    // Completing it again pays.
    shop.buys("ada", "order-5", "10.00").await;
    assert_eq!(points(&shop).await, (json!(100), Value::Null));
    for number in 6..=8 {
        shop.buys("ada", &format!("order-{number}"), "10.00").await;
    }
    assert_eq!(points(&shop).await, (json!(200), Value::Null));
    // Reversing the purchase that completed a round takes back what the round paid.
    reverse(&shop, "back-8", json!({ "earn": "order-8" })).await;
    assert_eq!(points(&shop).await, (json!(100), Value::Null));
    let task = shop.get("/v1/members/ada").await.at("/tasks/Three visits");
    assert_eq!(task, json!({ "done": 2, "goal": 3, "completed": 1 }));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_friends_return_takes_the_referral_along_and_a_budget_gets_its_units_back() {
    let shop = under(
        r#"earn "Summer" on purchase during summer { order.total }
        earn "Welcome" on purchase when order.total >= 50 { refer(); }
        earn "Friend" on referral during summer { 200 }
        contest "Most" on purchase { order.total }"#,
    )
    .await;
    let bob = json!({ "id": "bob", "referred_by": "ada" });
    assert_eq!(shop.post("/v1/members", None, &bob).await.status, 201);
    let body = json!({ "type": "purchase", "order": three_lines() });
    assert_eq!(shop.post("/v1/members/bob/earn", Some("o"), &body).await.status, 201);
    let left = async || {
        let merchant = ledger::MerchantId::parse("test").unwrap();
        let limit = ledger::SharedLimit::Budget("summer".to_owned());
        shop.database.store().left(&merchant, &limit).await.unwrap().get()
    };
    assert_eq!((left().await, points(&shop).await.0), (740, json!(200)));
    // Without one tea the order is still 50.
    let tea = json!({ "earn": "o", "lines": [{ "sku": "tea", "quantity": 1 }] });
    let answer = shop.post("/v1/members/bob/reverse", Some("back-1"), &tea).await;
    assert_eq!(answer.at("/entry/because/1/effect"), "unscore");
    assert_eq!(answer.at("/entry/because/1/units"), 10, "{}", answer.text);
    assert_eq!((left().await, points(&shop).await.0), (750, json!(200)));
    let teapot = json!({ "earn": "o", "lines": [{ "sku": "pot", "quantity": 1 }] });
    let answer = shop.post("/v1/members/bob/reverse", Some("back-2"), &teapot).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!((left().await, points(&shop).await.0), (990, json!(0)));
    assert_eq!(shop.get("/v1/contests/Most").await.at("/places/0/score"), 10);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_cannot_be_undone_is_refused_with_its_reason() {
    let shop = under(r#"earn "a" on purchase { 1 } earn "b" on review { 5 }"#).await;
    buys(&shop, "order-1", json!({ "total": "9.00", "lines": [{ "sku": "x", "quantity": 3 }] }))
        .await;
    let review = json!({ "type": "review" });
    assert_eq!(shop.post("/v1/members/ada/earn", Some("rev"), &review).await.status, 201);
    let x = |quantity: u32| json!([{ "sku": "x", "quantity": quantity }]);
    for (body, expected) in [
        (
            json!({}),
            "422 field_is_wrong : name one request to undo: a purchase by its id in `order`, or any by its key in `earn`, `redeem`, `capture`, `adjust`, `transfer` or `reverse`",
        ),
        (
            json!({ "earn": "a", "redeem": "b" }),
            "422 field_is_wrong : name one request to undo: a purchase by its id in `order`, or any by its key in `earn`, `redeem`, `capture`, `adjust`, `transfer` or `reverse`",
        ),
        (
            json!({ "earn": "order-2" }),
            "422 entry_is_unknown /earn: the member has no earn under the key `order-2`",
        ),
        (
            json!({ "earn": "order-1", "lines": x(1) }),
            "422 refund_is_missing /refund: what was paid for `x` is not known, since a line has no price: say what is paid back in `refund`",
        ),
        (
            json!({ "earn": "order-1", "lines": x(4), "refund": "1.00" }),
            "422 more_comes_back_than_is_left /lines: 4 of `x` come back, and 3 are left of the order",
        ),
        (
            json!({ "earn": "order-1", "lines": x(1), "refund": "9.01" }),
            "422 refund_is_too_much /refund: 9.01 is paid back, and 9.00 is left of the order; `refund` says how much it was",
        ),
        (
            json!({ "earn": "order-1", "lines": x(0), "refund": "1.00" }),
            "422 field_is_wrong /lines/0/quantity: `/lines/0/quantity`: it is above 0",
        ),
        (
            json!({ "earn": "order-1", "refund": "0.00" }),
            "422 field_is_wrong : nothing comes back: name pieces in `lines`, or what is paid back in `refund`",
        ),
        (
            json!({ "earn": "rev", "refund": "1.00" }),
            "422 entry_has_no_order : entry 2 has no order of which a part could come back; reverse it as a whole",
        ),
    ] {
        assert_eq!(reverse(&shop, "k", body).await.problem(), expected);
    }
    assert_eq!(reverse(&shop, "k", json!({ "earn": "rev" })).await.status, 201);
    assert_eq!(points(&shop).await.0, 1);
    shop.all_is_well().await;
}
