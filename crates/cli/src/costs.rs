//! `regulars costs`: what each request costs in DynamoDB capacity units.

use std::time::Duration;

use api::{Api, Clock, Forgetting, Identity, TOKEN_PREFIX};
use axum::Router;
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Request};
use chrono::TimeDelta;
use clap::Args;
use ledger::{MemberId, MerchantId, Moment};
use local::{Database, app, publish_folder};
use serde_json::json;
use store::{Cost, MemberKey, Meter};
use tower::ServiceExt;

use crate::place::Rules;
use crate::result::CommandResult;
use crate::show::table;

const MERCHANT: &str = "sunrise-coffee";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rules: Rules,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Measures each request in an embedded database in memory, by the capacity that the database
/// reports (`ReturnConsumedCapacity`), and prints the table.
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each request")]
pub(crate) async fn run(options: Options) -> CommandResult {
    let rules = options.rules.folder()?;
    let database = Database::open(None, 0).await?;
    publish_folder(database.store(), &rules.join(MERCHANT), Forgetting::Allowed).await?;
    let (store, meter) = database.store().metered();
    let start: Moment = "2026-05-02T07:30:00Z".parse()?;
    let clock = Clock::standing(start);
    // A function's instance checks the active bundle once every few seconds. This loads it
    // beforehand, and for good, so that no request is charged for it, however long all of them take.
    let api =
        Api::new(store, clock.clone(), Identity::Development).with_bundle_age_max(Duration::MAX);
    api.bundle(&MerchantId::parse(MERCHANT)?).await.map_err(|refusal| refusal.to_string())?;
    let mut measured = Measured { app: app(&api), meter, merchant: MERCHANT, rows: Vec::new() };
    measured.forget();

    // Names have realistic lengths: UUIDs for members, article numbers for lines.
    let member = "3f6c2a10-9d4e-4c61-8a35-7b1e2f9d0c44";
    let enrolment = json!({
        "id": member,
        "attributes": { "birthday": "1990-04-17", "city": "Rotterdam" },
        "tags": ["app", "newsletter"],
    });
    let path = |verb: &str| format!("/v1/members/{member}{verb}");
    measured.post("enroll", "/v1/members", None, &enrolment).await?;
    measured.post("enroll, repeated", "/v1/members", None, &enrolment).await?;
    clock.set(start + TimeDelta::days(30));
    measured
        .post("earn, the first: it sets the due date", &path("/earn"), Some("order-0"), &order())
        .await?;
    let mut late = order();
    if let Some(fields) = late.as_object_mut() {
        fields.insert("at".to_owned(), json!(start));
    }
    measured
        .post("earn, sent late: it moves the due date", &path("/earn"), Some("late"), &late)
        .await?;
    measured
        .post("earn, an order of five lines", &path("/earn"), Some("order-1"), &order())
        .await?;
    measured.post("earn, repeated", &path("/earn"), Some("order-1"), &order()).await?;
    let mut named = order();
    if let Some(fields) = named.as_object_mut() {
        fields.insert("id".to_owned(), json!("2026-0001-RTM-0457"));
    }
    measured
        .post("earn, with an id beside its key", &path("/earn"), Some("event-1"), &named)
        .await?;

    // After a year of monthly orders the member has as many lots as the programme allows.
    for month in 0..11 {
        clock.set(clock.now() + TimeDelta::days(30));
        measured.quietly(&path("/earn"), &format!("monthly-{month}"), &order()).await?;
    }
    measured
        .post("earn, five lines, a year's lots", &path("/earn"), Some("order-2"), &order())
        .await?;
    measured
        .post("earn, five lines, repeated after a year", &path("/earn"), Some("order-0"), &order())
        .await?;
    let coffee = json!({ "reward": "free-coffee" });
    measured.post("redeem", &path("/redeem"), Some("redeem-1"), &coffee).await?;
    measured.post("redeem, repeated", &path("/redeem"), Some("redeem-1"), &coffee).await?;
    measured.get("read a member", &path("")).await?;
    measured.get("read its statement, 20 entries", &path("/entries")).await?;
    measured.get("read what it can have, one of a stock", &path("/rewards")).await?;

    expire::run(&api, &expire::Event::default(), None).await?;
    measured.row("expire, nothing due in 64 shards");
    clock.set(start + TimeDelta::days(396));
    let merchant = MerchantId::parse(MERCHANT)?;
    let shard = MemberKey { merchant, member: MemberId::parse(member)? }.shard();
    let event = json!({ "shards": { "from": shard, "to": shard } });
    expire::run(&api, &serde_json::from_value(event)?, None).await?;
    measured.row("expire one member, its shard");

    every_verb(&mut measured, &api, &clock).await?;
    what_lies_between(&mut measured, &clock).await?;
    what_else_lies_between(&mut measured, &clock).await?;

    if options.json {
        let rows: Vec<_> = measured
            .rows
            .iter()
            .map(|(request, cost)| json!({ "request": request, "reads": cost.reads, "writes": cost.writes }))
            .collect();
        say!("{}", json!(rows));
    } else {
        let mut costs = table(["request", "#read units", "#write units"]);
        for (request, cost) in &measured.rows {
            costs.add_row([
                request.clone(),
                cost.reads.normalize().to_string(),
                cost.writes.normalize().to_string(),
            ]);
        }
        say!("{costs}");
        say!(
            "A write whose condition fails is billed too, though DynamoDB does not tell it: one unit \
             for a repeated\nenroll, and one for every attempt of a request that lost a race."
        );
    }
    Ok(())
}

/// The merchant of a programme that has a use for every verb.
const EVERY_VERB: &str = "every-verb";
const MANIFEST: &str = r#"
name = "Every verb"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
expires = { months = 12, end_of = "month" }
transferable = true
[wallets.miles]
shared = true
expires = { months = 12, end_of = "month" }
[activities.birthday]
yearly = "birthday"
[activities.cup]
[reminders]
expiry_days = 14
"#;
const RULES: &str = r#"
earn "Points" on purchase { order.total }
earn "Miles" on purchase into miles { order.total }
earn "Birthday" on birthday { 10 }
task "Twenty visits" on purchase goal 20 { 100 }
reward "Mug" costs 30 { product("Mug") }
reward "Discount" costs 1 to 100 { discount(units * 0.01) }
contest "Cups" on cup { 1 }
"#;

/// Measures the verbs that the coffee shop has no use for. Due dates do not change unless a line
/// says so: the member has earlier units, and is not reminded of today's.
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each request")]
async fn every_verb(measured: &mut Measured, api: &Api, clock: &Clock) -> CommandResult {
    let merchant = MerchantId::parse(EVERY_VERB)?;
    let sources = rules::Sources::of([("merchant.toml", MANIFEST), ("rules.rhai", RULES)]);
    api::publish(&api.store, &merchant, &sources, Forgetting::Allowed).await?;
    api.bundle(&merchant).await.map_err(|refusal| refusal.to_string())?;
    measured.merchant = EVERY_VERB;
    measured.forget();
    let start: Moment = "2026-05-02T07:30:00Z".parse()?;
    clock.set(start);
    let member = |name: &str| format!("3f6c2a10-9d4e-4c61-8a35-{name:0>12}");
    let path = |name: &str, verb: &str| format!("/v1/members/{}{verb}", member(name));
    for name in ["ada", "bob", "joe", "home", "eve"] {
        let body = json!({ "id": member(name), "attributes": { "birthday": "1990-05-20" } });
        measured.quietly("/v1/members", name, &body).await?;
        measured.quietly(&path(name, "/earn"), "first", &order()).await?;
    }
    for number in 1..6 {
        measured.quietly(&path("ada", "/earn"), &format!("order-{number}"), &order()).await?;
    }
    let mug = json!({ "reward": "Mug" });
    let nothing = json!({});
    let hold = |answer: &serde_json::Value| {
        let hold = answer.pointer("/entry/hold").and_then(|hold| hold.as_str());
        hold.unwrap_or_default().to_owned()
    };
    measured.post("hold: it sets a deadline", &path("ada", "/holds"), Some("h1"), &mug).await?;
    measured.post("hold, repeated", &path("ada", "/holds"), Some("h1"), &mug).await?;
    let second = measured.quietly(&path("ada", "/holds"), "h2", &mug).await?;
    let third = measured.quietly(&path("ada", "/holds"), "h3", &mug).await?;
    let held = format!("/holds/{}/capture", hold(&second));
    measured.post("capture", &path("ada", &held), Some("c"), &nothing).await?;
    let held = format!("/holds/{}/release", hold(&third));
    measured.post("release", &path("ada", &held), Some("r"), &nothing).await?;
    let some = json!({ "reward": "Discount", "units": 50 });
    let fourth = measured.quietly(&path("ada", "/holds"), "h4", &some).await?;
    let held = format!("/holds/{}/capture", hold(&fourth));
    let part = json!({ "units": 30 });
    measured.post("capture a part", &path("ada", &held), Some("p"), &part).await?;
    let captured = json!({ "capture": "p" });
    measured.post("reverse a capture", &path("ada", "/reverse"), Some("v0"), &captured).await?;
    let line = json!({ "earn": "order-3", "lines": [{ "sku": "MUG-CER-0042", "quantity": 1 }] });
    measured.post("reverse a line", &path("ada", "/reverse"), Some("v1"), &line).await?;
    let whole = json!({ "earn": "order-4" });
    measured.post("reverse a purchase", &path("ada", "/reverse"), Some("v2"), &whole).await?;
    measured.quietly(&path("ada", "/redeem"), "mug", &mug).await?;
    let redeemed = json!({ "redeem": "mug" });
    measured.post("reverse a redemption", &path("ada", "/reverse"), Some("v3"), &redeemed).await?;
    let adjustment = json!({ "units": 50, "reason": "The till was down", "author": "eve" });
    measured.post("adjust", &path("ada", "/adjust"), Some("a"), &adjustment).await?;
    let transfer = json!({ "to": member("bob"), "units": 40 });
    measured.post("transfer, both sides", &path("ada", "/transfer"), Some("t"), &transfer).await?;
    let join = json!({ "account": member("home") });
    measured.post("join an account", &path("joe", "/join"), Some("j"), &join).await?;
    measured
        .post("earn into an account's wallet", &path("joe", "/earn"), Some("shared"), &order())
        .await?;
    measured.post("leave it", &path("joe", "/leave"), Some("l"), &nothing).await?;
    measured.delete("erase", &path("eve", "")).await?;
    measured.quietly(&path("joe", "/earn"), "cup", &json!({ "type": "cup" })).await?;
    measured.get("read a contest's board", "/v1/contests/Cups").await?;

    // Each run is measured alone, in the shard of one member who has nothing else due.
    let shard = |name: &str| -> CommandResult<expire::Event> {
        let key = MemberKey { merchant: merchant.clone(), member: MemberId::parse(&member(name))? };
        let shard = key.shard();
        Ok(serde_json::from_value(json!({ "shards": { "from": shard, "to": shard } }))?)
    };
    clock.set(start + TimeDelta::days(18));
    expire::run(api, &shard("bob")?, None).await?;
    measured.row("a birthday, its shard");
    let reminded = start + TimeDelta::days(379);
    clock.set(reminded - TimeDelta::days(1));
    expire::run(api, &shard("bob")?, None).await?;
    measured.forget();
    clock.set(reminded + TimeDelta::days(2));
    expire::run(api, &shard("bob")?, None).await?;
    measured.row("a reminder, its shard");
    Ok(())
}

/// Measures what is told late and what is put right, with orders that have happened since. The
/// members have more orders before: those are not read.
async fn what_lies_between(measured: &mut Measured, clock: &Clock) -> CommandResult {
    const ORDERS: i64 = 120;
    let start = clock.now();
    let order = |number: i64, replaces: Option<&str>| {
        let at = start + TimeDelta::hours(number);
        let order = json!({ "total": "12.50" });
        json!({ "type": "purchase", "at": at, "order": order, "replaces": replaces })
    };
    let path = |name: &str, verb: &str| format!("/v1/members/{name}{verb}");
    for name in ["kim", "lou"] {
        clock.set(start);
        measured.quietly("/v1/members", name, &json!({ "id": name })).await?;
        for number in 0..ORDERS {
            clock.set(start + TimeDelta::hours(number));
            let key = format!("order-{number}");
            measured.quietly(&path(name, "/earn"), &key, &order(number, None)).await?;
        }
    }
    for (since, row) in [
        (1, "earn, told late, 1 order since"),
        (10, "earn, told late, 10 orders since"),
        (100, "earn, told late, 100 orders since"),
    ] {
        let late = order(ORDERS - 1 - since, None);
        measured.post(row, &path("kim", "/earn"), Some(row), &late).await?;
    }
    let name = format!("order-{}", ORDERS - 2);
    let right = order(ORDERS - 2, Some(&name));
    measured
        .post("earn, put right, 1 order since", &path("lou", "/earn"), Some("r"), &right)
        .await?;
    for (since, row) in
        [(10, "reverse a purchase, 10 orders since"), (100, "reverse a purchase, 100 orders since")]
    {
        let back = json!({ "earn": format!("order-{}", ORDERS - 1 - since) });
        measured.post(row, &path("lou", "/reverse"), Some(row), &back).await?;
    }
    Ok(())
}

/// Measures what else is told late or undone: each time, ten orders have happened since, for the other
/// member of a transfer as well.
async fn what_else_lies_between(measured: &mut Measured, clock: &Clock) -> CommandResult {
    const BEFORE: u32 = 40;
    const SINCE: u32 = 10;
    let path = |name: &str, verb: &str| format!("/v1/members/{name}{verb}");
    for name in ["max", "nia"] {
        measured.quietly("/v1/members", name, &json!({ "id": name })).await?;
        measured.orders(clock, name, BEFORE).await?;
    }
    // Half an hour after an order, so that nothing else happens in the same second.
    let then = || clock.now() + TimeDelta::minutes(30);

    let at = then();
    measured.orders(clock, "max", SINCE).await?;
    let mug = json!({ "reward": "Mug", "at": at });
    let row = "redeem, told late, 10 orders since";
    measured.post(row, &path("max", "/redeem"), Some("mug"), &mug).await?;

    let at = then();
    measured.orders(clock, "max", SINCE).await?;
    let forgotten = json!({ "units": 50, "reason": "forgotten", "author": "eve", "at": at });
    let row = "adjust, told late, 10 orders since";
    measured.post(row, &path("max", "/adjust"), Some("forgotten"), &forgotten).await?;

    clock.set(then());
    let mistake = json!({ "units": 50, "reason": "mistake", "author": "eve" });
    measured.quietly(&path("max", "/adjust"), "mistake", &mistake).await?;
    measured.orders(clock, "max", SINCE).await?;
    let row = "reverse an adjustment, 10 orders since";
    let back = json!({ "adjust": "mistake" });
    measured.post(row, &path("max", "/reverse"), Some("v1"), &back).await?;

    clock.set(then());
    let transfer = json!({ "to": "nia", "units": 40 });
    measured.quietly(&path("max", "/transfer"), "t", &transfer).await?;
    measured.orders(clock, "max", SINCE).await?;
    measured.orders(clock, "nia", SINCE).await?;
    let row = "reverse a transfer, 10 orders since";
    let back = json!({ "transfer": "t" });
    measured.post(row, &path("max", "/reverse"), Some("v2"), &back).await?;

    let bought = measured.orders(clock, "max", 1).await?;
    measured.quietly(&path("max", "/reverse"), "v3", &json!({ "earn": bought })).await?;
    measured.orders(clock, "max", SINCE).await?;
    let row = "reverse a reversal, 10 orders since";
    let back = json!({ "reverse": "v3" });
    measured.post(row, &path("max", "/reverse"), Some("v4"), &back).await?;

    let bought = measured.orders(clock, "max", 1).await?;
    measured.orders(clock, "max", SINCE).await?;
    let mut exchange = small_order(clock.now());
    if let Some(fields) = exchange.as_object_mut() {
        fields.insert("returns".to_owned(), json!({ "order": bought }));
    }
    let row = "earn, an exchange, 10 orders since";
    measured.post(row, &path("max", "/earn"), Some("exchange"), &exchange).await?;

    let late = small_order(then());
    measured.orders(clock, "max", SINCE).await?;
    clock.set(clock.now() + TimeDelta::days(40));
    let row = "earn, told too late, 10 orders since";
    measured.post(row, &path("max", "/earn"), Some("too late"), &late).await
}

/// A purchase without lines.
fn small_order(at: Moment) -> serde_json::Value {
    json!({ "type": "purchase", "at": at, "order": { "total": "12.50" } })
}

/// A purchase with an order of five lines.
fn order() -> serde_json::Value {
    let line = |sku: &str, category: &str, quantity: u32, price: &str| json!({ "sku": sku, "category": category, "quantity": quantity, "price": price });
    json!({
        "type": "purchase",
        "order": {
            "total": "87.15",
            "lines": [
                line("ESP-DBL-0231", "coffee", 2, "3.10"),
                line("CAP-OAT-0117", "coffee", 1, "3.95"),
                line("BNS-ETH-1000", "beans", 2, "28.50"),
                line("FLT-V60-0100", "filters", 1, "7.50"),
                line("MUG-CER-0042", "mugs", 1, "12.50"),
            ],
        },
        "channel": "shop",
        "payment": "card",
    })
}

struct Measured {
    app: Router,
    meter: Meter,
    merchant: &'static str,
    rows: Vec<(String, Cost)>,
}

impl Measured {
    async fn post(
        &mut self,
        request: &str,
        path: &str,
        key: Option<&str>,
        body: &serde_json::Value,
    ) -> CommandResult {
        self.call(Method::POST, path, key, body.to_string()).await?;
        self.row(request);
        Ok(())
    }

    async fn delete(&mut self, request: &str, path: &str) -> CommandResult {
        self.call(Method::DELETE, path, None, String::new()).await?;
        self.row(request);
        Ok(())
    }

    async fn get(&mut self, request: &str, path: &str) -> CommandResult {
        self.call(Method::GET, path, None, String::new()).await?;
        self.row(request);
        Ok(())
    }

    async fn quietly(
        &mut self,
        path: &str,
        key: &str,
        body: &serde_json::Value,
    ) -> CommandResult<serde_json::Value> {
        let answer = self.call(Method::POST, path, Some(key), body.to_string()).await?;
        self.forget();
        Ok(answer)
    }

    /// Sends orders, one an hour, and returns the key of the last.
    async fn orders(&mut self, clock: &Clock, member: &str, orders: u32) -> CommandResult<String> {
        let mut key = String::new();
        for _ in 0..orders {
            let now = clock.now() + TimeDelta::hours(1);
            clock.set(now);
            key = format!("order-{}", now.timestamp());
            let path = format!("/v1/members/{member}/earn");
            self.quietly(&path, &key, &small_order(now)).await?;
        }
        Ok(key)
    }

    /// Adds a row with the units counted since the last row.
    fn row(&mut self, request: &str) {
        self.rows.push((request.to_owned(), self.meter.take()));
    }

    /// Drops the units counted so far.
    fn forget(&self) {
        let _counted = self.meter.take();
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: String,
    ) -> CommandResult<serde_json::Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {TOKEN_PREFIX}{}", self.merchant))
            .header("idempotency-key", key.unwrap_or("none"))
            .body(Body::from(body))?;
        let answer = self.app.clone().oneshot(request).await?;
        let succeeded = answer.status().is_success();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
        if succeeded {
            Ok(serde_json::from_slice(&body)?)
        } else {
            Err(format!("{path} was refused: {}", String::from_utf8_lossy(&body)).into())
        }
    }
}
