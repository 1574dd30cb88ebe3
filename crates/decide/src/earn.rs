//! Earn: the decision on an activity of a member, and on the referral that may follow from it.

use std::sync::Arc;

use ledger::activity::{FRIEND, REFERRAL};
use ledger::decision::Draft;
use ledger::delivery;
use ledger::entry::Note;
use ledger::holdings::Share;
use ledger::programme::OnFailure;
use ledger::reverse::left_of;
use ledger::{
    Activity, Change, Decision, Entry, EntryKind, FieldValue, Member, MissingData, Order,
};
use rules::{Facts, RuleFailure};

use crate::context::Context;
use crate::event::{About, ActivityEvent};
use crate::failures::Failures;
use crate::judging::judge;
use crate::pipeline::{on_shared_wallets, with_tier_noted};
use crate::refusal::Undecided;
use crate::tier;

/// Decides what an activity gives the member, and what a referral gives the member's referrer.
///
/// # Errors
/// The activity's date is out of bounds, a rule failed, or data is missing.
pub fn earn(
    context: &Context<'_>,
    member: &Member,
    event: impl Into<ActivityEvent>,
) -> Result<Decision, Undecided> {
    let (mut decision, referred) = earn_alone(context, member, event.into())?;
    if let Some(Referral { referrer, activity }) = referred {
        // Both decisions draw on the same shared limits. The referrer's own referrer gets nothing:
        // a rule on `referral` cannot refer.
        let data = context.data.beside(&decision.entry);
        let beside = Context { data: &data, ..*context };
        let (mut referrers, _) = earn_alone(&beside, &referrer, activity.into())?;
        decision.others.append(&mut referrers.others);
        decision.others.push(referrers);
    }
    Ok(decision)
}

/// A referral that follows from an activity: what the member's referrer gets.
#[derive(Debug)]
pub struct Referral {
    /// The referrer.
    pub referrer: Member,
    /// The referrer's activity, of the type `referral`.
    pub activity: Activity,
}

/// Decides what an activity gives the member alone. Also returns the referral, if a rule gave one.
///
/// # Errors
/// As [`earn`].
pub fn earn_alone(
    context: &Context<'_>,
    member: &Member,
    event: ActivityEvent,
) -> Result<(Decision, Option<Referral>), Undecided> {
    let mut referred = None;
    // What a day triggers is not lost if it is refused: it comes again in the next run.
    let on_failure = match event.triggered {
        Some(_) => OnFailure::Refuse,
        None => context.programme().on_failure,
    };
    let decision = on_shared_wallets(context, member, |member| {
        let (decision, referral) = earn_on_own_wallets(context, member, event, on_failure)?;
        referred = referral;
        Ok(decision)
    })?;
    Ok((decision, referred))
}

/// Decides on an activity for one member and its own wallets: checks the dates, finds the member's
/// tier, runs every rule, lets the ledger make an entry of the effects, and adds the tier that
/// follows.
pub(crate) fn earn_on_own_wallets(
    context: &Context<'_>,
    member: &Member,
    event: ActivityEvent,
    on_failure: OnFailure,
) -> Result<(Decision, Option<Referral>), Undecided> {
    let ActivityEvent { activity, triggered, about } = event;
    let Context { bundle, data, now } = *context;
    ledger::earn::admit(member, &activity, now)?;
    let mut failures = Failures::of(context);
    let present = Arc::new(member.at(now));
    let tier_status = tier::reviewed(bundle, &present, now);
    let tier_status = failures.or(tier_status, || member.tier_status.clone())?;
    let seen = bundle.see(&present, tier_status.tier.clone(), activity.at, now);
    let activity = Arc::new(activity);
    let mut run = bundle.run(&Facts::of_activity(seen, &activity));
    let judged = judge(bundle, &present, &activity, data, &mut run, on_failure)?;
    let referred = judged.referrer().map(|referrer| referral(&present, referrer, &activity));
    failures.notes.extend(judged.failures.iter().map(RuleFailure::note));
    let mut draft = Draft::of(judged.reasons, judged.changes, judged.allocator);
    let triggered = triggered.map(|day| Change::Triggered { activity: activity.kind.clone(), day });
    draft.changes.extend(triggered);
    let differs = activity.order.as_ref();
    let differs = differs.and_then(|order| order.unexplained(context.programme().decimals()));
    draft.notes.extend(differs.map(|by| Note::TotalDiffers { by }));
    let share = let_go(context, member, &activity, &about, &mut draft)?;
    // The facts in the run share the activity. Dropping the run lets the entry own it.
    drop(run);
    let activity = Arc::unwrap_or_clone(activity);
    let decision = ledger::earn::decide(member, context.programme(), activity, share, draft, now)?;
    let before = &member.tier_status;
    Ok((with_tier_noted(context, tier_status, decision, before, failures)?, referred))
}

/// How much a delivery lets go of what is pending on it. The delivery of an order that is not known
/// is kept.
fn let_go(
    context: &Context<'_>,
    member: &Member,
    activity: &Activity,
    about: &About,
    draft: &mut Draft,
) -> Result<Share, MissingData> {
    let programme = context.programme();
    if !delivery::is_delivery(programme, activity) {
        return Ok(Share::ALL);
    }
    let names_pieces = delivery::names_pieces(activity);
    match about {
        About::Unknown if !delivery::lets_go(member, activity) => {
            draft.changes.extend(delivery::kept(activity));
            let of = activity.of.clone();
            draft.notes.extend(of.map(|of| Note::OrderIsUnknown { of }));
            Ok(Share::ALL)
        }
        About::Known(entry) if names_pieces => {
            let window = context.data.past(member, entry.seq)?;
            let since = || window.entries.iter().filter(|later| later.seq > entry.seq);
            let since: Vec<Entry> = since().cloned().collect();
            let left = left_of(entry, &since, programme.decimals()).ok();
            if let EntryKind::Earn { activity: bought } = &entry.kind
                && let Some(order) = &bought.order
            {
                let lines = delivery::unknown_pieces(order, activity);
                draft.notes.extend((!lines.is_empty()).then_some(Note::PiecesAreUnknown { lines }));
            }
            let share = |order: &Order| {
                delivery::share(entry, order, &since, activity, programme.decimals())
            };
            Ok(left.and_then(|left| left.order).as_ref().map_or(Share::ALL, share))
        }
        _ => Ok(Share::ALL),
    }
}

/// The referral that a friend's activity gives the friend's referrer.
fn referral(friend: &Member, referrer: &Member, activity: &Activity) -> Referral {
    let activity = Activity {
        // It is not the number of the friend's order, which is private to the friend.
        id: format!("{} {}", friend.id, friend.seq.next()),
        kind: REFERRAL.to_owned(),
        // The referrer may have joined after the time that the activity states.
        at: activity.at.max(referrer.enrolled_at),
        of: None,
        order: None,
        channel: None,
        payment: None,
        fields: [(FRIEND.to_owned(), FieldValue::Text(friend.id.to_string()))].into(),
    };
    Referral { referrer: referrer.clone(), activity }
}
