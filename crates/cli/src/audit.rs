//! `regulars audit`: what is owed, recomputed from the entries of a data file, a table or an
//! export.

/// What an audit found, as a page and as JSON.
mod page;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::audit::{Audit, Audited, Earlier, Period, listed, looked_at_again};
use chrono::NaiveDate;
use clap::Args;
use futures::future::try_join_all;
use indicatif::ProgressBar;
use ledger::calendar::resolve;
use ledger::{MerchantId, Moment, Programme};
use store::{Export, Store};

use crate::place::{self, Rules};
use crate::result::CommandResult;
use crate::show::{progress, whole};
use crate::stored::Stored;

/// The parts of the table. The progress bar counts them.
const PARTS: i32 = 64;
/// The parts that are read concurrently.
const SIDE_BY_SIDE: usize = 8;
/// The members between two updates of the count in the progress bar.
const MEMBERS_AT_ONCE: u64 = 100;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant
    #[arg(long)]
    merchant: String,
    #[command(flatten)]
    stored: Stored,
    /// An export of a table to S3, as it was downloaded: a folder with files of one item per line
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "table"])]
    export: Option<PathBuf>,
    /// An earlier export of the table: all its entries must still be there
    #[arg(long, value_name = "DIR")]
    after: Option<PathBuf>,
    /// The first day of the report: what was before it counts as opening
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// The last day of the report: what came after it does not count, and units that expired by its
    /// end are not owed; without it, units that expired since the last expiry run still count as
    /// owed
    #[arg(long, value_name = "DAY")]
    until: Option<NaiveDate>,
    #[command(flatten)]
    rules: Rules,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Recomputes every balance from its entries, and prints what is owed and the first faults. Any
/// fault makes the command fail.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = place::merchant_named(&options.merchant)?;
    if let (Some(from), Some(until)) = (options.from, options.until)
        && from > until
    {
        return Err(format!("--from {from} is after --until {until}").into());
    }
    let progress = Progress::new();
    let is_far = |done, of| progress.is_far(done, of);
    let earlier =
        options.after.as_deref().map(|folder| exported(folder, &progress.bar)).transpose()?;
    let earlier = earlier.map(|export| Earlier::of(&export, &merchant, is_far)).transpose()?;
    let earlier = earlier.map(Arc::new);
    let (programme, audited) = match &options.export {
        Some(export) => audited_export(&options, export, &merchant, earlier.as_ref(), &progress)?,
        None => audited_table(&options, &merchant, earlier.as_ref(), &progress).await?,
    };
    progress.bar.finish_and_clear();
    if options.json {
        say!("{}", page::as_json(&programme, &audited));
    } else {
        say!("{}", page::page(&programme, &audited).trim_end());
    }
    let wrong = audited.wrong().count();
    if wrong > 0 {
        return Err(format!("{wrong} members are not as they should be").into());
    }
    if let Some((name, wallet)) = audited.wallets.iter().find(|(_, wallet)| !wallet.is_reconciled())
    {
        // The table stays in use during an audit: the sender may be read before a transfer, and the
        // receiver after it.
        let is_read_while_used = options.stored.is_table() && options.until.is_none();
        let what = match is_read_while_used && wallet.units.sum() == wallet.units.closing {
            true => "moved between members while they were read; audit up to a day, with --until",
            false => "does not come to what is there",
        };
        return Err(format!("what happened to {name} {what}").into());
    }
    Ok(())
}

/// Audits an export of the table.
fn audited_export(
    options: &Options,
    export: &Path,
    merchant: &MerchantId,
    earlier: Option<&Arc<Earlier>>,
    progress: &Progress,
) -> CommandResult<(Programme, Audited)> {
    let is_far = |done, of| progress.is_far(done, of);
    // An export has no active bundle to ask for, so the rules are read from their folder.
    let folder = options.rules.of_merchant(merchant.as_str())?;
    let sources = rules::Sources::read(&folder)?;
    let bundle = rules::Bundle::load(merchant, &sources)?;
    let programme = bundle.programme().clone();
    let start = || Audit::over(period(options, &programme)).after(earlier.cloned());
    let see = |audit: &mut Audit, found| {
        progress.one_more();
        audit.see_found(found);
    };
    let mut all = start();
    for audit in exported(export, &progress.bar)?.each(merchant, start, see, is_far)? {
        all.add(audit);
    }
    let audited = all.without_index().done();
    Ok((programme, audited))
}

/// Audits a table, or the data file of a laptop.
async fn audited_table(
    options: &Options,
    merchant: &MerchantId,
    earlier: Option<&Arc<Earlier>>,
    progress: &Progress,
) -> CommandResult<(Programme, Audited)> {
    let opened = options.stored.open(&options.rules).await?;
    let store = opened.store();
    let hash = store.active_bundle(merchant).await?;
    let hash = hash.ok_or_else(|| format!("`{merchant}` has published no rules there"))?;
    let programme = api::bundle_of(store, merchant, &hash).await?.programme().clone();
    let start = || Audit::over(period(options, &programme)).after(earlier.cloned());
    let audited = walk(store, merchant, start, progress).await?;
    Ok((programme, audited))
}

/// The progress of an audit, shown on a terminal.
#[derive(Clone)]
struct Progress {
    bar: ProgressBar,
    members: Arc<AtomicU64>,
}

impl Progress {
    fn new() -> Progress {
        let bar = progress(1, "{bar:40} {percent} %, {msg} members audited, {elapsed}");
        bar.set_message("0");
        Progress { bar, members: Arc::default() }
    }

    fn is_far(&self, done: u64, of: u64) {
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

/// Audits the parts of a table concurrently.
async fn walk(
    store: &Store,
    merchant: &MerchantId,
    start: impl Fn() -> Audit,
    progress: &Progress,
) -> CommandResult<Audited> {
    progress.bar.set_length(PARTS.unsigned_abs().into());
    let parts = (0..PARTS).take(SIDE_BY_SIDE).map(|first| {
        let mut audit = start();
        let (store, merchant) = (store.clone(), merchant.clone());
        let progress = progress.clone();
        let walked = tokio::spawn(async move {
            for part in (first..PARTS).step_by(SIDE_BY_SIDE) {
                let see = |found| {
                    progress.one_more();
                    audit.see_found(found);
                };
                store.each_of_part(&merchant, part, PARTS, see).await?;
                progress.bar.inc(1);
            }
            Ok::<Audit, store::StoreError>(audit)
        });
        async { walked.await.map_err(|error| error.to_string()) }
    });
    let mut all = start();
    for part in try_join_all(parts).await? {
        all.add(part?);
    }
    all.see_due(listed(store, merchant).await?);
    Ok(looked_at_again(store, all.done()).await?)
}

/// Opens an export. Warns if it has no list of its files, since a missing file cannot be noticed
/// then.
fn exported(folder: &Path, bar: &ProgressBar) -> CommandResult<Export> {
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

/// The period of the report: whole days in the merchant's time zone.
fn period(options: &Options, programme: &Programme) -> Period {
    let midnight = |day: NaiveDate| -> Option<Moment> {
        Some(resolve(day.and_hms_opt(0, 0, 0)?, programme.time_zone))
    };
    Period {
        from: options.from.and_then(midnight),
        until: options.until.and_then(|day| midnight(day.succ_opt()?)),
    }
}
