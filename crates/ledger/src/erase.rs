//! Erasing a person.

use crate::account::{self, AccountRejection};
use crate::decision::Draft;
use crate::{Decision, EntryKind, Member, Moment, Programme};

/// Erases the person. The wallets stay, since they are what the merchant owes, and their lots
/// expire by their terms. Everything else is dropped. If the member shares the wallets of an
/// account, the account counts one member less.
///
/// # Errors
/// The member is erased already, or others share its wallets.
pub fn decide(
    member: &Member,
    account: Option<&Member>,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, AccountRejection> {
    member.present()?;
    account::unshared(member)?;
    let decision = Draft::default().decide(member, programme, EntryKind::Erase, now)?;
    Ok(account::with_account_entry(decision, account, programme, now)?)
}
