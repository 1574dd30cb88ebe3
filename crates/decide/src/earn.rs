//! A member did something: what it brings the member, and the member who brought this one.

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

/// What an activity brings the member, and the member who brought this one.
///
/// # Errors
/// The activity's date makes no sense, a rule failed, or data has to be loaded first.
pub fn earn(
    context: &Context<'_>,
    member: &Member,
    event: impl Into<ActivityEvent>,
) -> Result<Decision, Undecided> {
    let (mut decision, referred) = earn_alone(context, member, event.into())?;
    if let Some(Referral { referrer, activity }) = referred {
        // The two draw on the same shared limits. The referrer was brought by somebody too, who has
        // no part in it: a rule on `referral` refers nobody.
        let data = context.data.beside(&decision.entry);
        let beside = Context { data: &data, ..*context };
        let (mut referrers, _) = earn_alone(&beside, &referrer, activity.into())?;
        decision.others.append(&mut referrers.others);
        decision.others.push(referrers);
    }
    Ok(decision)
}

/// What an activity is for the member who brought the one that did it.
#[derive(Debug)]
pub struct Referral {
    /// The member who brought the other.
    pub referrer: Member,
    /// The activity `referral`.
    pub activity: Activity,
}

/// What an activity brings the member alone, and the referral that it is for another.
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

/// The story of an earn: the dates are checked, the member's tier is found, every rule is asked, the
/// ledger makes an entry of what they gave, and the tier follows.
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
    // The run shares the activity with its facts; the entry takes it over.
    drop(run);
    let activity = Arc::unwrap_or_clone(activity);
    let decision = ledger::earn::decide(member, context.programme(), activity, draft, now)?;
    Ok((with_tier(context, tier_status, decision, &member.tier_status)?, referred))
}

/// What the friend's activity is for the member who brought the friend.
fn referral(friend: &Member, referrer: &Member, activity: &Activity) -> Referral {
    let activity = Activity {
        // Not the number of the friend's order, which is the friend's own.
        id: format!("{} {}", friend.id, friend.seq.next()),
        kind: REFERRAL.to_owned(),
        // The referrer may have joined in the very second of the purchase.
        at: activity.at.max(referrer.enrolled_at),
        of: None,
        order: None,
        channel: None,
        payment: None,
        fields: [(FRIEND.to_owned(), FieldValue::Text(friend.id.to_string()))].into(),
    };
    Referral { referrer: referrer.clone(), activity }
}
