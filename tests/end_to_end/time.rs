//! Time decides what can be spent; the expiry run writes it.

use end_to_end::{Shop, moment};
use serde_json::json;

#[tokio::test]
async fn a_lot_is_gone_the_second_it_expires_though_no_run_has_been() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "1500.00").await;
    let member = async || {
        let member = shop.get("/v1/members/ada").await;
        (
            member.at("/tier"),
            member.at("/wallets/points/balance"),
            member.at("/wallets/status/balance"),
        )
    };
    // Units earned on 2 May 2026 expire at the end of May 2027, in Berlin.
    shop.at("2027-05-31T21:59:59Z");
    assert_eq!(member().await, (json!("Gold"), json!(1515), json!(1500)));
    shop.at("2027-05-31T22:00:00Z");
    assert_eq!(member().await, (json!("Bronze"), json!(0), json!(0)));
    let redeem = json!({ "reward": "cupping-night" });
    let refused = shop.post("/v1/members/ada/redeem", Some("r"), &redeem).await;
    assert_eq!(
        refused.problem(),
        "409 reward_condition_does_not_hold : reward `cupping-night` is not for this member now: its condition does not hold; `member.tier` is \"Bronze\""
    );
    // The lost tier no longer pays either.
    let bronze = shop.buys("ada", "2", "10.00").await;
    assert_eq!(bronze.at("/entry/balances/points"), 10);
    assert_eq!(bronze.at("/entry/tier"), json!({ "from": "Gold", "to": "Bronze" }));

    // The expiry run writes once what is true already.
    let summary = shop.run_expiry().await;
    assert_eq!((summary.due, summary.expired, summary.finished), (1, 1, true));
    assert_eq!(summary.units["sunrise-coffee/points"], 1515);
    assert_eq!(shop.run_expiry().await.due, 0);
    let statement = shop.get("/v1/members/ada/entries").await;
    assert_eq!(statement.at("/entries/0/kind"), "expire");
    assert_eq!(statement.at("/entries/0/balances/points"), 10);
    shop.all_is_well().await;
}

#[tokio::test]
async fn the_soonest_to_expire_is_spent_first() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "300.00").await;
    shop.at("2026-07-01T10:00:00Z");
    shop.buys("ada", "2", "300.00").await;
    let five_off = json!({ "reward": "five-off", "order": { "total": "20.00" } });
    let redeemed = shop.post("/v1/members/ada/redeem", Some("r"), &five_off).await;
    assert_eq!(redeemed.status, 201, "{}", redeemed.text);
    let taken: Vec<(i64, String)> = redeemed
        .at("/entry/postings")
        .as_array()
        .unwrap()
        .iter()
        .map(|posting| {
            (posting["change"].as_i64().unwrap(), posting["from"]["lot"]["expires_at"].to_string())
        })
        .collect();
    assert_eq!(
        taken,
        [
            (-315, "\"2027-05-31T22:00:00Z\"".to_owned()),
            (-85, "\"2027-07-31T22:00:00Z\"".to_owned())
        ]
    );
}

#[tokio::test]
async fn pending_units_wait_for_their_day() {
    let shop = Shop::under(&[
        (
            "merchant.toml",
            "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]\npending_days = 14",
        ),
        ("earn.rhai", r#"earn "a" on purchase { order.total }"#),
        ("rewards.rhai", r#"reward "r" costs 10 { product("p") }"#),
    ])
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "10.00").await;
    let wallet = async || {
        let member = shop.get("/v1/members/ada").await;
        (member.at("/wallets/points/balance"), member.at("/wallets/points/pending"))
    };
    let redeem = json!({ "reward": "r" });
    shop.at("2026-05-16T07:29:59Z");
    assert_eq!(wallet().await, (json!(0), json!(10)));
    let refused = shop.post("/v1/members/ada/redeem", Some("r"), &redeem).await;
    assert_eq!(refused.status, 409);
    shop.at("2026-05-16T07:30:00Z");
    assert_eq!(wallet().await, (json!(10), json!(0)));
    let redeemed = shop.post("/v1/members/ada/redeem", Some("r"), &redeem).await;
    assert_eq!(redeemed.status, 201);
}

#[tokio::test]
async fn lots_whose_day_has_come_become_one() {
    let shop = Shop::under(&[
        (
            "merchant.toml",
            "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]\npending_days = 1",
        ),
        ("earn.rhai", r#"earn "a" on purchase { 1 }"#),
    ])
    .await;
    shop.enroll("ada").await;
    for day in 3..=28 {
        shop.at(&format!("2026-05-{day:02}T10:00:00Z"));
        shop.buys("ada", &day.to_string(), "1.00").await;
    }
    let at = store::MemberKey {
        merchant: ledger::MerchantId::parse("test").unwrap(),
        member: ledger::MemberId::parse("ada").unwrap(),
    };
    let member = shop.database.store().member(&at).await.unwrap().unwrap();
    // One lot that can be spent, one from today and one from yesterday.
    assert!(member.wallet("points").lots().len() <= 3);
    assert_eq!(member.wallet("points").posted(), 26);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_moment_that_is_due_again_within_the_same_second_is_done_again() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "5.00").await;
    shop.at("2028-01-01T00:00:00Z");
    for (number, key) in ["late-1", "late-2"].iter().enumerate() {
        assert_eq!(shop.run_expiry().await.expired, 1, "{number}");
        let late = json!({ "type": "purchase", "at": "2026-05-02T09:30:00+02:00", "order": { "total": "7.00" } });
        let answer = shop.post("/v1/members/ada/earn", Some(key), &late).await;
        assert_eq!(answer.status, 201);
    }
    assert_eq!(shop.run_expiry().await.expired, 1);
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_leap_second_names_the_lot_that_it_makes() {
    let shop = Shop::under(&[
        (
            "merchant.toml",
            "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]\nexpires = { days = 1 }",
        ),
        ("earn.rhai", r#"earn "a" on purchase { 1 }"#),
    ])
    .await;
    shop.enroll("ada").await;
    shop.at("2026-05-02T12:10:00Z");
    let odd =
        json!({ "type": "purchase", "at": "2026-05-02T12:00:60Z", "order": { "total": "7.00" } });
    let answer = shop.post("/v1/members/ada/earn", Some("k"), &odd).await;
    assert_eq!(answer.at("/entry/postings/0/to/lot/expires_at"), "2026-05-03T12:00:59Z");
    shop.at("2026-05-04T00:00:00Z");
    assert_eq!(shop.run_expiry().await.expired, 1);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_run_for_some_shards_leaves_the_others() {
    let shop = Shop::open("sunrise-coffee").await;
    for number in 0..40 {
        let member = format!("m{number}");
        shop.enroll(&member).await;
        shop.buys(&member, "1", "5.00").await;
    }
    shop.at("2028-01-01T00:00:00Z");
    let mut expired = 0;
    for from in (0..64).step_by(16) {
        let event = json!({ "shards": { "from": from, "to": from + 15 } });
        let event: expire::Event = serde_json::from_value(event).unwrap();
        let summary = expire::run(&shop.api, &event, None).await.unwrap();
        assert!(summary.expired < 40);
        expired += summary.expired;
    }
    assert_eq!(expired, 40);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_run_without_time_does_nothing_and_says_so() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "5.00").await;
    shop.at("2028-01-01T00:00:00Z");
    let event = expire::Event::default();
    let hurried = expire::run(&shop.api, &event, Some(std::time::Duration::ZERO)).await.unwrap();
    assert_eq!((hurried.due, hurried.finished), (0, false));
    assert_eq!(shop.run_expiry().await.expired, 1);
}

#[tokio::test]
async fn the_schedules_event_is_checked() {
    let shop = Shop::open("sunrise-coffee").await;
    let parse = |text: &str| serde_json::from_str::<expire::Event>(text);
    for text in
        ["{\"shard\":1}", "{\"shards\":{\"from\":0}}", "{\"shards\":{\"from\":-1,\"to\":3}}"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
    for text in ["{\"shards\":{\"from\":3,\"to\":2}}", "{\"shards\":{\"from\":0,\"to\":64}}"] {
        let error = expire::run(&shop.api, &parse(text).unwrap(), None).await.unwrap_err();
        assert!(error.to_string().ends_with("and there are 0 to 63"), "{error}");
    }
}

#[tokio::test]
async fn an_order_sent_late_makes_an_old_moment_due_again() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "5.00").await;
    shop.at("2028-01-01T00:00:00Z");
    assert_eq!(shop.run_expiry().await.expired, 1);
    shop.at("2028-01-02T00:00:00Z");
    let late = json!({ "type": "purchase", "at": "2026-05-02T10:00:00+02:00", "order": { "total": "7.00" } });
    let answer = shop.post("/v1/members/ada/earn", Some("late"), &late).await;
    assert_eq!(answer.status, 201);
    // The lot had its own terms, and had expired by them already.
    assert_eq!(answer.at("/entry/balances/points"), 0);
    assert_eq!(shop.run_expiry().await.expired, 1);
    assert_eq!(shop.clock.now(), moment("2028-01-02T00:00:00Z"));
    shop.all_is_well().await;
}
