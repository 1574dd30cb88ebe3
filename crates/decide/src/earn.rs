//! Earn: the decision on an activity of a member, and on the referral that may follow from it.

use std::sync::Arc;

use ledger::activity::{FRIEND, REFERRAL};
use ledger::decision::Draft;
use ledger::{Activity, Change, Decision, FieldValue, Member};
use rules::Facts;

use crate::context::Context;
use crate::event::ActivityEvent;
use crate::judging::judge;
use crate::pipeline::{on_shared_wallets, with_tier};
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
    let decision = on_shared_wallets(context, member, |member| {
        let (decision, referral) = earn_on_own_wallets(context, member, event)?;
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
) -> Result<(Decision, Option<Referral>), Undecided> {
    let ActivityEvent { activity, triggered } = event;
    let Context { bundle, data, now } = *context;
    ledger::earn::admit(member, &activity, now)?;
    let present = Arc::new(member.at(now));
    let tier_status = tier::tier_status(bundle, &present, now)?;
    let seen = bundle.see(&present, tier_status.tier.clone(), activity.at, now);
    let activity = Arc::new(activity);
    let mut run = bundle.run(&Facts::of_activity(seen, &activity));
    let judged = judge(bundle, &present, &activity, data, &mut run)?;
    let referred = judged.referrer().map(|referrer| referral(&present, referrer, &activity));
    let mut draft = Draft::of(judged.reasons, judged.changes, judged.allocator);
    let triggered = triggered.map(|day| Change::Triggered { activity: activity.kind.clone(), day });
    draft.changes.extend(triggered);
    // The facts in the run share the activity. Dropping the run lets the entry own it.
    drop(run);
    let activity = Arc::unwrap_or_clone(activity);
    let decision = ledger::earn::decide(member, context.programme(), activity, draft, now)?;
    Ok((with_tier(context, tier_status, decision, &member.tier_status)?, referred))
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
