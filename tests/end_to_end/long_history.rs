//! A member with a long history: what is told late costs what lies between, not what lies before, even
//! if all that lies between is otherwise now.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::TimeDelta;
use end_to_end::{Answer, Shop, moment};
use rust_decimal::Decimal;
use serde_json::json;
use store::Cost;

use crate::interactions::{does, shop};

/// The orders of a member, one an hour, that are told before anything is told late. The long form has
/// 5,000: `REGULARS_ENTRIES=5000 cargo test --release -p end-to-end long_history -- --nocapture`.
fn orders() -> u32 {
    let more = std::env::var("REGULARS_ENTRIES").ok();
    more.map_or(200, |orders| orders.parse().unwrap())
}

/// The orders that have happened since an order that is told late: thirty days of them in the long form.
/// A page that is read may reach further back, and then no member has fewer entries than that.
fn between(orders: u32) -> u32 {
    if orders < 5000 { 30 } else { 30 * 24 }
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

/// The points for orders of 10.00, of which each pays one more than the last.
fn points(orders: u32) -> u32 {
    orders * 10 + orders * (orders - 1) / 2
}

async fn balance(shop: &Shop, member: &str) -> serde_json::Value {
    shop.get(&format!("/v1/members/{member}")).await.at("/wallets/points/balance")
}

/// The number of earlier entries that are otherwise now, as an answer says, and as the statement does.
async fn differences(shop: &Shop, member: &str, answer: &Answer) -> [usize; 2] {
    let newest = shop.get(&format!("/v1/members/{member}/entries?limit=1")).await;
    let of = |answer: &Answer, entry: &str| {
        let all = answer.at(&format!("{entry}/again/differences"));
        all.as_array().map_or(0, Vec::len)
    };
    [of(answer, "/entry"), of(&newest, "/entries/0")]
}

/// The bytes of the values of a version, as they are stored.
async fn bytes(shop: &Shop, member: &str, answer: &Answer) -> usize {
    let seq = answer.at("/entry/seq").as_u64().unwrap();
    let endpoint = format!("http://{}", shop.database.address());
    let client = api::client(local::config(&endpoint)).await;
    let found = client
        .get_item()
        .table_name(local::TABLE)
        .key("pk", AttributeValue::S(format!("m#{}#{member}", shop.merchant)))
        .key("sk", AttributeValue::S(format!("v#{seq:010}")))
        .send()
        .await
        .unwrap();
    let size = |value: &AttributeValue| match value {
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::S(text) => text.len(),
        _ => 0,
    };
    found.item.unwrap().values().map(size).sum()
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs the long form")]
async fn print(shop: &Shop, what: &str, member: &str, answer: &Answer, cost: Cost) {
    if end_to_end::tells_capacity() {
        let bytes = bytes(shop, member, answer).await;
        println!("{what}: {} and {} units, {bytes} bytes", cost.reads, cost.writes);
    }
}

#[tokio::test]
async fn what_is_told_late_costs_what_lies_between_and_not_what_lies_before() {
    // An order that is told late, or comes back, makes each later one different.
    let rules = "earn \"a\" on purchase { order.total }\n\
        earn \"One more each time\" on purchase { member.purchases }";
    let mut shop = shop("[wallets.points]", rules).await;
    let many = orders();
    let (few, between) = ((many / 5).max(40), between(many));
    let mut costs = Vec::new();
    let (store, meter) = shop.database.store().metered();
    shop.through(store).await;
    for (member, orders) in [("ada", few), ("bob", many)] {
        let now = buys_hourly(&shop, member, orders).await;
        let at = now - TimeDelta::hours(between.into()) - TimeDelta::minutes(30);
        let late =
            json!({ "type": "purchase", "id": "late", "at": at, "order": { "total": "7.00" } });
        let _orders = meter.take();
        let answer = does(&shop, &format!("{member} earn late"), late).await;
        let told = meter.take();
        print(&shop, &format!("{orders} orders, told late"), member, &answer, told).await;
        assert_eq!(differences(&shop, member, &answer).await, [between as usize; 2]);
        assert_eq!(balance(&shop, member).await, points(orders + 1) - 3);

        let _reads = meter.take();
        let answer = does(&shop, &format!("{member} reverse b"), json!({ "order": "late" })).await;
        let undone = meter.take();
        print(&shop, &format!("{orders} orders, undone"), member, &answer, undone).await;
        assert_eq!(differences(&shop, member, &answer).await, [between as usize; 2]);
        assert_eq!(balance(&shop, member).await, points(orders));
        costs.push([told, undone]);

        // The first of all comes back.
        let _reads = meter.take();
        let answer = does(&shop, &format!("{member} reverse c"), json!({ "earn": "0" })).await;
        let first = meter.take();
        print(&shop, &format!("{orders} orders, the first back"), member, &answer, first).await;
        assert_eq!(differences(&shop, member, &answer).await, [orders as usize - 1; 2]);
        assert_eq!(balance(&shop, member).await, points(orders - 1));
    }
    if end_to_end::tells_capacity() {
        // Numbers have more digits in a long history, so items are a little larger.
        let near = |one: Decimal, other: Decimal| {
            (one - other).abs() <= Decimal::ONE + one / Decimal::from(20)
        };
        for (few, many) in costs[0].iter().zip(&costs[1]) {
            let is_near = near(few.reads, many.reads) && near(few.writes, many.writes);
            assert!(is_near, "{few:?}, {many:?}");
        }
    }
    shop.all_is_well().await;
}
