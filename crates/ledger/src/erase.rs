use crate::decision::{Draft, GiveRejection};
use crate::{Decision, Member, MemberId, Moment, Programme, What};

/// The person wanted to be forgotten, and is: nobody can earn or spend in its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("member `{0}` has been erased")]
pub struct MemberIsErased(pub MemberId);

/// Whether there is a person behind the member.
///
/// # Errors
/// There is none.
pub fn present(member: &Member) -> Result<(), MemberIsErased> {
    match member.erased_at {
        None => Ok(()),
        Some(_) => Err(MemberIsErased(member.id.clone())),
    }
}

/// Forgets the person. What the merchant owes stays in the wallets until its terms are over; all
/// else is dropped.
///
/// # Errors
/// The member's entries do not add up.
pub fn decide(
    member: &Member,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, GiveRejection> {
    Draft::default().decide(member, programme, What::Erase, now, now)
}
