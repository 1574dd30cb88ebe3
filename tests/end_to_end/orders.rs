//! Orders as shops send them: discounts, tax, weights, exchanges, parcels, and the same order twice.

use end_to_end::{Answer, Shop};
use serde_json::{Value, json};

const MANIFEST: &str = r#"
name = "T"
currency = "EUR"
time_zone = "America/New_York"
[wallets.points]
[activities.purchase]
fields = { tax = "amount" }
[stores.la]
time_zone = "America/Los_Angeles"
"#;

const PENDING: &str = r#"
name = "T"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
pending_until = "delivery"
[activities.delivery]
"#;

async fn under(rules: &str) -> Shop {
    let shop = Shop::under(&[("merchant.toml", MANIFEST), ("rules.rhai", rules)]).await;
    shop.enroll("ada").await;
    shop
}

async fn earn(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post("/v1/members/ada/earn", Some(key), &body).await
}

async fn buys(shop: &Shop, key: &str, order: Value) -> Answer {
    let answer = earn(shop, key, json!({ "type": "purchase", "order": order })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer
}

async fn reverse(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post("/v1/members/ada/reverse", Some(key), &body).await
}

async fn points(shop: &Shop) -> Value {
    shop.get("/v1/members/ada").await.at("/wallets/points/balance")
}

/// The units that the entry of an answer gives to points.
fn paid(answer: &Answer) -> i64 {
    let because = answer.at("/entry/because");
    because.as_array().unwrap().iter().map(|reason| reason["units"].as_i64().unwrap_or(0)).sum()
}

#[tokio::test]
async fn a_coupon_on_the_whole_order_is_spread_over_its_pieces() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let shirts = json!([{ "sku": "shirt", "quantity": 3, "price": "20.00" }]);
    let bought = buys(&shop, "o", json!({ "total": "48.00", "lines": shirts })).await;
    assert_eq!(bought.at("/entry/notes/0"), json!({ "note": "total_differs", "by": "-12.00" }));
    for (number, left) in [(1, 32), (2, 16), (3, 0)] {
        let one = json!({ "earn": "o", "lines": [{ "sku": "shirt", "quantity": 1 }] });
        let back = reverse(&shop, &format!("r{number}"), one).await;
        assert_eq!(back.status, 201, "{}", back.text);
        assert_eq!(points(&shop).await, left);
    }
    // A discount, a tax on top and shipping explain the total.
    let explained = json!({
        "total": "61.00", "discount": "12.00", "tax": "8.00", "shipping": "5.00", "lines": shirts,
    });
    assert!(buys(&shop, "o2", explained).await.at("/entry/notes").is_null());
    shop.all_is_well().await;
}

#[tokio::test]
async fn amounts_of_the_order_shrink_with_what_is_left_of_it() {
    let rule = r#"earn "net" on purchase { order.total - activity.tax }"#;
    let shop = under(rule).await;
    let bought = |lines: Value| {
        json!({
            "type": "purchase", "fields": { "tax": 19 }, "order": { "total": "119.00", "lines": lines },
        })
    };
    let lamps = json!([{ "sku": "lamp", "quantity": 2, "price": "59.50" }]);
    assert_eq!(paid(&earn(&shop, "o1", bought(lamps)).await), 100);
    let one = json!({ "earn": "o1", "lines": [{ "sku": "lamp", "quantity": 1 }] });
    assert_eq!(reverse(&shop, "r1", one).await.status, 201);
    assert_eq!(points(&shop).await, 50);
    let two = json!([
        { "sku": "lamp", "quantity": 1, "price": "109.00" },
        { "sku": "bulb", "quantity": 1, "price": "10.00" },
    ]);
    assert_eq!(paid(&earn(&shop, "o2", bought(two)).await), 100);
    let lamp = json!({ "order": "o2", "lines": [{ "sku": "lamp", "quantity": 1 }] });
    let back = reverse(&shop, "r2", lamp).await;
    assert_eq!(back.status, 201, "{}", back.text);
    // 10.00 less 1.60 of tax are left.
    assert_eq!(points(&shop).await, 50 + 8);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_a_rule_pays_below_zero_is_nothing() {
    let shop =
        under(r#"earn "but cards" on purchase { order.total - order.spent("card") * 2 }"#).await;
    let lines = json!([
        { "sku": "gc50", "category": "card", "price": "50.00" },
        { "sku": "mug", "price": "10.00" },
    ]);
    assert_eq!(paid(&buys(&shop, "o", json!({ "total": "60.00", "lines": lines })).await), 0);
    let traced = shop
        .post(
            "/v1/members/ada/earn?dry_run=true",
            None,
            &json!({ "type": "purchase", "order": { "total": "60.00", "lines": lines } }),
        )
        .await;
    let verdict = traced.at("/trace/0/verdict");
    assert_eq!(verdict, "applies, and would pay less than zero, which is nothing");
    let goodwill = json!({ "earn": "o", "refund": "20.00" });
    assert_eq!(reverse(&shop, "r", goodwill).await.status, 201);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_was_spent_is_what_was_paid_after_the_coupon() {
    let shop =
        under(r#"earn "not on gift cards" on purchase { order.total - order.spent("card") }"#)
            .await;
    let lines = json!([
        { "sku": "gc50", "category": "card", "price": "50.00" },
        { "sku": "mug", "price": "10.00" },
    ]);
    assert_eq!(paid(&buys(&shop, "1", json!({ "total": "60.00", "lines": lines })).await), 10);
    // Of 48.00, 8.00 were paid for the mug.
    assert_eq!(paid(&buys(&shop, "2", json!({ "total": "48.00", "lines": lines })).await), 8);
}

#[tokio::test]
async fn one_order_is_paid_once_whatever_its_key() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let order = json!({ "type": "purchase", "id": "order-7", "order": { "total": "50.00" } });
    let first = earn(&shop, "evt_1", order.clone()).await;
    let again = earn(&shop, "evt_2", order.clone()).await;
    assert_eq!((again.status.as_u16(), again.replayed), (201, true));
    assert_eq!(again.text, first.text);
    // The number as the key says the same, and so do other ways to write it.
    let plain = json!({ "type": "purchase", "order": { "total": 50, "lines": [] }, "of": null });
    assert_eq!(earn(&shop, "order-7", plain).await.text, first.text);
    let mut other = order.clone();
    other["order"]["total"] = json!("60.00");
    assert_eq!(
        earn(&shop, "evt_3", other).await.problem(),
        "422 activity_id_is_reused /id: the member has a purchase `order-7` already, and it says something else"
    );
    // One key for two orders is refused, too.
    let mut second = order.clone();
    second["id"] = json!("order-8");
    let refused = earn(&shop, "evt_1", second).await;
    assert_eq!(refused.at("/code"), "idempotency_key_is_reused");
    assert_eq!(points(&shop).await, 50);
    // The order is named by its id when it is reversed, and a repeat says that it was.
    let back = reverse(&shop, "r", json!({ "order": "order-7" })).await;
    assert_eq!(back.status, 201, "{}", back.text);
    let late = earn(&shop, "evt_4", order).await;
    assert_eq!((late.text, late.reversed_by.as_str()), (first.text, "2"));
    assert_eq!(points(&shop).await, 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn amounts_are_read_by_their_decimal_text() {
    let shop = under(r#"earn "1 per cent" on purchase { order.total * 100 }"#).await;
    for (number, total) in [json!("12.4000"), json!(12.4), json!("12.40")].iter().enumerate() {
        let lines = json!([{ "sku": "x", "quantity": "1.0", "price": total }]);
        let order = json!({ "total": total, "currency": "EUR", "lines": lines });
        assert_eq!(paid(&buys(&shop, &number.to_string(), order).await), 1240);
    }
}

#[tokio::test]
async fn weights_small_prices_and_amounts_of_lines() {
    let shop = under(
        r#"earn "cheese" on purchase { order.spent("cheese") * 100 }
           earn "kilos" on purchase { order.quantity("cheese") * 10 }
           earn "pieces" on purchase { order.pieces * 10_000 }"#,
    )
    .await;
    let gouda = json!({ "category": "cheese", "quantity": 0.752, "unit": "kg", "price": "19.90" });
    // 14.96 points by the cent, 7.52 by the kilo, and one piece.
    let bought = buys(&shop, "1", json!({ "total": "14.96", "lines": [gouda] })).await;
    assert_eq!(paid(&bought), 1496 + 7 + 10_000);
    let petrol = json!({ "sku": "e10", "quantity": 40.5, "unit": "l", "price": "1.799" });
    let bought = buys(&shop, "2", json!({ "total": "72.86", "lines": [petrol] })).await;
    assert_eq!((paid(&bought), bought.at("/entry/notes")), (10_000, Value::Null));
    let brie = json!({ "category": "cheese", "quantity": 3, "amount": "10.00" });
    let bought = buys(&shop, "3", json!({ "total": "10.00", "lines": [brie] })).await;
    assert_eq!(paid(&bought), 1000 + 30 + 30_000);
    shop.all_is_well().await;
}

#[tokio::test]
async fn discounts_as_lines_exchanges_and_voided_lines() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let discount = json!([
        { "sku": "shoe", "quantity": 1, "price": "50.00" },
        { "sku": "DISCOUNT", "quantity": 1, "price": "-5.00" },
    ]);
    assert_eq!(paid(&buys(&shop, "1", json!({ "total": "45.00", "lines": discount })).await), 45);
    // The shoe was paid 45.00, and nothing is left when it comes back.
    let back = json!({ "order": "1", "lines": [{ "sku": "shoe", "quantity": 1 }] });
    let back = reverse(&shop, "r1", back).await;
    assert_eq!((back.status.as_u16(), points(&shop).await), (201, json!(0)));
    let exchange = json!([
        { "sku": "shoe", "quantity": -1, "price": "50.00" },
        { "sku": "boot", "quantity": 1, "price": "80.00" },
    ]);
    assert_eq!(paid(&buys(&shop, "2", json!({ "total": "30.00", "lines": exchange })).await), 30);
    let only_back = json!([{ "sku": "shoe", "quantity": -1, "price": "20.00" }]);
    let back = buys(&shop, "3", json!({ "total": "-20.00", "lines": only_back })).await;
    assert_eq!(paid(&back), 0);
    let voided = json!([
        { "sku": "shoe", "quantity": 1, "price": "50.00" },
        { "sku": "void", "quantity": 0, "price": "9.00" },
    ]);
    let bought = buys(&shop, "4", json!({ "total": "50.00", "lines": voided })).await;
    assert_eq!((paid(&bought), bought.at("/entry/notes")), (50, Value::Null));
    shop.all_is_well().await;
}

#[tokio::test]
async fn texts_are_compared_in_one_form() {
    let shop = under(r#"earn "Cafe" on purchase { order.quantity("Café") * 10 }"#).await;
    for (number, category) in ["Café", "Cafe\u{301}", " Café "].iter().enumerate() {
        let lines = json!([{ "category": category, "quantity": 1, "price": "5.00" }]);
        let order = json!({ "total": "5.00", "lines": lines });
        assert_eq!(paid(&buys(&shop, &number.to_string(), order).await), 10, "{category}");
    }
    // An empty category is none, and a path fits.
    let path = "Home & Garden > Kitchen & Dining > Kitchen Tools & Utensils > Graters";
    for (key, category) in [("a", json!("")), ("b", json!(null)), ("c", json!(path))] {
        let lines = json!([{ "sku": "x", "category": category, "price": "5.00" }]);
        buys(&shop, key, json!({ "total": "5.00", "lines": lines })).await;
    }
}

#[tokio::test]
async fn a_line_without_price_costs_one_rule_and_not_the_order() {
    let shop = under(
        r#"earn "beans" on purchase when order.has("beans") { order.spent("beans") * 2 }
           earn "1 per euro" on purchase { order.total }"#,
    )
    .await;
    let lines = json!([{ "sku": "house", "category": "beans", "quantity": 1 }]);
    let bought = buys(&shop, "o", json!({ "total": "20.00", "lines": lines })).await;
    assert_eq!((paid(&bought), bought.at("/entry/notes/0/rule")), (20, json!("beans")));
    // The return is not blocked, either.
    assert_eq!(reverse(&shop, "r", json!({ "order": "o" })).await.status, 201);
    assert_eq!(points(&shop).await, 0);
}

#[tokio::test]
async fn a_receipt_that_began_before_the_enrolment_counts() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let at = |at: &str| json!({ "type": "purchase", "at": at, "order": { "total": "20.00" } });
    assert_eq!(paid(&earn(&shop, "1", at("2026-05-02T07:25:00Z")).await), 20);
    let early = earn(&shop, "2", at("2026-05-02T07:24:59Z")).await;
    assert_eq!(early.at("/code"), "activity_is_before_enrolment");
}

#[tokio::test]
async fn a_store_has_a_clock_of_its_own() {
    let shop = under(r#"earn "Breakfast" on purchase when now.hour < 11 { 15 }"#).await;
    shop.at("2026-05-04T20:00:00Z");
    let bought = |store: Value| {
        json!({
            "type": "purchase", "at": "2026-05-04T09:30:00-07:00",
            "order": { "total": "5.00", "store": store },
        })
    };
    assert_eq!(paid(&earn(&shop, "1", bought(json!("la"))).await), 15);
    assert_eq!(paid(&earn(&shop, "2", bought(json!(null))).await), 0);
}

#[tokio::test]
async fn the_tax_of_a_line_shrinks_with_it() {
    let rules = "earn \"Net\" on purchase { let sum = 0.00; for line in order.lines { sum += line.amount - line.tax; } sum }";
    let shop = under(rules).await;
    let lines = json!([
        { "sku": "mug", "quantity": 2, "price": "12.00", "tax": "4.00" },
        { "sku": "tea", "quantity": 1, "price": "6.00", "tax": "0.50" },
    ]);
    buys(&shop, "o", json!({ "total": "30.00", "lines": lines })).await;
    assert_eq!(points(&shop).await, 25);
    for (key, sku, left) in [("r1", "mug", 15), ("r2", "tea", 10), ("r3", "mug", 0)] {
        let one = json!({ "order": "o", "lines": [{ "sku": sku, "quantity": 1 }] });
        assert_eq!(reverse(&shop, key, one).await.status, 201);
        assert_eq!(points(&shop).await, left);
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_article_at_two_prices_is_asked_about() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let lines = json!([
        { "id": "a", "sku": "tea", "quantity": 1, "price": "10.00" },
        { "sku": "tea", "quantity": 1, "price": "4.00" },
    ]);
    buys(&shop, "o", json!({ "total": "14.00", "lines": lines })).await;
    let one = json!({ "order": "o", "lines": [{ "sku": "tea", "quantity": 1 }] });
    assert_eq!(
        reverse(&shop, "r", one).await.problem(),
        "422 line_is_ambiguous /lines: `tea` was bought at several prices: name the line in `line`, one of `a`, `2`"
    );
    let second = json!({ "order": "o", "lines": [{ "line": "2", "quantity": 1 }] });
    let back = reverse(&shop, "r", second).await;
    assert_eq!((back.status.as_u16(), points(&shop).await), (201, json!(10)));
    // One is left, so the article is clear.
    let last = json!({ "order": "o", "lines": [{ "sku": "tea", "quantity": 1 }] });
    assert_eq!(reverse(&shop, "r2", last).await.status, 201);
    assert_eq!(points(&shop).await, 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn parcels_let_go_their_share_and_may_come_before_their_order() {
    let rules = r#"earn "1 per euro" on purchase { order.total }"#;
    let shop = Shop::under(&[("merchant.toml", PENDING), ("rules.rhai", rules)]).await;
    shop.enroll("ada").await;
    let lines = json!([
        { "sku": "desk", "quantity": 1, "price": "80.00" },
        { "sku": "lamp", "quantity": 1, "price": "20.00" },
    ]);
    // A key as long as keys are is an id, and what others are named `of`.
    let long = "o".repeat(255);
    buys(&shop, &long, json!({ "total": "100.00", "lines": lines })).await;
    assert_eq!(points(&shop).await, 0);
    let parcel = |of: &str, sku: &str, amount: &str| {
        let lines = json!([{ "sku": sku, "quantity": 1 }]);
        json!({ "type": "delivery", "of": of, "order": { "total": amount, "lines": lines } })
    };
    assert_eq!(earn(&shop, "d1", parcel(&long, "lamp", "20.00")).await.status, 201);
    assert_eq!(points(&shop).await, 20);
    assert_eq!(earn(&shop, "d2", parcel(&long, "desk", "80.00")).await.status, 201);
    assert_eq!(points(&shop).await, 100);
    // The delivery comes first, under the order's own number.
    let early = earn(&shop, "o2", json!({ "type": "delivery", "of": "o2" })).await;
    let note = json!({ "note": "order_is_unknown", "of": "o2" });
    assert_eq!((early.status.as_u16(), early.at("/entry/notes/0")), (201, note));
    let bought = buys(&shop, "o2", json!({ "total": "10.00" })).await;
    assert_eq!((bought.replayed, points(&shop).await), (false, json!(110)));
    // A parcel comes first, and the other after the order.
    assert_eq!(earn(&shop, "d3", parcel("o3", "lamp", "20.00")).await.status, 201);
    buys(&shop, "o3", json!({ "total": "100.00", "lines": lines })).await;
    assert_eq!(points(&shop).await, 130);
    assert_eq!(earn(&shop, "d4", json!({ "type": "delivery", "of": "o3" })).await.status, 201);
    assert_eq!(points(&shop).await, 210);
    // A parcel that came before its order counts among the pieces after it.
    assert_eq!(earn(&shop, "d5", parcel("o4", "lamp", "20.00")).await.status, 201);
    buys(&shop, "o4", json!({ "total": "100.00", "lines": lines })).await;
    assert_eq!(points(&shop).await, 230);
    assert_eq!(earn(&shop, "d6", parcel("o4", "desk", "80.00")).await.status, 201);
    assert_eq!(points(&shop).await, 310);
    assert_eq!(reverse(&shop, "r4", json!({ "order": "o4" })).await.status, 201);
    // What was delivered comes back.
    assert_eq!(reverse(&shop, "r", json!({ "order": "o2" })).await.status, 201);
    assert_eq!(points(&shop).await, 200);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_parcel_lets_go_what_is_in_it_and_says_what_it_does_not_find() {
    let rules = r#"earn "1 per euro" on purchase { order.total }"#;
    let policy = format!("{PENDING}[activities.review]\n");
    let shop = Shop::under(&[("merchant.toml", &policy), ("rules.rhai", rules)]).await;
    shop.enroll("ada").await;
    let parcel = |of: &str, lines: Value| json!({ "type": "delivery", "of": of, "order": { "total": 0, "lines": lines } });
    let line = |sku: &str| json!({ "sku": sku, "price": "100.00" });
    let delivers = async |key: &str, body: Value| {
        let answer = earn(&shop, key, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.at("/entry/notes/0/note")
    };
    // A third is a third, to the last unit.
    buys(&shop, "o1", json!({ "total": 300, "lines": [line("a"), line("b"), line("c")] })).await;
    for (sku, free) in [("a", 100), ("b", 200), ("c", 300)] {
        delivers(sku, parcel("o1", json!([{ "sku": sku }]))).await;
        assert_eq!(points(&shop).await, free);
    }
    // What one line came to is not known, so each piece counts alike; and nothing is nothing.
    let lines = json!([{ "sku": "a", "price": "10" }, { "sku": "b", "quantity": 4 }]);
    buys(&shop, "o2", json!({ "total": 30, "lines": lines })).await;
    assert!(delivers("d1", parcel("o2", json!([{ "sku": "a", "quantity": 0 }]))).await.is_null());
    assert_eq!(points(&shop).await, 300);
    delivers("d2", parcel("o2", json!([{ "sku": "a" }]))).await;
    assert_eq!(points(&shop).await, 306);
    for (key, lines) in [
        ("d3", json!([{ "sku": "z" }])),
        ("d4", json!([{ "id": "9" }])),
        ("d5", json!([{ "sku": "a", "quantity": 2 }])),
    ] {
        assert_eq!(delivers(key, parcel("o2", lines)).await, "pieces_are_unknown");
        assert_eq!(points(&shop).await, 306);
    }
    delivers("d6", parcel("o2", json!([{ "id": "2", "quantity": 4 }]))).await;
    assert_eq!(points(&shop).await, 330);
    // Neither a review nor a parcel is the order, whatever its number.
    let review = json!({ "type": "review", "id": "o3" });
    assert_eq!(earn(&shop, "v", review).await.status, 201);
    let mut first = parcel("o3", json!([{ "sku": "a" }]));
    first["id"] = json!("o3");
    assert_eq!(delivers("p1", first).await, "order_is_unknown");
    for (key, sku) in [("p2", "b"), ("p3", "c")] {
        assert_eq!(delivers(key, parcel("o3", json!([{ "sku": sku }]))).await, "order_is_unknown");
    }
    buys(&shop, "o3", json!({ "total": 300, "lines": [line("a"), line("b"), line("c")] })).await;
    assert_eq!(points(&shop).await, 630);
    shop.all_is_well().await;
}

#[tokio::test]
async fn lines_are_named_by_their_id_or_by_their_number_as_sent() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let voided = json!([
        { "sku": "void", "quantity": 0, "price": "9" },
        { "sku": "x", "price": "10" },
        { "sku": "y", "price": "20" },
    ]);
    buys(&shop, "o", json!({ "total": 30, "lines": voided })).await;
    let third = json!({ "order": "o", "lines": [{ "line": "3", "quantity": 1 }] });
    assert_eq!(reverse(&shop, "r1", third).await.status, 201);
    assert_eq!(points(&shop).await, 10);
    // The id of one line is the number of another.
    let lines = json!([
        { "id": "2", "sku": "tea", "price": "10" },
        { "sku": "tea", "quantity": 2, "price": "20" },
    ]);
    buys(&shop, "p", json!({ "total": 50, "lines": lines })).await;
    let of = |line: &str| json!({ "order": "p", "lines": [{ "line": line, "quantity": 1 }] });
    let tea = json!({ "order": "p", "lines": [{ "sku": "tea", "quantity": 1 }] });
    let asked = reverse(&shop, "r2", tea).await.problem();
    assert!(asked.ends_with("one of `2`, `#2`"), "{asked}");
    assert_eq!(reverse(&shop, "r3", of("#2")).await.status, 201);
    assert_eq!(points(&shop).await, 40);
    assert_eq!(reverse(&shop, "r4", of("2")).await.status, 201);
    assert_eq!(points(&shop).await, 30);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_was_bought_in_an_exchange_keeps_its_share_of_what_the_order_adds() {
    let rules = "earn \"boots\" on purchase { order.spent(\"boot\") }\nearn \"socks\" on purchase { order.spent(\"sock\") }\nearn \"pieces\" on purchase { order.pieces * 1_000 }";
    let shop = under(rules).await;
    let lines = json!([
        { "sku": "shoe", "quantity": -1, "price": "50" },
        { "sku": "boot", "price": "80" },
        { "sku": "sock", "price": "25" },
        { "sku": "RABATT", "price": "-5" },
    ]);
    buys(&shop, "o", json!({ "total": 55, "shipping": 5, "lines": lines })).await;
    // Two pieces were bought and one came back; a discount is none.
    assert_eq!(points(&shop).await, 1_000 + 76 + 23);
    let boot = json!({ "order": "o", "lines": [{ "sku": "boot", "quantity": 1 }] });
    let back = reverse(&shop, "r", boot).await;
    assert_eq!(back.status, 201, "{}", back.text);
    // The socks came to 23.81 with their part of the discount, and do so without the boots.
    assert_eq!(points(&shop).await, 23);
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_order_is_reversed_by_its_id_and_by_no_key_or_type() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let order = json!({ "type": "purchase", "id": "o", "order": { "total": 5 } });
    assert_eq!(earn(&shop, "evt", order).await.status, 201);
    for (body, expected) in [
        (
            json!({ "order": "evt" }),
            "422 entry_is_unknown /order: the member has no purchase with the id `evt`",
        ),
        (
            json!({ "order": "o", "type": "purchase" }),
            "422 field_is_wrong /type: `/type`: a type is told beside `earn`; an `order` is a purchase",
        ),
        (
            json!({ "earn": "o", "type": "visit" }),
            "422 entry_is_unknown /earn: the member has no visit with the id `o`",
        ),
    ] {
        assert_eq!(reverse(&shop, "r", body).await.problem(), expected);
    }
    assert_eq!(reverse(&shop, "r", json!({ "earn": "evt" })).await.status, 201);
    assert_eq!(points(&shop).await, 0);
}

#[tokio::test]
async fn where_ids_repeat_a_key_with_another_id_says_something_else() {
    let policy = format!("{MANIFEST}[activities.visit]\nids_repeat = true\n");
    let rules = r#"earn "a visit" on visit { 1 }"#;
    let shop = Shop::under(&[("merchant.toml", &policy), ("rules.rhai", rules)]).await;
    shop.enroll("ada").await;
    let visit = |id: &str| json!({ "type": "visit", "id": id });
    assert_eq!(earn(&shop, "v1", visit("w1")).await.status, 201);
    assert!(earn(&shop, "v1", visit("w1")).await.replayed);
    let other = earn(&shop, "v1", visit("w2")).await;
    assert_eq!(other.at("/code"), "idempotency_key_is_reused");
    assert_eq!(earn(&shop, "v2", visit("w1")).await.status, 201);
    assert_eq!(points(&shop).await, 2);
}

#[tokio::test]
async fn parcels_let_go_what_waits_in_the_wallet_that_an_account_replaces() {
    let rules = r#"earn "1 per euro" on purchase { order.total }"#;
    let policy = PENDING.replace("[activities", "shared = true\n[activities");
    let shop = Shop::under(&[("merchant.toml", &policy), ("rules.rhai", rules)]).await;
    shop.enroll("ada").await;
    shop.enroll("family").await;
    let lines = json!([
        { "sku": "desk", "quantity": 1, "price": "80.00" },
        { "sku": "lamp", "quantity": 1, "price": "20.00" },
    ]);
    buys(&shop, "o", json!({ "total": "100.00", "lines": lines })).await;
    let join = json!({ "account": "family" });
    for (key, sku, left) in [("d1", "lamp", 20), ("d2", "desk", 100)] {
        let (joins, leaves) = (format!("j{key}"), format!("l{key}"));
        let joined = shop.post("/v1/members/ada/join", Some(&joins), &join).await;
        assert_eq!(joined.status, 201);
        let order = json!({ "total": "0.00", "lines": [{ "sku": sku, "quantity": 1 }] });
        let parcel = json!({ "type": "delivery", "of": "o", "order": order });
        assert_eq!(earn(&shop, key, parcel).await.status, 201);
        let gone = shop.post("/v1/members/ada/leave", Some(&leaves), &json!({})).await;
        assert_eq!((gone.status.as_u16(), points(&shop).await), (201, json!(left)));
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_body_that_says_it_is_not_json_is_refused() {
    let shop = under(r#"earn "1 per euro" on purchase { order.total }"#).await;
    let send = async |kind: &str| {
        let request = shop.client.post(format!("{}/v1/members", shop.base));
        let request = request.header("authorization", "Bearer local:test");
        let answer = request.header("content-type", kind).body(r#"{"id":"eve"}"#).send().await;
        answer.unwrap().status().as_u16()
    };
    assert_eq!(send("text/xml").await, 415);
    assert_eq!(send("application/json; charset=utf-8").await, 201);
}
