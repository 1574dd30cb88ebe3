//! The header `Idempotency-Key` and the parameter `dry_run`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;

use crate::{Api, InQuery, Problem, Refusal};

/// The most characters of a key: as many as an id has, since a key is the id of an activity that
/// has none of its own.
const LENGTH_MAX: usize = ledger::text::TEXT_LENGTH_MAX;

/// The client's name for one request. A repeat is recognized by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub(crate) String);

impl IdempotencyKey {
    /// The key of a request that can succeed only once per member, such as erasing it.
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

/// Whether a request is performed or only tried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Perform the request, once for this key.
    Do(IdempotencyKey),
    /// Answer as if the request were performed, and write nothing: `?dry_run=true`. It needs no
    /// key.
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
        let key = header.to_str().ok().filter(|key| !key.contains(char::is_control));
        let key = key.ok_or(Refusal::KeyIsNotPlain)?;
        match key.len() {
            0 => Err(Refusal::KeyIsMissing.into()),
            length if length > LENGTH_MAX => {
                Err(Refusal::KeyIsTooLong { length, length_max: LENGTH_MAX }.into())
            }
            _ if key.trim().is_empty() => Err(Refusal::KeyIsMissing.into()),
            _ => Ok(Mode::Do(IdempotencyKey(key.to_owned()))),
        }
    }
}
