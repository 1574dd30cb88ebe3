//! Tasks, grants, benefits and part-payment, and how a client reads them.

use end_to_end::Shop;
use serde_json::json;

#[tokio::test]
async fn a_task_shows_its_progress_completes_grants_and_expires_by_itself() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    for (number, day) in ["2026-05-04", "2026-05-05", "2026-05-06", "2026-05-07"].iter().enumerate()
    {
        shop.at(&format!("{day}T10:00:00Z"));
        shop.buys("ada", &number.to_string(), "3.00").await;
    }
    let task = shop.get("/v1/members/ada").await.at("/tasks/Five visits in a week");
    assert_eq!(task, json!({ "done": 4, "goal": 5, "completed": 0 }));
    shop.at("2026-05-08T10:00:00Z");
    let fifth = shop.buys("ada", "5", "3.00").await;
    let gave = fifth.at("/entry/because");
    let of_task: Vec<_> = gave
        .as_array()
        .unwrap()
        .iter()
        .filter(|reason| reason["rule"] == "Five visits in a week")
        .collect();
    assert_eq!(of_task.len(), 2, "{gave}");
    let ada = shop.get("/v1/members/ada").await;
    assert_eq!(
        ada.at("/tasks/Five visits in a week"),
        json!({ "done": 0, "goal": 5, "completed": 1 })
    );
    assert_eq!(ada.at("/grants/Regular"), "2026-06-07T10:00:00Z");
    // The grant expires at this second, and the expiry run only writes that.
    shop.at("2026-06-07T09:59:59Z");
    assert_eq!(shop.get("/v1/members/ada").await.at("/grants/Regular"), "2026-06-07T10:00:00Z");
    shop.at("2026-06-07T10:00:00Z");
    assert_eq!(shop.get("/v1/members/ada").await.at("/grants"), json!(null));
    assert_eq!(shop.run_expiry().await.expired, 1);
    let entries = shop.get("/v1/members/ada/entries?limit=1").await;
    assert_eq!(entries.at("/entries/0/expired_grants"), json!(["Regular"]));
    assert_eq!(shop.run_expiry().await.expired, 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_dry_run_says_of_every_rule_whether_it_applied_and_what_it_saw() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let body = json!({ "type": "purchase", "order": { "total": "12.40" } });
    let answer = shop.post("/v1/members/ada/earn?dry_run=true", None, &body).await;
    let trace = answer.at("/trace");
    let line = |number: usize| trace[number].clone();
    assert_eq!(
        line(1),
        json!({
            "statement": "earn",
            "rule": "Gold members earn double",
            "source": "earn.rhai:2",
            "verdict": "does not apply",
            "saw": { "member.tier": "\"Bronze\"" },
            "effects": [],
            "points": 12,
        })
    );
    assert_eq!(line(2)["saw"], json!({ "now.weekend": "true", "now.hour": "9" }));
    assert_eq!(line(2)["points"], 27);
    assert_eq!(shop.get("/v1/members/ada/entries").await.at("/entries"), json!([]));
}

#[tokio::test]
async fn a_member_sees_what_the_next_tier_needs_and_when_the_present_one_is_at_risk() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "620.00").await;
    let ada = shop.get("/v1/members/ada").await;
    assert_eq!(ada.at("/tier"), "Silver");
    assert_eq!(ada.at("/next_tier/tier"), "Gold");
    assert_eq!(
        ada.at("/next_tier/needs/0"),
        json!({ "fact": "wallet(\"status\")", "have": "620", "need": "1500" })
    );
    let at_risk = ada.at("/tier_at_risk");
    shop.at(at_risk.as_str().unwrap());
    assert_eq!(shop.get("/v1/members/ada").await.at("/tier"), "Bronze");
}

#[tokio::test]
async fn part_of_an_order_is_paid_with_points_within_its_bounds() {
    let shop = Shop::under(&[
        (
            "merchant.toml",
            "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n[wallets.points]",
        ),
        (
            "earn.rhai",
            r#"earn "a" on purchase { order.total * 10 }
            reward "pay" costs 100 to 5_000 when units * 0.01 <= order.total / 2 at most 2 per day {
                discount(units * 0.01)
            }"#,
        ),
    ])
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "100.00").await;
    let pay = async |key: &str, units: serde_json::Value, total: &str| {
        let mut body = json!({ "reward": "pay", "units": units, "order": { "total": total } });
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        shop.post("/v1/members/ada/redeem", Some(key), &body).await
    };
    assert_eq!(
        pay("a", json!(null), "20.00").await.problem(),
        "422 units_are_missing /units: reward `pay` needs to know how much: send `units`, from 100 to 5000"
    );
    assert_eq!(
        pay("b", json!(99), "20.00").await.problem(),
        "422 units_are_out_of_range /units: reward `pay` takes from 100 to 5000 units, not 99"
    );
    assert_eq!(pay("c", json!(501), "10.00").await.status, 409);
    let paid = pay("d", json!(500), "10.00").await;
    assert_eq!(paid.at("/entry/reward/gives"), json!({ "kind": "discount", "amount": "5.00" }));
    assert_eq!(paid.at("/entry/balances/points"), 500);
    assert_eq!(pay("e", json!(300), "10.00").await.status, 201);
    assert_eq!(
        pay("f", json!(100), "10.00").await.problem(),
        "409 reward_was_taken_as_often_as_it_may : reward `pay` can be had at most 2 per day, and has been"
    );
    shop.all_is_well().await;
}
