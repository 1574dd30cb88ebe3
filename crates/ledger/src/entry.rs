use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::task::Progress;
use crate::tier::{Standing, TierChange};
use crate::{Activity, Draw, Lot, MemberId, Moment, Order, Pot, Units, WalletName};

/// One immutable ledger line: what was asked, why the answer was what it is, and all that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the member's history, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Moment,
    /// What was asked.
    pub what: What,
    /// What each rule gave, in the order in which they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Reason>,
    /// What changed in which lot.
    pub postings: Vec<Posting>,
    /// What else changed and is in no reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What was taken from what all members share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub draws: Vec<Draw>,
    /// What all members share and had not enough left: who explains the entry has to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dry: Vec<Pot>,
    /// What could be spent right after, by wallet; the count in wallets that only count.
    pub balances: BTreeMap<WalletName, Units>,
    /// The change of tier since the entry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierChange>,
    /// How the member stands with its tier, where that has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// What an entry stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// The member did something.
    Earn {
        /// What.
        activity: Activity,
    },
    /// A reward was taken.
    Redeem {
        /// Which, for what.
        reward: Taken,
        /// The order it was taken with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Order>,
    },
    /// Lots and grants that had run out were written down, and the tier reviewed.
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

/// What one rule gave. A rule that gives several things has a reason for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's title.
    pub rule: String,
    /// Where it stands: `earn.rhai:3`.
    pub source: String,
    /// What it gave.
    #[serde(flatten)]
    pub gave: Outcome,
}

/// What a rule can give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Units.
    Units {
        /// Into which wallet.
        wallet: WalletName,
        /// How many.
        units: Units,
    },
    /// A right.
    Grant {
        /// Its name.
        grant: String,
        /// Its first moment gone; nothing if it stays.
        until: Option<Moment>,
    },
    /// A right taken back.
    Revoke {
        /// Its name.
        revoke: String,
    },
    /// A mark.
    Tag {
        /// Its name.
        tag: String,
    },
    /// A mark taken off.
    Untag {
        /// Its name.
        untag: String,
    },
    /// A code from a pool.
    Voucher {
        /// Which pool.
        pool: String,
        /// The code.
        code: String,
    },
    /// The one who brought this member has done a `referral`.
    Referral {
        /// Who.
        referrer: MemberId,
    },
    /// Units of a contest's score.
    Score {
        /// Which contest.
        contest: String,
        /// How many more.
        score: Units,
    },
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
    /// What the member gets, beside the rights and marks in the entry's reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives: Option<Gives>,
}

/// What a reward or a benefit gives. Amounts are in the programme's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Gives {
    /// A thing.
    Product {
        /// What, in the merchant's words.
        title: String,
    },
    /// Money off an order.
    Discount {
        /// How much.
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// A part of an order off.
    PercentOff {
        /// How much of a hundred.
        #[serde(with = "rust_decimal::serde::str")]
        percent: Decimal,
    },
    /// A place at an event.
    Event {
        /// Which, in the merchant's words.
        title: String,
    },
    /// The delivery of an order.
    FreeShipping,
    /// A card with money on it.
    GiftCard {
        /// How much.
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// Something that is not for everyone: early access, a personal service.
    Access {
        /// To what, in the merchant's words.
        title: String,
    },
    /// Money paid out.
    Payout {
        /// How much.
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// A code from a pool.
    Voucher {
        /// Which pool.
        pool: String,
        /// The code; empty while nobody has taken it.
        code: String,
    },
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

    /// The lot it is about, with the units that it gave or took.
    #[must_use]
    pub fn lot(&self) -> Option<Lot> {
        let units = Units::new(self.change.checked_abs()?).ok()?;
        Some(Lot { units, available_at: self.available_at, expires_at: self.expires_at })
    }
}

/// A change that is in no reason, since nothing was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Change {
    /// A rule that may act only so often has acted once more.
    Counted {
        /// Which rule.
        counted: String,
        /// In the period that began then.
        since: Moment,
    },
    /// A task is further on.
    Progressed {
        /// Which.
        task: String,
        /// How far now.
        progress: Progress,
    },
    /// A grant has run out.
    Lapsed {
        /// Which.
        lapsed: String,
    },
}
