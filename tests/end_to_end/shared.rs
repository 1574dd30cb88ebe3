//! What members share: stocks, budgets, pools of codes, referrals, leaderboards.

use end_to_end::Shop;
use futures::future::join_all;
use ledger::{MerchantId, SharedLimit};
use serde_json::json;

const MANIFEST: &str = r#"
name = "T"
currency = "EUR"
time_zone = "UTC"
[wallets.points]
[activities.referral]
[campaigns.summer]
from = 2026-05-01
until = 2026-05-31
budget = 1_000
[pools.SPRING]
"#;

fn merchant() -> MerchantId {
    MerchantId::parse("test").unwrap()
}

async fn shop(sheet: &str) -> Shop {
    Shop::under(&[("merchant.toml", MANIFEST), ("earn.rhai", sheet)]).await
}

/// Enrols this many members, each with one purchase.
async fn crowd(shop: &Shop, members: usize) -> Vec<String> {
    let names: Vec<String> = (0..members).map(|number| format!("m{number}")).collect();
    for name in &names {
        shop.enroll(name).await;
        shop.buys(name, "first", "100.00").await;
    }
    names
}

#[tokio::test]
async fn sixty_members_want_a_reward_of_which_there_are_twenty_and_twenty_get_it() {
    let shop = shop(
        r#"earn "a" on purchase { 100 }
        reward "night" costs 10 stock 20 { event("Cupping night") }"#,
    )
    .await;
    let names = crowd(&shop, 60).await;
    let take = async |name: &String| {
        let path = format!("/v1/members/{name}/redeem");
        shop.post(&path, Some("night"), &json!({ "reward": "night" })).await
    };
    let answers = join_all(names.iter().map(take)).await;
    let given = answers.iter().filter(|answer| answer.status == 201).count();
    let sold_out: Vec<String> = answers
        .iter()
        .filter(|answer| answer.status != 201)
        .map(end_to_end::Answer::problem)
        .collect();
    assert_eq!((given, sold_out.len()), (20, 40), "{sold_out:?}");
    let expected = "409 reward_is_sold_out : nothing of reward `night` is left";
    assert!(sold_out.iter().all(|problem| problem == expected), "{sold_out:?}");
    let limit = SharedLimit::Stock("night".to_owned());
    assert_eq!(shop.database.store().left(&merchant(), &limit).await.unwrap().get(), 0);
    // Members who got nothing paid nothing, and a repeat still gets its answer.
    let repeat = join_all(names.iter().map(take)).await;
    assert_eq!(repeat.iter().filter(|answer| answer.replayed).count(), 20);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_stock_that_is_raised_goes_on_and_one_that_is_lowered_does_not_sell_more() {
    let sheet = |stock: u32| {
        format!(
            "earn \"a\" on purchase {{ 100 }}\nreward \"r\" costs 1 stock {stock} {{ product(\"p\") }}"
        )
    };
    let shop = shop(&sheet(2)).await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "1").await;
    let store = shop.database.store();
    let limit = SharedLimit::Stock("r".to_owned());
    let mut tries = 0;
    let mut take = async || {
        tries += 1;
        let key = tries.to_string();
        let answer =
            shop.post("/v1/members/ada/redeem", Some(&key), &json!({ "reward": "r" })).await;
        answer.status.as_u16()
    };
    assert_eq!([take().await, take().await, take().await], [201, 201, 409]);
    for (stock, left, expected) in [(3, 1, [201, 409]), (1, 0, [409, 409]), (5, 2, [201, 201])] {
        let sheet = sheet(stock);
        let sources =
            rules::Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", sheet.as_str())]);
        api::publish(store, &merchant(), &sources, api::Forgetting::Allowed).await.unwrap();
        assert_eq!(store.left(&merchant(), &limit).await.unwrap().get(), left, "{stock}");
        assert_eq!([take().await, take().await], expected, "{stock}");
    }
    assert_eq!(store.left(&merchant(), &limit).await.unwrap().get(), 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_campaign_never_pays_more_than_its_budget_however_many_come_at_once() {
    let shop = shop(
        r#"earn "a" on purchase { 1 }
        earn "Summer" on purchase during summer when member.purchases > 0 { 30 }"#,
    )
    .await;
    let names = crowd(&shop, 50).await;
    let buy = async |name: &String| shop.buys(name, "second", "10.00").await;
    let answers = join_all(names.iter().map(buy)).await;
    let paid = |answer: &end_to_end::Answer| answer.at("/entry/because/1/units").as_i64();
    let sum: i64 = answers.iter().filter_map(paid).sum();
    // 30 units fit 33 times into 1,000.
    assert_eq!(sum, 990);
    let limit = SharedLimit::Budget("summer".to_owned());
    assert_eq!(shop.database.store().left(&merchant(), &limit).await.unwrap().get(), 10);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_code_is_handed_out_once_and_an_empty_pool_says_so() {
    let shop = shop(
        r#"earn "a" on purchase { 100 }
        reward "code" costs 10 { voucher("SPRING") }"#,
    )
    .await;
    let codes: Vec<String> = (0..12).map(|number| format!("CODE-{number}")).collect();
    let store = shop.database.store();
    assert_eq!(store.import_codes(&merchant(), "SPRING", &codes).await.unwrap(), 12);
    let names = crowd(&shop, 15).await;
    let take = async |name: &String| {
        let path = format!("/v1/members/{name}/redeem");
        shop.post(&path, Some("code"), &json!({ "reward": "code" })).await
    };
    let answers = join_all(names.iter().map(take)).await;
    let mut given: Vec<String> = answers
        .iter()
        .filter_map(|answer| answer.at("/entry/reward/gives/code").as_str().map(str::to_owned))
        .collect();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 12);
    let empty = answers.iter().filter(|answer| answer.status == 409);
    let problems: Vec<String> = empty.map(end_to_end::Answer::problem).collect();
    let expected =
        "409 pool_is_empty : reward `code` is a code from `SPRING`, and none is left there";
    assert_eq!(problems, [expected; 3]);
    // A code that a member has is not imported again.
    assert_eq!(store.import_codes(&merchant(), "SPRING", &codes).await.unwrap(), 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_friend_who_buys_pays_both_in_one_transaction_and_once() {
    let shop = shop(
        r#"earn "Welcome" on purchase when member.referred && member.purchases == 0 { refer(); 200 }
        earn "Brought a friend" on referral at most 2 per month { voucher("SPRING"); 500 }"#,
    )
    .await;
    let codes = ["A", "B", "C"].map(str::to_owned);
    shop.database.store().import_codes(&merchant(), "SPRING", &codes).await.unwrap();
    shop.enroll("ada").await;
    let friend = async |name: &str| {
        let body = json!({ "id": name, "referred_by": "ada" });
        assert_eq!(shop.post("/v1/members", None, &body).await.status, 201);
        shop.buys(name, "order", "10.00").await
    };
    let answer = friend("bob").await;
    assert_eq!(
        answer.at("/entry/because/1"),
        json!({ "rule": "Welcome", "source": "earn.rhai:1", "effect": "referral", "referrer": "ada", "entry": 1 })
    );
    // Two friends who buy at the same moment change ada one after the other.
    let _ = tokio::join!(friend("cid"), friend("dan"));
    let ada = shop.get("/v1/members/ada").await;
    assert_eq!(ada.at("/wallets/points/balance"), 1000);
    assert_eq!(shop.get("/v1/members/dan").await.at("/wallets/points/balance"), 200);
    let entries = shop.get("/v1/members/ada/entries").await;
    assert_eq!(entries.at("/entries").as_array().unwrap().len(), 3);
    assert_eq!(entries.at("/entries/2/activity/type"), "referral");
    shop.buys("bob", "order", "10.00").await;
    shop.buys("bob", "another", "10.00").await;
    assert_eq!(shop.get("/v1/members/ada").await.at("/wallets/points/balance"), 1000);
    shop.all_is_well().await;

    let unknown = json!({ "id": "eve", "referred_by": "nobody" });
    assert_eq!(
        shop.post("/v1/members", None, &unknown).await.problem(),
        "422 referrer_is_unknown /referred_by: there is no member `nobody` who could have brought this one"
    );
    let referral = json!({ "type": "referral" });
    assert_eq!(
        shop.post("/v1/members/ada/earn", Some("t"), &referral).await.problem(),
        "422 field_is_wrong /type: `/type`: a referral is told by a rule of the friend's, with `refer()`"
    );
}

#[tokio::test]
async fn a_friend_and_the_referrer_draw_from_the_same_budget_and_the_same_pool() {
    // A share of the budget has 62 or 63 units: enough for either of the two, and not for both.
    let shop = shop(
        r#"earn "Friend" on purchase during summer { refer(); voucher("SPRING"); 50 }
        earn "Brought" on referral during summer { voucher("SPRING"); 50 }"#,
    )
    .await;
    let codes = ["A", "B"].map(str::to_owned);
    let store = shop.database.store();
    store.import_codes(&merchant(), "SPRING", &codes).await.unwrap();
    shop.enroll("ada").await;
    let body = json!({ "id": "bob", "referred_by": "ada" });
    assert_eq!(shop.post("/v1/members", None, &body).await.status, 201);
    assert_eq!(shop.buys("bob", "order", "10.00").await.status, 201);
    assert_eq!(shop.get("/v1/members/bob").await.at("/wallets/points/balance"), 50);
    assert_eq!(shop.get("/v1/members/ada").await.at("/wallets/points/balance"), 50);
    let limit = SharedLimit::Budget("summer".to_owned());
    assert_eq!(store.left(&merchant(), &limit).await.unwrap().get(), 900);
    shop.all_is_well().await;
}

#[tokio::test]
async fn all_codes_of_a_pool_are_found_wherever_they_lie() {
    let five = "voucher(\"SPRING\"); ".repeat(5);
    let shop = shop(&format!("earn \"Five\" on purchase {{ {five} }}")).await;
    let codes: Vec<String> = (0..12).map(|number| format!("CODE-{number}")).collect();
    shop.database.store().import_codes(&merchant(), "SPRING", &codes).await.unwrap();
    shop.enroll("ada").await;
    let mut given = Vec::new();
    for order in ["one", "two", "three"] {
        let bought = shop.buys("ada", order, "10.00").await;
        given.push(bought.at("/entry/because").as_array().map_or(0, Vec::len));
    }
    assert_eq!(given, [5, 5, 0]);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_leaderboard_is_read_from_the_top_and_equals_share_a_place() {
    let shop =
        shop(r#"contest "Most cups" on purchase from 2026-05-01 until 2026-05-31 { order.total }"#)
            .await;
    for (name, total) in [("ada", "30"), ("bob", "50"), ("cid", "30"), ("dan", "10")] {
        shop.enroll(name).await;
        shop.buys(name, "1", total).await;
    }
    shop.buys("dan", "2", "5").await;
    let board = shop.get("/v1/contests/Most%20cups?limit=3").await;
    let place = |rank: u32, member: &str, score: u32| json!({ "rank": rank, "member": member, "score": score });
    assert_eq!(
        board.at("/places"),
        json!([place(1, "bob", 50), place(2, "ada", 30), place(2, "cid", 30)])
    );
    shop.at("2026-06-01T00:00:00Z");
    shop.buys("dan", "3", "100").await;
    let board = shop.get("/v1/contests/Most%20cups").await;
    assert_eq!(board.at("/places/3"), place(4, "dan", 15));
    assert_eq!(
        shop.get("/v1/contests/Most%20cup").await.problem(),
        "404 contest_is_unknown : there is no contest `Most cup`; did you mean `Most cups`?"
    );
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_members_share_costs_what_the_table_says() {
    let mut shop = shop(
        r#"earn "a" on purchase { 100 }
        earn "Summer" on purchase during summer when activity.channel == "budget" { 1 }
        earn "Welcome" on purchase when activity.channel == "friend" { refer(); }
        earn "Friend" on referral { 1 }
        contest "Cups" on purchase when activity.channel == "contest" { 1 }
        reward "plain" costs 1 { product("p") }
        reward "stock" costs 1 stock 100 { product("p") }
        reward "code" costs 1 { voucher("SPRING") }"#,
    )
    .await;
    let codes: Vec<String> = (0..100).map(|number| format!("CODE-{number}")).collect();
    shop.database.store().import_codes(&merchant(), "SPRING", &codes).await.unwrap();
    shop.enroll("bob").await;
    let ada = json!({ "id": "ada", "referred_by": "bob" });
    assert_eq!(shop.post("/v1/members", None, &ada).await.status, 201);
    // Both have lots already, so that no due date moves.
    shop.buys("ada", "first", "1").await;
    shop.buys("bob", "first", "1").await;
    let (store, meter) = shop.database.store().metered();
    shop.through(store).await;
    let mut costs = Vec::new();
    for channel in ["shop", "budget", "contest", "friend"] {
        let body = json!({ "type": "purchase", "channel": channel, "order": { "total": "1" } });
        // The first time also loads the rules; the second is measured.
        for time in ["one", "two"] {
            let _ = meter.take();
            let key = format!("{channel}-{time}");
            let answer = shop.post("/v1/members/ada/earn", Some(&key), &body).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
        let cost = meter.take();
        costs.push(format!("{channel} {} {}", cost.reads, cost.writes));
    }
    for reward in ["plain", "stock", "code"] {
        let _ = meter.take();
        let body = json!({ "reward": reward });
        let answer = shop.post("/v1/members/ada/redeem", Some(reward), &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let cost = meter.take();
        costs.push(format!("{reward} {} {}", cost.reads, cost.writes));
    }
    // Read and write units. The first line of each verb is one without anything shared.
    let expected = [
        "shop 1.5 2",
        "budget 2.0 5",
        "contest 1.5 7",
        "friend 2.5 5",
        "plain 1.5 2",
        "stock 2.0 5",
        "code 2.5 7",
    ];
    if end_to_end::tells_capacity() {
        assert_eq!(costs, expected);
    }
}
