//! The members of a merchant with all their entries, read from a data file, a table or an export.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audit::Period;
use chrono::NaiveDate;
use clap::Args;
use futures::future::try_join_all;
use indicatif::ProgressBar;
use ledger::calendar::resolve;
use ledger::{MerchantId, Moment, Programme};
use store::{Export, Found, Store};

use crate::place::{self, Rules};
use crate::result::CommandResult;
use crate::show::{progress, whole};
use crate::stored::{Opened, Stored};

/// The parts of the table. The progress bar counts them.
const PARTS: i32 = 64;
/// The parts that are read concurrently.
const SIDE_BY_SIDE: usize = 8;
/// The members between two updates of the count in the progress bar.
const MEMBERS_AT_ONCE: u64 = 100;

/// Whose members are read, and from where.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The merchant
    #[arg(long)]
    merchant: String,
    #[command(flatten)]
    stored: Stored,
    /// An export of a table to S3, as it was downloaded: a folder with files of one item per line
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "table"])]
    export: Option<PathBuf>,
    #[command(flatten)]
    rules: Rules,
}

/// The days of a report.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Days {
    /// The first day of the report: what was before it counts as opening
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<NaiveDate>,
    /// The last day of the report: what came after it does not count, and units that expired by its
    /// end are not owed; without it, units that expired since the last expiry run still count as
    /// owed
    #[arg(long, value_name = "DAY")]
    pub(crate) until: Option<NaiveDate>,
}

impl Days {
    /// The days, if they are in order.
    pub(crate) fn checked(self) -> CommandResult<Days> {
        match (self.from, self.until) {
            (Some(from), Some(until)) if from > until => {
                Err(format!("--from {from} is after --until {until}").into())
            }
            _ => Ok(self),
        }
    }

    /// The period: whole days in the merchant's time zone.
    pub(crate) fn period(&self, programme: &Programme) -> Period {
        let midnight = |day: NaiveDate| -> Option<Moment> {
            Some(resolve(day.and_hms_opt(0, 0, 0)?, programme.time_zone))
        };
        Period {
            from: self.from.and_then(midnight),
            until: self.until.and_then(|day| midnight(day.succ_opt()?)),
        }
    }
}

/// What is made of members that are read one after the other, in parts that are read concurrently.
pub(crate) trait Seen: Send + 'static {
    /// Takes in a member.
    fn see(&mut self, found: Found);
    /// Adds what was seen of other members.
    fn add(&mut self, other: Self);
}

/// What was made of all members.
pub(crate) struct Walked<S> {
    pub(crate) programme: Programme,
    pub(crate) seen: S,
    /// The table or the data file; nothing if an export was read.
    pub(crate) opened: Option<Opened>,
}

impl Source {
    pub(crate) fn merchant(&self) -> CommandResult<MerchantId> {
        place::merchant_named(&self.merchant)
    }

    /// Whether it is a table, which others may be using.
    pub(crate) fn is_table(&self) -> bool {
        self.stored.is_table()
    }

    /// Reads all members. `start` makes what they are added to, for each part.
    pub(crate) async fn walk<S: Seen>(
        &self,
        start: impl Fn(&Programme) -> S,
        progress: &Progress,
    ) -> CommandResult<Walked<S>> {
        let merchant = self.merchant()?;
        if let Some(export) = &self.export {
            return self.walk_export(export, &merchant, start, progress);
        }
        let opened = self.stored.open(&self.rules).await?;
        let store = opened.store();
        let hash = store.active_bundle(&merchant).await?;
        let hash = hash.ok_or_else(|| format!("`{merchant}` has published no rules there"))?;
        let programme = api::bundle_of(store, &merchant, &hash).await?.programme().clone();
        let seen = walk_table(store, &merchant, || start(&programme), progress).await?;
        Ok(Walked { programme, seen, opened: Some(opened) })
    }

    fn walk_export<S: Seen>(
        &self,
        export: &Path,
        merchant: &MerchantId,
        start: impl Fn(&Programme) -> S,
        progress: &Progress,
    ) -> CommandResult<Walked<S>> {
        // An export has no active bundle to ask for, so the rules are read from their folder.
        let folder = self.rules.of_merchant(merchant.as_str())?;
        let sources = rules::Sources::read(&folder)?;
        let bundle = rules::Bundle::load(merchant, &sources)?;
        let programme = bundle.programme().clone();
        let see = |seen: &mut S, found| {
            progress.one_more();
            seen.see(found);
        };
        let is_far = |done, of| progress.is_far(done, of);
        let export = exported(export, &progress.bar)?;
        let mut all = start(&programme);
        for seen in export.each(merchant, || start(&programme), see, is_far)? {
            all.add(seen);
        }
        Ok(Walked { programme, seen: all, opened: None })
    }
}

/// Reads the parts of a table concurrently.
async fn walk_table<S: Seen>(
    store: &Store,
    merchant: &MerchantId,
    start: impl Fn() -> S,
    progress: &Progress,
) -> CommandResult<S> {
    progress.bar.set_length(PARTS.unsigned_abs().into());
    let parts = (0..PARTS).take(SIDE_BY_SIDE).map(|first| {
        let mut seen = start();
        let (store, merchant) = (store.clone(), merchant.clone());
        let progress = progress.clone();
        let walked = tokio::spawn(async move {
            for part in (first..PARTS).step_by(SIDE_BY_SIDE) {
                let see = |found| {
                    progress.one_more();
                    seen.see(found);
                };
                store.each_of_part(&merchant, part, PARTS, see).await?;
                progress.bar.inc(1);
            }
            Ok::<S, store::StoreError>(seen)
        });
        async { walked.await.map_err(|error| error.to_string()) }
    });
    let mut all = start();
    for part in try_join_all(parts).await? {
        all.add(part?);
    }
    Ok(all)
}

/// The progress of a walk, shown on a terminal.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) bar: ProgressBar,
    members: Arc<AtomicU64>,
}

impl Progress {
    /// `done` says in a word what is done to members.
    pub(crate) fn new(done: &str) -> Progress {
        let template = format!("{{bar:40}} {{percent}} %, {{msg}} members {done}, {{elapsed}}");
        let bar = progress(1, &template);
        bar.set_message("0");
        Progress { bar, members: Arc::default() }
    }

    pub(crate) fn is_far(&self, done: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(done);
    }

    fn one_more(&self) {
        let members = self.members.fetch_add(1, Ordering::Relaxed) + 1;
        if members.is_multiple_of(MEMBERS_AT_ONCE) {
            self.bar.set_message(whole(members));
        }
    }
}

/// Opens an export. Warns if it has no list of its files, since a missing file cannot be noticed
/// then.
pub(crate) fn exported(folder: &Path, bar: &ProgressBar) -> CommandResult<Export> {
    let export = Export::open(folder)?;
    if !export.is_listed() {
        bar.suspend(|| {
            eprintln!(
                "there is no manifest-files.json in `{}`: if a file is missing, nobody can tell",
                folder.display()
            );
        });
    }
    Ok(export)
}
