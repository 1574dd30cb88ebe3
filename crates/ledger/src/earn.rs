//! Earning: whether an activity may pay, and the entry of what it pays.

use chrono::TimeDelta;

use crate::decision::{Draft, GiveRejection};
use crate::delivery::{arrived, delivered};
use crate::holdings::Share;
use crate::member::MemberIsErased;
use crate::{Activity, Change, Decision, EntryKind, Member, Moment, Programme};

/// The most that a client's clock may be ahead of the server's, and that an activity may have begun
/// before the enrolment: a customer who enrols at the till is enrolled for the receipt that has begun.
pub const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// Why an activity does not pay. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EarnRejection {
    /// The person was erased.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// The activity has not happened yet.
    #[error("it is dated {at}, and it is only {now}")]
    ActivityIsInTheFuture {
        /// Its date.
        at: Moment,
        /// When it was sent.
        now: Moment,
    },
    /// The activity happened before the member enrolled.
    #[error("it is dated {at}, and the member enrolled at {enrolled_at}")]
    ActivityIsBeforeEnrolment {
        /// Its date.
        at: Moment,
        /// When the member enrolled.
        enrolled_at: Moment,
    },
    /// What the rules gave cannot become an entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// Checks that something may have happened to a member at a moment. Call it before the rules run, so
/// that they see only what makes sense.
///
/// # Errors
/// The member was erased, or the date of the activity is in the future or before the enrolment.
pub fn admit(member: &Member, at: Moment, now: Moment) -> Result<(), EarnRejection> {
    member.present()?;
    if at > now + CLOCK_SKEW_MAX {
        return Err(EarnRejection::ActivityIsInTheFuture { at, now });
    }
    if at < member.enrolled_at - CLOCK_SKEW_MAX {
        let enrolled_at = member.enrolled_at;
        return Err(EarnRejection::ActivityIsBeforeEnrolment { at, enrolled_at });
    }
    Ok(())
}

/// Makes the entry of an admitted activity and of what the rules gave for it. The terms of the
/// units count from when it happened, even if it was sent late. `share` is how much it lets go of
/// the units that are pending on it.
///
/// # Errors
/// What the rules gave cannot become an entry. The member is unchanged.
pub fn decide(
    member: &Member,
    programme: &Programme,
    activity: Activity,
    share: Share,
    given: Draft,
    now: Moment,
) -> Result<Decision, EarnRejection> {
    Ok(entry(member, programme, activity, share, given, now)?)
}

/// The same, for an activity that was admitted before.
pub(crate) fn entry(
    member: &Member,
    programme: &Programme,
    activity: Activity,
    share: Share,
    mut given: Draft,
    now: Moment,
) -> Result<Decision, GiveRejection> {
    given.postings.extend(delivered(member, &activity, share, now));
    if share != Share::ALL {
        given.changes.push(Change::DeliveredInPart { share });
    }
    given.changes.extend(arrived(member, &activity));
    given.decide(member, programme, EntryKind::Earn { activity }, now)
}
