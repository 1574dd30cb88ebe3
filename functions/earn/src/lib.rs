//! `POST /v1/members/{id}/earn`: a member did something, and the rules say what it pays.

use api::{Api, Body, Caller, Change, Decided, InPath, Mode, Problem, Refusal, change};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use rules::{ActivityBody, REFERRAL, Wrong, WrongReason};

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
    change(&api, &bundle, request, |member, supplies, dry_run| {
        // Checked here and not before: a repeat gets its first answer even where the programme has
        // changed since and would refuse it now.
        let activity = value.clone().check(bundle.programme(), &id, now)?;
        if activity.kind == REFERRAL {
            let reason = "a referral is told by a rule of the friend's, with `refer()`".to_owned();
            let reason = WrongReason::Field(reason);
            return Err(Refusal::Told(Wrong { pointer: "/type".to_owned(), reason }));
        }
        let policy = bundle.programme().activities.get(&activity.kind);
        if policy.is_some_and(|policy| policy.yearly.is_some()) {
            let kind = &activity.kind;
            let reason = format!("{kind} comes by itself, on its day; it is not told");
            let reason = WrongReason::Field(reason);
            return Err(Refusal::Told(Wrong { pointer: "/type".to_owned(), reason }));
        }
        let decision = bundle.earn(member, activity.clone(), supplies, now)?;
        let trace = dry_run.then(|| bundle.trace(member, &activity, supplies, now)).transpose()?;
        Ok(Decided { decision, trace })
    })
    .await
}
