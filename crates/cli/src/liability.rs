//! `regulars liability`: what is owed, for the books.

/// What was found, as a page and as JSON.
mod page;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ::audit::{Audit, Counted, Period, counted};
use ::liability::{Cohorts, Kept, Line, Month};
use clap::Args;
use ledger::activity::PURCHASE;
use ledger::{EntryKind, MemberId, Movement, Programme, Verb, WalletName};
use rules::did_you_mean;
use rust_decimal::Decimal;
use store::{Found, History, VersionLine};

use crate::audit;
use crate::bought::purchases;
use crate::page::Output;
use crate::result::CommandResult;
use crate::walk::{Days, Progress, Seen, Source, Walked};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    days: Days,
    /// Show the entries behind a line of the report, such as points.redeemed
    #[arg(long, value_name = "WALLET.LINE")]
    entries: Option<BookLine>,
    #[command(flatten)]
    output: Output,
}

/// A line of the books.
#[derive(Debug, Clone)]
struct BookLine {
    wallet: WalletName,
    movement: Movement,
}

/// The lines of the books, with the names that the report has for them.
const LINES: [(&str, Movement); 6] = [
    ("issued", Movement::Issued),
    ("redeemed", Movement::Redeemed),
    ("expired", Movement::Expired),
    ("reversed", Movement::Reversed),
    ("adjusted", Movement::Adjusted),
    ("transferred", Movement::Transferred),
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

/// An entry behind a line of the report.
#[derive(Debug)]
struct Behind {
    member: MemberId,
    verb: Option<Verb>,
    counted: Counted,
}

/// What is made of the members.
struct Books {
    period: Period,
    programme: Programme,
    line: Option<BookLine>,
    audit: Audit,
    cohorts: Cohorts,
    behind: Vec<Behind>,
    /// Why what a member bought cannot be said.
    unclear: Vec<String>,
}

/// What the report says.
struct Told {
    programme: Programme,
    period: Period,
    audited: ::audit::Audited,
    cohorts: Cohorts,
    /// The month at whose end forecasts are made.
    until: Option<Month>,
}

/// Prints what is owed, what is likely to become of it, and what is deferred for it. What does not come
/// out of its entries is not told: then the command fails.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = options.source.merchant()?;
    options.days.check()?;
    let progress = Progress::new("read");
    let start = |programme: &Programme| Books {
        period: options.days.period(programme),
        programme: programme.clone(),
        line: options.entries.clone(),
        audit: Audit::over(options.days.period(programme)),
        cohorts: Cohorts::default(),
        behind: Vec::new(),
        unclear: Vec::new(),
    };
    let Walked { programme, seen, opened } = options.source.walk(start, &progress).await?;
    let store = opened.as_ref().map(|opened| opened.store());
    let audited = audit::done(seen.audit, store, &merchant).await?;
    progress.bar.finish_and_clear();
    let is_used = options.source.is_table() && options.days.until.is_none();
    audit::holds(&audited, is_used).map_err(|error| {
        format!("{error}, so that nothing can be said of what is owed; `regulars audit` says more")
    })?;
    if let [first, ..] = seen.unclear.as_slice() {
        return Err(format!("what members bought cannot be said; the first: {first}").into());
    }
    let told = Told {
        until: options.days.until.map(Month::of_day).or_else(|| seen.cohorts.last()),
        period: options.days.period(&programme),
        cohorts: seen.cohorts,
        programme,
        audited,
    };
    match &options.entries {
        None => {
            let title = format!("What {} owes", told.programme.name);
            options.output.write(&title, || told.page(), || Ok(told.as_json().to_string()))
        }
        Some(line) => {
            let known = || told.audited.wallets.keys().map(WalletName::as_str);
            if !told.audited.wallets.contains_key(&line.wallet) {
                let hint = did_you_mean(line.wallet.as_str(), known());
                return Err(format!("there is no wallet `{}`{hint}", line.wallet).into());
            }
            let mut behind = seen.behind;
            behind.sort_by(|one, other| {
                let of = |one: &Behind| (one.counted.at, one.member.clone(), one.counted.entry);
                of(one).cmp(&of(other))
            });
            let title = format!("The entries of {line}");
            let page = || page::entries(&told.programme, &behind);
            options.output.write(&title, page, || Ok(page::entries_as_json(&behind).to_string()))
        }
    }
}

impl Seen for Books {
    fn see(&mut self, found: Found) {
        if let Ok(history) = &found {
            self.open(history);
            let kept = self.kept(history);
            match self.bought(history) {
                Ok(bought) => self.cohorts.add(&history.key.member, &kept, &bought),
                Err(error) => self.unclear.push(format!("{}: {error}", history.key)),
            }
        }
        self.audit.see_found(found);
    }

    fn add(&mut self, other: Books) {
        self.audit.add(other.audit);
        self.cohorts.merge(&other.cohorts);
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
            let entry = history.lines.iter().find(|line| Some(line.seq) == counted.entry);
            let (member, verb) = (history.key.member.clone(), entry.map(|entry| entry.verb));
            self.behind.push(Behind { member, verb, counted });
        }
    }

    /// The lines of a member before the end of the period.
    fn lines<'h>(&self, history: &'h History) -> impl Iterator<Item = &'h VersionLine> {
        let until = self.period.until;
        history.lines.iter().filter(move |line| until.is_none_or(|until| line.at < until))
    }

    fn kept(&self, history: &History) -> Kept {
        let mut kept = Kept::new(self.programme.time_zone);
        for line in self.lines(history) {
            let entry = line.version.as_ref().map(|version| &version.entry.kind);
            let purchase = matches!(
                entry,
                Some(EntryKind::Earn { activity }) if activity.kind == PURCHASE
            );
            kept.see(Line { at: line.at, postings: &line.postings, purchase });
        }
        match self.period.until {
            Some(until) => kept.until(until),
            None => kept,
        }
    }

    /// What a member bought in each month. What a person bought who was forgotten is not known.
    fn bought(&self, history: &History) -> CommandResult<BTreeMap<Month, Decimal>> {
        let entries: Vec<_> = self
            .lines(history)
            .filter_map(|line| Some(line.version.as_ref()?.entry.clone()))
            .collect();
        let next = entries.last().map_or(history.enrolled.seq, |last| last.seq).next();
        let mut months: BTreeMap<Month, Decimal> = BTreeMap::new();
        for (at, total) in purchases(&entries, next, self.programme.decimals())? {
            let sum = months.entry(Month::of(at, self.programme.time_zone)).or_default();
            *sum = sum.checked_add(total).ok_or("its orders come to too much")?;
        }
        Ok(months)
    }
}
