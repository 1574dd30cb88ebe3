//! `regulars history`: the past as data, from a table, an export, a laptop's file, or a file of orders
//! of a shop that has no programme yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::backtest::{Past, Recorded};
use ::history::{Added, HistoryError, Writer, past_of};
use api::Clock;
use clap::Args;
use decide::{ActivityBody, ReturnedBody};
use indicatif::ProgressBar;
use ledger::reverse::{Reversals, lessened};
use ledger::{Entry, EntryKind, Member, MemberId, MerchantId, Programme, Seq, Verb};
use rules::{Bundle, Sources};
use serde::Deserialize;
use store::{Export, Found, Store};

use crate::place::{self, Rules};
use crate::replay::{self, Format, Order, Orders};
use crate::result::CommandResult;
use crate::show::{progress, whole};
use crate::stored::Stored;

/// The parts in which a table is read. What is read is kept after each.
const PARTS: i32 = 64;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant
    #[arg(long)]
    merchant: String,
    /// The folder of the history; what is there already is kept, and what is new is added
    folder: PathBuf,
    #[command(flatten)]
    stored: Stored,
    /// An export of a table to S3, as it was downloaded
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "table"])]
    export: Option<PathBuf>,
    /// Orders of a shop that has no programme yet: a .csv with a head or a .jsonl file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "table", "export"])]
    orders: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    rules: Rules,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Writes what is new of the past. A run that is stopped loses what it had read last, and another one
/// goes on.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = place::merchant_named(&options.merchant)?;
    let bar = progress(1, "{bar:40.cyan/blue} {percent} %, {msg} members read, {elapsed}");
    bar.set_message("0");
    let (added, unreadable) = match (&options.orders, &options.export) {
        (Some(orders), _) => (of_orders(&options, &merchant, orders)?, Vec::new()),
        (None, Some(export)) => of_export(&options, &merchant, export, &bar)?,
        (None, None) => of_table(&options, &merchant, &bar).await?,
    };
    bar.finish_and_clear();
    let folder = options.folder.display();
    if options.json {
        let Added { members, entries, forgotten } = added;
        say!(
            "{}",
            serde_json::json!({ "members": members, "entries": entries, "forgotten": forgotten })
        );
    } else {
        let gone = match added.forgotten {
            0 => String::new(),
            forgotten => {
                format!("; {} were forgotten, and are not in it any more", whole(forgotten))
            }
        };
        let (members, entries) = (whole(added.members), whole(added.entries));
        say!("{members} members and {entries} entries were added to {folder}{gone}");
    }
    match unreadable.as_slice() {
        [] => Ok(()),
        [first, ..] => {
            let number = unreadable.len();
            Err(format!("{number} members cannot be read, and are not in it; the first: {first}")
                .into())
        }
    }
}

/// Sorts out what was found: pasts, those who were forgotten, and what cannot be read.
#[derive(Default)]
struct Sorted {
    pasts: Vec<Past>,
    forgotten: Vec<MemberId>,
    unreadable: Vec<String>,
}

impl Sorted {
    fn see(&mut self, found: Found) {
        match found {
            Ok(history) => match (&history.unreadable, past_of(&history)) {
                (Some((seq, reason)), Some(_)) => {
                    self.unreadable.push(format!("{}, entry {seq}: {reason}", history.key));
                }
                (_, Some(past)) => self.pasts.push(past),
                (_, None) => self.forgotten.push(history.key.member),
            },
            Err(error) => self.unreadable.push(error.to_string()),
        }
    }
}

async fn of_table(
    options: &Options,
    merchant: &MerchantId,
    bar: &ProgressBar,
) -> CommandResult<(Added, Vec<String>)> {
    let opened = options.stored.open(&options.rules).await?;
    let store = opened.store();
    let hash = store.active_bundle(merchant).await?;
    let hash = hash.ok_or_else(|| format!("`{merchant}` has published no rules there"))?;
    let bundle = api::bundle_of(store, merchant, &hash).await?;
    let mut writer =
        Writer::open(&options.folder, merchant, bundle.programme(), Some(hash.clone()))?;
    keep_rules(store, merchant, &writer, [hash.as_str()]).await?;
    bar.set_length(PARTS.unsigned_abs().into());
    let (mut read, mut unreadable) = (0u64, Vec::new());
    for part in 0..PARTS {
        let mut sorted = Sorted::default();
        store.each_of_part(merchant, part, PARTS, |found| sorted.see(found)).await?;
        let entries = sorted.pasts.iter().flat_map(|past| &past.entries);
        let hashes: BTreeSet<&str> = entries.map(|one| one.rules.as_str()).collect();
        keep_rules(store, merchant, &writer, hashes).await?;
        read += sorted.pasts.len() as u64;
        sorted.pasts.iter().try_for_each(|past| writer.add(past))?;
        sorted.forgotten.iter().for_each(|member| writer.forget(member));
        unreadable.append(&mut sorted.unreadable);
        bar.inc(1);
        bar.set_message(whole(read));
    }
    Ok((writer.done()?, unreadable))
}

async fn keep_rules(
    store: &Store,
    merchant: &MerchantId,
    writer: &Writer,
    hashes: impl IntoIterator<Item = &str>,
) -> CommandResult {
    for hash in hashes.into_iter().filter(|hash| writer.lacks_rules(hash)) {
        let stored = store.bundle(merchant, hash).await?;
        let stored = stored.ok_or_else(|| format!("the rules {hash} are not in the table"))?;
        writer.keep_rules(hash, &api::sources_of(&stored)?)?;
    }
    Ok(())
}

fn of_export(
    options: &Options,
    merchant: &MerchantId,
    export: &Path,
    bar: &ProgressBar,
) -> CommandResult<(Added, Vec<String>)> {
    let (sources, bundle) = in_folder(&options.rules, merchant)?;
    let export = Export::open(export)?;
    let hash = bundle.hash().to_string();
    let writer = Writer::open(&options.folder, merchant, bundle.programme(), Some(hash.clone()))?;
    writer.keep_rules(&hash, &sources)?;
    for stored in export.bundles(merchant)? {
        if writer.lacks_rules(&stored.hash) {
            writer.keep_rules(&stored.hash, &api::sources_of(&stored)?)?;
        }
    }
    // The cores read beside each other, and one at a time writes.
    let writing = Mutex::new((writer, Ok::<(), HistoryError>(())));
    let see = |sorted: &mut Sorted, found| {
        sorted.see(found);
        let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (writer, written) = &mut *writing;
        for past in sorted.pasts.drain(..) {
            if written.is_ok() {
                *written = writer.add(&past);
            }
        }
        sorted.forgotten.drain(..).for_each(|member| writer.forget(&member));
    };
    let is_far = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let sorted = export.each(merchant, Sorted::default, see, is_far)?;
    let (writer, written) = writing.into_inner().unwrap_or_else(PoisonError::into_inner);
    written?;
    let unreadable = sorted.into_iter().flat_map(|sorted| sorted.unreadable).collect();
    Ok((writer.done()?, unreadable))
}

/// The rules in the merchant's folder.
fn in_folder(rules: &Rules, merchant: &MerchantId) -> CommandResult<(Sources, Bundle)> {
    let sources = Sources::read(&rules.of_merchant(merchant.as_str())?)?;
    let bundle = Bundle::load(merchant, &sources)?;
    Ok((sources, bundle))
}

fn of_orders(options: &Options, merchant: &MerchantId, path: &Path) -> CommandResult<Added> {
    let (_, bundle) = in_folder(&options.rules, merchant)?;
    let programme = bundle.programme();
    let Orders { orders, bad } =
        replay::read(path, &options.format, programme, Clock::System.now())?;
    let mut writer = Writer::begin(&options.folder, merchant, programme)?;
    let mut pasts: BTreeMap<MemberId, Past> = BTreeMap::new();
    let mut refused: Vec<String> = bad.iter().map(ToString::to_string).collect();
    for order in orders {
        let past = pasts.entry(order.member.clone()).or_insert_with(|| Past {
            enrolled: Member::new(order.member.clone(), order.at),
            entries: Vec::new(),
        });
        match entry(&order, past, programme) {
            Ok(entry) => past.entries.extend(entry.map(|entry| Recorded {
                entry,
                rules: String::new(),
                asked: true,
            })),
            Err(reason) => refused.push(format!("line {}: {reason}", order.line)),
        }
    }
    pasts.values().try_for_each(|past| writer.add(past))?;
    let added = writer.done()?;
    match refused.as_slice() {
        [] => Ok(added),
        all => {
            all.iter().for_each(|line| eprintln!("{line}"));
            Err(format!("{} lines are not in the history; the others are", all.len()).into())
        }
    }
}

/// What came back of an order, as a file of orders has it.
#[derive(Deserialize)]
struct Return {
    order: String,
    #[serde(flatten)]
    part: ReturnedBody,
}

/// The entry that an order or a return would have been, had there been a programme; nothing for an order
/// that is there already.
fn entry(order: &Order, past: &Past, programme: &Programme) -> Result<Option<Entry>, String> {
    let seq = Seq::new(past.entries.len() as u64 + 1);
    if order.verb != Verb::Reverse {
        let body: ActivityBody =
            serde_json::from_value(order.body.clone()).map_err(|error| error.to_string())?;
        if body.takes_back().map_err(|error| error.to_string())?.is_some() {
            let reason = "it puts another order right, or exchanges one; replay the file, and take the history of that";
            return Err(reason.to_owned());
        }
        let activity = body.check(programme, &order.key, order.at);
        let activity = activity.map_err(|error| error.to_string())?;
        let is_named = |one: &&Recorded| match &one.entry.kind {
            EntryKind::Earn { activity: other } => {
                (&other.kind, &other.id) == (&activity.kind, &activity.id)
            }
            _ => false,
        };
        let kind = EntryKind::Earn { activity: activity.clone() };
        return match past.entries.iter().find(is_named) {
            None => Ok(Some(Entry::bare(seq, order.at, kind))),
            Some(known) if known.entry.kind == kind => Ok(None),
            Some(_) => Err(format!("there is another {} `{}`", activity.kind, activity.id)),
        };
    }
    let back: Return =
        serde_json::from_value(order.body.clone()).map_err(|error| error.to_string())?;
    let entries: Vec<Entry> = past.entries.iter().map(|one| one.entry.clone()).collect();
    let is_of = |entry: &&Entry| match &entry.kind {
        EntryKind::Earn { activity } => activity.id == back.order,
        _ => false,
    };
    let bought = entries.iter().rev().find(is_of);
    let bought = bought.ok_or_else(|| format!("there is no order `{}`", back.order))?;
    let wanted = back.part.check("", programme).map_err(|error| error.to_string())?;
    let decimals = programme.decimals();
    let reversals = Reversals::of(&entries, seq, &[], decimals);
    let returned =
        wanted.map(|wanted| lessened(bought, &reversals.back(bought.seq), &wanted, decimals));
    let returned = returned.transpose().map_err(|error| error.to_string())?;
    let kind = EntryKind::Reverse { of: bought.seq, returned, units: None, other: None };
    Ok(Some(Entry::bare(seq, order.at, kind)))
}
