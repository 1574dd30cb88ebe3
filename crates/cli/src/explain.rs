//! `regulars explain`: a stored entry, derived again under its own rules.

use std::sync::Arc;

use clap::Args;
use decide::{
    About, ActivityEvent, Context, EarlierRules, Redemption, Reversal, ReversedPart, TraceLine,
    Undecided, Undo,
};
use ledger::entry::{Note, Returned};
use ledger::reverse::Wanted;
use ledger::tier_status::TierChange;
use ledger::{
    Activity, Change, Decision, DecisionData, DerivedAgain, Difference, Entry, EntryKind, Member,
    MemberId, MissingData, Moment, Order, RedeemedReward, Seq, Units,
};
use rules::{Bundle, StatementKind};
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
    let (before, record) = version(store, &key, Seq::new(options.entry)).await?;
    let bundle = api::bundle_of(store, &key.merchant, &record.bundle).await?;
    let again = again(store, &key, &bundle, &before, &record.entry).await?;
    say!(
        "Entry {} of {key}, {}, under rules {}:\n",
        options.entry,
        shop_time(record.entry.at, bundle.programme().time_zone),
        record.bundle
    );
    let Some((lines, again)) = again else {
        for posting in &record.entry.postings {
            say!("{:+} {}", posting.change(), posting.wallet);
        }
        say!("\nAn entry of kind {}: no rule had a say in it.", record.entry.kind.verb());
        return Ok(());
    };
    say!("{}", page(&bundle, &lines, &again).trim_end());
    if let Some(derived) = &record.entry.again {
        say!("\n{}", otherwise(store, &key, &bundle, &record.entry, derived).await?);
    }
    let differences = differences(&record.entry, &again.entry);
    if differences.is_empty() {
        say!("\nDerived again from the member as it was before it: the same.");
        return Ok(());
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
    for taken in written.undoes() {
        let (_, undone) = version(store, key, taken).await?;
        page += &format!("Taken back: entry {taken}, {}.\n", say_what(&undone.entry, bundle));
    }
    if derived.differences.is_empty() {
        return Ok(page + "No other entry is otherwise for it.");
    }
    let mut rows = table(["entry", "what", "rule", "now", "why"]);
    for Difference { entry, reasons, tier } in &derived.differences {
        let (_, other) = version(store, key, *entry).await?;
        let rules = api::bundle_of(store, &key.merchant, &other.bundle).await?;
        for (place, reason) in reasons.iter().enumerate() {
            let first = place == 0;
            let is_undone = derived.undone.iter().any(|taken| taken.of == *entry);
            let is_mended = matches!(&written.kind, EntryKind::Rejudge { rule, entries }
                if *rule == reason.rule && entries.contains(entry));
            let why = match (is_undone, is_mended, tier) {
                (true, ..) => "it is taken back".to_owned(),
                (_, true, _) => "the rule had failed and is mended".to_owned(),
                (_, _, tier) => why(&rules, &reason.rule, tier.as_ref()),
            };
            rows.add_row([
                if first { entry.to_string() } else { String::new() },
                if first { say_what(&other.entry, &rules) } else { String::new() },
                reason.rule.clone(),
                say_effect(&reason.effect, zone),
                why,
            ]);
        }
    }
    Ok(format!("{page}{rows}"))
}

/// Why a rule gives something else for an entry than it did.
fn why(rules: &Bundle, rule: &str, tier: Option<&TierChange>) -> String {
    let name = |tier: &Option<String>| tier.clone().unwrap_or_else(|| "no tier".to_owned());
    if let Some(TierChange { from, to }) = tier {
        return format!("judged as {}, not {}", name(to), name(from));
    }
    match rules.rule_called(rule) {
        Some(rule) if rule.kind() == StatementKind::Task => "other activities complete the task",
        Some(rule) if rule.cap.is_some() => "its cap counts other activities",
        _ => "what happened before is different",
    }
    .to_owned()
}

/// What an entry stands for, in words.
fn say_what(entry: &Entry, bundle: &Bundle) -> String {
    let at = shop_time(entry.happened_at(), bundle.programme().time_zone);
    match &entry.kind {
        EntryKind::Earn { activity } => {
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

/// An entry to derive again, with the member before it and its decision data.
struct Again<'a> {
    store: &'a Store,
    key: &'a MemberKey,
    bundle: &'a Bundle,
    earlier: EarlierRules,
    before: &'a Member,
    entry: &'a Entry,
    data: DecisionData,
}

/// The trace and the decision of an entry, derived again under its own bundle; nothing if no rule
/// decides entries of this kind.
async fn again(
    store: &Store,
    key: &MemberKey,
    bundle: &Bundle,
    before: &Member,
    entry: &Entry,
) -> CommandResult<Option<(Vec<TraceLine>, Decision)>> {
    let mut data = decide::data_then(bundle, before, entry);
    let mut view = before.clone();
    if let Some(of) = &entry.account {
        let key = MemberKey { merchant: key.merchant.clone(), member: of.account.clone() };
        let account = store.before(&key, of.entry).await?;
        view = ledger::account::view(before, &account, bundle.programme(), entry.at);
        data.members.insert(of.account.clone(), Some(account));
    }
    let earlier = EarlierRules::new();
    let mut again = Again { store, key, bundle, earlier, before, entry, data };
    let plain = |decision: Decision| Ok(Some((Vec::new(), decision)));
    match &entry.kind {
        EntryKind::Earn { activity } => again.earn(activity).await.map(Some),
        EntryKind::Redeem { reward, order, .. } | EntryKind::Hold { reward, order, .. } => {
            again.take(&view, reward, order.clone()).await.map(Some)
        }
        EntryKind::Capture { of, reward, .. } => {
            let (_, held) = version(store, key, of.entry).await?;
            let by = api::bundle_of(store, &key.merchant, &held.bundle).await?;
            let units = Some(reward.costs);
            let context = again.context();
            plain(decide::capture(&context, &by, before, &held.entry, units)?)
        }
        EntryKind::Release { hold } => plain(decide::release(&again.context(), before, hold)?),
        EntryKind::Reverse { of, returned, units, other } => {
            if let Some(other) = other {
                let (merchant, member) = (key.merchant.clone(), other.member.clone());
                let them = store.before(&MemberKey { merchant, member }, other.entry).await?;
                again.data.members.insert(other.member.clone(), Some(them));
            }
            plain(again.reverse(*of, returned.as_ref(), *units).await?)
        }
        EntryKind::Rejudge { rule, entries } => plain(again.rejudge(rule, entries).await?),
        EntryKind::Expire | EntryKind::Remind { .. } => {
            again.data.due_at = Some(entry.at);
            let nothing = "nothing was due at that moment";
            plain(decide::next_due(&again.context(), before)?.ok_or(nothing)?)
        }
        EntryKind::Adjust { .. }
        | EntryKind::Transfer { .. }
        | EntryKind::Join { .. }
        | EntryKind::Leave { .. }
        | EntryKind::Share { .. }
        | EntryKind::Erase => Ok(None),
    }
}

impl Again<'_> {
    fn context(&self) -> Context<'_> {
        let (earlier, data, now) = (&self.earlier, &self.data, self.entry.at);
        Context { bundle: self.bundle, earlier, data, now }
    }

    async fn earn(&mut self, activity: &Activity) -> CommandResult<(Vec<TraceLine>, Decision)> {
        // Only the member's own entry is derived. What the activity brought the referrer is in the
        // referrer's entry.
        let triggered = self.entry.changes.iter().find_map(|change| match change {
            Change::Triggered { day, .. } => Some(*day),
            _ => None,
        });
        let about = self.about(activity).await?;
        let replaced = self.replaced().await?;
        loop {
            let about = about.clone();
            let event = ActivityEvent { triggered, about, ..activity.clone().into() };
            let decided = match replaced.as_slice() {
                [] => decide::earn_alone(&self.context(), self.before, event),
                _ => decide::replace_alone(&self.context(), self.before, event, replaced.clone()),
            };
            match decided {
                Ok((decision, _)) => {
                    let lines = decide::trace(&self.context(), self.before, activity)?;
                    return Ok((lines, decision));
                }
                Err(undecided) => self.load(undecided).await?,
            }
        }
    }

    /// What the entry takes back beside what it tells.
    async fn replaced(&self) -> CommandResult<Vec<Undo>> {
        let mut replaced = Vec::new();
        for taken in self.entry.again.iter().flat_map(|again| &again.undone) {
            let (_, undone) = version(self.store, self.key, taken.of).await?;
            let part = taken.returned.as_ref().map(part);
            replaced.push(Undo { part, ..Undo::of(&undone.entry) });
        }
        Ok(replaced)
    }

    /// When a redemption happened, if that was before it was sent.
    fn happened_at(&self) -> Option<Moment> {
        match &self.entry.kind {
            EntryKind::Redeem { happened_at, .. } => *happened_at,
            _ => None,
        }
    }

    /// What was known of the activity that this one is about.
    async fn about(&self, activity: &Activity) -> CommandResult<About> {
        let is_unknown = |note: &Note| matches!(note, Note::OrderIsUnknown { .. });
        if self.entry.notes.iter().any(is_unknown) {
            return Ok(About::Unknown);
        }
        let Some(of) = &activity.of else { return Ok(About::Nothing) };
        let found = self.store.activities(self.key, of).await?.into_iter();
        let found = found.map(|version| version.entry);
        let found = found.filter(|entry| entry.seq < self.entry.seq);
        Ok(About::of(&activity.kind, found))
    }

    /// Loads what a decision lacks, as far as it was there when the entry was decided.
    async fn load(&mut self, undecided: Undecided) -> CommandResult {
        let Undecided::NeedsData(missing) = undecided else { return Err(undecided.into()) };
        let key = |member: &MemberId| MemberKey {
            merchant: self.key.merchant.clone(),
            member: member.clone(),
        };
        let (member, mut slice) = match missing {
            MissingData::HistorySlice { member, entry } => {
                let slice = self.store.slice(&key(&member), entry).await?;
                (member, slice)
            }
            MissingData::HistorySince { member, since } => {
                let slice = self.store.slice_since(&key(&member), since).await?;
                (member, slice)
            }
            MissingData::MemberThen(then) => {
                let member =
                    self.store.member_then(&key(&then.member), then.at, then.newest).await?;
                self.data.then.insert(then, member);
                return Ok(());
            }
            MissingData::Rules(hashes) => {
                for hash in hashes {
                    let rules = api::bundle_of(self.store, &self.key.merchant, &hash).await?;
                    self.earlier.insert(hash, Arc::new(rules));
                }
                return Ok(());
            }
            MissingData::Member(id) => {
                let newest = self.store.member(&key(&id)).await?.map(|member| member.seq);
                let then = match newest {
                    None => None,
                    Some(newest) => {
                        Some(self.store.member_then(&key(&id), self.entry.at, newest).await?)
                    }
                };
                self.data.members.insert(id, then);
                return Ok(());
            }
            missing => return Err(Undecided::NeedsData(missing).into()),
        };
        // Only the entries that existed when this one was decided count.
        let last = self.data.members.get(&member).and_then(Option::as_ref);
        let last = last.unwrap_or(self.before).seq;
        slice.entries.retain(|later| later.seq <= last);
        slice.rules.truncate(slice.entries.len());
        self.data.slices.insert(member, slice);
        Ok(())
    }

    async fn take(
        &mut self,
        view: &Member,
        reward: &RedeemedReward,
        order: Option<Order>,
    ) -> CommandResult<(Vec<TraceLine>, Decision)> {
        let mut rewards = self.bundle.rewards();
        let chosen = rewards.any(|(name, costs)| name == reward.name && costs.is_chosen());
        let units = chosen.then_some(reward.costs);
        let redemption = Redemption { reward: reward.name.clone(), units, order };
        let lines = decide::trace_reward(&self.context(), view, &redemption)?;
        loop {
            let (context, redemption) = (self.context(), redemption.clone());
            let decided = match &self.entry.kind {
                EntryKind::Hold { .. } => decide::hold(&context, self.before, redemption),
                _ => decide::redeem(&context, self.before, redemption, self.happened_at()),
            };
            match decided {
                Ok(decision) => return Ok((lines, decision)),
                Err(undecided) => self.load(undecided).await?,
            }
        }
    }

    async fn rejudge(&mut self, rule: &str, entries: &[Seq]) -> CommandResult<Decision> {
        loop {
            match decide::rejudge_alone(&self.context(), self.before, rule, entries.to_vec()) {
                Ok((decision, _)) => return Ok(decision),
                Err(undecided) => self.load(undecided).await?,
            }
        }
    }

    async fn reverse(
        &mut self,
        of: Seq,
        returned: Option<&Returned>,
        units: Option<Units>,
    ) -> CommandResult<Decision> {
        let part = returned.map(part).or(units.map(ReversedPart::Units));
        let (_, undone) = version(self.store, self.key, of).await?;
        let about = match &undone.entry.kind {
            EntryKind::Earn { activity } => self.about(activity).await?,
            _ => About::Nothing,
        };
        let reversal = Reversal::of(&undone.entry, part, about);
        loop {
            // Only the member's own entry is derived. What is taken back from a referrer is in the
            // referrer's entry.
            match decide::reverse_alone(&self.context(), self.before, &reversal) {
                Ok((decision, _)) => return Ok(decision),
                Err(undecided) => self.load(undecided).await?,
            }
        }
    }
}

/// A part of an order that came back.
fn part(returned: &Returned) -> ReversedPart {
    let Returned { lines, refund } = returned.clone();
    ReversedPart::Order(Wanted { lines, refund: Some(refund) })
}

async fn version(store: &Store, key: &MemberKey, entry: Seq) -> CommandResult<(Member, Version)> {
    let found = store.version(key, entry).await?;
    let found = found.ok_or_else(|| format!("member {key} has no entry {entry}"))?;
    Ok((store.before(key, entry).await?, found))
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
