//! One history: what is told late is as if told in time, and what is taken back leaves no trace.

use end_to_end::Answer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::interactions::{asks, does, shop, wallet};

pub(super) const PLAIN: &str = "earn \"a\" on purchase { order.total }\nreward \"r\" costs 100 { product(\"p\") }\n\
    reward \"part\" costs 1 to 1_000 { product(\"p\") }";
const TIERS: &str =
    "[wallets.points]\n[wallets.status]\nspendable = false\n[tiers]\ngrace_days = 3";
pub(super) const GOLD: &str = "earn \"a\" on purchase { order.total }\n\
    earn \"Gold earns double\" on purchase when member.tier == \"Gold\" { points }\n\
    earn \"Status\" on purchase into status { order.total }\n\
    tier \"Base\" { true }\ntier \"Gold\" { wallet(\"status\") >= 100 }";

pub(super) fn bought(id: &str, at: &str, total: &str) -> Value {
    json!({ "type": "purchase", "id": id, "at": at, "order": { "total": total } })
}

/// What an entry says of an earlier one: `rule +units` or `rule -units` for each reason.
pub(super) fn differences(answer: &Answer, of: u64) -> Vec<String> {
    let all = answer.at("/entry/again/differences");
    let all = all.as_array().cloned().unwrap_or_default();
    let own = all.iter().filter(|difference| difference["entry"] == of);
    let reasons = own.flat_map(|difference| difference["because"].as_array().unwrap().clone());
    let reason = |reason: Value| {
        let rule = reason["rule"].as_str().unwrap().to_owned();
        match (reason["effect"].as_str(), reason["units"].as_i64()) {
            (Some("units"), Some(units)) => format!("{rule} +{units}"),
            (Some("reclaim"), Some(units)) => format!("{rule} -{units}"),
            _ => format!("{rule} {reason}"),
        }
    };
    reasons.map(reason).collect()
}

#[tokio::test]
async fn a_late_order_is_judged_by_the_tier_of_its_day_and_moves_what_came_after() {
    let shop = shop(TIERS, GOLD).await;
    shop.at("2026-05-04T08:00:00Z");
    does(&shop, "ada earn o2", bought("o2", "2026-05-03T10:00:00Z", "120.00")).await;
    does(&shop, "ada earn o3", bought("o3", "2026-05-03T12:00:00Z", "10.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (140, 0));
    // The till sends what was bought on 2 May, when she was not Gold.
    let late = does(&shop, "ada earn o1", bought("o1", "2026-05-02T12:00:00Z", "40.00")).await;
    assert_eq!(late.at("/entry/because/1/wallet"), "status", "{}", late.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (180, 0));
    // An order of 100 of the first day makes her Gold before both.
    let late = does(&shop, "ada earn o0", bought("o0", "2026-05-02T08:00:00Z", "100.00")).await;
    assert_eq!(differences(&late, 1), ["Gold earns double +120"]);
    assert_eq!(differences(&late, 3), ["Gold earns double +40"]);
    assert_eq!(late.at("/entry/again/differences/0/tier"), json!({ "from": "Base", "to": "Gold" }));
    assert_eq!(wallet(&shop, "ada", "points").await, (440, 0));
    // It comes back, and all of it is as before.
    let back = does(&shop, "ada reverse b", json!({ "order": "o0" })).await;
    assert_eq!(differences(&back, 1), ["Gold earns double -120"]);
    assert_eq!(wallet(&shop, "ada", "points").await, (180, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_exchange_of_the_first_order_comes_to_the_same_however_it_is_told() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"First\" on purchase when member.purchases == 0 { 110 }";
    let shop = shop("[wallets.points]", rules).await;
    shop.at("2026-05-02T09:00:00Z");
    let o1 = bought("o1", "2026-05-02T08:00:00Z", "50.00");
    let o2 = bought("o2", "2026-05-02T08:10:00Z", "80.00");
    for member in ["ada", "bob"] {
        does(&shop, &format!("{member} earn o1"), o1.clone()).await;
    }
    does(&shop, "ada reverse x", json!({ "earn": "o1" })).await;
    does(&shop, "ada earn o2", o2.clone()).await;
    does(&shop, "bob earn o2", o2.clone()).await;
    does(&shop, "bob reverse x", json!({ "earn": "o1" })).await;
    // One receipt: the one comes back, and the other is bought.
    does(&shop, "smiths earn o1", o1).await;
    let mut exchange = o2;
    exchange["returns"] = json!({ "order": "o1" });
    let receipt = does(&shop, "smiths earn o2", exchange).await;
    assert_eq!(receipt.at("/entry/again/undone"), json!([{ "of": 1 }]), "{}", receipt.text);
    for member in ["ada", "bob", "smiths"] {
        assert_eq!(wallet(&shop, member, "points").await, (190, 0), "{member}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn pieces_are_exchanged_on_one_receipt() {
    let shop = shop("[wallets.points]", PLAIN).await;
    let line = |quantity: u32| json!([{ "sku": "shirt", "quantity": quantity, "price": "30.00" }]);
    let first = json!({ "type": "purchase", "order": { "total": "90.00", "lines": line(3) } });
    does(&shop, "ada earn o1", first).await;
    let returns = json!({ "order": "o1", "lines": [{ "sku": "shirt", "quantity": 1 }] });
    let second = json!({ "type": "purchase", "order": { "total": "45.00" }, "returns": returns });
    does(&shop, "ada earn o2", second.clone()).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (105, 0));
    does(&shop, "ada earn o3", second).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (120, 0));
    // What was bought comes back, and what was exchanged for it has come back before.
    does(&shop, "ada reverse b", json!({ "order": "o3" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (75, 0));
    let wrong = json!({
        "type": "purchase", "order": { "total": "1.00" },
        "returns": { "order": "o1", "lines": [{ "sku": "shirt", "quantity": 9 }] },
    });
    assert_eq!(
        asks(&shop, "ada earn o4", wrong).await.problem(),
        "422 more_comes_back_than_is_left /lines: 9 of `shirt` come back, and 1 are left of the order"
    );
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_purchase_is_put_right_a_hundred_times_under_its_own_number() {
    let shop = shop(TIERS, GOLD).await;
    shop.at("2026-05-02T09:00:00Z");
    does(&shop, "ada earn first", bought("1001", "2026-05-02T08:00:00Z", "120.00")).await;
    shop.buys("ada", "1002", "10.00").await;
    for edit in 1..=100 {
        let mut body = bought("1001", "2026-05-02T08:00:00Z", &format!("{edit}.00"));
        body["replaces"] = json!("1001");
        does(&shop, &format!("ada earn edit-{edit}"), body.clone()).await;
        if edit == 50 {
            // At less than 100 she was not Gold when she bought the second.
            assert_eq!(wallet(&shop, "ada", "points").await, (60, 0));
            let again = does(&shop, "ada earn edit-50", body).await;
            assert!(again.replayed);
        }
    }
    assert_eq!(wallet(&shop, "ada", "points").await, (120, 0));
    assert_eq!(wallet(&shop, "ada", "status").await, (110, 0));
    does(&shop, "ada reverse b", json!({ "order": "1001" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    let mut gone = bought("1001", "2026-05-02T08:00:00Z", "5.00");
    gone["replaces"] = json!("1001");
    assert_eq!(
        asks(&shop, "ada earn after", gone).await.problem(),
        "409 entry_is_reversed_already : entry 102 has been reversed already, by entry 103"
    );
    let mut unknown = bought("7", "2026-05-02T08:00:00Z", "5.00");
    unknown["replaces"] = json!("6");
    assert_eq!(
        asks(&shop, "ada earn unknown", unknown).await.problem(),
        "422 entry_is_unknown /replaces: the member has no purchase with the id `6`"
    );
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_cancelled_order_is_completed_after_all() {
    let rules = "earn \"a\" on purchase during may { order.total }\n\
        task \"Card\" on purchase goal 2 { voucher(\"CODES\"); 7 }\n\
        reward \"r\" costs 30 { product(\"p\") }";
    let manifest = "[wallets.points]\n[campaigns.may]\nbudget = 100\n[pools.CODES]";
    let shop = shop(manifest, rules).await;
    let merchant = ledger::MerchantId::parse("test").unwrap();
    let codes = ["A".to_owned(), "B".to_owned()];
    shop.database.store().import_codes(&merchant, "CODES", &codes).await.unwrap();
    shop.buys("ada", "1", "50.00").await;
    let second = shop.buys("ada", "2", "40.00").await;
    assert_eq!(wallet(&shop, "ada", "points").await, (97, 0), "{}", second.text);
    does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
    does(&shop, "ada reverse c", json!({ "order": "1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    // The cancellation is undone; that is undone, and undone again.
    does(&shop, "ada reverse d", json!({ "reverse": "c" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (67, 0));
    does(&shop, "ada reverse e", json!({ "reverse": "d" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    assert_eq!(
        asks(&shop, "ada reverse f", json!({ "reverse": "d" })).await.at("/code"),
        "entry_is_reversed_already"
    );
    does(&shop, "ada reverse g", json!({ "reverse": "e" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (67, 0));
    // The budget has what was drawn from it, and the card's code was given once.
    let limit = ledger::SharedLimit::Budget("may".to_owned());
    assert_eq!(shop.database.store().left(&merchant, &limit).await.unwrap().get(), 10);
    assert!(shop.database.store().who_has(&merchant, "CODES", "B").await.unwrap().is_none());
    // The next two complete the card with the code that is there.
    shop.buys("ada", "3", "1.00").await;
    let fourth = shop.buys("ada", "4", "1.00").await;
    assert!(fourth.text.contains("\"code\":\"B\""), "{}", fourth.text);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_reward_at_a_till_without_a_network_is_paid_with_what_was_there() {
    let shop = shop("[wallets.points]\nexpires = { days = 30 }", PLAIN).await;
    does(&shop, "ada earn o", bought("o", "2026-05-02T07:30:00Z", "150.00")).await;
    shop.at("2026-06-02T08:00:00Z");
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    let taken = json!({ "reward": "r", "at": "2026-05-30T18:00:00Z" });
    let late = does(&shop, "ada redeem r1", taken.clone()).await;
    assert_eq!(late.at("/entry/happened_at"), "2026-05-30T18:00:00Z", "{}", late.text);
    // Of the 150 that expired, 100 had been spent.
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    assert_eq!(
        asks(&shop, "ada redeem r2", taken).await.problem(),
        "409 balance_is_insufficient : reward `r` costs 100 points, and 50 can be spent"
    );
    for (at, problem) in [
        (
            "2026-06-02T08:06:00Z",
            "422 activity_is_in_the_future /at: it is dated 2026-06-02 08:06:00 UTC, and it is only 2026-06-02 08:00:00 UTC",
        ),
        (
            "2026-05-01T08:00:00Z",
            "422 activity_is_before_enrolment /at: it is dated 2026-05-01 08:00:00 UTC, and the member enrolled at 2026-05-02 07:30:00 UTC",
        ),
    ] {
        let wrong = json!({ "reward": "r", "at": at });
        assert_eq!(asks(&shop, "ada redeem r3", wrong).await.problem(), problem);
    }
    shop.at("2026-07-02T08:00:00Z");
    let too_late = json!({ "reward": "part", "units": 1, "at": "2026-05-30T19:00:00Z" });
    assert_eq!(
        asks(&shop, "ada redeem r4", too_late).await.problem(),
        "422 told_too_late /at: it is dated 2026-05-30 19:00:00 UTC, and `late_days` of the manifest allows 31 days"
    );
    does(&shop, "ada reverse b", json!({ "redeem": "r1" })).await;
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_mistaken_credit_on_the_day_before_an_end_takes_nothing_along() {
    let shop = shop("[wallets.points]\nexpires = { days = 30 }\ntransferable = true", PLAIN).await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-31T07:30:00Z");
    let by_hand = |units: i64| json!({ "units": units, "reason": "mistake", "author": "eve" });
    does(&shop, "ada adjust a", by_hand(-80)).await;
    does(&shop, "ada adjust c", by_hand(500)).await;
    shop.at("2026-06-02T07:30:00Z");
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "ada", "points").await, (500, 0));
    // As if it had not happened: the 80 that were taken by mistake have expired with the others.
    let back = does(&shop, "ada reverse b", json!({ "adjust": "a" })).await;
    assert_eq!(back.at("/entry/reverses"), 2, "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (500, 0));
    does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
    does(&shop, "ada reverse d", json!({ "adjust": "c" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 100));
    // A credit that was forgotten on a day is given for that day.
    let forgotten = json!({
        "units": 100, "reason": "forgotten", "author": "eve", "at": "2026-06-01T12:00:00Z",
    });
    does(&shop, "ada adjust e", forgotten).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_transfer_goes_back_with_the_lots_that_it_had() {
    let manifest = "[wallets.points]\nexpires = { days = 30 }\ntransferable = true";
    let shop = shop(manifest, PLAIN).await;
    shop.buys("ada", "1", "60.00").await;
    shop.at("2026-05-12T07:30:00Z");
    shop.buys("ada", "2", "60.00").await;
    does(&shop, "ada transfer t", json!({ "to": "bob", "units": 100 })).await;
    does(&shop, "bob redeem r", json!({ "reward": "part", "units": 70 })).await;
    let back = does(&shop, "ada reverse b", json!({ "transfer": "t" })).await;
    let lots = back.at("/entry/postings").as_array().unwrap().clone();
    let ends: Vec<&str> =
        lots.iter().map(|lot| lot["to"]["lot"]["expires_at"].as_str().unwrap()).collect();
    assert_eq!(ends, ["2026-06-01T07:30:00Z", "2026-06-11T07:30:00Z"], "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (120, 0));
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 70));
    // It is moved after all, and back again.
    does(&shop, "ada reverse c", json!({ "reverse": "b" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (20, 0));
    assert_eq!(wallet(&shop, "bob", "points").await, (30, 0));
    does(&shop, "ada reverse d", json!({ "transfer": "t" })).await;
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 70));
    assert_eq!(
        asks(&shop, "ada reverse e", json!({ "transfer": "t" })).await.problem(),
        "409 entry_is_reversed_already : entry 3 has been reversed already, by entry 6"
    );
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_part_of_a_reward_comes_back_by_units_or_by_its_share_of_the_order() {
    let shop = shop("[wallets.points]\nexpires = { days = 30 }", PLAIN).await;
    shop.buys("ada", "1", "1000.00").await;
    let chairs = json!({ "total": "100.00", "lines": [
        { "sku": "chair", "quantity": 2, "price": "50.00" },
    ]});
    let pay = json!({ "reward": "part", "units": 1000, "order": chairs });
    does(&shop, "ada redeem r1", pay).await;
    let half = json!({ "redeem": "r1", "lines": [{ "sku": "chair", "quantity": 1 }] });
    let back = does(&shop, "ada reverse a", half.clone()).await;
    assert_eq!(back.at("/entry/postings/0/to/lot/expires_at"), "2026-06-01T07:30:00Z");
    assert_eq!(wallet(&shop, "ada", "points").await, (500, 0));
    let some = |units: i64| json!({ "redeem": "r1", "units": units });
    does(&shop, "ada reverse b", some(100)).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (600, 0));
    for (body, problem) in [
        (
            some(401),
            "422 units_are_too_many /units: 401 units of entry 2 come back, and 400 are left of it",
        ),
        (
            some(0),
            "422 units_are_zero /units: no units come back; say how many, or leave `units` out for all",
        ),
        (
            json!({ "redeem": "r1", "units": 5, "refund": "5.00" }),
            "422 field_is_wrong /units: `/units`: units come back, or a part of the order: not both",
        ),
        (json!({ "earn": "1", "units": 5 }), "422 entry_cannot_be_reversed"),
    ] {
        let answer = asks(&shop, "ada reverse x", body).await;
        if answer.status == 422 || answer.status == 409 {
            assert!(
                answer.problem().contains(problem.split(' ').nth(1).unwrap()),
                "{}",
                answer.text
            );
        }
        assert_ne!(answer.status, 201, "{}", answer.text);
    }
    does(&shop, "ada reverse c", json!({ "redeem": "r1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (1000, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_a_reward_gives_back_can_be_spent_for_the_days_that_the_manifest_says() {
    for (days, has) in [("", 0), ("restored_days = 14\n", 100)] {
        let manifest = format!("{days}[wallets.points]\nexpires = {{ days = 30 }}");
        let shop = shop(&manifest, PLAIN).await;
        shop.buys("ada", "1", "100.00").await;
        does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
        shop.at("2026-06-12T07:30:00Z");
        shop.run_expiry().await;
        does(&shop, "ada reverse b", json!({ "redeem": "r" })).await;
        assert_eq!(wallet(&shop, "ada", "points").await, (has, 0), "{days}");
        shop.at("2026-06-26T07:30:00Z");
        shop.run_expiry().await;
        assert_eq!(wallet(&shop, "ada", "points").await, (0, 0), "{days}");
        shop.all_is_well().await;
    }
}

#[tokio::test]
async fn the_middle_day_of_a_streak_makes_it_whole_and_breaks_it() {
    let rules = "task \"Days\" on purchase streak 3 days { 50 }";
    let shop = shop("[wallets.points]", rules).await;
    shop.at("2026-05-08T12:00:00Z");
    for day in ["03", "05"] {
        does(
            &shop,
            &format!("ada earn {day}"),
            bought(day, &format!("2026-05-{day}T10:00:00Z"), "5.00"),
        )
        .await;
    }
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    let middle = does(&shop, "ada earn 04", bought("04", "2026-05-04T10:00:00Z", "5.00")).await;
    assert_eq!(differences(&middle, 2), ["Days +50"], "{}", middle.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (50, 0));
    does(&shop, "ada reverse b", json!({ "order": "04" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_late_purchase_keeps_alive_what_it_would_have_kept_and_one_that_is_gone_keeps_nothing() {
    let shop = shop("[wallets.points]\nexpires = { inactive_days = 10 }", PLAIN).await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-15T07:30:00Z");
    shop.run_expiry().await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    // She had been there on 9 May: nothing had expired on the 12th.
    let late = does(&shop, "ada earn 2", bought("2", "2026-05-09T07:30:00Z", "5.00")).await;
    assert!(late.text.contains("\"why\":\"issued\""), "{}", late.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (105, 0));
    does(&shop, "ada reverse b", json!({ "order": "2" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_is_told_too_late_is_judged_by_the_member_of_then_and_changes_nothing_since() {
    let manifest = format!("late_days = 5\n{TIERS}\n[activities.review]");
    let rules = format!("{GOLD}\ntask \"Card\" on purchase goal 2 {{ 9 }}");
    let shop = shop(&manifest, &rules).await;
    does(&shop, "ada earn o1", bought("o1", "2026-05-02T07:30:00Z", "40.00")).await;
    shop.at("2026-05-20T07:30:00Z");
    shop.buys("ada", "o2", "100.00").await;
    shop.buys("ada", "o3", "10.00").await;
    assert_eq!(wallet(&shop, "ada", "points").await, (169, 0));
    let late = does(&shop, "ada earn late", bought("late", "2026-05-03T07:30:00Z", "70.00")).await;
    assert_eq!(late.at("/entry/notes/0/note"), "told_too_late", "{}", late.text);
    assert_eq!(late.at("/entry/again"), Value::Null);
    // She was not Gold then, and her card is that of today.
    assert_eq!(wallet(&shop, "ada", "points").await, (239, 0));
    let tasks = shop.get("/v1/members/ada").await.at("/tasks/Card");
    assert_eq!(tasks, json!({ "done": 1, "goal": 2, "completed": 1 }));
    // A part of it comes back, and then the rest.
    does(&shop, "ada reverse b", json!({ "order": "late", "refund": "30.00" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (209, 0));
    does(&shop, "ada reverse c", json!({ "order": "late" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (169, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn the_piece_of_a_hold_that_ended_goes_back_once_though_what_recorded_its_end_is_undone() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        reward \"one\" costs 10 at most 1 ever stock 1 { product(\"p\") }";
    let shop = shop("[wallets.points]", rules).await;
    shop.buys("ada", "1", "100.00").await;
    shop.buys("bob", "2", "100.00").await;
    let one = json!({ "reward": "one" });
    does(&shop, "ada holds h", one.clone()).await;
    shop.at("2026-05-02T08:30:00Z");
    let order = bought("3", "2026-05-02T08:30:00Z", "5.00");
    does(&shop, "ada earn 3", order).await;
    does(&shop, "ada reverse b", json!({ "order": "3" })).await;
    does(&shop, "ada earn 4", bought("4", "2026-05-02T08:30:00Z", "5.00")).await;
    // There is one piece, which either can have; she has had none yet.
    does(&shop, "ada redeem r", one.clone()).await;
    let sold_out = asks(&shop, "bob redeem r", one).await;
    assert!(sold_out.problem().starts_with("409 reward_is_sold_out"), "{}", sold_out.text);
    shop.all_is_well().await;
}

#[tokio::test]
async fn of_what_is_told_too_late_nothing_is_had_twice() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Day\" on purchase at most 1 per day { 1000 }\n\
        earn \"Once\" on purchase at most 1 ever { 10000 }\n\
        earn \"First\" on purchase when member.purchases == 0 { 100000 }\n\
        earn \"Month\" on purchase at most 25 points per month { order.total }";
    let shop = shop("late_days = 5\n[wallets.points]", rules).await;
    shop.at("2026-05-20T07:30:00Z");
    shop.buys("ada", "now", "10.00").await;
    assert_eq!(wallet(&shop, "ada", "points").await, (111_020, 0));
    // She had bought nothing then, so the first of the two that are told too late is her first. Each
    // cap has counted what was given since, and the other late order, too.
    does(&shop, "ada earn l1", bought("l1", "2026-05-03T10:00:00Z", "20.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (111_020 + 20 + 1_000 + 100_000 + 15, 0));
    does(&shop, "ada earn l2", bought("l2", "2026-05-03T09:00:00Z", "30.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (212_055 + 30, 0));
    // A part of one is taken back, and is judged as it was; and then all of both.
    does(&shop, "ada reverse a", json!({ "order": "l1", "refund": "6.00" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (212_085 - 6 - 1, 0));
    does(&shop, "ada reverse b", json!({ "order": "l1" })).await;
    does(&shop, "ada reverse c", json!({ "order": "l2" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (111_020, 0));
    does(&shop, "ada earn l3", bought("l3", "2026-05-03T11:00:00Z", "1.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (111_020 + 1 + 1_000 + 100_000 + 1, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_order_is_not_put_right_for_a_day_that_is_too_long_ago() {
    let shop = shop("late_days = 5\n[wallets.points]", PLAIN).await;
    shop.at("2026-05-20T07:30:00Z");
    shop.buys("ada", "1", "10.00").await;
    shop.at("2026-05-30T07:30:00Z");
    let put_right = |at: &str| {
        let order = json!({ "total": "15.00" });
        json!({ "id": "r", "type": "purchase", "at": at, "order": order, "replaces": "1" })
    };
    let too_late = asks(&shop, "ada earn r1", put_right("2026-05-10T07:30:00Z")).await;
    assert_eq!(too_late.status, 422, "{}", too_late.text);
    assert!(too_late.problem().contains("told_too_late"), "{}", too_late.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    // The order itself is older than five days, and can still be put right.
    does(&shop, "ada earn r2", put_right("2026-05-20T07:30:00Z")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (15, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_cap_in_units_pays_what_is_left_of_it_in_whatever_order_it_is_told() {
    let rules = "earn \"a\" on purchase at most 100 points per day { order.total }\n\
        earn \"b\" on purchase into stamps at most 3 stamps per month { 2 }";
    let shop = shop("[wallets.points]\n[wallets.stamps]", rules).await;
    shop.at("2026-05-04T08:00:00Z");
    does(&shop, "ada earn 1", bought("1", "2026-05-03T10:00:00Z", "70.00")).await;
    does(&shop, "ada earn 2", bought("2", "2026-05-03T12:00:00Z", "70.00")).await;
    does(&shop, "ada earn 3", bought("3", "2026-05-04T07:00:00Z", "70.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (170, 0));
    assert_eq!(wallet(&shop, "ada", "stamps").await, (3, 0));
    // The first of that day is told last: 40, 60 of 70, and nothing.
    let late = does(&shop, "ada earn 0", bought("0", "2026-05-03T09:00:00Z", "40.00")).await;
    assert_eq!(differences(&late, 1), ["a -10", "b -1"]);
    assert_eq!(differences(&late, 2), ["a -30", "b -1"]);
    assert_eq!(
        late.at("/entry/again/differences/0/causes/0"),
        json!({
            "rule": "a", "fact": "cap", "was": "100", "is": "60"
        })
    );
    assert_eq!(wallet(&shop, "ada", "points").await, (170, 0));
    // It comes back, and leaves nothing; and the first of those that were there leaves room.
    does(&shop, "ada reverse a", json!({ "order": "0" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (170, 0));
    does(&shop, "ada reverse b", json!({ "order": "1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (140, 0));
    assert_eq!(wallet(&shop, "ada", "stamps").await, (3, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn each_activity_is_judged_again_by_the_rules_that_judged_it() {
    let shop = shop(TIERS, GOLD).await;
    shop.at("2026-05-04T08:00:00Z");
    does(&shop, "ada earn o1", bought("o1", "2026-05-03T10:00:00Z", "50.00")).await;
    let manifest =
        format!("name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n{TIERS}");
    let triple = GOLD.replace("{ points }", "{ points * 2 }");
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &triple)]).await;
    does(&shop, "ada earn o2", bought("o2", "2026-05-03T11:00:00Z", "10.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (60, 0));
    let late = does(&shop, "ada earn o0", bought("o0", "2026-05-03T09:00:00Z", "100.00")).await;
    assert_eq!(differences(&late, 1), ["Gold earns double +50"]);
    assert_eq!(differences(&late, 2), ["Gold earns double +20"]);
    assert_eq!(wallet(&shop, "ada", "points").await, (230, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_referral_follows_the_friends_first_purchase_both_ways() {
    let manifest = "[wallets.points]\n[activities.referral]";
    let rules = "earn \"First\" on purchase when member.purchases == 0 { refer(); 5 }\n\
        earn \"Friend\" on referral { 20 }";
    let shop = shop(manifest, rules).await;
    let cid = json!({ "id": "cid", "referred_by": "ada" });
    assert_eq!(shop.post("/v1/members", None, &cid).await.status, 201);
    shop.at("2026-05-06T07:30:00Z");
    does(&shop, "cid earn 2", bought("2", "2026-05-05T07:30:00Z", "5.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (20, 0));
    // An earlier purchase becomes the first, and the referral is for it.
    does(&shop, "cid earn 1", bought("1", "2026-05-04T07:30:00Z", "5.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (20, 0));
    assert_eq!(wallet(&shop, "cid", "points").await, (5, 0));
    does(&shop, "cid reverse b", json!({ "order": "1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (20, 0));
    does(&shop, "cid reverse c", json!({ "order": "2" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    assert_eq!(wallet(&shop, "cid", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn the_piece_of_a_reward_goes_back_with_the_last_of_its_units() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        reward \"one\" costs 10 to 50 stock 1 { product(\"p\") }";
    let shop = shop("[wallets.points]", rules).await;
    shop.buys("ada", "1", "100.00").await;
    shop.buys("bob", "2", "100.00").await;
    let one = json!({ "reward": "one", "units": 50 });
    let sold_out = "409 reward_is_sold_out";
    let bob = async |key: &str| asks(&shop, &format!("bob redeem {key}"), one.clone()).await;
    does(&shop, "ada redeem r1", one.clone()).await;
    does(&shop, "ada reverse a", json!({ "redeem": "r1", "units": 20 })).await;
    assert!(bob("r1").await.problem().starts_with(sold_out));
    does(&shop, "ada reverse b", json!({ "redeem": "r1", "units": 30 })).await;
    does(&shop, "bob redeem r2", one.clone()).await;
    does(&shop, "bob reverse a", json!({ "redeem": "r2" })).await;
    // The same of a hold and its capture.
    let held = does(&shop, "ada holds h", one.clone()).await;
    let hold = held.at("/entry/hold").as_str().unwrap().to_owned();
    does(&shop, &format!("ada holds/{hold}/capture c"), json!({})).await;
    does(&shop, "ada reverse c", json!({ "capture": "c", "units": 20 })).await;
    assert!(bob("r3").await.problem().starts_with(sold_out));
    does(&shop, "ada reverse d", json!({ "capture": "c" })).await;
    does(&shop, "bob redeem r4", one.clone()).await;
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_hold_that_has_expired_gives_back_its_piece_with_a_purchase_put_right() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        reward \"one\" costs 10 stock 1 { product(\"p\") }";
    let shop = shop("[wallets.points]", rules).await;
    shop.at("2026-05-02T09:00:00Z");
    does(&shop, "ada earn 1", bought("1", "2026-05-02T08:00:00Z", "100.00")).await;
    does(&shop, "ada holds h", json!({ "reward": "one" })).await;
    shop.at("2026-05-04T10:00:00Z");
    let right = json!({ "type": "purchase", "order": { "total": "90.00" }, "replaces": "1" });
    does(&shop, "ada earn 2", right).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (90, 0));
    does(&shop, "ada redeem r", json!({ "reward": "one" })).await;
    shop.all_is_well().await;
}

#[tokio::test]
async fn the_pieces_of_an_order_that_was_put_right_are_delivered() {
    let waits = "[wallets.points]\npending_until = \"delivery\"\npending_days = 14\n\
        [activities.delivery]";
    let shop = shop(waits, "earn \"a\" on purchase { order.total }").await;
    let lines = |quantity: u32| json!([{ "sku": "shirt", "quantity": quantity, "price": "30.00" }]);
    let order = |total: &str, quantity: u32| {
        let order = json!({ "total": total, "lines": lines(quantity) });
        json!({ "type": "purchase", "id": "1001", "order": order })
    };
    does(&shop, "ada earn a", order("120.00", 4)).await;
    let mut right = order("90.00", 3);
    right["replaces"] = json!("1001");
    does(&shop, "ada earn b", right).await;
    let piece = json!({ "type": "delivery", "of": "1001", "order": { "total": 0, "lines": [
        { "sku": "shirt", "quantity": 1 },
    ]}});
    let piece = does(&shop, "ada earn c", piece).await;
    assert_eq!(piece.at("/entry/postings/0/units"), 30, "{}", piece.text);
    assert_eq!(piece.at("/entry/postings/0/why"), "delivered");
    assert_eq!(piece.at("/entry/postings/1"), Value::Null);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_an_erased_member_told_cannot_be_put_right() {
    let shop = shop("[wallets.points]", PLAIN).await;
    shop.buys("ada", "1", "100.00").await;
    let right = json!({ "type": "purchase", "order": { "total": "90.00" }, "replaces": "1" });
    does(&shop, "ada earn 2", right.clone()).await;
    shop.send(Method::DELETE, "/v1/members/ada", None, "{}").await;
    for (key, body) in [("earn 2", right), ("reverse 3", json!({ "earn": "1" }))] {
        let answer = asks(&shop, &format!("ada {key}"), body).await;
        assert!(answer.problem().starts_with("410 member_is_erased"), "{}", answer.text);
    }
}

#[tokio::test]
async fn who_has_lost_a_score_again_is_not_on_the_board() {
    let rules = "contest \"Cups\" on purchase { 1 }\nearn \"a\" on purchase { order.total }";
    let shop = shop("[wallets.points]", rules).await;
    shop.buys("ada", "1", "10.00").await;
    shop.buys("bob", "2", "10.00").await;
    shop.buys("bob", "3", "10.00").await;
    does(&shop, "ada reverse a", json!({ "order": "1" })).await;
    does(&shop, "bob reverse b", json!({ "order": "2" })).await;
    let board = shop.get("/v1/contests/Cups").await;
    assert_eq!(board.at("/places"), json!([{ "rank": 1, "member": "bob", "score": 1 }]));
    // It is completed after all.
    does(&shop, "ada reverse c", json!({ "reverse": "a" })).await;
    let board = shop.get("/v1/contests/Cups").await;
    assert_eq!(board.at("/places/1/score"), 1, "{}", board.text);
    shop.all_is_well().await;
}

#[tokio::test]
async fn nobodys_time_goes_back_by_the_clock_of_another() {
    let shop = shop("[wallets.points]\ntransferable = true", PLAIN).await;
    shop.buys("ada", "1", "50.00").await;
    shop.at("2026-05-02T10:10:00Z");
    shop.buys("bob", "2", "10.00").await;
    shop.at("2026-05-02T10:00:00Z");
    let given = does(&shop, "ada transfer t", json!({ "to": "bob", "units": 20 })).await;
    assert_eq!(given.at("/entry/at"), "2026-05-02T10:10:00Z", "{}", given.text);
    let received = shop.get("/v1/members/bob/entries?limit=1").await;
    assert_eq!(received.at("/entries/0/at"), "2026-05-02T10:10:00Z", "{}", received.text);
    shop.all_is_well().await;
}

#[tokio::test]
async fn units_that_have_ended_since_could_be_spent_when_the_till_was_without_a_network() {
    let shop = shop("[wallets.points]\nexpires = { days = 2 }", PLAIN).await;
    shop.at("2026-05-02T08:00:00Z");
    does(&shop, "ada earn 1", bought("1", "2026-05-02T08:00:00Z", "100.00")).await;
    shop.at("2026-05-05T08:00:00Z");
    let at = json!({ "reward": "r", "at": "2026-05-03T08:00:00Z" });
    does(&shop, "ada redeem r", at).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_staff_gave_late_counts_once_when_the_history_changes_again() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Rich\" on purchase when wallet(\"points\") >= 100 { 25 }";
    let shop = shop("[wallets.points]\nexpires = { days = 90 }", rules).await;
    shop.at("2026-05-10T08:00:00Z");
    does(&shop, "ada earn o", bought("o", "2026-05-05T10:00:00Z", "10.00")).await;
    // Staff gave 100 two days before: she was rich with that order.
    let gift =
        json!({ "units": 100, "reason": "sorry", "author": "eve", "at": "2026-05-03T10:00:00Z" });
    let late = does(&shop, "ada adjust g", gift).await;
    assert_eq!(differences(&late, 1), ["Rich +25"], "{}", late.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (135, 0));
    // An order between the two is told later still, and comes back.
    does(&shop, "ada earn p", bought("p", "2026-05-04T10:00:00Z", "1.00")).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (161, 0));
    does(&shop, "ada reverse p", json!({ "order": "p" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (135, 0));
    does(&shop, "ada reverse g", json!({ "adjust": "g" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    shop.all_is_well().await;
}
