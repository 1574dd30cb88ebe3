//! The data that a decision is made from beyond the member, and what it takes of it. Most decisions
//! need none, so it is loaded only when a decision says that it is missing.

use std::collections::BTreeMap;
use std::fmt;

use crate::apply_error::ApplyError;
use crate::shared_limit::{Codes, Remaining, SharedLimit, Withdrawal};
use crate::{Effect, Entry, Member, MemberId, Moment, Seq, Units};

/// What a decision has to know beyond the member, and has not been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingData {
    /// Whether a pot has so many units left.
    Remaining {
        /// Which pot.
        limit: SharedLimit,
        /// How many are wanted.
        units: Units,
    },
    /// So many codes that are still in a pool of codes.
    Codes {
        /// Which pool.
        pool: String,
        /// How many are wanted.
        codes: usize,
    },
    /// Another member: the one who brought this one, whose wallets this one shares, to whom it gives.
    Member(MemberId),
    /// A member as it was before an entry, and its entries from that one on.
    HistorySlice {
        /// Whose.
        member: MemberId,
        /// From which entry on.
        entry: Seq,
    },
}

impl fmt::Display for MissingData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissingData::Remaining { limit, units } => {
                write!(f, "whether {limit} has {units} left")
            }
            MissingData::Codes { pool, .. } => write!(f, "which codes of `{pool}` are left"),
            MissingData::Member(member) => write!(f, "the member `{member}`"),
            MissingData::HistorySlice { member, entry } => {
                write!(f, "the entries of `{member}` from {entry} on")
            }
        }
    }
}

/// What a decision has been told beyond the member. Most need nothing of it, so it is loaded only
/// when a decision says that it lacks something.
#[derive(Debug, Clone, Default)]
pub struct DecisionData {
    /// What is left in pots.
    pub left: BTreeMap<SharedLimit, Remaining>,
    /// What is left in pools of codes.
    pub codes: BTreeMap<String, Codes>,
    /// Other members, where there are members of those names.
    pub members: BTreeMap<MemberId, Option<Member>>,
    /// What was before.
    pub pasts: BTreeMap<MemberId, HistorySlice>,
    /// When somebody has to look at the member, as it was put down last.
    pub due_at: Option<Moment>,
    /// What another decision of the same request takes of it.
    pub taken: Allocations,
}

/// A member as it was, and what has happened since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistorySlice {
    /// As it was before the first of the entries.
    pub before: Member,
    /// The entries, the oldest first.
    pub entries: Vec<Entry>,
}

impl HistorySlice {
    /// The same from a later entry on: the member as it was before that one.
    ///
    /// # Errors
    /// The entries do not add up.
    pub fn from(&self, entry: Seq) -> Result<HistorySlice, ApplyError> {
        let mut before = self.before.clone();
        let mut entries = Vec::new();
        for one in &self.entries {
            if one.seq < entry {
                before.apply(one)?;
            } else {
                entries.push(one.clone());
            }
        }
        Ok(HistorySlice { before, entries })
    }
}

/// What decisions take of supplies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocations {
    units: BTreeMap<SharedLimit, Units>,
    /// How many codes of each pool, in the order in which they were told.
    codes: BTreeMap<String, usize>,
}

impl Allocations {
    /// What one entry takes; another member's entry of the same request is not looked at.
    #[must_use]
    pub fn of(entry: &Entry) -> Allocations {
        let mut taken = Allocations::default();
        for withdraw in &entry.withdrawals {
            taken.units.insert(withdraw.limit.clone(), withdraw.units);
        }
        for reason in &entry.reasons {
            if let Effect::Voucher { pool, .. } = &reason.effect {
                *taken.codes.entry(pool.clone()).or_default() += 1;
            }
        }
        taken
    }

    fn units(&self, limit: &SharedLimit) -> Units {
        self.units.get(limit).copied().unwrap_or_default()
    }

    fn codes(&self, pool: &str) -> usize {
        self.codes.get(pool).copied().unwrap_or_default()
    }
}

impl DecisionData {
    /// Another member; nothing if there is none of that name.
    ///
    /// # Errors
    /// It has not been told.
    pub fn member(&self, id: &MemberId) -> Result<Option<&Member>, MissingData> {
        let told = self.members.get(id).ok_or_else(|| MissingData::Member(id.clone()))?;
        Ok(told.as_ref())
    }

    /// The account whose wallets a member shares; nothing if it shares none.
    ///
    /// # Errors
    /// It has not been told.
    pub fn account(&self, member: &Member) -> Result<Option<&Member>, MissingData> {
        Ok(member.account.as_ref().map(|account| self.member(account)).transpose()?.flatten())
    }

    /// A member as it was before an entry or earlier, and its entries from then on, up to its last.
    ///
    /// # Errors
    /// It has not been told, or not up to the last.
    pub fn past(&self, member: &Member, entry: Seq) -> Result<&HistorySlice, MissingData> {
        let told = self.pasts.get(&member.id).filter(|past| {
            let last = past.entries.last().map_or(past.before.seq, |last| last.seq);
            past.before.seq < entry && last == member.seq
        });
        told.ok_or_else(|| MissingData::HistorySlice { member: member.id.clone(), entry })
    }

    /// The supplies of a decision that is made together with another one: what they take, they take
    /// from the same.
    #[must_use]
    pub fn beside(&self, other: &Entry) -> DecisionData {
        DecisionData { taken: Allocations::of(other), ..self.clone() }
    }

    /// What is left when an entry has taken what it takes.
    #[must_use]
    pub fn after(mut self, entry: &Entry) -> DecisionData {
        let taken = Allocations::of(entry);
        for (limit, left) in &mut self.left {
            left.units = left.units.checked_sub(taken.units(limit)).unwrap_or_default();
        }
        for (pool, left) in &mut self.codes {
            left.codes.drain(..taken.codes(pool).min(left.codes.len()));
        }
        self
    }
}

/// The supplies of one decision, and what it has taken from them so far.
#[derive(Debug)]
pub struct Allocator<'a> {
    data: &'a DecisionData,
    taken: Allocations,
    /// What the same decision puts back.
    back: BTreeMap<SharedLimit, Units>,
    /// What had not enough left.
    pub exhausted: Vec<SharedLimit>,
}

impl<'a> Allocator<'a> {
    /// A till with nothing taken yet.
    #[must_use]
    pub fn new(data: &'a DecisionData) -> Allocator<'a> {
        Allocator {
            data,
            taken: Allocations::default(),
            back: BTreeMap::new(),
            exhausted: Vec::new(),
        }
    }

    /// Says that the same decision puts something back, so that it can be taken.
    pub fn expect_back(&mut self, limit: SharedLimit, units: Units) {
        let back = self.back.entry(limit).or_default();
        *back = back.checked_add(units).unwrap_or(*back);
    }

    /// What has been taken so far, to come back to.
    #[must_use]
    pub fn taken(&self) -> Allocations {
        self.taken.clone()
    }

    /// Puts back what was taken since.
    pub fn put_back(&mut self, before: Allocations) {
        self.taken = before;
    }

    /// What has been drawn from pots.
    #[must_use]
    pub fn withdrawals(&self) -> Vec<Withdrawal> {
        let withdraw = |(limit, units): (&SharedLimit, &Units)| Withdrawal {
            limit: limit.clone(),
            units: *units,
        };
        self.taken.units.iter().map(withdraw).collect()
    }

    /// Takes units from a pot, all or none: whether there were enough.
    ///
    /// # Errors
    /// What is left in the pot has not been told.
    pub fn withdraw(&mut self, limit: &SharedLimit, units: Units) -> Result<bool, MissingData> {
        if units.is_zero() {
            return Ok(true);
        }
        let own = self.taken.units(limit).checked_add(units);
        let all = own.and_then(|own| own.checked_add(self.data.taken.units(limit)));
        let (Some(own), Some(all)) = (own, all) else { return Ok(false) };
        let missing = || MissingData::Remaining { limit: limit.clone(), units: all };
        let left = self.data.left.get(limit).ok_or_else(missing)?;
        let back = self.back.get(limit).copied().unwrap_or_default();
        if all.checked_sub(back).unwrap_or_default() > left.units {
            if !left.is_all {
                return Err(missing());
            }
            if !self.exhausted.contains(limit) {
                self.exhausted.push(limit.clone());
            }
            return Ok(false);
        }
        self.taken.units.insert(limit.clone(), own);
        Ok(true)
    }

    /// Takes a code from a pool of codes; nothing if it is empty.
    ///
    /// # Errors
    /// What is in the pool has not been told.
    pub fn code(&mut self, pool: &str) -> Result<Option<String>, MissingData> {
        let own = self.taken.codes(pool);
        let place = self.data.taken.codes(pool) + own;
        let told = self.data.codes.get(pool);
        match told.and_then(|told| told.codes.get(place)) {
            Some(code) => {
                self.taken.codes.insert(pool.to_owned(), own + 1);
                Ok(Some(code.clone()))
            }
            None if told.is_some_and(|told| told.is_all) => Ok(None),
            None => Err(MissingData::Codes { pool: pool.to_owned(), codes: place + 1 }),
        }
    }

    /// Another member; nothing if there is none of that name.
    ///
    /// # Errors
    /// It has not been told.
    pub fn member(&self, id: &MemberId) -> Result<Option<&'a Member>, MissingData> {
        self.data.member(id)
    }
}
