use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cap::Cap;
use crate::{Activity, Lot, Member, Moment, Order, Units, WalletName};

/// One immutable ledger line: what was asked, what changed in which lot, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the member's history, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Moment,
    /// What was asked, and why the answer was what it is.
    pub what: What,
    /// What changed in which lot.
    pub postings: Vec<Posting>,
    /// What could be spent right after, by wallet; the count in wallets that only count.
    pub balances: BTreeMap<WalletName, Units>,
    /// The change of tier that it brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierChange>,
}

/// What an entry stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// An activity paid.
    Earn {
        /// What the member did.
        activity: Activity,
        /// Each rule that paid, in the order of the sheet.
        because: Vec<Paid>,
    },
    /// A reward was taken.
    Redeem {
        /// Which, for what.
        reward: Taken,
        /// The order it was taken with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Order>,
    },
    /// Lots that had run out were written down.
    Expire,
}

impl What {
    /// Its name in answers, statements and figures.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            What::Earn { .. } => "earn",
            What::Redeem { .. } => "redeem",
            What::Expire => "expire",
        }
    }
}

/// What one rule paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The rule's title.
    pub rule: String,
    /// Where it stands: `earn.rhai:3`.
    pub source: String,
    /// Into which wallet.
    pub wallet: WalletName,
    /// How much.
    pub units: Units,
    /// How often it may pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Cap>,
}

/// A reward as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The reward's name.
    pub name: String,
    /// Where it stands: `rewards.rhai:2`.
    pub source: String,
    /// Paid from which wallet.
    pub wallet: WalletName,
    /// How much it cost.
    pub costs: Units,
    /// What the member gets.
    pub gives: Gives,
}

/// What a reward gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Gives {
    /// A thing.
    Product {
        /// What, in the merchant's words.
        title: String,
    },
    /// Money off an order, in the programme's currency.
    Discount {
        /// How much.
        #[serde(with = "rust_decimal::serde::str")]
        amount: rust_decimal::Decimal,
    },
    /// A part of an order off.
    PercentOff {
        /// How much of a hundred.
        #[serde(with = "rust_decimal::serde::str")]
        percent: rust_decimal::Decimal,
    },
    /// A place at an event.
    Event {
        /// Which, in the merchant's words.
        title: String,
    },
    /// The delivery of an order.
    FreeShipping,
}

/// A change in one lot. The lot is named by its terms, since lots of equal terms are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// In which wallet.
    pub wallet: WalletName,
    /// Units given (above zero) or taken (below).
    pub change: i64,
    /// From when the lot can be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Moment>,
    /// When it lapses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
}

impl Posting {
    /// Units given.
    #[must_use]
    pub fn given(wallet: WalletName, lot: Lot) -> Posting {
        Posting {
            wallet,
            change: lot.units.get(),
            available_at: lot.available_at,
            expires_at: lot.expires_at,
        }
    }

    /// Units taken.
    #[must_use]
    pub fn taken(wallet: WalletName, lot: Lot) -> Posting {
        // Units are far from the ends of 64 bits, so the sign can always be turned.
        Posting { change: -lot.units.get(), ..Posting::given(wallet, lot) }
    }
}

/// From which tier to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierChange {
    /// The tier before; nothing if there was none.
    pub from: Option<String>,
    /// The tier after; nothing if none.
    pub to: Option<String>,
}

/// What a verb decided: the member as it will be, and the line that says so. Writing both is one
/// transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The member as it will be, one version on.
    pub member: Member,
    /// The line that says so.
    pub entry: Entry,
}

impl Decision {
    /// The decision that leaves `member` as given and writes the postings that led there.
    pub(crate) fn of(
        mut member: Member,
        now: Moment,
        what: What,
        postings: Vec<Posting>,
    ) -> Decision {
        // A version counts one member's requests; a u64 of them does not run out.
        member.version = member.version.saturating_add(1);
        let balances = member
            .wallets
            .iter()
            .map(|(name, wallet)| (name.clone(), wallet.spendable(now)))
            .collect();
        let entry = Entry { seq: member.version, at: now, what, postings, balances, tier: None };
        Decision { member, entry }
    }
}
