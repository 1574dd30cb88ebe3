//! `regulars failures`: the rules that failed, with what they cost, from the notes of the entries.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use clap::Args;
use ledger::calendar::resolve;
use ledger::{FailedRule, MemberId, Moment};
use serde_json::json;
use store::History;

use crate::place::{self, Rules};
use crate::result::CommandResult;
use crate::show::{table, whole};
use crate::stored::Stored;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant
    #[arg(long)]
    merchant: String,
    #[command(flatten)]
    stored: Stored,
    /// The first day that counts
    #[arg(long, value_name = "DAY")]
    since: Option<NaiveDate>,
    #[command(flatten)]
    rules: Rules,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The failures of one rule at one place with one message.
#[derive(Debug)]
struct Failures {
    times: u64,
    members: BTreeSet<MemberId>,
    first: Moment,
    last: Moment,
    /// The first entry that has one: its member and its number.
    example: (MemberId, u64),
}

/// The rule, its place, and the message.
type Failed = (String, String, String);

/// Prints how often each rule failed, and for whom.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = place::merchant_named(&options.merchant)?;
    let opened = options.stored.open(&options.rules).await?;
    let store = opened.store();
    let hash = store.active_bundle(&merchant).await?;
    let hash = hash.ok_or_else(|| format!("merchant `{merchant}` has published no rules"))?;
    let bundle = api::bundle_of(store, &merchant, &hash).await?;
    let since = options.since.and_then(|day| day.and_hms_opt(0, 0, 0));
    let since = since.map(|first| resolve(first, bundle.programme().time_zone));
    let mut failed: BTreeMap<Failed, Failures> = BTreeMap::new();
    store.each(&merchant, |history| gather(&history, since, &mut failed)).await?;
    if options.json {
        say!("{}", as_json(&failed));
    } else {
        say!("{}", page(&failed));
    }
    Ok(())
}

fn gather(history: &History, since: Option<Moment>, failed: &mut BTreeMap<Failed, Failures>) {
    let member = &history.key.member;
    let entries = history.versions().map(|version| &version.entry);
    for entry in entries.filter(|entry| since.is_none_or(|since| entry.at >= since)) {
        for (seq, FailedRule { rule, source, message }) in entry.failures() {
            let key = (rule, source, message);
            let failures = failed.entry(key).or_insert_with(|| Failures {
                times: 0,
                members: BTreeSet::new(),
                first: entry.at,
                last: entry.at,
                example: (member.clone(), seq.get()),
            });
            failures.times += 1;
            failures.members.insert(member.clone());
            failures.first = failures.first.min(entry.at);
            failures.last = failures.last.max(entry.at);
        }
    }
}

fn page(failed: &BTreeMap<Failed, Failures>) -> String {
    if failed.is_empty() {
        return "No rule has failed.".to_owned();
    }
    let heads = ["rule", "place", "#times", "#members", "first", "last", "for example"];
    let mut table = table(heads);
    let mut messages = String::new();
    for ((rule, source, message), failures) in failed {
        let (member, seq) = &failures.example;
        table.add_row([
            rule.clone(),
            source.clone(),
            whole(failures.times),
            whole(failures.members.len() as u64),
            failures.first.date_naive().to_string(),
            failures.last.date_naive().to_string(),
            format!("{member} {seq}"),
        ]);
        messages += &format!("\n{rule}, {source}: {message}");
    }
    format!(
        "{table}\n{messages}\n\n`regulars explain` shows an entry: the member and its number are the last column."
    )
}

fn as_json(failed: &BTreeMap<Failed, Failures>) -> serde_json::Value {
    let rows = failed.iter().map(|((rule, source, message), failures)| {
        let (member, seq) = &failures.example;
        json!({
            "rule": rule,
            "source": source,
            "message": message,
            "times": failures.times,
            "members": failures.members.len(),
            "first": failures.first,
            "last": failures.last,
            "example": { "member": member, "entry": seq },
        })
    });
    rows.collect()
}
