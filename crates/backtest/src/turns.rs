//! The turns of a group: what happened to its members, in the order of time.

use std::collections::BTreeMap;

use ledger::entry::Counterpart;
use ledger::{Effect, Entry, EntryKind, MemberId, Moment, Seq};

use crate::past::{Origin, Past};

/// An entry of a group: the place of its member in the group, and its place among the member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) at: Moment,
    pub(crate) member: usize,
    pub(crate) entry: usize,
}

/// The turns of a group, first to last, of those entries that are played. Entries of the same moment
/// keep the order that their numbers tell: an entry that another one follows from comes after all that
/// came before that one.
pub(crate) fn turns(
    group: &[Past],
    links: &Links,
    is_played: impl Fn(Origin) -> bool,
) -> Vec<Turn> {
    let mut turns = Vec::new();
    for (member, past) in group.iter().enumerate() {
        // Clocks of instances differ by a second, and the numbers say what came first.
        let mut at = past.enrolled.enrolled_at;
        for (entry, recorded) in past.entries.iter().enumerate() {
            at = at.max(recorded.entry.at);
            if is_played(recorded.origin()) {
                turns.push(Turn { at, member, entry });
            }
        }
    }
    turns.sort_by_key(|turn| (turn.at, turn.member, turn.entry));
    if group.len() < 2 {
        return turns;
    }
    let mut order =
        Order { group, links, unknown: links.unknown(group), been: vec![0; group.len()] };
    let mut sorted = Vec::with_capacity(turns.len());
    for same in turns.chunk_by(|one, other| one.at == other.at) {
        let mut left: Vec<Turn> = same.to_vec();
        while !left.is_empty() {
            // If the clocks of two instances contradict each other, the first is the first.
            let next = left.iter().position(|turn| order.is_next(*turn)).unwrap_or_default();
            let turn = left.remove(next);
            order.take(turn);
            sorted.push(turn);
        }
    }
    sorted
}

/// How many entries of each member came before one that is played.
pub(crate) fn before(group: &[Past], links: &Links, place: Place) -> Vec<usize> {
    let mut order =
        Order { group, links, unknown: links.unknown(group), been: vec![0; group.len()] };
    for turn in turns(group, links, |origin| origin != Origin::Follows) {
        if (turn.member, turn.entry) == place {
            break;
        }
        order.take(turn);
    }
    order.been
}

/// Which entry of which member.
pub(crate) type Place = (usize, usize);

/// Which entries of a group follow from which.
pub(crate) struct Links {
    /// The entries that follow from an entry.
    follow: BTreeMap<Place, Vec<Place>>,
    /// Whether it is known which entry an entry follows from.
    is_known: Vec<Vec<bool>>,
}

impl Links {
    pub(crate) fn of(group: &[Past]) -> Links {
        let places: BTreeMap<&MemberId, usize> =
            group.iter().enumerate().map(|(place, past)| (&past.enrolled.id, place)).collect();
        let place = |id: &MemberId, entry: Seq| -> Option<Place> {
            let entry = usize::try_from(entry.get()).ok()?.checked_sub(1)?;
            Some((*places.get(id)?, entry))
        };
        let mut follow: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        let mut is_known: Vec<Vec<bool>> =
            group.iter().map(|past| vec![false; past.entries.len()]).collect();
        for (member, past) in group.iter().enumerate() {
            for (number, recorded) in past.entries.iter().enumerate() {
                let own = (member, number);
                let from = match &recorded.entry.kind {
                    EntryKind::Share { by, entry, .. } => place(by, *entry),
                    EntryKind::Transfer { with: Counterpart::From(by), entry, .. } => {
                        place(by, *entry)
                    }
                    EntryKind::Reverse { other: Some(by), .. } if !recorded.asked => {
                        place(&by.member, by.entry)
                    }
                    _ => None,
                };
                let brought =
                    recorded.entry.all_reasons().filter_map(|reason| match &reason.effect {
                        Effect::Referral { referrer, entry } => place(referrer, *entry),
                        _ => None,
                    });
                let pairs = from.map(|from| (from, own)).into_iter();
                for (from, to) in pairs.chain(brought.map(|to| (own, to))) {
                    follow.entry(from).or_default().push(to);
                    let known = is_known.get_mut(to.0).and_then(|own| own.get_mut(to.1));
                    if let Some(known) = known {
                        *known = true;
                    }
                }
            }
        }
        Links { follow: through(&follow), is_known }
    }

    /// The entries that follow from the one of a turn, with their members.
    pub(crate) fn follow<'g>(
        &self,
        group: &'g [Past],
        turn: Turn,
    ) -> Vec<(&'g MemberId, &'g Entry)> {
        let follow = self.follow.get(&(turn.member, turn.entry)).into_iter().flatten();
        let entry = |(member, entry): &Place| {
            let past = group.get(*member)?;
            Some((&past.enrolled.id, &past.entries.get(*entry)?.entry))
        };
        follow.filter_map(entry).collect()
    }

    /// The entries that follow from one.
    pub(crate) fn followers(&self, from: Place) -> impl Iterator<Item = Place> {
        self.follow.get(&from).into_iter().flatten().copied()
    }

    /// The entries that another one follows from, as far as they are known.
    pub(crate) fn from(&self, place: Place) -> impl Iterator<Item = Place> {
        let from = self.follow.iter().filter(move |(_, follow)| follow.contains(&place));
        from.map(|(from, _)| *from)
    }

    /// The members with entries of which nobody says what they follow from.
    fn unknown(&self, group: &[Past]) -> Vec<usize> {
        let is_unknown = |(past, is_known): &(&Past, &Vec<bool>)| {
            let mut entries = past.entries.iter().zip(*is_known);
            entries.any(|(one, is_known)| one.origin() == Origin::Follows && !is_known)
        };
        let members = group.iter().zip(&self.is_known).enumerate();
        members.filter(|(_, pair)| is_unknown(pair)).map(|(place, _)| place).collect()
    }
}

/// With each entry all that follow from it, also through others: what comes to a member may move units
/// of an account.
fn through(direct: &BTreeMap<Place, Vec<Place>>) -> BTreeMap<Place, Vec<Place>> {
    let all = |from: &Place| {
        let mut found: Vec<Place> = Vec::new();
        let mut left: Vec<Place> = vec![*from];
        while let Some(next) = left.pop() {
            for to in direct.get(&next).into_iter().flatten().filter(|to| *to != from) {
                if !found.contains(to) {
                    found.push(*to);
                    left.push(*to);
                }
            }
        }
        (*from, found)
    };
    direct.keys().map(all).collect()
}

/// Which entries of a group have had their turn.
struct Order<'g> {
    group: &'g [Past],
    links: &'g Links,
    /// The members with entries of which nobody says what they follow from, such as a referral that is
    /// taken back.
    unknown: Vec<usize>,
    /// How many entries of each member have been.
    been: Vec<usize>,
}

impl Order<'_> {
    /// Whether everything has been that came before an entry, and before those that follow from it.
    fn is_next(&self, turn: Turn) -> bool {
        let has_come =
            |(member, entry): Place| self.been.get(member).is_none_or(|been| *been >= entry);
        let own = (turn.member, turn.entry);
        has_come(own) && self.links.follow.get(&own).into_iter().flatten().all(|to| has_come(*to))
    }

    /// Notes that an entry has had its turn, and what follows from it.
    fn take(&mut self, turn: Turn) {
        let own = (turn.member, turn.entry);
        let follow = self.links.follow.get(&own).cloned().unwrap_or_default();
        for (member, entry) in follow.into_iter().chain([own]) {
            if let Some(been) = self.been.get_mut(member) {
                *been = (*been).max(entry + 1);
            }
        }
        for member in &self.unknown {
            let (Some(past), Some(been), Some(is_known)) = (
                self.group.get(*member),
                self.been.get_mut(*member),
                self.links.is_known.get(*member),
            ) else {
                continue;
            };
            let rest = past.entries.iter().zip(is_known).skip(*been);
            let follows = rest.take_while(|(recorded, is_known)| {
                recorded.origin() == Origin::Follows && !**is_known && recorded.entry.at <= turn.at
            });
            *been += follows.count();
        }
    }
}
