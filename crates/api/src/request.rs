//! The parts of a request that changes a member, taken out in one order, so that every route names
//! the same of two faults: the caller, the path, the query and the key, the body.

use axum::extract::{FromRequest, FromRequestParts, Request};
use ledger::{MemberId, Verb};
use serde::de::DeserializeOwned;

use crate::{Api, Body, Caller, Change, InPath, InPathOf, Manager, Mode, Problem};

/// A request that changes a member. `C` is the caller that the route needs, a [`Caller`] or a
/// [`Manager`]; `P` is what the path names, a member or a member and a hold.
#[derive(Debug)]
pub struct MemberRequest<B, C = Caller, P = InPath> {
    /// The caller.
    pub caller: C,
    /// What the path names.
    pub path: P,
    /// Whether to perform it or to try it out.
    pub mode: Mode,
    /// The body.
    pub body: Body<B>,
}

impl<B, C: Into<Caller>, P: Into<MemberId>> MemberRequest<B, C, P> {
    /// The change that it asks for, and what its body says.
    #[must_use]
    pub fn change(self, verb: Verb) -> (Change, B) {
        let MemberRequest { caller, path, mode, body } = self;
        let (body, fingerprint) = body.with_fingerprint();
        (Change::new(verb, caller.into().member(path.into()), mode, fingerprint), body)
    }
}

impl<B, C, P> FromRequest<Api> for MemberRequest<B, C, P>
where
    B: DeserializeOwned,
    C: FromRequestParts<Api, Rejection = Problem> + Send,
    P: FromRequestParts<Api, Rejection = Problem> + Send,
{
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = C::from_request_parts(&mut parts, api).await?;
        let path = P::from_request_parts(&mut parts, api).await?;
        let mode = Mode::from_request_parts(&mut parts, api).await?;
        let body = Body::from_request(Request::from_parts(parts, body), api).await?;
        Ok(MemberRequest { caller, path, mode, body })
    }
}

impl From<Manager> for Caller {
    fn from(Manager(caller): Manager) -> Caller {
        caller
    }
}

impl From<InPath> for MemberId {
    fn from(InPath(member): InPath) -> MemberId {
        member
    }
}

impl From<InPathOf> for MemberId {
    fn from(InPathOf(member, _): InPathOf) -> MemberId {
        member
    }
}
