//! `regulars liability`: what is owed, for the books.

/// What was found, as a page and as JSON.
mod page;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ::audit::{Audit, Counted, Period, counted};
use ::history::purchases;
use ::liability::{Cohorts, Kept, Line, Month, is_bought};
use chrono::{Datelike, NaiveDate, TimeDelta};
use clap::Args;
use ledger::{Entry, Moment, Movement, Programme, Verb, WalletName};
use rules::did_you_mean;
use rust_decimal::Decimal;
use store::{Found, History};

use self::page::{Behind, Report};
use crate::audit;
use crate::page::Output;
use crate::result::CommandResult;
use crate::walk::{Days, Progress, Seen, Source, Walked};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// The first day of the report, the first of a month: what was before it counts as opening
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// The last day of the report, the last of a month: what came after it does not count, and units
    /// that expired by its end are not owed
    #[arg(long, value_name = "DAY")]
    until: NaiveDate,
    /// Show the entries behind a line of the report, such as points.redeemed
    #[arg(long, value_name = "WALLET.LINE")]
    entries: Option<BookLine>,
    #[command(flatten)]
    output: Output,
}

impl Options {
    /// The days, which are those of whole months: that is what forecasts are made for.
    fn days(&self) -> CommandResult<Days> {
        if let Some(from) = self.from.filter(|from| from.day() != 1) {
            let first = from.with_day(1).unwrap_or(from);
            return Err(
                format!("--from {from} is not the first day of a month, as {first} is").into()
            );
        }
        let until = self.until;
        if until.succ_opt().is_some_and(|next| next.month() == until.month()) {
            let days = i64::from(until.num_days_in_month()) - i64::from(until.day());
            let last = until + TimeDelta::days(days);
            return Err(
                format!("--until {until} is not the last day of a month, as {last} is").into()
            );
        }
        Days { from: self.from, until: Some(until) }.checked()
    }
}

/// A line of the books.
#[derive(Debug, Clone)]
struct BookLine {
    wallet: WalletName,
    movement: Movement,
}

/// The lines of the books, with the names that the report has for them.
const LINES: [(&str, Movement); 5] = [
    ("issued", Movement::Issued),
    ("redeemed", Movement::Redeemed),
    ("expired", Movement::Expired),
    ("reversed", Movement::Reversed),
    ("adjusted", Movement::Adjusted),
];

impl FromStr for BookLine {
    type Err = String;

    fn from_str(text: &str) -> Result<BookLine, String> {
        let (wallet, line) =
            text.split_once('.').ok_or("say which wallet, such as points.issued")?;
        let wallet = WalletName::parse(wallet).map_err(|reason| format!("`{wallet}`: {reason}"))?;
        let found = LINES.into_iter().find(|(name, _)| *name == line);
        let (_, movement) = found.ok_or_else(|| {
            let names = LINES.map(|(name, _)| name);
            let hint = did_you_mean(line, names);
            format!("there is no line `{line}`{hint}; the lines are {}", names.join(", "))
        })?;
        Ok(BookLine { wallet, movement })
    }
}

impl fmt::Display for BookLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = LINES.iter().find(|(_, movement)| *movement == self.movement);
        write!(f, "{}.{}", self.wallet, name.map_or("", |(name, _)| name))
    }
}

/// What is made of the members.
struct Books {
    period: Period,
    programme: Programme,
    line: Option<BookLine>,
    audit: Audit,
    /// What was seen until the end of the period.
    cohorts: Cohorts,
    /// What was seen until its start; nothing if it has none.
    before: Cohorts,
    behind: Vec<Behind>,
    /// Why what a member bought cannot be said.
    unclear: Vec<String>,
}

/// Prints what is owed, what is likely to become of it, and what is deferred for it. What does not come
/// out of its entries is not told: then the command fails.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = options.source.merchant()?;
    let days = options.days()?;
    let progress = Progress::new("read");
    let start = |programme: &Programme| {
        let period = days.period(programme);
        Books {
            period,
            programme: programme.clone(),
            line: options.entries.clone(),
            audit: Audit::over(period),
            cohorts: Cohorts::default(),
            before: Cohorts::default(),
            behind: Vec::new(),
            unclear: Vec::new(),
        }
    };
    let Walked { programme, seen, opened } = options.source.walk(start, &progress).await?;
    let store = opened.as_ref().map(|opened| opened.store());
    let audited = audit::done(seen.audit, store, &merchant).await?;
    progress.bar.finish_and_clear();
    audit::holds(&audited, false).map_err(|error| {
        format!("{error}, so that nothing can be said of what is owed; `regulars audit` says more")
    })?;
    if let [first, ..] = seen.unclear.as_slice() {
        return Err(format!("what members bought cannot be said; the first: {first}").into());
    }
    let report = Report {
        until: Month::of_day(options.until),
        period: days.period(&programme),
        cohorts: seen.cohorts,
        before: seen.before,
        programme,
        audited,
    };
    match &options.entries {
        None => {
            let title = format!("What {} owes", report.programme.name);
            options.output.write(&title, || report.page(), || Ok(report.as_json().to_string()))
        }
        Some(line) => {
            let known = || report.audited.wallets.keys().map(WalletName::as_str);
            if !report.audited.wallets.contains_key(&line.wallet) {
                let hint = did_you_mean(line.wallet.as_str(), known());
                return Err(format!("there is no wallet `{}`{hint}", line.wallet).into());
            }
            let mut behind = seen.behind;
            behind.sort_by(|one, other| {
                let of = |one: &Behind| (one.counted.at, one.member.clone(), one.counted.entry);
                of(one).cmp(&of(other))
            });
            let title = format!("The entries of {line}");
            let page = || page::entries(&report.programme, &behind);
            options.output.write(&title, page, || Ok(page::entries_as_json(&behind).to_string()))
        }
    }
}

impl Seen for Books {
    fn see(&mut self, found: Found) {
        if let Ok(history) = &found {
            self.open(history);
            if let Err(error) = self.follow(history) {
                self.unclear.push(format!("{}: {error}", history.key));
            }
        }
        self.audit.see_found(found);
    }

    fn add(&mut self, other: Books) {
        self.audit.add(other.audit);
        self.cohorts.merge(&other.cohorts);
        self.before.merge(&other.before);
        self.behind.extend(other.behind);
        self.unclear.extend(other.unclear);
    }
}

impl Books {
    /// Keeps the entries of the line that is asked for.
    fn open(&mut self, history: &History) {
        let Some(line) = &self.line else { return };
        let own = |one: &Counted| one.wallet == line.wallet && one.line == line.movement;
        for counted in counted(&self.period, history).into_iter().filter(own) {
            let entry = counted.entry.and_then(|seq| {
                let place = history.lines.binary_search_by_key(&seq, |line| line.seq).ok()?;
                history.lines.get(place)
            });
            // What no entry has recorded yet is what the expiry run will.
            let verb = entry.map_or(Verb::Expire, |entry| entry.verb);
            self.behind.push(Behind { member: history.key.member.clone(), verb, counted });
        }
    }

    /// Adds a member's units, as they are at the end of the period and at its start.
    fn follow(&mut self, history: &History) -> CommandResult {
        let member = &history.key.member;
        let (kept, bought) = self.until(history, self.period.until)?;
        self.cohorts.add(member, &kept, &bought);
        if let Some(from) = self.period.from {
            let (kept, bought) = self.until(history, Some(from))?;
            self.before.add(member, &kept, &bought);
        }
        Ok(())
    }

    /// A member's units before a moment, and what it bought in each month. Both count in the month in
    /// which their entry was decided, as in the audit.
    fn until(
        &self,
        history: &History,
        until: Option<Moment>,
    ) -> CommandResult<(Kept, BTreeMap<Month, Decimal>)> {
        let lines = || history.lines.iter().filter(|line| until.is_none_or(|end| line.at < end));
        let zone = self.programme.time_zone;
        let mut kept = Kept::new(zone);
        for line in lines() {
            let entry = line.version.as_ref().map(|version| &version.entry.kind);
            let is_bought = is_bought(line.verb, line.moved, entry);
            kept.see(Line { at: line.at, postings: &line.postings, is_bought });
        }
        if let Some(until) = until {
            kept = kept.until(until);
        }
        // What a person bought who was forgotten is not known any more.
        let entries = lines().filter_map(|line| Some(line.version.as_ref()?.entry.clone()));
        let entries: Vec<Entry> = entries.collect();
        let next = entries.last().map_or(history.enrolled.seq, |last| last.seq).next();
        let mut months: BTreeMap<Month, Decimal> = BTreeMap::new();
        for purchase in purchases(&entries, next, self.programme.decimals())? {
            let sum = months.entry(Month::of(purchase.decided_at, zone)).or_default();
            let with = purchase.revenue().and_then(|revenue| sum.checked_add(revenue));
            *sum = with.ok_or("its orders come to too much")?;
        }
        Ok((kept, months))
    }
}
