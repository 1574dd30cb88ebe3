//! Enrolling a person: the member before its first entry.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Member, MemberId, Moment};

/// An enrolment: what the merchant sends about a new member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The merchant's own name for the member.
    pub id: MemberId,
    /// What the merchant says about the member: `birthday`, `city`.
    pub attributes: BTreeMap<String, String>,
    /// Tags that rules can ask for.
    pub tags: BTreeSet<String>,
    /// The referrer.
    pub referred_by: Option<MemberId>,
}

/// The member that the enrolment makes. It does not check that the name is free: the store does,
/// with the condition of its write.
#[must_use]
pub fn decide(enrolment: Enrolment, now: Moment) -> Member {
    let Enrolment { id, attributes, tags, referred_by } = enrolment;
    Member { attributes, referred_by, tags, ..Member::new(id, now) }
}
