//! Entries as a client reads them.

use std::collections::BTreeMap;

use decide::TraceLine;
use ledger::HoldId;
use ledger::entry::{Counterpart, Note, Returned};
use ledger::reminder::Reminder;
use ledger::restated::TakenBack;
use ledger::tier_status::TierChange;
use ledger::{
    Activity, Benefit, Cause, Change, DerivedAgain, Difference, Effect, Entry, EntryKind, Fact,
    FailedRule, FieldValue, MemberId, Moment, Order, Posting, Reason, RedeemedReward, Seq, Units,
    Verb, WalletName,
};
use serde::Serialize;

/// An entry as a client reads it, in the answer to the request that wrote it and in the statement.
#[derive(Debug, Clone, Serialize)]
pub struct EntryView<'a> {
    seq: Seq,
    kind: Verb,
    at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<ActivityView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<RewardView<'a>>,
    #[serde(flatten)]
    about: About<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a [Reason]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<TaskView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expired_grants: Vec<&'a str>,
    /// What is to be said about the activity, such as a rule that failed.
    #[serde(skip_serializing_if = "<[Note]>::is_empty")]
    notes: &'a [Note],
    /// What it makes different about earlier entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<AgainView<'a>>,
    postings: Vec<PostingView<'a>>,
    balances: &'a BTreeMap<WalletName, Units>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a TierChange>,
}

#[derive(Debug, Clone, Serialize)]
struct ActivityView<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<String>,
    /// All that the client sent of it, in a statement.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    more: Option<ActivityDetails<'a>>,
}

/// What a statement shows of an activity beside what each answer shows. An answer leaves it out: the
/// client has just sent it, and every answer is stored for ever.
#[derive(Debug, Clone, Serialize)]
struct ActivityDetails<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<&'a str, FieldView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'a Order>,
}

/// The value of a field as the client wrote it. It is only ever serialized.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum FieldView<'a> {
    Integer(i64),
    Flag(bool),
    Text(&'a str),
    Amount(String),
}

impl<'a> ActivityDetails<'a> {
    fn of(activity: &'a Activity) -> ActivityDetails<'a> {
        let field = |value: &'a FieldValue| match value {
            FieldValue::Integer(number) => FieldView::Integer(*number),
            FieldValue::Flag(flag) => FieldView::Flag(*flag),
            FieldValue::Text(text) => FieldView::Text(text),
            FieldValue::Amount(amount) => FieldView::Amount(amount.to_string()),
        };
        let fields = activity.fields.iter();
        ActivityDetails {
            of: activity.of.as_deref(),
            channel: activity.channel.as_deref(),
            payment: activity.payment.as_deref(),
            fields: fields.map(|(name, value)| (name.as_str(), field(value))).collect(),
            order: activity.order.as_ref(),
        }
    }
}

/// The fields that only some kinds of entries have.
#[derive(Debug, Clone, Default, Serialize)]
struct About<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a HoldId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    /// The entry that this entry reverses.
    #[serde(skip_serializing_if = "Option::is_none")]
    reverses: Option<Seq>,
    /// The rule that was mended, and the entries whose activities are judged again with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Seq]>::is_empty")]
    rejudges: &'a [Seq],
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<&'a Returned>,
    /// The units of a redemption that came back, if not all did.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<Units>,
    /// When it happened, if that was before it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    happened_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    with: Option<&'a Counterpart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a MemberId>,
    /// The member who moved the account's units.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Verb>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reminders: Option<&'a [Reminder]>,
}

impl<'a> About<'a> {
    fn of(kind: &'a EntryKind) -> About<'a> {
        let mut about = About::default();
        match kind {
            EntryKind::Hold { hold, until, .. } => {
                about.hold = Some(hold);
                about.until = Some(*until);
            }
            EntryKind::Capture { hold, .. } | EntryKind::Release { hold } => {
                about.hold = Some(hold);
            }
            EntryKind::Reverse { of, returned, units, .. } => {
                about.reverses = Some(*of);
                about.returned = returned.as_ref();
                about.units = *units;
            }
            EntryKind::Rejudge { rule, entries } => {
                about.rule = Some(rule);
                about.rejudges = entries;
            }
            EntryKind::Redeem { happened_at, .. } => about.happened_at = *happened_at,
            EntryKind::Adjust { reason, author, happened_at } => {
                about.reason = Some(reason);
                about.author = Some(author);
                about.happened_at = *happened_at;
            }
            EntryKind::Transfer { with, reason, .. } => {
                about.with = Some(with);
                about.reason = reason.as_deref();
            }
            EntryKind::Join { account } | EntryKind::Leave { account } => {
                about.account = Some(account);
            }
            EntryKind::Share { by, moved, .. } => {
                about.by = Some(by);
                about.moved = Some(*moved);
            }
            EntryKind::Remind { reminders } => about.reminders = Some(reminders),
            EntryKind::Earn { .. } | EntryKind::Expire | EntryKind::Erase => {}
        }
        about
    }
}

#[derive(Debug, Clone, Serialize)]
struct RewardView<'a> {
    name: &'a str,
    source: &'a str,
    wallet: &'a WalletName,
    costs: Units,
    #[serde(skip_serializing_if = "Option::is_none")]
    gives: Option<&'a Benefit>,
}

/// A posting, with the change of the balance that it causes.
#[derive(Debug, Clone, Serialize)]
struct PostingView<'a> {
    change: i64,
    #[serde(flatten)]
    posting: &'a Posting,
}

impl<'a> PostingView<'a> {
    fn of(posting: &'a Posting) -> PostingView<'a> {
        PostingView { change: posting.change(), posting }
    }
}

/// What an entry makes different about earlier ones, since it changes the history before them.
#[derive(Debug, Clone, Serialize)]
struct AgainView<'a> {
    /// From when on the history is another one.
    from: Moment,
    /// The entries that are undone with it.
    #[serde(skip_serializing_if = "<[TakenBack]>::is_empty")]
    undone: &'a [TakenBack],
    /// The entries that are otherwise now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<DifferenceView<'a>>,
}

#[derive(Debug, Clone, Serialize)]
struct DifferenceView<'a> {
    entry: Seq,
    because: &'a [Reason],
    /// The tier by which it is judged now, if it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a TierChange>,
    /// What its rules see that is otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<CauseView<'a>>,
    /// The rules that fail for it now.
    #[serde(skip_serializing_if = "<[FailedRule]>::is_empty")]
    failures: &'a [FailedRule],
}

/// What a rule saw, and sees now.
#[derive(Debug, Clone, Serialize)]
struct CauseView<'a> {
    rule: &'a str,
    /// As a sheet writes it, such as `member.purchases`; or `cap`, `progress` or `remainder`.
    fact: &'a str,
    was: &'a str,
    is: &'a str,
}

impl<'a> CauseView<'a> {
    fn of(cause: &'a Cause) -> CauseView<'a> {
        let fact = match &cause.fact {
            Fact::Read(fact) => fact,
            Fact::Cap => "cap",
            Fact::Progress => "progress",
            Fact::Remainder => "remainder",
        };
        CauseView { rule: &cause.rule, fact, was: &cause.was, is: &cause.is }
    }
}

impl<'a> AgainView<'a> {
    fn of(again: &'a DerivedAgain) -> AgainView<'a> {
        let difference = |difference: &'a Difference| DifferenceView {
            entry: difference.entry,
            because: &difference.reasons,
            tier: difference.tier.as_ref(),
            causes: difference.causes.iter().map(CauseView::of).collect(),
            failures: &difference.failures,
        };
        AgainView {
            from: again.from,
            undone: &again.undone,
            differences: again.differences.iter().map(difference).collect(),
        }
    }
}

/// The progress of a task after the entry.
#[derive(Debug, Clone, Serialize)]
struct TaskView<'a> {
    task: &'a str,
    done: u64,
    completed: u32,
}

/// One rule of an activity, and its verdict.
#[derive(Debug, Clone, Serialize)]
pub struct TraceView {
    statement: &'static str,
    rule: String,
    source: String,
    verdict: String,
    /// Why the rule failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// The value of each fact that the rule's condition reads.
    saw: BTreeMap<String, String>,
    effects: Vec<Effect>,
    /// The units that the rules so far paid into the main wallet.
    points: Units,
}

impl TraceView {
    /// The view of a line of a trace.
    #[must_use]
    pub fn of(line: &TraceLine) -> TraceView {
        TraceView {
            statement: line.statement,
            rule: line.rule.clone(),
            source: line.source.clone(),
            verdict: line.verdict.say(),
            failure: line.failure.clone(),
            saw: line.saw.iter().cloned().collect(),
            effects: line.effects.clone(),
            points: line.points,
        }
    }
}

impl<'a> EntryView<'a> {
    /// The view of an entry in a statement, with all that is known of its activity.
    #[must_use]
    pub fn in_statement(entry: &'a Entry) -> EntryView<'a> {
        let mut view = EntryView::of(entry);
        if let (Some(shown), EntryKind::Earn { activity }) = (&mut view.activity, &entry.kind) {
            shown.more = Some(ActivityDetails::of(activity));
        }
        view
    }

    /// The view of an entry.
    #[must_use]
    pub fn of(entry: &'a Entry) -> EntryView<'a> {
        let (mut activity, mut reward) = (None, None);
        // An entry of an activity always lists its reasons, even if there are none.
        let mut tells_reasons = !entry.reasons.is_empty();
        match &entry.kind {
            EntryKind::Earn { activity: done } => {
                activity = Some(ActivityView {
                    id: &done.id,
                    kind: &done.kind,
                    at: done.at,
                    total: done.order.as_ref().map(|order: &Order| order.total.to_string()),
                    more: None,
                });
                tells_reasons = true;
            }
            EntryKind::Redeem { reward: taken, .. }
            | EntryKind::Hold { reward: taken, .. }
            | EntryKind::Capture { reward: taken, .. } => reward = Some(RewardView::of(taken)),
            _ => {}
        }
        let about = About::of(&entry.kind);
        EntryView {
            seq: entry.seq,
            kind: entry.kind.verb(),
            at: entry.at,
            activity,
            reward,
            about,
            because: tells_reasons.then_some(&entry.reasons),
            tasks: entry.changes.iter().filter_map(task).collect(),
            expired_grants: entry.changes.iter().filter_map(expired_grant).collect(),
            notes: &entry.notes,
            again: entry.again.as_ref().map(AgainView::of),
            postings: entry.postings.iter().map(PostingView::of).collect(),
            balances: &entry.balances,
            tier: entry.tier.as_ref(),
        }
    }
}

fn task(change: &Change) -> Option<TaskView<'_>> {
    let Change::Progressed { task, progress, .. } = change else { return None };
    let done = progress.marks.iter().map(|(_, count)| u64::from(*count)).sum();
    Some(TaskView { task, done, completed: progress.completed })
}

fn expired_grant(change: &Change) -> Option<&str> {
    match change {
        Change::GrantExpired { grant } => Some(grant),
        _ => None,
    }
}

impl<'a> RewardView<'a> {
    fn of(taken: &'a RedeemedReward) -> RewardView<'a> {
        RewardView {
            name: &taken.name,
            source: &taken.source,
            wallet: &taken.wallet,
            costs: taken.costs,
            gives: taken.gives.as_ref(),
        }
    }
}
