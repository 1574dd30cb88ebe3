//! `POST /v1/members/{id}/earn`: a member did something, and the rules say what it pays.

use api::{ActivityBody, Api, Body, Caller, Change, InPath, Mode, Problem, Refusal, change};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use ledger::{Activity, Decision, Member, Moment};
use rules::Bundle;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new().route("/v1/members/{id}/earn", post(earn)).with_state(api)
}

async fn earn(
    State(api): State<Api>,
    caller: Caller,
    InPath(member): InPath,
    mode: Mode,
    body: Body<ActivityBody>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let now = api.clock.now();
    let Body { value, fingerprint } = body;
    let id = match &mode {
        Mode::Do(key) => key.as_str().to_owned(),
        Mode::DryRun => "dry-run".to_owned(),
    };
    let request = Change { verb: "earn", caller: &caller, member, mode, fingerprint, now };
    change(&api, &bundle, request, |member| {
        // Checked here and not before: a repeat gets its first answer even where the programme has
        // changed since and would refuse it now.
        let activity = value.clone().check(bundle.programme(), &id, now)?;
        decide(&bundle, member, activity, now)
    })
    .await
}

/// What the activity pays the member: pure, so that a simulation asks the same question.
///
/// # Errors
/// The activity's date makes no sense, or a rule failed.
pub fn decide(
    bundle: &Bundle,
    member: &Member,
    activity: Activity,
    now: Moment,
) -> Result<Decision, Refusal> {
    ledger::earn::admit(member, &activity, now)?;
    let because = bundle.earn(member, &activity, now)?;
    Ok(ledger::earn::decide(member, bundle.programme(), activity, because, now)?)
}
