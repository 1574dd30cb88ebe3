//! Again: a member is derived again, since its history is another one from a moment on. An activity
//! was told late, something is taken back, or a rule that had failed has been mended.
//!
//! The member is derived twice, from the history as it was and as it is, each activity under the
//! rules that judged it. The entry posts the difference, and says which earlier entries are otherwise
//! now. What is wrong in the same way in both derivations, since something is not known any more,
//! changes nothing.

/// What is different about a history.
mod edit;
/// What became of an entry.
mod differently;
/// What has happened, in the order in which it happened.
mod timeline;
/// The decision data of an earlier decision.
mod data_then;
/// One derivation of a member.
mod side;
/// Why rules give something else.
mod causes;
/// Deriving the member by both histories.
mod course;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use ledger::again::{Histories, Meant, given};
use ledger::holdings::Hold;
use ledger::posting::AccountEntry;
use ledger::reverse::put_back;
use ledger::tier::settle;
use ledger::{
    Activity, Change, Decision, DerivedAgain, Difference, Entry, EntryKind, HistorySlice, Member,
    MissingData, Moment, Posting, Seq, Since, Units, Withdrawal,
};

pub use self::data_then::data_then;
pub use self::edit::ReversedPart;
pub use self::edit::Undo;
pub(crate) use self::edit::{Edit, Told};

use self::course::Course;
use self::differently::{Fate, differently};
use self::timeline::Timeline;
use crate::context::Context;
use crate::event::About;
use crate::happen::placed_at;
use crate::pipeline::{with_account_tier, with_due_date};
use crate::referral::Referrals;
use crate::refusal::Undecided;

/// Decides on an edit of a member's history. Also returns what follows for the referrer.
///
/// # Errors
/// Something cannot be taken back, a rule failed that must not fail, or data is missing.
pub(crate) fn derive(
    context: &Context<'_>,
    member: &Member,
    edit: Edit,
) -> Result<(Decision, Referrals), Undecided> {
    let since = begins(context, member, &edit)?;
    let slice = context.data.slice_since(member, since)?;
    let timeline = Timeline::of(context, member, slice, edit)?;
    let mut course = Course::new(context, member, slice, since);
    for item in &timeline.items {
        course.play(item)?;
    }
    course.end()?;
    course.is.own.end_holds(member, context.now);
    let from = From { moment: since.moment, entry: slice.before.seq.next() };
    let decision = decision(context, member, &timeline, &course, from)?;
    Ok((with_due_date(context, decision), course.referrals))
}

/// The member before an activity that is told late, by what has happened until then. `undone` is what is
/// taken back with it.
///
/// # Errors
/// Data is missing.
pub(crate) fn member_before(
    context: &Context<'_>,
    member: &Member,
    activity: &Activity,
    undone: &[Undo],
) -> Result<Member, Undecided> {
    let told = Edit::told(Told::Activity(activity.clone().into()));
    let edit = Edit { undone: undone.to_vec(), ..told };
    let since = begins(context, member, &edit)?;
    let slice = context.data.slice_since(member, since)?;
    let timeline = Timeline::of(context, member, slice, edit)?;
    let mut course = Course::new(context, member, slice, since);
    for item in timeline.items.iter().take_while(|item| !item.is_told()) {
        course.play(item)?;
    }
    Ok(course.present(activity.at))
}

/// The member that a slice of its history makes: each activity is judged again by the rules that judged
/// it, and everything else happens again. It is the member as stored.
///
/// # Errors
/// Data is missing.
pub fn derived(
    context: &Context<'_>,
    member: &Member,
    slice: &HistorySlice,
) -> Result<Member, Undecided> {
    let since = Since::moment(slice.before.happened_at);
    let timeline = Timeline::of(context, member, slice, Edit::default())?;
    let mut course = Course::new(context, member, slice, since);
    for item in &timeline.items {
        course.play(item)?;
    }
    Ok(Member { seq: member.seq, ..course.was.own.member })
}

/// From when on the history is another one.
fn begins(context: &Context<'_>, member: &Member, edit: &Edit) -> Result<Since, MissingData> {
    let mut since = Since::moment(context.now);
    for told in &edit.told {
        since = since.or(Since::moment(told.at()));
        since = order_of(told.about()).map_or(since, |order| since.or(order));
    }
    for undo in &edit.undone {
        since = undo.at.map_or(since, |at| since.or(Since::moment(at)));
        since = order_of(&undo.about).map_or(since, |order| since.or(order));
    }
    let mut undone: Vec<Seq> = edit.undone.iter().map(|undo| undo.entry).collect();
    let rejudged = edit.rejudged.iter().flat_map(|rejudged| rejudged.entries.iter().copied());
    undone.extend(rejudged);
    if let Some(first) = undone.iter().min() {
        since = since.or(Since { entry: Some(*first), ..since });
    }
    while let Some(seq) = undone.pop() {
        let slice = context.data.slice_since(member, since)?;
        let Some(entry) = slice.entries.iter().find(|entry| entry.seq == seq) else { continue };
        since = since.or(placed_at(entry));
        // What belongs to it is taken back or comes back with it.
        undone.extend(entry.undoes());
        if let EntryKind::Capture { of, .. } = &entry.kind {
            undone.push(of.entry);
        }
        if let Some(first) = undone.last() {
            since = since.or(Since { entry: Some(*first), ..since });
        }
    }
    Ok(since)
}

/// Where the history of the order begins that a delivery is about.
fn order_of(about: &About) -> Option<Since> {
    match about {
        About::Known(order) => Some(placed_at(order)),
        About::Nothing | About::Unknown | About::Delivered { .. } => None,
    }
}

/// From when on, and from which entry on, a member was derived again.
#[derive(Clone, Copy)]
struct From {
    moment: Moment,
    entry: Seq,
}

/// The decision with the difference between the two histories.
fn decision(
    context: &Context<'_>,
    member: &Member,
    timeline: &Timeline<'_>,
    course: &Course<'_>,
    from: From,
) -> Result<Decision, Undecided> {
    let histories = Histories { was: &course.was.own, is: &course.is.own };
    let after = &histories.is.member;
    let mut entry = edited(context, member, timeline, course, after);
    let mut differences = Vec::new();
    for played in &course.played {
        if played.seq == entry.seq || timeline.names(played.seq) {
            continue;
        }
        let fate = if played.is_back { Fate::Back } else { timeline.fate(played.seq) };
        let reasons = differently(&played.was, &played.is, after, fate);
        if !reasons.is_empty() || !played.failures.is_empty() {
            let (tier, causes) = (played.tier.clone(), played.causes.clone());
            let (entry, failures) = (played.seq, played.failures.clone());
            differences.push(Difference { entry, reasons, tier, causes, failures });
        }
    }
    let all = differences.iter().flat_map(|difference| &difference.reasons);
    let given = given(entry.reasons.iter().chain(all));
    let keep_until = keep_until(context, course);
    let restored = &course.restored;
    let meant = Meant { given: &given, restored, told: timeline.deed(), keep_until };
    let (postings, changes) = histories.movements(member, meant);
    entry.postings = postings;
    entry.changes.extend(changes);
    let others = accounts(context, member, course, meant, &mut entry)?;
    entry.again = Some(DerivedAgain {
        from: from.moment,
        since: from.entry,
        undone: timeline.beside(),
        told: timeline.told_beside(),
        restored: course.restored.clone(),
        differences,
        state: histories.state(),
    });
    let before = &histories.was.member.tier_status;
    let decision = ledger::again::decide(member, entry, context.now)?;
    let decision = match after.tier_status == *before {
        true => decision,
        false => settle(decision, &member.tier_status, after.tier_status.clone()),
    };
    Ok(Decision { others, ..decision })
}

/// Until when units can be spent at least that come back of a reward.
fn keep_until(context: &Context<'_>, course: &Course<'_>) -> Option<Moment> {
    let days = context.programme().restored_days;
    let comes_back = days > 0 && course.is_reward_back;
    comes_back.then(|| context.now + TimeDelta::days(days.into()))
}

/// The entry of the edit: what the told activity gives, or what is taken back.
fn edited(
    context: &Context<'_>,
    member: &Member,
    timeline: &Timeline<'_>,
    course: &Course<'_>,
    after: &Member,
) -> Entry {
    let (seq, at) = (member.seq.next(), context.now);
    let mut entry = match &course.told {
        Some(told) => Entry { seq, at, ..told.clone() },
        None => {
            let mut entry = Entry::bare(seq, at, timeline.kind());
            let named = course.played.iter().find(|played| timeline.names(played.seq));
            if let Some(named) = named {
                entry.reasons = differently(&named.was, &named.is, after, Fate::Undone);
                entry.notes.clone_from(&named.notes);
            }
            entry
        }
    };
    // Of holds that have expired, most were recorded by entries since.
    let mut expired = Vec::new();
    entry.changes.retain(|change| match change {
        Change::HoldExpired { hold } => {
            expired.extend(member.holds.get(hold));
            member.holds.contains_key(hold)
        }
        _ => true,
    });
    let pieces = expired.into_iter().filter_map(Hold::limit);
    entry.returns = pieces.map(|limit| Withdrawal { limit, units: Units::ONE }).collect();
    for (seq, _) in &timeline.undone {
        let of = timeline.with_hold(*seq);
        let taken: Vec<_> = of.iter().flat_map(|seq| timeline.taken(*seq)).collect();
        let played = course.played.iter().filter(|played| of.contains(&played.seq));
        let is: Vec<_> = played.flat_map(|played| played.withdrawals.clone()).collect();
        entry.returns.extend(put_back(&taken, &is, &timeline.returned(*seq)));
    }
    entry.withdrawals.extend(timeline.withdrawals.iter().cloned());
    entry.withdrawals.extend(course.fresh.withdrawals());
    entry.account = None;
    entry.tier = None;
    entry.tier_status = None;
    entry
}

/// The entries of the accounts in whose wallets the difference moves units. Their postings are in the
/// member's entry as well.
fn accounts(
    context: &Context<'_>,
    member: &Member,
    course: &Course<'_>,
    meant: Meant<'_>,
    entry: &mut Entry,
) -> Result<Vec<Decision>, Undecided> {
    let mut others = Vec::new();
    for (id, was) in &course.was.accounts {
        let Some(is) = course.is.accounts.get(id) else { continue };
        let Some(account) = context.data.member(id)? else { continue };
        let histories = Histories { was: &was.derived, is: &is.derived };
        let (postings, changes) = histories.movements(account, meant);
        if postings.is_empty() && changes.is_empty() {
            continue;
        }
        let number = account.seq.next();
        let of = AccountEntry { account: id.clone(), entry: number };
        let other = entry.account.is_some().then(|| of.clone());
        entry.account.get_or_insert(of);
        let shared =
            |posting: &Posting| Posting { shared: true, account: other.clone(), ..posting.clone() };
        entry.postings.extend(postings.iter().map(shared));
        entry.changes.extend(changes.iter().map(shared_change));
        let kind = EntryKind::Share {
            by: member.id.clone(),
            entry: entry.seq,
            moved: entry.kind.verb(),
            active_at: None,
            happened_at: None,
        };
        let again = DerivedAgain {
            from: context.now,
            since: number,
            undone: Vec::new(),
            told: Vec::new(),
            restored: BTreeMap::new(),
            differences: Vec::new(),
            state: histories.activity(),
        };
        let bare = Entry::bare(number, context.now, kind);
        let part = Entry { postings, changes, again: Some(again), ..bare };
        let decision = ledger::again::decide(account, part, context.now)?;
        let of_account = Decision { others: vec![decision.clone()], ..decision };
        others.extend(with_account_tier(context, of_account, Some(account)).others);
    }
    Ok(others)
}

fn shared_change(change: &Change) -> Change {
    match change.clone() {
        Change::Unrecoverable { wallet, units, .. } => {
            Change::Unrecoverable { wallet, units, shared: true }
        }
        Change::Revived { wallet, units, .. } => Change::Revived { wallet, units, shared: true },
        other => other,
    }
}
