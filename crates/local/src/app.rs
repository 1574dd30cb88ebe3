//! Every function's routes in one router.

use api::{Api, Problem, Refusal};
use axum::Router;
use tower_http::trace::TraceLayer;

/// A router with every function's routes. In AWS, API Gateway routes to the functions.
pub fn app(api: &Api) -> Router {
    Router::new()
        .merge(enroll::router(api.clone()))
        .merge(earn::router(api.clone()))
        .merge(redeem::router(api.clone()))
        .merge(reverse::router(api.clone()))
        .merge(manage::router(api.clone()))
        .merge(read::router(api.clone()))
        .fallback(async || Problem::from(Refusal::PathIsUnknown))
        .method_not_allowed_fallback(async || Problem::from(Refusal::MethodIsNotAllowed))
        .layer(TraceLayer::new_for_http())
}
