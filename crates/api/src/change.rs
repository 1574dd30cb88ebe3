//! The steps of every request that changes a member: load, decide, commit, answer.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use decide::{Context, Offer, TraceLine, offers};
use ledger::entry::Note;
use ledger::{Decision, DecisionData, Entry, Member, MemberId, Seq, Verb};
use rules::Bundle;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Answer, Failure, Fingerprint, MemberKey, Operation};

use crate::{Api, Caller, EntryView, Mode, Problem, Refusal, TraceView, Undecided};

/// The header that marks the answer to a repeated request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header that says which entries have undone the entry of a repeated request since, in whole
/// or in part. The body stays the first answer.
const REVERSED_BY: HeaderName = HeaderName::from_static("entry-reversed-by");

/// A request that changes a member.
#[derive(Debug)]
pub struct Change {
    verb: Verb,
    caller: Caller,
    member: MemberId,
    mode: Mode,
    fingerprint: Fingerprint,
    about: About,
}

/// What a request is about beside its member.
#[derive(Debug)]
enum About {
    Nothing,
    /// An activity, which is recognized by its id.
    Activity(ActivityName),
    /// An entry that the request undoes.
    Undone(Seq),
}

impl Change {
    /// A request that is recognized by its idempotency key. The same key under two verbs names two
    /// requests. `fingerprint` is that of the body.
    #[must_use]
    pub fn new(
        verb: Verb,
        caller: Caller,
        member: MemberId,
        mode: Mode,
        fingerprint: Fingerprint,
    ) -> Change {
        Change { verb, caller, member, mode, fingerprint, about: About::Nothing }
    }

    /// The same request, recognized by the activity's id.
    #[must_use]
    pub fn of_activity(self, activity: ActivityName) -> Change {
        Change { about: About::Activity(activity), ..self }
    }

    /// The same request, which undoes an entry. The answer to a repeat of that entry's request
    /// names it.
    #[must_use]
    pub fn undoing(self, entry: Seq) -> Change {
        Change { about: About::Undone(entry), ..self }
    }
}

/// What tells an activity from the others of a member: its type, and its id within the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityName {
    /// The type.
    pub kind: String,
    /// The id.
    pub id: String,
}

/// The answer: the entry, and the rewards that the member can have now.
#[derive(Serialize)]
struct AnswerBody<'a> {
    member: &'a MemberId,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    entry: EntryView<'a>,
    within_reach: Vec<String>,
    /// Every rule with its verdict, in a dry run of an earn.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<TraceView>>,
}

/// A decision and its trace.
#[derive(Debug)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// Every rule that was asked, for a dry run of an earn.
    pub trace: Option<Vec<TraceLine>>,
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Decided {
        Decided { decision, trace: None }
    }
}

/// Loads the merchant's rules and the member, decides, commits and answers. Every request that
/// changes a member goes through here.
///
/// # Errors
/// The request is refused, and nothing has changed; or it is busy, and its outcome may be unknown.
pub async fn change<D: Into<Decided>>(
    api: &Api,
    request: Change,
    decide: impl Fn(&Context<'_>, &Member) -> Result<D, Undecided>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&request.caller.merchant).await?;
    change_under(api, &bundle, request, decide).await
}

/// Like [`change()`], with rules that are loaded already.
///
/// # Errors
/// The request is refused, and nothing has changed; or it is busy, and its outcome may be unknown.
pub async fn change_under<D: Into<Decided>>(
    api: &Api,
    bundle: &Bundle,
    request: Change,
    decide: impl Fn(&Context<'_>, &Member) -> Result<D, Undecided>,
) -> Result<Response, Problem> {
    let Change { verb, caller, member, mode, fingerprint, about } = request;
    let at = MemberKey { merchant: caller.merchant, member };
    let (dry_run, now) = (mode == Mode::DryRun, api.clock.now());
    let decide = |member: Option<&Member>, data: &DecisionData| -> Result<_, Undecided> {
        let member = member.ok_or_else(|| Refusal::MemberIsUnknown(at.member.clone()))?;
        let Decided { decision, trace } = decide(&Context { bundle, data, now }, member)?.into();
        let body = AnswerBody {
            member: &at.member,
            dry_run,
            entry: EntryView::of(&decision.entry),
            within_reach: within_reach(&Context { bundle, data, now }, &decision),
            trace: trace.map(|lines| lines.iter().map(TraceView::of).collect()),
        };
        let answer = Answer {
            bundle: bundle.hash().to_string(),
            status: match verb {
                // Nothing is created by erasing.
                Verb::Erase => StatusCode::OK.as_u16(),
                _ => StatusCode::CREATED.as_u16(),
            },
            body: serde_json::value::to_raw_value(&body)
                .map_err(|error| Refusal::Internal(error.to_string()))?,
        };
        Ok((decision, answer))
    };
    let decide = |member: Option<&Member>, data: &DecisionData| {
        decide(member, data).map_err(store::Undecided::from)
    };
    match mode {
        Mode::DryRun => {
            let (_, answer) = api.store.consider(&at, decide).await??;
            Ok(respond(StatusCode::OK, &answer.body, false))
        }
        Mode::Do(key) => {
            let key = key.as_str();
            let operation = match &about {
                About::Nothing => Operation::new(verb, key, fingerprint),
                About::Activity(ActivityName { kind, id }) => {
                    Operation::of_activity(kind, id, key, fingerprint)
                }
                About::Undone(entry) => Operation::undoing(verb, key, *entry, fingerprint),
            };
            let done = api.store.perform(&at, &operation, decide).await;
            let done = done.map_err(|failure: Failure<Refusal>| match (failure, about) {
                (
                    Failure::ActivityIsKnownWithAnotherBody,
                    About::Activity(ActivityName { kind, id }),
                ) => Refusal::ActivityIsKnownWithAnotherBody { kind, id }.into(),
                (failure, _) => Problem::from(failure),
            })?;
            let status = StatusCode::from_u16(done.version.status).unwrap_or(StatusCode::CREATED);
            let (seq, replayed) = (done.version.entry.seq.get(), done.replayed);
            tracing::info!(member = %at, seq, replayed, "{verb} {at} entry {seq}");
            if !replayed {
                log_failures(&at, &done.version.entry);
            }
            let mut response = respond(status, &done.version.answer, replayed);
            let can_be_undone = matches!(verb, Verb::Earn | Verb::Redeem | Verb::Capture);
            if replayed && done.has_later && can_be_undone {
                let by = api.store.undone_by(&at, done.version.entry.seq).await?;
                let by: Vec<String> = by.iter().map(|seq| seq.get().to_string()).collect();
                if let (false, Ok(by)) = (by.is_empty(), HeaderValue::from_str(&by.join(", "))) {
                    response.headers_mut().insert(REVERSED_BY, by);
                }
            }
            Ok(response)
        }
    }
}

/// Logs the rules that failed, for the operator: only the merchant can mend them.
pub fn log_failures(member: &MemberKey, entry: &Entry) {
    for note in &entry.notes {
        if let Note::RuleFailed { rule, source, message } = note {
            let seq = entry.seq.get();
            tracing::error!(
                %member, seq, rule, source,
                "rule `{rule}` of {member} failed at {source} in entry {seq}: {message}"
            );
        }
    }
}

/// The names of the rewards that the member can have now. A reward whose rule fails is logged and
/// left out: only the merchant can fix it, and it must not fail the request.
fn within_reach(context: &Context<'_>, decision: &Decision) -> Vec<String> {
    let member = &decision.member;
    if member.erased_at.is_some() {
        return Vec::new();
    }
    // The offers are made for the member with its shared wallets, as they will be after the commit.
    let account =
        decision.account_after(member).or_else(|| context.data.account(member).ok().flatten());
    let member = context.view(member, account);
    let offers = offers(context.bundle, &member, member.tier(), context.now);
    let within_reach = |offer| match offer {
        Ok(offer) => Offer::within_reach(&offer).then_some(offer.name),
        Err(failure) => {
            tracing::error!("{failure}");
            None
        }
    };
    offers.into_iter().filter_map(within_reach).collect()
}

fn respond(status: StatusCode, body: &RawValue, replayed: bool) -> Response {
    let json = HeaderValue::from_static("application/json");
    let mut response = (status, [(CONTENT_TYPE, json)], body.get().to_owned()).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
