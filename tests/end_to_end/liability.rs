//! What a merchant owes, by the day, in units and in money.

use audit::{Owed, Period};
use end_to_end::Shop;
use end_to_end::audit::not_opened;
use ledger::MerchantId;
use rust_decimal::Decimal;
use serde_json::json;

use crate::interactions::{does, shop};

const RULES: &str =
    "earn \"a\" on purchase { order.total }\nreward \"r\" costs 100 { product(\"p\") }";

/// What is owed in points over a period of whole days, in UTC.
async fn owed(shop: &Shop, from: &str, until: &str) -> Owed {
    let moment = |day: &str| Some(format!("{day}T00:00:00Z").parse().unwrap());
    let period = Period { from: moment(from), until: moment(until) };
    let merchant = MerchantId::parse("test").unwrap();
    let audited = audit::audit(shop.database.store(), &merchant, period).await.unwrap();
    let points = audited.wallets["points"];
    assert!(points.is_reconciled(), "{points:?}");
    assert_eq!(not_opened(shop.database.store(), &merchant, period).await, [""; 0]);
    points
}

/// Publishes the same rules, with another policy of the wallet.
async fn publish(shop: &Shop, wallet: &str) {
    let head =
        "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\nhold_minutes = 30\n";
    let manifest = format!("{head}[wallets.points]\n{wallet}");
    shop.publish(&[("merchant.toml", &manifest), ("rules.rhai", RULES)]).await;
}

fn euros(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[tokio::test]
async fn what_is_owed_is_reported_by_the_day_and_not_less_for_what_others_owe() {
    let shop = shop("[wallets.points]\nexpires = { days = 10 }", RULES).await;
    shop.buys("ada", "1", "100.00").await;
    does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
    does(&shop, "ada reverse b", json!({ "earn": "1" })).await;
    shop.buys("bob", "1", "100.00").await;
    shop.at("2026-05-10T07:30:00Z");
    shop.buys("bob", "2", "30.00").await;
    let of = async |from: &str, until: &str| {
        let points = owed(&shop, from, until).await.units;
        (points.opening, points.issued, points.expired, points.closing, points.debts, points.owed())
    };
    shop.at("2026-05-20T00:00:00Z");
    // Bob's first 100 units expired on the 12th, and no expiry run has written that for a week.
    for _ in ["before the night", "after it"] {
        let first = of("2026-05-01", "2026-05-12").await;
        assert_eq!(first, (0, 230, 0, 30, 100, 130));
        let second = of("2026-05-12", "2026-05-13").await;
        assert_eq!(second, (30, 0, -100, -70, 100, 30));
        shop.run_expiry().await;
    }
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_closed_month_stays_as_it_was_whatever_becomes_of_the_worth_later() {
    let shop = shop("[wallets.points]\nworth = \"0.01\"", RULES).await;
    shop.buys("ada", "1", "100.00").await;
    shop.buys("bob", "1", "150.00").await;
    does(&shop, "bob redeem r", json!({ "reward": "r" })).await;
    let may = owed(&shop, "2026-05-01", "2026-06-01").await;
    assert_eq!((may.units.issued, may.money.issued), (250, euros("2.50")));
    assert_eq!((may.units.closing, may.money.closing), (150, euros("1.50")));

    // From June on a unit is worth twice as much, and then nothing is said of it any more.
    shop.at("2026-06-03T10:00:00Z");
    publish(&shop, "worth = \"0.02\"").await;
    let late = json!({
        "type": "purchase", "at": "2026-05-30T10:00:00Z", "order": { "total": "40.00" }
    });
    does(&shop, "ada earn 2", late).await;
    // The units of the first order are those that were worth 0.01.
    does(&shop, "ada reverse b", json!({ "earn": "1" })).await;
    // Bob spends five of the units that are left of his, and 95 new ones.
    shop.buys("bob", "2", "55.00").await;
    does(&shop, "bob redeem r2", json!({ "reward": "r" })).await;
    assert_eq!(owed(&shop, "2026-05-01", "2026-06-01").await, may);
    let june = owed(&shop, "2026-06-01", "2026-07-01").await;
    assert_eq!((june.money.opening, june.money.issued), (euros("1.50"), euros("1.90")));
    assert_eq!((june.money.reversed, june.money.redeemed), (euros("-1.00"), euros("-1.50")));
    assert_eq!((june.units.closing, june.money.closing), (45, euros("0.90")));

    shop.at("2026-07-03T10:00:00Z");
    publish(&shop, "").await;
    shop.buys("bob", "3", "10.00").await;
    assert_eq!(owed(&shop, "2026-05-01", "2026-06-01").await, may);
    assert_eq!(owed(&shop, "2026-06-01", "2026-07-01").await, june);
    let july = owed(&shop, "2026-07-01", "2026-08-01").await;
    assert_eq!((july.units.closing, july.money.closing), (55, euros("0.90")));
    assert_eq!(july.without_worth, 10);
    shop.all_is_well().await;
}

#[tokio::test]
async fn an_order_that_comes_back_takes_its_own_units_and_not_those_of_another_worth() {
    let shop = shop("[wallets.points]\nworth = \"0.02\"", RULES).await;
    shop.buys("ada", "1", "100.00").await;
    publish(&shop, "worth = \"0.01\"").await;
    shop.buys("ada", "2", "100.00").await;
    let lines = json!({ "earn": "1", "refund": "60.00" });
    does(&shop, "ada reverse a", lines).await;
    let may = owed(&shop, "2026-05-01", "2026-06-01").await;
    assert_eq!((may.units.reversed, may.money.reversed), (-60, euros("-1.20")));
    // Units that are worth less are spent first, and what is missing of the order comes from others.
    does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
    does(&shop, "ada reverse b", json!({ "earn": "2" })).await;
    let may = owed(&shop, "2026-05-01", "2026-06-01").await;
    assert_eq!((may.units.closing, may.units.debts), (-60, 60));
    assert_eq!((may.money.closing, may.money.debts), (euros("-0.60"), euros("0.60")));
    assert_eq!(may.money.redeemed, euros("-1.00"));
    shop.all_is_well().await;
}

#[tokio::test]
async fn a_debt_that_is_paid_with_units_of_another_worth_comes_to_the_same_closing() {
    for (with_hold, paid_by) in [(false, "an order"), (false, "a transfer"), (true, "a hold")] {
        let shop = shop("[wallets.points]\nworth = \"0.01\"\ntransferable = true", RULES).await;
        shop.buys("ada", "1", "100.00").await;
        shop.at("2026-05-03T07:30:00Z");
        publish(&shop, "worth = \"0.03\"\ntransferable = true").await;
        if with_hold {
            shop.buys("ada", "2", "100.00").await;
            // The hold takes the units that are worth less, and the redemption the others.
            does(&shop, "ada holds h", json!({ "reward": "r" })).await;
        }
        does(&shop, "ada redeem r", json!({ "reward": "r" })).await;
        does(&shop, "ada reverse b", json!({ "earn": if with_hold { "2" } else { "1" } })).await;
        // The hold ends within the day, and its units pay the debt.
        let debts = owed(&shop, "2026-05-01", "2026-05-04").await.units.debts;
        assert_eq!(debts, if with_hold { 0 } else { 100 }, "{paid_by}");

        // In June the debt is paid.
        shop.at("2026-06-01T07:30:00Z");
        match paid_by {
            "an order" => drop(shop.buys("ada", "3", "130.00").await),
            "a transfer" => {
                shop.buys("bob", "1", "130.00").await;
                does(&shop, "bob transfer t", json!({ "to": "ada", "units": 130 })).await;
            }
            // The hold has expired, and nothing has been written since.
            _ => {}
        }
        for _ in ["before an entry", "after one"] {
            let may = owed(&shop, "2026-05-01", "2026-05-03").await;
            assert_eq!((may.units.closing, may.money.closing), (100, euros("1.00")), "{paid_by}");
            let all = owed(&shop, "2026-05-01", "2026-06-02").await;
            let left = if with_hold { 0 } else { 30 };
            assert_eq!((all.units.debts, all.units.closing), (0, left), "{paid_by}");
            assert_eq!(all.money.debts, Decimal::ZERO, "{paid_by}");
            assert_eq!(all.money.closing, Decimal::from(left) * euros("0.03"), "{paid_by}");
            shop.at("2026-06-05T07:30:00Z");
            does(&shop, "ada adjust a", json!({ "units": 1, "reason": "r", "author": "a" })).await;
        }
        shop.all_is_well().await;
    }
}
