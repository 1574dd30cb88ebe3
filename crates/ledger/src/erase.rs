use crate::account::{self, AccountRejection};
use crate::decision::Draft;
use crate::{Decision, EntryKind, Member, MemberId, Moment, Programme};

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
/// else is dropped, and an account whose wallets it shares has one less who does.
///
/// # Errors
/// It is forgotten already, or others share its wallets.
pub fn decide(
    member: &Member,
    account: Option<&Member>,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, AccountRejection> {
    present(member)?;
    account::unshared(member)?;
    let decision = Draft::default().decide(member, programme, EntryKind::Erase, now, now)?;
    Ok(account::told(decision, account, programme, now)?)
}
