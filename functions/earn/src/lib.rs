//! `POST /v1/members/{id}/earn`: records an activity of a member; the rules decide what it earns.

use api::{Api, Body, Caller, Change, Decided, InPath, Mode, Problem, change};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use decide::{ActivityBody, InputError, InputErrorReason};
use ledger::activity::REFERRAL;
use ledger::{Activity, Programme, Verb};

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
    let Body { value, fingerprint } = body;
    let (id, dry_run) = match &mode {
        Mode::Do(key) => (key.as_str().to_owned(), false),
        Mode::DryRun => ("dry-run".to_owned(), true),
    };
    let request = Change { verb: Verb::Earn, caller, member, mode, fingerprint };
    change(&api, request, |context, member| {
        // The activity is checked here and not earlier: a repeat gets its first answer even if the
        // programme has changed since and would refuse the activity now.
        let activity = value.clone().check(context.programme(), &id, context.now)?;
        comes_from_a_client(context.programme(), &activity)?;
        let decision = decide::earn(context, member, activity.clone())?;
        let trace = dry_run.then(|| decide::trace(context, member, &activity)).transpose()?;
        Ok(Decided { decision, trace })
    })
    .await
}

/// Refuses an activity that clients do not send: a referral, which a rule triggers, and a recurring
/// activity, which its day triggers.
fn comes_from_a_client(programme: &Programme, activity: &Activity) -> Result<(), InputError> {
    let kind = &activity.kind;
    let policy = programme.activities.get(kind);
    let reason = if kind == REFERRAL {
        "a referral is told by a rule of the friend's, with `refer()`".to_owned()
    } else if policy.is_some_and(|policy| policy.recurrence.is_some()) {
        format!("{kind} comes by itself, on its day; it is not told")
    } else {
        return Ok(());
    };
    Err(InputError { pointer: "/type".to_owned(), reason: InputErrorReason::Field(reason) })
}
