//! Rewards: redeemed at once with `POST /v1/members/{id}/redeem`, or held at the till with `/holds`
//! and then captured or released.

use api::{
    Api, Body, Caller, Change, InPath, InPathOf, Mode, Problem, Refusal, change, change_under,
};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use decide::{OrderBody, Redemption};
use ledger::HoldId;
use ledger::{EntryKind, Programme, Units, Verb};
use rules::Object;
use serde::Deserialize;
use store::{MemberKey, StoreError, Version};

/// The most characters of a reward's name, the same as in the sheets.
const REWARD_LENGTH_MAX: usize = 100;

/// The code of the refusal that only the history of the member explains.
const HOLD_IS_UNKNOWN: &str = "hold_is_unknown";

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
    caller: Caller,
    InPath(member): InPath,
    mode: Mode,
    body: Body<RedemptionBody>,
) -> Result<Response, Problem> {
    let Body { value, fingerprint } = body;
    let request = Change {
        verb: Verb::Redeem,
        activity: None,
        undoes: None,
        caller,
        member,
        mode,
        fingerprint,
    };
    change(&api, request, |context, member| {
        let redemption = check(value.clone(), context.programme())?;
        Ok(decide::redeem(context, member, redemption)?)
    })
    .await
}

async fn hold(
    State(api): State<Api>,
    caller: Caller,
    InPath(member): InPath,
    mode: Mode,
    body: Body<RedemptionBody>,
) -> Result<Response, Problem> {
    let Body { value, fingerprint } = body;
    let request = Change {
        verb: Verb::Hold,
        activity: None,
        undoes: None,
        caller,
        member,
        mode,
        fingerprint,
    };
    change(&api, request, |context, member| {
        let redemption = check(value.clone(), context.programme())?;
        Ok(decide::hold(context, member, redemption)?)
    })
    .await
}

async fn capture(
    State(api): State<Api>,
    caller: Caller,
    InPathOf(member, hold): InPathOf,
    mode: Mode,
    body: Body<CaptureBody>,
) -> Result<Response, Problem> {
    let hold = HoldId::new(hold);
    let bundle = api.bundle(&caller.merchant).await?;
    let at = MemberKey { merchant: caller.merchant.clone(), member: member.clone() };
    // The entry of a hold never changes, so it can be read before the decision.
    let Some(held) = version_of_hold(&api, &at, &hold).await? else {
        return Err(no_hold(&api, &at, hold).await?.into());
    };
    let judged_by = api.bundle_of(&caller.merchant, &held.bundle).await?;
    let Body { value, fingerprint } = body;
    let fingerprint = fingerprint.about(hold.as_str());
    let request = Change {
        verb: Verb::Capture,
        activity: None,
        undoes: None,
        caller,
        member,
        mode,
        fingerprint,
    };
    let captured = change_under(&api, &bundle, request, |context, member| {
        let units = units(value.units)?;
        Ok(decide::capture(context, &judged_by, member, &held.entry, units)?)
    });
    match captured.await {
        Err(problem) if problem.code() == HOLD_IS_UNKNOWN => {
            Err(no_hold(&api, &at, hold).await?.into())
        }
        answer => answer,
    }
}

/// Why a member does not have a hold now: what became of it, if it ever was. An unknown or erased
/// member is reported before an unknown hold.
async fn no_hold(api: &Api, at: &MemberKey, hold: HoldId) -> Result<Refusal, StoreError> {
    match api.store.member(at).await? {
        None => return Ok(Refusal::MemberIsUnknown(at.member.clone())),
        Some(there) => {
            if let Err(erased) = there.present() {
                return Ok(Refusal::Decision(erased.into()));
            }
        }
    }
    let Some(held) = version_of_hold(api, at, &hold).await? else {
        return Ok(Refusal::HoldIsUnknown(hold));
    };
    let since = api.store.past(at, held.entry.seq).await?.entries;
    let became = since.iter().find_map(|later| match &later.kind {
        EntryKind::Capture { hold: of, .. } if *of == hold => {
            Some(Refusal::HoldWasCaptured { hold: hold.clone(), entry: later.seq })
        }
        EntryKind::Release { hold: of } if *of == hold => {
            Some(Refusal::HoldWasReleased { hold: hold.clone(), entry: later.seq })
        }
        _ => None,
    });
    Ok(match (became, held.entry.kind) {
        (Some(became), _) => became,
        (None, EntryKind::Hold { until, .. }) => Refusal::HoldHasExpired { hold, until },
        (None, _) => Refusal::HoldIsUnknown(hold),
    })
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
    caller: Caller,
    InPathOf(member, hold): InPathOf,
    mode: Mode,
    body: Body<ReleaseBody>,
) -> Result<Response, Problem> {
    let hold = HoldId::new(hold);
    let fingerprint = body.fingerprint.about(hold.as_str());
    let at = MemberKey { merchant: caller.merchant.clone(), member: member.clone() };
    let request = Change {
        verb: Verb::Release,
        activity: None,
        undoes: None,
        caller,
        member,
        mode,
        fingerprint,
    };
    let released =
        change(&api, request, |context, member| Ok(decide::release(context, member, &hold)?));
    match released.await {
        Err(problem) if problem.code() == HOLD_IS_UNKNOWN => {
            Err(no_hold(&api, &at, hold).await?.into())
        }
        answer => answer,
    }
}

fn check(body: RedemptionBody, programme: &Programme) -> Result<Redemption, Refusal> {
    let RedemptionBody { reward, units: wanted, order } = body;
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
