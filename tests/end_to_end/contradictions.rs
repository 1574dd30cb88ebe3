//! Edits of a history that contradict what happened: each has a clear answer, and nothing is half done.

use ledger::MerchantId;
use serde_json::{Value, json};
use store::StoredBundle;

use crate::interactions::{asks, does, shop, wallet};
use crate::one_history::bought;

const RULES: &str = "earn \"a\" on purchase { order.total }\n\
    reward \"part\" costs 1 to 1_000 { product(\"p\") }";

#[tokio::test]
async fn a_history_whose_rules_cannot_be_read_is_left_as_it_is() {
    let mut shop = shop("[wallets.points]", RULES).await;
    let manifest =
        "name = \"Test\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n[wallets.points]";
    let (merchant, store) = (MerchantId::parse("test").unwrap(), shop.database.store().clone());
    let hash = store.active_bundle(&merchant).await.unwrap().unwrap();
    shop.at("2026-05-04T07:30:00Z");
    shop.buys("ada", "1", "10.00").await;
    // The rules of that purchase rot, others are in force, and no function has the first in its cache.
    let rotten = StoredBundle { hash: hash.clone(), body: b"another packing".to_vec() };
    store.publish(&merchant, rotten, None).await.unwrap();
    shop.publish(&[("merchant.toml", manifest), ("rules.rhai", &format!("{RULES}\n"))]).await;
    shop.through(store).await;
    let before = shop.get("/v1/members/ada").await.text;
    for (verb, body) in [
        ("earn", bought("2", "2026-05-03T10:00:00Z", "5.00")),
        ("reverse", json!({ "order": "1" })),
    ] {
        assert_eq!(
            asks(&shop, &format!("ada {verb} k"), body).await.problem(),
            format!(
                "500 rules_are_unreadable : the rules `{hash}` of test, by which an earlier entry was judged, cannot be read"
            )
        );
    }
    assert_eq!(shop.get("/v1/members/ada").await.text, before);
    // What needs no earlier rules goes on.
    shop.buys("ada", "3", "10.00").await;
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_was_taken_stays_taken_though_it_could_not_have_been_by_what_is_told_since() {
    let rules = format!("{RULES}\nearn \"First\" on purchase when member.purchases == 0 {{ 50 }}");
    let shop = shop("[wallets.points]", &rules).await;
    shop.at("2026-05-05T07:30:00Z");
    does(&shop, "ada earn 1", bought("1", "2026-05-05T07:30:00Z", "100.00")).await;
    does(&shop, "ada redeem r", json!({ "reward": "part", "units": 150 })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    // Staff took 30 the day before, when nobody had any: that is refused, and nothing changes.
    let took = json!({ "units": -30, "reason": "r", "author": "a", "at": "2026-05-04T10:00:00Z" });
    assert_eq!(asks(&shop, "ada adjust t", took).await.at("/code"), "balance_is_insufficient");
    // A reward that was taken an hour before the other leaves too little for it, and that is owed.
    shop.at("2026-05-06T07:30:00Z");
    does(&shop, "ada earn 2", bought("2", "2026-05-05T07:00:00Z", "20.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (20, 0));
    let earlier = json!({ "reward": "part", "units": 60, "at": "2026-05-05T07:15:00Z" });
    does(&shop, "ada redeem e", earlier).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 40));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_has_come_back_cannot_be_put_right_and_what_is_undone_cannot_be_undone() {
    let shop = shop("[wallets.points]", RULES).await;
    shop.at("2026-05-03T07:30:00Z");
    does(&shop, "ada earn 1", bought("1", "2026-05-03T07:30:00Z", "10.00")).await;
    does(&shop, "ada reverse b", json!({ "order": "1" })).await;
    let right = json!({
        "type": "purchase", "id": "1", "replaces": "1", "at": "2026-05-03T07:30:00Z",
        "order": { "total": "12.00" },
    });
    let reversed = "409 entry_is_reversed_already : entry 1 has been reversed already, by entry 2";
    assert_eq!(asks(&shop, "ada earn right", right.clone()).await.problem(), reversed);
    assert_eq!(asks(&shop, "ada reverse c", json!({ "order": "1" })).await.problem(), reversed);
    let undone = asks(&shop, "ada reverse d", json!({ "reverse": "b" })).await;
    assert_eq!(undone.status, 201, "{}", undone.text);
    assert_eq!(asks(&shop, "ada earn right", right).await.status, 201);
    assert_eq!(wallet(&shop, "ada", "points").await, (12, 0));
    // Before anything had happened, and in a year in which there was nobody.
    let unknown = asks(&shop, "ada reverse e", json!({ "reverse": "never" })).await;
    assert_eq!(unknown.at("/code"), "entry_is_unknown");
    assert_eq!(unknown.at("/entry"), Value::Null);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_reward_whose_piece_went_to_another_is_not_had_after_all_and_no_piece_comes_back_twice() {
    let rules = format!("{RULES}\nreward \"mug\" costs 10 stock 1 {{ product(\"mug\") }}");
    let shop = shop("[wallets.points]", &rules).await;
    let mug = json!({ "reward": "mug" });
    for member in ["ada", "bob"] {
        shop.buys(member, "1", "50.00").await;
    }
    does(&shop, "ada redeem r", mug.clone()).await;
    does(&shop, "ada reverse a", json!({ "redeem": "r" })).await;
    does(&shop, "bob redeem r", mug.clone()).await;
    // The last piece is Bob's: she has it after all only if he gives it back.
    let after_all = json!({ "reverse": "a" });
    let sold_out = asks(&shop, "ada reverse b", after_all.clone()).await;
    assert_eq!(sold_out.at("/code"), "reward_is_sold_out", "{}", sold_out.text);
    shop.at("2026-05-02T08:00:00Z");
    does(&shop, "bob reverse a", json!({ "redeem": "r" })).await;
    shop.at("2026-05-02T09:00:00Z");
    does(&shop, "ada reverse b", after_all).await;
    let sold_out = asks(&shop, "bob redeem s", mug.clone()).await;
    assert_eq!(sold_out.at("/code"), "reward_is_sold_out", "{}", sold_out.text);
    does(&shop, "ada reverse c", json!({ "redeem": "r" })).await;
    does(&shop, "ada redeem s", mug).await;
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_return_of_an_exchange_that_was_worth_less_pays_back_nothing() {
    let shop = shop("[wallets.points]", RULES).await;
    shop.buys("ada", "1", "100.00").await;
    // What came back was worth more than what was bought, and the rest was paid for otherwise.
    let order = json!({ "total": "10.00", "lines": [
        { "sku": "tea", "quantity": 2, "amount": "3.00" },
        { "sku": "pot", "quantity": -1, "amount": "20.00" },
    ] });
    does(&shop, "ada redeem r", json!({ "reward": "part", "units": 50, "order": order })).await;
    let tea = json!({ "redeem": "r", "lines": [{ "sku": "tea", "quantity": 1 }] });
    let back = does(&shop, "ada reverse b", tea).await;
    assert_eq!(back.at("/entry/returned/refund"), "0", "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (50, 0));
    shop.all_is_well().await;
}
