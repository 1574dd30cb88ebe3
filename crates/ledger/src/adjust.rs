//! Moving units by hand, and transferring them from one member to another.

use crate::decision::{Credit, Draft, GiveRejection};
use crate::entry::Counterpart;
use crate::member::MemberIsErased;
use crate::{
    Decision, EntryKind, Lot, Member, MemberId, Moment, Posting, PostingReason, Programme, Units,
    WalletName, WalletPolicy,
};

/// Why units are not adjusted or transferred. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveRejection {
    /// The person was erased.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// Both sides are the same member, or share the same wallets.
    #[error("member `{0}` cannot give units to itself, or to whom it shares its wallets with")]
    BothSidesAreOne(MemberId),
    /// The receiver was erased.
    #[error("member `{0}`, who would get them, has been erased")]
    ReceiverIsErased(MemberId),
    /// The programme has no such wallet.
    #[error("there is no wallet `{0}` in the manifest")]
    WalletIsUnknown(String),
    /// Members may not transfer units of this wallet.
    #[error("units of `{0}` cannot be given to others; the manifest does not say `transferable`")]
    WalletIsNotTransferable(WalletName),
    /// No units are moved.
    #[error("no units are moved; say how many")]
    UnitsAreZero,
    /// The member has too few units to spend.
    #[error("{units} {wallet} are taken, and {spendable} can be spent")]
    BalanceIsInsufficient {
        /// The wallet.
        wallet: WalletName,
        /// The units to take.
        units: Units,
        /// The units that can be spent now.
        spendable: Units,
    },
    /// The change cannot become an entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// An adjustment: units that are given or taken by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// The wallet; `None` for the main one.
    pub wallet: Option<String>,
    /// The units, given if above zero and taken if below.
    pub units: i64,
    /// Why, in the author's words.
    pub reason: String,
    /// Who does it.
    pub author: String,
}

/// Gives units on the wallet's present terms, or takes them from the lots that expire soonest.
///
/// # Errors
/// The units cannot be given or taken. The member is unchanged.
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
    let kind = EntryKind::Adjust { reason, author, happened_at: None };
    Ok(given.decide(member, programme, kind, now)?)
}

/// A transfer: units that one member wants to give another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The receiver.
    pub to: MemberId,
    /// The wallet; `None` for the main one.
    pub wallet: Option<String>,
    /// The number of units.
    pub units: Units,
    /// Why, in the client's words.
    pub reason: Option<String>,
}

/// Takes units from the lots of one member that expire soonest, and gives them to the other member
/// on the same terms. If a member shares the wallets of an account, pass its view. Returns the
/// decisions for `from` and for `to`.
///
/// # Errors
/// The units cannot be transferred. The member is unchanged.
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
    let kind = |with, other: &Member| {
        let (entry, reason) = (other.seq.next(), reason.clone());
        EntryKind::Transfer { with, entry, reason }
    };
    let given = Draft { postings, ..Draft::default() };
    let given = given.decide(from, programme, kind(Counterpart::To(to.id.clone()), to), now)?;
    let received = Draft { credits, ..Draft::default() };
    let received =
        received.decide(to, programme, kind(Counterpart::From(from.id.clone()), from), now)?;
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
