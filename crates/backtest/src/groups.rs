//! Groups: members that share something, and so have to be played together, in the order of time.

use std::collections::BTreeMap;

use ledger::MemberId;

/// Which members belong together. A member that is linked to nobody is a group of its own.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    places: BTreeMap<MemberId, usize>,
    parents: Vec<usize>,
}

impl Groups {
    /// Notes that two members share something.
    pub fn link(&mut self, one: &MemberId, other: &MemberId) {
        let (one, other) = (self.place(one), self.place(other));
        let (one, other) = (self.root(one), self.root(other));
        // The member that was first known stands for its group.
        if let Some(parent) = self.parents.get_mut(one.max(other)) {
            *parent = one.min(other);
        }
    }

    fn place(&mut self, member: &MemberId) -> usize {
        let next = self.parents.len();
        let place = *self.places.entry(member.clone()).or_insert(next);
        if place == next {
            self.parents.push(next);
        }
        place
    }

    fn root(&self, mut place: usize) -> usize {
        while let Some(parent) = self.parents.get(place).filter(|parent| **parent != place) {
            place = *parent;
        }
        place
    }

    /// What stands for the group of a member; `None` if it is linked to nobody.
    #[must_use]
    pub fn of(&self, member: &MemberId) -> Option<usize> {
        self.places.get(member).map(|place| self.root(*place))
    }
}
