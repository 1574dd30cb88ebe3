//! Whether the past, made again by the rules that judged it, is what was recorded.

use std::collections::BTreeSet;

use ledger::{Entry, MemberId, Seq};
use serde::Serialize;

use crate::past::{Past, Recorded};
use crate::play::Played;

/// The most differences that are named.
const NAMED_MAX: usize = 20;

/// The recorded past, and how much of it came out again.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Check {
    /// The members.
    pub members: u64,
    /// Whether there was a programme at all.
    pub is_judged: bool,
    /// The entries.
    pub entries: u64,
    /// The members of which something did not come out again.
    pub different: u64,
    /// The members that are not compared, since they shared something with one that was forgotten.
    pub incomplete: u64,
    /// The first of what did not, each of another member.
    pub differences: Vec<Different>,
}

/// Something recorded that did not come out again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Different {
    /// The member.
    pub member: MemberId,
    /// The number of its first entry that is otherwise.
    pub entry: Seq,
    /// What is otherwise.
    pub what: String,
}

impl Check {
    /// Compares a group with what came out.
    pub(crate) fn of(group: &[Past], played: &Played) -> Check {
        let members = group.len() as u64;
        let mut check = Check { members, is_judged: true, ..Check::default() };
        let there: BTreeSet<&MemberId> = group.iter().map(|past| &past.enrolled.id).collect();
        let others = group.iter().flat_map(|past| &past.entries).flat_map(Recorded::others);
        if others.into_iter().any(|other| !there.contains(other)) {
            return Check { members: 0, incomplete: check.members, ..check };
        }
        for (past, account) in group.iter().zip(&played.accounts) {
            check.entries += past.entries.len() as u64;
            let recorded = past.entries.iter().map(|recorded| &recorded.entry);
            let Some((entry, what)) = first_difference(recorded, &account.entries) else {
                continue;
            };
            let member = past.enrolled.id.clone();
            let own = played.unmade.iter().find(|unmade| unmade.member == member);
            let what = match own.filter(|unmade| unmade.entry <= entry) {
                Some(unmade) => unmade.why.to_string(),
                None => what.to_owned(),
            };
            check.different += 1;
            check.differences.push(Different { member, entry, what });
        }
        check
    }

    /// Adds what was found of other members.
    pub(crate) fn add(&mut self, other: Check) {
        self.members += other.members;
        self.is_judged |= other.is_judged;
        self.entries += other.entries;
        self.different += other.different;
        self.incomplete += other.incomplete;
        self.differences.extend(other.differences);
        self.differences.sort();
        self.differences.truncate(NAMED_MAX);
    }

    /// Whether everything came out again.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.different == 0
    }
}

/// The first entry that is otherwise, and what of it is.
fn first_difference<'e>(
    mut recorded: impl Iterator<Item = &'e Entry>,
    made: &[Entry],
) -> Option<(Seq, &'static str)> {
    let mut made = made.iter();
    loop {
        let (was, is) = match (recorded.next(), made.next()) {
            (None, None) => return None,
            (Some(was), None) => return Some((was.seq, "it was recorded, and does not come out")),
            (None, Some(is)) => return Some((is.seq, "it comes out, and was not recorded")),
            (Some(was), Some(is)) => (was, is),
        };
        if was != is {
            let what = match () {
                () if was.kind != is.kind => "it stands for something else",
                () if was.reasons != is.reasons => "the rules give something else",
                () if was.postings != is.postings => "other units move",
                () if was.tier != is.tier || was.tier_status != is.tier_status => {
                    "the tier is another one"
                }
                () if was.at != is.at => "it has another time",
                () => "something else changes",
            };
            return Some((was.seq, what));
        }
    }
}
