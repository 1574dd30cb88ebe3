//! What a member has beside its wallets: the ends of its grants, its holds, and what it has bought.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::cap::Day;
use crate::{Line, Moment, Seq, SharedLimit, Units};

/// The end of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Option<Moment>", into = "Option<Moment>")]
pub enum GrantEnd {
    /// The first moment at which it has expired.
    At(Moment),
    /// It never expires.
    Never,
}

impl GrantEnd {
    /// The first moment at which it has expired; `None` if it never expires.
    #[must_use]
    pub fn moment(self) -> Option<Moment> {
        match self {
            GrantEnd::At(at) => Some(at),
            GrantEnd::Never => None,
        }
    }
}

impl From<Option<Moment>> for GrantEnd {
    fn from(at: Option<Moment>) -> GrantEnd {
        at.map_or(GrantEnd::Never, GrantEnd::At)
    }
}

impl From<GrantEnd> for Option<Moment> {
    fn from(end: GrantEnd) -> Option<Moment> {
        end.moment()
    }
}

/// A reward held at the till. Its units are in lots whose terms name the hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The first moment at which it has expired.
    pub until: Moment,
    /// The number of the entry that made it.
    pub entry: Seq,
    /// The name of the reward.
    pub reward: String,
    /// The day on which the reward was counted, if it has a cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Day>,
    /// Whether a piece of the reward's stock is held with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stock: bool,
}

impl Hold {
    /// The stock of which it holds a piece, if any.
    #[must_use]
    pub fn limit(&self) -> Option<SharedLimit> {
        self.stock.then(|| SharedLimit::Stock(self.reward.clone()))
    }
}

/// What a member has bought: how often, for how much, and when last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// The number of purchases.
    pub purchases: u32,
    /// The sum of their totals, in the programme's currency.
    #[serde(with = "rust_decimal::serde::str")]
    pub spend: Decimal,
    /// When the latest of them was.
    pub last_purchase_at: Option<Moment>,
    /// Those of them that were told too late.
    #[serde(default, skip_serializing_if = "ToldTooLate::is_nothing")]
    pub told_too_late: ToldTooLate,
}

/// Purchases that were told too late. They are missing in the member as it was at their time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToldTooLate {
    /// Their number.
    pub purchases: u32,
    /// The sum of their totals, in the programme's currency.
    #[serde(with = "rust_decimal::serde::str")]
    pub spend: Decimal,
}

impl ToldTooLate {
    fn is_nothing(&self) -> bool {
        *self == ToldTooLate::default()
    }
}

impl History {
    /// This history with the purchases that were told too late since, by a later one: of several such
    /// purchases only the first to be told is the first. `None` if they are too many.
    #[must_use]
    pub fn with_told_too_late(&self, later: &History) -> Option<History> {
        let (had, has) = (&self.told_too_late, &later.told_too_late);
        // Some of them may have been taken back.
        let more = has.purchases.saturating_sub(had.purchases);
        let spent = has.spend.checked_sub(had.spend)?.max(Decimal::ZERO);
        Some(History {
            purchases: self.purchases.checked_add(more)?,
            spend: self.spend.checked_add(spent)?,
            ..self.clone()
        })
    }
}

/// A delivery of an order that was not known. It takes effect when the order comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyDelivery {
    /// The type of the activity, such as `delivery`.
    pub activity: String,
    /// The id of the order.
    pub of: String,
    /// When it happened.
    pub at: Moment,
    /// The pieces that were delivered; empty for the whole order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// A part of an order, by value: of what is pending, how much a delivery lets go; of what a reward
/// cost, how much comes back with a return. `before` is the value of the pieces that there were, and
/// `after` that of those that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub(crate) before: Decimal,
    pub(crate) after: Decimal,
}

impl Share {
    /// All that is pending.
    pub const ALL: Share = Share { before: Decimal::ONE, after: Decimal::ZERO };

    /// That part of units, rounded down; with the last pieces go all.
    pub(crate) fn of(self, units: Units) -> Units {
        if self.after <= Decimal::ZERO || self.before <= Decimal::ZERO {
            return units;
        }
        // Multiplying first is exact, and dividing first cannot overflow.
        let (given, all) = (self.before - self.after, Decimal::from(units.get()));
        let part = match given.checked_mul(all) {
            Some(product) => product.checked_div(self.before),
            None => given.checked_div(self.before).and_then(|part| part.checked_mul(all)),
        };
        match part.and_then(|part| part.floor().to_i64()) {
            Some(part) => Units::part(part),
            None => unreachable!("{given} of {} is more than all", self.before),
        }
    }
}
