//! The database behind the proxy, and how requests are forwarded to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use serde_json::Value;

use super::answers::{Broken, done, json_answer};
use super::state::{State, Upstream, lock};
use super::within;

pub(super) fn as_target(parts: &Parts, target: &str) -> Result<Parts, Broken> {
    let target = HeaderValue::from_str(&format!("DynamoDB_20120810.{target}"));
    let mut parts = parts.clone();
    parts.headers.insert("x-amz-target", target.map_err(|_| Broken)?);
    Ok(parts)
}

pub(super) async fn forward(
    state: &Arc<State>,
    parts: Parts,
    target: &str,
    mut body: Bytes,
) -> Result<Response<Full<Bytes>>, Broken> {
    let mut token = None;
    if target == "TransactWriteItems"
        && let Ok(mut value) = serde_json::from_slice::<Value>(&body)
    {
        token = value.as_object_mut().and_then(|value| value.remove("ClientRequestToken"));
        body = Bytes::from(value.to_string());
    }
    let token = token.and_then(|token| Some(token.as_str()?.to_owned()));
    if token.as_ref().is_some_and(|token| lock(&state.memory).tokens.has(token)) {
        return Ok(done());
    }
    let answer = send(state, &parts, body).await?;
    if let Some(token) = token.filter(|_| answer.status() == StatusCode::OK) {
        lock(&state.memory).tokens.of(&token);
    }
    Ok(answer)
}

pub(super) async fn send(
    state: &Arc<State>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (upstream, client) = match &state.upstream {
        Upstream::Served(upstream, client) => (upstream, client),
        Upstream::Held(database) => {
            let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
            let target = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
            let (status, text) = within::answer(database, target, &body);
            let status = StatusCode::from_u16(status).map_err(|_| Broken)?;
            return Ok(json_answer(status, Bytes::from(text)));
        }
    };
    let mut request =
        Request::builder().method(parts.method.clone()).uri(format!("http://{upstream}/"));
    for (name, value) in &parts.headers {
        if name != HOST && name != CONTENT_LENGTH {
            request = request.header(name, value);
        }
    }
    let request = request.body(Full::new(body)).map_err(|_| Broken)?;
    let asked = client.request(request);
    let state = Arc::clone(state);
    state.under_way.fetch_add(1, Ordering::SeqCst);
    // The task completes the request even if the client has gone.
    let answered = tokio::spawn(async move {
        let answer = async {
            let answer = asked.await.map_err(|_| Broken)?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
            Ok(json_answer(parts.status, body))
        };
        let answer = answer.await;
        state.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    });
    answered.await.map_err(|_| Broken)?
}
