//! Which caller may do what.

use std::collections::HashMap;

use api::{Api, Clock, Identity};
use axum::body::Body;
use axum::http::Request;
use end_to_end::{Shop, moment};
use http_body_util::BodyExt;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayRequestAuthorizerJwtDescription,
    ApiGatewayV2httpRequestContext,
};
use lambda_http::request::RequestContext;
use reqwest::Method;
use tower::ServiceExt;

/// The context that API Gateway sends after its authorizer has verified a token.
fn verified(claims: &[(&str, &str)]) -> RequestContext {
    let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut jwt = ApiGatewayRequestAuthorizerJwtDescription::default();
    jwt.claims = claims.collect::<HashMap<String, String>>();
    let mut authorizer = ApiGatewayRequestAuthorizer::default();
    authorizer.jwt = Some(jwt);
    let mut context = ApiGatewayV2httpRequestContext::default();
    context.authorizer = Some(authorizer);
    RequestContext::ApiGatewayV2(context)
}

async fn ask(shop: &Shop, method: &str, path: &str, context: Option<RequestContext>) -> String {
    send(shop, method, path, context, r#"{"id":"eve"}"#).await
}

async fn send(
    shop: &Shop,
    method: &str,
    path: &str,
    context: Option<RequestContext>,
    body: &str,
) -> String {
    // As in AWS, only verified claims are accepted.
    let clock = Clock::standing(moment("2026-05-02T07:30:00Z"));
    let api = Api::new(shop.database.store().clone(), clock, Identity::Verified);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", "Bearer local:sunrise-coffee")
        .header("idempotency-key", "k")
        .body(Body::from(body.to_owned()))
        .unwrap();
    if let Some(context) = context {
        request.extensions_mut().insert(context);
    }
    let answer = local::app(&api).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    format!("{status} {}", body["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn only_verified_claims_are_believed_in_aws() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let scopes = "regulars/read regulars/write";
    let ask = async |method: &str, path: &str, claims: Option<&[(&str, &str)]>| {
        ask(&shop, method, path, claims.map(verified)).await
    };
    let ada = "/v1/members/ada";
    assert_eq!(ask("GET", ada, None).await, "401 caller_is_unknown");
    assert_eq!(ask("GET", ada, Some(&[])).await, "401 caller_is_unknown");
    assert_eq!(ask("GET", ada, Some(&[("scope", scopes)])).await, "401 caller_is_unknown");
    let merchant = ("merchant", "sunrise-coffee");
    assert_eq!(ask("GET", ada, Some(&[merchant])).await, "403 scope_is_missing");
    assert_eq!(
        ask("GET", ada, Some(&[merchant, ("scope", "regulars/write")])).await,
        "403 scope_is_missing"
    );
    assert_eq!(ask("GET", ada, Some(&[merchant, ("scope", scopes)])).await, "200 ");
    let reader = [merchant, ("scope", "regulars/read")];
    assert_eq!(ask("POST", "/v1/members", Some(&reader)).await, "403 scope_is_missing");
    assert_eq!(ask("POST", "/v1/members", Some(&[merchant, ("scope", scopes)])).await, "201 ");
    // A member of another merchant is unknown.
    local::publish_folder(
        shop.database.store(),
        &end_to_end::rules().join("cdnow"),
        api::Forgetting::Allowed,
    )
    .await
    .unwrap();
    let other = [("merchant", "cdnow"), ("scope", scopes)];
    assert_eq!(ask("GET", ada, Some(&other)).await, "404 member_is_unknown");
    let unknown = [("merchant", "nobody"), ("scope", scopes)];
    assert_eq!(ask("GET", ada, Some(&unknown)).await, "403 merchant_is_unknown");
    let malformed = [("merchant", "a#b"), ("scope", scopes)];
    assert_eq!(ask("GET", ada, Some(&malformed)).await, "401 caller_is_unknown");
}

#[tokio::test]
async fn what_is_done_by_hand_needs_its_own_scope() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let claims = |scope| [("merchant", "sunrise-coffee"), ("scope", scope)];
    for (method, what) in [
        ("DELETE", ""),
        ("POST", "/adjust"),
        ("POST", "/transfer"),
        ("POST", "/join"),
        ("POST", "/leave"),
    ] {
        let path = format!("/v1/members/ada{what}");
        let till = claims("regulars/read regulars/write");
        let refused = ask(&shop, method, &path, Some(verified(&till))).await;
        assert_eq!(refused, "403 scope_is_missing", "{path}");
        let office = ask(&shop, method, &path, Some(verified(&claims("regulars/manage")))).await;
        assert_ne!(office, "403 scope_is_missing", "{path}");
    }
}

#[tokio::test]
async fn to_undo_what_was_done_by_hand_needs_the_scope_too() {
    let shop = Shop::open("sunrise-coffee").await;
    shop.enroll("ada").await;
    let till = "regulars/read regulars/write";
    for (what, scope, answer) in [
        ("adjust", till, "403 scope_is_missing"),
        ("transfer", till, "403 scope_is_missing"),
        ("reverse", till, "403 scope_is_missing"),
        ("redeem", till, "422 entry_is_unknown"),
        ("adjust", "regulars/write regulars/manage", "422 entry_is_unknown"),
    ] {
        let claims = [("merchant", "sunrise-coffee"), ("scope", scope)];
        let body = format!(r#"{{"{what}":"x"}}"#);
        let path = "/v1/members/ada/reverse";
        let answered = send(&shop, "POST", path, Some(verified(&claims)), &body).await;
        assert_eq!(answered, answer, "{what}");
    }
}

#[tokio::test]
async fn a_laptop_wants_its_stand_in_token() {
    let mut shop = Shop::open("sunrise-coffee").await;
    shop.merchant = "nobody".to_owned();
    let answer = shop.send(Method::GET, "/v1/members/ada", None, "").await;
    assert_eq!(
        answer.problem(),
        "403 merchant_is_unknown : merchant `nobody` has published no rules"
    );
    shop.merchant = String::new();
    let answer = shop.send(Method::GET, "/v1/members/ada", None, "").await;
    assert_eq!(
        answer.problem(),
        "401 caller_is_unknown : the request says no merchant that can be believed"
    );
}
