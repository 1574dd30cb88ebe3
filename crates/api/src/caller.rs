//! The caller, and the merchant it calls for: from the claims of a verified token, or from a
//! stand-in token on a laptop.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use lambda_http::request::RequestContext;
use ledger::{MemberId, MerchantId};
use store::MemberKey;

use crate::identity::{Identity, TOKEN_PREFIX};
use crate::{Api, Problem, Refusal};

const READ: &str = "regulars/read";
const WRITE: &str = "regulars/write";
const MANAGE: &str = "regulars/manage";

/// The caller: a merchant's system with the scope that the request's method needs. The merchant
/// comes from the token, never from the path or the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The merchant whose members the caller may read and change.
    pub merchant: MerchantId,
    manages: bool,
}

impl Caller {
    /// The key of one of the merchant's members.
    #[must_use]
    pub fn member(&self, member: MemberId) -> MemberKey {
        MemberKey { merchant: self.merchant.clone(), member }
    }

    /// Checks that the caller also has the scope `regulars/manage`, which some bodies of a request
    /// need.
    ///
    /// # Errors
    /// It has not.
    pub fn manages(&self) -> Result<(), Problem> {
        match self.manages {
            true => Ok(()),
            false => Err(Refusal::ScopeIsMissing(MANAGE).into()),
        }
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Caller, Problem> {
        caller(parts, api, if parts.method.is_safe() { READ } else { WRITE })
    }
}

/// A caller with the scope `regulars/manage`, for requests that no rule decides: adjust, transfer,
/// join, leave and erase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager(pub Caller);

impl FromRequestParts<Api> for Manager {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Manager, Problem> {
        caller(parts, api, MANAGE).map(Manager)
    }
}

fn caller(parts: &Parts, api: &Api, needed: &'static str) -> Result<Caller, Problem> {
    let (merchant, scope) = claims(parts)
        .or_else(|| stand_in(parts).filter(|_| api.identity == Identity::Development))
        .ok_or(Refusal::CallerIsUnknown)?;
    let has = |wanted: &str| scope.split_whitespace().any(|scope| scope == wanted);
    if !has(needed) {
        return Err(Refusal::ScopeIsMissing(needed).into());
    }
    let merchant = MerchantId::parse(&merchant).map_err(|_| Refusal::CallerIsUnknown)?;
    Ok(Caller { merchant, manages: has(MANAGE) })
}

/// The claims `merchant` and `scope` of a verified token.
fn claims(parts: &Parts) -> Option<(String, String)> {
    let RequestContext::ApiGatewayV2(context) = parts.extensions.get::<RequestContext>()? else {
        return None;
    };
    let claims = &context.authorizer.as_ref()?.jwt.as_ref()?.claims;
    Some((claims.get("merchant")?.clone(), claims.get("scope").cloned().unwrap_or_default()))
}

fn stand_in(parts: &Parts) -> Option<(String, String)> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let merchant = header.strip_prefix("Bearer ")?.strip_prefix(TOKEN_PREFIX)?;
    Some((merchant.to_owned(), format!("{READ} {WRITE} {MANAGE}")))
}
