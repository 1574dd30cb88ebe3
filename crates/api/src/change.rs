use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger::{Decision, Member, MemberId, Moment, Supplies};
use rules::{Bundle, Offer, TraceLine};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Answer, Failure, Fingerprint, MemberKey, Operation, Undecided};

use crate::{Api, Caller, EntryView, Mode, Problem, Refusal, TraceView};

/// The header of an answer that had been given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A request that changes a member.
#[derive(Debug)]
pub struct Change<'a> {
    /// Its name, which keeps the keys of different verbs apart.
    pub verb: &'static str,
    /// Who asks.
    pub caller: &'a Caller,
    /// Of whom.
    pub member: MemberId,
    /// Under which key, or only to see.
    pub mode: Mode,
    /// For what.
    pub fingerprint: Fingerprint,
    /// When.
    pub now: Moment,
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

/// Load, decide, commit, answer: the way of every request that changes a member. `decide` also hears
/// whether somebody only wants to see.
///
/// # Errors
/// The request is refused, and nothing has changed.
pub async fn change(
    api: &Api,
    bundle: &Bundle,
    change: Change<'_>,
    decide: impl Fn(&Member, &Supplies, bool) -> Result<Decided, Refusal>,
) -> Result<Response, Problem> {
    let Change { verb, caller, member, mode, fingerprint, now } = change;
    let at = MemberKey { merchant: caller.merchant.clone(), member };
    let dry_run = mode == Mode::DryRun;
    let decide = |member: Option<&Member>,
                  supplies: &Supplies|
     -> Result<(Decision, Answer), Undecided<Refusal>> {
        let member = member.ok_or_else(|| Refusal::MemberIsUnknown(at.member.clone()))?;
        let Decided { decision, trace } = decide(member, supplies, dry_run)?;
        let body = AnswerBody {
            member: &at.member,
            dry_run,
            entry: EntryView::of(&decision.entry),
            within_reach: within_reach(bundle, &decision, supplies, now),
            trace: trace.map(|lines| lines.iter().map(TraceView::of).collect()),
        };
        let answer = Answer {
            bundle: bundle.hash().to_string(),
            status: StatusCode::CREATED.as_u16(),
            body: serde_json::value::to_raw_value(&body)
                .map_err(|error| Refusal::AnswerIsUnwritable(error.to_string()))?,
        };
        Ok((decision, answer))
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
            let (seq, replayed) = (done.version.entry.seq, done.replayed);
            tracing::info!(member = %at, seq, replayed, "{verb} {at} entry {seq}");
            Ok(respond(status, &done.version.answer, replayed))
        }
    }
}

/// The rewards that the member can have now. It is told on the way: a reward whose rule fails is the
/// merchant's to mend, and does not stand in the way of what was asked.
fn within_reach(
    bundle: &Bundle,
    decision: &Decision,
    supplies: &Supplies,
    now: Moment,
) -> Vec<String> {
    let member = &decision.member;
    if member.erased_at.is_some() {
        return Vec::new();
    }
    // With the wallets that it shares, as they will be.
    let account =
        decision.account_after(member).or_else(|| supplies.account(member).ok().flatten());
    let member = bundle.viewed(member, account, now);
    let offers = bundle.offers(&member, member.tier(), now);
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
