//! The requests that no rule decides and that need the scope `regulars/manage`: adjusting and
//! transferring units, joining and leaving an account, and erasing a person.

use api::{
    Api, Change, IdempotencyKey, InPath, InQuery, Manager, MemberRequest, Mode, NoQuery, Problem,
    Refusal, change,
};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, post};
use decide::At;
use ledger::adjust::{Adjustment, Transfer};
use ledger::text::parse_text;
use ledger::{MemberId, Units, Verb};
use serde::Deserialize;
use store::Fingerprint;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/members/{id}", delete(erase))
        .route("/v1/members/{id}/adjust", post(adjust))
        .route("/v1/members/{id}/transfer", post(transfer))
        .route("/v1/members/{id}/join", post(join))
        .route("/v1/members/{id}/leave", post(leave))
        .with_state(api)
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an adjustment")]
struct AdjustmentBody {
    wallet: Option<String>,
    /// Units given if positive, taken if negative.
    units: i64,
    reason: String,
    author: String,
    /// When it happened, if that was before.
    at: Option<At>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a transfer")]
struct TransferBody {
    to: String,
    wallet: Option<String>,
    units: i64,
    reason: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an account to join")]
struct JoinBody {
    account: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a leave, which has no fields")]
struct LeaveBody {}

async fn adjust(
    State(api): State<Api>,
    request: MemberRequest<AdjustmentBody, Manager>,
) -> Result<Response, Problem> {
    let (request, body) = request.change(Verb::Adjust);
    change(&api, request, |context, member| {
        let AdjustmentBody { wallet, units, reason, author, at } = body.clone();
        let (reason, author) = (text("/reason", &reason)?, text("/author", &author)?);
        let adjustment = Adjustment { wallet, units, reason, author };
        Ok(decide::adjust(context, member, adjustment, at.map(|at| at.0))?)
    })
    .await
}

async fn transfer(
    State(api): State<Api>,
    request: MemberRequest<TransferBody, Manager>,
) -> Result<Response, Problem> {
    let (request, body) = request.change(Verb::Transfer);
    change(&api, request, |context, member| {
        let TransferBody { to, wallet, units, reason } = body.clone();
        let units = Units::new(units).map_err(|reason| Refusal::FieldIsWrong {
            pointer: "/units".to_owned(),
            reason: reason.to_string(),
        })?;
        let reason = reason.map(|reason| text("/reason", &reason)).transpose()?;
        let transfer = Transfer { to: name("/to", &to)?, wallet, units, reason };
        Ok(decide::transfer(context, member, &transfer)?)
    })
    .await
}

async fn join(
    State(api): State<Api>,
    request: MemberRequest<JoinBody, Manager>,
) -> Result<Response, Problem> {
    let (request, body) = request.change(Verb::Join);
    change(&api, request, |context, member| {
        let account = name("/account", &body.account)?;
        Ok(decide::join(context, member, &account)?)
    })
    .await
}

async fn leave(
    State(api): State<Api>,
    request: MemberRequest<LeaveBody, Manager>,
) -> Result<Response, Problem> {
    let (request, LeaveBody {}) = request.change(Verb::Leave);
    change(&api, request, |context, member| Ok(decide::leave(context, member)?)).await
}

/// Erases a person. A person can be erased only once, so a repeat is recognized without a key.
async fn erase(
    State(api): State<Api>,
    Manager(caller): Manager,
    InPath(member): InPath,
    _: InQuery<NoQuery>,
) -> Result<Response, Problem> {
    let mode = Mode::Do(IdempotencyKey::only());
    let fingerprint = Fingerprint::of(&serde_json::Value::Null);
    let request = Change::new(Verb::Erase, caller.member(member), mode, fingerprint);
    change(&api, request, |context, member| Ok(decide::erase(context, member)?)).await
}

fn name(pointer: &str, text: &str) -> Result<MemberId, Refusal> {
    MemberId::parse(text)
        .map_err(|reason| Refusal::MemberIdIsWrong { pointer: Some(pointer.to_owned()), reason })
}

fn text(pointer: &str, text: &str) -> Result<String, Refusal> {
    parse_text(text).map_err(|reason| Refusal::FieldIsWrong {
        pointer: pointer.to_owned(),
        reason: reason.to_string(),
    })
}
