//! Households: the history of a member that shares wallets changes, and theirs are moved.

use serde_json::{Value, json};

use crate::interactions::{does, shop, wallet};
use crate::one_history::{bought, differences};

#[tokio::test]
async fn a_household_is_derived_again_for_the_member_alone() {
    let manifest = "[wallets.points]\nshared = true\nexpires = { days = 30 }";
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Second\" on purchase when member.purchases == 1 { 40 }\n\
        reward \"part\" costs 1 to 1_000 { product(\"p\") }";
    let shop = shop(manifest, rules).await;
    for member in ["ada", "bob"] {
        does(&shop, &format!("{member} join j"), json!({ "account": "smiths" })).await;
    }
    shop.at("2026-05-04T07:30:00Z");
    shop.buys("ada", "2", "10.00").await;
    shop.buys("bob", "1", "20.00").await;
    does(&shop, "bob redeem r", json!({ "reward": "part", "units": 30 })).await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (0, 0));
    let late = does(&shop, "ada earn 1", bought("1", "2026-05-03T07:30:00Z", "5.00")).await;
    assert_eq!(differences(&late, 2), ["Second +40"], "{}", late.text);
    assert_eq!(wallet(&shop, "smiths", "points").await, (45, 0));
    does(&shop, "ada reverse b", json!({ "order": "2" })).await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (0, 5));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_staff_gave_into_a_shared_wallet_is_there_when_the_history_changes() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Rich\" on purchase when wallet(\"points\") >= 100 { 25 }\n\
        reward \"r\" costs 80 { product(\"p\") }";
    let shop = shop("[wallets.points]\nshared = true", rules).await;
    shop.enroll("smiths").await;
    does(&shop, "ada join j", json!({ "account": "smiths" })).await;
    shop.at("2026-05-03T08:00:00Z");
    does(&shop, "ada adjust g", json!({ "units": 100, "reason": "sorry", "author": "eve" })).await;
    shop.at("2026-05-04T08:00:00Z");
    does(&shop, "ada earn o", bought("o", "2026-05-04T08:00:00Z", "10.00")).await;
    does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (55, 0));
    // An order of the day before is told: the gift was there, and the order after it is as it was.
    let late = does(&shop, "ada earn p", bought("p", "2026-05-03T10:00:00Z", "7.00")).await;
    assert_eq!(late.at("/entry/because/1/rule"), "Rich", "{}", late.text);
    assert_eq!(late.at("/entry/again/differences"), Value::Null, "{}", late.text);
    assert_eq!(wallet(&shop, "smiths", "points").await, (55 + 7 + 25, 0));
    does(&shop, "ada reverse p", json!({ "order": "p" })).await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (55, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_edit_that_reaches_back_over_two_accounts_moves_the_units_of_both() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Second\" on purchase when member.purchases == 1 { 30 }";
    let shop = shop("[wallets.points]\nshared = true", rules).await;
    for account in ["smiths", "browns"] {
        shop.enroll(account).await;
    }
    does(&shop, "ada join s", json!({ "account": "smiths" })).await;
    shop.at("2026-05-03T08:00:00Z");
    does(&shop, "ada earn o1", bought("o1", "2026-05-03T08:00:00Z", "10.00")).await;
    shop.at("2026-05-04T08:00:00Z");
    does(&shop, "ada leave l", json!({})).await;
    does(&shop, "ada join b", json!({ "account": "browns" })).await;
    shop.at("2026-05-05T08:00:00Z");
    does(&shop, "ada earn o2", bought("o2", "2026-05-05T08:00:00Z", "20.00")).await;
    let both = async || {
        let (smiths, browns) =
            (wallet(&shop, "smiths", "points").await, wallet(&shop, "browns", "points").await);
        (smiths.0, browns.0)
    };
    assert_eq!(both().await, (10, 50));
    // An order before both is told: what was the second order is the third, and what was the first
    // is the second, in the wallet that was hers then.
    let late = does(&shop, "ada earn o0", bought("o0", "2026-05-02T12:00:00Z", "5.00")).await;
    assert_eq!(differences(&late, 2), ["Second +30"], "{}", late.text);
    assert_eq!(both().await, (10 + 5 + 30, 20), "{}", late.text);
    does(&shop, "ada reverse o0", json!({ "order": "o0" })).await;
    assert_eq!(both().await, (10, 50));
    shop.all_is_well().await;
}
