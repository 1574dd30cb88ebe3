//! What an entry says of the entries before it, if it changes the history that they were derived
//! from: an activity that was told late, something that is taken back, or a rule that was mended.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::cap::Counter;
use crate::holdings::{EarlyDelivery, History, Hold};
use crate::task::Progress;
use crate::terms::HoldId;
use crate::tier_status::TierChange;
use crate::{Activity, GrantEnd, Moment, Reason, Seq, Units, WalletName};

/// What is different about a member since its history is another one from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DerivedAgain {
    /// The moment.
    pub from: Moment,
    /// The number of the first entry that was derived again.
    pub since: Seq,
    /// What is taken back with this entry, beside what its kind names: a purchase that was put right,
    /// what was exchanged, or a referral that another follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<TakenBack>,
    /// The activities that were told with the one that its kind names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Activity>,
    /// The units that rewards and staff took and no longer take, or gave and no longer give if below
    /// zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restored: BTreeMap<WalletName, i64>,
    /// The entries that are otherwise now, the first to happen first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What the member is now, beside its wallets and its tier.
    #[serde(default, skip_serializing_if = "Restated::is_nothing")]
    pub state: Restated,
}

/// What is taken back of an earlier entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// The number of the entry.
    pub of: Seq,
    /// What came back of its order; `None` for all that is left of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
}

/// What came back of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// The pieces of each line.
    pub lines: Vec<ReturnedLine>,
    /// The money paid back: the order's total is lower by it.
    #[serde(with = "rust_decimal::serde::str")]
    pub refund: Decimal,
}

/// Pieces of one line that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedLine {
    /// The line.
    #[serde(flatten)]
    pub of: LineName,
    /// How much of it, in pieces or in the line's unit.
    #[serde(with = "rust_decimal::serde::str")]
    pub quantity: Decimal,
}

/// How a return names a line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineName {
    /// By the id of the line, or by its number, from 1, if it has none.
    Line(String),
    /// By its article number.
    Sku(String),
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineName::Line(id) => write!(f, "line `{id}`"),
            LineName::Sku(sku) => write!(f, "`{sku}`"),
        }
    }
}

/// What is different about one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The number of the entry.
    pub entry: Seq,
    /// What its rules give now and did not, and the reverse of what they no longer give.
    pub reasons: Vec<Reason>,
    /// The tier by which it is judged now, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierChange>,
    /// Why its rules give something else: what they see that is otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The rules that fail for it now and did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedRule>,
}

/// A rule that failed for an activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRule {
    /// Its title.
    pub rule: String,
    /// Its place, such as `earn.rhai:3`.
    pub source: String,
    /// Why.
    pub message: String,
}

/// Something that a rule sees of the member and that is otherwise now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The title of the rule.
    pub rule: String,
    /// What it sees.
    pub fact: Fact,
    /// What it saw, as a sheet writes it.
    pub was: String,
    /// What it sees now.
    pub is: String,
}

/// What a rule sees of the member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// What it reads, as a sheet writes it: `member.purchases`.
    Read(String),
    /// How much its cap has left.
    Cap,
    /// How much of its task is done.
    Progress,
    /// The fraction that is carried over to its next payment.
    Remainder,
}

/// What a part of a member is from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Now<T> {
    /// It is there, with this value.
    Is(T),
    /// It is not there.
    Gone,
}

/// The parts of a member that are different, beside its wallets and its tier.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Restated {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) happened_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) active_at: Option<Now<Moment>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<History>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) counters: BTreeMap<String, Now<Vec<Counter>>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tasks: BTreeMap<String, Now<Progress>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) scores: BTreeMap<String, Now<Units>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, Now<()>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) grants: BTreeMap<String, Now<GrantEnd>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) remainders: BTreeMap<String, Now<Decimal>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) triggered: BTreeMap<String, Now<NaiveDate>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) holds: BTreeMap<HoldId, Now<Hold>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) early: Option<Vec<EarlyDelivery>>,
}

impl Restated {
    /// Whether nothing is different.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Restated::default()
    }

    /// The scores that are different, by contest; zero for one that is gone.
    pub fn scores(&self) -> impl Iterator<Item = (&str, Units)> {
        self.scores.iter().map(|(contest, now)| match now {
            Now::Is(units) => (contest.as_str(), *units),
            Now::Gone => (contest.as_str(), Units::ZERO),
        })
    }
}

impl<T> Now<T> {
    pub(crate) fn of(value: Option<T>) -> Now<T> {
        value.map_or(Now::Gone, Now::Is)
    }

    pub(crate) fn there(self) -> Option<T> {
        match self {
            Now::Is(value) => Some(value),
            Now::Gone => None,
        }
    }
}
