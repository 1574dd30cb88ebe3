//! A member with a long history: what is told late costs what lies between, not what lies before.

use chrono::TimeDelta;
use end_to_end::{Shop, moment};
use serde_json::json;

use crate::interactions::{does, shop};

/// The orders of a member, one an hour, that are told before anything is told late. The long form has
/// 5,000: `REGULARS_ENTRIES=5000 cargo test --release -p end-to-end long_history -- --nocapture`.
fn orders() -> u32 {
    let more = std::env::var("REGULARS_ENTRIES").ok();
    more.map_or(120, |orders| orders.parse().unwrap())
}

/// Sends orders, one an hour, and returns the moment after the last.
async fn buys_hourly(shop: &Shop, member: &str, orders: u32) -> ledger::Moment {
    let mut now = moment("2026-05-02T08:00:00Z");
    for number in 0..orders {
        shop.clock.set(now);
        shop.buys(member, &number.to_string(), "10.00").await;
        now += TimeDelta::hours(1);
    }
    now
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figures are for whoever runs the long form")]
async fn what_is_told_late_costs_what_lies_between_and_not_what_lies_before() {
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"Rich\" on purchase when wallet(\"points\") >= 1_000_000 { 1 }";
    let mut shop = shop("[wallets.points]\n[wallets.status]", rules).await;
    let (few, many) = (orders() / 2, orders());
    // Thirty days lie between in the long form, and a quarter of the orders in the short one.
    let between = (many / 4).min(30 * 24);
    let mut costs = Vec::new();
    let (store, meter) = shop.database.store().metered();
    shop.through(store).await;
    for (member, orders) in [("ada", few), ("bob", many)] {
        let now = buys_hourly(&shop, member, orders).await;
        let _orders = meter.take();
        let at = now - TimeDelta::hours(between.into()) + TimeDelta::minutes(30);
        let late =
            json!({ "type": "purchase", "id": "late", "at": at, "order": { "total": "7.00" } });
        does(&shop, &format!("{member} earn late"), late).await;
        let told = meter.take();
        does(&shop, &format!("{member} reverse back"), json!({ "order": "late" })).await;
        let undone = meter.take();
        println!(
            "{orders} orders, {between} of them since: told late {} and {} units, undone {} and {}",
            told.reads, told.writes, undone.reads, undone.writes,
        );
        costs.push([told, undone].map(|cost| (cost.reads, cost.writes)));
        let has = shop.get(&format!("/v1/members/{member}")).await;
        assert_eq!(has.at("/wallets/points/balance"), orders * 10);
    }
    if end_to_end::tells_capacity() {
        assert_eq!(costs[0], costs[1]);
    }
    shop.all_is_well().await;
}
