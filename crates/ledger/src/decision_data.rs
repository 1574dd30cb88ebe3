//! Decision data: what a decision needs beyond the member, and what it takes from that. Most
//! decisions need none, so it is loaded only when a decision returns that it is missing.

use std::collections::BTreeMap;
use std::fmt;

use crate::shared_limit::{Codes, Remaining, SharedLimit, Withdrawal};
use crate::{ApplyError, Effect, Entry, EntryKind, Member, MemberId, Moment, Seq, Units};

/// The data that a decision needs and that has not been loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingData {
    /// Whether a shared limit has enough units left.
    Remaining {
        /// The shared limit.
        limit: SharedLimit,
        /// The number of units wanted.
        units: Units,
    },
    /// Free codes of a pool.
    Codes {
        /// The pool.
        pool: String,
        /// The number of codes wanted.
        codes: usize,
    },
    /// Another member: a referrer, an account, or the other side of a transfer.
    Member(MemberId),
    /// A member before an entry, and its entries from that one on.
    HistorySlice {
        /// The member.
        member: MemberId,
        /// The number of the first entry.
        entry: Seq,
    },
    /// A member before a moment, and all its entries that stand for something since.
    HistorySince {
        /// The member.
        member: MemberId,
        /// From when on.
        since: Since,
    },
    /// A member as it was at a moment.
    MemberThen(Then),
    /// The rules of these hashes, by which earlier entries were judged.
    Rules(Vec<String>),
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
            MissingData::HistorySince { member, since } => {
                write!(f, "the entries of `{member}` since {}", since.moment)
            }
            MissingData::MemberThen(then) => write!(f, "`{}` as of {}", then.member, then.at),
            MissingData::Rules(hashes) => write!(f, "the rules {}", hashes.join(", ")),
        }
    }
}

/// A member as it was at a moment. Its last entry is part of the question: what has been told since
/// could make another member of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Then {
    /// The member.
    pub member: MemberId,
    /// The moment.
    pub at: Moment,
    /// Its last entry.
    pub newest: Seq,
}

/// The data loaded for a decision beyond the member.
#[derive(Debug, Clone, Default)]
pub struct DecisionData {
    /// What is left of shared limits.
    pub left: BTreeMap<SharedLimit, Remaining>,
    /// The free codes of pools.
    pub codes: BTreeMap<String, Codes>,
    /// Other members by name; `None` if there is no member of that name.
    pub members: BTreeMap<MemberId, Option<Member>>,
    /// Slices of members' histories.
    pub slices: BTreeMap<MemberId, HistorySlice>,
    /// Members as they were at a moment.
    pub then: BTreeMap<Then, Member>,
    /// The member's due date as stored.
    pub due_at: Option<Moment>,
    /// What another decision of the same request takes from this data.
    pub taken: Allocations,
}

/// Where a part of a history begins: at a moment, and not after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The moment.
    pub moment: Moment,
    /// The entry, if there is one that has to be in the part.
    pub entry: Option<Seq>,
}

impl Since {
    /// Whatever has happened since a moment.
    #[must_use]
    pub fn moment(moment: Moment) -> Since {
        Since { moment, entry: None }
    }

    /// The earlier of both beginnings.
    #[must_use]
    pub fn or(self, other: Since) -> Since {
        let entry = match (self.entry, other.entry) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Since { moment: self.moment.min(other.moment), entry }
    }

    /// The beginning that an entry makes necessary: what it stands for, or what it undoes or judges
    /// again.
    #[must_use]
    pub fn with(self, entry: &Entry) -> Since {
        let rejudged = entry.rejudges().iter().copied();
        let earlier = Since { entry: entry.undoes().chain(rejudged).min(), ..self };
        match &entry.kind {
            EntryKind::Reverse { .. } | EntryKind::Rejudge { .. } => self.or(earlier),
            _ => self.or(earlier).or(Since::moment(entry.happened_at())),
        }
    }

    /// Whether a history can begin after a member's last entry.
    #[must_use]
    pub fn is_after(self, member: &Member) -> bool {
        let is_after = |entry: Seq| member.seq < entry;
        member.happened_at <= self.moment && self.entry.is_none_or(is_after)
    }
}

/// A slice of a member's history: the member before an entry, and the entries from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistorySlice {
    /// The member before the first of the entries.
    pub before: Member,
    /// The entries, the oldest first.
    pub entries: Vec<Entry>,
    /// The hash of the rules that each entry was decided by.
    pub rules: Vec<String>,
}

impl HistorySlice {
    /// Whether everything that has happened since then is in the slice, and with it everything
    /// that an entry of the slice undoes or judges again: so that the member before it depends on
    /// nothing of it.
    #[must_use]
    pub fn reaches(&self, since: Since) -> bool {
        let since = self.entries.iter().fold(since, Since::with);
        self.before.seq == Seq::ENROLLED || since.is_after(&self.before)
    }

    fn last(&self) -> Seq {
        self.entries.last().map_or(self.before.seq, |last| last.seq)
    }
}

/// What decisions take from decision data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocations {
    units: BTreeMap<SharedLimit, Units>,
    /// The number of codes of each pool, taken in the order in which they were loaded.
    codes: BTreeMap<String, usize>,
}

impl Allocations {
    /// What one entry takes, without the entries of other members in the same request.
    #[must_use]
    pub fn of(entry: &Entry) -> Allocations {
        let mut taken = Allocations::default();
        for withdraw in &entry.withdrawals {
            taken.units.insert(withdraw.limit.clone(), withdraw.units);
        }
        for reason in entry.all_reasons() {
            if let Effect::Voucher { pool, again: false, .. } = &reason.effect {
                *taken.codes.entry(pool.clone()).or_default() += 1;
            }
        }
        taken
    }

    /// Adds what another decision takes.
    ///
    /// # Errors
    /// It is more than can be counted.
    pub fn add(&mut self, other: &Allocations) -> Result<(), ApplyError> {
        for (limit, more) in &other.units {
            let units = self.units.entry(limit.clone()).or_default();
            let sum = units.checked_add(*more);
            *units = sum.ok_or_else(|| ApplyError::too_much("the shared limit"))?;
        }
        for (pool, more) in &other.codes {
            *self.codes.entry(pool.clone()).or_default() += more;
        }
        Ok(())
    }

    /// What is taken from shared limits.
    #[must_use]
    pub fn withdrawals(&self) -> Vec<Withdrawal> {
        let withdraw = |(limit, units): (&SharedLimit, &Units)| Withdrawal {
            limit: limit.clone(),
            units: *units,
        };
        self.units.iter().map(withdraw).collect()
    }

    fn units(&self, limit: &SharedLimit) -> Units {
        self.units.get(limit).copied().unwrap_or_default()
    }

    fn codes(&self, pool: &str) -> usize {
        self.codes.get(pool).copied().unwrap_or_default()
    }
}

impl DecisionData {
    /// Another member; `None` if there is none of that name.
    ///
    /// # Errors
    /// It has not been loaded.
    pub fn member(&self, id: &MemberId) -> Result<Option<&Member>, MissingData> {
        let loaded = self.members.get(id).ok_or_else(|| MissingData::Member(id.clone()))?;
        Ok(loaded.as_ref())
    }

    /// The account whose wallets a member shares; `None` if it shares none.
    ///
    /// # Errors
    /// It has not been loaded.
    pub fn account(&self, member: &Member) -> Result<Option<&Member>, MissingData> {
        Ok(member.account.as_ref().map(|account| self.member(account)).transpose()?.flatten())
    }

    /// The moment of a decision for a member: the clock's, or that of what happened last to one of
    /// those concerned. The clock of another instance may be ahead, and nobody's time goes back.
    #[must_use]
    pub fn moment(&self, member: &Member, clock: Moment) -> Moment {
        let others = self.members.values().flatten();
        others.chain([member]).map(|one| one.happened_at).fold(clock, Moment::max)
    }

    /// A slice of a member's history, from an entry or earlier on, up to the member's last entry.
    ///
    /// # Errors
    /// It has not been loaded, or does not end at the last entry.
    pub fn slice(&self, member: &Member, entry: Seq) -> Result<&HistorySlice, MissingData> {
        let loaded = self.slices.get(&member.id);
        let loaded = loaded.filter(|slice| slice.before.seq < entry && slice.last() == member.seq);
        loaded.ok_or_else(|| MissingData::HistorySlice { member: member.id.clone(), entry })
    }

    /// A slice of a member's history that reaches back so far (see [`HistorySlice::reaches`]), up
    /// to the member's last entry.
    ///
    /// # Errors
    /// It has not been loaded, or does not end at the last entry.
    pub fn slice_since(&self, member: &Member, since: Since) -> Result<&HistorySlice, MissingData> {
        let loaded = self.slices.get(&member.id);
        let loaded = loaded.filter(|slice| slice.reaches(since) && slice.last() == member.seq);
        loaded.ok_or_else(|| MissingData::HistorySince { member: member.id.clone(), since })
    }

    /// A member as it was at a moment, by what had been told with an entry.
    ///
    /// # Errors
    /// It has not been loaded.
    pub fn member_then(
        &self,
        member: &MemberId,
        at: Moment,
        newest: Seq,
    ) -> Result<&Member, MissingData> {
        let then = Then { member: member.clone(), at, newest };
        self.then.get(&then).ok_or(MissingData::MemberThen(then))
    }

    /// The data for another decision of the same request, which takes from the same limits and
    /// pools as `other`.
    #[must_use]
    pub fn beside(&self, other: &Entry) -> DecisionData {
        DecisionData { taken: Allocations::of(other), ..self.clone() }
    }

    /// The data after an entry has taken from it.
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

/// The allocator of one decision: its data, and what it has taken from that so far.
#[derive(Debug)]
pub struct Allocator<'a> {
    data: &'a DecisionData,
    taken: Allocations,
    /// What the same decision puts back.
    back: BTreeMap<SharedLimit, i64>,
    /// The shared limits that did not have enough left.
    pub exhausted: Vec<SharedLimit>,
}

impl<'a> Allocator<'a> {
    /// An allocator that has taken nothing yet.
    #[must_use]
    pub fn new(data: &'a DecisionData) -> Allocator<'a> {
        Allocator {
            data,
            taken: Allocations::default(),
            back: BTreeMap::new(),
            exhausted: Vec::new(),
        }
    }

    /// Announces a piece that the same decision puts back, so that it can be taken.
    pub fn expect_back(&mut self, limit: SharedLimit) {
        *self.back.entry(limit).or_default() += 1;
    }

    /// What has been taken so far, to restore with [`Allocator::put_back`].
    #[must_use]
    pub fn taken(&self) -> Allocations {
        self.taken.clone()
    }

    /// Puts back what was taken since `before`.
    pub fn put_back(&mut self, before: Allocations) {
        self.taken = before;
    }

    /// The withdrawals from shared limits so far.
    #[must_use]
    pub fn withdrawals(&self) -> Vec<Withdrawal> {
        self.taken.withdrawals()
    }

    /// Takes units from a shared limit, all or none. Returns whether there were enough.
    ///
    /// # Errors
    /// Too little of the limit has been loaded to tell.
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
        if all.get() - back > left.units.get() {
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

    /// Takes a code from a pool; `None` if the pool is empty.
    ///
    /// # Errors
    /// Not enough codes of the pool have been loaded.
    pub fn code(&mut self, pool: &str) -> Result<Option<String>, MissingData> {
        let own = self.taken.codes(pool);
        let place = self.data.taken.codes(pool) + own;
        let loaded = self.data.codes.get(pool);
        match loaded.and_then(|pool| pool.codes.get(place)) {
            Some(code) => {
                self.taken.codes.insert(pool.to_owned(), own + 1);
                Ok(Some(code.clone()))
            }
            None if loaded.is_some_and(|pool| pool.is_all) => Ok(None),
            None => Err(MissingData::Codes { pool: pool.to_owned(), codes: place + 1 }),
        }
    }

    /// Another member; `None` if there is none of that name.
    ///
    /// # Errors
    /// It has not been loaded.
    pub fn member(&self, id: &MemberId) -> Result<Option<&'a Member>, MissingData> {
        self.data.member(id)
    }
}
