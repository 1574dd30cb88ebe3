//! The initial state of a spec: the member, its referrer, shared limits and pools of codes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, TimeDelta};
use ledger::programme::Arm;
use ledger::task::{Goal, Progress};
use ledger::{
    Codes, DecisionData, Lot, Member, MemberId, Moment, Remaining, SharedLimit, Units, Wallet,
    WalletName,
};
use ledger::{GrantEnd, History};
use rules::{Bundle, StatementKind, Task, arm, bucket, say_toml, unknown_wallet};
use rust_decimal::Decimal;
use toml::Spanned;

use super::mistake::{SpecError, known, unknown};
use super::written::{MemberBody, Sums, Until};

/// The number of codes of a pool for which the spec names none.
const CODES: usize = 10;

/// A member of a spec, and the rules for it. If the spec gives its tier, the rules fix that tier.
/// The units in its wallets were earned when the spec begins.
///
/// # Errors
/// The spec names something that does not exist, or has a value out of bounds.
pub(super) fn person(
    bundle: &Bundle,
    id: &str,
    body: MemberBody,
    begins: Moment,
) -> Result<(Bundle, Member), SpecError> {
    let programme = bundle.programme();
    let id = named(bundle, id, body.bucket, &body.trials)?;
    if let Some(tier) = body.tier.as_ref().filter(|tier| !tier.get_ref().is_empty()) {
        known("tier", tier, bundle.tiers())?;
    }
    let enrolled_at = body.enrolled.as_ref().map_or(begins - TimeDelta::days(400), |at| at.0.0);
    let mut tasks = BTreeMap::new();
    for (title, done) in body.tasks {
        let Task { name, goal, .. } = known_task(bundle, &title)?;
        tasks.insert(name.clone(), begun(*goal, done, begins, bundle));
    }
    let mut scores = BTreeMap::new();
    for (title, score) in &body.scores {
        known("contest", title, bundle.contests())?;
        scores.insert(
            name_of(bundle, StatementKind::Contest, title.get_ref()),
            counted(title, *score)?,
        );
    }
    let spend = body.spend.map(|spend| spend.0.check("/member/spend", programme)).transpose();
    let spend = spend.map_err(|wrong| (None, wrong.to_string()))?.unwrap_or(Decimal::ZERO);
    let last_purchase_at = body.last_purchase.as_ref().map(|at| at.0.0);
    body.grants.keys().try_for_each(|grant| known_grant(bundle, grant))?;
    let grant = |(name, until): (Spanned<String>, Until)| match until {
        Until::Stays(stays) => stays.then_some((name.into_inner(), GrantEnd::Never)),
        Until::At(at) => Some((name.into_inner(), GrantEnd::At(at.0))),
    };
    for name in programme.dates() {
        if let Some(day) = body.attributes.get(name)
            && day.parse::<NaiveDate>().is_err()
        {
            let message = format!("`{name}` is written such as \"1990-05-31\", not \"{day}\"");
            return Err((None, message));
        }
    }
    let bundle = bundle.with_tier(&id, body.tier.map(Spanned::into_inner));
    let member = Member {
        happened_at: enrolled_at.min(begins),
        attributes: body.attributes,
        tags: body.tags,
        history: History {
            purchases: body.purchases,
            spend,
            last_purchase_at,
            ..History::default()
        },
        wallets: wallets(&bundle, &body.wallets, begins)?,
        grants: body.grants.into_iter().filter_map(grant).collect(),
        tasks,
        scores,
        ..Member::new(id, enrolled_at)
    };
    Ok((bundle, member))
}

fn wallets(
    bundle: &Bundle,
    filled: &Sums,
    begins: Moment,
) -> Result<BTreeMap<WalletName, Wallet>, SpecError> {
    known_wallets(bundle, filled)?;
    let programme = bundle.programme();
    let mut wallets = BTreeMap::new();
    for (name, policy) in &programme.wallets {
        let Some((filled, units)) = filled.get_key_value(name.as_str()) else { continue };
        let units = counted(filled, *units)?;
        let lot = Lot { units, terms: policy.terms(begins, programme.time_zone) };
        // A single lot always makes a valid wallet.
        let wallet = Wallet::of([lot], Units::ZERO);
        wallets.extend(wallet.map(|wallet| (name.clone(), wallet)));
    }
    Ok(wallets)
}

/// The progress of a task that began before the spec. A streak was kept up to the period before the
/// one in which the spec begins, so it can continue in that one.
fn begun(goal: Goal, done: u32, begins: Moment, bundle: &Bundle) -> Progress {
    let zone = bundle.programme().time_zone;
    let at = match goal {
        Goal::Streak { period, .. } => {
            let this = period.start(begins, zone);
            period.start(this - TimeDelta::seconds(1), zone)
        }
        _ => begins,
    };
    Progress { marks: vec![(at, done)], ..Progress::default() }
}

/// Refuses a wallet that the manifest does not list.
pub(super) fn known_wallets(bundle: &Bundle, sums: &Sums) -> Result<(), SpecError> {
    let programme = bundle.programme();
    let unknown = sums.keys().find(|name| !programme.wallets.contains_key(name.get_ref().as_str()));
    unknown.map_or(Ok(()), |name| {
        Err((Some(name.span().start), unknown_wallet(name.get_ref(), programme)))
    })
}

/// Refuses a grant that no rule gives.
pub(super) fn known_grant(bundle: &Bundle, grant: &Spanned<String>) -> Result<(), SpecError> {
    if bundle.may_grant(grant.get_ref()) {
        return Ok(());
    }
    Err((Some(grant.span().start), format!("no rule gives a grant `{}`", grant.get_ref())))
}

/// The task of this title. Refuses a task that does not exist.
pub(super) fn known_task<'b>(
    bundle: &'b Bundle,
    title: &Spanned<String>,
) -> Result<&'b Task, SpecError> {
    let task = bundle.tasks().iter().find(|task| task.title == *title.get_ref());
    let titles = || bundle.tasks().iter().map(|task| task.title.as_str());
    task.ok_or_else(|| unknown("task", title, titles()))
}

/// The name under which what members have of a rule is kept.
pub(super) fn name_of(bundle: &Bundle, kind: StatementKind, title: &str) -> String {
    bundle.called(kind, title).map_or_else(|| title.to_owned(), |rule| rule.name.clone())
}

fn counted(name: &Spanned<String>, units: i64) -> Result<Units, SpecError> {
    let wrong = |reason| (Some(name.span().start), format!("`{}`: {reason}", name.get_ref()));
    Units::new(units).map_err(wrong)
}

/// The ids that are looked through for one that chance puts where the spec wants it.
const IDS: u32 = 1_000_000;

/// A member id that chance puts into the bucket that the spec wants and into its trials. A member takes
/// part in no other.
fn named(
    bundle: &Bundle,
    id: &str,
    wanted: Option<u8>,
    trials: &BTreeSet<Spanned<String>>,
) -> Result<MemberId, SpecError> {
    let programme = bundle.programme();
    for trial in trials {
        known("trial", trial, programme.trials.keys().map(String::as_str))?;
    }
    if wanted.is_some_and(|wanted| wanted > 99) {
        return Err((None, "`bucket` is a number from 0 to 99".to_owned()));
    }
    let name = |number: u32| MemberId::parse(&format!("{id}-{number}")).ok();
    let is_in = |id: &MemberId, trial: &str| arm(programme, trial, id) == Some(Arm::Part);
    let fits = |id: &MemberId| {
        wanted.is_none_or(|wanted| bucket(&programme.merchant, id) == wanted)
            && programme.trials.keys().all(|trial| {
                is_in(id, trial) == trials.iter().any(|wanted| wanted.get_ref() == trial)
            })
    };
    (1..=IDS).filter_map(name).find(fits).ok_or_else(|| {
        let named: Vec<String> =
            trials.iter().map(|trial| format!("`{}`", trial.get_ref())).collect();
        let where_to = match named.is_empty() {
            true => "in no trial; list those it takes part in as `trials`".to_owned(),
            false => format!("in {} and in no other trial", named.join(", ")),
        };
        (None, format!("of a million members, none is {where_to}"))
    })
}

/// The decision data of a spec: the shared limits and codes that it names, all others full.
///
/// # Errors
/// The spec names a pool, stock or budget that does not exist, or a number out of bounds.
pub(super) fn data(
    bundle: &Bundle,
    pools: Option<BTreeMap<Spanned<String>, Vec<String>>>,
    stock: Option<&Sums>,
    budgets: Option<&Sums>,
) -> Result<DecisionData, SpecError> {
    let mut data = simulated_data(bundle);
    for (pool, codes) in pools.into_iter().flatten() {
        known("pool", &pool, bundle.programme().pools.iter().map(String::as_str))?;
        data.codes.insert(pool.into_inner(), Codes::all(codes));
    }
    let stock = stock.into_iter().flatten().map(|left| {
        (left, SharedLimit::Stock(name_of(bundle, StatementKind::Reward, left.0.get_ref())))
    });
    let budgets = budgets
        .into_iter()
        .flatten()
        .map(|left| (left, SharedLimit::Budget(left.0.get_ref().clone())));
    for ((name, left), limit) in stock.chain(budgets) {
        let left = counted(name, *left)?;
        if data.left.insert(limit.clone(), Remaining::all(left)).is_none() {
            return Err((Some(name.span().start), format!("the rules do not limit {limit}")));
        }
    }
    Ok(data)
}

/// Decision data with full shared limits, some codes in every pool, and no other members.
#[must_use]
pub fn simulated_data(bundle: &Bundle) -> DecisionData {
    let codes = |pool: &String| {
        let codes = (1..=CODES).map(|number| format!("{pool}-{number}")).collect();
        (pool.clone(), Codes::all(codes))
    };
    let codes = bundle.programme().pools.iter().map(codes).collect();
    let left = bundle
        .shared_limits()
        .into_iter()
        .map(|(limit, units)| (limit, Remaining::all(units)))
        .collect();
    DecisionData { left, codes, ..DecisionData::default() }
}

/// The member that a text describes in the form of a spec, and the rules for it.
///
/// # Errors
/// The text cannot be read, or names something that does not exist.
pub fn simulated_member(
    bundle: &Bundle,
    text: &str,
    at: Moment,
) -> Result<(Bundle, Member), String> {
    let body: MemberBody = toml::from_str(text).map_err(|error| say_toml(&error))?;
    person(bundle, "member", body, at).map_err(|(_, message)| message)
}
