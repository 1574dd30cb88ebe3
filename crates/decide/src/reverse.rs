//! Reverse: an earlier entry is undone, in full or in part. The member is derived again from the
//! history without it.

use std::collections::BTreeSet;

use ledger::adjust::MoveRejection;
use ledger::entry::{Counterpart, EntryOf};
use ledger::reverse::ReverseRejection;
use ledger::{Decision, Entry, EntryKind, Member, MemberId, Moment, Seq, Units};

use crate::again::{Edit, ReversedPart, Undo, derive};
use crate::context::Context;
use crate::earn::with_referrals;
use crate::event::About;
use crate::referral::Referrals;
use crate::refusal::{Refusal, Undecided};

/// A request to undo an entry.
#[derive(Debug, Clone)]
pub struct Reversal {
    /// The seq of the entry.
    pub entry: Seq,
    /// When it happened.
    pub at: Moment,
    /// The part that comes back; nothing to undo everything that is left of it.
    pub part: Option<ReversedPart>,
    /// What is known of the order that the entry is about, if it is a delivery.
    pub about: About,
    /// The entry of the other member, if it moved units between two.
    pub other: Option<EntryOf>,
}

impl Reversal {
    /// A request to undo all that is left of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Reversal {
        let other = match &entry.kind {
            EntryKind::Transfer {
                with: Counterpart::To(to) | Counterpart::From(to),
                entry,
                ..
            } => Some(EntryOf { member: to.clone(), entry: *entry }),
            EntryKind::Reverse { other, .. } => other.clone(),
            _ => None,
        };
        let (entry, at) = (entry.seq, entry.happened_at());
        Reversal { entry, at, part: None, about: About::Nothing, other }
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
        let (mut other, _) =
            derive(context, them, Edit { told: Vec::new(), undone: vec![Undo::all(*entry)] })?;
        name_other(&mut other, member);
        if !ids(&decision).is_disjoint(&ids(&other)) {
            return Err(MoveRejection::BothSidesAreOne(member.id.clone()).into());
        }
        decision.others.append(&mut other.others);
        decision.others.push(other);
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
    let Reversal { entry, at, part, about, other } = reversal.clone();
    if part == Some(ReversedPart::Units(Units::ZERO)) {
        return Err(ReverseRejection::UnitsAreZero.into());
    }
    let undo = Undo { entry, at: Some(at), part, about };
    let (mut decision, referrals) =
        derive(context, member, Edit { told: Vec::new(), undone: vec![undo] })?;
    if let Some(EntryOf { member: id, .. }) = &other {
        name_other(&mut decision, present(context, id)?);
    }
    Ok((decision, referrals))
}

/// The other member of a transfer.
fn present<'a>(context: &Context<'a>, id: &MemberId) -> Result<&'a Member, Undecided> {
    let found = context.data.member(id)?;
    let found = found.ok_or_else(|| Refusal::ReceiverIsUnknown(id.clone()))?;
    if found.erased_at.is_some() {
        return Err(MoveRejection::ReceiverIsErased(id.clone()).into());
    }
    Ok(found)
}

/// Notes the entry that the other member gets.
fn name_other(decision: &mut Decision, them: &Member) {
    if let EntryKind::Reverse { other, .. } = &mut decision.entry.kind {
        *other = Some(EntryOf { member: them.id.clone(), entry: them.seq.next() });
    }
}

/// The members that a decision changes.
fn ids(decision: &Decision) -> BTreeSet<MemberId> {
    let others = decision.others.iter().map(|other| other.member.id.clone());
    others.chain([decision.member.id.clone()]).collect()
}
