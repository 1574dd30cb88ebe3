//! `regulars audit`: what is owed, recomputed from the entries of a data file, a table or an
//! export.

/// What an audit found, as a page and as JSON.
mod page;

use std::path::PathBuf;
use std::sync::Arc;

use ::audit::{Audit, Audited, Earlier, listed, looked_at_again};
use clap::Args;
use ledger::MerchantId;
use store::Found;

use crate::page::Output;
use crate::result::CommandResult;
use crate::walk::{Days, Progress, Seen, Source, Walked, exported};

pub(crate) use page::{as_json, has_worth, roll_forward};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// An earlier export of the table: all its entries must still be there
    #[arg(long, value_name = "DIR")]
    after: Option<PathBuf>,
    #[command(flatten)]
    days: Days,
    #[command(flatten)]
    output: Output,
}

/// Recomputes every balance from its entries, and prints what is owed and the first faults. Any
/// fault makes the command fail.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = options.source.merchant()?;
    let days = options.days.checked()?;
    let progress = Progress::new("audited");
    let is_far = |done, of| progress.is_far(done, of);
    let earlier =
        options.after.as_deref().map(|folder| exported(folder, &progress.bar)).transpose()?;
    let earlier = earlier.map(|export| Earlier::of(&export, &merchant, is_far)).transpose()?;
    let earlier = earlier.map(Arc::new);
    let start =
        |programme: &ledger::Programme| Audit::over(days.period(programme)).after(earlier.clone());
    let Walked { programme, seen, opened } = options.source.walk(start, &progress).await?;
    let audited = done(seen, opened.as_ref().map(|opened| opened.store()), &merchant).await?;
    progress.bar.finish_and_clear();
    options.output.write(
        &format!("What {} owes", programme.name),
        || page::page(&programme, &audited),
        || Ok(page::as_json(&programme, &audited).to_string()),
    )?;
    holds(&audited, options.source.is_table() && days.until.is_none())
}

/// Ends an audit: compares it with the due index, if a store has one, and looks again at what may have
/// changed meanwhile.
pub(crate) async fn done(
    mut audit: Audit,
    store: Option<&store::Store>,
    merchant: &MerchantId,
) -> CommandResult<Audited> {
    let Some(store) = store else { return Ok(audit.without_index().done()) };
    audit.see_due(listed(store, merchant).await?);
    Ok(looked_at_again(store, audit.done()).await?)
}

/// Checks that nothing is wrong with what was audited.
pub(crate) fn holds(audited: &Audited, is_read_while_used: bool) -> CommandResult {
    let wrong = audited.wrong().count();
    if wrong > 0 {
        return Err(format!("{wrong} members are not as they should be").into());
    }
    if let Some((name, wallet)) = audited.wallets.iter().find(|(_, wallet)| !wallet.is_reconciled())
    {
        // The table stays in use during an audit: the sender may be read before a transfer, and the
        // receiver after it.
        let what = match is_read_while_used && wallet.units.sum() == wallet.units.closing {
            true => "moved between members while they were read; audit up to a day, with --until",
            false => "does not come to what is there",
        };
        return Err(format!("what happened to {name} {what}").into());
    }
    Ok(())
}

impl Seen for Audit {
    fn see(&mut self, found: Found) {
        self.see_found(found);
    }

    fn add(&mut self, other: Audit) {
        Audit::add(self, other);
    }
}
