//! The reads: a member, its statement, the rewards offered to it, and a contest's leaderboard.
//!
//! Answers are true at the moment of the request: an expired lot is not in a balance and a lost
//! tier is not shown, whether or not the expiry run has written it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{Api, Caller, EntryView, InPath, InQuery, NoQuery, Problem, Refusal};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use decide::{Eligible, Offer};
use ledger::GrantEnd;
use ledger::HoldId;
use ledger::MemberIsErased;
use ledger::tier::Until;
use ledger::{Benefit, MemberId, Moment, Programme, Seq, SharedLimit, Units, WalletName};
use rules::{Bundle, Need, RuleFailure, StatementKind, Task, did_you_mean};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::Place;

/// The entries on a page, unless the client asks for another number.
const ENTRIES_DEFAULT: u32 = 20;
/// The most entries on a page.
const ENTRIES_MAX: u32 = 100;

/// The function's routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/members/{id}", get(member))
        .route("/v1/members/{id}/entries", get(entries))
        .route("/v1/members/{id}/rewards", get(rewards))
        .route("/v1/contests/{title}", get(contest))
        .with_state(api)
}

#[derive(Debug, Serialize)]
struct MemberView {
    id: MemberId,
    enrolled_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    referred_by: Option<MemberId>,
    tier: Option<String>,
    /// The moment at which the tier will be lost if nothing more happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier_at_risk: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_tier: Option<NextTierView>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
    wallets: BTreeMap<WalletName, WalletView>,
    /// The account whose wallets the member shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<MemberId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    holds: BTreeMap<HoldId, HoldView>,
    /// The grants of the member that have not expired, with their end.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    grants: BTreeMap<String, GrantEnd>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tasks: BTreeMap<String, TaskView>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    contests: BTreeMap<String, Units>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    benefits: Vec<BenefitView>,
}

#[derive(Debug, Serialize)]
struct HoldView {
    reward: String,
    until: Moment,
}

#[derive(Debug, Serialize)]
struct NextTierView {
    tier: String,
    needs: Vec<NeedView>,
}

#[derive(Debug, Serialize)]
struct NeedView {
    fact: String,
    have: String,
    need: String,
}

#[derive(Debug, Serialize)]
struct TaskView {
    done: u32,
    goal: u32,
    completed: u32,
}

#[derive(Debug, Serialize)]
struct BenefitView {
    title: String,
    /// The benefit; nothing if it depends on the order.
    gives: Option<Benefit>,
}

#[derive(Debug, Serialize)]
struct WalletView {
    spendable: bool,
    balance: Units,
    pending: Units,
    /// Units held.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Units>,
    /// Units owed: they were taken back after they had been spent. Units that come in pay the debt
    /// first.
    #[serde(skip_serializing_if = "Option::is_none")]
    debt: Option<Units>,
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
    let now = api.clock.now();
    let member = Arc::new(load(&api, &caller, id, bundle.programme(), now).await?);
    let tier_status = decide::tier_status(&bundle, &member, now).map_err(Refusal::from)?;
    let at_risk =
        decide::ahead(&bundle, &member, &tier_status, now, Until::Loss).map_err(Refusal::from)?;
    let tier = tier_status.tier;
    let next = decide::next_tier(&bundle, &member, tier.as_deref(), now);
    let benefits = decide::benefits(&bundle, &member, tier.as_deref(), None, now);
    let decimals = ledger::money::decimals(bundle.programme().currency);
    let present = member.at(now);
    let view = |(name, policy): (&WalletName, &ledger::WalletPolicy)| {
        let wallet = present.wallet(name.as_str());
        let balance = wallet.spendable(now);
        let worth = policy.worth.and_then(|worth| balance.checked_worth(worth));
        let view = WalletView {
            spendable: policy.spendable,
            balance,
            pending: wallet.pending(now),
            held: Some(wallet.held(now)).filter(|held| !held.is_zero()),
            debt: Some(wallet.debt()).filter(|debt| !debt.is_zero()),
            worth: worth.map(|worth| at_least(worth, decimals)),
            next_expiry: wallet.next_expiry(now).map(|(at, units)| ExpiryView { at, units }),
        };
        (name.clone(), view)
    };
    let wallets = bundle.programme().wallets.iter().map(view).collect();
    let open = member.holds.iter().filter(|(_, hold)| hold.until > now);
    let holds = open.map(|(name, hold)| {
        (name.clone(), HoldView { reward: hold.reward.clone(), until: hold.until })
    });
    let zone = bundle.programme().time_zone;
    let task = |Task { title, name, goal }: &Task| {
        let progress = member.tasks.get(name);
        let done = progress.map_or(0, |progress| progress.done(*goal, now, zone));
        let completed = progress.map_or(0, |progress| progress.completed);
        (title.clone(), TaskView { done, goal: goal.target(), completed })
    };
    let grants = member.grants.iter().filter(|(grant, _)| member.is_granted(grant, now));
    let need = |need: Need| NeedView {
        fact: need.fact,
        have: need.have.to_string(),
        need: need.need.to_string(),
    };
    Ok(Json(MemberView {
        id: member.id.clone(),
        enrolled_at: member.enrolled_at,
        referred_by: member.referred_by.clone(),
        tier,
        tier_at_risk: at_risk.lost_at,
        next_tier: next.map(|next| NextTierView {
            tier: next.tier,
            needs: next.needs.into_iter().map(need).collect(),
        }),
        attributes: member.attributes.clone(),
        tags: member.tags.clone(),
        wallets,
        account: member.account.clone(),
        holds: holds.collect(),
        grants: grants.map(|(grant, until)| (grant.clone(), *until)).collect(),
        tasks: bundle.tasks().iter().map(task).collect(),
        contests: scores(&bundle, &member),
        benefits: benefits
            .into_iter()
            .filter_map(that_works)
            .map(|benefit| BenefitView { title: benefit.title, gives: benefit.gives })
            .collect(),
    }))
}

/// The member's score in each contest, by its title.
fn scores(bundle: &Bundle, member: &ledger::Member) -> BTreeMap<String, Units> {
    let score = |(name, score): (&String, &Units)| {
        let rule = bundle.called(StatementKind::Contest, name);
        (rule.map_or(name, |rule| &rule.title).clone(), *score)
    };
    member.scores.iter().map(score).collect()
}

/// The result of a rule; nothing if the rule failed. A failure is logged, since only the merchant
/// can fix the rule, and the other rules still count.
fn that_works<T>(found: Result<T, RuleFailure>) -> Option<T> {
    found.inspect_err(|failure| tracing::error!("{failure}")).ok()
}

/// An amount with at least the decimals of its currency.
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
    /// The cursor of the page with older entries; nothing if there are none.
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
    let at = caller.member(id);
    let statement = api.store.statement(&at, before, limit).await?;
    let statement = statement.ok_or_else(|| Refusal::MemberIsUnknown(at.member.clone()))?;
    if statement.erased {
        return Err(Refusal::Decision(MemberIsErased(at.member).into()).into());
    }
    let view = StatementView {
        entries: statement
            .versions
            .iter()
            .map(|version| EntryView::in_statement(&version.entry))
            .collect(),
        next_cursor: statement.before.map(write_cursor),
    };
    Ok(Json(view).into_response())
}

/// Encodes a cursor. It is opaque to clients, so that its content can change.
fn write_cursor(before: Seq) -> String {
    BASE64URL_NOPAD.encode(format!("before:{before}").as_bytes())
}

fn read_cursor(cursor: &str) -> Result<Seq, Refusal> {
    BASE64URL_NOPAD
        .decode(cursor.as_bytes())
        .ok()
        .and_then(|text| String::from_utf8(text).ok())
        .and_then(|text| text.strip_prefix("before:")?.parse().ok().map(Seq::new))
        .filter(|before| *before > Seq::FIRST)
        .ok_or(Refusal::CursorIsWrong)
}

#[derive(Debug, Serialize)]
struct RewardsView {
    rewards: Vec<RewardView>,
}

#[derive(Debug, Serialize)]
struct RewardView {
    name: String,
    /// Its title, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// What it gives, at its least price; nothing if that depends on the order, or if it gives
    /// grants and tags alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    gives: Option<Benefit>,
    costs: Units,
    /// The most units, if the member chooses the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    costs_up_to: Option<Units>,
    wallet: WalletName,
    /// Whether the member can have the reward now.
    within_reach: bool,
    /// The units that the member still lacks.
    missing: Units,
    /// Whether the reward's condition holds for this member: `yes`, `no`, or `depends_on_order`.
    eligible: &'static str,
    /// The reason for which the member is not eligible.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    /// The pieces left for all members, if the reward has a stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Units>,
}

async fn rewards(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath,
    _: InQuery<NoQuery>,
) -> Result<Json<RewardsView>, Problem> {
    let bundle = api.bundle(&caller.merchant).await?;
    let now = api.clock.now();
    let member = Arc::new(load(&api, &caller, id, bundle.programme(), now).await?);
    let tier = decide::tier_status(&bundle, &member, now).map_err(Refusal::from)?.tier;
    let mut gifts = decide::gifts(&bundle, &member, tier.as_deref(), now);
    let mut rewards = Vec::new();
    for offer in
        decide::offers(&bundle, &member, tier.as_deref(), now).into_iter().filter_map(that_works)
    {
        let limit = offer.stock.map(|_| SharedLimit::Stock(offer.name.clone()));
        let left = match &limit {
            Some(limit) => Some(api.store.left(&caller.merchant, limit).await?),
            None => None,
        };
        let gives = gifts.remove(&offer.name);
        rewards.push(view(offer, left, gives));
    }
    Ok(Json(RewardsView { rewards }))
}

fn view(offer: Offer, left: Option<Units>, gives: Option<Benefit>) -> RewardView {
    let is_left = left.is_none_or(|left| !left.is_zero());
    let (eligible, because) = match &offer.eligible {
        Eligible::Yes => ("yes", None),
        Eligible::No(because) => ("no", Some(because.clone())),
        Eligible::DependsOnOrder => ("depends_on_order", None),
    };
    RewardView {
        within_reach: offer.within_reach() && is_left,
        costs: offer.costs.least,
        costs_up_to: offer.costs.is_chosen().then_some(offer.costs.most),
        wallet: offer.costs.wallet,
        title: Some(offer.title).filter(|title| *title != offer.name),
        name: offer.name,
        gives,
        missing: offer.missing,
        eligible,
        because,
        left,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    limit: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ContestView {
    contest: String,
    places: Vec<PlaceView>,
}

#[derive(Debug, Serialize)]
struct PlaceView {
    rank: u32,
    member: MemberId,
    score: Units,
}

/// The places on a leaderboard, unless the client asks for another number.
const PLACES_DEFAULT: u32 = 10;
/// The most places on a leaderboard.
const PLACES_MAX: u32 = 100;

async fn contest(
    State(api): State<Api>,
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
    InQuery(query): InQuery<Places>,
) -> Result<Json<ContestView>, Problem> {
    let Path(contest) = path.map_err(|error| Refusal::PathIsWrong(error.body_text()))?;
    let bundle = api.bundle(&caller.merchant).await?;
    let Some(rule) = bundle.called(StatementKind::Contest, &contest) else {
        let hint = did_you_mean(&contest, bundle.contests());
        return Err(Refusal::ContestIsUnknown { name: contest, hint }.into());
    };
    let limit = query.limit.unwrap_or(PLACES_DEFAULT);
    if !(1..=PLACES_MAX).contains(&limit) {
        let reason = format!("`limit` is a number from 1 to {PLACES_MAX}");
        return Err(Refusal::QueryIsWrong(reason).into());
    }
    let places = api.store.leaderboard(&caller.merchant, &rule.name, limit).await?;
    let place =
        |place: Place| PlaceView { rank: place.rank, member: place.member, score: place.score };
    Ok(Json(ContestView { contest, places: places.into_iter().map(place).collect() }))
}

/// Loads the member as its rules see it: with the wallets of its account, if it has one.
async fn load(
    api: &Api,
    caller: &Caller,
    id: MemberId,
    programme: &Programme,
    now: Moment,
) -> Result<ledger::Member, Problem> {
    let key = |member| caller.member(member);
    let member = api.store.member(&key(id.clone())).await?;
    let member = member.ok_or(Refusal::MemberIsUnknown(id))?;
    member.present().map_err(|erased| Refusal::Decision(erased.into()))?;
    let account = match &member.account {
        None => None,
        Some(account) => api.store.member(&key(account.clone())).await?,
    };
    Ok(match account {
        None => member,
        Some(account) => ledger::account::view(&member, &account, programme, now),
    })
}
