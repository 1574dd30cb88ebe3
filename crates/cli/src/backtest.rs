//! `regulars backtest`: rules tried on the past.

/// The report, as a page and as JSON.
mod page;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ::backtest::{Backtest, Past, Round, Seen};
use ::history::{DataSet, Overview};
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use clap::Args;
use decide::EarlierRules;
use indicatif::ProgressBar;
use ledger::calendar::resolve;
use ledger::{MerchantId, Moment, Programme};
use rules::{Bundle, Sources};

pub(crate) use self::page::Outcome;
use crate::page::Output;
use crate::place;
use crate::result::CommandResult;
use crate::show::progress;

/// The hour of the daily expiry run, in the merchant's time zone.
const EXPIRY_RUN_HOUR: u32 = 3;
/// The most rounds in which members take from what they share. Each settles at least one more moment,
/// and nearly always all.
const ROUNDS_MAX: usize = 50;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder of the rules to try, such as rules/sunrise-coffee
    rules: PathBuf,
    /// The history, as `regulars history` writes it
    #[arg(long, value_name = "DIR")]
    against: PathBuf,
    /// Rules to compare with [default: what was recorded]
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    output: Output,
}

/// The part of a history on which rules are tried.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Span {
    /// The first day on which the rules hold: before it, everything is as it was recorded, and what
    /// was paid before it is not compared
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// The last day of the past that is used
    #[arg(long, value_name = "DAY")]
    until: Option<NaiveDate>,
}

/// Tries rules on the past, and prints what would have been otherwise.
pub(crate) fn run(options: &Options) -> CommandResult {
    let (merchant, bundle) = loaded(&options.rules)?;
    let baseline = options.baseline.as_ref().map(|folder| loaded(folder)).transpose()?;
    let baseline = baseline.map(|(_, bundle)| bundle);
    let outcome = tried(&merchant, &bundle, baseline.as_ref(), &options.against, options.span)?;
    let title = format!("{}: other rules on the past", bundle.programme().name);
    let page = || page::page(&outcome, &bundle);
    options.output.write(&title, page, || outcome.as_json(&bundle))
}

/// Tries a merchant's rules on the history of a folder, and compares them with others or, if none
/// are given, with what was recorded.
pub(crate) fn tried(
    merchant: &MerchantId,
    bundle: &Bundle,
    baseline: Option<&Bundle>,
    against: &Path,
    span: Span,
) -> CommandResult<Outcome> {
    let set = DataSet::open(against, None)?;
    let folder = against.display();
    if set.head.merchant != *merchant {
        let found = &set.head.merchant;
        return Err(format!(
            "`{folder}` is the history of `{found}`, and these are the rules of `{merchant}`"
        )
        .into());
    }
    let overview = set.overview()?;
    let Some(all) = overview.span else {
        return Err(format!("there is nothing in the history `{folder}`").into());
    };
    let (from, (begins, until)) = span.of(all, bundle.programme())?;
    if from.is_some() && overview.rules.is_empty() {
        return Err(
            "there was no programme yet in this history, so rules can only hold from its beginning; leave out --from"
                .into(),
        );
    }
    let mut recorded = EarlierRules::new();
    for hash in &overview.rules {
        recorded.insert(hash.clone(), set.rules(hash)?);
    }
    // The expiry run comes when it came, and once a day: what the new rules make due, none had to do.
    let mut runs = daily(from.unwrap_or(begins), until, bundle.programme());
    runs.extend(overview.runs.iter().filter(|run| **run <= until));
    runs.sort();
    let test = Backtest { bundle, recorded: &recorded, baseline, runs: &runs, from, until };
    let began = Instant::now();
    let played = played(&test, &set, &overview)?;
    let took = began.elapsed();
    let begins = from.unwrap_or(begins);
    Ok(Outcome { report: test.report(played.seen), rounds: played.rounds, took, begins, until })
}

impl Span {
    /// From when the rules hold, and the ends of the past that is used, which are in `all`.
    fn of(
        self,
        (begins, ends): (Moment, Moment),
        programme: &Programme,
    ) -> CommandResult<(Option<Moment>, (Moment, Moment))> {
        let zone = programme.time_zone;
        let midnight = |day: NaiveDate| resolve(day.and_time(NaiveTime::MIN), zone);
        // The second before the day after.
        let end = |day: NaiveDate| {
            day.succ_opt().map_or(ends, |next| midnight(next) - TimeDelta::seconds(1))
        };
        let from = self.from.map(midnight);
        let until = self.until.map_or(ends, |day| end(day).min(ends));
        let is_empty = from.is_some_and(|from| from > until) || until < begins;
        if is_empty {
            let day = |at: Moment| at.with_timezone(&zone).date_naive();
            return Err(format!(
                "nothing is left of the history, which is from {} to {}",
                day(begins),
                day(ends)
            )
            .into());
        }
        Ok((from.filter(|from| *from > begins), (begins, until)))
    }
}

/// The rules of a folder, and whose they are.
pub(crate) fn loaded(folder: &Path) -> CommandResult<(MerchantId, Bundle)> {
    let merchant = place::merchant_of(folder)?;
    let bundle = Bundle::load(&merchant, &Sources::read(folder)?)?;
    Ok((merchant, bundle))
}

/// A run each night.
fn daily(begins: Moment, until: Moment, programme: &Programme) -> Vec<Moment> {
    let zone = programme.time_zone;
    let hour = NaiveTime::from_hms_opt(EXPIRY_RUN_HOUR, 0, 0).unwrap_or_default();
    let first = begins.with_timezone(&zone).date_naive();
    let runs = first.iter_days().map(|day| resolve(day.and_time(hour), zone));
    runs.take_while(|run| *run <= until + TimeDelta::days(1)).collect()
}

/// What was played, and in how many rounds.
struct Done {
    seen: Seen,
    rounds: usize,
}

/// Plays all parts, until everybody has taken what there was.
fn played(test: &Backtest<'_>, set: &DataSet, overview: &Overview) -> CommandResult<Done> {
    let mut round = Round::default();
    for rounds in 1..=ROUNDS_MAX {
        let seen = once(test, set, overview, &round)?;
        match test.next_round(&seen, &round) {
            None => return Ok(Done { seen, rounds }),
            Some(next) => round = next,
        }
    }
    Err("who takes from a stock or a budget did not settle; try with a larger one".into())
}

/// Plays all parts once, on all cores: one part at a time each, with the members that belong only to
/// it. Groups over several parts come last.
fn once(
    test: &Backtest<'_>,
    set: &DataSet,
    overview: &Overview,
    round: &Round,
) -> CommandResult<Seen> {
    let bar = bar(set);
    let next = AtomicUsize::new(0);
    let spread: Mutex<BTreeMap<usize, Vec<Past>>> = Mutex::default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || -> Result<Seen, ::history::HistoryError> {
        let mut seen = Seen::default();
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            let part = u8::try_from(part).ok().filter(|part| *part < set.parts());
            let Some(part) = part else { return Ok(seen) };
            let end = test.until + TimeDelta::seconds(1);
            for past in set.part(part)?.into_iter().filter_map(|past| past.before(end)) {
                match overview.groups.of(&past.enrolled.id) {
                    None => test.see(&mut seen, &[past], round),
                    Some(group) => {
                        let mut spread = spread.lock().unwrap_or_else(PoisonError::into_inner);
                        spread.entry(group).or_default().push(past);
                    }
                }
            }
            bar.inc(1);
        }
    };
    let mut all = Seen::default();
    let of_parts: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    for seen in of_parts {
        all.add(seen.map_err(|_| "a thread has panicked")??);
    }
    let groups = spread.into_inner().unwrap_or_else(PoisonError::into_inner);
    let groups = Mutex::new(groups.into_values());
    let work = || {
        let mut seen = Seen::default();
        loop {
            let group = groups.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(mut group) = group else { return seen };
            group.sort_by(|one, other| one.enrolled.id.cmp(&other.enrolled.id));
            test.see(&mut seen, &group, round);
        }
    };
    let of_groups: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    for seen in of_groups {
        all.add(seen.map_err(|_| "a thread has panicked")?);
    }
    bar.finish_and_clear();
    Ok(all)
}

fn bar(set: &DataSet) -> ProgressBar {
    progress(set.parts().into(), "{bar:40.cyan/blue} {human_pos}/{human_len} parts  {eta} left")
}
