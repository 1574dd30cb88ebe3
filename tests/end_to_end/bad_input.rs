//! Bad input: refused with a pointer to it, and nothing changes.

use std::fmt::Write;

use aws_sdk_dynamodb::config::Credentials;
use end_to_end::{Shop, audit};
use reqwest::Method;

const EARN: &str = "/v1/members/ada/earn";
const REDEEM: &str = "/v1/members/ada/redeem";

/// Sends each request, compares its problem, and checks that nothing has changed.
async fn check(cases: &[(&str, Option<&str>, &str, &str)]) {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    shop.buys("ada", "first", "50.00").await;
    let before = audit::dump(&shop.database, "sunrise-coffee").await;
    let mut wrong = String::new();
    for (path, key, body, expected) in cases {
        let answer = shop.send(Method::POST, path, *key, (*body).to_owned()).await;
        let found = answer.problem();
        if found != *expected {
            writeln!(wrong, "{path} {body}\n  expected {expected}\n  found    {found}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(audit::dump(&shop.database, "sunrise-coffee").await, before);
}

#[tokio::test]
async fn bodies_that_do_not_read() {
    let key = Some("k");
    check(&[
        (EARN, key, "", "400 body_is_not_json : the body is no JSON at line 1, column 0: EOF while parsing a value"),
        (EARN, key, "{\"type\":", "400 body_is_not_json : the body is no JSON at line 1, column 8: EOF while parsing a value"),
        (EARN, key, "{\n\"type\" \"purchase\"}", "400 body_is_not_json : the body is no JSON at line 2, column 8: expected `:`"),
        (EARN, key, "[]", "422 field_is_wrong : invalid type: sequence, expected an object"),
        (EARN, key, "null", "422 field_is_wrong : invalid type: null, expected an object"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1"},"ordr":1}"#, "422 field_is_wrong /ordr: `/ordr`: unknown field `ordr`, expected one of `type`, `id`, `at`, `of`, `replaces`, `returns`, `order`, `channel`, `payment`, `fields`"),
        (EARN, key, r#"{"type":"purchase","order":{"totl":"1"}}"#, "422 field_is_wrong /order/totl: `/order/totl`: unknown field `totl`, expected one of `total`, `lines`, `discount`, `shipping`, `tax`, `tip`, `currency`, `store`, `payments`"),
        (EARN, key, r#"{"type":"purchase","order":{"total":[12.4]}}"#, "422 field_is_wrong /order/total: `/order/total`: invalid type: a list, expected an amount, such as \"12.40\""),
        (EARN, key, r#"{"type":5}"#, "422 field_is_wrong /type: `/type`: invalid type: integer `5`, expected a string"),
        (EARN, key, r#"{"type":"purchase"}"#, "422 field_is_wrong /order: `/order`: a purchase has an order"),
        (EARN, key, r#"{"type":"purchase","type":"review"}"#, "422 field_is_wrong : duplicate field `type`"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","lines":[{"sku":"a","quantity":"1e3"}]}}"#, "422 field_is_wrong /order/lines/0/quantity: `/order/lines/0/quantity`: `1e3` is not a number up to 1000000 with at most 6 decimals"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","lines":[{"sku":"a","quantity":0.1234567}]}}"#, "422 field_is_wrong /order/lines/0/quantity: `/order/lines/0/quantity`: `0.1234567` is not a number up to 1000000 with at most 6 decimals"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","lines":[{"id":"1"},{"id":"1"}]}}"#, "422 field_is_wrong /order/lines/1/id: `/order/lines/1/id`: there is another line `1` in the order"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","currency":"USD"}}"#, "422 field_is_wrong /order/currency: `/order/currency`: the programme counts in EUR; convert the order to it"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","discount":"-2"}}"#, "422 amount_is_negative /order/discount: `/order/discount`: `-2` is negative"),
        (EARN, key, r#"{"type":"purchase","id":"a\u202eb","order":{"total":"1"}}"#, "422 field_is_wrong /id: `/id`: the character U+202E is not allowed: it cannot be seen"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","lines":[{"attributes":{"brand":5}}]}}"#, "422 field_is_wrong /order/lines/0/attributes/brand: `/order/lines/0/attributes/brand`: invalid type: integer `5`, expected a string"),
        (EARN, key, r#"{"type":"review","fields":[5]}"#, "422 field_is_wrong /fields: `/fields`: invalid type: sequence, expected an object"),
        (EARN, key, r#"{"type":"review","fields":{"stars":"five"}}"#, "422 field_is_wrong /fields/stars: `/fields/stars`: the manifest wants a whole number here"),
        (EARN, key, r#"{"type":"review","fields":{"stars":5,"stars":1}}"#, "422 field_is_wrong /fields: `/fields`: duplicate field `stars`"),
        (EARN, key, r#"{"type":"review","fields":{"star":5}}"#, "422 field_is_wrong /fields/star: `/fields/star`: a review has no such field; did you mean `stars`?"),
        (REDEEM, key, r#"{"rewrd":"free-coffee"}"#, "422 field_is_wrong /rewrd: `/rewrd`: unknown field `rewrd`, expected one of `reward`, `units`, `order`, `at`"),
        (EARN, key, r#"{"type":"review","fields":{"a/b~c":5}}"#, "422 field_is_wrong /fields/a~1b~0c: `/fields/a~1b~0c`: a review has no such field"),
        ("/v1/members?dry_run=true", None, r#"{"id":"eve"}"#, "400 query_is_wrong : the query cannot be read: `dry_run`: there is no parameter `dry_run`"),
        ("/v1/members", None, r#"{"id":5}"#, "422 field_is_wrong /id: `/id`: invalid type: integer `5`, expected a string"),
        ("/v1/members", None, r#"{"name":"x"}"#, "422 field_is_wrong /name: `/name`: unknown field `name`, expected one of `id`, `attributes`, `tags`, `referred_by`"),
        ("/v1/members", None, r#"{"id":"a b"}"#, "422 member_id_is_wrong /id: the member's id cannot be used: ` ` is not allowed; letters a-z and A-Z, digits, `-`, `_` and `.` are"),
        ("/v1/members", None, r#"{"id":"ok","attributes":{"city":"A","city":"B"}}"#, "422 field_is_wrong /attributes: `/attributes`: duplicate field `city`"),
        ("/v1/members", None, r#"{"id":"ok","attributes":{"city":""}}"#, "422 field_is_wrong /attributes/city: `/attributes/city`: a name has 1 to 30 characters and a value 1 to 64"),
    ])
    .await;
}

#[tokio::test]
async fn amounts_and_dates_that_make_no_sense() {
    let order = |total: &str| format!(r#"{{"type":"purchase","order":{{"total":"{total}"}}}}"#);
    let dated = |at: &str| format!(r#"{{"type":"purchase","at":"{at}","order":{{"total":"1"}}}}"#);
    let long = "9".repeat(400);
    let key = Some("k");
    check(&[
        (EARN, key, &order("-0"), "422 amount_is_not_a_number /order/total: `/order/total`: `-0` is not an amount; write digits and a point, such as \"12.40\""),
        (EARN, key, &order("12."), "422 amount_is_not_a_number /order/total: `/order/total`: `12.` is not an amount; write digits and a point, such as \"12.40\""),
        (EARN, key, &order("00012.40"), "422 amount_is_not_a_number /order/total: `/order/total`: `00012.40` is not an amount; write digits and a point, such as \"12.40\""),
        (EARN, key, &order("1.005"), "422 amount_has_too_many_decimals /order/total: `/order/total`: `1.005` has 3 decimals, and EUR has 2"),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","lines":[{"sku":"a","quantity":1000000,"price":"10000000.01"}]}}"#, "422 amount_is_absurd /order/lines/0/quantity: `/order/lines/0/quantity`: `10000000010000` is above 10000000000000.00, the most that one amount in EUR may be"),
        (EARN, key, &order("10000000000000.01"), "422 amount_is_absurd /order/total: `/order/total`: `10000000000000.01` is above 10000000000000.00, the most that one amount in EUR may be"),
        (EARN, key, &order("12,40"), "422 amount_is_not_a_number /order/total: `/order/total`: `12,40` is not an amount; write digits and a point, such as \"12.40\""),
        (EARN, key, &order("NaN"), "422 amount_is_not_a_number /order/total: `/order/total`: `NaN` is not an amount; write digits and a point, such as \"12.40\""),
        (EARN, key, &order(&long), &format!("422 amount_is_not_a_number /order/total: `/order/total`: `{}` is not an amount; write digits and a point, such as \"12.40\"", "9".repeat(40))),
        (EARN, key, r#"{"type":"purchase","order":{"total":"1","lines":[{"sku":"a","quantity":1,"price":"0.1234567"}]}}"#, "422 amount_has_too_many_decimals /order/lines/0/price: `/order/lines/0/price`: `0.1234567` has 7 decimals, and a price has 6"),
        (EARN, key, &dated("2026-05-02T07:36:00Z"), "422 activity_is_in_the_future /at: it is dated 2026-05-02 07:36:00 UTC, and it is only 2026-05-02 07:30:00 UTC"),
        (EARN, key, &dated("2026-05-02T07:24:59Z"), "422 activity_is_before_enrolment /at: it is dated 2026-05-02 07:24:59 UTC, and the member enrolled at 2026-05-02 07:30:00 UTC"),
        (EARN, key, &dated("2026-05-02"), "422 field_is_wrong /at: `/at`: invalid value: string \"2026-05-02\", expected a time with its offset, such as \"2026-05-02T09:30:00+02:00\""),
        (EARN, key, &dated("+262142-12-31T23:59:59Z"), "422 field_is_wrong /at: `/at`: invalid value: string \"+262142-12-31T23:59:59Z\", expected a time with its offset, such as \"2026-05-02T09:30:00+02:00\""),
    ])
    .await;
}

#[tokio::test]
async fn things_that_are_unknown() {
    let key = Some("k");
    let purchase = r#"{"type":"purchase","order":{"total":"1"}}"#;
    check(&[
        ("/v1/members/bob/earn", key, purchase, "404 member_is_unknown : there is no member `bob`"),
        ("/v1/members/bob/redeem", key, r#"{"reward":"free-coffee"}"#, "404 member_is_unknown : there is no member `bob`"),
        ("/v1/members/b%20b/earn", key, purchase, "422 member_id_is_wrong : the member's id cannot be used: ` ` is not allowed; letters a-z and A-Z, digits, `-`, `_` and `.` are"),
        (EARN, key, r#"{"type":"reviw"}"#, "422 activity_is_unknown /type: there is no activity `reviw`; did you mean `review`?"),
        (REDEEM, key, r#"{"reward":"free-cofee"}"#, "422 reward_is_unknown /reward: there is no reward `free-cofee`; did you mean `free-coffee`?"),
        (REDEEM, key, r#"{"reward":"five-off"}"#, "422 reward_needs_an_order /order: reward `five-off` needs the order it is taken with: send `order`"),
        (REDEEM, key, r#"{"reward":"five-off","order":{"total":"19.99"}}"#, "409 reward_condition_does_not_hold : reward `five-off` is not for this member now: its condition does not hold; `order.total` is 19.99"),
        (REDEEM, key, r#"{"reward":"five-off","order":{"total":"20.00"}}"#, "409 balance_is_insufficient : reward `five-off` costs 400 points, and 65 can be spent"),
        ("/v1/memberz", key, purchase, "404 path_is_unknown : there is nothing at this path"),
        ("/v1/members/ada", key, purchase, "405 method_is_not_allowed : this path does not take this method"),
    ])
    .await;
}

#[tokio::test]
async fn keys_and_sizes() {
    let purchase = r#"{"type":"purchase","order":{"total":"1"}}"#;
    let long_key = "k".repeat(256);
    let line = r#"{"sku":"a","quantity":1}"#;
    let lines = vec![line; 501].join(",");
    let many_lines = format!(r#"{{"type":"purchase","order":{{"total":"1","lines":[{lines}]}}}}"#);
    let large = format!(r#"{{"type":"{}"}}"#, "x".repeat(128 * 1024));
    let long_sku = format!(
        r#"{{"type":"purchase","order":{{"total":"1","lines":[{{"sku":"{}","quantity":1}}]}}}}"#,
        "s".repeat(256)
    );
    check(&[
        (EARN, None, purchase, "400 idempotency_key_is_missing : the header `Idempotency-Key` is missing; use the order's number or a UUID"),
        (EARN, Some(""), purchase, "400 idempotency_key_is_missing : the header `Idempotency-Key` is missing; use the order's number or a UUID"),
        (REDEEM, None, r#"{"reward":"free-coffee"}"#, "400 idempotency_key_is_missing : the header `Idempotency-Key` is missing; use the order's number or a UUID"),
        (EARN, Some(&long_key), purchase, "400 idempotency_key_is_too_long : the header `Idempotency-Key` has 256 characters, and 255 are allowed"),
        (EARN, Some("schlüssel"), purchase, "400 idempotency_key_is_not_plain : the header `Idempotency-Key` has characters outside of plain ASCII"),
        (EARN, Some("k"), &large, "413 body_is_too_large : the body has more than 131072 bytes"),
        (EARN, Some("k"), &many_lines, "422 field_is_wrong /order/lines: `/order/lines`: it has 501 lines, and 500 are allowed"),
        (EARN, Some("k"), &long_sku, "422 field_is_wrong /order/lines/0/sku: `/order/lines/0/sku`: it has 256 characters, and 255 are allowed"),
        ("/v1/members/ada/earn?dry_run=perhaps", Some("k"), purchase, "400 query_is_wrong : the query cannot be read: `dry_run`: it is `true` or `false`"),
        ("/v1/members/ada/earn?dryrun=true", Some("k"), purchase, "400 query_is_wrong : the query cannot be read: `dryrun`: there is no parameter `dryrun`, expected `dry_run`"),
    ])
    .await;
}

#[tokio::test]
async fn reads_that_make_no_sense() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let check = async |path: &str, expected: &str| {
        assert_eq!(shop.get(path).await.problem(), expected, "{path}");
    };
    check("/v1/members/bob", "404 member_is_unknown : there is no member `bob`").await;
    check("/v1/members/bob/entries", "404 member_is_unknown : there is no member `bob`").await;
    check(
        "/v1/members/ada/entries?cursor=x",
        "400 cursor_is_wrong : the cursor is none that this API gave",
    )
    .await;
    check(
        "/v1/members/ada/entries?limit=0",
        "400 query_is_wrong : the query cannot be read: `limit` is a number from 1 to 100",
    )
    .await;
    check(
        "/v1/members/ada/entries?limit=lots",
        "400 query_is_wrong : the query cannot be read: `limit`: it is a whole number, not below zero",
    )
    .await;
}

#[tokio::test]
async fn a_table_out_of_reach_is_answered_as_busy() {
    // Nothing listens on this port.
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url("http://127.0.0.1:1")
        .region(aws_config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"));
    let store = store::Store::new(api::client(config).await, "regulars");
    let api = api::Api::new(store, api::Clock::System, api::Identity::Development);
    let request = axum::http::Request::get("/v1/members/ada")
        .header("authorization", "Bearer local:sunrise-coffee")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = tower::ServiceExt::oneshot(local::app(&api), request).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["code"], "busy");
}

#[tokio::test]
async fn a_request_has_one_key() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let request = shop.client.post(format!("{}{EARN}", shop.base));
    let request = request.header("authorization", "Bearer local:sunrise-coffee");
    let request = request.header("idempotency-key", "a").header("idempotency-key", "b");
    let answer = request.body(r#"{"type":"review","fields":{"stars":5}}"#).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("idempotency_key_is_duplicated"));
}
