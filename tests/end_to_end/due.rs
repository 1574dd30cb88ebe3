//! What is due: expiry of every kind, triggered activities, reminders.

use end_to_end::Shop;
use reqwest::Method;
use serde_json::{Value, json};

fn files<'a>(manifest: &'a str, rules: &'a str) -> [(&'static str, &'a str); 2] {
    [("merchant.toml", manifest), ("rules.rhai", rules)]
}

fn with_head(manifest: &str) -> String {
    format!("name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n{manifest}")
}

async fn shop(manifest: &str, rules: &str) -> Shop {
    Shop::under(&files(&with_head(manifest), rules)).await
}

async fn publish(shop: &Shop, manifest: &str, rules: &str) {
    shop.publish(&files(&with_head(manifest), rules)).await;
}

async fn tell(shop: &Shop, key: &str, body: Value) -> Value {
    let answer = shop.post("/v1/members/ada/earn", Some(key), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn points(shop: &Shop) -> (Value, Value) {
    let member = shop.get("/v1/members/ada").await;
    (member.at("/wallets/points/balance"), member.at("/wallets/points/pending"))
}

#[tokio::test]
async fn units_wait_for_the_delivery_of_their_order_and_the_time_in_which_it_may_come_back() {
    let shop = shop(
        "[wallets.points]\npending_until = \"delivery\"\npending_days = 14\n[activities.delivery]",
        "earn \"a\" on purchase { order.total }",
    )
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "order-1", "10.00").await;
    shop.buys("ada", "order-2", "20.00").await;
    shop.buys("ada", "order-3", "40.00").await;
    assert_eq!(points(&shop).await, (json!(0), json!(70)));
    // Pending units stay pending however long the delivery takes.
    shop.at("2027-05-02T07:30:00Z");
    assert_eq!(points(&shop).await, (json!(0), json!(70)));
    let answer = tell(&shop, "d-1", json!({ "type": "delivery", "of": "order-1" })).await;
    assert_eq!(answer["entry"]["postings"][0]["from"]["lot"]["pending_on"]["of"], "order-1");
    shop.at("2027-05-16T07:29:59Z");
    assert_eq!(points(&shop).await, (json!(0), json!(70)));
    shop.at("2027-05-16T07:30:00Z");
    assert_eq!(points(&shop).await, (json!(10), json!(60)));
    // One order comes back before its delivery, and one after it.
    let back = json!({ "earn": "order-2" });
    let answer = shop.post("/v1/members/ada/reverse", Some("r2"), &back).await;
    assert_eq!(answer.at("/entry/postings/0/from/lot/pending_on/of"), "order-2", "{}", answer.text);
    tell(&shop, "d-3", json!({ "type": "delivery", "of": "order-3" })).await;
    let back = json!({ "earn": "order-3" });
    let answer = shop.post("/v1/members/ada/reverse", Some("r3"), &back).await;
    assert_eq!(answer.at("/entry/postings/0/change"), -40, "{}", answer.text);
    assert_eq!(points(&shop).await, (json!(10), json!(0)));
    shop.all_is_well().await;
}

#[tokio::test]
async fn units_stay_as_long_as_their_member_is_active() {
    let shop = shop(
        "[wallets.points]\nexpires = { inactive_months = 6 }\n[activities.visit]",
        "earn \"a\" on purchase { order.total }\nearn \"v\" on visit { 1 }\n\
         reward \"r\" costs 5 { product(\"p\") }",
    )
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "10.00").await;
    let expiry = async || shop.get("/v1/members/ada").await.at("/wallets/points/next_expiry");
    assert_eq!(expiry().await, json!({ "at": "2026-11-02T08:30:00Z", "units": 10 }));
    shop.at("2026-08-31T10:00:00Z");
    tell(&shop, "v", json!({ "type": "visit" })).await;
    // The last of February is six months after the last of August.
    assert_eq!(expiry().await, json!({ "at": "2027-02-28T11:00:00Z", "units": 11 }));
    shop.at("2027-02-28T10:59:59Z");
    let taken = json!({ "reward": "r" });
    assert_eq!(shop.post("/v1/members/ada/redeem", Some("r"), &taken).await.status, 201);
    assert_eq!(expiry().await, json!({ "at": "2027-08-28T09:59:59Z", "units": 6 }));
    // A visit does not bring back expired units, even before the expiry run.
    shop.at("2027-08-28T09:59:59Z");
    tell(&shop, "late", json!({ "type": "visit" })).await;
    assert_eq!(points(&shop).await.0, 1);
    assert_eq!(shop.run_expiry().await.units["test/points"], 6);
    shop.all_is_well().await;
}

#[tokio::test]
async fn parts_of_units_are_carried_over_and_a_return_takes_back_exactly() {
    let shop = shop(
        "[wallets.points]\ncarry = true",
        "earn \"1 per 50\" on purchase { order.total / 50 }",
    )
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "order-1", "30.00").await;
    assert_eq!(points(&shop).await.0, 0);
    shop.buys("ada", "order-2", "20.00").await;
    assert_eq!(points(&shop).await.0, 1);
    shop.buys("ada", "order-3", "49.00").await;
    assert_eq!(points(&shop).await.0, 1);
    // 30.00 come back and 69.00 are left: 1 unit, and 0.38 carried.
    let back = json!({ "earn": "order-1" });
    assert_eq!(shop.post("/v1/members/ada/reverse", Some("b1"), &back).await.status, 201);
    assert_eq!(points(&shop).await.0, 1);
    // Another 20.00 come back and 49.00 are left: less than 1 unit.
    let back = json!({ "earn": "order-2" });
    assert_eq!(shop.post("/v1/members/ada/reverse", Some("b2"), &back).await.status, 201);
    assert_eq!(points(&shop).await.0, 0);
    shop.buys("ada", "order-4", "1.00").await;
    assert_eq!(points(&shop).await.0, 1);
    shop.all_is_well().await;
}

#[tokio::test]
async fn birthdays_and_anniversaries_come_by_themselves_once_a_year() {
    let shop = shop(
        "[wallets.points]\n[activities.birthday]\nyearly = \"birthday\"\n\
         [activities.anniversary]\nyearly = \"joined\"",
        "earn \"b\" on birthday { 100 }\nearn \"j\" on anniversary { member.years }",
    )
    .await;
    let ada = json!({ "id": "ada", "attributes": { "birthday": "1992-02-29" } });
    assert_eq!(shop.post("/v1/members", None, &ada).await.status, 201);
    assert_eq!(shop.run_expiry().await.due, 0);
    // In a common year the birthday is the 28th, from midnight in Berlin.
    shop.at("2027-02-27T22:59:59Z");
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.at("2027-02-27T23:00:00Z");
    assert_eq!(shop.run_expiry().await.triggered, 1);
    assert_eq!(shop.run_expiry().await.due, 0);
    assert_eq!(points(&shop).await.0, 100);
    let entry = shop.get("/v1/members/ada/entries").await.at("/entries/0");
    assert_eq!(entry["activity"]["id"], "birthday 2027-02-28");
    assert_eq!(entry["activity"]["at"], "2027-02-27T23:00:00Z");
    // After two months without a run, only activities of the last 31 days are triggered.
    shop.at("2027-05-20T12:00:00Z");
    assert_eq!(shop.run_expiry().await.triggered, 1);
    assert_eq!(points(&shop).await.0, 101);
    shop.at("2028-04-30T12:00:00Z");
    assert_eq!(shop.run_expiry().await.triggered, 0);
    shop.at("2028-05-02T12:00:00Z");
    assert_eq!(shop.run_expiry().await.triggered, 1);
    assert_eq!(points(&shop).await.0, 103);
    shop.all_is_well().await;
}

#[tokio::test]
async fn each_reminder_is_sent_once_and_in_time() {
    let shop = shop(
        "[wallets.points]\nexpires = { months = 2, end_of = \"month\" }\n\
         [wallets.status]\nspendable = false\nexpires = { days = 60 }\n[tiers]\ngrace_days = 10\n\
         [reminders]\nexpiry_days = 14\ntier_days = 7\ntask_left = 1",
        "earn \"a\" on purchase { order.total }\nearn \"s\" on purchase into status { order.total }\n\
         task \"Three\" on purchase goal 3 { 5 }\n\
         tier \"Base\" { true }\ntier \"Gold\" { wallet(\"status\") >= 100 }",
    )
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "60.00").await;
    assert_eq!(shop.run_expiry().await.reminded, 0);
    shop.buys("ada", "2", "60.00").await;
    // Two purchases of three are done.
    assert_eq!(shop.run_expiry().await.reminded, 1);
    assert_eq!(shop.run_expiry().await.due, 0);
    let newest = async || shop.get("/v1/members/ada/entries").await.at("/entries/0/reminders");
    assert_eq!(
        newest().await,
        json!([{ "about": "task", "task": "Three", "left": 1, "round": 1 }])
    );
    // The status points expire on 1 July, and the tier is lost ten days later.
    shop.at("2026-07-04T07:29:59Z");
    let night = shop.run_expiry().await;
    assert_eq!((night.reminded, night.expired), (0, 1));
    shop.at("2026-07-04T07:30:00Z");
    assert_eq!(shop.run_expiry().await.reminded, 1);
    assert_eq!(
        newest().await,
        json!([{ "about": "tier", "tier": "Gold", "at": "2026-07-11T07:30:00Z" }])
    );
    // The points expire at the end of July.
    shop.at("2026-07-17T22:00:00Z");
    assert_eq!(shop.run_expiry().await.reminded, 1);
    assert_eq!(
        newest().await,
        json!([{ "about": "expiry", "wallet": "points", "units": 120,
            "at": "2026-07-31T22:00:00Z", "until": "2026-07-31T22:00:00Z" }])
    );
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.at("2026-07-31T22:00:00Z");
    assert_eq!(shop.run_expiry().await.units["test/points"], 120);
    shop.all_is_well().await;
}

#[tokio::test]
async fn who_was_due_under_other_rules_is_looked_at_once_and_rescheduled() {
    let shop = shop(
        "[wallets.points]\nexpires = { days = 30 }\n[reminders]\nexpiry_days = 14",
        "earn \"a\" on purchase { order.total }",
    )
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "60.00").await;
    publish(&shop, "[wallets.points]", "earn \"a\" on purchase { order.total }").await;
    shop.at("2026-05-20T00:00:00Z");
    let night = shop.run_expiry().await;
    assert_eq!((night.due, night.reminded), (1, 0));
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.at("2026-06-01T07:30:00Z");
    assert_eq!(shop.run_expiry().await.units["test/points"], 60);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_rule_that_fails_keeps_nothing_else_from_being_done() {
    let shop = shop(
        "[wallets.points]\nexpires = { days = 30 }\n[activities.birthday]\nyearly = \"birthday\"\n\
         [activities.anniversary]\nyearly = \"joined\"\n[reminders]\nexpiry_days = 3",
        "earn \"a\" on purchase { order.total }\nearn \"b\" on birthday { 10 / (member.purchases - 1) }\n\
         earn \"c\" on anniversary { 7 }",
    )
    .await;
    let bad = json!({ "id": "bad", "attributes": { "birthday": "1990-05-03" } });
    assert_eq!(shop.post("/v1/members", None, &bad).await.status, 201);
    shop.buys("bad", "1", "100.00").await;
    // It is two days before the points expire, and the rule for the birthday, which has passed,
    // divides by zero.
    shop.at("2026-05-30T12:00:00Z");
    let failed = expire::run(&shop.api, &expire::Event::default(), None).await.unwrap_err();
    assert!(failed.to_string().contains("bad"), "{failed}");
    let entries = shop.get("/v1/members/bad/entries").await;
    assert_eq!(entries.at("/entries/0/kind"), "remind", "{}", entries.text);
}

#[tokio::test]
async fn a_tier_that_days_take_or_give_is_written_down_by_the_night() {
    let shop = shop(
        "[wallets.points]\n[tiers]\ngrace_days = 10",
        "earn \"a\" on purchase { order.total }\n\
         tier \"Base\" { true }\ntier \"Youth\" { member.age < 26 }\n\
         tier \"Active\" { member.age < 26 && member.days_since_purchase < 90 && member.purchases > 0 }",
    )
    .await;
    let newest = async || shop.get("/v1/members/ada/entries").await.at("/entries/0");
    let night = async || {
        let night = shop.run_expiry().await;
        (night.due, night.expired)
    };
    let ada = json!({ "id": "ada", "attributes": { "birthday": "2000-09-10" } });
    assert_eq!(shop.post("/v1/members", None, &ada).await.status, 201);
    shop.buys("ada", "1", "100.00").await;
    assert_eq!(shop.get("/v1/members/ada").await.at("/tier"), "Active");
    // The 90 days since her purchase end on 31 July, and the grace ten days later.
    shop.at("2026-08-10T07:29:59Z");
    assert_eq!(night().await, (0, 0));
    shop.at("2026-08-10T07:30:00Z");
    assert_eq!(night().await, (1, 1));
    assert_eq!(newest().await["tier"], json!({ "from": "Active", "to": "Youth" }));
    // Her birthday starts at midnight in Berlin, and the grace ends ten days later.
    shop.at("2026-09-19T21:59:59Z");
    assert_eq!(night().await, (0, 0));
    let at_risk = shop.get("/v1/members/ada").await.at("/tier_at_risk");
    assert_eq!(at_risk, "2026-09-19T22:00:00Z");
    shop.at("2026-09-19T22:00:00Z");
    assert_eq!(night().await, (1, 1));
    assert_eq!(newest().await["tier"], json!({ "from": "Youth", "to": "Base" }));
    // Nothing changes any more, and after 800 days the expiry run checks that.
    shop.at("2028-11-27T21:59:59Z");
    assert_eq!(night().await, (0, 0));
    shop.at("2028-11-27T22:00:00Z");
    assert_eq!(night().await, (1, 1));
    assert_eq!(newest().await["tier"], Value::Null);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_tier_that_waiting_points_bring_is_written_down_by_the_night() {
    let shop = shop(
        "[wallets.points]\npending_days = 3",
        "earn \"a\" on purchase { order.total }\n\
         tier \"Base\" { true }\ntier \"Rich\" { wallet(\"points\") >= 100 }",
    )
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-05T07:29:59Z");
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.at("2026-05-05T07:30:00Z");
    assert_eq!(shop.run_expiry().await.due, 1);
    let entries = shop.get("/v1/members/ada/entries").await;
    assert_eq!(entries.at("/entries/0/tier"), json!({ "from": "Base", "to": "Rich" }));
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_tier_whose_condition_fails_keeps_nothing_from_running_out() {
    let manifest =
        "on_failure = \"refuse\"\n[wallets.points]\nexpires = { days = 30 }\n[activities.visit]";
    let earn = "earn \"a\" on visit { 7 }";
    let shop = shop(manifest, earn).await;
    shop.enroll("ada").await;
    tell(&shop, "v", json!({ "type": "visit" })).await;
    let fails = "tier \"Gold\" { member.spend / member.purchases >= 50.00 }";
    publish(&shop, manifest, &format!("{earn}\n{fails}")).await;
    shop.at("2026-06-01T07:30:00Z");
    let failed = expire::run(&shop.api, &expire::Event::default(), None).await.unwrap_err();
    assert!(failed.to_string().contains("rule `Gold`"), "{failed}");
    let entries = shop.get("/v1/members/ada/entries").await;
    assert_eq!(entries.at("/entries/0/kind"), "expire", "{}", entries.text);
    // Every run reports the failure until the rule is fixed; then nothing is due.
    let again = expire::run(&shop.api, &expire::Event::default(), None).await.unwrap_err();
    assert!(again.to_string().contains("rule `Gold`"), "{again}");
    publish(&shop, manifest, earn).await;
    assert_eq!(shop.run_expiry().await.due, 1);
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_comes_back_after_a_reminder_is_reminded_of_too() {
    let shop = shop(
        "[wallets.points]\nexpires = { days = 30 }\n[reminders]\nexpiry_days = 14",
        "earn \"a\" on purchase { order.total }\nreward \"cup\" costs 100 { product(\"Cup\") }",
    )
    .await;
    shop.enroll("ada").await;
    shop.buys("ada", "A", "100.00").await;
    shop.at("2026-05-03T07:30:00Z");
    shop.buys("ada", "B", "70.00").await;
    shop.at("2026-05-10T07:30:00Z");
    let cup = json!({ "reward": "cup" });
    assert_eq!(shop.post("/v1/members/ada/redeem", Some("r"), &cup).await.status, 201);
    shop.at("2026-05-19T07:30:00Z");
    assert_eq!(shop.run_expiry().await.reminded, 1);
    shop.at("2026-05-20T07:30:00Z");
    let back = json!({ "redeem": "r" });
    assert_eq!(shop.post("/v1/members/ada/reverse", Some("b"), &back).await.status, 201);
    assert_eq!(shop.run_expiry().await.reminded, 1);
    let reminder = shop.get("/v1/members/ada/entries").await.at("/entries/0/reminders/0");
    assert_eq!(
        (&reminder["units"], &reminder["at"]),
        (&json!(100), &json!("2026-06-01T07:30:00Z"))
    );
    // No reminder is written twice.
    assert_eq!(shop.run_expiry().await.due, 0);
    shop.at("2026-06-01T07:30:00Z");
    let night = shop.run_expiry().await;
    assert_eq!((night.units["test/points"], night.reminded), (100, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn members_are_rescheduled_under_rules_by_which_more_comes_by_itself() {
    let earn = "earn \"a\" on purchase { order.total }";
    let shop = shop("[wallets.points]\nexpires = { days = 90 }", earn).await;
    let ada = json!({ "id": "ada", "attributes": { "birthday": "1990-05-17" } });
    assert_eq!(shop.post("/v1/members", None, &ada).await.status, 201);
    shop.enroll("bob").await;
    shop.buys("bob", "1", "10.00").await;
    let manifest = "[wallets.points]\nexpires = { days = 90 }\n[activities.birthday]\n\
        yearly = \"birthday\"\n[reminders]\nexpiry_days = 30";
    let birthday = "earn \"b\" on birthday { 50 }";
    publish(&shop, manifest, &format!("{earn}\n{birthday}")).await;
    let event = json!({ "reschedule": "test" });
    let event: expire::Event = serde_json::from_value(event).unwrap();
    let run = async || expire::run(&shop.api, &event, None).await.unwrap();
    let first = run().await;
    assert_eq!((first.rescheduled, first.due), (2, 0));
    assert_eq!(run().await.rescheduled, 0);
    shop.at("2026-05-16T22:00:00Z");
    assert_eq!(shop.run_expiry().await.triggered, 1);
    assert_eq!(points(&shop).await.0, 50);
    shop.at("2026-07-01T07:30:00Z");
    assert_eq!(shop.run_expiry().await.reminded, 1);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_day_that_comes_every_year_is_a_date_and_who_is_forgotten_has_no_tier() {
    let shop = shop(
        "[wallets.points]\nexpires = { days = 30 }\n[activities.name_day]\nyearly = \"name_day\"",
        "earn \"a\" on purchase { order.total }\nearn \"n\" on name_day { 5 }\ntier \"Base\" { true }",
    )
    .await;
    let eve = json!({ "id": "eve", "attributes": { "name_day": "24 December" } });
    assert_eq!(
        shop.post("/v1/members", None, &eve).await.problem(),
        "422 field_is_wrong /attributes/name_day: `/attributes/name_day`: `name_day` is a date such \
         as \"1990-05-17\""
    );
    shop.enroll("ada").await;
    shop.buys("ada", "1", "60.00").await;
    assert_eq!(shop.send(Method::DELETE, "/v1/members/ada", None, "").await.status, 200);
    shop.at("2026-06-01T07:30:00Z");
    assert_eq!(shop.run_expiry().await.units["test/points"], 60);
    let store = shop.database.store();
    let merchant = ledger::MerchantId::parse("test").unwrap();
    let member = ledger::MemberId::parse("ada").unwrap();
    let ada = store.member(&store::MemberKey { merchant, member }).await.unwrap().unwrap();
    assert_eq!(ada.tier(), None);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_tier_whose_condition_will_fail_is_announced_at_once_and_writes_nothing() {
    let shop = shop(
        "on_failure = \"refuse\"\n[wallets.points]",
        "tier \"New\" { 100 / (30 - member.days) >= 3 }\nearn \"a\" on purchase { 1 }",
    )
    .await;
    shop.enroll("ada").await;
    for _ in 0..2 {
        let failed = expire::run(&shop.api, &expire::Event::default(), None).await.unwrap_err();
        assert!(failed.to_string().contains("division by zero"), "{failed}");
    }
    // The tier that she has is written once, and nothing after it.
    let entries = shop.get("/v1/members/ada/entries").await.at("/entries");
    assert_eq!(entries.as_array().unwrap().len(), 1, "{entries}");
}

#[tokio::test]
async fn an_entry_of_any_kind_has_the_tier_that_time_has_made() {
    // A member joins an account between the moment of the change and the expiry run.
    let shop = shop(
        "[wallets.points]\npending_days = 3\n[wallets.miles]\nshared = true",
        "earn \"a\" on purchase { order.total }\ntier \"Base\" { true }\n\
         tier \"Rich\" { wallet(\"points\") >= 100 }",
    )
    .await;
    shop.enroll("ada").await;
    shop.enroll("smiths").await;
    shop.buys("ada", "1", "100.00").await;
    shop.at("2026-05-05T07:31:00Z");
    let smiths = json!({ "account": "smiths" });
    let joined = shop.post("/v1/members/ada/join", Some("j"), &smiths).await;
    assert_eq!(
        joined.at("/entry/tier"),
        json!({ "from": "Base", "to": "Rich" }),
        "{}",
        joined.text
    );
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_others_do_in_an_accounts_wallets_does_not_start_its_grace_anew() {
    let shop = shop(
        "[wallets.points]\nshared = true\n[tiers]\ngrace_days = 10",
        "earn \"a\" on purchase { order.total }\ntier \"Base\" { true }\n\
         tier \"Active\" { member.days_since_purchase < 90 && member.purchases > 0 }",
    )
    .await;
    shop.enroll("smiths").await;
    shop.enroll("bob").await;
    shop.buys("smiths", "1", "10.00").await;
    let smiths = json!({ "account": "smiths" });
    assert_eq!(shop.post("/v1/members/bob/join", Some("j"), &smiths).await.status, 201);
    // The 90 days end on 31 July.
    for (key, at) in [("a", "2026-08-05"), ("b", "2026-08-09"), ("c", "2026-08-14")] {
        shop.at(&format!("{at}T07:30:00Z"));
        shop.buys("bob", key, "10.00").await;
    }
    assert_eq!(shop.get("/v1/members/smiths").await.at("/tier"), "Base");
    let entry = shop.get("/v1/members/smiths/entries").await.at("/entries/0");
    assert_eq!(entry["tier"], json!({ "from": "Active", "to": "Base" }), "{entry}");
    shop.all_is_well().await;
}

#[tokio::test]
async fn members_of_a_tier_that_is_new_are_reviewed_for_it() {
    let earn = "earn \"a\" on purchase { order.total }\ntier \"Base\" { true }";
    let shop = shop("[wallets.points]", earn).await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "10.00").await;
    shop.at("2027-09-20T07:30:00Z");
    let old = "tier \"Old friend\" { member.days >= 365 }";
    publish(&shop, "[wallets.points]", &format!("{earn}\n{old}")).await;
    let event: expire::Event = serde_json::from_value(json!({ "reschedule": "test" })).unwrap();
    let done = expire::run(&shop.api, &event, None).await.unwrap();
    assert_eq!((done.rescheduled, done.due, done.finished), (1, 0, true));
    let entry = shop.get("/v1/members/ada/entries").await.at("/entries/0");
    assert_eq!(entry["tier"], json!({ "from": "Base", "to": "Old friend" }), "{entry}");
    shop.all_is_well().await;
}

#[tokio::test]
async fn who_cannot_be_rescheduled_is_named() {
    let earn = "earn \"a\" on purchase { order.total }";
    let manifest = "on_failure = \"refuse\"\n[wallets.points]";
    let shop = shop(manifest, earn).await;
    shop.enroll("ada").await;
    shop.buys("ada", "1", "10.00").await;
    let fails = "tier \"Gold\" { 10 / (member.purchases - 1) >= 1 }";
    publish(&shop, manifest, &format!("{earn}\n{fails}")).await;
    let run = async |merchant: &str| {
        let event = serde_json::from_value(json!({ "reschedule": merchant })).unwrap();
        expire::run(&shop.api, &event, None).await.unwrap_err().to_string()
    };
    let failed = run("test").await;
    assert!(failed.contains("test/ada: rule `Gold` failed"), "{failed}");
    let failed = run("nobody").await;
    assert!(failed.contains("`nobody` has no rules to reschedule its members by"), "{failed}");
}
