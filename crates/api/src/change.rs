use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use decide::{Context, Offer, TraceLine, offers};
use ledger::{Decision, DecisionData, Member, MemberId, Verb};
use rules::Bundle;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Answer, Failure, Fingerprint, MemberKey, Operation};

use crate::{Api, Caller, EntryView, Mode, Problem, Refusal, TraceView, Undecided};

/// The header of an answer that had been given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A request that changes a member.
#[derive(Debug)]
pub struct Change {
    /// Its name, which keeps the keys of different verbs apart.
    pub verb: Verb,
    /// Who asks.
    pub caller: Caller,
    /// Of whom.
    pub member: MemberId,
    /// Under which key, or only to see.
    pub mode: Mode,
    /// For what.
    pub fingerprint: Fingerprint,
}

/// The answer: the entry, and what the member can have now, which is the moment to tell it.
#[derive(Serialize)]
struct AnswerBody<'a> {
    member: &'a MemberId,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    entry: EntryView<'a>,
    within_reach: Vec<String>,
    /// Of a dry run: every rule, and what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<TraceView>>,
}

/// What was decided, and why.
#[derive(Debug)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// Every rule that was asked, where someone wants to see it.
    pub trace: Option<Vec<TraceLine>>,
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Decided {
        Decided { decision, trace: None }
    }
}

/// Load, decide, commit, answer: the way of every request that changes a member.
///
/// # Errors
/// The request is refused, and nothing has changed.
pub async fn change<D: Into<Decided>>(
    api: &Api,
    request: Change,
    decide: impl Fn(&Context<'_>, &Member) -> Result<D, Undecided>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&request.caller.merchant).await?;
    change_under(api, &bundle, request, decide).await
}

/// The same under rules that have been loaded before.
///
/// # Errors
/// The request is refused, and nothing has changed.
pub async fn change_under<D: Into<Decided>>(
    api: &Api,
    bundle: &Bundle,
    request: Change,
    decide: impl Fn(&Context<'_>, &Member) -> Result<D, Undecided>,
) -> Result<Response, Problem> {
    let Change { verb, caller, member, mode, fingerprint } = request;
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
            status: StatusCode::CREATED.as_u16(),
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
            let operation = Operation::new(verb, key.as_str(), fingerprint);
            let done = api.store.perform(&at, &operation, decide).await;
            let done = done.map_err(|failure: Failure<Refusal>| Problem::from(failure))?;
            let status = StatusCode::from_u16(done.version.status).unwrap_or(StatusCode::CREATED);
            let (seq, replayed) = (done.version.entry.seq.get(), done.replayed);
            tracing::info!(member = %at, seq, replayed, "{verb} {at} entry {seq}");
            Ok(respond(status, &done.version.answer, replayed))
        }
    }
}

/// The rewards that the member can have now. It is told on the way: a reward whose rule fails is the
/// merchant's to mend, and does not stand in the way of what was asked.
fn within_reach(context: &Context<'_>, decision: &Decision) -> Vec<String> {
    let member = &decision.member;
    if member.erased_at.is_some() {
        return Vec::new();
    }
    // With the wallets that it shares, as they will be.
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
