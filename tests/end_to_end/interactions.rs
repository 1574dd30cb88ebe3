//! Features used together: returns and debts, accounts and erasing, holds and stock, carried
//! remainders.

use end_to_end::{Answer, Shop};
use reqwest::Method;
use serde_json::{Value, json};

/// Opens a shop with these rules and three members.
pub(crate) async fn shop(manifest: &str, rules: &str) -> Shop {
    let manifest = format!(
        "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\nhold_minutes = 30\n{manifest}"
    );
    let shop = Shop::under(&[("merchant.toml", &manifest), ("rules.rhai", rules)]).await;
    for member in ["ada", "bob", "smiths"] {
        shop.enroll(member).await;
    }
    shop
}

/// Sends a request that is named by member, verb and key, such as `ada reverse key`.
pub(crate) async fn asks(shop: &Shop, what: &str, body: Value) -> Answer {
    let mut words = what.split(' ');
    let mut word = || words.next().unwrap();
    let (member, verb, key) = (word(), word(), word());
    shop.post(&format!("/v1/members/{member}/{verb}"), Some(key), &body).await
}

pub(crate) async fn does(shop: &Shop, what: &str, body: Value) -> Answer {
    let answer = asks(shop, what, body).await;
    assert_eq!(answer.status, 201, "{what}: {}", answer.text);
    answer
}

/// The balance and the debt of a wallet.
pub(crate) async fn wallet(shop: &Shop, member: &str, wallet: &str) -> (i64, i64) {
    let member = shop.get(&format!("/v1/members/{member}")).await;
    let of = |what: &str| member.at(&format!("/wallets/{wallet}/{what}")).as_i64().unwrap_or(0);
    (of("balance"), of("debt"))
}

#[tokio::test]
async fn what_is_carried_over_comes_back_with_the_units_it_became() {
    let shop = shop(
        "[wallets.points]\ncarry = true\n[wallets.stamps]",
        "earn \"1 per 50\" on purchase { award(5, \"stamps\"); order.total / 50 }",
    )
    .await;
    for round in 0..3 {
        // The first purchase pays nothing, and its remainder makes the second one pay.
        shop.buys("ada", &format!("{round}-a"), "30.00").await;
        shop.buys("ada", &format!("{round}-b"), "20.00").await;
        assert_eq!(wallet(&shop, "ada", "points").await, (1, 0));
        does(&shop, &format!("ada reverse {round}-c"), json!({ "earn": format!("{round}-a") }))
            .await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
        does(&shop, &format!("ada reverse {round}-d"), json!({ "earn": format!("{round}-b") }))
            .await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
        // The stamps that the rule also gave are taken back on their own.
        assert_eq!(wallet(&shop, "ada", "stamps").await, (0, 0));
    }
    shop.buys("ada", "again", "49.00").await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn nobody_owes_beside_what_could_pay() {
    let shop = shop(
        "[wallets.points]\nexpires = { days = 30 }",
        "earn \"a\" on purchase { order.total }\nreward \"r\" costs 100 { product(\"p\") }",
    )
    .await;
    // The first order's units are spent, and the order comes back. The second order's units pay the
    // debt instead of expiring beside it.
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-20T07:30:00Z");
    shop.buys("ada", "2", "100.00").await;
    does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
    does(&shop, "ada reverse b", json!({ "earn": "1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    // A hold whose order comes back holds nothing more, and nothing is owed.
    for (member, free) in [("ada", true), ("bob", false)] {
        shop.at("2026-05-20T07:30:00Z");
        shop.buys(member, "3", "100.00").await;
        let held = does(&shop, &format!("{member} holds h"), json!({ "reward": "r" })).await;
        does(&shop, &format!("{member} reverse c"), json!({ "earn": "3" })).await;
        assert_eq!(wallet(&shop, member, "points").await, (0, 0));
        if free {
            let hold = held.at("/entry/hold").as_str().unwrap().to_owned();
            does(&shop, &format!("{member} holds/{hold}/release f"), json!({})).await;
            assert_eq!(wallet(&shop, member, "points").await, (0, 0));
        } else {
            shop.at("2026-06-30T07:30:00Z");
        }
    }
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 0));
    shop.buys("bob", "4", "70.00").await;
    assert_eq!(wallet(&shop, "bob", "points").await, (70, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_paid_a_debt_on_its_last_day_has_not_expired() {
    let shop = shop(
        "[wallets.points]\nexpires = { days = 30 }",
        "earn \"a\" on purchase { order.total }\nreward \"r\" costs 100 { product(\"p\") }",
    )
    .await;
    // Of 200 units earned 100 are spent, and both orders come back. So 100 are owed, whatever the
    // day on which the hold ended.
    for (member, free_again, returned) in [
        ("ada", "2026-05-20T08:30:00Z", "2026-05-20T08:30:00Z"),
        ("bob", "2026-06-19T08:30:00Z", "2026-06-19T08:30:00Z"),
    ] {
        let day = if member == "ada" { "2026-05-20T07:30:00Z" } else { "2026-06-19T07:20:00Z" };
        shop.at("2026-05-02T07:30:00Z");
        shop.buys(member, "1", "100.00").await;
        shop.at("2026-05-20T07:30:00Z");
        shop.buys(member, "2", "100.00").await;
        does(&shop, &format!("{member} redeem r"), json!({ "reward": "r" })).await;
        shop.at(day);
        does(&shop, &format!("{member} holds h"), json!({ "reward": "r" })).await;
        does(&shop, &format!("{member} reverse b1"), json!({ "earn": "1" })).await;
        shop.at(free_again);
        shop.run_expiry().await;
        shop.at(returned);
        does(&shop, &format!("{member} reverse b2"), json!({ "earn": "2" })).await;
        assert_eq!(wallet(&shop, member, "points").await, (0, 100), "{member}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_expired_is_compensated_once() {
    let rules = "earn \"a\" on purchase { order.total }\nreward \"r\" costs 100 { product(\"p\") }\n\
        reward \"half\" costs 50 { product(\"p\") }";
    let inactivity = shop("[wallets.points]\nexpires = { inactive_days = 30 }", rules).await;
    inactivity.buys("ada", "1", "100.00").await;
    inactivity.at("2026-05-03T07:30:00Z");
    inactivity.buys("ada", "2", "100.00").await;
    does(&inactivity, "ada redeem r", json!({ "reward": "r" })).await;
    inactivity.at("2026-07-01T07:30:00Z");
    inactivity.run_expiry().await;
    does(&inactivity, "ada reverse b1", json!({ "earn": "1" })).await;
    does(&inactivity, "ada reverse b2", json!({ "earn": "2" })).await;
    // 100 units expired, and 100 were spent.
    assert_eq!(wallet(&inactivity, "ada", "points").await, (0, 100));
    inactivity.all_is_well().await;

    let shared = shop("[wallets.points]\nshared = true\nexpires = { days = 30 }", rules).await;
    does(&shared, "ada join j", json!({ "account": "smiths" })).await;
    shared.buys("ada", "1", "100.00").await;
    does(&shared, "ada redeem r", json!({ "reward": "half" })).await;
    shared.at("2026-07-01T07:30:00Z");
    shared.run_expiry().await;
    does(&shared, "ada reverse b1", json!({ "earn": "1", "refund": "50.00" })).await;
    does(&shared, "ada reverse b2", json!({ "earn": "1" })).await;
    assert_eq!(wallet(&shared, "smiths", "points").await, (0, 50));
    shared.all_is_well().await;
}

#[tokio::test]
async fn what_was_delivered_comes_back_while_it_waits() {
    let waits = "pending_until = \"delivery\"\npending_days = 14";
    let rules = "earn \"a\" on purchase { order.total }";
    let manifest = format!("[wallets.points]\nshared = true\n{waits}\n[activities.delivery]");
    let shared = shop(&manifest, rules).await;
    does(&shared, "ada join j", json!({ "account": "smiths" })).await;
    shared.buys("ada", "o1", "10.00").await;
    does(&shared, "ada earn d", json!({ "type": "delivery", "of": "o1" })).await;
    does(&shared, "ada reverse b", json!({ "earn": "o1" })).await;
    assert_eq!(wallet(&shared, "smiths", "points").await, (0, 0));
    shared.all_is_well().await;

    let manifest = format!(
        "[wallets.points]\nexpires = {{ inactive_days = 90 }}\n{waits}\n[activities.delivery]"
    );
    let own = shop(&manifest, rules).await;
    own.buys("ada", "o1", "10.00").await;
    own.at("2026-05-03T07:30:00Z");
    own.buys("ada", "o2", "20.00").await;
    own.at("2026-05-04T07:30:00Z");
    does(&own, "ada earn d", json!({ "type": "delivery", "of": "o1" })).await;
    own.at("2026-05-07T07:30:00Z");
    let back = does(&own, "ada reverse b", json!({ "earn": "o1" })).await;
    assert_eq!(back.at("/entry/postings/0/change"), -10, "{}", back.text);
    assert_eq!(wallet(&own, "ada", "points").await, (0, 0));
    own.all_is_well().await;
}

#[tokio::test]
async fn a_long_chain_of_returns_is_undone() {
    let shop = shop("[wallets.points]", "earn \"a\" on purchase { order.total }").await;
    shop.buys("ada", "o0", "10.00").await;
    for number in 0..60 {
        shop.buys("ada", &format!("o{}", number + 1), "10.00").await;
        let earn = json!({ "earn": format!("o{number}") });
        does(&shop, &format!("ada reverse b{number}"), earn).await;
    }
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    shop.all_is_well().await;
}

const PARTS: &str = "earn \"a\" on purchase { order.total }\n\
    reward \"part\" costs 1 to 1_000 { product(\"p\") }";

#[tokio::test]
async fn what_came_back_part_by_part_comes_to_the_same_when_one_part_did_not() {
    let shop = shop("[wallets.points]", PARTS).await;
    let lines =
        json!({ "total": "90.00", "lines": [{ "sku": "tea", "quantity": 3, "price": "30.00" }] });
    let piece = json!({ "earn": "1", "lines": [{ "sku": "tea", "quantity": 1 }] });
    let money = |refund: &str| json!({ "earn": "2", "refund": refund });
    does(&shop, "ada earn 1", json!({ "type": "purchase", "order": lines })).await;
    for (key, left) in [("a", 60), ("b", 30), ("c", 0)] {
        does(&shop, &format!("ada reverse {key}"), piece.clone()).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (left, 0), "{key}");
    }
    let fourth = asks(&shop, "ada reverse d", piece).await;
    assert_eq!(
        fourth.problem(),
        "409 entry_is_reversed_already : entry 1 has been reversed already, by entry 4"
    );
    // One of the three was a mistake: it was sold, and nothing else.
    does(&shop, "ada reverse not-a", json!({ "reverse": "a" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (30, 0));

    // The same with money, in another order.
    shop.buys("bob", "2", "90.00").await;
    does(&shop, "bob reverse a", money("50.00")).await;
    does(&shop, "bob reverse b", money("40.00")).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 0));
    does(&shop, "bob reverse not-b", json!({ "reverse": "b" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (40, 0));
    does(&shop, "bob reverse not-a", json!({ "reverse": "a" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (90, 0));

    // And with the units of a reward.
    does(&shop, "bob redeem r", json!({ "reward": "part", "units": 50 })).await;
    does(&shop, "bob reverse c", json!({ "redeem": "r", "units": 20 })).await;
    does(&shop, "bob reverse d", json!({ "redeem": "r", "units": 30 })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (90, 0));
    let more = asks(&shop, "bob reverse e", json!({ "redeem": "r", "units": 1 })).await;
    assert_eq!(
        more.problem(),
        "409 entry_is_reversed_already : entry 6 has been reversed already, by entry 8"
    );
    does(&shop, "bob reverse not-c", json!({ "reverse": "c" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (70, 0));
    // Whatever has come back by itself stays so when all is told to have come back.
    does(&shop, "bob reverse f", json!({ "redeem": "r" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (90, 0));
    does(&shop, "bob reverse not-d", json!({ "reverse": "d" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (90, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_account_is_left_by_all_before_it_is_forgotten_or_joins_another() {
    let shop = shop(
        "[wallets.points]\nshared = true\n[wallets.own]",
        "earn \"a\" on purchase { order.total }\nreward \"r\" costs 30 { product(\"p\") }",
    )
    .await;
    shop.enroll("jones").await;
    // The debt in ada's own wallet does not show while she shares another's.
    shop.buys("ada", "alone", "30.00").await;
    does(&shop, "ada redeem spent", json!({ "reward": "r" })).await;
    let joined = does(&shop, "ada join j", json!({ "account": "smiths" })).await;
    assert_eq!(joined.at("/entry/balances"), json!({}), "{}", joined.text);
    shop.buys("ada", "o", "40.00").await;
    does(&shop, "ada reverse back", json!({ "earn": "alone" })).await;
    let no = asks(&shop, "smiths join j", json!({ "account": "jones" })).await;
    assert_eq!(
        no.problem(),
        "409 account_is_shared : 1 members share the wallets of `smiths`; they have to leave it first"
    );
    let forgets = async |member: &str| {
        shop.send(Method::DELETE, &format!("/v1/members/{member}"), None, "").await
    };
    assert_eq!(forgets("smiths").await.at("/code"), "account_is_shared");
    does(&shop, "ada leave l", json!({})).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 30));
    assert_eq!(forgets("smiths").await.status, 200);
    // Units that were earned in the account can still be returned.
    does(&shop, "ada reverse later", json!({ "earn": "o" })).await;
    shop.all_is_well().await;
    // An erased member shares nothing any more.
    does(&shop, "bob join j", json!({ "account": "jones" })).await;
    assert_eq!(forgets("bob").await.status, 200);
    assert_eq!(forgets("jones").await.status, 200);
    shop.all_is_well().await;
}

#[tokio::test]
async fn somebody_with_a_hundred_contests_is_forgotten() {
    let ten = |from: usize| -> String {
        (from..from + 10)
            .map(|number| format!("contest \"C{number}\" on purchase {{ 1 }}\n"))
            .collect()
    };
    let shop = shop("[wallets.points]", &ten(0)).await;
    let manifest =
        "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n[wallets.points]";
    let merchant = ledger::MerchantId::parse("test").unwrap();
    for round in 0..10 {
        let rules = ten(round * 10);
        let sources =
            rules::Sources::of([("merchant.toml", manifest), ("rules.rhai", rules.as_str())]);
        api::publish(shop.database.store(), &merchant, &sources, api::Forgetting::Allowed)
            .await
            .unwrap();
        shop.at(&format!("2026-05-{:02}T07:30:00Z", round + 3));
        shop.buys("ada", &format!("o{round}"), "1.00").await;
    }
    let gone = shop.send(Method::DELETE, "/v1/members/ada", None, "").await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let board = shop.database.store().leaderboard(&merchant, "C99", 10).await.unwrap();
    assert!(board.is_empty());
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_forgotten_hold_gives_its_piece_back_once() {
    let shop = shop(
        "[wallets.points]\nexpires = { inactive_days = 60 }",
        "earn \"a\" on purchase { order.total }\n\
         reward \"mug\" costs 10 stock 2 { product(\"Mug\") }\nreward \"tea\" costs 10 { product(\"T\") }",
    )
    .await;
    shop.buys("ada", "o", "100.00").await;
    let mug = || json!({ "reward": "mug" });
    does(&shop, "ada holds h1", mug()).await;
    does(&shop, "ada holds h2", mug()).await;
    assert_eq!(asks(&shop, "ada redeem no", mug()).await.at("/code"), "reward_is_sold_out");
    // A redemption extends held lots as well.
    does(&shop, "ada redeem tea", json!({ "reward": "tea" })).await;
    shop.all_is_well().await;
    shop.at("2026-05-02T09:30:00Z");
    // Both holds have expired: the same request that takes a piece puts both pieces back.
    does(&shop, "ada redeem one", mug()).await;
    does(&shop, "ada redeem two", mug()).await;
    assert_eq!(asks(&shop, "ada redeem three", mug()).await.at("/code"), "reward_is_sold_out");
    // A hold of an erased member can be neither captured nor released.
    does(&shop, "ada reverse back", json!({ "redeem": "two" })).await;
    let held = does(&shop, "ada holds h3", mug()).await;
    let hold = held.at("/entry/hold").as_str().unwrap().to_owned();
    shop.send(Method::DELETE, "/v1/members/ada", None, "").await;
    for what in ["capture", "release"] {
        let gone = asks(&shop, &format!("ada holds/{hold}/{what} c"), json!({})).await;
        assert_eq!(gone.at("/code"), "member_is_erased", "{what}: {}", gone.text);
    }
    does(&shop, "bob adjust gift", json!({ "units": 10, "reason": "r", "author": "e" })).await;
    does(&shop, "bob redeem m", mug()).await;
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_tier_that_returns_take_away_goes_in_any_order() {
    for order in [["a", "b"], ["b", "a"]] {
        let shop = shop(
            "[wallets.status]\nspendable = false\n[wallets.points]\n[tiers]\ngrace_days = 30",
            "earn \"s\" on purchase into status { order.total }\ntier \"Base\" { true }\n\
             tier \"Gold\" { wallet(\"status\") >= 100 }",
        )
        .await;
        shop.buys("ada", "a", "100.00").await;
        shop.at("2026-05-03T07:30:00Z");
        shop.buys("ada", "b", "100.00").await;
        for key in order {
            does(&shop, &format!("ada reverse back-{key}"), json!({ "earn": key })).await;
        }
        assert_eq!(shop.get("/v1/members/ada").await.at("/tier"), "Base", "{order:?}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn what_is_within_reach_is_what_is_shared_and_a_tier_is_ones_own() {
    let shop = shop(
        "[wallets.points]\nexpires = { days = 3 }\n[wallets.miles]\nshared = true\n\
         [wallets.status]\nspendable = false",
        "earn \"p\" on purchase { order.total }\nearn \"m\" on purchase into miles { order.total }\n\
         earn \"s\" on purchase into status { order.total }\n\
         tier \"Base\" { true }\ntier \"Gold\" { wallet(\"status\") >= 100 }\n\
         reward \"flight\" costs 100 miles { product(\"Flight\") }",
    )
    .await;
    shop.buys("bob", "o", "90.00").await;
    does(&shop, "ada join a", json!({ "account": "smiths" })).await;
    let bought = shop.buys("ada", "o", "110.00").await;
    assert_eq!(bought.at("/within_reach"), json!(["flight"]), "{}", bought.text);
    assert_eq!(shop.get("/v1/members/ada").await.at("/tier"), "Gold");
    does(&shop, "bob join b", json!({ "account": "smiths" })).await;
    assert_eq!(shop.get("/v1/members/bob").await.at("/wallets/miles/balance"), 110);
    assert_eq!(shop.get("/v1/members/bob").await.at("/tier"), "Base");
    // Her own points expire, and she keeps her tier.
    shop.at("2026-05-08T07:30:00Z");
    shop.run_expiry().await;
    let ada = shop.get("/v1/members/ada").await;
    assert_eq!((ada.at("/tier"), ada.at("/wallets/points/balance")), (json!("Gold"), json!(0)));
    let entries = shop.get("/v1/members/ada/entries").await;
    assert_eq!(entries.at("/entries/0/kind"), "expire");
    assert_eq!(entries.at("/entries/0/tier"), Value::Null, "{}", entries.text);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_comes_by_itself_is_no_activity_and_may_refer() {
    let shop = shop(
        "[wallets.points]\nexpires = { inactive_months = 14 }\n\
         [activities.anniversary]\nyearly = \"joined\"\n[activities.referral]",
        "earn \"p\" on purchase { order.total }\nearn \"loyal\" on anniversary { refer(); 1 }\n\
         earn \"brought\" on referral { 7 }",
    )
    .await;
    let friend = json!({ "id": "zoe", "referred_by": "ada" });
    assert_eq!(shop.post("/v1/members", None, &friend).await.status, 201);
    shop.buys("zoe", "o", "100.00").await;
    let answer = asks(&shop, "zoe earn k", json!({ "type": "anniversary" })).await;
    assert_eq!(
        answer.problem(),
        "422 field_is_wrong /type: `/type`: anniversary comes by itself, on its day; it is not told"
    );
    shop.at("2027-05-02T07:30:00Z");
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "ada", "points").await, (8, 0));
    assert_eq!(wallet(&shop, "zoe", "points").await, (101, 0));
    // The units of a member who is never active expire, whatever its anniversaries.
    shop.at("2027-07-03T07:30:00Z");
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "zoe", "points").await, (1, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_name_that_is_a_way_to_another_place_is_refused() {
    let shop = shop("[wallets.points]", "earn \"p\" on purchase { order.total }").await;
    for id in [".", ".."] {
        let answer = shop.post("/v1/members", None, &json!({ "id": id })).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
    }
    for before in ["YmVmb3JlOjA", "YmVmb3JlOjE"] {
        let page = shop.get(&format!("/v1/members/ada/entries?cursor={before}")).await;
        assert_eq!(page.at("/code"), "cursor_is_wrong", "{}", page.text);
    }
}
