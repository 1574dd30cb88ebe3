//! `POST /v1/members/{id}/redeem`: a member takes a reward.

use api::{Api, Body, Caller, Change, InPath, Mode, Object, OrderBody, Problem, Refusal, change};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use ledger::{Decision, Member, Moment, Order};
use rules::{Bundle, did_you_mean};
use serde::Deserialize;

/// The most characters of a reward's name, as in the sheets.
const REWARD_LENGTH_MAX: usize = 100;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new().route("/v1/members/{id}/redeem", post(redeem)).with_state(api)
}

/// What is taken, as a client writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a redemption")]
struct RedemptionBody {
    reward: String,
    /// The order it is taken with, for rewards that look at it.
    order: Option<Object<OrderBody>>,
}

async fn redeem(
    State(api): State<Api>,
    caller: Caller,
    InPath(member): InPath,
    mode: Mode,
    body: Body<RedemptionBody>,
) -> Result<Response, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let now = api.clock.now();
    let Body { value, fingerprint } = body;
    let request = Change { verb: "redeem", caller: &caller, member, mode, fingerprint, now };
    change(&api, &bundle, request, |member| {
        let order = value.order.clone();
        let order =
            order.map(|Object(order)| order.check("/order", bundle.programme())).transpose()?;
        decide(&bundle, member, &value.reward, order, now)
    })
    .await
}

/// What taking the reward changes: pure, so that a simulation asks the same question.
///
/// # Errors
/// The reward is unknown, not for this member, or too dear.
pub fn decide(
    bundle: &Bundle,
    member: &Member,
    reward: &str,
    order: Option<Order>,
    now: Moment,
) -> Result<Decision, Refusal> {
    if reward.chars().count() > REWARD_LENGTH_MAX {
        let reason = format!("a reward's name has at most {REWARD_LENGTH_MAX} characters");
        return Err(Refusal::FieldIsWrong { pointer: "/reward".to_owned(), reason });
    }
    let Some(rule) = bundle.rewards().iter().find(|rule| rule.name == reward) else {
        let hint = did_you_mean(reward, bundle.rewards().iter().map(|rule| rule.name.as_str()));
        return Err(Refusal::RewardIsUnknown { name: reward.to_owned(), hint });
    };
    let taken = match bundle.take(rule, member, order.as_ref(), now) {
        Ok(taken) => taken,
        Err(failure) if failure.needs_order => {
            return Err(Refusal::RewardNeedsAnOrder(reward.to_owned()));
        }
        Err(failure) => return Err(failure.into()),
    };
    let taken = taken.ok_or_else(|| Refusal::RewardConditionDoesNotHold(reward.to_owned()))?;
    Ok(ledger::redeem::decide(member, taken, order, now)?)
}
