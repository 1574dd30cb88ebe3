//! `POST /v1/members/{id}/redeem`: a member takes a reward.

use api::{Api, Body, Caller, Change, Decided, InPath, Mode, Problem, Refusal, change};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use ledger::Units;
use rules::{Object, OrderBody, Redemption};
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
    /// How many units, for rewards whose price the member chooses.
    units: Option<i64>,
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
    change(&api, &bundle, request, |member, supplies, _| {
        let RedemptionBody { reward, units, order } = value.clone();
        let wrong =
            |pointer: &str, reason| Refusal::FieldIsWrong { pointer: pointer.to_owned(), reason };
        if reward.chars().count() > REWARD_LENGTH_MAX {
            let reason = format!("a reward's name has at most {REWARD_LENGTH_MAX} characters");
            return Err(wrong("/reward", reason));
        }
        let units = units.map(Units::new).transpose();
        let units = units.map_err(|reason| wrong("/units", reason.to_string()))?;
        let order =
            order.map(|Object(order)| order.check("/order", bundle.programme())).transpose()?;
        let redemption = Redemption { reward, units, order };
        let decision = bundle.redeem(member, redemption, supplies, now)?;
        Ok(Decided { decision, trace: None })
    })
    .await
}
