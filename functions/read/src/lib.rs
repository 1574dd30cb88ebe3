//! The reads: a member, its statement, and the rewards it can have.
//!
//! What is read is true now: a lot that has lapsed is not in a balance and a tier that has been
//! lost is not shown, whether or not the scheduled run has been.

use std::collections::{BTreeMap, BTreeSet};

use api::{Api, Caller, EntryView, InPath, InQuery, NoQuery, Problem, Refusal};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use ledger::{MemberId, Moment, Units, WalletName};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::MemberKey;

/// Entries on a page, unless the client asks for fewer or more.
const ENTRIES_DEFAULT: u32 = 20;
/// The most entries on a page.
const ENTRIES_MAX: u32 = 100;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/members/{id}", get(member))
        .route("/v1/members/{id}/entries", get(entries))
        .route("/v1/members/{id}/rewards", get(rewards))
        .with_state(api)
}

#[derive(Debug, Serialize)]
struct MemberView {
    id: MemberId,
    enrolled_at: Moment,
    tier: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
    wallets: BTreeMap<WalletName, WalletView>,
}

#[derive(Debug, Serialize)]
struct WalletView {
    spendable: bool,
    balance: Units,
    pending: Units,
    #[serde(skip_serializing_if = "Option::is_none")]
    worth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_expiry: Option<ExpiryView>,
}

#[derive(Debug, Serialize)]
struct ExpiryView {
    at: Moment,
    units: Units,
}

async fn member(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath,
    _: InQuery<NoQuery>,
) -> Result<Json<MemberView>, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let member = load(&api, &caller, id).await?;
    let now = api.clock.now();
    let tier = bundle.tier(&member, now).map_err(Refusal::from)?;
    let decimals = ledger::money::decimals(bundle.programme().currency);
    let view = |(name, policy): (&WalletName, &ledger::WalletPolicy)| {
        let wallet = member.wallet(name.as_str());
        let balance = wallet.spendable(now);
        let worth = policy.worth.and_then(|worth| balance.checked_worth(worth));
        let view = WalletView {
            spendable: policy.spendable,
            balance,
            pending: wallet.pending(now),
            worth: worth.map(|worth| at_least(worth, decimals)),
            next_expiry: wallet.next_expiry(now).map(|(at, units)| ExpiryView { at, units }),
        };
        (name.clone(), view)
    };
    let wallets = bundle.programme().wallets.iter().map(view).collect();
    Ok(Json(MemberView {
        id: member.id.clone(),
        enrolled_at: member.enrolled_at,
        tier,
        wallets,
        attributes: member.attributes,
        tags: member.tags,
    }))
}

/// An amount with the decimals of its currency, and more where it has more.
fn at_least(mut amount: Decimal, decimals: u32) -> String {
    if amount.scale() < decimals {
        amount.rescale(decimals);
    }
    amount.to_string()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    cursor: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Serialize)]
struct StatementView<'a> {
    entries: Vec<EntryView<'a>>,
    /// Asks for the older ones; nothing if there are none.
    next_cursor: Option<String>,
}

async fn entries(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath,
    InQuery(page): InQuery<Page>,
) -> Result<axum::response::Response, Problem> {
    use axum::response::IntoResponse;
    let limit = page.limit.unwrap_or(ENTRIES_DEFAULT);
    if !(1..=ENTRIES_MAX).contains(&limit) {
        let reason = format!("`limit` is a number from 1 to {ENTRIES_MAX}");
        return Err(Refusal::QueryIsWrong(reason).into());
    }
    let before = page.cursor.as_deref().map(read_cursor).transpose()?;
    let id = load(&api, &caller, id).await?.id;
    let at = MemberKey { merchant: caller.merchant, member: id };
    let statement = api.store.statement(&at, before, limit).await?;
    let view = StatementView {
        entries: statement.records.iter().map(|record| EntryView::of(&record.entry)).collect(),
        next_cursor: statement.before.map(write_cursor),
    };
    Ok(Json(view).into_response())
}

/// A cursor is opaque to clients, so that what it is made of can change.
fn write_cursor(before: u64) -> String {
    BASE64URL_NOPAD.encode(format!("before:{before}").as_bytes())
}

fn read_cursor(cursor: &str) -> Result<u64, Refusal> {
    BASE64URL_NOPAD
        .decode(cursor.as_bytes())
        .ok()
        .and_then(|text| String::from_utf8(text).ok())
        .and_then(|text| text.strip_prefix("before:")?.parse().ok())
        .ok_or(Refusal::CursorIsWrong)
}

#[derive(Debug, Serialize)]
struct RewardsView {
    rewards: Vec<RewardView>,
}

#[derive(Debug, Serialize)]
struct RewardView {
    name: String,
    costs: Units,
    wallet: WalletName,
    /// It can be had now.
    within_reach: bool,
    /// Units that are still missing.
    missing: Units,
    /// Whether its condition holds: `yes`, `no`, or `depends_on_order`.
    eligible: &'static str,
}

async fn rewards(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath,
    _: InQuery<NoQuery>,
) -> Result<Json<RewardsView>, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let mut member = load(&api, &caller, id).await?;
    let now = api.clock.now();
    member.tier = bundle.tier(&member, now).map_err(Refusal::from)?;
    let offers = bundle.rewards().iter().map(|reward| bundle.offer(reward, &member, now));
    let offers: Vec<rules::Offer> = offers.collect::<Result<_, _>>().map_err(Refusal::from)?;
    let view = |offer: rules::Offer| RewardView {
        within_reach: offer.within_reach(),
        name: offer.name,
        costs: offer.costs,
        wallet: offer.wallet,
        missing: offer.missing,
        eligible: match offer.eligible {
            Some(true) => "yes",
            Some(false) => "no",
            None => "depends_on_order",
        },
    };
    Ok(Json(RewardsView { rewards: offers.into_iter().map(view).collect() }))
}

async fn load(api: &Api, caller: &Caller, id: MemberId) -> Result<ledger::Member, Problem> {
    let at = MemberKey { merchant: caller.merchant.clone(), member: id };
    let member = api.store.member(&at).await?;
    Ok(member.ok_or(Refusal::MemberIsUnknown(at.member))?)
}
