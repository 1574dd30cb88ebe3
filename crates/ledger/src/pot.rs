//! What many members share. It is held outside of any member, in parts so that no item of the
//! table is hot, and a decision only says what it takes from it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Decision, Member, MemberId, Outcome, Units};

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
    /// Codes that are still in this pool of codes.
    Codes(String),
    /// The member who brought this one.
    Referrer(MemberId),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Left { pot, units } => write!(f, "whether {pot} has {units} left"),
            Lack::Codes(pool) => write!(f, "which codes of `{pool}` are left"),
            Lack::Referrer(member) => write!(f, "the member `{member}`, who brought this one"),
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

/// What a decision has been told beyond the member. Most need nothing of it, so it is loaded only
/// when a decision says that it lacks something.
#[derive(Debug, Clone, Default)]
pub struct Supplies {
    /// What is left in pots.
    pub left: BTreeMap<Pot, Left>,
    /// Codes that are still in their pools, a few of each; an empty list is an empty pool.
    pub codes: BTreeMap<String, Vec<String>>,
    /// The member who brought this one, if there is one of that name.
    pub referrer: Option<(MemberId, Option<Member>)>,
}

impl Supplies {
    /// What is left when a decision about one member has taken what it took; another's part in it
    /// is not looked at.
    #[must_use]
    pub fn without(&self, decision: &Decision) -> Supplies {
        let mut rest = self.clone();
        for draw in &decision.entry.draws {
            if let Some(left) = rest.left.get_mut(&draw.pot) {
                left.units = left.units.checked_sub(draw.units).unwrap_or_default();
            }
        }
        for reason in &decision.entry.because {
            if let Outcome::Voucher { pool, code } = &reason.gave
                && let Some(codes) = rest.codes.get_mut(pool)
            {
                codes.retain(|other| other != code);
            }
        }
        rest
    }
}

/// The supplies of one decision, and what it has taken from them so far.
#[derive(Debug)]
pub struct Till<'a> {
    supplies: &'a Supplies,
    /// What has been taken.
    pub draws: Vec<Draw>,
    /// What had not enough left.
    pub dry: Vec<Pot>,
    codes_taken: BTreeMap<String, usize>,
}

impl<'a> Till<'a> {
    /// A till with nothing taken yet.
    #[must_use]
    pub fn new(supplies: &'a Supplies) -> Till<'a> {
        Till { supplies, draws: Vec::new(), dry: Vec::new(), codes_taken: BTreeMap::new() }
    }

    /// Takes units from a pot, all or none: whether there were enough.
    ///
    /// # Errors
    /// What is left in the pot has not been told.
    pub fn draw(&mut self, pot: &Pot, units: Units) -> Result<bool, Lack> {
        let taken = self.draws.iter().find(|draw| draw.pot == *pot);
        let taken = taken.map_or(Units::ZERO, |draw| draw.units);
        let Some(wanted) = taken.checked_add(units) else { return Ok(false) };
        let lack = || Lack::Left { pot: pot.clone(), units: wanted };
        let left = self.supplies.left.get(pot).ok_or_else(lack)?;
        if wanted > left.units {
            if !left.is_all {
                return Err(lack());
            }
            if !self.dry.contains(pot) {
                self.dry.push(pot.clone());
            }
            return Ok(false);
        }
        match self.draws.iter_mut().find(|draw| draw.pot == *pot) {
            Some(draw) => draw.units = wanted,
            None => self.draws.push(Draw { pot: pot.clone(), units: wanted }),
        }
        Ok(true)
    }

    /// Takes a code from a pool of codes; nothing if it is empty.
    ///
    /// # Errors
    /// What is in the pool has not been told.
    pub fn code(&mut self, pool: &str) -> Result<Option<String>, Lack> {
        let codes = self.supplies.codes.get(pool);
        let codes = codes.ok_or_else(|| Lack::Codes(pool.to_owned()))?;
        let taken = self.codes_taken.entry(pool.to_owned()).or_default();
        let code = codes.get(*taken).cloned();
        *taken += usize::from(code.is_some());
        Ok(code)
    }

    /// The member who brought this one; nothing if there is no longer one of that name.
    ///
    /// # Errors
    /// It has not been told.
    pub fn referrer(&self, id: &MemberId) -> Result<Option<&'a Member>, Lack> {
        match &self.supplies.referrer {
            Some((told, member)) if told == id => Ok(member.as_ref()),
            _ => Err(Lack::Referrer(id.clone())),
        }
    }
}
