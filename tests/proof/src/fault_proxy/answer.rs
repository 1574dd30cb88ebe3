//! The handling of one request: it is forwarded, it gets a fault, or its answer does.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::answers::{Broken, cancelled, done, failed_in_front, json_answer, refused};
use super::asked::{Asked, draw_fault};
use super::fault_rates::Fault;
use super::memory::{remember, stale};
use super::state::{State, Tampered, lock};
use super::upstream::{as_target, forward, send};

/// A random number below `many`.
fn any(state: &State, many: usize) -> usize {
    lock(&state.memory).chance.usize(0..many.max(1))
}

/// A server error, in turn from the database and from a server in front of it.
fn error(state: &State, fault: Fault) -> Response<Full<Bytes>> {
    let happened = lock(&state.memory).happened.get(&fault).copied().unwrap_or_default();
    match happened.is_multiple_of(2) {
        true => refused(500, "InternalServerError", "on purpose"),
        false => failed_in_front(),
    }
}

#[expect(clippy::too_many_lines, reason = "a table of cases: one for each fault")]
pub(super) async fn answered(
    state: Arc<State>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Broken> {
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let target = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
    let (body, before) = match tampered(&state, &target, body) {
        Some(tampered) => tampered,
        None => return Ok(done()),
    };
    for (target, other) in before {
        send(&state, &as_target(&parts, target)?, Bytes::from(other.to_string())).await?;
    }
    let asked = Asked::of(&target, &body);
    let fault = draw_fault(&state, &target, &asked);
    let moments = lock(&state.moments).clone();
    if let Some(moments) = &moments
        && !moments(&target, true)
    {
        std::future::pending::<Infallible>().await;
    }
    match fault {
        Some(Fault::Conflict) => {
            return Ok(match asked.transaction {
                Some(items) => cancelled(items, any(&state, items), "TransactionConflict"),
                None => refused(400, "TransactionConflictException", "a transaction is at it"),
            });
        }
        Some(Fault::InProgress) => {
            return Ok(refused(400, "TransactionInProgressException", "it is under way"));
        }
        // Either the whole transaction is throttled, or one of its items is.
        Some(Fault::Throttled) => {
            return Ok(match asked.transaction {
                Some(items) if any(&state, 2) == 0 => {
                    cancelled(items, any(&state, items), "ThrottlingError")
                }
                _ => refused(400, "ThrottlingException", "the rate is too high"),
            });
        }
        Some(fault @ Fault::ErrorBefore) => return Ok(error(&state, fault)),
        Some(Fault::DropBefore) => return Err(Broken),
        Some(fault @ (Fault::StaleRead | Fault::LaggingIndex)) => {
            if let Some(old) = stale(&state, &asked) {
                *lock(&state.memory).happened.entry(fault).or_default() += 1;
                return Ok(json_answer(StatusCode::OK, old));
            }
        }
        Some(Fault::Late) => {
            let late = lock(&state.rates).late;
            // The task forwards the request even if the client has gone.
            let forward = tokio::spawn(async move {
                tokio::time::sleep(late).await;
                forward(&state, parts, &target, body).await
            });
            return forward.await.map_err(|_| Broken)?;
        }
        Some(Fault::Twice) => {
            let first = forward(&state, parts.clone(), &target, body.clone()).await?;
            let _second = forward(&state, parts, &target, body).await?;
            return Ok(first);
        }
        Some(Fault::ErrorAfter | Fault::DropAfter) | None => {}
    }
    let done = forward(&state, parts, &target, body.clone()).await?;
    if matches!(target.as_str(), "Query" | "Scan") {
        let Ok(text) = done.body().clone().collect().await;
        let answer: Value = serde_json::from_slice(&text.to_bytes()).unwrap_or_default();
        let count = answer["ScannedCount"].as_u64().unwrap_or_default();
        lock(&state.memory).looked_at += count;
    }
    if asked.may_be_stale && done.status() == StatusCode::OK {
        remember(&state, &asked, &done).await;
    }
    if let Some(moments) = &moments
        && !moments(&target, false)
    {
        std::future::pending::<Infallible>().await;
    }
    match fault {
        Some(fault @ Fault::ErrorAfter) => Ok(error(&state, fault)),
        Some(Fault::DropAfter) => Err(Broken),
        _ => Ok(done),
    }
}

/// The body of a request after tampering, and the requests to forward before it; nothing if the
/// request is not forwarded.
fn tampered(
    state: &State,
    target: &str,
    body: Bytes,
) -> Option<(Bytes, Vec<(&'static str, Value)>)> {
    let Some(tamper) = &state.tamper else { return Some((body, Vec::new())) };
    let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
        return Some((body, Vec::new()));
    };
    let before = match tamper(target, &mut value) {
        Tampered::GoesOn => Vec::new(),
        Tampered::After(others) => others,
        Tampered::Swallowed => return None,
    };
    Some((Bytes::from(value.to_string()), before))
}
