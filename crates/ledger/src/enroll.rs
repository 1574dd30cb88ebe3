use std::collections::{BTreeMap, BTreeSet};

use crate::{Member, MemberId, Moment};

/// A person who wants to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The merchant's own name for the person.
    pub id: MemberId,
    /// What the merchant tells of the person.
    pub attributes: BTreeMap<String, String>,
    /// Marks that rules can ask for.
    pub tags: BTreeSet<String>,
    /// The member who brought the person.
    pub referred_by: Option<MemberId>,
}

/// The member that the enrolment makes. Whether there is one of that name already is for the
/// store's condition to say, since only it can know.
#[must_use]
pub fn decide(enrolment: Enrolment, now: Moment) -> Member {
    let Enrolment { id, attributes, tags, referred_by } = enrolment;
    Member { attributes, referred_by, tags, ..Member::new(id, now) }
}
