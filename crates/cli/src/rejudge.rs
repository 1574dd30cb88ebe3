//! `regulars rejudge`: activities for which a rule had failed, judged again with the rule as it has been
//! mended since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{Api, Clock, Identity, Refusal, unasked};
use chrono::NaiveDate;
use clap::Args;
use decide::{Context, is_same, rejudge};
use ledger::calendar::resolve;
use ledger::{Effect, Entry, EntryKind, Member, MemberId, MerchantId, Moment, Seq};
use rules::{Bundle, Rule, StatementKind};
use serde_json::json;
use store::{History, MemberKey, Store};

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
    let is_noted = noted.iter().any(|noted| rule.is_called(&noted.rule));
    let failed = failed(&api, &merchant, rule, noted).await?;
    if failed.is_empty() && is_noted {
        let message = "is for another activity now than when it failed, or another statement; it is judged again only as what it was";
        return Err(format!("`{}` {message}", rule.title).into());
    }

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
        let (concerned, failure) = concerned;
        done.concerned.extend(concerned);
        done.failures.extend(failure.map(|refusal| (key.member, refusal)));
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

/// The entry of an activity with a rule that failed.
struct Noted {
    member: MemberId,
    seq: Seq,
    /// The hash of the rules by which it was decided.
    hash: String,
    /// The title of the rule that failed.
    rule: String,
}

/// The entries since a moment that note that a rule failed.
async fn noted(
    store: &Store,
    merchant: &MerchantId,
    since: Option<Moment>,
) -> CommandResult<Vec<Noted>> {
    let mut noted = Vec::new();
    let is_since = |entry: &Entry| match &entry.kind {
        EntryKind::Earn { activity } => since.is_none_or(|since| activity.at >= since),
        _ => false,
    };
    let see = |history: History| {
        let failures: BTreeSet<(Seq, String)> = history
            .versions()
            .flat_map(|version| version.entry.failures())
            .map(|(seq, failed)| (seq, failed.rule))
            .collect();
        for (seq, rule) in failures {
            let of = history.versions().find(|version| version.entry.seq == seq);
            if let Some(of) = of.filter(|of| is_since(&of.entry)) {
                let (member, hash) = (history.key.member.clone(), of.bundle.clone());
                noted.push(Noted { member, seq, hash, rule });
            }
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
    let titles: BTreeSet<String> = noted.iter().map(|one| format!("`{}`", one.rule)).collect();
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
    for Noted { member, seq, hash, rule: title } in noted {
        if !rules.contains_key(&hash) {
            rules.insert(hash.clone(), api.bundle_of(merchant, &hash).await?);
        }
        if rules.get(&hash).is_some_and(|by| is_same(rule, &title, by)) {
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
    /// What the member would get, nothing if nothing is left to judge again; and why it would not.
    async fn considered(&self) -> (Option<Concerned>, Option<Refusal>) {
        let mut concerned = None;
        let failure = self.judge(self.entries, true, &mut concerned).await;
        (concerned, failure.err())
    }

    /// Writes what the member gets, one activity after the other. One that is refused keeps none of the
    /// others back; the first reason is returned as well.
    async fn written(&self) -> (Option<Concerned>, Option<Refusal>) {
        let (mut concerned, mut failure) = (None, None);
        for seq in self.entries {
            if let Err(refusal) = self.judge(&[*seq], false, &mut concerned).await {
                failure.get_or_insert(refusal);
            }
        }
        (concerned, failure)
    }

    async fn judge(
        &self,
        entries: &[Seq],
        dry_run: bool,
        concerned: &mut Option<Concerned>,
    ) -> Result<(), Refusal> {
        let decide =
            |context: &Context<'_>, member: &Member| rejudge(context, member, self.rule, entries);
        let now = self.api.clock.now();
        if let Some(done) = unasked(self.api, self.key, now, dry_run, decide).await? {
            self.add(concerned, &done.entry);
        }
        Ok(())
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
        let title = &rule.title;
        if self.concerned.is_empty() && self.failures.is_empty() {
            return format!("Nobody is left for whom `{title}` failed.");
        }
        let mut lines = Vec::new();
        if !self.concerned.is_empty() {
            lines.push(self.table());
            let units = self.units().into_iter().map(|(name, units)| (name.to_owned(), units));
            let units = match in_words(&units.collect()) {
                none if none.is_empty() => "nothing".to_owned(),
                units => units.join(", "),
            };
            let (would, what) = match dry_run {
                true => ("would be", "They would get"),
                false => ("were", "They got"),
            };
            let (activities, members) =
                (activities(self.activities()), plural(self.concerned.len(), "member"));
            lines.push(format!(
                "\n`{title}` failed for {activities} of {members}, which {would} judged again with the rule as it is in force now. {what} {units}."
            ));
        }
        let shown = self.failures.iter().take(SHOWN_MAX);
        lines.extend(shown.map(|(member, refusal)| format!("{member}: {refusal}")));
        lines.extend(more(self.failures.len()));
        if dry_run {
            lines.push("Nothing was written.".to_owned());
        }
        lines.join("\n")
    }

    fn table(&self) -> String {
        let mut rows = table(["member", "#activities", "gets"]);
        for concerned in self.concerned.iter().take(SHOWN_MAX) {
            let gets = in_words(&concerned.units).into_iter().chain(concerned.effects.clone());
            let gets: Vec<String> = gets.collect();
            let gets = if gets.is_empty() { "nothing".to_owned() } else { gets.join("\n") };
            rows.add_row([concerned.member.to_string(), whole(concerned.activities as u64), gets]);
        }
        let rows = [rows.to_string()].into_iter();
        rows.chain(more(self.concerned.len())).collect::<Vec<_>>().join("\n")
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

/// Says how many are not shown.
fn more(all: usize) -> Option<String> {
    let more = all.checked_sub(SHOWN_MAX).filter(|more| *more > 0)?;
    Some(format!("and {more} more; --json lists all."))
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
