//! Rules that failed, have been mended, and judge their activities again.

use api::{Done, Refusal, unasked};
use decide::{Context, rejudge};
use end_to_end::Shop;
use ledger::{Member, MemberId, MerchantId, Seq};
use serde_json::{Value, json};
use store::MemberKey;

use crate::interactions::wallet;

const MANIFEST: &str = r#"
name = "Test"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
expires = { months = 12 }
[wallets.status]
spendable = false
[campaigns.spring]
budget = 100
[activities.delivery]
[pools.CODES]
"#;

/// The sheet with what its rule `Odd` pays.
fn sheet(odd: &str) -> String {
    format!(
        "earn \"Euros\" on purchase {{ order.total }}\n\
         earn \"Odd\" on purchase at most 2 per month {{ {odd} }}\n\
         earn \"Status\" on purchase into status {{ points }}\n\
         earn \"Gold doubles\" on purchase when member.tier == \"Gold\" {{ points }}\n\
         task \"Three\" on purchase goal 3 {{ award(7) }}\n\
         reward \"mug\" costs 10 {{ product(\"mug\") }}\n\
         tier \"Base\" {{ true }}\ntier \"Gold\" {{ wallet(\"status\") >= 80 }}"
    )
}

const FAILS: &str = "100 / (order.total - 5)";
const MENDED: &str = "if order.total == 5 { 50 } else { 100 / (order.total - 5) }";

async fn shop(odd: &str) -> Shop {
    let shop = Shop::under(&[("merchant.toml", MANIFEST), ("rules.rhai", &sheet(odd))]).await;
    shop.enroll("ada").await;
    shop
}

async fn mend(shop: &Shop, odd: &str) {
    shop.publish(&[("merchant.toml", MANIFEST), ("rules.rhai", &sheet(odd))]).await;
}

fn key(shop: &Shop) -> MemberKey {
    let merchant = MerchantId::parse(&shop.merchant).unwrap();
    MemberKey { merchant, member: MemberId::parse("ada").unwrap() }
}

/// Judges the activities of some of ada's entries again with the rule `Odd`, as the command does.
async fn judges_again(shop: &Shop, entries: &[u64]) -> Result<Option<Done>, Refusal> {
    judges_again_with(shop, "Odd", entries).await
}

async fn judges_again_with(
    shop: &Shop,
    rule: &str,
    entries: &[u64],
) -> Result<Option<Done>, Refusal> {
    let key = &key(shop);
    let bundle = shop.api.bundle(&key.merchant).await?;
    let entries: Vec<Seq> = entries.iter().map(|seq| Seq::new(*seq)).collect();
    let decide = |context: &Context<'_>, member: &Member| {
        rejudge(context, member, bundle.rule_called(rule).unwrap(), &entries)
    };
    let now = shop.api.clock.now();
    let considered = unasked(&shop.api, key, now, true, decide).await?;
    let written = unasked(&shop.api, key, now, false, decide).await?;
    // What a dry run shows is what is written.
    assert_eq!(considered, written);
    Ok(written)
}

/// The member as it is, without the number of its last entry.
async fn member(shop: &Shop) -> Member {
    let member = shop.database.store().member(&key(shop)).await.unwrap().unwrap();
    Member { seq: Seq::ENROLLED, ..member }
}

async fn does(shop: &Shop, what: &str, name: &str, body: Value) {
    let answer = shop.post(&format!("/v1/members/ada/{what}"), Some(name), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

/// Purchases of several days. The rule fails for the first and the third; the fifth is beyond its cap.
async fn buys_all(shop: &Shop) {
    for (day, total) in ["5.00", "15.00", "5.00", "9.00", "5.00"].iter().enumerate() {
        shop.at(&format!("2026-05-{:02}T10:00:00Z", day + 2));
        shop.buys("ada", &format!("o{day}"), total).await;
    }
    does(shop, "redeem", "r", json!({ "reward": "mug" })).await;
    shop.at("2026-05-20T10:00:00Z");
}

#[tokio::test]
async fn what_a_mended_rule_gives_late_is_what_it_would_have_given_in_time() {
    let (failed, fine) = (shop(FAILS).await, shop(MENDED).await);
    for shop in [&failed, &fine] {
        buys_all(shop).await;
    }
    mend(&failed, MENDED).await;
    let again = judges_again(&failed, &[1, 3, 5]).await.unwrap().unwrap();
    assert_eq!(again.entry.rejudges(), [Seq::new(1), Seq::new(3)]);
    // The tier of the second purchase, the cap of the third and the redemption are those of the
    // shop whose rule never failed.
    assert_eq!(member(&failed).await, member(&fine).await);
    failed.all_is_well().await;
    // Judged again once more, nothing is left to do.
    assert!(judges_again(&failed, &[1, 3, 5]).await.unwrap().is_none());
    // What follows is judged as if the rule had never failed: returns, what is told late, undoing.
    for shop in [&failed, &fine] {
        does(shop, "reverse", "back", json!({ "earn": "o0" })).await;
        let late = json!({ "type": "purchase", "at": "2026-05-03T09:00:00Z", "order": { "total": "12.00" } });
        shop.at("2026-05-21T10:00:00Z");
        does(shop, "earn", "late", late).await;
        does(shop, "reverse", "after all", json!({ "reverse": "back" })).await;
    }
    assert_eq!(member(&failed).await, member(&fine).await);
    failed.all_is_well().await;
}

#[tokio::test]
async fn a_rule_that_fails_still_changes_nothing() {
    let shop = shop(FAILS).await;
    shop.buys("ada", "1", "5.00").await;
    let before = member(&shop).await;
    mend(&shop, "100 / (5 - order.total)").await;
    let refused = judges_again(&shop, &[1]).await.unwrap_err();
    assert!(refused.to_string().contains("division by zero"), "{refused}");
    assert_eq!(member(&shop).await, before);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_has_come_back_or_did_not_fail_is_not_judged_again() {
    let shop = shop(FAILS).await;
    shop.buys("ada", "1", "5.00").await;
    shop.buys("ada", "2", "15.00").await;
    does(&shop, "reverse", "back", json!({ "earn": "1" })).await;
    mend(&shop, MENDED).await;
    assert!(judges_again(&shop, &[1, 2, 3]).await.unwrap().is_none());
    // The order that has come back is completed after all, and the rule fails for it as it did.
    does(&shop, "reverse", "after all", json!({ "reverse": "back" })).await;
    let again = judges_again(&shop, &[1, 2, 3]).await.unwrap().unwrap();
    assert_eq!(again.entry.rejudges(), [Seq::new(1)]);
    shop.all_is_well().await;
}

#[tokio::test]
async fn the_other_rules_judge_as_they_did_whatever_they_say_now() {
    let shop = shop(FAILS).await;
    shop.buys("ada", "1", "5.00").await;
    let edited = sheet(MENDED).replace("on purchase { order.total }", "on purchase { 1000 }");
    shop.publish(&[("merchant.toml", MANIFEST), ("rules.rhai", &edited)]).await;
    let again = judges_again(&shop, &[1]).await.unwrap().unwrap();
    assert_eq!(again.entry.balances.values().map(|units| units.get()).max(), Some(55));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_is_for_all_members_is_taken_as_far_as_it_is_there() {
    let odd = |pays: &str| {
        sheet(FAILS)
            .replace(
                "earn \"Odd\" on purchase at most 2 per month",
                "earn \"Odd\" on purchase during spring",
            )
            .replace(FAILS, pays)
    };
    let shop = shop(FAILS).await;
    let publish = async |pays: &str| {
        shop.publish(&[("merchant.toml", MANIFEST), ("rules.rhai", &odd(pays))]).await;
    };
    publish(FAILS).await;
    for number in 1..=3 {
        shop.buys("ada", &number.to_string(), "5.00").await;
    }
    let merchant = MerchantId::parse("test").unwrap();
    let limit = ledger::SharedLimit::Budget("spring".to_owned());
    let left = async || shop.database.store().left(&merchant, &limit).await.unwrap().get();
    let codes = ["A".to_owned(), "B".to_owned()];
    shop.database.store().import_codes(&merchant, "CODES", &codes).await.unwrap();
    assert_eq!(left().await, 100);
    // There is enough for two of the three, in the budget and in the pool.
    publish("voucher(\"CODES\"); 40").await;
    let mut given = Vec::new();
    for seq in 1..=3 {
        let again = judges_again(&shop, &[seq]).await.unwrap().unwrap();
        let of_rule = again.entry.all_reasons().filter(|reason| reason.rule == "Odd");
        given.extend(of_rule.map(|reason| serde_json::to_value(reason).unwrap()));
    }
    assert_eq!(left().await, 20);
    let given: Vec<&Value> =
        given.iter().map(|reason| reason.get("code").unwrap_or(&reason["units"])).collect();
    assert_eq!(given.len(), 4, "{given:?}");
    for code in codes {
        let who = shop.database.store().who_has(&merchant, "CODES", &code).await.unwrap();
        assert_eq!(who.map(|who| who.to_string()).as_deref(), Some("ada"), "{code}");
    }
    assert!(given.contains(&&json!("A")) && given.contains(&&json!("B")), "{given:?}");
    let has = member(&shop).await.wallet("points").posted();
    // The task has paid 7, and the third purchase is Gold's now.
    assert_eq!(has, 3 * 5 + 2 * 40 + 7 + 5);
    shop.all_is_well().await;
    // They keep it when what was told before them is derived again.
    let late =
        json!({ "type": "purchase", "at": "2026-05-02T07:26:00Z", "order": { "total": "7.00" } });
    shop.at("2026-05-03T10:00:00Z");
    publish("0").await;
    does(&shop, "earn", "late", late).await;
    assert_eq!(member(&shop).await.wallet("points").posted(), has + 7);
    assert_eq!(left().await, 20);
    // With an order goes back what the mended rule drew for it.
    does(&shop, "reverse", "back", json!({ "order": "1" })).await;
    assert_eq!(left().await, 60);
    shop.all_is_well().await;
}

/// A shop whose rule `Odd` fails for an order of 5, and the same rule mended.
async fn shop_with(manifest: &str, failing: &str, mended: &str) -> (Shop, String, String) {
    let manifest =
        format!("name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n{manifest}");
    let shop = Shop::under(&[("merchant.toml", &manifest), ("rules.rhai", failing)]).await;
    for member in ["bob", "smiths"] {
        shop.enroll(member).await;
    }
    let ada = json!({ "id": "ada", "referred_by": "bob" });
    assert_eq!(shop.post("/v1/members", None, &ada).await.status, 201);
    (shop, manifest, mended.to_owned())
}

/// A shop whose rule that tells the friend fails.
async fn shop_of_friends() -> (Shop, String, String) {
    let rules = |pays: &str| {
        format!(
            "earn \"Odd\" on purchase {{ refer(); {pays} }}\nearn \"Friend\" on referral {{ 20 }}"
        )
    };
    let manifest = "[wallets.points]\n[activities.referral]";
    shop_with(manifest, &rules(FAILS), &rules("5")).await
}

#[tokio::test]
async fn a_friend_who_was_not_told_is_told_and_untold_with_the_purchase() {
    let (shop, manifest, mended) = shop_of_friends().await;
    shop.buys("ada", "1", "5.00").await;
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &mended)]).await;
    judges_again(&shop, &[1]).await.unwrap().unwrap();
    assert_eq!(wallet(&shop, "ada", "points").await, (5, 0));
    assert_eq!(wallet(&shop, "bob", "points").await, (20, 0));
    does(&shop, "reverse", "back", json!({ "order": "1" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    assert_eq!(wallet(&shop, "bob", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_contest_that_failed_has_its_score_on_the_board() {
    let failing = format!("contest \"Odd\" on purchase {{ {FAILS} }}");
    let mended = "contest \"Odd\" on purchase { order.total }";
    let (shop, manifest, mended) = shop_with("[wallets.points]", &failing, mended).await;
    shop.buys("ada", "1", "5.00").await;
    shop.buys("ada", "2", "15.00").await;
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &mended)]).await;
    judges_again(&shop, &[1, 2]).await.unwrap().unwrap();
    assert_eq!(shop.get("/v1/contests/Odd").await.at("/places/0/score"), 15);
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_belongs_to_a_household_goes_into_its_wallet() {
    let failing = format!("earn \"Odd\" on purchase {{ {FAILS} }}");
    let mended = "earn \"Odd\" on purchase { order.total }";
    let (shop, manifest, mended) =
        shop_with("[wallets.points]\nshared = true", &failing, mended).await;
    does(&shop, "join", "j", json!({ "account": "smiths" })).await;
    shop.buys("ada", "1", "5.00").await;
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &mended)]).await;
    judges_again(&shop, &[2]).await.unwrap().unwrap();
    assert_eq!(wallet(&shop, "smiths", "points").await, (5, 0));
    does(&shop, "reverse", "back", json!({ "order": "1" })).await;
    assert_eq!(wallet(&shop, "smiths", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn what_was_told_too_late_is_judged_again_for_the_member_of_then() {
    let tier = "\nearn \"S\" on purchase into status { order.total }\n\
        tier \"Base\" { true }\ntier \"Gold\" { wallet(\"status\") >= 50 }";
    let rule = |pays: &str| format!("earn \"Odd\" on purchase {{ {pays} }}{tier}");
    let mended = rule("if member.tier == \"Gold\" { 100 } else { 10 }");
    let wallets = "late_days = 5\n[wallets.points]\n[wallets.status]\nspendable = false";
    let (shop, manifest, mended) = shop_with(wallets, &rule(FAILS), &mended).await;
    shop.at("2026-05-20T07:30:00Z");
    shop.buys("ada", "1", "60.00").await;
    let late =
        json!({ "type": "purchase", "at": "2026-05-03T10:00:00Z", "order": { "total": "5.00" } });
    does(&shop, "earn", "late", late).await;
    let before = wallet(&shop, "ada", "points").await.0;
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &mended)]).await;
    let again = judges_again(&shop, &[2]).await.unwrap().unwrap();
    // She was not Gold then.
    assert_eq!(wallet(&shop, "ada", "points").await, (before + 10, 0), "{:?}", again.entry);
    does(&shop, "reverse", "back", json!({ "earn": "late" })).await;
    assert_eq!(wallet(&shop, "ada", "points").await, (before, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_rule_that_is_for_something_else_now_is_not_the_one_that_failed() {
    let failing = format!("earn \"Odd\" on purchase {{ {FAILS} }}");
    let other = "earn \"Odd\" on review { 7 }";
    let (shop, manifest, other) =
        shop_with("[wallets.points]\n[activities.review]", &failing, other).await;
    shop.buys("ada", "1", "5.00").await;
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &other)]).await;
    assert!(judges_again(&shop, &[1]).await.unwrap().is_none());
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn each_of_several_friends_purchases_is_told() {
    let (shop, manifest, mended) = shop_of_friends().await;
    for number in 1..=12 {
        shop.buys("ada", &number.to_string(), "5.00").await;
    }
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &mended)]).await;
    for seq in 1..=12 {
        judges_again(&shop, &[seq]).await.unwrap().unwrap();
    }
    assert_eq!(wallet(&shop, "ada", "points").await, (60, 0));
    assert_eq!(wallet(&shop, "bob", "points").await, (240, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_code_of_a_round_that_is_broken_is_given_with_the_next() {
    let failing = format!("task \"Odd\" on purchase goal 2 {{ voucher(\"CODES\"); {FAILS} }}");
    let mended = "task \"Odd\" on purchase goal 2 { voucher(\"CODES\"); 5 }";
    let (shop, manifest, mended) =
        shop_with("[wallets.points]\n[pools.CODES]", &failing, mended).await;
    let merchant = MerchantId::parse("test").unwrap();
    let codes = ["A".to_owned(), "B".to_owned()];
    shop.database.store().import_codes(&merchant, "CODES", &codes).await.unwrap();
    for (id, total) in [("1", "15.00"), ("2", "5.00")] {
        shop.buys("ada", id, total).await;
    }
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &mended)]).await;
    judges_again(&shop, &[2]).await.unwrap().unwrap();
    let who = async |code: &str| {
        let who = shop.database.store().who_has(&merchant, "CODES", code).await.unwrap();
        who.is_some()
    };
    assert!(who("A").await && !who("B").await);
    does(&shop, "reverse", "back", json!({ "order": "1" })).await;
    let third = shop.buys("ada", "3", "15.00").await;
    assert!(third.text.contains("\"code\":\"A\""), "{}", third.text);
    assert!(!who("B").await);
    shop.all_is_well().await;
}

#[tokio::test]
async fn of_two_rules_that_failed_each_draws_once() {
    let sheet = |one: &str, other: &str| {
        format!(
            "earn \"Odd\" on purchase during spring {{ {one} }}\n\
             earn \"Even\" on purchase during summer {{ {other} }}"
        )
    };
    let manifest =
        "[wallets.points]\n[campaigns.spring]\nbudget = 100\n[campaigns.summer]\nbudget = 100";
    let (shop, manifest, _) = shop_with(manifest, &sheet(FAILS, FAILS), "").await;
    shop.buys("ada", "1", "5.00").await;
    let merchant = MerchantId::parse("test").unwrap();
    let left = async |name: &str| {
        let limit = ledger::SharedLimit::Budget(name.to_owned());
        shop.database.store().left(&merchant, &limit).await.unwrap().get()
    };
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &sheet("40", FAILS))]).await;
    judges_again(&shop, &[1]).await.unwrap().unwrap();
    // The other one is mended later, and the first has changed by then.
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", &sheet("7", "30"))]).await;
    judges_again_with(&shop, "Even", &[1]).await.unwrap().unwrap();
    assert_eq!((left("spring").await, left("summer").await), (60, 70));
    assert_eq!(wallet(&shop, "ada", "points").await, (70, 0));
    does(&shop, "reverse", "back", json!({ "order": "1" })).await;
    assert_eq!((left("spring").await, left("summer").await), (100, 100));
    assert_eq!(wallet(&shop, "ada", "points").await, (0, 0));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_rule_that_fails_when_a_return_frees_its_cap_is_noted_and_can_be_mended() {
    let rules = |odd: &str| {
        format!(
            "earn \"Euros\" on purchase {{ order.total }}\n\
             earn \"Odd\" on purchase at most 1 per week {{ 100 / {odd} }}"
        )
    };
    let files = |rules: &str| {
        [
            ("merchant.toml".to_owned(), MANIFEST.to_owned()),
            ("rules.rhai".to_owned(), rules.to_owned()),
        ]
    };
    let publish = async |shop: &Shop, rules: &str| {
        let files = files(rules);
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        shop.publish(&files).await;
    };
    let shop = shop("1").await;
    publish(&shop, &rules("order.pieces")).await;
    let lines = json!([{ "sku": "a", "quantity": 2 }]);
    let order = json!({ "type": "purchase", "order": { "total": "20.00", "lines": lines } });
    assert_eq!(shop.post("/v1/members/ada/earn", Some("1"), &order).await.status, 201);
    // Of an order without lines the rule would fail, and is not asked.
    let second = shop.buys("ada", "2", "10.00").await;
    assert_eq!(second.at("/entry/notes"), Value::Null, "{}", second.text);
    let back = shop.post("/v1/members/ada/reverse", Some("b"), &json!({ "order": "1" })).await;
    let failed = back.at("/entry/again/differences/0");
    assert_eq!(failed["entry"], 2, "{}", back.text);
    assert_eq!(failed["failures"][0]["rule"], "Odd", "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (10, 0));
    publish(&shop, &rules("max(order.pieces, 1)")).await;
    judges_again(&shop, &[2]).await.unwrap().unwrap();
    assert_eq!(wallet(&shop, "ada", "points").await, (110, 0));
    assert!(judges_again(&shop, &[2]).await.unwrap().is_none());
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_rule_that_fails_for_what_is_left_of_an_order_can_be_mended() {
    let shop = shop(FAILS).await;
    shop.buys("ada", "1", "20.00").await;
    let part = json!({ "order": "1", "refund": "15.00" });
    let back = shop.post("/v1/members/ada/reverse", Some("b"), &part).await;
    assert_eq!(back.at("/entry/notes/0/rule"), "Odd", "{}", back.text);
    assert_eq!(wallet(&shop, "ada", "points").await, (5, 0));
    mend(&shop, MENDED).await;
    judges_again(&shop, &[1]).await.unwrap().unwrap();
    assert_eq!(wallet(&shop, "ada", "points").await, (55, 0));
    shop.all_is_well().await;
}
