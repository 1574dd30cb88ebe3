//! `regulars explain`: a stored entry, derived again under its own rules.

use clap::Args;
use decide::{About, ActivityEvent, Context, Redemption, Reversal, TraceLine, Undecided};
use ledger::entry::{Note, Returned};
use ledger::reverse::Wanted;
use ledger::{
    Activity, Change, Decision, DecisionData, Entry, EntryKind, Member, MemberId, MissingData,
    Order, RedeemedReward, Seq,
};
use rules::Bundle;
use store::{MemberKey, Store, Version};

use crate::place::{self, Rules};
use crate::result::CommandResult;
use crate::show::shop_time;
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

/// An entry to derive again, with the member before it and its decision data.
struct Again<'a> {
    store: &'a Store,
    key: &'a MemberKey,
    bundle: &'a Bundle,
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
        let past = store.past(&key, of.entry).await?;
        view = ledger::account::view(before, &past.before, bundle.programme(), entry.at);
        data.members.insert(of.account.clone(), Some(past.before));
    }
    let mut again = Again { store, key, bundle, before, entry, data };
    let plain = |decision: Decision| Ok(Some((Vec::new(), decision)));
    match &entry.kind {
        EntryKind::Earn { activity } => again.earn(&view, activity).await.map(Some),
        EntryKind::Redeem { reward, order } | EntryKind::Hold { reward, order, .. } => {
            again.take(&view, reward, order.clone()).map(Some)
        }
        EntryKind::Capture { of, reward, .. } => {
            let (_, held) = version(store, key, of.entry).await?;
            let by = api::bundle_of(store, &key.merchant, &held.bundle).await?;
            let units = Some(reward.costs);
            let context = again.context();
            plain(decide::capture(&context, &by, before, &held.entry, units)?)
        }
        EntryKind::Release { hold } => plain(decide::release(&again.context(), before, hold)?),
        EntryKind::Reverse { of, returned } => plain(again.reverse(*of, returned.as_ref()).await?),
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
        Context { bundle: self.bundle, data: &self.data, now: self.entry.at }
    }

    async fn earn(
        &mut self,
        view: &Member,
        activity: &Activity,
    ) -> CommandResult<(Vec<TraceLine>, Decision)> {
        let lines = decide::trace(&self.context(), view, activity)?;
        // Only the member's own entry is derived. What the activity brought the referrer is in the
        // referrer's entry.
        let triggered = self.entry.changes.iter().find_map(|change| match change {
            Change::Triggered { day, .. } => Some(*day),
            _ => None,
        });
        let about = self.about(activity).await?;
        loop {
            let about = about.clone();
            let event = ActivityEvent { triggered, about, ..activity.clone().into() };
            match decide::earn_alone(&self.context(), self.before, event) {
                Ok((decision, _)) => return Ok((lines, decision)),
                Err(Undecided::NeedsData(MissingData::HistorySlice { member, entry })) => {
                    self.load_past(member, entry).await?;
                }
                Err(undecided) => return Err(undecided.into()),
            }
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

    /// Loads a part of a member's history, as far as it went when the entry was decided.
    async fn load_past(&mut self, member: MemberId, from: Seq) -> CommandResult<()> {
        // Only the entries that existed when this one was decided count.
        let last = self.data.members.get(&member).and_then(Option::as_ref);
        let last = last.unwrap_or(self.before).seq;
        let key = MemberKey { merchant: self.key.merchant.clone(), member: member.clone() };
        let mut past = self.store.past(&key, from).await?;
        past.entries.retain(|later| later.seq <= last);
        self.data.pasts.insert(member, past);
        Ok(())
    }

    fn take(
        &self,
        view: &Member,
        reward: &RedeemedReward,
        order: Option<Order>,
    ) -> CommandResult<(Vec<TraceLine>, Decision)> {
        let mut rewards = self.bundle.rewards();
        let chosen = rewards.any(|(name, costs)| name == reward.name && costs.is_chosen());
        let units = chosen.then_some(reward.costs);
        let redemption = Redemption { reward: reward.name.clone(), units, order };
        let context = self.context();
        let lines = decide::trace_reward(&context, view, &redemption)?;
        let decision = match &self.entry.kind {
            EntryKind::Hold { .. } => decide::hold(&context, self.before, redemption),
            _ => decide::redeem(&context, self.before, redemption),
        };
        Ok((lines, decision?))
    }

    async fn reverse(&mut self, of: Seq, returned: Option<&Returned>) -> CommandResult<Decision> {
        let (_, undone) = version(self.store, self.key, of).await?;
        let by = api::bundle_of(self.store, &self.key.merchant, &undone.bundle).await?;
        let wanted = returned
            .cloned()
            .map(|returned| Wanted { lines: returned.lines, refund: Some(returned.refund) });
        loop {
            let reversal = Reversal { judged_by: &by, entry: of, wanted: wanted.as_ref() };
            // Only the member's own entry is derived. What is taken back from a referrer is in the
            // referrer's entry.
            let done = decide::reverse_alone(&self.context(), self.before, reversal);
            let (member, from) = match done {
                Ok((decision, _)) => return Ok(decision),
                Err(Undecided::NeedsData(MissingData::HistorySlice { member, entry })) => {
                    (member, entry)
                }
                Err(undecided) => return Err(undecided.into()),
            };
            self.load_past(member, from).await?;
        }
    }
}

async fn version(store: &Store, key: &MemberKey, entry: Seq) -> CommandResult<(Member, Version)> {
    let found = store.version(key, entry).await?;
    let found = found.ok_or_else(|| format!("member {key} has no entry {entry}"))?;
    Ok((store.before(key, entry).await?, found))
}

/// The parts in which two entries differ, in words.
fn differences(stored: &Entry, again: &Entry) -> Vec<String> {
    type Part = fn(&Entry) -> String;
    let parts: [(&str, Part); 11] = [
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
