//! `POST /v1/members/{id}/reverse`: reverses an earlier request. Reversing a purchase takes back
//! what it earned, in whole or by line; reversing a redemption or a capture gives its units back.

use api::{Api, Body, Caller, Change, InPath, Mode, Problem, Refusal, change_under};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use decide::{Amount, LINES_MAX, Quantity, Reversal};
use ledger::activity::PURCHASE;
use ledger::entry::{LineName, ReturnedLine};
use ledger::reverse::Wanted;
use ledger::text::compared;
use ledger::{EntryKind, Programme, Verb};
use rules::Object;
use rust_decimal::Decimal;
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
    /// The pieces of the order that came back. Without `lines` and `refund`, all that is left of
    /// the order came back.
    lines: Option<Vec<Object<LineBody>>>,
    /// The amount that was refunded; the price of the pieces if not given.
    refund: Option<Amount>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a line that came back")]
struct LineBody {
    /// The id of the line, or its number, from 1, if it has none.
    line: Option<String>,
    /// The article number, if all its lines have one price.
    sku: Option<String>,
    /// How much came back: pieces, or the line's unit.
    quantity: Quantity,
}

impl LineBody {
    fn check(self, pointer: &str) -> Result<ReturnedLine, Refusal> {
        let quantity = self.quantity.check(&format!("{pointer}/quantity"))?;
        let wrong = |pointer: String, reason: &str| Refusal::FieldIsWrong {
            pointer,
            reason: reason.to_owned(),
        };
        if quantity <= Decimal::ZERO {
            return Err(wrong(format!("{pointer}/quantity"), "it is above 0"));
        }
        let of = match (self.line, self.sku) {
            (Some(line), None) => LineName::Line(compared(&line)),
            (None, Some(sku)) => LineName::Sku(compared(&sku)),
            _ => {
                let reason = "name what came back by one of `line` and `sku`";
                return Err(wrong(pointer.to_owned(), reason));
            }
        };
        Ok(ReturnedLine { of, quantity })
    }
}

async fn reverse(
    State(api): State<Api>,
    caller: Caller,
    InPath(member): InPath,
    mode: Mode,
    body: Body<ReversalBody>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let (value, fingerprint) = body.with_fingerprint();
    let (verb, key) = undone(&value)?;
    let at = MemberKey { merchant: caller.merchant.clone(), member: member.clone() };
    // A version never changes, so it can be read before the decision.
    let done = match verb {
        Verb::Earn if value.order.is_some() => {
            api.store.activities(&at, &key).await?.into_iter().find(is_purchase)
        }
        Verb::Earn => api.store.activity(&at, &key, value.kind.as_deref()).await?,
        _ => {
            let done = Operation::new(verb, &key, Fingerprint::of(&serde_json::Value::Null));
            api.store.done(&at, &done).await?
        }
    };
    let Some(done) = done else {
        let person = api.store.member(&at).await?.ok_or(Refusal::MemberIsUnknown(member))?;
        // The entries of an erased member cannot be read.
        person.present().map_err(|erased| Refusal::Decision(erased.into()))?;
        return Err(match (&value.order, &value.kind) {
            (Some(order), _) => Refusal::ActivityIsUnknown {
                pointer: "/order",
                kind: PURCHASE.to_owned(),
                id: order.clone(),
            },
            (None, Some(kind)) if verb == Verb::Earn => {
                Refusal::ActivityIsUnknown { pointer: "/earn", kind: kind.clone(), id: key }
            }
            _ => Refusal::EntryIsUnknown { verb, key },
        }
        .into());
    };
    let judged_by = api.bundle_of(&caller.merchant, &done.bundle).await?;
    let request =
        Change::new(Verb::Reverse, caller, member, mode, fingerprint).undoing(done.entry.seq);
    change_under(&api, &bundle, request, |context, member| {
        let wanted = wanted(value.clone(), judged_by.programme())?;
        let (judged_by, entry) = (&*judged_by, done.entry.seq);
        let reversal = Reversal { judged_by, entry, wanted: wanted.as_ref() };
        Ok(decide::reverse(context, member, reversal)?)
    })
    .await
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
    ];
    let mut named =
        named.into_iter().filter_map(|(verb, key)| Some((verb, compared(key.as_ref()?))));
    match (named.next(), named.next()) {
        (Some(one), None) => Ok(one),
        _ => {
            let reason = "name one request to undo: a purchase by its id in `order`, or any by its key in `earn`, `redeem` or `capture`";
            Err(Refusal::FieldIsWrong { pointer: String::new(), reason: reason.to_owned() })
        }
    }
}

/// The part of the order that came back; nothing if all that is left came back.
fn wanted(body: ReversalBody, programme: &Programme) -> Result<Option<Wanted>, Refusal> {
    let ReversalBody { lines, refund, .. } = body;
    let lines = lines.unwrap_or_default();
    if lines.is_empty() && refund.is_none() {
        return Ok(None);
    }
    let wrong = |pointer: String, reason: &str| {
        Err(Refusal::FieldIsWrong { pointer, reason: reason.to_owned() })
    };
    if lines.len() > LINES_MAX {
        let reason = format!("at most {LINES_MAX} lines come back at a time");
        return wrong("/lines".to_owned(), &reason);
    }
    let refund = refund.map(|refund| refund.check("/refund", programme)).transpose()?;
    if lines.is_empty() && refund.is_none_or(|refund| refund.is_zero()) {
        let reason = "nothing comes back: name pieces in `lines`, or what is paid back in `refund`";
        return wrong(String::new(), reason);
    }
    let lines = lines.into_iter().enumerate();
    let lines = lines.map(|(place, Object(line))| line.check(&format!("/lines/{place}")));
    Ok(Some(Wanted { lines: lines.collect::<Result<_, _>>()?, refund }))
}
