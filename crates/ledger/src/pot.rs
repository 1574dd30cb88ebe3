//! What many members share. It is held outside of any member, in parts so that no item of the
//! table is hot, and a decision only says what it takes from it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Decision, Effect, Entry, Member, MemberId, Moment, Units};

/// Something of which there is only so much for all members together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pot {
    /// Pieces of a reward.
    Stock(String),
    /// Units of a campaign.
    Budget(String),
}

impl fmt::Display for Pot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pot::Stock(reward) => write!(f, "the stock of `{reward}`"),
            Pot::Budget(campaign) => write!(f, "the budget of `{campaign}`"),
        }
    }
}

/// What one entry takes from a pot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// From which.
    pub pot: Pot,
    /// How much.
    pub units: Units,
}

/// What a decision has to know beyond the member, and has not been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Whether a pot has so many units left.
    Left {
        /// Which pot.
        pot: Pot,
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
    Past {
        /// Whose.
        member: MemberId,
        /// From which entry on.
        entry: u64,
    },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Left { pot, units } => write!(f, "whether {pot} has {units} left"),
            Lack::Codes { pool, .. } => write!(f, "which codes of `{pool}` are left"),
            Lack::Member(member) => write!(f, "the member `{member}`"),
            Lack::Past { member, entry } => {
                write!(f, "the entries of `{member}` from {entry} on")
            }
        }
    }
}

/// What is known of a pot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// So many can be taken.
    pub units: Units,
    /// Whether that is all there is. A pot lies in parts, and mostly one of them is enough.
    pub is_all: bool,
}

impl Left {
    /// All that is left.
    #[must_use]
    pub fn all(units: Units) -> Left {
        Left { units, is_all: true }
    }
}

/// What is known of a pool of codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// Codes that nobody has.
    pub codes: Vec<String>,
    /// Whether those are all there are.
    pub is_all: bool,
}

impl Codes {
    /// All that are left.
    #[must_use]
    pub fn all(codes: Vec<String>) -> Codes {
        Codes { codes, is_all: true }
    }
}

/// What a decision has been told beyond the member. Most need nothing of it, so it is loaded only
/// when a decision says that it lacks something.
#[derive(Debug, Clone, Default)]
pub struct Supplies {
    /// What is left in pots.
    pub left: BTreeMap<Pot, Left>,
    /// What is left in pools of codes.
    pub codes: BTreeMap<String, Codes>,
    /// Other members, where there are members of those names.
    pub members: BTreeMap<MemberId, Option<Member>>,
    /// What was before.
    pub pasts: BTreeMap<MemberId, Past>,
    /// When somebody has to look at the member, as it was put down last.
    pub due_at: Option<Moment>,
    /// What another decision of the same request takes of it.
    pub taken: Takings,
}

/// A member as it was, and what has happened since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// As it was before the first of the entries.
    pub before: Member,
    /// The entries, the oldest first.
    pub entries: Vec<Entry>,
}

impl Past {
    /// The same from a later entry on: the member as it was before that one.
    #[must_use]
    pub fn from(&self, entry: u64) -> Option<Past> {
        let mut before = self.before.clone();
        let mut entries = Vec::new();
        for one in &self.entries {
            if one.seq < entry {
                before.apply(one)?;
            } else {
                entries.push(one.clone());
            }
        }
        Some(Past { before, entries })
    }
}

/// What decisions take of supplies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takings {
    units: BTreeMap<Pot, Units>,
    /// How many codes of each pool, in the order in which they were told.
    codes: BTreeMap<String, usize>,
}

impl Takings {
    /// What one decision takes; another member's part in it is not looked at.
    #[must_use]
    pub fn of(decision: &Decision) -> Takings {
        let mut taken = Takings::default();
        for draw in &decision.entry.draws {
            taken.units.insert(draw.pot.clone(), draw.units);
        }
        for reason in &decision.entry.reasons {
            if let Effect::Voucher { pool, .. } = &reason.effect {
                *taken.codes.entry(pool.clone()).or_default() += 1;
            }
        }
        taken
    }

    fn units(&self, pot: &Pot) -> Units {
        self.units.get(pot).copied().unwrap_or_default()
    }

    fn codes(&self, pool: &str) -> usize {
        self.codes.get(pool).copied().unwrap_or_default()
    }
}

impl Supplies {
    /// Another member; nothing if there is none of that name.
    ///
    /// # Errors
    /// It has not been told.
    pub fn member(&self, id: &MemberId) -> Result<Option<&Member>, Lack> {
        let told = self.members.get(id).ok_or_else(|| Lack::Member(id.clone()))?;
        Ok(told.as_ref())
    }

    /// The account whose wallets a member shares; nothing if it shares none.
    ///
    /// # Errors
    /// It has not been told.
    pub fn account(&self, member: &Member) -> Result<Option<&Member>, Lack> {
        Ok(member.account.as_ref().map(|account| self.member(account)).transpose()?.flatten())
    }

    /// A member as it was before an entry or earlier, and its entries from then on, up to its last.
    ///
    /// # Errors
    /// It has not been told, or not up to the last.
    pub fn past(&self, member: &Member, entry: u64) -> Result<&Past, Lack> {
        let told = self.pasts.get(&member.id).filter(|past| {
            let last = past.entries.last().map_or(past.before.version, |last| last.seq);
            past.before.version < entry && last == member.version
        });
        told.ok_or_else(|| Lack::Past { member: member.id.clone(), entry })
    }

    /// The supplies of a decision that is made together with another one: what they take, they take
    /// from the same.
    #[must_use]
    pub fn beside(&self, other: &Decision) -> Supplies {
        Supplies { taken: Takings::of(other), ..self.clone() }
    }

    /// What is left when a decision has taken what it takes.
    #[must_use]
    pub fn after(mut self, decision: &Decision) -> Supplies {
        let taken = Takings::of(decision);
        for (pot, left) in &mut self.left {
            left.units = left.units.checked_sub(taken.units(pot)).unwrap_or_default();
        }
        for (pool, left) in &mut self.codes {
            left.codes.drain(..taken.codes(pool).min(left.codes.len()));
        }
        self
    }
}

/// The supplies of one decision, and what it has taken from them so far.
#[derive(Debug)]
pub struct Till<'a> {
    supplies: &'a Supplies,
    taken: Takings,
    /// What the same decision puts back.
    back: BTreeMap<Pot, Units>,
    /// What had not enough left.
    pub dry: Vec<Pot>,
}

impl<'a> Till<'a> {
    /// A till with nothing taken yet.
    #[must_use]
    pub fn new(supplies: &'a Supplies) -> Till<'a> {
        Till { supplies, taken: Takings::default(), back: BTreeMap::new(), dry: Vec::new() }
    }

    /// Says that the same decision puts something back, so that it can be taken.
    pub fn comes_back(&mut self, pot: Pot, units: Units) {
        let back = self.back.entry(pot).or_default();
        *back = back.checked_add(units).unwrap_or(*back);
    }

    /// What has been taken so far, to come back to.
    #[must_use]
    pub fn taken(&self) -> Takings {
        self.taken.clone()
    }

    /// Puts back what was taken since.
    pub fn put_back(&mut self, before: Takings) {
        self.taken = before;
    }

    /// What has been drawn from pots.
    #[must_use]
    pub fn draws(&self) -> Vec<Draw> {
        let draw = |(pot, units): (&Pot, &Units)| Draw { pot: pot.clone(), units: *units };
        self.taken.units.iter().map(draw).collect()
    }

    /// Takes units from a pot, all or none: whether there were enough.
    ///
    /// # Errors
    /// What is left in the pot has not been told.
    pub fn draw(&mut self, pot: &Pot, units: Units) -> Result<bool, Lack> {
        if units.is_zero() {
            return Ok(true);
        }
        let own = self.taken.units(pot).checked_add(units);
        let all = own.and_then(|own| own.checked_add(self.supplies.taken.units(pot)));
        let (Some(own), Some(all)) = (own, all) else { return Ok(false) };
        let lack = || Lack::Left { pot: pot.clone(), units: all };
        let left = self.supplies.left.get(pot).ok_or_else(lack)?;
        let back = self.back.get(pot).copied().unwrap_or_default();
        if all.checked_sub(back).unwrap_or_default() > left.units {
            if !left.is_all {
                return Err(lack());
            }
            if !self.dry.contains(pot) {
                self.dry.push(pot.clone());
            }
            return Ok(false);
        }
        self.taken.units.insert(pot.clone(), own);
        Ok(true)
    }

    /// Takes a code from a pool of codes; nothing if it is empty.
    ///
    /// # Errors
    /// What is in the pool has not been told.
    pub fn code(&mut self, pool: &str) -> Result<Option<String>, Lack> {
        let own = self.taken.codes(pool);
        let place = self.supplies.taken.codes(pool) + own;
        let told = self.supplies.codes.get(pool);
        match told.and_then(|told| told.codes.get(place)) {
            Some(code) => {
                self.taken.codes.insert(pool.to_owned(), own + 1);
                Ok(Some(code.clone()))
            }
            None if told.is_some_and(|told| told.is_all) => Ok(None),
            None => Err(Lack::Codes { pool: pool.to_owned(), codes: place + 1 }),
        }
    }

    /// Another member; nothing if there is none of that name.
    ///
    /// # Errors
    /// It has not been told.
    pub fn member(&self, id: &MemberId) -> Result<Option<&'a Member>, Lack> {
        self.supplies.member(id)
    }
}
