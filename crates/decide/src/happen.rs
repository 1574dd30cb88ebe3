//! What happens to a member with an activity: every rule is asked, and the ledger makes an entry of what
//! they gave.

use std::sync::Arc;

use chrono::TimeDelta;
use ledger::decision::{Draft, GiveRejection};
use ledger::delivery;
use ledger::entry::Note;
use ledger::holdings::Share;
use ledger::programme::OnFailure;
use ledger::reverse::{Reversals, left_of};
use ledger::{
    Activity, ApplyError, Change, Decision, Entry, EntryKind, Member, MissingData, Moment, Order,
    RedeemedReward, Seq, Since,
};
use rules::{Bundle, Facts, RuleFailure};

use crate::context::Context;
use crate::event::{About, ActivityEvent};
use crate::failures::Failures;
use crate::judging::{Asked, MendedRun, TakenSince, judge};
use crate::pipeline::{with_tier, with_tier_noted, with_tier_review};
use crate::referral::referral;
use crate::refusal::Undecided;
use crate::reward::{Redemption, Timing, take};
use crate::tier;

/// How late something was told, by what is known of the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Nothing has happened since, so it happens now: as of this moment.
    InOrder(Moment),
    /// Something has happened since.
    Late,
    /// Something has happened since, and it is longer ago than `late_days`.
    TooLate,
}

impl When {
    /// How late something was told that happened at a moment.
    pub(crate) fn of(context: &Context<'_>, member: &Member, at: Moment) -> When {
        let now = context.now;
        // A client's clock may be ahead.
        let happened_at = at.min(now);
        let window = TimeDelta::days(context.programme().late_days.into());
        if member.seq == Seq::ENROLLED || happened_at >= member.happened_at {
            When::InOrder(happened_at.max(member.happened_at))
        } else if happened_at < now - window {
            When::TooLate
        } else {
            When::Late
        }
    }
}

/// What becomes of an event of which a rule fails. What a day triggers is not lost if it is refused:
/// it comes again in the next run.
pub(crate) fn on_failure(context: &Context<'_>, event: &ActivityEvent) -> OnFailure {
    match event.triggered {
        Some(_) => OnFailure::Refuse,
        None => context.programme().on_failure,
    }
}

/// What the rules say of an activity.
pub(crate) struct Sentence {
    pub(crate) draft: Draft,
    /// What the member's referrer gets for it.
    pub(crate) referral: Option<Activity>,
    /// What rules took that have been mended since.
    pub(crate) taken_since: TakenSince,
}

/// Judges an activity for a member as it is at a moment, in a tier.
fn judged(
    context: &Context<'_>,
    present: &Arc<Member>,
    tier: Option<&str>,
    event: &ActivityEvent,
    asked: Asked<'_>,
) -> Result<Sentence, Undecided> {
    let Context { bundle, data, now, .. } = *context;
    let ActivityEvent { activity, triggered, .. } = event;
    let activity = Arc::new(activity.clone());
    let facts = |rules: &Bundle| {
        Facts::of_activity(rules.see(present, tier.map(str::to_owned), activity.at, now), &activity)
    };
    let mut run = bundle.run(&facts(bundle));
    let mended = asked.mended.iter();
    let mended =
        mended.map(|one| MendedRun { mended: *one, run: one.rules.run(&facts(one.rules)) });
    let mended = mended.collect();
    let judged = judge(bundle, present, &activity, data, &mut run, asked, mended)?;
    let referral = judged.referrer().map(|referrer| referral(present, referrer, &activity));
    let taken_since = judged.taken_since;
    let notes: Vec<Note> = judged.failures.iter().map(RuleFailure::note).collect();
    let mut draft = Draft::of(judged.reasons, judged.changes, judged.allocator);
    let triggered = triggered.map(|day| Change::Triggered { activity: activity.kind.clone(), day });
    draft.changes.extend(triggered);
    draft.notes = notes;
    Ok(Sentence { draft, referral, taken_since })
}

/// The member as it was when something happened that is told too late. What caps have counted since is
/// counted, and so are other purchases that were told too late: nothing is had twice. `told` is the
/// member to whom it is told.
///
/// # Errors
/// The purchases are too many.
pub(crate) fn as_it_was(then: &Member, told: &Member, at: Moment) -> Result<Member, GiveRejection> {
    let too_much = || GiveRejection::of(&told.id, ApplyError::TooMuch("the purchases".to_owned()));
    let history = then.history.with_told_too_late(&told.history).ok_or_else(too_much)?;
    Ok(Member { counters: told.counters.clone(), history, ..then.at(at) })
}

/// Judges an activity that was told too late, for the member [`as_it_was`] then.
pub(crate) fn judged_then(
    context: &Context<'_>,
    then: &Member,
    told: &Member,
    event: &ActivityEvent,
    asked: Asked<'_>,
) -> Result<Sentence, Undecided> {
    let context = Context { now: event.activity.at, ..*context };
    let present = Arc::new(as_it_was(then, told, context.now)?);
    let tier = tier::tier_status(context.bundle, &present, context.now)?.tier;
    let mut judged =
        judged(&context, &present, tier.as_deref(), event, Asked { tasks: false, ..asked })?;
    // A fraction is carried over to the next payment of the rule, which has been paid since.
    judged.draft.changes.retain(|change| !matches!(change, Change::Carried { .. }));
    Ok(judged)
}

/// What happened to a member with an activity.
pub(crate) struct Happened {
    pub(crate) decision: Decision,
    /// What the member's referrer gets for it.
    pub(crate) referral: Option<Activity>,
    /// The tier by which it was judged.
    pub(crate) tier: Option<String>,
    /// What rules took that have been mended since.
    pub(crate) taken_since: TakenSince,
}

/// Decides on an activity for one member and the wallets that it uses, as of when it happened: finds
/// the member's tier, runs every rule, lets the ledger make an entry of the effects, and adds the
/// tier that follows.
pub(crate) fn happen(
    context: &Context<'_>,
    member: &Member,
    event: ActivityEvent,
    asked: Asked<'_>,
) -> Result<Happened, Undecided> {
    let Context { bundle, now, .. } = *context;
    let mut failures = Failures { on_failure: asked.on_failure, notes: Vec::new() };
    let present = Arc::new(member.at(now));
    let tier_status = tier::reviewed(bundle, &present, now);
    let tier_status = failures.or(tier_status, || member.tier_status.clone())?;
    let tier = tier_status.tier.clone();
    let Sentence { mut draft, referral, taken_since } =
        judged(context, &present, tier.as_deref(), &event, asked)?;
    failures.notes.append(&mut draft.notes);
    let ActivityEvent { activity, about, .. } = event;
    let differs = activity.order.as_ref();
    let differs = differs.and_then(|order| order.unexplained(context.programme().decimals()));
    draft.notes.extend(differs.map(|by| Note::TotalDiffers { by }));
    let share = let_go(context, member, &activity, &about, &mut draft)?;
    let decision = ledger::earn::decide(member, context.programme(), activity, share, draft, now)?;
    let before = &member.tier_status;
    let decision = with_tier_noted(context, tier_status, decision, before, failures)?;
    Ok(Happened { decision, referral, tier, taken_since })
}

/// Decides on an activity that happened too long ago to be derived in its place: the rules judge it for
/// the member as it was `then`, and what they give comes now. Tasks are left out, since their progress is
/// that of today.
pub(crate) fn told_too_late(
    context: &Context<'_>,
    then: &Member,
    member: &Member,
    event: ActivityEvent,
) -> Result<Happened, Undecided> {
    let asked = Asked::all(on_failure(context, &event));
    let Sentence { mut draft, referral, taken_since } =
        judged_then(context, then, member, &event, asked)?;
    draft.notes.push(Note::ToldTooLate);
    let ActivityEvent { activity, about, .. } = event;
    let share = let_go(context, member, &activity, &about, &mut draft)?;
    let (programme, now) = (context.programme(), context.now);
    let decision = ledger::earn::decide(member, programme, activity, share, draft, now)?;
    let decision = with_tier_review(context, decision, member)?;
    Ok(Happened { decision, referral, tier: None, taken_since })
}

/// Lets a member take a reward from the wallets that it uses.
pub(crate) fn redeemed(
    context: &Context<'_>,
    member: &Member,
    redemption: Redemption,
) -> Result<Decision, Undecided> {
    with_reward(context, member, redemption, Timing::Now, |member, taken, order, draft| {
        ledger::redeem::decide(member, context.programme(), taken, order, draft, context.now)
    })
}

/// Finds the reward and what it costs, lets `decide` make the ledger's decision of it, and adds the
/// tier that follows.
pub(crate) fn with_reward<E: Into<Undecided>>(
    context: &Context<'_>,
    member: &Member,
    redemption: Redemption,
    timing: Timing,
    decide: impl FnOnce(&Member, RedeemedReward, Option<Order>, Draft) -> Result<Decision, E>,
) -> Result<Decision, Undecided> {
    let present = Arc::new(member.clone());
    let tier_status = tier::tier_status(context.bundle, &present, context.now)?;
    let tier = tier_status.tier.clone();
    let (taken, order, draft) = take(context, member, tier, redemption, timing)?;
    let decision = decide(member, taken, order, draft).map_err(Into::into)?;
    Ok(with_tier(context, tier_status, decision, &member.tier_status)?)
}

/// How much a delivery lets go of what is pending on it. The delivery of an order that is not known
/// is kept.
pub(crate) fn let_go(
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
    // An order that has come back is as if it had never been.
    let about = match about {
        About::Known(order)
            if !delivery::lets_go(member, activity) && has_come_back(context, member, order)? =>
        {
            &About::Unknown
        }
        about => about,
    };
    match about {
        About::Unknown if !delivery::lets_go(member, activity) => {
            draft.changes.extend(delivery::kept(activity));
            let of = activity.of.clone();
            draft.notes.extend(of.map(|of| Note::OrderIsUnknown { of }));
            Ok(Share::ALL)
        }
        About::Known(entry) if names_pieces => {
            let slice = context.data.slice_since(member, placed_at(entry))?;
            let (share, unknown) =
                delivered_of(entry, &slice.entries, activity, programme.decimals());
            draft.notes.extend(unknown_pieces(unknown));
            Ok(share)
        }
        About::Delivered { share, unknown } => {
            draft.notes.extend(unknown_pieces(unknown.clone()));
            Ok(*share)
        }
        _ => Ok(Share::ALL),
    }
}

fn has_come_back(
    context: &Context<'_>,
    member: &Member,
    order: &Entry,
) -> Result<bool, MissingData> {
    let slice = context.data.slice_since(member, placed_at(order))?;
    let decimals = context.programme().decimals();
    Ok(Reversals::of(&slice.entries, member.seq.next(), &[], decimals).is_undone(order.seq))
}

fn unknown_pieces(lines: Vec<String>) -> Option<Note> {
    (!lines.is_empty()).then_some(Note::PiecesAreUnknown { lines })
}

/// Where the history of an order begins.
pub(crate) fn placed_at(order: &Entry) -> Since {
    Since { moment: order.happened_at(), entry: Some(order.seq) }
}

/// How much a delivery of pieces lets go, by the entry of its order and the entries since it was
/// placed; and the pieces that the order does not have.
fn delivered_of(
    bought: &Entry,
    entries: &[Entry],
    activity: &Activity,
    decimals: u32,
) -> (Share, Vec<String>) {
    let reversals = Reversals::of(entries, bought.seq, &[], decimals);
    let left = left_of(bought, &reversals.back(bought.seq), decimals);
    let left = left.ok().and_then(|left| left.order);
    // Deliveries before the order are in its own entry, but for those that were told after it.
    let placed = (bought.happened_at(), bought.seq);
    let is_since =
        |entry: &&Entry| entry.seq > bought.seq || (entry.happened_at(), entry.seq) > placed;
    let earlier = entries.iter().filter(is_since);
    let earlier = earlier.filter(|entry| !reversals.is_undone(entry.seq));
    let earlier = earlier.filter_map(|entry| match &entry.kind {
        EntryKind::Earn { activity } => Some(activity),
        _ => None,
    });
    let order = match &bought.kind {
        EntryKind::Earn { activity } => activity.order.as_ref(),
        _ => None,
    };
    let unknown = order.map(|order| delivery::unknown_pieces(order, activity));
    let share = left.map(|left| delivery::share(bought, &left, earlier, activity, decimals));
    (share.unwrap_or(Share::ALL), unknown.unwrap_or_default())
}
