//! `regulars explain`: a stored entry, derived again under its own rules.

use std::sync::Arc;

use ::backtest::{Past, Remade, Unmade, remade};
use ::history::past_of;
use clap::Args;
use decide::EarlierRules;
use ledger::entry::Returned;
use ledger::tier_status::TierChange;
use ledger::{
    Cause, DerivedAgain, Difference, Entry, EntryKind, Fact, FailedRule, Member, MemberId, Seq,
};
use rules::Bundle;
use store::{MemberKey, Store, Version};

use crate::place::{self, Rules};
use crate::report::say_effect;
use crate::result::CommandResult;
use crate::show::{shop_time, table};
use crate::simulate::page;
use crate::stored::Stored;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant
    #[arg(long)]
    merchant: String,
    /// The member
    #[arg(long)]
    member: String,
    /// The entry, by its number in the statement (`seq`)
    entry: u64,
    #[command(flatten)]
    stored: Stored,
    #[command(flatten)]
    rules: Rules,
}

/// Derives a stored entry again, under the bundle that it was decided by, and shows every rule's
/// verdict. A difference from the stored entry is an error.
pub(crate) async fn run(options: Options) -> CommandResult {
    let opened = options.stored.open(&options.rules).await?;
    let merchant = place::merchant_named(&options.merchant)?;
    let member = MemberId::parse(&options.member)
        .map_err(|reason| format!("`{}` is no member's id: {reason}", options.member))?;
    let key = MemberKey { merchant, member };
    let store = opened.store();
    let record = version(store, &key, Seq::new(options.entry)).await?;
    let bundle = api::bundle_of(store, &key.merchant, &record.bundle).await?;
    let (Remade { entry, lines }, erased) = again(store, &key, Seq::new(options.entry)).await?;
    say!(
        "Entry {} of {key}: {}.\nWritten on {}, under rules {}.\n",
        options.entry,
        say_what(&record.entry, &bundle),
        shop_time(record.entry.at, bundle.programme().time_zone),
        record.bundle
    );
    say!("{}", page(&bundle, &lines, &entry).trim_end());
    if lines.is_empty() && entry.all_reasons().next().is_none() {
        say!("\nAn entry of kind {}: no rule had a say in it.", entry.kind.verb());
    }
    if let Some(derived) = &record.entry.again {
        say!("\n{}", otherwise(store, &key, &bundle, &record.entry, derived).await?);
    }
    let differences = differences(&record.entry, &entry);
    if differences.is_empty() {
        say!("\nDerived again from the member as it was before it: the same.");
        return Ok(());
    }
    if let Some(erased) = erased.first() {
        let message =
            format!("member {erased}, whom it concerns, has been erased: it cannot be made again");
        return Err(message.into());
    }
    for difference in differences {
        say!("\n{difference}");
    }
    Err("derived again, the entry differs".into())
}

/// What an entry makes different about earlier ones, as a table: which, what, and why.
async fn otherwise(
    store: &Store,
    key: &MemberKey,
    bundle: &Bundle,
    written: &Entry,
    derived: &DerivedAgain,
) -> CommandResult<String> {
    let zone = bundle.programme().time_zone;
    let from = shop_time(derived.from, zone);
    let mut page = format!("It changes what happened from {from} on.\n");
    // Entries that had been taken back, and are not any more.
    let mut back = Vec::new();
    for (taken, part) in taken_back(written) {
        let undone = version(store, key, taken).await?.entry;
        let what = say_what(&undone, bundle);
        page += &match &undone.kind {
            EntryKind::Reverse { of, .. } => {
                back.push(*of);
                let counts = version(store, key, *of).await?.entry;
                let counts = say_what(&counts, bundle);
                format!("Not taken back any more: entry {of}, {counts} (by entry {taken}).\n")
            }
            _ => format!("Taken back: {part}entry {taken}, {what}.\n"),
        };
    }
    if derived.differences.is_empty() {
        return Ok(page + "No other entry is otherwise for it.");
    }
    let mut rows = table(["entry", "what", "rule", "now", "why"]);
    for Difference { entry, reasons, tier, causes, failures } in &derived.differences {
        let other = version(store, key, *entry).await?;
        let rules = api::bundle_of(store, &key.merchant, &other.bundle).await?;
        for (place, reason) in reasons.iter().enumerate() {
            let first = place == 0;
            let undone = taken_back(written).into_iter().find(|(of, _)| of == entry);
            let is_mended = matches!(&written.kind, EntryKind::Rejudge { rule, entries }
                if *rule == reason.rule && entries.contains(entry));
            let why = match undone {
                Some((_, part)) if part.is_empty() => "it is taken back".to_owned(),
                Some(_) => "a part of it is taken back".to_owned(),
                None if back.contains(entry) => "it counts again".to_owned(),
                None if is_mended => "the rule had failed and is mended".to_owned(),
                None => why(&reason.rule, causes, tier.as_ref()),
            };
            rows.add_row([
                if first { entry.to_string() } else { String::new() },
                if first { say_what(&other.entry, &rules) } else { String::new() },
                reason.rule.clone(),
                say_effect(&reason.effect, zone),
                why,
            ]);
        }
        for FailedRule { rule, source, message } in failures {
            let what = say_what(&other.entry, &rules);
            let failed = format!("failed at {source}: {message}");
            rows.add_row([entry.to_string(), what, rule.clone(), "nothing".to_owned(), failed]);
        }
    }
    Ok(format!("{page}{rows}"))
}

/// The entries that an entry takes back, and what of each, in words before its number; nothing for a
/// whole one.
fn taken_back(written: &Entry) -> Vec<(Seq, String)> {
    let of_order = |returned: Option<&Returned>| {
        let Some(Returned { lines, refund }) = returned else { return String::new() };
        let lines = lines.iter().map(|line| format!("{} of {}", line.quantity, line.of));
        let parts: Vec<String> = lines.chain([format!("{refund} paid back")]).collect();
        format!("{}, of ", parts.join(", "))
    };
    let own = match &written.kind {
        EntryKind::Reverse { of, units: Some(units), .. } => {
            Some((*of, format!("{units} units of ")))
        }
        EntryKind::Reverse { of, returned, .. } => Some((*of, of_order(returned.as_ref()))),
        _ => None,
    };
    let beside = written.again.iter().flat_map(|again| &again.undone);
    let beside = beside.map(|taken| (taken.of, of_order(taken.returned.as_ref())));
    own.into_iter().chain(beside).collect()
}

/// Why a rule gives something else for an entry than it did: what it sees that is otherwise.
fn why(rule: &str, causes: &[Cause], tier: Option<&TierChange>) -> String {
    let name = |tier: &Option<String>| tier.clone().unwrap_or_else(|| "no tier".to_owned());
    let say = |Cause { fact, was, is, .. }: &Cause| match (fact, tier) {
        (Fact::Read(fact), Some(TierChange { from, to })) if fact == "member.tier" => {
            format!("judged as {}, not {}", name(to), name(from))
        }
        (Fact::Read(fact), _) => format!("{fact} is {is}, not {was}"),
        (Fact::Cap, _) => format!("its cap has {is} left, not {was}"),
        (Fact::Progress, _) => format!("{is} of it were done before, not {was}"),
        (Fact::Remainder, _) => format!("{is} was carried over to it, not {was}"),
    };
    let own = causes.iter().filter(|cause| cause.rule == rule);
    let said: Vec<String> = own.map(say).collect();
    match said.is_empty() {
        true => "what happened before is different".to_owned(),
        false => said.join("\n"),
    }
}

/// What an entry stands for, in words.
fn say_what(entry: &Entry, bundle: &Bundle) -> String {
    let zone = bundle.programme().time_zone;
    let at = shop_time(entry.happened_at(), zone);
    match &entry.kind {
        EntryKind::Earn { activity } => {
            let at = shop_time(activity.at, zone);
            let total = activity.order.as_ref().map(|order| format!(" of {}", order.total));
            let total = total.unwrap_or_default();
            format!("{} {}{total}, {at}", activity.kind, activity.id)
        }
        EntryKind::Redeem { reward, .. } | EntryKind::Capture { reward, .. } => {
            format!("{} for {}, {at}", reward.name, reward.costs)
        }
        kind => format!("{}, {at}", kind.verb()),
    }
}

/// An entry, made again from what was there for it, and the members whom it concerns and who have been
/// erased since.
async fn again(
    store: &Store,
    key: &MemberKey,
    entry: Seq,
) -> CommandResult<(Remade, Vec<MemberId>)> {
    let own = past(store, key).await?;
    if own.enrolled.erased_at.is_some() {
        return Err(format!("member {key} has been erased").into());
    }
    let mut group = vec![own];
    let mut erased = Vec::new();
    let mut rules = EarlierRules::new();
    loop {
        match remade(&group, entry, &rules) {
            Err(Unmade::MemberIsMissing(member)) => {
                let key = MemberKey { merchant: key.merchant.clone(), member };
                let past = past(store, &key).await?;
                erased.extend(past.enrolled.erased_at.map(|_| key.member));
                group.push(past);
            }
            Err(Unmade::RulesAreMissing(missing)) => {
                for hash in missing {
                    let bundle = api::bundle_of(store, &key.merchant, &hash).await?;
                    rules.insert(hash, Arc::new(bundle));
                }
            }
            remade => return Ok((remade?, erased)),
        }
    }
}

/// A member's past. Of who has been erased, it is known that there was somebody.
async fn past(store: &Store, key: &MemberKey) -> CommandResult<Past> {
    let history = store.history(key).await?;
    let history = history.ok_or_else(|| format!("there is no member {key}"))?;
    Ok(past_of(&history).unwrap_or_else(|| {
        let erased_at = history.member().erased_at;
        let enrolled = Member { erased_at, ..history.enrolled.clone() };
        Past { enrolled, entries: Vec::new() }
    }))
}

async fn version(store: &Store, key: &MemberKey, entry: Seq) -> CommandResult<Version> {
    let found = store.version(key, entry).await?;
    Ok(found.ok_or_else(|| format!("member {key} has no entry {entry}"))?)
}

/// The parts in which two entries differ, in words.
fn differences(stored: &Entry, again: &Entry) -> Vec<String> {
    type Part = fn(&Entry) -> String;
    let parts: [(&str, Part); 12] = [
        ("reasons", |entry| format!("{:?}", entry.reasons)),
        ("postings", |entry| format!("{:?}", entry.postings)),
        ("notes", |entry| format!("{:?}", entry.notes)),
        ("changes", |entry| format!("{:?}", entry.changes)),
        ("withdrawals", |entry| format!("{:?}", entry.withdrawals)),
        ("returns", |entry| format!("{:?}", entry.returns)),
        ("account", |entry| format!("{:?}", entry.account)),
        ("balances", |entry| format!("{:?}", entry.balances)),
        ("tier", |entry| format!("{:?}", entry.tier)),
        ("tier status", |entry| format!("{:?}", entry.tier_status)),
        ("differences", |entry| format!("{:?}", entry.again)),
        ("kind", |entry| format!("{:?}", entry.kind)),
    ];
    let mut differences = Vec::new();
    for (name, part) in parts {
        let (was, is) = (part(stored), part(again));
        if was != is {
            differences.push(format!("{name}\n  written: {was}\n  derived: {is}"));
        }
    }
    differences
}
