//! Rules that are edited: what members have is kept, or publishing says that it would not be.

use api::Forgetting;
use end_to_end::Shop;
use ledger::MerchantId;
use rules::Sources;
use serde_json::{Value, json};
use store::StoredBundle;

const MANIFEST: &str = r#"name = "T"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
carry = true
[activities.review]
"#;

const BEFORE: &str = r#"
earn "Euro" on purchase { order.total * 0.5 }
earn "Review" on review at most 2 per week { 10 }
task "Card" on purchase goal 3 { 100 }
contest "Cups" on purchase { 1 }
reward "mug" costs 1 at most 2 per month stock 5 { product("Mug") }
"#;

/// The same rules under other titles, and a mug more.
const AFTER: &str = r#"
earn "Half a point per euro" on purchase named "Euro" { order.total * 0.5 }
earn "A word from you" on review at most 2 per week named "Review" { 10 }
task "Ten-trip card" on purchase goal 3 named "Card" { 100 }
contest "Most cups" on purchase named "Cups" { 1 }
reward "blue-mug" costs 1 named "mug" at most 2 per month stock 6 { product("Mug") }
"#;

fn files<'a>(manifest: &'a str, sheet: &'a str) -> [(&'a str, &'a str); 2] {
    [("merchant.toml", manifest), ("rules.rhai", sheet)]
}

async fn points(shop: &Shop, path: &str, key: &str, body: Value) -> Value {
    let answer = shop.post(&format!("/v1/members/ada/{path}"), Some(key), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.at("/entry/balances/points")
}

#[tokio::test]
async fn a_title_changes_and_what_members_have_under_its_name_stays() {
    let shop = Shop::under(&files(MANIFEST, BEFORE)).await;
    shop.enroll("ada").await;
    // 2.5 points, of which half a one is carried; the first of three stamps; one cup.
    shop.buys("ada", "1", "5.00").await;
    points(&shop, "earn", "r1", json!({ "type": "review" })).await;
    points(&shop, "redeem", "m1", json!({ "reward": "mug" })).await;
    let hold = shop.post("/v1/members/ada/holds", Some("h1"), &json!({ "reward": "mug" })).await;

    shop.publish(&files(MANIFEST, AFTER)).await;
    // Both counts of the reward are in force; then a hold that was made under the old title is
    // released, and gives its count and its piece back.
    let body = json!({ "reward": "blue-mug" });
    let third = shop.post("/v1/members/ada/redeem", Some("m2"), &body).await;
    assert_eq!(third.at("/code"), "reward_was_taken_as_often_as_it_may");
    let hold = hold.at("/entry/hold");
    let path = format!("holds/{}/release", hold.as_str().unwrap());
    assert_eq!(points(&shop, &path, "h2", json!({})).await, 11);
    let offer = shop.get("/v1/members/ada/rewards").await;
    let said = ["name", "title", "left"].map(|field| offer.at(&format!("/rewards/0/{field}")));
    assert_eq!(said, [json!("mug"), json!("blue-mug"), json!(5)]);
    // A client may know the reward by its old name.
    assert_eq!(points(&shop, "redeem", "m3", json!({ "reward": "mug" })).await, 10);

    // The half point, the second stamp and the second cup.
    let bought = shop.buys("ada", "2", "1.00").await;
    assert_eq!(bought.at("/entry/balances/points"), 11);
    assert_eq!(bought.at("/entry/because/0/rule"), "Half a point per euro");
    let ada = shop.get("/v1/members/ada").await;
    assert_eq!(ada.at("/tasks/Ten-trip card/done"), 2);
    assert_eq!(ada.at("/contests"), json!({ "Most cups": 2 }));
    for name in ["Most%20cups", "Cups"] {
        let board = shop.get(&format!("/v1/contests/{name}")).await;
        assert_eq!(board.at("/places/0/score"), 2, "{}", board.text);
    }
    // The second review of the week pays, and the third does not.
    for (key, balance) in [("r2", 21), ("r3", 21)] {
        assert_eq!(points(&shop, "earn", key, json!({ "type": "review" })).await, balance, "{key}");
    }
    assert_eq!(shop.buys("ada", "3", "2.00").await.at("/entry/balances/points"), 122);
    // A half point that is taken back is not there for the next purchase.
    assert_eq!(shop.buys("ada", "4", "1.00").await.at("/entry/balances/points"), 122);
    assert_eq!(points(&shop, "reverse", "undo", json!({ "earn": "4" })).await, 122);
    assert_eq!(shop.buys("ada", "5", "1.00").await.at("/entry/balances/points"), 122);
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_cap_survives_another_period_and_another_time_zone() {
    let rule = |per: &str| format!("earn \"Review\" on review at most 2 per {per} {{ 10 }}");
    let shop = Shop::under(&files(MANIFEST, &rule("day"))).await;
    shop.enroll("ada").await;
    let mut number = 0;
    let mut reviews = async |at: &str| {
        number += 1;
        shop.at(at);
        points(&shop, "earn", &number.to_string(), json!({ "type": "review" })).await
    };
    // Saturday, one in Berlin's last hour of the day.
    assert_eq!(reviews("2026-05-02T12:00:00Z").await, 10);
    assert_eq!(reviews("2026-05-02T21:30:00Z").await, 20);
    assert_eq!(reviews("2026-05-02T21:45:00Z").await, 20);
    for (manifest, per, at, balance) in [
        // In Tokyo that was Sunday, and it still counts for Saturday, on which it was given.
        (MANIFEST.replace("Europe/Berlin", "Asia/Tokyo"), "day", "2026-05-02T23:00:00Z", 30),
        (MANIFEST.to_owned(), "week", "2026-05-03T12:00:00Z", 30),
        (MANIFEST.to_owned(), "week", "2026-05-04T12:00:00Z", 40),
        (MANIFEST.to_owned(), "month", "2026-05-04T12:00:01Z", 40),
        (MANIFEST.to_owned(), "ever", "2027-01-01T12:00:00Z", 40),
    ] {
        shop.publish(&files(&manifest, &rule(per))).await;
        assert_eq!(reviews(at).await, balance, "per {per} at {at}");
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_daily_cap_told_newest_first_finds_each_day() {
    let rule = "earn \"Visit\" on review at most 1 per day { 10 }";
    let shop = Shop::under(&files(MANIFEST, rule)).await;
    shop.enroll("ada").await;
    shop.at("2026-05-20T12:00:00Z");
    let mut told = 0;
    for day in (3..=20).rev() {
        // The second visit of a day pays nothing, however late it is told.
        for hour in [11, 10] {
            let at = format!("2026-05-{day:02}T{hour}:00:00Z");
            let body = json!({ "type": "review", "at": at });
            told += i64::from(hour == 11) * 10;
            assert_eq!(points(&shop, "earn", &at, body).await, told, "{at}");
        }
    }
    // A visit that is taken back leaves room on its day, and the other one takes it.
    let undone = json!({ "earn": "2026-05-07T11:00:00Z" });
    assert_eq!(points(&shop, "reverse", "undo", undone).await, told);
    let undone = json!({ "earn": "2026-05-07T10:00:00Z" });
    assert_eq!(points(&shop, "reverse", "undo both", undone).await, told - 10);
    let again = json!({ "type": "review", "at": "2026-05-07T09:00:00Z" });
    assert_eq!(points(&shop, "earn", "again", again).await, told);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_would_be_forgotten_is_told_before_it_is_published() {
    let shop = Shop::under(&files(MANIFEST, BEFORE)).await;
    let streak = "task \"Weeks\" on purchase streak 3 weeks { 1 }\n";
    let merchant = MerchantId::parse("test").unwrap();
    let publish = async |manifest: &str, sheet: &str| {
        let sources = Sources::of(files(manifest, sheet));
        let done = api::publish(shop.database.store(), &merchant, &sources, Forgetting::Refused);
        done.await.map_or_else(|refused| refused.to_string(), |_| String::new())
    };
    let renamed =
        |old: &str, new: &str| BEFORE.replace(&format!("\"{old}\""), &format!("\"{new}\""));
    let gone = |keyword: &str, old: &str, line: u32, new: &str, kept: &str| {
        format!(
            "{keyword} `{old}` at rules.rhai:{line} is no more, and `{new}` at rules.rhai:{line} is new: {kept} would be forgotten. If they are the same, write `named \"{old}\"` after the new title"
        )
    };
    for (sheet, expected) in [
        (BEFORE.to_owned(), String::new()),
        (AFTER.to_owned(), String::new()),
        (
            renamed("Euro", "Euros"),
            gone("earn", "Euro", 2, "Euros", "the fractions that members carry over"),
        ),
        (
            renamed("Review", "A word"),
            gone("earn", "Review", 3, "A word", "how often each member has had it"),
        ),
        (
            renamed("Card", "Ten-trip card"),
            gone("task", "Card", 4, "Ten-trip card", "how far each member is with it"),
        ),
        (renamed("Cups", "Most cups"), gone("contest", "Cups", 5, "Most cups", "every score")),
        (
            renamed("mug", "blue-mug"),
            gone("reward", "mug", 6, "blue-mug", "how many of it were taken"),
        ),
        // A rule that goes, and a new one beside the old ones, forget nothing.
        (BEFORE.replace("contest \"Cups\" on purchase { 1 }\n", ""), String::new()),
        (format!("{BEFORE}contest \"Teas\" on purchase {{ 1 }}"), String::new()),
    ] {
        shop.publish(&files(MANIFEST, BEFORE)).await;
        assert_eq!(publish(MANIFEST, &sheet).await, expected, "{sheet}");
    }
    let tokyo = MANIFEST.replace("Europe/Berlin", "Asia/Tokyo");
    let so = "so running streaks would be forgotten";
    for (manifest, sheet, expected) in [
        (MANIFEST, streak.replace("3 weeks", "4 weeks"), String::new()),
        (
            MANIFEST,
            streak.replace("weeks", "months"),
            format!("task `Weeks` at rules.rhai:1: it is no streak of weeks any more, {so}"),
        ),
        (
            MANIFEST,
            streak.replace("streak 3 weeks", "goal 3"),
            format!("task `Weeks` at rules.rhai:1: it is no streak of weeks any more, {so}"),
        ),
        (
            &tokyo,
            streak.to_owned(),
            format!(
                "task `Weeks` at rules.rhai:1: the time zone is Asia/Tokyo instead of Europe/Berlin, {so}"
            ),
        ),
        // Caps count by the day on which something was given.
        (&tokyo, BEFORE.replace("per week", "per day"), String::new()),
    ] {
        let before = if expected.is_empty() && sheet.contains("Euro") { BEFORE } else { streak };
        shop.publish(&files(MANIFEST, before)).await;
        assert_eq!(publish(manifest, &sheet).await, expected, "{sheet}");
    }
}

#[tokio::test]
async fn rules_that_cannot_be_compared_with_those_in_force_are_published_only_if_told_to() {
    let shop = Shop::under(&files(MANIFEST, BEFORE)).await;
    let (merchant, store) = (MerchantId::parse("test").unwrap(), shop.database.store());
    let unreadable = StoredBundle { hash: "older".to_owned(), body: b"another packing".to_vec() };
    store.publish(&merchant, unreadable, None).await.unwrap();
    let sources = Sources::of(files(MANIFEST, AFTER));
    let refused = api::publish(store, &merchant, &sources, Forgetting::Refused).await.unwrap_err();
    assert!(
        refused.to_string().starts_with(
            "the rules in force cannot be read, so nobody can say what would be forgotten: "
        ),
        "{refused}"
    );
    assert_eq!(store.active_bundle(&merchant).await.unwrap().unwrap(), "older");
    let told = api::publish(store, &merchant, &sources, Forgetting::Allowed).await.unwrap();
    let active = store.active_bundle(&merchant).await.unwrap().unwrap();
    assert_eq!(active, told.hash().to_string());
}
