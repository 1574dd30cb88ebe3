//! Reversals come to the same in whatever order, with or without an expiry run between them.

use end_to_end::Shop;
use serde_json::json;

use crate::interactions::{asks, does, shop, wallet};

const PLAIN: &str = "earn \"a\" on purchase { order.total }\nreward \"r\" costs 100 { product(\"p\") }\n\
    reward \"part\" costs 1 to 1_000 { product(\"p\") }";

async fn hold(shop: &Shop, member: &str, body: serde_json::Value) -> String {
    let held = does(shop, &format!("{member} holds h"), body).await;
    held.at("/entry/hold").as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reward_gives_back_what_it_took_and_not_what_paid_a_debt() {
    let shop = shop("[wallets.points]\nshared = true", PLAIN).await;
    // Part of the order comes back while all its units are held: so many fewer are held, and the
    // capture takes what is left.
    shop.buys("ada", "1", "100.00").await;
    let held = hold(&shop, "ada", json!({ "reward": "part", "units": 100 })).await;
    does(&shop, "ada reverse b", json!({ "earn": "1", "refund": "40.00" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    does(&shop, &format!("ada holds/{held}/capture c"), json!({ "units": 60 })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    does(&shop, "ada reverse d", json!({ "capture": "c" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (60, 0));

    // What a hold that has expired held is what is left of the order, and a redemption takes it.
    shop.buys("bob", "1", "100.00").await;
    hold(&shop, "bob", json!({ "reward": "part", "units": 100 })).await;
    does(&shop, "bob reverse b", json!({ "earn": "1", "refund": "40.00" })).await;
    shop.at("2026-05-02T09:00:00Z");
    does(&shop, "bob redeem c", json!({ "reward": "part", "units": 60 })).await;
    does(&shop, "bob reverse d", json!({ "redeem": "c" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (60, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_is_carried_over_comes_back_exactly_however_much_is_left() {
    for (rules, first, then, all) in [
        (
            "earn \"Big\" on purchase when order.total >= 100.00 { order.total * 2 }\n\
             earn \"Normal\" on purchase when order.total < 100.00 { order.total }",
            ("120.50", 241),
            ("30.25", 90),
            0,
        ),
        (
            "earn \"Odd\" on purchase { if order.total < 50.00 { order.total * 2 } else { order.total / 2 } }",
            ("60.50", 30),
            ("20.25", 80),
            0,
        ),
    ] {
        let shop = shop("[wallets.points]\ncarry = true", rules).await;
        shop.buys("ada", "1", first.0).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (first.1, 0));
        does(&shop, "ada reverse b", json!({ "earn": "1", "refund": then.0 })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (then.1, 0));
        does(&shop, "ada reverse c", json!({ "earn": "1" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (all, 0));
        shop.all_is_well().await;
    }
}

/// A rule that pays small orders better.
const SMALL: &str = "{ if order.total < 50.00 { order.total * 2 } else { order.total / 2 } }";

#[tokio::test]
async fn a_return_gives_what_the_rules_say_of_the_rest() {
    let manifest = |days: u32| {
        format!(
            "[wallets.points]\npending_until = \"delivery\"\npending_days = {days}\n\
             expires = {{ inactive_days = 10 }}\n[activities.delivery]"
        )
    };
    let rules = format!(
        "earn \"Small\" on purchase {SMALL}\nearn \"Each\" on purchase {{ order.total / 10 }}\n\
         reward \"part\" costs 1 to 1_000 {{ product(\"p\") }}"
    );
    let back = json!({ "earn": "1", "refund": "20.00" });
    for (days, delivered, spent) in
        [(3, false, false), (3, true, false), (3, true, true), (0, true, true)]
    {
        let shop = shop(&manifest(days), &rules).await;
        shop.buys("ada", "1", "60.00").await;
        if delivered {
            does(&shop, "ada earn d", json!({ "type": "delivery", "of": "1" })).await;
        }
        shop.at("2026-05-05T10:00:00Z");
        if spent {
            does(&shop, "ada redeem r", json!({ "reward": "part", "units": 36 })).await;
        }
        let answer = does(&shop, "ada reverse b", back.clone()).await;
        // One rule gives 50 more, and the other one 2 less.
        assert_eq!(answer.at("/entry/because/0/units"), 50, "{}", answer.text);
        assert_eq!(answer.at("/entry/because/1/effect"), "reclaim");
        assert_eq!(answer.at("/entry/because/1/units"), 2, "{}", answer.text);
        let has = i64::from(delivered) * 84 - i64::from(spent) * 36;
        assert_eq!(wallet(&shop, "ada", "points").await, (has, 0), "{days} {delivered} {spent}");
        // What was given ends with the units of its order, which a redemption keeps alive.
        shop.at("2026-05-13T10:00:00Z");
        let alive = if spent { has } else { 0 };
        assert_eq!(wallet(&shop, "ada", "points").await, (alive, 0), "{days} {delivered} {spent}");
        shop.at("2026-05-16T10:00:00Z");
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{days} {delivered} {spent}");
        does(&shop, "ada reverse c", json!({ "earn": "1" })).await;
        let owed = i64::from(spent) * 36;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, owed), "{days} {delivered} {spent}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn a_return_draws_no_more_from_a_budget() {
    let manifest = "[wallets.points]\n[campaigns.may]\nbudget = 1000";
    let shop = shop(manifest, &format!("earn \"Small\" during may on purchase {SMALL}")).await;
    let left = async || {
        let merchant = ledger::MerchantId::parse("test").unwrap();
        let limit = ledger::SharedLimit::Budget("may".to_owned());
        shop.database.store().left(&merchant, &limit).await.unwrap().get()
    };
    shop.buys("ada", "1", "60.00").await;
    does(&shop, "ada reverse b", json!({ "earn": "1", "refund": "20.00" })).await;
    // The rules say 80 of the rest; what the budget gave is still drawn from it, and no more.
    assert_eq!((left().await, wallet(&shop, "ada", "points").await), (970, (80, 0)));
    does(&shop, "ada reverse c", json!({ "earn": "1" })).await;
    assert_eq!((left().await, wallet(&shop, "ada", "points").await), (1000, (0, 0)));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_return_takes_the_very_lot_whether_or_not_the_night_has_been_there() {
    for night in [false, true] {
        let shop = shop("[wallets.points]\nexpires = { inactive_days = 1 }", PLAIN).await;
        shop.buys("ada", "1", "100.00").await;
        shop.at("2026-05-04T07:30:00Z");
        if night {
            shop.run_expiry().await;
        }
        shop.buys("ada", "2", "100.00").await;
        does(&shop, "ada reverse b2", json!({ "earn": "2" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{night}");
        does(&shop, "ada reverse b1", json!({ "earn": "1" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{night}");
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{night}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn what_expired_is_unrecoverable_for_whose_it_was() {
    let inactivity = shop("[wallets.points]\nexpires = { inactive_days = 30 }", PLAIN).await;
    inactivity.buys("ada", "1", "100.00").await;
    inactivity.at("2026-06-05T07:30:00Z");
    inactivity.run_expiry().await;
    inactivity.buys("ada", "2", "100.00").await;
    inactivity.at("2026-08-01T07:30:00Z");
    inactivity.run_expiry().await;
    for key in ["1", "2"] {
        does(&inactivity, &format!("ada reverse b{key}"), json!({ "earn": key })).await;
        assert_eq!(wallet(&inactivity, "ada", "points").await, (0, 0));
    }
    inactivity.all_is_well().await;

    // Both orders are of one month, and the second is sent after the first one's units expired.
    for account in [false, true] {
        let manifest =
            "[wallets.points]\nshared = true\nexpires = { months = 1, end_of = \"month\" }";
        let month = shop(manifest, PLAIN).await;
        if account {
            does(&month, "ada join j", json!({ "account": "smiths" })).await;
        }
        let whose = if account { "smiths" } else { "ada" };
        month.buys("ada", "1", "100.00").await;
        month.at("2026-07-02T07:30:00Z");
        month.run_expiry().await;
        let late = json!({
            "type": "purchase", "at": "2026-05-31T12:00:00Z", "order": { "total": "100.00" },
        });
        does(&month, "ada earn 2", late).await;
        month.run_expiry().await;
        for key in ["1", "2"] {
            does(&month, &format!("ada reverse b{key}"), json!({ "earn": key })).await;
            assert_eq!(wallet(&month, whose, "points").await, (0, 0), "{key} {account}");
        }
        month.all_is_well().await;
    }
}

#[tokio::test]
async fn a_debt_is_paid_by_time_and_not_by_the_night() {
    for night in [false, true] {
        let shop = shop("[wallets.points]\nexpires = { days = 1 }", PLAIN).await;
        // Units that expired before there was a debt do not pay it.
        shop.buys("ada", "1", "100.00").await;
        shop.at("2026-05-02T19:30:00Z");
        shop.buys("ada", "2", "100.00").await;
        shop.at("2026-05-03T07:30:10Z");
        if night {
            shop.run_expiry().await;
        }
        does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
        does(&shop, "ada reverse b", json!({ "earn": "2" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 100), "{night}");
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 100), "{night}");

        // A hold beyond the end of its units holds nothing once their order has come back.
        shop.at("2026-05-10T07:30:00Z");
        shop.buys("bob", "1", "100.00").await;
        shop.at("2026-05-11T07:29:40Z");
        hold(&shop, "bob", json!({ "reward": "r" })).await;
        does(&shop, "bob reverse b", json!({ "earn": "1" })).await;
        assert_eq!(wallet(&shop, "bob", "points").await, (0, 0), "{night}");
        shop.at("2026-05-11T08:00:00Z");
        if night {
            shop.run_expiry().await;
        }
        assert_eq!(wallet(&shop, "bob", "points").await, (0, 0), "{night}");
        shop.buys("bob", "2", "100.00").await;
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "bob", "points").await, (100, 0), "{night}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn a_right_that_was_added_to_stays_as_long_as_what_was_added() {
    let shop = shop(
        "[wallets.points]",
        "earn \"a\" on purchase { order.total }\n\
         reward \"club\" costs 100 { grant(\"Club\", 30.days); access(\"Club\") }",
    )
    .await;
    let until = async |member: &str| {
        shop.get(&format!("/v1/members/{member}")).await.at("/grants/Club").to_string()
    };
    let club = json!({ "reward": "club" });
    shop.buys("ada", "1", "300.00").await;
    shop.buys("bob", "1", "300.00").await;
    does(&shop, "ada redeem r1", club.clone()).await;
    shop.at("2026-05-12T07:30:00Z");
    does(&shop, "ada redeem r2", club.clone()).await;
    assert_eq!(until("ada").await, "\"2026-07-01T07:30:00Z\"");
    does(&shop, "ada reverse b1", json!({ "redeem": "r1" })).await;
    // The grant ends 30 days after the second redemption.
    assert_eq!(until("ada").await, "\"2026-06-11T07:30:00Z\"");
    does(&shop, "ada reverse b2", json!({ "redeem": "r2" })).await;
    assert_eq!(until("ada").await, "null");

    // The first grant had expired at the second redemption.
    does(&shop, "bob redeem r1", club.clone()).await;
    shop.at("2026-07-05T07:30:00Z");
    does(&shop, "bob redeem r2", club).await;
    does(&shop, "bob reverse b1", json!({ "redeem": "r1" })).await;
    assert_eq!(until("bob").await, "\"2026-08-04T07:30:00Z\"");
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_waits_for_a_delivery_is_let_go_wherever_it_is() {
    let waits = "[wallets.points]\nshared = true\npending_until = \"delivery\"\n\
        [activities.delivery]\n[activities.review]";
    let rules = "earn \"a\" on purchase { order.total }\nearn \"b\" on review { 20 }";
    let shop = shop(waits, rules).await;
    shop.buys("ada", "1", "100.00").await;
    does(&shop, "ada join j", json!({ "account": "smiths" })).await;
    does(&shop, "ada earn d1", json!({ "type": "delivery", "of": "1" })).await;
    does(&shop, "ada leave l", json!({})).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (100, 0));
    // Units of an activity without an order are not pending.
    does(&shop, "ada earn v", json!({ "type": "review" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (120, 0));
    // A delivery that is taken back leaves its units pending, as if it had not been.
    does(&shop, "ada reverse b", json!({ "earn": "d1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (20, 0));
    does(&shop, "ada earn d2", json!({ "type": "delivery", "of": "1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (120, 0));

    // Pending units stay pending, though the new rules make no units pending.
    shop.buys("bob", "1", "100.00").await;
    let manifest = "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
        [wallets.points]\n[activities.delivery]\n[activities.review]";
    shop.publish(&[("merchant.toml", manifest), ("rules.rhai", rules)]).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 0));
    does(&shop, "bob earn d1", json!({ "type": "delivery", "of": "1" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (100, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_return_takes_the_tier_of_who_bought_whoever_shares_what_was_paid() {
    let shop = shop(
        "[wallets.points]\nshared = true\n[wallets.status]\nspendable = false\n\
         [tiers]\nkeep = { years = 1, end_of = \"year\" }",
        "earn \"a\" on purchase { order.total }\nearn \"s\" on purchase into status { order.total }\n\
         tier \"Base\" { true }\ntier \"Gold\" { wallet(\"status\") >= 100 }",
    )
    .await;
    for member in ["ada", "bob"] {
        does(&shop, &format!("{member} join j"), json!({ "account": "smiths" })).await;
    }
    shop.buys("ada", "1", "100.00").await;
    does(&shop, "ada leave l", json!({})).await;
    shop.buys("bob", "1", "1000.00").await;
    let tier = async |member: &str| shop.get(&format!("/v1/members/{member}")).await.at("/tier");
    assert_eq!((tier("ada").await, tier("bob").await), (json!("Gold"), json!("Gold")));
    does(&shop, "ada reverse b", json!({ "earn": "1" })).await;
    assert_eq!((tier("ada").await, tier("bob").await), (json!("Base"), json!("Gold")));
    assert_eq!(wallet(&shop, "smiths", "points").await, (1000, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn units_stay_as_long_as_their_member_is_active() {
    let shop =
        shop("[wallets.points]\nshared = true\nexpires = { inactive_days = 30 }", PLAIN).await;
    // Her own wallet is out of reach while she shares another's, and its lots are extended all the
    // same.
    shop.buys("ada", "1", "100.00").await;
    does(&shop, "ada join j", json!({ "account": "smiths" })).await;
    shop.at("2026-05-22T07:30:00Z");
    shop.buys("ada", "2", "10.00").await;
    shop.at("2026-06-10T07:30:00Z");
    does(&shop, "ada leave l", json!({})).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (100, 0));

    // Units of an activity that is sent late last as long as those of one sent in time.
    shop.at("2026-06-10T07:30:00Z");
    shop.buys("bob", "1", "100.00").await;
    shop.at("2026-06-20T07:30:00Z");
    let late = json!({
        "type": "purchase", "at": "2026-05-05T12:00:00Z", "order": { "total": "50.00" },
    });
    does(&shop, "bob earn 2", late).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (150, 0));

    // A redemption that is taken back has kept nothing alive, whether it took all units or left some.
    for (member, left) in [("cid", 0), ("dan", 1)] {
        shop.at("2026-06-20T07:30:00Z");
        shop.enroll(member).await;
        shop.buys(member, "1", &format!("{}.00", 100 + left)).await;
        shop.at("2026-07-10T07:30:00Z");
        does(&shop, &format!("{member} redeem r"), json!({ "reward": "r" })).await;
        shop.at("2026-08-05T07:30:00Z");
        does(&shop, &format!("{member} reverse b"), json!({ "redeem": "r" })).await;
        assert_eq!(wallet(&shop, member, "points").await, (0, 0), "{member}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_hold_brings_nothing_back_to_life() {
    let shop = shop("[wallets.points]\nexpires = { inactive_days = 1 }", PLAIN).await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-03T07:20:00Z");
    let held = hold(&shop, "ada", json!({ "reward": "r" })).await;
    shop.at("2026-05-03T07:31:00Z");
    shop.buys("ada", "2", "1.00").await;
    does(&shop, &format!("ada holds/{held}/release f"), json!({})).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (1, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_right_goes_although_its_rule_still_pays_for_the_rest() {
    let shop = shop(
        "[wallets.points]",
        "earn \"a\" on purchase { if order.total >= 100.00 { grant(\"Club\", 30.days) } order.total }",
    )
    .await;
    let club = async || shop.get("/v1/members/ada").await.at("/grants/Club");
    shop.buys("ada", "1", "120.00").await;
    assert_ne!(club().await, json!(null));
    does(&shop, "ada reverse b", json!({ "earn": "1", "refund": "50.00" })).await;
    assert_eq!((club().await, wallet(&shop, "ada", "points").await), (json!(null), (70, 0)));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_right_that_a_return_has_taken_does_not_come_back_with_the_next() {
    let shop = shop(
        "[wallets.points]",
        "earn \"a\" on purchase { if order.total >= 100.00 { grant(\"Club\", 30.days) } order.total }",
    )
    .await;
    let club = async || shop.get("/v1/members/ada").await.at("/grants/Club");
    for whole in [false, true] {
        let key = |of: &str| format!("{of}-{whole}");
        shop.buys("ada", &key("1"), "120.00").await;
        shop.buys("ada", &key("2"), "120.00").await;
        does(
            &shop,
            &format!("ada reverse b{whole}"),
            json!({ "earn": key("1"), "refund": "50.00" }),
        )
        .await;
        assert_eq!(club().await, json!("2026-06-01T07:30:00Z"));
        let mut second = json!({ "earn": key("2") });
        if !whole {
            second["refund"] = json!("50.00");
        }
        does(&shop, &format!("ada reverse c{whole}"), second).await;
        assert_eq!(club().await, json!(null), "{whole}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_household_goes_on_when_a_hold_has_passed_and_something_is_owed() {
    let shop = shop("[wallets.points]\nshared = true", PLAIN).await;
    for member in ["ada", "bob"] {
        does(&shop, &format!("{member} join j"), json!({ "account": "smiths" })).await;
    }
    for (round, who, refund, left) in
        [(1, "ada", "100.00", 50), (2, "bob", "100.00", 100), (3, "bob", "40.00", 210)]
    {
        shop.at(&format!("2026-05-0{}T07:30:00Z", round + 1));
        shop.buys("ada", &format!("{round}"), "100.00").await;
        // The hold takes all units, those of earlier rounds included.
        let there = wallet(&shop, "smiths", "points").await.0;
        let all = json!({ "reward": "part", "units": there });
        does(&shop, &format!("ada holds h{round}"), all).await;
        let back = json!({ "earn": format!("{round}"), "refund": refund });
        does(&shop, &format!("ada reverse b{round}"), back).await;
        shop.at(&format!("2026-05-0{}T08:01:00Z", round + 1));
        shop.buys(who, &format!("after {round}"), "50.00").await;
        assert_eq!(wallet(&shop, "smiths", "points").await, (left, 0), "{round}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_is_let_go_pays_in_that_moment_as_what_is_forgotten_does() {
    for let_go in ["forgotten", "released", "captured"] {
        let shop = shop("[wallets.points]\nexpires = { days = 1 }", PLAIN).await;
        shop.buys("ada", "1", "100.00").await;
        shop.at("2026-05-03T07:29:40Z");
        let held = hold(&shop, "ada", json!({ "reward": "part", "units": 100 })).await;
        // The refund is 40 or everything, so that 40 units or all of them are owed.
        let refund = if let_go == "captured" { "40.00" } else { "100.00" };
        does(&shop, "ada reverse b", json!({ "earn": "1", "refund": refund })).await;
        shop.at("2026-05-03T07:31:00Z");
        match let_go {
            "released" => {
                does(&shop, &format!("ada holds/{held}/release f"), json!({})).await;
            }
            "captured" => {
                does(&shop, &format!("ada holds/{held}/capture f"), json!({ "units": 60 })).await;
            }
            _ => shop.at("2026-05-03T08:00:00Z"),
        }
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{let_go}");
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{let_go}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn the_first_hold_to_pass_pays_first_whoever_has_looked_in_between() {
    for looked in [false, true] {
        let shop = shop("[wallets.points]\nexpires = { days = 1 }", PLAIN).await;
        shop.at("2026-05-02T08:30:00Z");
        shop.buys("ada", "1", "50.00").await;
        shop.at("2026-05-03T07:05:00Z");
        hold(&shop, "ada", json!({ "reward": "part", "units": 50 })).await;
        // A second lot expires sooner, and its hold lasts longer.
        let sooner = json!({
            "type": "purchase", "at": "2026-05-02T07:40:00Z", "order": { "total": "50.00" },
        });
        does(&shop, "ada earn 2", sooner).await;
        shop.at("2026-05-03T07:12:00Z");
        let held = asks(&shop, "ada holds h2", json!({ "reward": "part", "units": 50 })).await;
        assert_eq!(held.status, 201, "{}", held.text);
        does(&shop, "ada reverse b", json!({ "earn": "1" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
        shop.at("2026-05-03T07:36:00Z");
        if looked {
            does(&shop, "ada adjust a", json!({ "units": 1, "reason": "r", "author": "eve" }))
                .await;
        }
        shop.at("2026-05-03T07:43:00Z");
        assert_eq!(wallet(&shop, "ada", "points").await, (i64::from(looked), 0), "{looked}");
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "ada", "points").await, (i64::from(looked), 0), "{looked}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn what_others_of_a_household_do_puts_off_what_they_share_and_nothing_else() {
    let shop = shop(
        "[wallets.points]\nexpires = { inactive_days = 30 }\n\
         [wallets.miles]\nshared = true\nexpires = { inactive_days = 30 }",
        "earn \"a\" on purchase { award(10, \"miles\"); order.total }",
    )
    .await;
    let late = |day: &str| {
        json!({
            "type": "purchase", "at": format!("2026-05-{day}T12:00:00Z"),
            "order": { "total": "7.00" },
        })
    };
    for member in ["ada", "bob"] {
        does(&shop, &format!("{member} join j"), json!({ "account": "smiths" })).await;
    }
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-20T13:00:00Z");
    does(&shop, "bob earn b0", late("20")).await;
    shop.at("2026-05-21T13:00:00Z");
    does(&shop, "bob earn b1", late("09")).await;
    does(&shop, "ada earn 2", late("10")).await;
    // Ada's own points expired 30 days after her own last activity, and what they share 30 days after
    // Bob's.
    shop.at("2026-06-10T07:30:00Z");
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    assert_eq!(wallet(&shop, "smiths", "miles").await, (40, 0));
    shop.at("2026-07-01T07:30:00Z");
    shop.run_expiry().await;
    for key in ["1", "2"] {
        does(&shop, &format!("ada reverse r{key}"), json!({ "earn": key })).await;
    }
    for key in ["b1", "b0"] {
        does(&shop, &format!("bob reverse r{key}"), json!({ "earn": key })).await;
    }
    // Nobody has spent any units, so nobody owes any.
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 0));
    assert_eq!(wallet(&shop, "smiths", "miles").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn the_last_purchase_is_the_last_that_is_left_in_whatever_order_others_come_back() {
    let shop = shop(
        "[wallets.points]",
        "earn \"a\" on purchase { order.total }\n\
         tier \"New\" { true }\ntier \"Fresh\" { member.days_since_purchase < 30 }",
    )
    .await;
    for (member, order) in [("ada", ["1", "2"]), ("bob", ["2", "1"])] {
        shop.at("2026-05-12T07:30:00Z");
        shop.buys(member, "1", "10.00").await;
        shop.at("2026-05-13T07:30:00Z");
        shop.buys(member, "2", "10.00").await;
        for key in order {
            does(&shop, &format!("{member} reverse b{key}"), json!({ "earn": key })).await;
        }
        // The days count from joining, since there is no purchase.
        shop.at("2026-06-05T07:30:00Z");
        let tier = shop.get(&format!("/v1/members/{member}")).await.at("/tier");
        assert_eq!(tier, json!("New"), "{member}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn who_has_paid_by_time_may_join() {
    let shop = shop("[wallets.points]\nshared = true", PLAIN).await;
    shop.buys("bob", "1", "100.00").await;
    hold(&shop, "bob", json!({ "reward": "r" })).await;
    does(&shop, "bob reverse b", json!({ "earn": "1" })).await;
    shop.at("2026-05-02T09:00:00Z");
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 0));
    does(&shop, "bob join j", json!({ "account": "smiths" })).await;
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_was_shared_is_undone_where_it_was() {
    let shop = shop("[wallets.points]\nshared = true", PLAIN).await;
    does(&shop, "ada join j", json!({ "account": "smiths" })).await;
    shop.buys("ada", "1", "100.00").await;
    let manifest = "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
        [wallets.points]\n[wallets.miles]\nshared = true";
    shop.publish(&[("merchant.toml", manifest), ("rules.rhai", PLAIN)]).await;
    does(&shop, "ada reverse b", json!({ "earn": "1" })).await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (0, 0));
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}
