//! The steps of every request that changes a member: load, decide, commit, answer.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use decide::{Context, EarlierRules, Offer, TraceLine, offers};
use ledger::{Decision, DecisionData, Entry, FailedRule, Member, MemberId, Moment, Seq, Verb};
use rules::Bundle;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Answer, Failure, Fingerprint, MemberKey, Operation, Performed};

use crate::{Api, EntryView, Lacking, Mode, Problem, Refusal, TraceView, Undecided};

/// The header that marks the answer to a repeated request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header that says which entries have undone the entry of a repeated request since, in whole
/// or in part. The body stays the first answer.
const REVERSED_BY: HeaderName = HeaderName::from_static("entry-reversed-by");

/// A request that changes a member.
#[derive(Debug)]
pub struct Change {
    verb: Verb,
    member: MemberKey,
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
    /// An activity that puts another right, which may have its id.
    Replacing(ActivityName),
    /// An entry that the request undoes.
    Undone(Seq),
}

impl Change {
    /// A request that is recognized by its idempotency key. The same key under two verbs names two
    /// requests. `fingerprint` is that of the body.
    #[must_use]
    pub fn new(verb: Verb, member: MemberKey, mode: Mode, fingerprint: Fingerprint) -> Change {
        Change { verb, member, mode, fingerprint, about: About::Nothing }
    }

    /// The member to change.
    #[must_use]
    pub fn member(&self) -> &MemberKey {
        &self.member
    }

    /// The same request about one thing, such as a hold: about another, it is another request.
    #[must_use]
    pub fn of(self, thing: &str) -> Change {
        Change { fingerprint: self.fingerprint.about(thing), ..self }
    }

    /// The same request, recognized by the activity's id.
    #[must_use]
    pub fn of_activity(self, activity: ActivityName) -> Change {
        Change { about: About::Activity(activity), ..self }
    }

    /// The same request, of an activity that puts another right.
    #[must_use]
    pub fn replacing(self) -> Change {
        match self.about {
            About::Activity(activity) => Change { about: About::Replacing(activity), ..self },
            _ => self,
        }
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
    let bundle = api.bundle(&request.member.merchant).await?;
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
    let merchant = &request.member.merchant;
    let clock = api.clock.now();
    let mut earlier = api.earlier_rules(merchant);
    loop {
        let rules = Rules { bundle, earlier: &earlier };
        match attempt(api, rules, &request, clock, &decide).await {
            Ok(response) => return Ok(response),
            Err(lacking) => api.supply(merchant, lacking, &mut earlier).await?,
        }
    }
}

/// The rules in force, and earlier ones as far as they are loaded.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The rules in force.
    pub bundle: &'a Bundle,
    /// Earlier ones.
    pub earlier: &'a EarlierRules,
}

/// Does the request with the rules that are loaded.
async fn attempt<D: Into<Decided>>(
    api: &Api,
    rules: Rules<'_>,
    request: &Change,
    clock: Moment,
    decide: &impl Fn(&Context<'_>, &Member) -> Result<D, Undecided>,
) -> Result<Response, Lacking<Refusal>> {
    let Change { verb, member: at, mode, fingerprint, about } = request;
    let (verb, Rules { bundle, earlier }) = (*verb, rules);
    let dry_run = matches!(mode, Mode::DryRun);
    let decide = |member: Option<&Member>, data: &DecisionData| -> Result<_, Undecided> {
        let member = member.ok_or_else(|| Refusal::MemberIsUnknown(at.member.clone()))?;
        let context = Context { bundle, earlier, data, now: data.moment(member, clock) };
        let Decided { decision, trace } = decide(&context, member)?.into();
        let body = AnswerBody {
            member: &at.member,
            dry_run,
            entry: EntryView::of(&decision.entry),
            within_reach: within_reach(&context, &decision),
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
    let Mode::Do(key) = mode else {
        let (_, answer) = api.store.consider(at, decide).await.map_err(Refusal::from)??;
        return Ok(respond(StatusCode::OK, &answer.body, false));
    };
    let key = key.as_str();
    let fingerprint = fingerprint.clone();
    let operation = match about {
        About::Nothing => Operation::new(verb, key, fingerprint),
        About::Activity(ActivityName { kind, id }) => {
            Operation::of_activity(kind, id, key, fingerprint)
        }
        About::Replacing(ActivityName { kind, id }) => {
            Operation::of_activity(kind, id, key, fingerprint).replacing()
        }
        About::Undone(entry) => Operation::undoing(verb, key, *entry, fingerprint),
    };
    let done = api.store.perform(at, &operation, decide).await;
    let done = done.map_err(|failure| match (failure, about) {
        (Failure::ActivityIsKnownWithAnotherBody, About::Activity(ActivityName { kind, id })) => {
            let (kind, id) = (kind.clone(), id.clone());
            Refusal::ActivityIsKnownWithAnotherBody { kind, id }.into()
        }
        (failure, _) => Lacking::of(failure),
    })?;
    Ok(answered(api, at, verb, done).await?)
}

/// The response to a request that is done.
async fn answered(
    api: &Api,
    at: &MemberKey,
    verb: Verb,
    done: Performed,
) -> Result<Response, Refusal> {
    let status = StatusCode::from_u16(done.version.status).unwrap_or(StatusCode::CREATED);
    let (seq, replayed) = (done.version.entry.seq.get(), done.replayed);
    tracing::info!(member = %at, seq, replayed, "{verb} {at} entry {seq}");
    if !replayed {
        log_failures(at, &done.version.entry);
    }
    let mut response = respond(status, &done.version.answer, replayed);
    let can_be_undone = matches!(
        verb,
        Verb::Earn | Verb::Redeem | Verb::Capture | Verb::Adjust | Verb::Transfer | Verb::Reverse
    );
    if replayed && done.has_later && can_be_undone {
        let by = api.store.undone_by(at, done.version.entry.seq).await?;
        let by: Vec<String> = by.iter().map(|seq| seq.get().to_string()).collect();
        if let (false, Ok(by)) = (by.is_empty(), HeaderValue::from_str(&by.join(", "))) {
            response.headers_mut().insert(REVERSED_BY, by);
        }
    }
    Ok(response)
}

/// Logs the rules that failed, for the operator: only the merchant can mend them.
pub fn log_failures(member: &MemberKey, entry: &Entry) {
    for (seq, FailedRule { rule, source, message }) in entry.failures() {
        let seq = seq.get();
        tracing::error!(
            %member, seq, rule, source,
            "rule `{rule}` of {member} failed at {source} in entry {seq}: {message}"
        );
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
