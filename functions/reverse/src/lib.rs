//! `POST /v1/members/{id}/reverse`: reverses an earlier request. Reversing a purchase takes back
//! what it earned, in whole or by line; reversing a redemption or a capture gives its units back.

use api::{Api, MemberRequest, Problem, Refusal, change_under};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use decide::{About, Amount, ReturnedBody, ReturnedLineBody, Reversal, ReversedPart};
use ledger::activity::PURCHASE;
use ledger::text::compared;
use ledger::{Entry, EntryKind, Programme, Units, Verb};
use rules::Object;
use serde::Deserialize;
use store::{Fingerprint, MemberKey, Operation, Version};

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new().route("/v1/members/{id}/reverse", post(reverse)).with_state(api)
}

/// The body of a reversal: the key of the request to reverse, and the part of its order that came
/// back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a reversal")]
struct ReversalBody {
    /// The key or the id of an earn.
    earn: Option<String>,
    /// The type of that earn, if it is no purchase and a purchase has the same id.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The id of a purchase.
    order: Option<String>,
    /// The key of a redemption.
    redeem: Option<String>,
    /// The key of a capture.
    capture: Option<String>,
    /// The key of an adjustment.
    adjust: Option<String>,
    /// The key of a transfer, at the member that gave the units.
    transfer: Option<String>,
    /// The key of a reversal: what it took back has happened after all.
    reverse: Option<String>,
    /// The pieces of the order that came back. Without `lines`, `refund` and `units`, all that is left
    /// came back.
    lines: Option<Vec<Object<ReturnedLineBody>>>,
    /// The amount that was refunded; the price of the pieces if not given.
    refund: Option<Amount>,
    /// The units of a redemption or a capture that come back.
    units: Option<i64>,
}

async fn reverse(
    State(api): State<Api>,
    request: MemberRequest<ReversalBody>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&request.caller.merchant).await?;
    let (verb, key) = undone(&request.body.value)?;
    if matches!(verb, Verb::Adjust | Verb::Transfer | Verb::Reverse) {
        request.caller.manages()?;
    }
    let (request, body) = request.change(Verb::Reverse);
    let at = request.member();
    // A version never changes, so it can be read before the decision.
    let done = match verb {
        Verb::Earn if body.order.is_some() => {
            let all = api.store.activities(at, &key).await?.into_iter().filter(is_purchase);
            all.max_by_key(|version| version.entry.seq)
        }
        Verb::Earn => api.store.activity(at, &key, body.kind.as_deref()).await?,
        _ => {
            let done = Operation::new(verb, &key, Fingerprint::of(&serde_json::Value::Null));
            api.store.done(at, &done).await?
        }
    };
    let Some(done) = done else {
        let unknown = match (body.order, body.kind) {
            (Some(id), _) => {
                let kind = PURCHASE.to_owned();
                Refusal::ActivityIsUnknown { pointer: "/order", kind, id }
            }
            (None, Some(kind)) => Refusal::ActivityIsUnknown { pointer: "/earn", kind, id: key },
            (None, None) => Refusal::EntryIsUnknown { verb, key },
        };
        return Err(api.not_found(at, unknown).await);
    };
    let (entry, about) = (done.entry.seq, about(&api, at, &done.entry).await?);
    let request = request.undoing(entry);
    change_under(&api, &bundle, request, |context, member| {
        let part = part(body.clone(), context.programme())?;
        let reversal = Reversal::of(&done.entry, part, about.clone());
        Ok(decide::reverse(context, member, &reversal)?)
    })
    .await
}

/// What is known of the order that a delivery is about: without the delivery, later ones let go
/// another share of it.
async fn about(api: &Api, member: &MemberKey, entry: &Entry) -> Result<About, Problem> {
    let EntryKind::Earn { activity } = &entry.kind else { return Ok(About::Nothing) };
    let Some(of) = &activity.of else { return Ok(About::Nothing) };
    let versions = api.store.activities(member, of).await?;
    Ok(About::of(&activity.kind, versions.into_iter().map(|version| version.entry)))
}

fn is_purchase(version: &Version) -> bool {
    matches!(&version.entry.kind, EntryKind::Earn { activity } if activity.kind == PURCHASE)
}

/// The verb and the key of the request to reverse.
fn undone(body: &ReversalBody) -> Result<(Verb, String), Refusal> {
    if body.kind.is_some() && body.earn.is_none() {
        let reason = "a type is told beside `earn`; an `order` is a purchase".to_owned();
        return Err(Refusal::FieldIsWrong { pointer: "/type".to_owned(), reason });
    }
    let named = [
        (Verb::Earn, &body.earn),
        (Verb::Earn, &body.order),
        (Verb::Redeem, &body.redeem),
        (Verb::Capture, &body.capture),
        (Verb::Adjust, &body.adjust),
        (Verb::Transfer, &body.transfer),
        (Verb::Reverse, &body.reverse),
    ];
    let mut named =
        named.into_iter().filter_map(|(verb, key)| Some((verb, compared(key.as_ref()?))));
    match (named.next(), named.next()) {
        (Some(one), None) => Ok(one),
        _ => {
            let reason = "name one request to undo: a purchase by its id in `order`, or any by its key in `earn`, `redeem`, `capture`, `adjust`, `transfer` or `reverse`";
            Err(Refusal::FieldIsWrong { pointer: String::new(), reason: reason.to_owned() })
        }
    }
}

/// The part that came back; nothing if all that is left came back.
fn part(body: ReversalBody, programme: &Programme) -> Result<Option<ReversedPart>, Refusal> {
    let ReversalBody { lines, refund, units, .. } = body;
    if let Some(units) = units {
        if lines.is_some() || refund.is_some() {
            let reason = "units come back, or a part of the order: not both".to_owned();
            return Err(Refusal::FieldIsWrong { pointer: "/units".to_owned(), reason });
        }
        let units = Units::new(units).map_err(|reason| Refusal::FieldIsWrong {
            pointer: "/units".to_owned(),
            reason: reason.to_string(),
        })?;
        return Ok(Some(ReversedPart::Units(units)));
    }
    let returned = ReturnedBody { lines, refund }.check("", programme)?;
    Ok(returned.map(ReversedPart::Order))
}
