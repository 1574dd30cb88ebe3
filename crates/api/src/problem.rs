//! Refusals written as `application/problem+json`.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use problem_details::ProblemDetails;
use serde::Serialize;

/// The seconds after which a client may repeat a request that got a 503.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// A refusal as a client reads it: `application/problem+json` (RFC 9457) with a stable `code` and,
/// if a field is at fault, a JSON `pointer` to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    more: More,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct More {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: String) -> Problem {
        Problem { status, detail, more: More { code, pointer: None } }
    }

    pub(crate) fn at(mut self, pointer: Option<String>) -> Problem {
        self.more.pointer = pointer;
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.more.code
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let details = ProblemDetails::from_status_code(status)
            .with_detail(self.detail)
            .with_extensions(self.more);
        let mut response = details.into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        response
    }
}
