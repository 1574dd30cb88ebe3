//! Units given or taken by hand, and units that one member gives another.

use crate::decision::{Credit, Draft, GiveRejection};
use crate::entry::Counterpart;
use crate::member::MemberIsErased;
use crate::{
    Decision, EntryKind, Lot, Member, MemberId, Moment, Posting, PostingReason, Programme, Units,
    WalletName, WalletPolicy,
};

/// Why units are not moved by hand. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveRejection {
    /// The person wants to be forgotten.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// To oneself.
    #[error("member `{0}` cannot give units to itself, or to whom it shares its wallets with")]
    BothSidesAreOne(MemberId),
    /// The other person wanted to be forgotten.
    #[error("member `{0}`, who would get them, has been erased")]
    ReceiverIsErased(MemberId),
    /// No such wallet.
    #[error("there is no wallet `{0}` in the manifest")]
    WalletIsUnknown(String),
    /// A wallet out of which members may not give.
    #[error("units of `{0}` cannot be given to others; the manifest does not say `transferable`")]
    WalletIsNotTransferable(WalletName),
    /// Nothing to move.
    #[error("no units are moved; say how many")]
    UnitsAreZero,
    /// Not enough can be spent.
    #[error("{units} {wallet} are taken, and {spendable} can be spent")]
    BalanceIsInsufficient {
        /// The wallet.
        wallet: WalletName,
        /// What is taken.
        units: Units,
        /// What can be spent now.
        spendable: Units,
    },
    /// It cannot be counted.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// An adjustment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Of which wallet; the main one if nothing.
    pub wallet: Option<String>,
    /// Units given (above zero) or taken (below).
    pub units: i64,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub author: String,
}

/// Gives units on the wallet's present terms, or takes them from the lots that expire soonest.
///
/// # Errors
/// They cannot be given, or not be taken. Nothing has changed then.
pub fn decide(
    member: &Member,
    programme: &Programme,
    adjustment: Adjustment,
    now: Moment,
) -> Result<Decision, MoveRejection> {
    member.present()?;
    let (wallet, policy) = wallet(programme, adjustment.wallet.as_deref())?;
    let full = || GiveRejection::WalletIsFull { member: member.id.clone() };
    let units = adjustment.units.checked_abs().and_then(|units| Units::new(units).ok());
    let units = units.ok_or_else(full)?;
    if units.is_zero() {
        return Err(MoveRejection::UnitsAreZero);
    }
    let mut given = Draft::default();
    if adjustment.units > 0 {
        let lot = Lot { units, terms: policy.terms(now, programme.time_zone) };
        let wallet = wallet.clone();
        given.credits.push(Credit { wallet, lot, why: PostingReason::Adjusted });
    } else {
        given.postings = taken(member, wallet, units, PostingReason::Adjusted, now)?;
    }
    let Adjustment { reason, author, .. } = adjustment;
    Ok(given.decide(member, programme, EntryKind::Adjust { reason, author }, now, now)?)
}

/// Units that one member wants to give another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// To whom.
    pub to: MemberId,
    /// Of which wallet; the main one if nothing.
    pub wallet: Option<String>,
    /// How many.
    pub units: Units,
    /// What is said of it.
    pub reason: Option<String>,
}

/// Takes units from the lots of one member that expire soonest and gives the very same lots to the
/// other: a lot keeps its terms, whoever has it. `account` is whose wallets the two sides use.
///
/// # Errors
/// They cannot be moved. Nothing has changed then.
pub fn transfer(
    from: &Member,
    to: &Member,
    programme: &Programme,
    transfer: Transfer,
    now: Moment,
) -> Result<(Decision, Decision), MoveRejection> {
    from.present()?;
    if from.id == to.id {
        return Err(MoveRejection::BothSidesAreOne(from.id.clone()));
    }
    if to.erased_at.is_some() {
        return Err(MoveRejection::ReceiverIsErased(to.id.clone()));
    }
    let (wallet, policy) = wallet(programme, transfer.wallet.as_deref())?;
    if !policy.transferable {
        return Err(MoveRejection::WalletIsNotTransferable(wallet.clone()));
    }
    if transfer.units.is_zero() {
        return Err(MoveRejection::UnitsAreZero);
    }
    let why = PostingReason::Transferred;
    let postings = taken(from, wallet, transfer.units, why, now)?;
    let lots = postings.iter().filter_map(|posting| {
        let terms = posting.from_lot()?.clone();
        Some(Lot { units: posting.units, terms })
    });
    let credits = lots.map(|lot| Credit { wallet: wallet.clone(), lot, why }).collect();
    let reason = transfer.reason;
    let kind = |with| EntryKind::Transfer { with, reason: reason.clone() };
    let given = Draft { postings, ..Draft::default() };
    let given = given.decide(from, programme, kind(Counterpart::To(to.id.clone())), now, now)?;
    let received = Draft { credits, ..Draft::default() };
    let received =
        received.decide(to, programme, kind(Counterpart::From(from.id.clone())), now, now)?;
    Ok((given, received))
}

fn wallet<'p>(
    programme: &'p Programme,
    name: Option<&str>,
) -> Result<(&'p WalletName, &'p WalletPolicy), MoveRejection> {
    let name = name.unwrap_or(programme.main_wallet.as_str());
    let found = programme.wallets.get_key_value(name);
    found.ok_or_else(|| MoveRejection::WalletIsUnknown(name.to_owned()))
}

fn taken(
    member: &Member,
    wallet: &WalletName,
    units: Units,
    why: PostingReason,
    now: Moment,
) -> Result<Vec<Posting>, MoveRejection> {
    let mut lots = member.at(now).wallet(wallet.as_str()).clone();
    let spendable = lots.spendable(now);
    let taken = lots.take(units, now).ok_or_else(|| MoveRejection::BalanceIsInsufficient {
        wallet: wallet.clone(),
        units,
        spendable,
    })?;
    Ok(taken.into_iter().map(|lot| Posting::out_of_lot(wallet.clone(), lot, why)).collect())
}
