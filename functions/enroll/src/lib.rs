//! `POST /v1/members`: enrols a person as a member.
//!
//! The client chooses the member's id, so a repeat needs no idempotency key to be harmless: the
//! same data get the first answer again, other data get a 409.

use std::collections::{BTreeMap, BTreeSet};

use api::{Api, Body, Caller, InQuery, NoQuery, Problem, Refusal};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::NaiveDate;
use decide::escape;
use ledger::enroll::Enrolment;
use ledger::text::compared;
use ledger::{Member, MemberId, MemberIsErased, Moment, Programme};
use serde::{Deserialize, Serialize};
use store::{Enrolled, MemberKey};

/// The most attributes of a member, and the most characters of their names and values. They are
/// limited since every request reads them.
const ATTRIBUTES_MAX: usize = 10;
const ATTRIBUTE_NAME_LENGTH_MAX: usize = 30;
const ATTRIBUTE_LENGTH_MAX: usize = 64;
/// The most tags of a member, and the most characters of one.
const TAGS_MAX: usize = 20;
const TAG_LENGTH_MAX: usize = 30;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new().route("/v1/members", post(enroll)).with_state(api)
}

/// The body of an enrolment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an enrolment")]
struct EnrolmentBody {
    id: String,
    attributes: Option<BTreeMap<String, String>>,
    tags: Option<BTreeSet<String>>,
    /// The referrer: the member who brought the person.
    referred_by: Option<String>,
}

/// The answer. It has only data that never change, so that it is the same at every repeat.
#[derive(Debug, Serialize)]
struct AnswerBody {
    member: MemberId,
    enrolled_at: Moment,
}

async fn enroll(
    State(api): State<Api>,
    caller: Caller,
    _: InQuery<NoQuery>,
    body: Body<EnrolmentBody>,
) -> Result<Response, Problem> {
    // A merchant without rules has no programme to join.
    let bundle = api.bundle(&caller.merchant).await?;
    let fingerprint = body.fingerprint();
    let enrolment = check(body.value, bundle.programme())?;
    let at = caller.member(enrolment.id.clone());
    if let Some(referrer) = &enrolment.referred_by
        && let Err(refusal) = may_refer(&api, &at, referrer).await?
    {
        // A repeat gets its first answer, whatever has become of the referrer since.
        let before = api.store.enrolled(&at, &fingerprint).await?;
        return before.map(|member| respond(member, true)).ok_or_else(|| refusal.into());
    }
    let now = api.clock.now();
    let due_at = decide::due_at(&bundle, &ledger::enroll::decide(enrolment.clone(), now), now);
    match api.store.enroll(&at, enrolment, fingerprint, due_at, now).await? {
        Enrolled::New(member) => {
            tracing::info!(member = %at, "enroll {at}");
            Ok(respond(member, false))
        }
        Enrolled::Before(member) => Ok(respond(member, true)),
        Enrolled::NameIsTaken => Err(Refusal::MemberIdIsTaken(at.member).into()),
        Enrolled::IsErased => Err(Refusal::Decision(MemberIsErased(at.member).into()).into()),
    }
}

/// Whether a member can have brought another one.
async fn may_refer(
    api: &Api,
    brought: &MemberKey,
    referrer: &MemberId,
) -> Result<Result<(), Refusal>, Problem> {
    let at = MemberKey { merchant: brought.merchant.clone(), member: referrer.clone() };
    let known = api.store.member(&at).await?.filter(|_| *referrer != brought.member);
    let Some(known) = known else {
        return Ok(Err(Refusal::ReferrerIsUnknown(referrer.clone())));
    };
    Ok(known.present().map_err(|_| Refusal::ReferrerIsErased(referrer.clone())))
}

fn respond(member: Member, replayed: bool) -> Response {
    let body = AnswerBody { member: member.id, enrolled_at: member.enrolled_at };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if replayed {
        let header = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(header, HeaderValue::from_static("true"));
    }
    response
}

fn check(body: EnrolmentBody, programme: &Programme) -> Result<Enrolment, Refusal> {
    let wrong = |pointer: String, reason: String| Err(Refusal::FieldIsWrong { pointer, reason });
    let id = MemberId::parse(&body.id)
        .map_err(|reason| Refusal::MemberIdIsWrong { pointer: Some("/id".to_owned()), reason })?;
    let attributes = body.attributes.unwrap_or_default();
    let attributes: BTreeMap<String, String> =
        attributes.iter().map(|(name, value)| (compared(name), compared(value))).collect();
    let tags: BTreeSet<String> = body.tags.iter().flatten().map(|tag| compared(tag)).collect();
    if attributes.len() > ATTRIBUTES_MAX {
        let reason = format!("there are {}, and {ATTRIBUTES_MAX} are allowed", attributes.len());
        return wrong("/attributes".to_owned(), reason);
    }
    for (name, value) in &attributes {
        if !fits(name, ATTRIBUTE_NAME_LENGTH_MAX) || !fits(value, ATTRIBUTE_LENGTH_MAX) {
            let reason = format!(
                "a name has 1 to {ATTRIBUTE_NAME_LENGTH_MAX} characters and a value 1 to \
                 {ATTRIBUTE_LENGTH_MAX}"
            );
            return wrong(format!("/attributes/{}", escape(name)), reason);
        }
    }
    for name in programme.dates() {
        if attributes.get(name).is_some_and(|day| day.parse::<NaiveDate>().is_err()) {
            let reason = format!("`{name}` is a date such as \"1990-05-17\"");
            return wrong(format!("/attributes/{}", escape(name)), reason);
        }
    }
    let referred_by = body.referred_by.as_deref().map(MemberId::parse).transpose();
    let referred_by = referred_by.map_err(|reason| Refusal::MemberIdIsWrong {
        pointer: Some("/referred_by".to_owned()),
        reason,
    })?;
    if tags.len() > TAGS_MAX || !tags.iter().all(|tag| fits(tag, TAG_LENGTH_MAX)) {
        let reason = format!("at most {TAGS_MAX} tags of 1 to {TAG_LENGTH_MAX} characters");
        return wrong("/tags".to_owned(), reason);
    }
    Ok(Enrolment { id, attributes, tags, referred_by })
}

fn fits(text: &str, length_max: usize) -> bool {
    (1..=length_max).contains(&text.chars().count())
}
