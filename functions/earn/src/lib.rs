//! `POST /v1/members/{id}/earn`: records an activity of a member; the rules decide what it earns.

use api::{
    ActivityName, Api, Change, Decided, InPath, MemberRequest, Mode, Problem, Refusal, change_under,
};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use decide::{
    About, ActivityBody, ActivityEvent, InputError, InputErrorReason, ReturnedBody, ReversedPart,
    TakesBack, Undo,
};
use ledger::activity::REFERRAL;
use ledger::programme::FieldKind;
use ledger::{Activity, Entry, Programme, Verb, WalletPolicy};
use store::MemberKey;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new().route("/v1/members/{id}/earn", post(earn)).with_state(api)
}

async fn earn(
    State(api): State<Api>,
    MemberRequest { caller, path: InPath(member), mode, body }: MemberRequest<ActivityBody>,
) -> Result<Response, Problem> {
    let (id, dry_run) = match &mode {
        Mode::Do(key) => (key.as_str().to_owned(), false),
        Mode::DryRun => ("dry-run".to_owned(), true),
    };
    let bundle = api.bundle(&caller.merchant).await?;
    let policy = bundle.programme().activities.get(&body.value.kind());
    let kind_of = |field: &str| policy.and_then(|policy| policy.fields.get(field));
    let is_number = |kind: &FieldKind| matches!(kind, FieldKind::Amount | FieldKind::Integer);
    let fingerprint = body.fingerprint_of_activity(|field| kind_of(field).is_some_and(is_number));
    let value = body.value;
    let activity = name_of(bundle.programme(), &value, &id).map_err(Refusal::from)?;
    // If only the key tells activities apart, their ids are something that they say.
    let fingerprint = match (&activity, value.id(&id)) {
        (None, Ok(own)) => fingerprint.about(&own),
        _ => fingerprint,
    };
    let at = caller.member(member);
    let about = about(&api, bundle.programme(), &at, &value).await?;
    let replaced = replaced(&api, &at, &value).await?;
    let request = Change::new(Verb::Earn, at, mode, fingerprint);
    let request = match activity {
        Some(activity) => request.of_activity(activity),
        None => request,
    };
    let request = if replaced.is_some() { request.replacing() } else { request };
    change_under(&api, &bundle, request, |context, member| {
        // The activity is checked here and not earlier: a repeat gets its first answer even if the
        // programme has changed since and would refuse the activity now.
        let activity = value.clone().check(context.programme(), &id, context.now)?;
        comes_from_a_client(context.programme(), &activity)?;
        let event = event(&activity, &about);
        let undone = match &replaced {
            None => None,
            Some((entry, part)) => {
                let part = part.clone().check("/returns", context.programme())?;
                Some(Undo { part: part.map(ReversedPart::Order), ..Undo::of(entry) })
            }
        };
        let trace = || decide::trace(context, member, &activity, undone.as_slice());
        let trace = dry_run.then(trace).transpose()?;
        let decision = match undone {
            None => decide::earn(context, member, event)?,
            Some(undo) => decide::replace(context, member, event, undo)?,
        };
        Ok(Decided { decision, trace })
    })
    .await
}

fn event(activity: &Activity, about: &About) -> ActivityEvent {
    ActivityEvent { about: about.clone(), ..activity.clone().into() }
}

/// The entry of the purchase that this one takes back, and what of it comes back.
async fn replaced(
    api: &Api,
    member: &MemberKey,
    body: &ActivityBody,
) -> Result<Option<(Entry, ReturnedBody)>, Problem> {
    let takes_back = body.takes_back().map_err(Refusal::from)?;
    let Some(TakesBack { id, pointer, part }) = takes_back else { return Ok(None) };
    let kind = body.kind();
    let found = api.store.activity(member, &id, Some(&kind)).await?;
    match found {
        Some(found) => Ok(Some((found.entry, part))),
        None => Err(api.not_found(member, Refusal::ActivityIsUnknown { pointer, kind, id }).await),
    }
}

/// What is known of the activity that a delivery is about. A version never changes, so it can be
/// read before the decision. If the order comes in the meantime, its units are pending, and the
/// decision sees that.
async fn about(
    api: &Api,
    programme: &Programme,
    member: &MemberKey,
    body: &ActivityBody,
) -> Result<About, Problem> {
    let kind = body.kind();
    let waits = |policy: &WalletPolicy| policy.pending_until.as_ref() == Some(&kind);
    let Some(of) = body.of().filter(|_| programme.wallets.values().any(waits)) else {
        return Ok(About::Nothing);
    };
    let versions = api.store.activities(member, &of).await?;
    Ok(About::of(&kind, versions.into_iter().map(|version| version.entry)))
}

/// What tells the activity from others; nothing if the manifest says that ids of its type repeat, so
/// that only the key tells.
fn name_of(
    programme: &Programme,
    body: &ActivityBody,
    key: &str,
) -> Result<Option<ActivityName>, InputError> {
    let (kind, id) = (body.kind(), body.id(key)?);
    let policy = programme.activities.get(&kind);
    let repeats = policy.is_some_and(|policy| policy.ids_repeat);
    Ok((!repeats).then_some(ActivityName { kind, id }))
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
