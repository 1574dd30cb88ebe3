//! Holding a reward at the till. A hold is captured on payment, released on cancellation, and
//! expires by itself otherwise.

use chrono::TimeDelta;

use crate::decision::{Draft, GiveRejection};
use crate::holdings::Hold;
use crate::redeem::{self, RedeemRejection, spent};
use crate::terms::{HoldId, Terms};
use crate::{
    Change, Decision, Entry, EntryKind, Lot, Member, Moment, Order, Posting, PostingReason,
    Programme, RedeemedReward, Seq, Units, WalletName,
};

/// The most holds of one member at a time. All are loaded with every request, and when they expire,
/// the next transaction puts back a piece of a stock for each.
pub const HOLDS_MAX: usize = 3;

/// Why a hold is not made, captured or released. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldRejection {
    /// The reward cannot be redeemed.
    #[error(transparent)]
    Redeem(#[from] RedeemRejection),
    /// The member already has as many holds as it may have.
    #[error("member `{0}` has {HOLDS_MAX} holds already; capture or release one first")]
    HoldsAreTooMany(crate::MemberId),
    /// The hold never existed.
    #[error("the member has no hold `{0}`")]
    HoldIsUnknown(HoldId),
    /// The hold was captured.
    #[error("hold `{hold}` was captured, with entry {entry}")]
    HoldWasCaptured {
        /// The hold.
        hold: HoldId,
        /// The number of the entry that captured it.
        entry: Seq,
    },
    /// The hold was released.
    #[error("hold `{hold}` was released, with entry {entry}")]
    HoldWasReleased {
        /// The hold.
        hold: HoldId,
        /// The number of the entry that released it.
        entry: Seq,
    },
    /// The hold has expired.
    #[error("hold `{hold}` expired at {until}, and its units are back")]
    HoldHasExpired {
        /// The hold.
        hold: HoldId,
        /// When it expired.
        until: Moment,
    },
    /// More units are captured than are held.
    #[error(
        "hold `{hold}` has {held} units set aside, and {units} are captured; say in `units` how many, at most {held}"
    )]
    MoreIsCapturedThanHeld {
        /// The hold.
        hold: HoldId,
        /// The units held.
        held: Units,
        /// The units captured.
        units: Units,
    },
    /// What the rules gave cannot become an entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// Holds the price of a reward, from the lots that expire soonest, for the programme's hold time.
///
/// # Errors
/// The member cannot afford it, or has too many holds. The member is unchanged.
pub fn hold(
    member: &Member,
    programme: &Programme,
    reward: RedeemedReward,
    order: Option<Order>,
    mut given: Draft,
    now: Moment,
) -> Result<Decision, HoldRejection> {
    let taken = redeem::price(member, &reward, now)?;
    if member.at(now).holds.len() >= HOLDS_MAX {
        return Err(HoldRejection::HoldsAreTooMany(member.id.clone()));
    }
    let name = HoldId::of(&member.id, member.account.as_ref(), member.seq.next());
    let until = now + TimeDelta::minutes(programme.hold_minutes.into());
    for lot in taken {
        let to = Terms { available_at: Some(until), held: Some(name.clone()), ..lot.terms.clone() };
        let why = PostingReason::Held;
        given.postings.push(Posting::between_lots(reward.wallet.clone(), lot, to, why));
    }
    let kind = EntryKind::Hold { hold: name, until, reward, order };
    Ok(given.decide(member, programme, kind, now)?)
}

/// The hold with that id, unless it has expired.
///
/// # Errors
/// There is none open; [`closed()`] tells why.
pub fn open<'m>(member: &'m Member, name: &HoldId, now: Moment) -> Result<&'m Hold, HoldRejection> {
    let hold = member.holds.get(name).filter(|hold| hold.until > now);
    hold.ok_or_else(|| HoldRejection::HoldIsUnknown(name.clone()))
}

/// What became of a hold that is not open. `entries` are those of the member from the hold's on.
#[must_use]
pub fn closed(name: &HoldId, entries: &[Entry]) -> HoldRejection {
    let hold = name.clone();
    let ends = entries.iter().find_map(|entry| match &entry.kind {
        EntryKind::Capture { hold: of, .. } if of == name => {
            Some(HoldRejection::HoldWasCaptured { hold: hold.clone(), entry: entry.seq })
        }
        EntryKind::Release { hold: of } if of == name => {
            Some(HoldRejection::HoldWasReleased { hold: hold.clone(), entry: entry.seq })
        }
        _ => None,
    });
    let expired = entries.iter().find_map(|entry| match &entry.kind {
        EntryKind::Hold { hold: of, until, .. } if of == name => {
            Some(HoldRejection::HoldHasExpired { hold: hold.clone(), until: *until })
        }
        _ => None,
    });
    ends.or(expired).unwrap_or(HoldRejection::HoldIsUnknown(hold))
}

/// Spends what is held, or a part of it, and releases the rest.
///
/// # Errors
/// There is no such hold, or it holds fewer units. The member is unchanged.
pub fn capture(
    member: &Member,
    programme: &Programme,
    name: &HoldId,
    reward: RedeemedReward,
    mut given: Draft,
    now: Moment,
) -> Result<Decision, HoldRejection> {
    let of = open(member, name, now)?.clone();
    let (wallet, units) = (reward.wallet.clone(), reward.costs);
    let (held, mut debt) = lots(member, &wallet, name, now);
    let all = Units::part(held.iter().map(|lot| lot.units.get()).sum());
    if units > all {
        let hold = name.clone();
        return Err(HoldRejection::MoreIsCapturedThanHeld { hold, held: all, units });
    }
    let mut missing = units.get();
    for lot in held {
        let part = Units::part(missing.min(lot.units.get()));
        missing -= part.get();
        let rest = Units::part(lot.units.get() - part.get());
        given.postings.push(spent(&wallet, Lot { units: part, terms: lot.terms.clone() }));
        set_free(&mut given, &wallet, Lot { units: rest, ..lot }, &mut debt, now);
    }
    // The hold has counted the reward and taken its piece of stock already.
    let kind = EntryKind::Capture { hold: name.clone(), of, reward };
    Ok(given.decide(member, programme, kind, now)?)
}

/// Releases what is held.
///
/// # Errors
/// There is no such hold. The member is unchanged.
pub fn release(
    member: &Member,
    programme: &Programme,
    name: &HoldId,
    now: Moment,
) -> Result<Decision, HoldRejection> {
    let hold = open(member, name, now)?;
    let mut given = Draft::default();
    set_all_free(&mut given, member, name, now);
    if let Some(day) = hold.counted {
        given.changes.push(Change::Uncounted { rule: hold.reward.clone(), day });
    }
    given.put_back(hold);
    let kind = EntryKind::Release { hold: name.clone() };
    Ok(given.decide(member, programme, kind, now)?)
}

/// Adds the postings that release all that is held for a hold.
pub(crate) fn set_all_free(given: &mut Draft, member: &Member, name: &HoldId, now: Moment) {
    for wallet in member.wallets.keys() {
        let (held, mut debt) = lots(member, wallet, name, now);
        for lot in held {
            set_free(given, wallet, lot, &mut debt, now);
        }
    }
}

/// The lots of a wallet that are held for a hold, and the wallet's debt.
fn lots(member: &Member, wallet: &WalletName, name: &HoldId, now: Moment) -> (Vec<Lot>, Units) {
    let present = member.at(now);
    let wallet = present.wallet(wallet.as_str());
    let held = wallet.lots().iter().filter(|lot| lot.terms.held.as_ref() == Some(name));
    (held.cloned().collect(), wallet.debt())
}

/// Adds the postings that release a held lot. A lot whose end has passed pays debt here, since it
/// expires at once. Other lots pay debt with the rest of the wallet.
fn set_free(given: &mut Draft, wallet: &WalletName, lot: Lot, debt: &mut Units, now: Moment) {
    let units = lot.units;
    let free = Terms { available_at: None, held: None, ..lot.terms.clone() };
    let why = PostingReason::Released;
    given.postings.push(Posting::between_lots(wallet.clone(), lot, free.clone(), why));
    if free.is_expired(now) {
        let pays = units.min(*debt);
        *debt = Units::part(debt.get() - pays.get());
        given.postings.push(Posting::pays_debt(wallet.clone(), Lot { units: pays, terms: free }));
    }
}
