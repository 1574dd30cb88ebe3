//! Rewards: redeemed at once with `POST /v1/members/{id}/redeem`, or held at the till with `/holds`
//! and then captured or released.

use api::{Api, Caller, InPathOf, MemberRequest, Problem, Refusal, change, change_under};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use decide::{At, OrderBody, Redemption};
use ledger::hold::HoldRejection;
use ledger::{EntryKind, HoldId, Programme, Units, Verb};
use rules::Object;
use serde::Deserialize;
use store::{MemberKey, StoreError, Version};

/// The most characters of a reward's name, the same as in the sheets.
const REWARD_LENGTH_MAX: usize = 100;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/members/{id}/redeem", post(redeem))
        .route("/v1/members/{id}/holds", post(hold))
        .route("/v1/members/{id}/holds/{hold}/capture", post(capture))
        .route("/v1/members/{id}/holds/{hold}/release", post(release))
        .with_state(api)
}

/// The body of a redemption and of a hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a redemption")]
struct RedemptionBody {
    reward: String,
    /// The units to spend, for rewards whose price the member chooses.
    units: Option<i64>,
    /// The order that the reward is redeemed with, for rewards whose rule reads it.
    order: Option<Object<OrderBody>>,
    /// When it was redeemed, if that was before: at a till without a network.
    at: Option<At>,
}

/// The body of a capture.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a capture")]
struct CaptureBody {
    /// The units to capture of those held; all of them if not given.
    units: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a release, which has no fields")]
struct ReleaseBody {}

async fn redeem(
    State(api): State<Api>,
    request: MemberRequest<RedemptionBody>,
) -> Result<Response, Problem> {
    let (request, body) = request.change(Verb::Redeem);
    change(&api, request, |context, member| {
        let at = body.at.map(|at| at.0);
        let redemption = check(body.clone(), context.programme())?;
        Ok(decide::redeem(context, member, redemption, at)?)
    })
    .await
}

async fn hold(
    State(api): State<Api>,
    request: MemberRequest<RedemptionBody>,
) -> Result<Response, Problem> {
    let (request, body) = request.change(Verb::Hold);
    change(&api, request, |context, member| {
        if body.at.is_some() {
            let reason = "a hold begins when it is sent".to_owned();
            return Err(Refusal::FieldIsWrong { pointer: "/at".to_owned(), reason }.into());
        }
        let redemption = check(body.clone(), context.programme())?;
        Ok(decide::hold(context, member, redemption)?)
    })
    .await
}

async fn capture(
    State(api): State<Api>,
    request: MemberRequest<CaptureBody, Caller, InPathOf>,
) -> Result<Response, Problem> {
    let hold = HoldId::new(request.path.1.clone());
    let (request, body) = request.change(Verb::Capture);
    let request = request.of(hold.as_str());
    let at = request.member();
    let bundle = api.bundle(&at.merchant).await?;
    // The entry of a hold never changes, so it can be read before the decision.
    let Some(held) = version_of_hold(&api, at, &hold).await? else {
        let unknown = decide::Refusal::from(HoldRejection::HoldIsUnknown(hold));
        return Err(api.not_found(at, unknown.into()).await);
    };
    let judged_by = api.bundle_of(&at.merchant, &held.bundle).await?;
    change_under(&api, &bundle, request, |context, member| {
        let units = units(body.units)?;
        Ok(decide::capture(context, &judged_by, member, &held.entry, units)?)
    })
    .await
}

/// The version that a hold wrote; nothing if there is no such hold.
async fn version_of_hold(
    api: &Api,
    key: &MemberKey,
    hold: &HoldId,
) -> Result<Option<Version>, StoreError> {
    let Some(entry) = hold.entry() else { return Ok(None) };
    let found = match api.store.version(key, entry).await {
        // The person was erased, and the hold with it.
        Err(StoreError::Sealed { .. }) => None,
        found => found?,
    };
    let is_hold = |version: &Version| matches!(&version.entry.kind, EntryKind::Hold { hold: name, .. } if name == hold);
    Ok(found.filter(is_hold))
}

async fn release(
    State(api): State<Api>,
    request: MemberRequest<ReleaseBody, Caller, InPathOf>,
) -> Result<Response, Problem> {
    let hold = HoldId::new(request.path.1.clone());
    let (request, ReleaseBody {}) = request.change(Verb::Release);
    let request = request.of(hold.as_str());
    change(&api, request, |context, member| Ok(decide::release(context, member, &hold)?)).await
}

fn check(body: RedemptionBody, programme: &Programme) -> Result<Redemption, Refusal> {
    let RedemptionBody { reward, units: wanted, order, .. } = body;
    if reward.chars().count() > REWARD_LENGTH_MAX {
        let reason = format!("a reward's name has at most {REWARD_LENGTH_MAX} characters");
        return Err(Refusal::FieldIsWrong { pointer: "/reward".to_owned(), reason });
    }
    let units = units(wanted)?;
    let order = order.map(|Object(order)| order.check("/order", programme)).transpose()?;
    Ok(Redemption { reward, units, order })
}

fn units(wanted: Option<i64>) -> Result<Option<Units>, Refusal> {
    wanted.map(Units::new).transpose().map_err(|reason| Refusal::FieldIsWrong {
        pointer: "/units".to_owned(),
        reason: reason.to_string(),
    })
}
