use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;

use crate::{Api, InQuery, Problem, Refusal};

/// The most characters of a key: room for a UUID with a prefix, or an order number twice over.
const LENGTH_MAX: usize = 128;

/// The client's name for one request, by which a repeat is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub(crate) String);

impl IdempotencyKey {
    /// The key of what can be done only once anyway.
    #[must_use]
    pub fn only() -> IdempotencyKey {
        IdempotencyKey("only".to_owned())
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a request is to change anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Do it, once for this key.
    Do(IdempotencyKey),
    /// Answer as if, and write nothing: `?dry_run=true`. Needs no key.
    DryRun,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    #[serde(default)]
    dry_run: bool,
}

impl FromRequestParts<Api> for Mode {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Mode, Problem> {
        let InQuery(query) = InQuery::<Query>::from_request_parts(parts, api).await?;
        if query.dry_run {
            return Ok(Mode::DryRun);
        }
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        let header = keys.next().ok_or(Refusal::KeyIsMissing)?;
        if keys.next().is_some() {
            return Err(Refusal::KeyIsDuplicated.into());
        }
        let key = header.to_str().map_err(|_| Refusal::KeyIsNotPlain)?;
        match key.len() {
            0 => Err(Refusal::KeyIsMissing.into()),
            length if length > LENGTH_MAX => {
                Err(Refusal::KeyIsTooLong { length, length_max: LENGTH_MAX }.into())
            }
            _ => Ok(Mode::Do(IdempotencyKey(key.to_owned()))),
        }
    }
}
