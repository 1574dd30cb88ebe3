//! What is undone and then is not, and what is told late beside what was there already: nothing is had
//! twice, nothing is lost, and the books say what it was.

use end_to_end::{Answer, Shop};
use serde_json::json;

use crate::interactions::{asks, does, shop, wallet};
use crate::one_history::{PLAIN, bought};

/// The movements of an entry beyond its wallets, as `why units`, above zero if they came in.
fn movements(answer: &Answer) -> Vec<String> {
    let postings = answer.at("/entry/postings").as_array().cloned().unwrap_or_default();
    let moved = postings.iter().filter(|posting| posting["change"] != 0);
    moved
        .map(|posting| format!("{} {}", posting["why"].as_str().unwrap(), posting["change"]))
        .collect()
}

/// Imports codes into the pool `CODES`.
async fn import(shop: &Shop, codes: &[&str]) {
    let merchant = ledger::MerchantId::parse("test").unwrap();
    let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    shop.database.store().import_codes(&merchant, "CODES", &codes).await.unwrap();
}

/// What an entry says of a code: `voucher CODE` or `void CODE`.
fn of_codes(answer: &Answer) -> Vec<String> {
    let mut reasons = answer.at("/entry/because").as_array().cloned().unwrap_or_default();
    let differences = answer.at("/entry/again/differences").as_array().cloned().unwrap_or_default();
    for difference in differences {
        reasons.extend(difference["because"].as_array().cloned().unwrap_or_default());
    }
    let of_code = reasons.iter().filter(|reason| reason["code"].is_string());
    of_code
        .map(|reason| {
            format!("{} {}", reason["effect"].as_str().unwrap(), reason["code"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn units_of_a_household_keep_their_ends_through_its_debt() {
    let manifest = "[wallets.points]\nworth = \"0.01\"\nexpires = { days = 10 }\nshared = true";
    let part = |units: i64| json!({ "reward": "part", "units": units });
    for (first, second, back, left) in [(100, 0, Some(60), 60), (100, 50, None, 150)] {
        let shop = shop(manifest, PLAIN).await;
        does(&shop, "ada join j", json!({ "account": "smiths" })).await;
        does(&shop, "bob join j", json!({ "account": "smiths" })).await;
        shop.buys("ada", "o1", &format!("{first}.00")).await;
        if second > 0 {
            shop.buys("bob", "o2", &format!("{second}.00")).await;
        }
        let taken = first + second - if second > 0 { 20 } else { 0 };
        does(&shop, "bob redeem p", part(taken)).await;
        does(&shop, "ada reverse r", json!({ "order": "o1" })).await;
        does(&shop, "bob reverse rp", json!({ "redeem": "p", "units": back })).await;
        does(&shop, "ada reverse rr", json!({ "reverse": "r" })).await;
        assert_eq!(wallet(&shop, "smiths", "points").await, (left, 0));
        shop.all_is_well().await;
        shop.at("2026-05-12T22:00:00Z");
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "smiths", "points").await, (0, 0), "{first} {second}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn telling_a_redemption_late_opens_no_cap() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        reward \"once\" costs 10 at most 1 ever { product(\"p\") }\n\
        reward \"weekly\" costs 10 at most 1 per week { product(\"p\") }";
    let shop = shop("[wallets.points]", rules).await;
    shop.buys("ada", "1", "100.00").await;
    // 14 May is a Thursday.
    shop.at("2026-05-14T10:00:00Z");
    let at = |reward: &str, at: &str| json!({ "reward": reward, "at": at });
    for reward in ["once", "weekly"] {
        does(&shop, &format!("ada redeem {reward}"), json!({ "reward": reward })).await;
    }
    let no = asks(&shop, "ada redeem l1", at("once", "2026-05-09T10:00:00Z")).await;
    let had = "409 reward_was_taken_as_often_as_it_may : reward `once` can be had at most 1 ever, and has been";
    assert_eq!(no.problem(), had);
    let no = asks(&shop, "ada redeem l2", at("weekly", "2026-05-12T10:00:00Z")).await;
    let had = "409 reward_was_taken_as_often_as_it_may : reward `weekly` can be had at most 1 per week, and has been";
    assert_eq!(no.problem(), had);
    // The week before has one, and no more.
    does(&shop, "ada redeem l3", at("weekly", "2026-05-08T10:00:00Z")).await;
    assert_eq!(
        asks(&shop, "ada redeem l4", at("weekly", "2026-05-07T10:00:00Z")).await.status,
        409
    );
    assert_eq!(wallet(&shop, "ada", "points").await, (70, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_code_is_valid_again_when_what_made_it_void_is_undone() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        task \"Card\" on purchase goal 2 { voucher(\"CODES\"); 3 }\n\
        reward \"code\" costs 20 { voucher(\"CODES\") }";
    let shop = shop("[wallets.points]\n[pools.CODES]", rules).await;
    import(&shop, &["A", "B", "C"]).await;
    shop.buys("ada", "1", "50.00").await;
    let gave = |answer: &Answer| {
        let said = of_codes(answer);
        assert_eq!(said.len(), 1, "{}", answer.text);
        let (gave, code) = said[0].split_once(' ').unwrap();
        assert_eq!(gave, "voucher", "{}", answer.text);
        code.to_owned()
    };
    let code = gave(&does(&shop, "ada redeem r", json!({ "reward": "code" })).await);
    let void = does(&shop, "ada reverse v", json!({ "redeem": "r" })).await;
    assert_eq!(of_codes(&void), [format!("void {code}")]);
    assert_eq!(gave(&does(&shop, "ada reverse w", json!({ "reverse": "v" })).await), code);
    // The same of the round of a card.
    let card = gave(&shop.buys("ada", "2", "10.00").await);
    let void = does(&shop, "ada reverse x", json!({ "order": "2" })).await;
    assert_eq!(of_codes(&void), [format!("void {card}")]);
    assert_eq!(gave(&does(&shop, "ada reverse y", json!({ "reverse": "x" })).await), card);
    shop.buys("ada", "3", "1.00").await;
    let third = gave(&shop.buys("ada", "4", "1.00").await);
    assert!(third != code && third != card);
    assert_eq!(wallet(&shop, "ada", "points").await, (50 - 20 + 10 + 3 + 1 + 1 + 3, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_order_that_was_completed_after_all_is_reversed_by_nothing() {
    let shop = shop("[wallets.points]", PLAIN).await;
    shop.at("2026-05-02T10:00:00Z");
    let order = bought("o", "2026-05-02T10:00:00Z", "50.00");
    let by = async || does(&shop, "ada earn o", order.clone()).await.reversed_by;
    assert_eq!(by().await, "");
    does(&shop, "ada reverse a", json!({ "order": "o" })).await;
    assert_eq!(by().await, "2");
    does(&shop, "ada reverse b", json!({ "reverse": "a" })).await;
    assert_eq!(by().await, "");
    does(&shop, "ada reverse c", json!({ "reverse": "b" })).await;
    assert_eq!(by().await, "2");
    does(&shop, "ada reverse d", json!({ "reverse": "c" })).await;
    does(&shop, "ada reverse e", json!({ "order": "o", "refund": "5.00" })).await;
    assert_eq!(by().await, "6");
}

#[tokio::test]
async fn what_is_done_at_a_till_without_a_network_is_in_the_books_as_what_it_is() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Thrifty\" on purchase when wallet(\"points\") < 100 { 5 }\n\
        reward \"part\" costs 1 to 1_000 { product(\"p\") }";
    let shop = shop("[wallets.points]\nexpires = { days = 60 }", rules).await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-06T10:00:00Z");
    shop.buys("ada", "2", "1.00").await;
    shop.at("2026-05-10T10:00:00Z");
    let at = "2026-05-03T10:00:00Z";
    let late = json!({ "reward": "part", "units": 30, "at": at });
    let redeemed = does(&shop, "ada redeem r", late).await;
    // With fewer points, the second order is a thrifty one.
    assert_eq!(movements(&redeemed), ["spent -30", "issued 5"], "{}", redeemed.text);
    let by_hand = |units: i64| json!({ "units": units, "reason": "x", "author": "eve", "at": at });
    let gave = does(&shop, "ada adjust g", by_hand(7)).await;
    assert_eq!(movements(&gave), ["adjusted 7"], "{}", gave.text);
    let took = does(&shop, "ada adjust t", by_hand(-3)).await;
    assert_eq!(movements(&took), ["adjusted -3"], "{}", took.text);
    // What is taken back is reversed, as it is of what was told in time.
    let back = does(&shop, "ada reverse b", json!({ "redeem": "r" })).await;
    assert_eq!(movements(&back), ["restored 25"], "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (100 + 5 + 1 + 7 - 3, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_order_that_was_told_too_late_is_put_right_as_too_late_as_it_was() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"First order\" on purchase when member.purchases == 0 { 50 }";
    let shop = shop("late_days = 10\n[wallets.points]", rules).await;
    shop.at("2026-05-30T10:00:00Z");
    shop.buys("ada", "1", "10.00").await;
    let at = "2026-05-05T10:00:00Z";
    let late = does(&shop, "ada earn 2", bought("2", at, "30.00")).await;
    assert_eq!(late.at("/entry/notes/0/note"), "told_too_late", "{}", late.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (60 + 80, 0));
    let right = |total: &str, at: &str| {
        let order = json!({ "total": total });
        json!({ "id": "2", "type": "purchase", "at": at, "order": order, "replaces": "2" })
    };
    let put_right = does(&shop, "ada earn 3", right("20.00", at)).await;
    assert_eq!(put_right.at("/entry/notes/0/note"), "told_too_late", "{}", put_right.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (60 + 70, 0));
    let put_right = does(&shop, "ada earn 4", right("25.00", at)).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (60 + 75, 0), "{}", put_right.text);
    let no = asks(&shop, "ada earn 5", right("25.00", "2026-05-04T10:00:00Z")).await;
    assert!(no.problem().contains("told_too_late"), "{}", no.text);
    shop.at("2026-05-31T10:00:00Z");
    does(&shop, "ada reverse b", json!({ "order": "2" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (60, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn pieces_that_came_before_their_order_by_the_clock_of_who_told_it_are_delivered_once() {
    let waits = "[wallets.points]\npending_until = \"delivery\"\n[activities.delivery]";
    let shop = shop(waits, PLAIN).await;
    shop.at("2026-05-02T10:00:00Z");
    let lines = json!([{ "sku": "shirt", "quantity": 2, "price": "30.00" }]);
    let mut order = bought("o", "2026-05-02T09:00:06Z", "60.00");
    order["order"]["lines"] = lines;
    does(&shop, "ada earn o", order).await;
    let piece = |at: &str| {
        let lines = json!([{ "sku": "shirt", "quantity": 1 }]);
        json!({ "type": "delivery", "of": "o", "at": at, "order": { "total": 0, "lines": lines } })
    };
    // Told after the order, and dated four seconds before it.
    does(&shop, "ada earn first", piece("2026-05-02T09:00:02Z")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (30, 0));
    shop.at("2026-05-03T10:00:00Z");
    does(&shop, "ada earn second", piece("2026-05-03T10:00:00Z")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (60, 0));
    shop.all_is_well().await;
}
