//! `regulars replay`: a file of orders, sent through the handlers with the clock following the
//! data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use api::{Api, Clock, Forgetting, Identity, TOKEN_PREFIX};
use axum::Router;
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Request, StatusCode};
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use clap::Args;
use futures::StreamExt;
use http_body_util::BodyExt;
use indicatif::ProgressBar;
use ledger::calendar::resolve;
use ledger::{MerchantId, Moment, Verb};
use local::{Database, app, publish_folder};
use rules::{Bundle, Costs};
use serde_json::json;
use tower::ServiceExt;

use crate::counts::Counts;
use crate::place::{Rules, data};
use crate::report::Totals;
use crate::result::CommandResult;
use crate::show::progress;

/// The requests that a file of orders stands for.
mod order;
/// How a CSV file is written.
mod csv_format;
/// Which order a return is about.
mod returns;
/// CSV as shop systems export it.
mod csv_rows;
/// Files of orders.
mod orders;

pub(crate) use csv_format::Format;
pub(crate) use order::{Order, Orders};
pub(crate) use orders::read;

/// The members whose orders of one moment are sent concurrently.
const MEMBERS_AT_ONCE: usize = 4;
/// The hour, in the merchant's time zone, of the daily expiry run of a replay.
const EXPIRY_RUN_HOUR: u32 = 3;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant, by the name of its folder of rules
    #[arg(long)]
    merchant: String,
    /// The orders: a .csv with a head or a .jsonl file
    orders: PathBuf,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    rules: Rules,
    /// The data file [default: .regulars/replay-<merchant>.db beside the rules]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Let members redeem the most expensive reward they can have after each order
    #[arg(long)]
    redeem_when_possible: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Options) -> CommandResult {
    let started = Instant::now();
    let rules = options.rules.folder()?;
    let file =
        options.data.unwrap_or_else(|| data(&rules, &format!("replay-{}.db", options.merchant)));
    let database = Database::open(Some(&file), 0).await?;
    let file = File { path: &options.orders, format: &options.format };
    let redeem = options.redeem_when_possible;
    let history = replay(&database, &rules, &options.merchant, file, redeem).await?;
    let totals = Totals::of(database.store(), &history.bundle, history.ended).await?;
    history.counts.tell();
    if options.json {
        say!("{}", totals.json(&history.counts, started.elapsed()));
    } else {
        say!("{}", totals.table(&history.bundle, &history.counts));
    }
    match history.counts.rejected {
        0 => Ok(()),
        1 => Err("one order was refused".into()),
        refused => Err(format!("{refused} orders were refused").into()),
    }
}

/// A file of orders, and how it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    pub(crate) path: &'a Path,
    pub(crate) format: &'a Format,
}

/// The result of a replay.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) bundle: Bundle,
    pub(crate) counts: Counts,
    /// The time of the replay's clock at the end.
    pub(crate) ended: Moment,
}

/// The merchant's folder in the folder of rules.
fn merchant_folder(rules: &Path, merchant: &str) -> CommandResult<PathBuf> {
    let folder = rules.join(merchant);
    if MerchantId::parse(merchant).is_ok() && folder.is_dir() {
        return Ok(folder);
    }
    let known = local::folders(rules)?;
    let names: Vec<String> = known
        .iter()
        .filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let hint = rules::did_you_mean(merchant, names.iter().map(String::as_str));
    Err(format!("there is no merchant `{merchant}` under `{}`{hint}", rules.display()).into())
}

/// Sends a file of orders through the handlers, with the clock following the data. An expiry run
/// precedes each day on which it finds something to write, and one ends the replay.
pub(crate) async fn replay(
    database: &Database,
    rules: &Path,
    merchant: &str,
    file: File<'_>,
    redeem: bool,
) -> CommandResult<History> {
    let folder = merchant_folder(rules, merchant)?;
    let bundle = publish_folder(database.store(), &folder, Forgetting::Allowed).await?;
    let time_zone = bundle.programme().time_zone;
    let Orders { orders, bad } =
        orders::read(file.path, file.format, bundle.programme(), Clock::System.now())?;
    let mut counts = Counts::default();
    for line in bad {
        counts.reject(line.to_string());
    }

    let start = orders.first().map_or(Moment::UNIX_EPOCH, |order| order.at);
    let clock = Clock::standing(start);
    let api = Api::new(database.store().clone(), clock.clone(), Identity::Development);
    let rewards = bundle.rewards().filter(|_| redeem);
    let rewards = rewards.map(|(name, costs)| (name.to_owned(), costs.clone())).collect();
    let client =
        ReplayClient { app: app(&api), merchant: bundle.programme().merchant.clone(), rewards };
    let bar = progress(
        orders.len(),
        "{prefix:>10} {bar:40.cyan/blue} {human_pos}/{human_len} orders  {eta} left",
    );

    let mut day = local_day(start, time_zone);
    let mut expiries = BTreeSet::new();
    for moment in orders.chunk_by(|one, other| one.at == other.at) {
        let Some(at) = moment.first().map(|order| order.at) else { continue };
        let today = local_day(at, time_zone);
        while day < today {
            day = next(day)?;
            let run_at = expiry_run_at(day, time_zone)?;
            // An expiry run on any other day would find nothing that this replay gave.
            if expiries.first().is_some_and(|end| *end <= run_at) {
                clock.set(run_at);
                expire::run(&api, &expire::Event::default(), None).await?;
                expiries.retain(|end| *end > run_at);
            }
        }
        bar.set_prefix(today.to_string());
        clock.set(at);
        let mut done = client.at_once(moment, &bar).await?;
        expiries.append(&mut done.expiries);
        counts.add(done);
    }
    if !orders.is_empty() {
        clock.set(expiry_run_at(next(day)?, time_zone)?);
        expire::run(&api, &expire::Event::default(), None).await?;
    }
    bar.finish_and_clear();
    Ok(History { bundle, counts, ended: clock.now() })
}

fn local_day(at: Moment, time_zone: Tz) -> NaiveDate {
    at.with_timezone(&time_zone).date_naive()
}

fn next(day: NaiveDate) -> CommandResult<NaiveDate> {
    day.checked_add_days(Days::new(1)).ok_or_else(|| "the calendar ends here".into())
}

/// The moment of the expiry run of a day.
fn expiry_run_at(day: NaiveDate, time_zone: Tz) -> CommandResult<Moment> {
    let hour = day.and_hms_opt(EXPIRY_RUN_HOUR, 0, 0).ok_or("a day has no such hour")?;
    Ok(resolve(hour, time_zone))
}

/// The replay client: it calls the API as a merchant's till does.
struct ReplayClient {
    app: Router,
    merchant: MerchantId,
    /// The rewards that members redeem, with their prices; empty if members redeem none.
    rewards: Vec<(String, Costs)>,
}

/// The parts of an answer that the replay client reads.
struct Answer {
    status: StatusCode,
    replayed: bool,
    body: serde_json::Value,
}

impl ReplayClient {
    /// Sends the orders of one moment: those of one member one after the other, several members
    /// concurrently.
    async fn at_once(&self, orders: &[Order], bar: &ProgressBar) -> CommandResult<Counts> {
        let mut members: BTreeMap<&str, Vec<&Order>> = BTreeMap::new();
        for order in orders {
            members.entry(order.member.as_str()).or_default().push(order);
        }
        let mut done = futures::stream::iter(members.into_values())
            .map(async |orders| -> CommandResult<Counts> {
                let mut counts = Counts::default();
                for order in orders {
                    self.one(order, &mut counts).await?;
                    bar.inc(1);
                }
                Ok(counts)
            })
            .buffer_unordered(MEMBERS_AT_ONCE);
        let mut counts = Counts::default();
        while let Some(member) = done.next().await {
            counts.add(member?);
        }
        Ok(counts)
    }

    async fn one(&self, order: &Order, counts: &mut Counts) -> CommandResult {
        let member = order.member.as_str();
        if order.is_first {
            let enrolled = self.post("/v1/members", None, &json!({ "id": member })).await?;
            if !enrolled.status.is_success() {
                return Err(format!("line {}: {}", order.line, detail(&enrolled.body)).into());
            }
        }
        let path = format!("/v1/members/{member}/{}", order.verb);
        let earned = self.post(&path, Some(&order.key), &order.body).await?;
        if earned.status.is_server_error() {
            return Err(format!("line {}: {}", order.line, detail(&earned.body)).into());
        }
        if !earned.status.is_success() {
            counts.reject(format!("line {}: {}", order.line, detail(&earned.body)));
            return Ok(());
        }
        counts.activities += 1;
        counts.duplicates += u64::from(earned.replayed);
        counts.expiries.extend(expiries(&earned.body));
        if order.verb == Verb::Reverse {
            return Ok(());
        }
        self.redeem(order, &earned.body).await
    }

    /// Redeems the most expensive reward that the answer to the order lists as within reach. A
    /// repeat gets the same answer and so redeems the same reward: a replay that was cut short
    /// between the two requests continues as if it had not been.
    async fn redeem(&self, order: &Order, earned: &serde_json::Value) -> CommandResult {
        let within_reach = earned.pointer("/within_reach").and_then(|names| names.as_array());
        let is_within_reach = |(reward, _): &&(String, Costs)| {
            within_reach.is_some_and(|names| names.iter().any(|name| *name == reward.as_str()))
        };
        let dearest =
            self.rewards.iter().filter(is_within_reach).max_by_key(|(_, costs)| costs.least);
        let Some((reward, costs)) = dearest else { return Ok(()) };
        let path = format!("/v1/members/{}/redeem", order.member);
        let request = if costs.is_chosen() {
            json!({ "reward": reward, "units": costs.least })
        } else {
            json!({ "reward": reward })
        };
        let redeemed = self.post(&path, Some(&order.key), &request).await?;
        // A conflict is not an error of the replay: something else has used the units meanwhile.
        if redeemed.status.is_success() || redeemed.status == StatusCode::CONFLICT {
            Ok(())
        } else {
            Err(format!("line {}: {}", order.line, detail(&redeemed.body)).into())
        }
    }

    async fn post(
        &self,
        path: &str,
        key: Option<&str>,
        body: &serde_json::Value,
    ) -> CommandResult<Answer> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {TOKEN_PREFIX}{}", self.merchant));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Body::from(body.to_string()))?;
        let answer = self.app.clone().oneshot(request).await?;
        let status = answer.status();
        let replayed = answer.headers().contains_key("idempotency-replayed");
        let bytes = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, replayed, body: serde_json::from_slice(&bytes)? })
    }
}

/// The moments at which the lots and the grants of an entry expire.
fn expiries(earned: &serde_json::Value) -> impl Iterator<Item = Moment> {
    let parts = [("/entry/postings", "/to/lot/expires_at"), ("/entry/because", "/until")];
    parts.into_iter().flat_map(|(place, end)| {
        let list = earned.pointer(place).and_then(|list| list.as_array());
        list.into_iter().flatten().filter_map(move |part| part.pointer(end)?.as_str()?.parse().ok())
    })
}

fn detail(problem: &serde_json::Value) -> String {
    let text = problem.pointer("/detail").and_then(|detail| detail.as_str());
    text.map_or_else(|| problem.to_string(), str::to_owned)
}
