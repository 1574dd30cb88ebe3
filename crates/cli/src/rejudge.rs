//! `regulars rejudge`: activities for which a rule had failed, judged again with the rule as it has been
//! mended since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{Api, Clock, Identity, Refusal, consider_unasked, write_unasked};
use chrono::NaiveDate;
use clap::Args;
use decide::{Context, REJUDGED_MAX, has_failed, rejudge};
use ledger::calendar::resolve;
use ledger::entry::Note;
use ledger::{Decision, Effect, Entry, EntryKind, Member, MemberId, MerchantId, Moment, Seq};
use rules::{Bundle, Rule, StatementKind};
use serde_json::json;
use store::{History, MemberKey, Store, Version};

use crate::place::{self, Rules};
use crate::report::say_effect;
use crate::result::CommandResult;
use crate::show::{plural, progress, table, whole};
use crate::stored::Stored;

/// The members that a page shows one by one.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant
    #[arg(long)]
    merchant: String,
    /// The rule that had failed, by its title in the rules in force
    #[arg(long, value_name = "TITLE")]
    rule: String,
    /// The first day of the activities that are judged again
    #[arg(long, value_name = "DAY")]
    since: Option<NaiveDate>,
    /// Show whom it concerns and what they get, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    stored: Stored,
    /// What the clock shows, such as 1998-07-01T12:00:00Z [default: the time]
    #[arg(long, value_name = "TIME")]
    clock: Option<Moment>,
    #[command(flatten)]
    rules: Rules,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A member for whom the rule had failed, and what becomes of it.
struct Concerned {
    member: MemberId,
    activities: usize,
    /// The units that come of it all, by wallet.
    units: BTreeMap<String, i64>,
    /// What else the rules give.
    effects: Vec<String>,
}

/// Judges the activities again, member by member. What is written stays if the command is stopped,
/// and another run does the rest: an activity that has been judged again is not judged a third time.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = place::merchant_named(&options.merchant)?;
    let opened = options.stored.open(&options.rules).await?;
    let clock = options.clock.map_or(Clock::System, Clock::standing);
    let api = Api::new(opened.store().clone(), clock, Identity::Verified);
    let bundle = api.bundle(&merchant).await?;
    let since = options.since.and_then(|day| day.and_hms_opt(0, 0, 0));
    let since = since.map(|first| resolve(first, bundle.programme().time_zone));
    let noted = noted(&api.store, &merchant, since).await?;
    let rule = mended(&bundle, &options.rule, &noted)?;
    let failed = failed(&api, &merchant, rule, noted).await?;

    let bar =
        progress(failed.len(), "{bar:40.cyan/blue} {human_pos}/{human_len} members  {eta} left");
    let mut done = Done::default();
    for (member, entries) in failed {
        let key = MemberKey { merchant: merchant.clone(), member };
        let again = Again { api: &api, key: &key, rule, entries: &entries, bundle: &bundle };
        let concerned = match options.dry_run {
            true => again.considered().await,
            false => again.written().await,
        };
        match concerned {
            Ok(concerned) => done.concerned.extend(concerned),
            Err(refusal) => done.failures.push((key.member, refusal)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if options.json {
        say!("{}", done.as_json(rule, options.dry_run));
    } else {
        say!("{}", done.page(rule, options.dry_run));
    }
    match done.failures.len() {
        0 => Ok(()),
        failures => Err(format!("{} could not be helped", plural(failures, "member")).into()),
    }
}

/// The entry of an activity with rules that failed.
struct Noted {
    member: MemberId,
    seq: Seq,
    /// The hash of the rules by which it was decided.
    hash: String,
    notes: Vec<Note>,
}

/// The entries since a moment that note that a rule failed.
async fn noted(
    store: &Store,
    merchant: &MerchantId,
    since: Option<Moment>,
) -> CommandResult<Vec<Noted>> {
    let mut noted = Vec::new();
    let is_failure = |note: &Note| matches!(note, Note::RuleFailed { .. });
    let is_noted = |entry: &Entry| {
        matches!(entry.kind, EntryKind::Earn { .. })
            && since.is_none_or(|since| entry.happened_at() >= since)
            && entry.notes.iter().any(is_failure)
    };
    let see = |history: History| {
        let member = &history.key.member;
        for version in history.versions().filter(|version| is_noted(&version.entry)) {
            noted.push(Noted {
                member: member.clone(),
                seq: version.entry.seq,
                hash: version.bundle.clone(),
                notes: version.entry.notes.clone(),
            });
        }
    };
    store.each(merchant, see).await?;
    Ok(noted)
}

/// The rule of the rules in force that has this title.
fn mended<'b>(bundle: &'b Bundle, title: &str, noted: &[Noted]) -> CommandResult<&'b Rule> {
    let judged = [StatementKind::Earn, StatementKind::Task, StatementKind::Contest];
    if let Some(rule) = judged.into_iter().find_map(|kind| bundle.called(kind, title)) {
        return Ok(rule);
    }
    let tier = bundle.called(StatementKind::Tier, title);
    if let Some(other) = bundle.rule_called(title).or(tier) {
        let keyword = other.keyword();
        return Err(format!(
            "`{title}` is a {keyword}; activities are judged by `earn`, `task` and `contest`"
        )
        .into());
    }
    let notes = noted.iter().flat_map(|noted| &noted.notes);
    let titles = notes.filter_map(|note| match note {
        Note::RuleFailed { rule, .. } => Some(format!("`{rule}`")),
        _ => None,
    });
    let titles: BTreeSet<String> = titles.collect();
    let failed = match titles.is_empty() {
        true => "no rule has failed".to_owned(),
        false => format!("these have failed: {}", Vec::from_iter(titles).join(", ")),
    };
    Err(format!("the rules in force have no rule `{title}`; {failed}").into())
}

/// The entries for which the rule failed, by member.
async fn failed(
    api: &Api,
    merchant: &MerchantId,
    rule: &Rule,
    noted: Vec<Noted>,
) -> CommandResult<BTreeMap<MemberId, Vec<Seq>>> {
    let mut rules: BTreeMap<String, Arc<Bundle>> = BTreeMap::new();
    let mut failed: BTreeMap<MemberId, Vec<Seq>> = BTreeMap::new();
    for Noted { member, seq, hash, notes } in noted {
        if !rules.contains_key(&hash) {
            rules.insert(hash.clone(), api.bundle_of(merchant, &hash).await?);
        }
        if rules.get(&hash).is_some_and(|by| has_failed(rule, &notes, by)) {
            failed.entry(member).or_default().push(seq);
        }
    }
    Ok(failed)
}

/// One member, whose activities are judged again.
struct Again<'a> {
    api: &'a Api,
    key: &'a MemberKey,
    rule: &'a Rule,
    entries: &'a [Seq],
    bundle: &'a Bundle,
}

impl Again<'_> {
    /// What the member would get; nothing if nothing is left to judge again.
    async fn considered(&self) -> Result<Option<Concerned>, Refusal> {
        let now = self.api.clock.now();
        let decide = |context: &Context<'_>, member: &Member| {
            rejudge(context, member, self.rule, self.entries, usize::MAX)
        };
        let decided = consider_unasked(self.api, self.key, now, decide).await?;
        let mut concerned = None;
        if let Some(Decision { entry, .. }) = &decided {
            self.add(&mut concerned, entry);
        }
        Ok(concerned)
    }

    /// Writes what the member gets, a few activities at a time.
    async fn written(&self) -> Result<Option<Concerned>, Refusal> {
        let mut concerned = None;
        loop {
            let now = self.api.clock.now();
            let decide = |context: &Context<'_>, member: &Member| {
                rejudge(context, member, self.rule, self.entries, REJUDGED_MAX)
            };
            let written = write_unasked(self.api, self.key, now, decide).await?;
            let Some(Version { entry, .. }) = written else { return Ok(concerned) };
            self.add(&mut concerned, &entry);
            if entry.rejudges().len() < REJUDGED_MAX {
                return Ok(concerned);
            }
        }
    }

    /// Adds what an entry gives.
    fn add(&self, concerned: &mut Option<Concerned>, entry: &Entry) {
        let concerned = concerned.get_or_insert_with(|| Concerned {
            member: self.key.member.clone(),
            activities: 0,
            units: BTreeMap::new(),
            effects: Vec::new(),
        });
        concerned.activities += entry.rejudges().len();
        for posting in &entry.postings {
            *concerned.units.entry(posting.wallet.to_string()).or_default() += posting.change();
        }
        concerned.units.retain(|_, units| *units != 0);
        let zone = self.bundle.programme().time_zone;
        let differences = entry.again.iter().flat_map(|again| &again.differences);
        let effects = differences.flat_map(|difference| &difference.reasons);
        let effects = effects.map(|reason| &reason.effect);
        let others = effects
            .filter(|effect| !matches!(effect, Effect::Units { .. } | Effect::Reclaim { .. }));
        concerned.effects.extend(others.map(|effect| say_effect(effect, zone)));
    }
}

/// What was done.
#[derive(Default)]
struct Done {
    concerned: Vec<Concerned>,
    failures: Vec<(MemberId, Refusal)>,
}

impl Done {
    fn activities(&self) -> usize {
        self.concerned.iter().map(|concerned| concerned.activities).sum()
    }

    fn units(&self) -> BTreeMap<&str, i64> {
        let mut sums = BTreeMap::new();
        for (wallet, units) in self.concerned.iter().flat_map(|concerned| &concerned.units) {
            *sums.entry(wallet.as_str()).or_default() += units;
        }
        sums
    }

    fn page(&self, rule: &Rule, dry_run: bool) -> String {
        let mut page = String::new();
        if self.concerned.is_empty() && self.failures.is_empty() {
            return format!("Nobody is left for whom `{}` failed.", rule.title);
        }
        if !self.concerned.is_empty() {
            let mut rows = table(["member", "#activities", "gets"]);
            for concerned in self.concerned.iter().take(SHOWN_MAX) {
                let gets = in_words(&concerned.units).into_iter().chain(concerned.effects.clone());
                let gets: Vec<String> = gets.collect();
                let gets = if gets.is_empty() { "nothing".to_owned() } else { gets.join("\n") };
                rows.add_row([
                    concerned.member.to_string(),
                    whole(concerned.activities as u64),
                    gets,
                ]);
            }
            page += &format!("{rows}\n");
            let more = self.concerned.len().saturating_sub(SHOWN_MAX);
            if more > 0 {
                page += &format!("and {more} more; --json lists all.\n");
            }
            let units = in_words(
                &self.units().into_iter().map(|(name, units)| (name.to_owned(), units)).collect(),
            );
            let units = if units.is_empty() { "nothing".to_owned() } else { units.join(", ") };
            let (would, what) = match dry_run {
                true => ("would be", "They would get"),
                false => ("were", "They got"),
            };
            page += &format!(
                "\n`{}` failed for {} of {}, which {would} judged again with the rule as it is in force now. {what} {units}.\n",
                rule.title,
                activities(self.activities()),
                plural(self.concerned.len(), "member"),
            );
        }
        for (member, refusal) in &self.failures {
            page += &format!("\n{member}: {refusal}");
        }
        if dry_run {
            page += "Nothing was written.";
        }
        page.trim_end().to_owned()
    }

    fn as_json(&self, rule: &Rule, dry_run: bool) -> serde_json::Value {
        let concerned = self.concerned.iter().map(|concerned| {
            json!({
                "member": concerned.member,
                "activities": concerned.activities,
                "units": concerned.units,
                "effects": concerned.effects,
            })
        });
        let failures = self
            .failures
            .iter()
            .map(|(member, refusal)| json!({ "member": member, "reason": refusal.to_string() }));
        json!({
            "rule": rule.title,
            "dry_run": dry_run,
            "activities": self.activities(),
            "units": self.units(),
            "members": Vec::from_iter(concerned),
            "failures": Vec::from_iter(failures),
        })
    }
}

fn activities(number: usize) -> String {
    match number {
        1 => "1 activity".to_owned(),
        _ => format!("{number} activities"),
    }
}

fn in_words(units: &BTreeMap<String, i64>) -> Vec<String> {
    units
        .iter()
        .map(|(wallet, units)| {
            format!("{}{} {wallet}", if *units > 0 { "+" } else { "" }, whole(*units))
        })
        .collect()
}
