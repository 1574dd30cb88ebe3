use crate::account::{self, AccountRejection};
use crate::decision::Draft;
use crate::{Decision, EntryKind, Member, Moment, Programme};

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
    member.present()?;
    account::unshared(member)?;
    let decision = Draft::default().decide(member, programme, EntryKind::Erase, now, now)?;
    Ok(account::told(decision, account, programme, now)?)
}
