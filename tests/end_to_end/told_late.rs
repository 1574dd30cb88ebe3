//! What is told late where time has passed over it: ends, tiers, caps and boards between then and now.

use end_to_end::Shop;
use serde_json::{Value, json};

use crate::interactions::{asks, does, shop, wallet};
use crate::one_history::{GOLD, PLAIN, bought, differences};

/// A manifest with a tier for what counted in the last 30 days, under a policy.
fn tiers(policy: &str) -> String {
    format!(
        "[wallets.points]\n[wallets.status]\nspendable = false\nexpires = {{ days = 30 }}\n\
         [tiers]\n{policy}"
    )
}

/// The tier of a member, and when it is lost if nothing more happens.
async fn tier(shop: &Shop, member: &str) -> (Value, Value) {
    let member = shop.get(&format!("/v1/members/{member}")).await;
    (member.at("/tier"), member.at("/tier_at_risk"))
}

/// All that a member has, without its name.
async fn all_of(shop: &Shop, member: &str) -> Value {
    let mut member = shop.get(&format!("/v1/members/{member}")).await.json();
    member["id"] = Value::Null;
    member
}

/// The places of a board, each as `rank member score`.
async fn board(shop: &Shop, contest: &str) -> Vec<String> {
    let board = shop.get(&format!("/v1/contests/{contest}")).await;
    let places = board.at("/places").as_array().unwrap().clone();
    let place = |place: &Value| {
        format!("{} {} {}", place["rank"], place["member"].as_str().unwrap(), place["score"])
    };
    places.iter().map(place).collect()
}

/// Units that staff give or take, as of a moment.
fn by_hand(units: i64, at: &str) -> Value {
    json!({ "units": units, "reason": "forgotten", "author": "eve", "at": at })
}

#[tokio::test]
async fn a_tier_that_the_night_took_lasts_or_is_reached_again_by_a_late_purchase() {
    // What made her Gold ends on 1 June. She keeps the tier for two months from 2 May, or for ten days
    // from 1 June; then the night writes down that it is lost.
    let (keep, grace) = ("keep = { months = 2 }", "grace_days = 10");
    let hour = |text: &str| format!("2026-{text}:00:00Z");
    let (lasts, reached) = (320, 220);
    for (policy, night, today, late, points, at_risk) in [
        // She was Gold, and buys double. The tier is lost with the late order's status: two months
        // had passed before.
        (keep, "07-02T22", "07-03T08", "06-30T10", lasts, "07-30T10"),
        // She was not Gold any more, and is from then on: for two months again.
        (keep, "07-02T22", "07-03T08", "07-02T12", reached, "09-02T12"),
        // Within the grace, and after it: ten days of it follow the new end.
        (grace, "06-11T22", "06-12T08", "06-05T10", lasts, "07-15T10"),
        (grace, "06-11T22", "06-12T08", "06-11T12", reached, "07-21T12"),
    ] {
        let shop = shop(&tiers(policy), GOLD).await;
        shop.buys("ada", "o1", "100.00").await;
        for night in ["06-01T22", night] {
            assert_eq!(tier(&shop, "ada").await.0, "Gold", "{policy} {late}");
            shop.at(&hour(night));
            shop.run_expiry().await;
        }
        assert_eq!(tier(&shop, "ada").await, (json!("Base"), Value::Null), "{policy} {late}");
        shop.at(&hour(today));
        shop.buys("ada", "o2", "10.00").await;
        assert_eq!(wallet(&shop, "ada", "points").await, (110, 0));
        let told = does(&shop, "ada earn late", bought("late", &hour(late), "100.00")).await;
        assert_eq!(differences(&told, 4), ["Gold earns double +10"], "{}", told.text);
        let of_then = told.at("/entry/again/differences/0/tier");
        assert_eq!(of_then, json!({ "from": "Base", "to": "Gold" }));
        assert_eq!(wallet(&shop, "ada", "points").await, (points, 0), "{policy} {late}");
        let gold = (json!("Gold"), json!(hour(at_risk)));
        assert_eq!(tier(&shop, "ada").await, gold, "{policy} {late}");
        does(&shop, "ada reverse b", json!({ "order": "late" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (110, 0), "{policy} {late}");
        assert_eq!(tier(&shop, "ada").await, (json!("Base"), Value::Null), "{policy} {late}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn a_member_falls_one_step_at_a_time_from_where_late_purchases_put_it() {
    let silver = "tier \"Silver\" { wallet(\"status\") >= 50 }\ntier \"Gold\"";
    let rules = GOLD.replace("tier \"Gold\"", silver);
    let shop = shop(&tiers("downgrade = \"one step\"\ngrace_days = 5"), &rules).await;
    shop.buys("ada", "o1", "100.00").await;
    // From 1 June on nothing counts: Silver from the 6th on, and Base from the 11th on.
    for (night, name, lost) in [
        ("2026-06-01T22:00:00Z", "Gold", json!("2026-06-06T07:30:00Z")),
        ("2026-06-06T22:00:00Z", "Silver", json!("2026-06-11T07:30:00Z")),
        ("2026-06-11T22:00:00Z", "Base", Value::Null),
    ] {
        shop.at(night);
        shop.run_expiry().await;
        assert_eq!(tier(&shop, "ada").await, (json!(name), lost), "{night}");
    }
    shop.at("2026-06-12T08:00:00Z");
    shop.buys("ada", "o2", "10.00").await;
    assert_eq!(wallet(&shop, "ada", "points").await, (110, 0));
    // On the 8th she was Silver still, and stays so until five days after 8 July.
    does(&shop, "ada earn o4", bought("o4", "2026-06-08T10:00:00Z", "50.00")).await;
    assert_eq!(tier(&shop, "ada").await, (json!("Silver"), json!("2026-07-13T10:00:00Z")));
    assert_eq!(wallet(&shop, "ada", "points").await, (160, 0));
    // On the 5th she was Gold still. She falls to Silver on the 6th all the same, and is Gold again
    // with the order of the 8th, until five days after 5 July. So the last order pays double.
    let late = does(&shop, "ada earn o3", bought("o3", "2026-06-05T10:00:00Z", "60.00")).await;
    assert_eq!(differences(&late, 5), ["Gold earns double +10"], "{}", late.text);
    assert_eq!(differences(&late, 6), [""; 0], "{}", late.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (110 + 50 + 120 + 10, 0));
    assert_eq!(tier(&shop, "ada").await, (json!("Gold"), json!("2026-07-10T10:00:00Z")));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_tier_whose_purchase_came_back_was_never_there_for_what_followed() {
    let shop = shop(&tiers(""), GOLD).await;
    shop.buys("ada", "o1", "100.00").await;
    shop.at("2026-05-10T10:00:00Z");
    shop.buys("ada", "o2", "20.00").await;
    shop.at("2026-06-01T22:00:00Z");
    shop.run_expiry().await;
    shop.at("2026-06-02T08:00:00Z");
    shop.buys("ada", "o3", "10.00").await;
    assert_eq!(wallet(&shop, "ada", "points").await, (100 + 40 + 10, 0));
    assert_eq!(wallet(&shop, "ada", "status").await, (30, 0));
    // It comes back when the tier is lost already. What it counted has ended, and nobody owes it.
    let back = does(&shop, "ada reverse b", json!({ "order": "o1" })).await;
    assert_eq!(differences(&back, 2), ["Gold earns double -20"], "{}", back.text);
    assert_eq!(differences(&back, 4), [""; 0], "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (20 + 10, 0));
    assert_eq!(wallet(&shop, "ada", "status").await, (30, 0));
    // Another order made her Gold the day before the second, and does so until 8 June.
    let late = does(&shop, "ada earn o4", bought("o4", "2026-05-09T12:00:00Z", "100.00")).await;
    assert_eq!(differences(&late, 2), ["Gold earns double +20"], "{}", late.text);
    assert_eq!(differences(&late, 4), ["Gold earns double +10"], "{}", late.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (100 + 40 + 20, 0));
    assert_eq!(wallet(&shop, "ada", "status").await, (130, 0));
    assert_eq!(tier(&shop, "ada").await, (json!("Gold"), json!("2026-06-08T12:00:00Z")));
    shop.all_is_well().await;
}

#[tokio::test]
async fn late_orders_and_orders_put_right_move_members_on_their_boards() {
    let rules = "contest \"Most\" on purchase { order.total }\n\
        contest \"Later\" on purchase when member.purchases > 0 { order.total }";
    let shop = shop("[wallets.points]", rules).await;
    shop.at("2026-05-04T08:00:00Z");
    does(&shop, "ada earn 2", bought("2", "2026-05-03T10:00:00Z", "30.00")).await;
    does(&shop, "bob earn 3", bought("3", "2026-05-03T10:00:00Z", "50.00")).await;
    assert_eq!(board(&shop, "Most").await, ["1 bob 50", "2 ada 30"]);
    assert_eq!(board(&shop, "Later").await, [""; 0]);
    // An order of the day before is her first, and the other one counts as a later one.
    does(&shop, "ada earn 1", bought("1", "2026-05-02T12:00:00Z", "40.00")).await;
    assert_eq!(board(&shop, "Most").await, ["1 ada 70", "2 bob 50"]);
    assert_eq!(board(&shop, "Later").await, ["1 ada 30"]);
    // It was worth less; and then it was after the other one.
    for (key, at, later) in
        [("a", "2026-05-02T12:00:00Z", "1 ada 30"), ("b", "2026-05-03T12:00:00Z", "1 ada 15")]
    {
        let mut right = bought("1", at, "15.00");
        right["replaces"] = json!("1");
        does(&shop, &format!("ada earn {key}"), right).await;
        assert_eq!(board(&shop, "Most").await, ["1 bob 50", "2 ada 45"], "{at}");
        assert_eq!(board(&shop, "Later").await, [later], "{at}");
    }
    // Bob gets onto the other board by a late order, and off it again with its return.
    does(&shop, "bob earn 4", bought("4", "2026-05-02T13:00:00Z", "1.00")).await;
    assert_eq!(board(&shop, "Most").await, ["1 bob 51", "2 ada 45"]);
    assert_eq!(board(&shop, "Later").await, ["1 bob 50", "2 ada 15"]);
    does(&shop, "bob reverse c", json!({ "order": "4" })).await;
    assert_eq!(board(&shop, "Most").await, ["1 bob 50", "2 ada 45"]);
    assert_eq!(board(&shop, "Later").await, ["1 ada 15"]);
    let scores = shop.get("/v1/members/ada").await.at("/contests");
    assert_eq!(scores, json!({ "Later": 15, "Most": 45 }));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_staff_gave_is_there_for_rules_rewards_and_ends_however_late_it_is_told() {
    let rules =
        format!("{PLAIN}\nearn \"Rich\" on purchase when wallet(\"points\") >= 115 {{ 25 }}");
    let shop = shop("[wallets.points]\nexpires = { days = 10 }", &rules).await;
    let both = async |what: &str, body: Value| {
        for member in ["ada", "bob"] {
            does(&shop, &format!("{member} {what}"), body.clone()).await;
        }
    };
    both("earn 1", bought("1", "2026-05-02T07:30:00Z", "60.00")).await;
    shop.at("2026-05-05T10:00:00Z");
    does(&shop, "bob adjust g", by_hand(50, "2026-05-05T10:00:00Z")).await;
    shop.at("2026-05-05T12:00:00Z");
    both("earn 2", bought("2", "2026-05-05T12:00:00Z", "5.00")).await;
    // With the gift there are 115 by now.
    shop.at("2026-05-10T10:00:00Z");
    both("earn 3", bought("3", "2026-05-10T10:00:00Z", "10.00")).await;
    shop.at("2026-05-11T10:00:00Z");
    both("redeem r", json!({ "reward": "part", "units": 62 })).await;
    shop.at("2026-05-15T22:00:00Z");
    shop.run_expiry().await;
    // The reward took 60 of the first order and 2 of the second, or 60 and 2 of the gift.
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    assert_eq!(wallet(&shop, "bob", "points").await, (35, 0));
    shop.at("2026-05-16T08:00:00Z");
    let late = does(&shop, "ada adjust g", by_hand(50, "2026-05-05T10:00:00Z")).await;
    assert_eq!(differences(&late, 3), ["Rich +25"], "{}", late.text);
    assert_eq!(all_of(&shop, "ada").await, all_of(&shop, "bob").await);
    let end = shop.get("/v1/members/ada").await.at("/wallets/points/next_expiry");
    assert_eq!(end, json!({ "at": "2026-05-20T10:00:00Z", "units": 35 }));
    // What staff took on the day of the gift had not been there for the reward, or to end.
    does(&shop, "ada adjust t", by_hand(-60, "2026-05-05T11:00:00Z")).await;
    // 60 are taken of the first order; the reward of 62 has 50 of the gift, 5 of the second order and
    // 7 of the third, which makes nobody rich: so there are 3.
    assert_eq!(wallet(&shop, "ada", "points").await, (3, 0));
    does(&shop, "ada adjust u", by_hand(-40, "2026-05-05T11:30:00Z")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 37));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_staff_gave_late_lives_on_with_its_member_and_keeps_nothing_alive() {
    let shop = shop("[wallets.points]\nexpires = { inactive_days = 10 }", PLAIN).await;
    shop.buys("ada", "1", "60.00").await;
    shop.buys("bob", "1", "60.00").await;
    shop.at("2026-05-10T10:00:00Z");
    shop.buys("ada", "2", "10.00").await;
    shop.at("2026-05-12T22:00:00Z");
    shop.run_expiry().await;
    shop.at("2026-05-18T08:00:00Z");
    for (member, has) in [("ada", 60 + 10 + 50), ("bob", 0)] {
        let gift = by_hand(50, "2026-05-05T10:00:00Z");
        does(&shop, &format!("{member} adjust g"), gift).await;
        assert_eq!(wallet(&shop, member, "points").await, (has, 0), "{member}");
    }
    let end = shop.get("/v1/members/ada").await.at("/wallets/points/next_expiry");
    assert_eq!(end, json!({ "at": "2026-05-20T10:00:00Z", "units": 120 }));
    // He had been there on the 11th: neither his points nor the gift had ended.
    does(&shop, "bob earn 2", bought("2", "2026-05-11T10:00:00Z", "5.00")).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (60 + 50 + 5, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_staff_gave_at_a_wrong_time_is_refused_as_a_reward_is() {
    let shop = shop("late_days = 5\n[wallets.points]", PLAIN).await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-15T07:30:00Z");
    shop.buys("ada", "2", "10.00").await;
    shop.at("2026-05-15T08:00:00Z");
    let state = async || {
        let (member, entries) = ("/v1/members/ada", "/v1/members/ada/entries");
        (shop.get(member).await.text, shop.get(entries).await.text)
    };
    let before = state().await;
    for (at, code) in [
        ("2026-05-15T08:05:01Z", "activity_is_in_the_future"),
        ("2026-05-02T07:24:59Z", "activity_is_before_enrolment"),
        ("2026-05-10T07:59:59Z", "told_too_late"),
    ] {
        let reward = json!({ "reward": "part", "units": 1, "at": at });
        for (verb, body) in
            [("adjust", by_hand(50, at)), ("adjust", by_hand(-1, at)), ("redeem", reward)]
        {
            let problem = asks(&shop, &format!("ada {verb} x"), body).await.problem();
            assert!(problem.starts_with(&format!("422 {code} /at: ")), "{verb}: {problem}");
        }
    }
    assert_eq!(state().await, before);
    // A second later is five days ago, and in time.
    does(&shop, "ada adjust x", by_hand(50, "2026-05-10T08:00:00Z")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (160, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_transfer_that_is_undone_after_its_lot_has_ended_leaves_what_was_spent_to_be_owed() {
    let manifest = "[wallets.points]\nexpires = { days = 30 }\ntransferable = true";
    for (own, left) in [(false, (0, 20)), (true, (10, 0))] {
        let shop = shop(manifest, PLAIN).await;
        shop.buys("ada", "1", "100.00").await;
        shop.at("2026-05-12T10:00:00Z");
        does(&shop, "ada transfer t", json!({ "to": "bob", "units": 60 })).await;
        shop.at("2026-05-13T10:00:00Z");
        does(&shop, "bob redeem r", json!({ "reward": "part", "units": 20 })).await;
        if own {
            // Of these he would have had to pay what he owed.
            shop.at("2026-05-20T10:00:00Z");
            shop.buys("bob", "2", "30.00").await;
        }
        shop.at("2026-06-01T22:00:00Z");
        shop.run_expiry().await;
        // All 100 would have ended with the giver.
        let back = does(&shop, "ada reverse b", json!({ "transfer": "t" })).await;
        assert_eq!(back.at("/entry/postings/0/why"), "restored", "{}", back.text);
        assert_eq!(back.at("/entry/postings/1/why"), "expired", "{}", back.text);
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{own}");
        assert_eq!(wallet(&shop, "bob", "points").await, left, "{own}");
        shop.buys("bob", "3", "50.00").await;
        assert_eq!(wallet(&shop, "bob", "points").await, (50 + left.0 - left.1, 0), "{own}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn a_transfer_into_a_shared_wallet_is_undone_between_other_edits() {
    let manifest = "[wallets.points]\nexpires = { days = 30 }\ntransferable = true\nshared = true";
    let shop = shop(manifest, PLAIN).await;
    does(&shop, "bob join j", json!({ "account": "smiths" })).await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-12T10:00:00Z");
    does(&shop, "ada transfer t", json!({ "to": "bob", "units": 60 })).await;
    shop.at("2026-05-13T10:00:00Z");
    does(&shop, "bob redeem r", json!({ "reward": "part", "units": 20 })).await;
    shop.at("2026-05-20T10:00:00Z");
    shop.buys("bob", "3", "10.00").await;
    does(&shop, "bob earn 2", bought("2", "2026-05-14T10:00:00Z", "5.00")).await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (60 - 20 + 10 + 5, 0));
    shop.at("2026-06-01T22:00:00Z");
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (10 + 5, 0));
    // Without the 60, both orders pay for the reward of 20. Without the late one, more is owed; and
    // with the 60 after all, 40 of them have ended.
    for (what, body, left) in [
        ("ada reverse b", json!({ "transfer": "t" }), (0, 5)),
        ("bob reverse c", json!({ "order": "2" }), (0, 10)),
        ("ada reverse d", json!({ "reverse": "b" }), (10, 0)),
    ] {
        does(&shop, what, body).await;
        assert_eq!(wallet(&shop, "smiths", "points").await, left, "{what}");
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{what}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn orders_that_are_told_the_newest_first_come_to_the_same_as_those_told_in_order() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Visit\" on purchase at most 1 per day { 10 }\n\
        earn \"Gold earns double\" on purchase when member.tier == \"Gold\" { points }\n\
        earn \"Status\" on purchase into status { order.total }\n\
        task \"Days\" on purchase streak 3 days { 50 }\n\
        tier \"Base\" { true }\ntier \"Gold\" { wallet(\"status\") >= 100 }";
    let shop = shop(&tiers("grace_days = 3"), rules).await;
    // In order: 30 + 10; 40; 50 + 10, and Gold; twice 60 + 10, and 50 for three days; twice 10 + 10.
    let orders = [
        ("o1", "2026-05-03T09:00:00Z", "30.00"),
        ("o2", "2026-05-03T10:00:00Z", "40.00"),
        ("o3", "2026-05-04T10:00:00Z", "50.00"),
        ("o4", "2026-05-05T10:00:00Z", "60.00"),
        ("o5", "2026-05-06T08:00:00Z", "10.00"),
    ];
    for (id, at, total) in orders {
        shop.at(at);
        does(&shop, &format!("bob earn {id}"), bought(id, at, total)).await;
    }
    shop.at("2026-05-06T09:00:00Z");
    // The last alone; with the fourth; with the third, and three days in a row, after which she is
    // Gold; with the second, after which she is Gold no earlier; with the first.
    for ((id, at, total), points) in orders.into_iter().rev().zip([20, 90, 220, 270, 370]) {
        does(&shop, &format!("ada earn {id}"), bought(id, at, total)).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (points, 0), "{id}");
    }
    let ada = all_of(&shop, "ada").await;
    assert_eq!(ada, all_of(&shop, "bob").await);
    assert_eq!(ada["tier"], "Gold");
    assert_eq!(ada["tasks"]["Days"], json!({ "done": 1, "goal": 3, "completed": 1 }));
    // And so does what follows.
    shop.at("2026-05-07T08:00:00Z");
    for member in ["ada", "bob"] {
        shop.buys(member, "o6", "10.00").await;
        assert_eq!(wallet(&shop, member, "points").await, (410, 0), "{member}");
    }
    assert_eq!(all_of(&shop, "ada").await, all_of(&shop, "bob").await);
    shop.all_is_well().await;
}

#[tokio::test]
async fn caps_of_days_and_months_find_theirs_by_the_merchants_clock_told_newest_first() {
    let rules = "earn \"Day\" on purchase at most 1 per day { 10 }\n\
        earn \"Month\" on purchase at most 2 per month { 100 }";
    let shop = shop("[wallets.points]", rules).await;
    shop.at("2026-06-03T08:00:00Z");
    // In Berlin these are 2 June, 1 June twice, 31 May twice, and 30 May.
    let visits = [
        ("v6", "2026-06-01T22:30:00Z", 110),
        ("v5", "2026-06-01T21:30:00Z", 220),
        // It takes the day from v5, and the month from v6.
        ("v4", "2026-05-31T22:30:00Z", 220),
        ("v3", "2026-05-31T21:30:00Z", 330),
        // It takes the day from v3, and the month has room.
        ("v2", "2026-05-30T22:30:00Z", 430),
        // The day is its own, and it takes the month from v3.
        ("v1", "2026-05-30T21:30:00Z", 440),
    ];
    let mut told = Vec::new();
    for (id, at, points) in visits {
        told.push(does(&shop, &format!("ada earn {id}"), bought(id, at, "1.00")).await);
        assert_eq!(wallet(&shop, "ada", "points").await, (points, 0), "{id}");
    }
    assert_eq!(differences(&told[2], 1), ["Month -100"], "{}", told[2].text);
    assert_eq!(differences(&told[2], 2), ["Day -10"], "{}", told[2].text);
    assert_eq!(differences(&told[5], 4), ["Month -100"], "{}", told[5].text);
    for (id, at, _) in visits.into_iter().rev() {
        does(&shop, &format!("bob earn {id}"), bought(id, at, "1.00")).await;
    }
    assert_eq!(all_of(&shop, "ada").await, all_of(&shop, "bob").await);
    let back = does(&shop, "ada reverse b", json!({ "earn": "v1" })).await;
    assert_eq!(differences(&back, 4), ["Month +100"], "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (430, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_mistaken_credit_is_undone_over_an_end_and_exactly_what_was_spent_of_it_is_owed() {
    // 100 are there, which end on the next day; with them, or without, so do the 500 given by mistake.
    let (days, month) = ("days = 30", "months = 0, end_of = \"month\"");
    for (expires, spent, left) in [
        (days, 0, (0, 0)),
        (days, 80, (0, 0)),
        (days, 130, (0, 30)),
        (month, 0, (0, 0)),
        (month, 80, (0, 0)),
        (month, 130, (0, 30)),
        // A reward keeps alive what is there, and that is 90 without the mistake.
        ("inactive_days = 30", 0, (0, 0)),
        ("inactive_days = 30", 10, (90, 0)),
    ] {
        let manifest = format!("[wallets.points]\nexpires = {{ {expires} }}");
        let shop = shop(&manifest, PLAIN).await;
        shop.buys("ada", "1", "100.00").await;
        shop.at("2026-05-31T07:30:00Z");
        let mistake = json!({ "units": 500, "reason": "mistake", "author": "eve" });
        does(&shop, "ada adjust c", mistake).await;
        shop.at("2026-05-31T12:00:00Z");
        if spent > 0 {
            does(&shop, "ada redeem r", json!({ "reward": "part", "units": spent })).await;
        }
        shop.at("2026-06-01T22:00:00Z");
        shop.run_expiry().await;
        does(&shop, "ada reverse d", json!({ "adjust": "c" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, left, "{expires}: {spent}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn half_of_an_order_comes_back_that_was_paid_with_a_reward_and_with_money() {
    let shop = shop("[wallets.points]\nexpires = { days = 30 }", PLAIN).await;
    shop.buys("ada", "a", "300.00").await;
    shop.at("2026-05-10T07:30:00Z");
    shop.buys("ada", "b", "300.00").await;
    // Two chairs for 100.00: 400 points, which are 300 of the first order and 100 of the second, and
    // 60.00 in money.
    shop.at("2026-05-12T10:00:00Z");
    let chairs = json!([{ "sku": "chair", "quantity": 2, "price": "50.00" }]);
    let order = json!({ "total": "100.00", "lines": chairs });
    let pay = json!({ "reward": "part", "units": 400, "order": order });
    does(&shop, "ada redeem r", pay).await;
    let order = json!({ "total": "60.00", "discount": "40.00", "lines": chairs });
    does(&shop, "ada earn o", json!({ "type": "purchase", "id": "o", "order": order })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (200 + 60, 0));
    // One comes back: the 200 that stay paid are of the first order, and the others have their ends.
    shop.at("2026-05-20T10:00:00Z");
    let chair = json!([{ "sku": "chair", "quantity": 1 }]);
    let back = does(&shop, "ada reverse r1", json!({ "redeem": "r", "lines": chair })).await;
    let came = [0, 1].map(|number| {
        let posting = back.at(&format!("/entry/postings/{number}"));
        (posting["change"].clone(), posting["to"]["lot"]["expires_at"].clone())
    });
    let ends = ["2026-06-01T07:30:00Z", "2026-06-09T07:30:00Z"];
    assert_eq!(came, ends.map(|end| (json!(100), json!(end))), "{}", back.text);
    let back = does(&shop, "ada reverse o1", json!({ "order": "o", "lines": chair })).await;
    let posting = back.at("/entry/postings/0");
    assert_eq!(posting["change"], -30, "{}", back.text);
    assert_eq!(posting["from"]["lot"]["expires_at"], "2026-06-11T10:00:00Z", "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (100 + 300 + 30, 0));
    shop.at("2026-06-01T22:00:00Z");
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "ada", "points").await, (300 + 30, 0));
    // The other comes back after the first order's points have ended: so have the 200.
    let back = does(&shop, "ada reverse r2", json!({ "redeem": "r" })).await;
    assert_eq!(back.at("/entry/postings/0/why"), "restored", "{}", back.text);
    assert_eq!(back.at("/entry/postings/1/why"), "expired", "{}", back.text);
    does(&shop, "ada reverse o2", json!({ "order": "o" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (300, 0));
    shop.all_is_well().await;
}
