//! A member did something: whether it may pay, and the entry of what it pays.

use chrono::TimeDelta;

use crate::decision::{Draft, GiveRejection};
use crate::member::MemberIsErased;
use crate::terms::{PendingOn, Terms};
use crate::{Activity, Decision, EntryKind, Member, Moment, Posting, PostingReason, Programme};

/// How far a till's clock may run ahead of ours.
pub const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// Why an activity does not pay. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EarnRejection {
    /// The person wants to be forgotten.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// It has not happened yet.
    #[error("the activity is dated {at}, and it is only {now}")]
    ActivityIsInTheFuture {
        /// Its date.
        at: Moment,
        /// The time it was told.
        now: Moment,
    },
    /// The person was not a member yet.
    #[error("the activity is dated {at}, and the member enrolled at {enrolled_at}")]
    ActivityIsBeforeEnrolment {
        /// Its date.
        at: Moment,
        /// When the member joined.
        enrolled_at: Moment,
    },
    /// What the rules gave cannot be given.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// Whether the activity may pay at all. Asked before the rules are, so that they only see
/// activities that make sense.
///
/// # Errors
/// The activity's date makes no sense for this member.
pub fn admit(member: &Member, activity: &Activity, now: Moment) -> Result<(), EarnRejection> {
    member.present()?;
    if activity.at > now + CLOCK_SKEW_MAX {
        return Err(EarnRejection::ActivityIsInTheFuture { at: activity.at, now });
    }
    if activity.at < member.enrolled_at {
        return Err(EarnRejection::ActivityIsBeforeEnrolment {
            at: activity.at,
            enrolled_at: member.enrolled_at,
        });
    }
    Ok(())
}

/// Gives what the rules gave for an admitted activity. Units have the terms of the day on which it
/// happened, however late it is told.
///
/// # Errors
/// A rule paid what no wallet can take. Nothing has changed then.
pub fn decide(
    member: &Member,
    programme: &Programme,
    activity: Activity,
    mut given: Draft,
    now: Moment,
) -> Result<Decision, EarnRejection> {
    let at = activity.at;
    given.postings.extend(delivered(member, &activity, now));
    Ok(given.decide(member, programme, EntryKind::Earn { activity }, at, now)?)
}

/// The postings of lots that were pending on this activity: an order's units, once it is delivered.
pub(crate) fn delivered(member: &Member, activity: &Activity, now: Moment) -> Vec<Posting> {
    let mut postings = Vec::new();
    for (name, wallet) in &member.at(now).wallets {
        for lot in wallet.lots() {
            let waits = |on: &&PendingOn| {
                on.activity == activity.kind && activity.of.as_ref() == Some(&on.of)
            };
            let Some(on) = lot.terms.pending_on.as_ref().filter(waits) else { continue };
            let from = activity.at + TimeDelta::days(on.days.into());
            let available_at = Some(from).filter(|from| *from > now);
            let to = Terms { pending_on: None, available_at, ..lot.terms.clone() };
            let why = PostingReason::Delivered;
            postings.push(Posting::between_lots(name.clone(), lot.clone(), to, why));
        }
    }
    postings
}
