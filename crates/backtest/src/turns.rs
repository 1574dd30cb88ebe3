//! The turns of a group: what happened to its members, in the order of time.

use ledger::{Effect, EntryKind, MemberId, Moment, Seq};

use crate::past::{Origin, Past};

/// An entry of a group: the place of its member in the group, and its place among the member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) at: Moment,
    pub(crate) member: usize,
    pub(crate) entry: usize,
}

/// The turns of a group, first to last, of those entries that are played. Entries of the same moment
/// keep the order that their numbers tell: an entry that another one follows from comes before all that
/// came after that one.
pub(crate) fn turns(group: &[Past], is_played: impl Fn(Origin) -> bool) -> Vec<Turn> {
    let mut turns = Vec::new();
    for (member, past) in group.iter().enumerate() {
        for (entry, recorded) in past.entries.iter().enumerate() {
            if is_played(recorded.origin()) {
                turns.push(Turn { at: recorded.entry.at, member, entry });
            }
        }
    }
    turns.sort_by_key(|turn| (turn.at, turn.member, turn.entry));
    if group.len() < 2 {
        return turns;
    }
    let mut sorted = Vec::with_capacity(turns.len());
    // How many entries of each member have been, with those that follow from others.
    let mut been = vec![0; group.len()];
    for same in turns.chunk_by(|one, other| one.at == other.at) {
        let mut left: Vec<Turn> = same.to_vec();
        while !left.is_empty() {
            let is_next = |turn: &&Turn| follows_all(group, &been, **turn);
            // If the clocks of two instances contradict each other, the first is the first.
            let next = left.iter().position(|turn| is_next(&turn)).unwrap_or_default();
            let turn = left.remove(next);
            if let Some(count) = been.get_mut(turn.member) {
                *count = turn.entry + 1;
            }
            for (past, been) in group.iter().zip(&mut been) {
                let rest = past.entries.iter().skip(*been);
                let followed = rest.take_while(|recorded| {
                    recorded.origin() == Origin::Follows && recorded.entry.at <= turn.at
                });
                *been += followed.count();
            }
            sorted.push(turn);
        }
    }
    sorted
}

/// Whether everything has been that came before an entry, and before those that follow from it.
fn follows_all(group: &[Past], been: &[usize], turn: Turn) -> bool {
    let own = been.get(turn.member).is_some_and(|been| *been >= turn.entry);
    let recorded = group.get(turn.member).and_then(|past| past.entries.get(turn.entry));
    let Some(recorded) = recorded else { return own };
    let entry = &recorded.entry;
    let referrals = entry.all_reasons().filter_map(|reason| match &reason.effect {
        Effect::Referral { referrer, entry } => Some((referrer, *entry)),
        _ => None,
    });
    let account = entry.account.iter().map(|of| (&of.account, of.entry));
    let other: Option<(&MemberId, Seq)> = match &entry.kind {
        EntryKind::Transfer { with, entry, .. } => match with {
            ledger::entry::Counterpart::To(to) => Some((to, *entry)),
            ledger::entry::Counterpart::From(_) => None,
        },
        EntryKind::Reverse { other: Some(other), .. } => Some((&other.member, other.entry)),
        _ => None,
    };
    let mut others = referrals.chain(account).chain(other);
    own && others.all(|(id, entry)| {
        let place = group.iter().position(|past| past.enrolled.id == *id);
        let been = place.and_then(|place| been.get(place)).copied();
        let before = usize::try_from(entry.get()).unwrap_or(usize::MAX).saturating_sub(1);
        been.is_none_or(|been| been >= before)
    })
}
