//! A member takes a reward: at once with `POST /v1/members/{id}/redeem`, or set aside at the till with
//! `/holds` and then captured or released.

use api::{Api, Body, Caller, Change, Decided, InPath, InPathOf, Mode, Problem, Refusal, change};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use ledger::erase::present;
use ledger::{Decision, Member, MemberId, Moment, Programme, Supplies, Units, What};
use rules::{Bundle, Object, OrderBody, Redemption, Refused};
use serde::Deserialize;
use store::{MemberKey, StoreError};

/// The most characters of a reward's name, as in the sheets.
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

/// What is taken, as a client writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a redemption")]
struct RedemptionBody {
    reward: String,
    /// How many units, for rewards whose price the member chooses.
    units: Option<i64>,
    /// The order it is taken with, for rewards that look at it.
    order: Option<Object<OrderBody>>,
}

/// What is captured, as a client writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a capture")]
struct CaptureBody {
    /// How many of the units that are set aside; all if nothing.
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
    take(&api, "redeem", Bundle::redeem, &caller, member, mode, body).await
}

async fn hold(
    State(api): State<Api>,
    caller: Caller,
    InPath(member): InPath,
    mode: Mode,
    body: Body<RedemptionBody>,
) -> Result<Response, Problem> {
    take(&api, "hold", Bundle::hold, &caller, member, mode, body).await
}

/// How a reward is taken: at once, or set aside.
type Taking = fn(&Bundle, &Member, Redemption, &Supplies, Moment) -> Result<Decision, Refused>;

async fn take(
    api: &Api,
    verb: &'static str,
    taking: Taking,
    caller: &Caller,
    member: MemberId,
    mode: Mode,
    body: Body<RedemptionBody>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let now = api.clock.now();
    let Body { value, fingerprint } = body;
    let request = Change { verb, caller, member, mode, fingerprint, now };
    change(api, &bundle, request, |member, supplies, _| {
        let redemption = check(value.clone(), bundle.programme())?;
        let decision = taking(&bundle, member, redemption, supplies, now)?;
        Ok(Decided { decision, trace: None })
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
    let bundle = api.bundle(&caller.merchant).await?;
    let at = MemberKey { merchant: caller.merchant.clone(), member: member.clone() };
    // What was set aside never changes, so it can be looked at before anything is decided.
    let entry = hold.rsplit('.').next().and_then(|number| number.parse().ok());
    let found = match entry {
        Some(entry) => match api.store.version(&at, entry).await {
            // Its person has been forgotten, and what was set aside with it.
            Err(StoreError::Sealed { .. }) => None,
            found => found?,
        },
        None => None,
    };
    let found = found.filter(
        |version| matches!(&version.entry.what, What::Hold { hold: name, .. } if *name == hold),
    );
    let Some(set_aside) = found else {
        // A member that there is not is told before a hold that there is not.
        return Err(match api.store.member(&at).await? {
            None => Refusal::MemberIsUnknown(member).into(),
            Some(there) => match present(&there) {
                Err(erased) => Refusal::from(Refused::from(erased)).into(),
                Ok(()) => Refusal::HoldIsUnknown(hold).into(),
            },
        });
    };
    let by = api.bundle_of(&caller.merchant, &set_aside.bundle).await?;
    let now = api.clock.now();
    let Body { value, fingerprint } = body;
    let fingerprint = fingerprint.about(&hold);
    let request = Change { verb: "capture", caller: &caller, member, mode, fingerprint, now };
    change(&api, &bundle, request, |member, supplies, _| {
        let units = units(value.units)?;
        let entry = &set_aside.entry;
        let decision = bundle.capture(&by, member, entry, units, supplies, now)?;
        Ok(Decided { decision, trace: None })
    })
    .await
}

async fn release(
    State(api): State<Api>,
    caller: Caller,
    InPathOf(member, hold): InPathOf,
    mode: Mode,
    body: Body<ReleaseBody>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let now = api.clock.now();
    let fingerprint = body.fingerprint.about(&hold);
    let request = Change { verb: "release", caller: &caller, member, mode, fingerprint, now };
    change(&api, &bundle, request, |member, supplies, _| {
        let decision = bundle.release(member, &hold, supplies, now)?;
        Ok(Decided { decision, trace: None })
    })
    .await
}

fn check(body: RedemptionBody, programme: &Programme) -> Result<Redemption, Refusal> {
    let RedemptionBody { reward, units: told, order } = body;
    if reward.chars().count() > REWARD_LENGTH_MAX {
        let reason = format!("a reward's name has at most {REWARD_LENGTH_MAX} characters");
        return Err(Refusal::FieldIsWrong { pointer: "/reward".to_owned(), reason });
    }
    let units = units(told)?;
    let order = order.map(|Object(order)| order.check("/order", programme)).transpose()?;
    Ok(Redemption { reward, units, order })
}

fn units(told: Option<i64>) -> Result<Option<Units>, Refusal> {
    told.map(Units::new).transpose().map_err(|reason| Refusal::FieldIsWrong {
        pointer: "/units".to_owned(),
        reason: reason.to_string(),
    })
}
