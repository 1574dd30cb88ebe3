//! What a member holds beside its wallets: rights with their end, what is set aside, what it has
//! bought.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Moment, Seq, SharedLimit};

/// The end of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Option<Moment>", into = "Option<Moment>")]
pub enum GrantEnd {
    /// The first moment at which it is no longer there.
    At(Moment),
    /// It stays.
    Never,
}

impl GrantEnd {
    /// The first moment at which it is no longer there; nothing if it stays.
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

/// Something set aside. Its units lie in lots that name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// It is released by itself then.
    pub until: Moment,
    /// The entry that set it aside.
    pub entry: Seq,
    /// The reward.
    pub reward: String,
    /// The period in which the reward was counted, if it can be had only so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Moment>,
    /// Whether a piece of its stock is set aside with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stock: bool,
}

impl Hold {
    /// The stock that a piece is set aside of.
    #[must_use]
    pub fn limit(&self) -> Option<SharedLimit> {
        self.stock.then(|| SharedLimit::Stock(self.reward.clone()))
    }
}

/// What a member has bought: how often, for how much, and when last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// Purchases.
    pub purchases: u32,
    /// The sum of their totals, in the programme's currency.
    #[serde(with = "rust_decimal::serde::str")]
    pub spend: Decimal,
    /// The latest of them.
    pub last_purchase_at: Option<Moment>,
}
