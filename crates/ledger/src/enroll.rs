use std::collections::{BTreeMap, BTreeSet};

use crate::member::History;
use crate::tier::Standing;
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
    Member {
        id: enrolment.id,
        version: 0,
        enrolled_at: now,
        settled_at: now,
        attributes: enrolment.attributes,
        referred_by: enrolment.referred_by,
        tags: enrolment.tags,
        standing: Standing::default(),
        history: History::default(),
        wallets: BTreeMap::new(),
        grants: BTreeMap::new(),
        tasks: BTreeMap::new(),
        scores: BTreeMap::new(),
        counters: BTreeMap::new(),
    }
}
