//! Answers that the proxy gives instead of the database.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

/// The error of a connection that the proxy breaks.
#[derive(Debug)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

pub(super) fn done() -> Response<Full<Bytes>> {
    json_answer(StatusCode::OK, Bytes::from_static(b"{}"))
}

pub(super) fn json_answer(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

pub(super) fn refused(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({
        "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
        "message": message,
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_answer(status, Bytes::from(body.to_string()))
}

/// An error of a server in front of the database, which does not use the database's codes.
pub(super) fn failed_in_front() -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from_static(b"<html>unavailable</html>")));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    answer
}

/// The answer to a transaction that was cancelled because of the item `at`, with a reason for each
/// item, as DynamoDB gives it.
pub(super) fn cancelled(items: usize, at: usize, code: &str) -> Response<Full<Bytes>> {
    let reason = |item: usize| match item == at {
        true => json!({ "Code": code, "Message": "cancelled on purpose" }),
        false => json!({ "Code": "None" }),
    };
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "cancelled",
        "CancellationReasons": (0..items).map(reason).collect::<Vec<_>>(),
    });
    json_answer(StatusCode::BAD_REQUEST, Bytes::from(body.to_string()))
}
