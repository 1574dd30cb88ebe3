//! Earn: the decision on an activity of a member. In order, it happens to the member as it is; late,
//! the member is derived again; too late, it is judged by the member as it was.

use chrono::TimeDelta;
use ledger::activity::REFERRAL;
use ledger::entry::Note;
use ledger::reverse::Reversals;
use ledger::{Activity, Decision, Entry, EntryKind, Member, Seq, Since};

use crate::again::{Edit, Told, Undo, derive};
use crate::context::Context;
use crate::event::ActivityEvent;
use crate::happen::{When, happen, on_failure, told_too_late};
use crate::judging::Asked;
use crate::pipeline::{Sharing, on_shared_wallets, split, with_due_date};
use crate::referral::Referrals;
use crate::refusal::{Refusal, Undecided};

/// Decides what an activity gives the member, and what follows for the member's referrer.
///
/// # Errors
/// The activity's date is out of bounds, a rule failed, or data is missing.
pub fn earn(
    context: &Context<'_>,
    member: &Member,
    event: impl Into<ActivityEvent>,
) -> Result<Decision, Undecided> {
    let (decision, referrals) = earn_alone(context, member, event.into())?;
    with_referrals(context, decision, referrals)
}

/// Decides on an activity with which another is taken back: the member is derived again from the
/// history with the one and without the other.
///
/// # Errors
/// As [`earn`]; or the other activity cannot be taken back.
pub fn replace(
    context: &Context<'_>,
    member: &Member,
    event: ActivityEvent,
    replaced: Undo,
) -> Result<Decision, Undecided> {
    let (decision, referrals) = replace_alone(context, member, event, vec![replaced])?;
    with_referrals(context, decision, referrals)
}

/// The same for the member alone. Also returns what follows for the referrer.
///
/// # Errors
/// As [`replace`]; or it is told too late for a moment before what it takes the place of.
pub fn replace_alone(
    context: &Context<'_>,
    member: &Member,
    event: ActivityEvent,
    undone: Vec<Undo>,
) -> Result<(Decision, Referrals), Undecided> {
    let at = event.activity.at;
    ledger::earn::admit(member, at, context.now)?;
    let is_too_late = When::of(context, member, at) == When::TooLate;
    // What is taken back is derived again however old it is. What takes its place may not be older.
    let mut happened = undone.iter().filter_map(|undo| undo.too_late.or(undo.at));
    if is_too_late && happened.all(|undone| at < undone) {
        return Err(Refusal::told_too_late(context, at).into());
    }
    // Nor does it get a place in the history that what it replaces had not.
    let had_no_place = undone.iter().any(|undo| undo.too_late.is_some());
    let told = match is_too_late && had_no_place {
        true => Told::TooLate(event, context.now),
        false => Told::Activity(event),
    };
    derive(context, member, Edit { undone, ..Edit::told(told) })
}

/// Decides what an activity gives the member alone. Also returns what follows for the referrer.
///
/// # Errors
/// As [`earn`].
pub fn earn_alone(
    context: &Context<'_>,
    member: &Member,
    event: ActivityEvent,
) -> Result<(Decision, Referrals), Undecided> {
    ledger::earn::admit(member, event.activity.at, context.now)?;
    let then = match When::of(context, member, event.activity.at) {
        When::TooLate => return too_late(context, member, event),
        When::Late => return derive(context, member, Edit::told(Told::Activity(event))),
        When::InOrder(then) => then,
    };
    let mut referrals = Referrals::default();
    // Decided as of when it happened, so that it does not matter when it was sent.
    let then = Context { now: then, ..*context };
    let sharing = Sharing { programme: context.programme(), account: member.account.as_ref() };
    let decision = split(&then, sharing, member, |member| {
        let happened =
            happen(&then, member, event.clone(), Asked::all(on_failure(context, &event)))?;
        referrals.told.extend(happened.referral);
        Ok(happened.decision)
    })?;
    Ok((with_due_date(context, decision.sent_at(context.now)), referrals))
}

/// Decides on an activity that happened too long ago to be derived in its place.
fn too_late(
    context: &Context<'_>,
    member: &Member,
    event: ActivityEvent,
) -> Result<(Decision, Referrals), Undecided> {
    let then = context.data.member_then(&member.id, event.activity.at, member.seq)?;
    let mut referrals = Referrals::default();
    let decision = on_shared_wallets(context, member, |member| {
        let happened = told_too_late(context, then, member, event)?;
        referrals.told.extend(happened.referral);
        Ok(happened.decision)
    })?;
    Ok((decision, referrals))
}

/// Adds what follows for the referrer to a decision on its friend. Both draw on the same shared
/// limits. The referrer's own referrer gets nothing: a rule on `referral` cannot refer.
pub(crate) fn with_referrals(
    context: &Context<'_>,
    mut decision: Decision,
    referrals: Referrals,
) -> Result<Decision, Undecided> {
    if referrals == Referrals::default() {
        return Ok(decision);
    }
    let Some(id) = decision.member.referred_by.clone() else { return Ok(decision) };
    let Some(referrer) = context.data.member(&id)?.filter(|one| one.erased_at.is_none()) else {
        return Ok(decision);
    };
    let data = context.data.beside(&decision.entry);
    let beside = Context { data: &data, ..*context };
    if let Some(other) = follow(&beside, referrer, referrals)?
        && !decision.join(other)
    {
        // Both would change one account, whose next entry has one number.
        decision.entry.notes.push(Note::ReferrerShares { referrer: id });
    }
    Ok(decision)
}

/// The referrer's own decision; nothing if there is nothing to take back any more.
fn follow(
    context: &Context<'_>,
    referrer: &Member,
    referrals: Referrals,
) -> Result<Option<Decision>, Undecided> {
    let Referrals { mut told, undone } = referrals;
    if let ([_], true) = (told.as_slice(), undone.is_empty())
        && let Some(activity) = told.pop()
    {
        return Ok(Some(earn_alone(context, referrer, activity.into())?.0));
    }
    let undone = entries_of(context, referrer, &undone)?;
    if told.is_empty() && undone.is_empty() {
        return Ok(None);
    }
    let told = told.into_iter().map(|activity| Told::Activity(activity.into())).collect();
    let undone = undone.into_iter().map(Undo::number).collect();
    Ok(Some(derive(context, referrer, Edit { told, undone, ..Edit::default() })?.0))
}

/// The entries of a referrer's activities that have not been taken back. Each is named after the
/// friend's entry, so that the last of that name is the one that counts.
fn entries_of(
    context: &Context<'_>,
    referrer: &Member,
    activities: &[Activity],
) -> Result<Vec<Seq>, Undecided> {
    let Some(first) = activities.iter().map(|activity| activity.at).min() else {
        return Ok(Vec::new());
    };
    // What happened in the same second belongs to it.
    let since = Since::moment(first - TimeDelta::seconds(1));
    let slice = context.data.slice_since(referrer, since)?;
    let decimals = context.programme().decimals();
    let reversals = Reversals::of(&slice.entries, referrer.seq.next(), &[], decimals);
    let is_of = |entry: &&Entry, id: &str| match &entry.kind {
        EntryKind::Earn { activity } => activity.kind == REFERRAL && activity.id == id,
        _ => false,
    };
    let entry = |activity: &Activity| {
        let mut own = slice.entries.iter().rev().filter(|entry| is_of(entry, &activity.id));
        own.find(|entry| !reversals.is_undone(entry.seq)).map(|entry| entry.seq)
    };
    Ok(activities.iter().filter_map(entry).collect())
}
