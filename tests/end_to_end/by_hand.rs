//! Requests that no rule decides: adjustments, transfers, accounts, erasing.

use end_to_end::{Answer, Shop};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const MANIFEST: &str = r#"
name = "T"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
expires = { days = 30 }
transferable = true
[wallets.miles]
shared = true
transferable = true
[wallets.status]
spendable = false
"#;

const RULES: &str = r#"
earn "points" on purchase { order.total }
earn "miles" on purchase into miles { order.total }
contest "Most" on purchase { 1 }
reward "r" costs 10 { product("p") }
reward "flight" costs 100 miles { product("Flight") }
"#;

async fn shop() -> Shop {
    let shop = Shop::under(&[("merchant.toml", MANIFEST), ("rules.rhai", RULES)]).await;
    for member in ["ada", "bob", "smiths"] {
        shop.enroll(member).await;
    }
    shop
}

async fn post(shop: &Shop, member: &str, what: &str, key: &str, body: Value) -> Answer {
    shop.post(&format!("/v1/members/{member}/{what}"), Some(key), &body).await
}

async fn balance(shop: &Shop, member: &str, wallet: &str) -> i64 {
    let member = shop.get(&format!("/v1/members/{member}")).await;
    member.at(&format!("/wallets/{wallet}/balance")).as_i64().unwrap()
}

#[tokio::test]
async fn an_adjustment_says_who_and_why() {
    let shop = shop().await;
    let body = json!({ "units": 50, "reason": "the till was down", "author": "eve" });
    let given = post(&shop, "ada", "adjust", "a", body.clone()).await;
    assert_eq!(given.status, 201, "{}", given.text);
    assert_eq!(
        (given.at("/entry/author"), given.at("/entry/reason")),
        (json!("eve"), json!("the till was down"))
    );
    assert_eq!(given.at("/entry/postings/0/to/lot/expires_at"), "2026-06-01T07:30:00Z");
    assert!(post(&shop, "ada", "adjust", "a", body).await.replayed);
    let taken = json!({ "units": -20, "reason": "x", "author": "eve" });
    assert_eq!(post(&shop, "ada", "adjust", "b", taken).await.status, 201);
    assert_eq!(balance(&shop, "ada", "points").await, 30);
    for (body, expected) in [
        (
            json!({ "units": -31, "reason": "x", "author": "eve" }),
            "409 balance_is_insufficient : 31 points are taken, and 30 can be spent",
        ),
        (
            json!({ "units": 0, "reason": "x", "author": "eve" }),
            "422 units_are_zero /units: no units are moved; say how many",
        ),
        (
            json!({ "units": 1, "reason": " ", "author": "eve" }),
            "422 field_is_wrong /reason: `/reason`: it is empty",
        ),
        (
            json!({ "units": 1, "wallet": "gold", "reason": "x", "author": "eve" }),
            "422 wallet_is_unknown /wallet: there is no wallet `gold` in the manifest",
        ),
        (
            json!({ "units": 1_000_000_000_000_001i64, "reason": "x", "author": "eve" }),
            "409 wallet_is_full : member `ada` would hold or owe more than 1000000000000000 units in a wallet or a score",
        ),
    ] {
        assert_eq!(post(&shop, "ada", "adjust", "c", body).await.problem(), expected);
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_transfer_moves_the_very_lots() {
    let shop = shop().await;
    shop.buys("ada", "1", "60.00").await;
    shop.at("2026-05-12T07:30:00Z");
    shop.buys("ada", "2", "60.00").await;
    let body = json!({ "to": "bob", "units": 100, "reason": "a present" });
    let given = post(&shop, "ada", "transfer", "t", body.clone()).await;
    assert_eq!(given.status, 201, "{}", given.text);
    assert_eq!(given.at("/entry/to"), "bob");
    assert!(post(&shop, "ada", "transfer", "t", body).await.replayed);
    assert_eq!(
        (balance(&shop, "ada", "points").await, balance(&shop, "bob", "points").await),
        (20, 100)
    );
    let had = shop.get("/v1/members/bob/entries").await;
    assert_eq!(had.at("/entries/0/from"), "ada");
    assert_eq!(had.at("/entries/0/postings/0/to/lot/expires_at"), "2026-06-01T07:30:00Z");
    for (body, expected) in [
        (
            json!({ "to": "ada", "units": 1 }),
            "422 both_sides_are_one /to: member `ada` cannot give units to itself, or to whom it shares its wallets with",
        ),
        (
            json!({ "to": "zoe", "units": 1 }),
            "422 other_member_is_unknown /to: there is no member `zoe`",
        ),
        (
            json!({ "to": "bob", "units": 21 }),
            "409 balance_is_insufficient : 21 points are taken, and 20 can be spent",
        ),
        (
            json!({ "to": "bob", "units": 1, "wallet": "status" }),
            "422 wallet_is_not_transferable /wallet: units of `status` cannot be given to others; the manifest does not say `transferable`",
        ),
    ] {
        assert_eq!(post(&shop, "ada", "transfer", "u", body).await.problem(), expected);
    }
    shop.all_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_both_ways_at_once_lose_and_double_nothing() {
    let shop = shop().await;
    shop.buys("ada", "1", "100.00").await;
    shop.buys("bob", "1", "100.00").await;
    let shop = &shop;
    let transfers = join_all((0..40).map(async |number| {
        let (from, to) = if number % 2 == 0 { ("ada", "bob") } else { ("bob", "ada") };
        let body = json!({ "to": to, "units": 5 + number % 7 });
        let key = format!("t{number}");
        let status = post(shop, from, "transfer", &key, body.clone()).await;
        (status.status.as_u16(), from, key, body, status.text)
    }))
    .await;
    for (status, from, key, body, text) in transfers {
        assert!(matches!(status, 201 | 409), "{text}");
        if status == 201 {
            let again = post(shop, from, "transfer", &key, body).await;
            assert_eq!((again.replayed, again.text), (true, text));
        }
    }
    assert_eq!(balance(shop, "ada", "points").await + balance(shop, "bob", "points").await, 200);
    shop.all_is_well().await;
}

/// Ada and Bob, who share the wallets of an account and have earned 110 miles for it.
async fn household() -> Shop {
    let shop = shop().await;
    shop.buys("ada", "before", "30.00").await;
    for member in ["ada", "bob"] {
        let joined = post(&shop, member, "join", "j", json!({ "account": "smiths" })).await;
        assert_eq!(joined.status, 201, "{}", joined.text);
    }
    let earned = shop.buys("ada", "1", "60.00").await;
    assert_eq!(earned.at("/entry/balances/miles"), 60);
    shop.buys("bob", "1", "50.00").await;
    shop
}

/// The kinds of a member's entries, the newest first, with who did what in its account.
async fn statement(shop: &Shop, member: &str) -> Vec<String> {
    let page = shop.get(&format!("/v1/members/{member}/entries")).await.json();
    let entries = page["entries"].as_array().unwrap();
    let kind = |entry: &Value| {
        let by = entry["by"].as_str().unwrap_or_default();
        let moved = entry["moved"].as_str().unwrap_or_default();
        format!("{} {by} {moved}", entry["kind"].as_str().unwrap())
    };
    entries.iter().map(kind).collect()
}

#[tokio::test]
async fn a_household_earns_into_and_spends_from_one_account_with_a_statement_for_each() {
    let shop = household().await;
    for member in ["ada", "bob", "smiths"] {
        assert_eq!(balance(&shop, member, "miles").await, 110, "{member}");
    }
    // Points are not shared.
    assert_eq!(
        (balance(&shop, "ada", "points").await, balance(&shop, "bob", "points").await),
        (90, 50)
    );
    let flight = json!({ "reward": "flight" });
    let flown = post(&shop, "bob", "redeem", "f", flight.clone()).await;
    assert_eq!(flown.status, 201, "{}", flown.text);
    assert_eq!(
        post(&shop, "ada", "redeem", "f", flight).await.at("/code"),
        "balance_is_insufficient"
    );
    // Each member has its own statement, and the account has one of everything.
    assert_eq!(
        statement(&shop, "smiths").await,
        [
            "share bob redeem",
            "share bob earn",
            "share ada earn",
            "share bob join",
            "share ada join"
        ]
    );
    assert_eq!(statement(&shop, "bob").await, ["redeem  ", "earn  ", "join  "]);
    shop.all_is_well().await;
}

#[tokio::test]
async fn returns_and_holds_of_two_members_draw_on_the_account_that_they_share() {
    let shop = household().await;
    let flight = json!({ "reward": "flight" });
    let flown = post(&shop, "bob", "redeem", "f", flight.clone()).await;
    assert_eq!(flown.status, 201, "{}", flown.text);
    // A return takes the units from the account whose wallet they went to.
    let answer = post(&shop, "bob", "reverse", "back", json!({ "earn": "1" })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let smiths = shop.get("/v1/members/smiths").await;
    assert_eq!(smiths.at("/wallets/miles/debt"), 40, "{}", smiths.text);
    let answer = post(&shop, "bob", "reverse", "back-2", json!({ "redeem": "f" })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(balance(&shop, "smiths", "miles").await, 60);
    // Both members hold units of the same wallet.
    shop.buys("ada", "2", "240.00").await;
    let held = post(&shop, "ada", "holds", "h", flight.clone()).await;
    let hold = held.at("/entry/hold").as_str().unwrap().to_owned();
    let other = post(&shop, "bob", "holds", "h", flight).await;
    assert_eq!(other.status, 201, "{}", other.text);
    assert_eq!(
        post(&shop, "ada", &format!("holds/{hold}/capture"), "c", json!({})).await.status,
        201
    );
    assert_eq!(balance(&shop, "smiths", "miles").await, 100);
    assert_eq!(post(&shop, "bob", "leave", "l", json!({})).await.at("/code"), "member_has_a_hold");
    let hold = other.at("/entry/hold").as_str().unwrap().to_owned();
    assert_eq!(
        post(&shop, "bob", &format!("holds/{hold}/release"), "r", json!({})).await.status,
        201
    );
    assert_eq!(post(&shop, "bob", "leave", "l", json!({})).await.status, 201);
    assert_eq!(balance(&shop, "bob", "miles").await, 0);
    let twice = post(&shop, "ada", "join", "again", json!({ "account": "bob" })).await;
    assert_eq!(twice.at("/code"), "member_has_an_account");
    shop.all_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_household_that_shops_at_once_loses_nothing() {
    let shop = shop().await;
    for member in ["ada", "bob"] {
        assert_eq!(
            post(&shop, member, "join", "j", json!({ "account": "smiths" })).await.status,
            201
        );
    }
    let shop = &shop;
    let done = join_all((0..12).map(async |number| {
        let member = if number % 2 == 0 { "ada" } else { "bob" };
        let body = json!({ "type": "purchase", "order": { "total": "10.00" } });
        let key = format!("k{number}");
        post(shop, member, "earn", &key, body).await.status.as_u16()
    }))
    .await;
    assert!(done.iter().all(|status| *status == 201), "{done:?}");
    assert_eq!(balance(shop, "smiths", "miles").await, 120);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_person_is_forgotten_and_the_sums_stay() {
    let shop = shop().await;
    let body =
        json!({ "id": "cid", "attributes": { "email": "cid@example.org" }, "tags": ["vip"] });
    assert_eq!(shop.post("/v1/members", None, &body).await.status, 201);
    shop.buys("cid", "1", "60.00").await;
    shop.buys("ada", "1", "10.00").await;
    let delete = async || shop.send(Method::DELETE, "/v1/members/cid", None, "").await;
    let erased = delete().await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    assert_eq!((delete().await.text, delete().await.replayed), (erased.text, true));
    let purchase = json!({ "type": "purchase", "order": { "total": "60.00" } });
    for answer in [
        shop.get("/v1/members/cid").await,
        shop.get("/v1/members/cid/entries").await,
        // The answer to cid's purchase is erased, too.
        post(&shop, "cid", "earn", "1", purchase.clone()).await,
        post(&shop, "cid", "earn", "2", purchase).await,
        post(&shop, "cid", "redeem", "2", json!({ "reward": "r" })).await,
        post(&shop, "cid", "reverse", "2", json!({ "earn": "1" })).await,
        // The other member need not exist.
        post(&shop, "cid", "join", "2", json!({ "account": "nobody" })).await,
        post(&shop, "cid", "transfer", "2", json!({ "to": "nobody", "units": 1 })).await,
    ] {
        assert_eq!(answer.problem(), "410 member_is_erased : member `cid` has been erased");
    }
    // Ada is not erased; the other member is.
    for (verb, body, expected) in [
        (
            "transfer",
            json!({ "to": "cid", "units": 1 }),
            "410 other_member_is_erased /to: member `cid`, who would get them, has been erased",
        ),
        (
            "join",
            json!({ "account": "cid" }),
            "410 other_member_is_erased /account: member `cid`, whose wallets would be shared, has been erased",
        ),
    ] {
        assert_eq!(post(&shop, "ada", verb, "2", body).await.problem(), expected);
    }
    assert_eq!(shop.post("/v1/members", None, &body).await.at("/code"), "member_is_erased");
    assert_eq!(shop.get("/v1/contests/Most").await.at("/places/1"), Value::Null);
    // No readable data of the person are left in the table.
    let held = end_to_end::audit::dump(&shop.database, "test").await.join("\n");
    assert!(!held.contains("example.org") && !held.contains("vip"), "{held}");
    shop.all_is_well().await;
    // The units that the merchant owes still expire on their day.
    shop.at("2026-06-02T00:00:00Z");
    assert_eq!(shop.run_expiry().await.units["test/points"], 70);
    shop.all_is_well().await;
}
