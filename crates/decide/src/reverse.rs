//! Reverse: an earlier entry is undone, in full or in part. The member is derived again from the
//! history without it.

use ledger::adjust::MoveRejection;
use ledger::entry::{Counterpart, EntryOf};
use ledger::reverse::ReverseRejection;
use ledger::{Decision, Entry, EntryKind, Member, MemberId, Units};

use crate::again::{Edit, ReversedPart, Undo, derive};
use crate::context::Context;
use crate::earn::with_referrals;
use crate::event::About;
use crate::referral::Referrals;
use crate::refusal::{Refusal, Undecided};

/// A request to undo an entry.
#[derive(Debug, Clone)]
pub struct Reversal {
    /// The entry, and what of it comes back.
    pub undo: Undo,
    /// The entry of the other member, if it moved units between two.
    pub other: Option<EntryOf>,
}

impl Reversal {
    /// A request to undo an entry, or a part of it. `about` is what is known of the order that it is
    /// about, if it is a delivery.
    #[must_use]
    pub fn of(entry: &Entry, part: Option<ReversedPart>, about: About) -> Reversal {
        let undo = Undo { part, about, ..Undo::of(entry) };
        let other = match &entry.kind {
            EntryKind::Transfer {
                with: Counterpart::To(to) | Counterpart::From(to),
                entry,
                ..
            } => Some(EntryOf { member: to.clone(), entry: *entry }),
            EntryKind::Reverse { other, .. } => other.clone(),
            _ => None,
        };
        Reversal { undo, other }
    }
}

/// Decides on a reversal. A referral that is undone with it is undone for the referrer, too, and a
/// transfer for both members.
///
/// # Errors
/// The entry cannot be reversed, or data is missing.
pub fn reverse(
    context: &Context<'_>,
    member: &Member,
    reversal: &Reversal,
) -> Result<Decision, Undecided> {
    let (mut decision, referrals) = reverse_alone(context, member, reversal)?;
    if let Some(EntryOf { member: id, entry }) = &reversal.other {
        let them = present(context, id)?;
        let (mut other, _) = derive(context, them, Edit::undone(Undo::number(*entry)))?;
        name_other(&mut other, member);
        if !decision.join(other) {
            return Err(MoveRejection::BothSidesAreOne(member.id.clone()).into());
        }
    }
    with_referrals(context, decision, referrals)
}

/// Decides on a reversal for one member alone. Also returns what follows for the referrer.
///
/// # Errors
/// As [`reverse`].
pub fn reverse_alone(
    context: &Context<'_>,
    member: &Member,
    reversal: &Reversal,
) -> Result<(Decision, Referrals), Undecided> {
    member.present()?;
    let Reversal { undo, other } = reversal;
    if undo.part == Some(ReversedPart::Units(Units::ZERO)) {
        return Err(ReverseRejection::UnitsAreZero.into());
    }
    let (mut decision, referrals) = derive(context, member, Edit::undone(undo.clone()))?;
    if let Some(EntryOf { member: id, .. }) = other {
        name_other(&mut decision, present(context, id)?);
    }
    Ok((decision, referrals))
}

/// The other member of a transfer.
fn present<'a>(context: &Context<'a>, id: &MemberId) -> Result<&'a Member, Undecided> {
    let found = context.data.member(id)?;
    let found = found.ok_or_else(|| Refusal::ReceiverIsUnknown(id.clone()))?;
    if found.erased_at.is_some() {
        return Err(ReverseRejection::OtherIsErased(id.clone()).into());
    }
    Ok(found)
}

/// Notes the entry that the other member gets.
fn name_other(decision: &mut Decision, them: &Member) {
    if let EntryKind::Reverse { other, .. } = &mut decision.entry.kind {
        *other = Some(EntryOf { member: them.id.clone(), entry: them.seq.next() });
    }
}
