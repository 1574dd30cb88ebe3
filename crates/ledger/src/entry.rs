//! Entries: immutable ledger lines.
//!
//! Only a draft makes an entry (`decision::Draft::decide`), and the verb may add to it before it is
//! stored. An entry is complete: [`Member::apply`](crate::Member::apply) needs nothing else to
//! change the member. The kind says what the entry stands for, the reasons say what each rule gave,
//! the postings say which units moved, and the changes say what else changed.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::activity::REFERRAL;
use crate::holdings::Hold;
use crate::reminder::Reminder;
use crate::terms::HoldId;
use crate::tier_status::{TierChange, TierStatus};
use crate::{
    Activity, Change, Effect, MemberId, Moment, Order, Posting, Seq, SharedLimit, Units, Verb,
    WalletName, Withdrawal,
};

/// One immutable ledger line: what it stands for, what the rules gave, and everything that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the member's history, from 1.
    pub seq: Seq,
    /// When it was decided.
    pub at: Moment,
    /// What it stands for, with its data.
    pub kind: EntryKind,
    /// What each rule gave, in the order in which the rules ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The movements of units.
    pub postings: Vec<Posting>,
    /// Everything else that changed and that no rule gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The account whose wallets the member shared, and the account's entry for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountEntry>,
    /// The withdrawals from shared limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawals: Vec<Withdrawal>,
    /// What was put back into shared limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Withdrawal>,
    /// The shared limits that did not have enough left: explaining the entry needs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exhausted: Vec<SharedLimit>,
    /// What is to be said about the activity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The units that could be spent right after, by wallet; the count, if a wallet only counts.
    pub balances: BTreeMap<WalletName, Units>,
    /// The change of tier since the entry before, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierChange>,
    /// The member's tier status, if it has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier_status: Option<TierStatus>,
}

/// What an entry stands for, with its data: one variant for each verb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryKind {
    /// The member did something.
    Earn {
        /// The activity.
        activity: Activity,
    },
    /// A reward was redeemed.
    Redeem {
        /// The reward, with its price.
        reward: RedeemedReward,
        /// The order that it was redeemed with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Order>,
    },
    /// A reward was held, to be captured or released.
    Hold {
        /// The id of the hold.
        hold: HoldId,
        /// When the hold expires.
        until: Moment,
        /// The reward, with its price.
        reward: RedeemedReward,
        /// The order that it is held for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Order>,
    },
    /// A held reward was paid, whole or in part.
    Capture {
        /// The id of the hold.
        hold: HoldId,
        /// The hold as it was.
        of: Hold,
        /// The reward as redeemed, with the price that was paid.
        reward: RedeemedReward,
    },
    /// A held reward was given up.
    Release {
        /// The id of the hold.
        hold: HoldId,
    },
    /// An earlier entry was undone, whole or in part.
    Reverse {
        /// The number of that entry.
        of: Seq,
        /// What came back of its order; `None` if everything that was left of the entry is undone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        returned: Option<Returned>,
    },
    /// Units were given or taken by hand.
    Adjust {
        /// Why, in the author's words.
        reason: String,
        /// Who did it.
        author: String,
    },
    /// Units were given to another member, or came from one.
    Transfer {
        /// The other member.
        #[serde(flatten)]
        with: Counterpart,
        /// Why, in the client's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The member shares the wallets of an account from now on.
    Join {
        /// The account.
        account: MemberId,
    },
    /// The member uses its own wallets again.
    Leave {
        /// The account whose wallets it shared.
        account: MemberId,
    },
    /// A member that shares this one's wallets has joined, left or moved units in them.
    Share {
        /// That member.
        by: MemberId,
        /// The number of its own entry.
        entry: Seq,
        /// The verb of its own entry.
        moved: Verb,
        /// When that member was active, if its entry means that it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active_at: Option<Moment>,
    },
    /// Expired lots, grants and holds were recorded, and the tier reviewed.
    Expire,
    /// The member is reminded.
    Remind {
        /// The reminders.
        reminders: Vec<Reminder>,
    },
    /// The person was erased. Its wallets stay.
    Erase,
}

/// The entry of an account for an entry of a member that shares its wallets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// The account.
    pub account: MemberId,
    /// The number of its entry. If nothing moved there, the number that its next entry gets.
    pub entry: Seq,
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

/// Something about an activity that its entry says, so that nobody is surprised by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// A rule failed, so it paid nothing.
    RuleFailed {
        /// The title of the rule.
        rule: String,
        /// The file and line of the rule, such as `earn.rhai:3`.
        source: String,
        /// What went wrong, for the merchant.
        message: String,
    },
    /// The order that the activity is about is not known. The activity is kept, and takes effect when
    /// the order comes.
    OrderIsUnknown {
        /// The id of the order.
        of: String,
    },
    /// The delivery names lines that the order does not have, or not so many of. They let nothing go.
    PiecesAreUnknown {
        /// The lines as they were named.
        lines: Vec<String>,
    },
    /// The total is not what the lines, discounts and charges come to. It was spread over the
    /// lines in proportion.
    TotalDiffers {
        /// How much the total is above them; negative if it is below.
        #[serde(with = "rust_decimal::serde::str")]
        by: Decimal,
    },
}

/// The other side of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counterpart {
    /// The member that got the units.
    To(MemberId),
    /// The member that the units came from.
    From(MemberId),
}

impl Entry {
    /// The number of the entry that this one undoes; `None` if it undoes none.
    #[must_use]
    pub fn undoes(&self) -> Option<Seq> {
        match &self.kind {
            EntryKind::Reverse { of, .. } => Some(*of),
            _ => None,
        }
    }

    /// When the member was active by its own action; `None` if the entry is not such an action, as
    /// for a triggered activity or a friend's referral. An entry of an account counts if the member
    /// that shares its wallets was active.
    #[must_use]
    pub fn active_at(&self) -> Option<Moment> {
        let by_itself =
            || self.changes.iter().any(|change| matches!(change, Change::Triggered { .. }));
        match &self.kind {
            EntryKind::Earn { activity } if activity.kind == REFERRAL || by_itself() => None,
            EntryKind::Earn { activity } => Some(activity.at),
            EntryKind::Redeem { .. } | EntryKind::Capture { .. } => Some(self.at),
            EntryKind::Share { active_at, .. } => *active_at,
            _ => None,
        }
    }
}

impl EntryKind {
    /// The verb that makes entries of this kind.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            EntryKind::Earn { .. } => Verb::Earn,
            EntryKind::Redeem { .. } => Verb::Redeem,
            EntryKind::Hold { .. } => Verb::Hold,
            EntryKind::Capture { .. } => Verb::Capture,
            EntryKind::Release { .. } => Verb::Release,
            EntryKind::Reverse { .. } => Verb::Reverse,
            EntryKind::Adjust { .. } => Verb::Adjust,
            EntryKind::Transfer { .. } => Verb::Transfer,
            EntryKind::Join { .. } => Verb::Join,
            EntryKind::Leave { .. } => Verb::Leave,
            EntryKind::Share { .. } => Verb::Share,
            EntryKind::Expire => Verb::Expire,
            EntryKind::Remind { .. } => Verb::Remind,
            EntryKind::Erase => Verb::Erase,
        }
    }
}

/// A rule and one effect that it gave. A rule that gives several effects has a reason for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The title of the rule.
    pub rule: String,
    /// The file and line of the rule, such as `earn.rhai:3`.
    pub source: String,
    /// The effect.
    #[serde(flatten)]
    pub effect: Effect,
}

/// A reward as redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemedReward {
    /// The name of the reward.
    pub name: String,
    /// The file and line of the reward, such as `rewards.rhai:2`.
    pub source: String,
    /// The wallet that pays it.
    pub wallet: WalletName,
    /// Its price, in units of that wallet.
    pub costs: Units,
    /// What the member gets, beside the grants and tags in the entry's reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives: Option<Benefit>,
}

/// What a reward, or a `benefit` of a sheet, gives. Amounts are in the programme's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Benefit {
    /// A product.
    Product {
        /// Its title, in the merchant's words.
        title: String,
    },
    /// A fixed discount on an order.
    Discount {
        /// The amount.
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// A percentage off an order.
    PercentOff {
        /// The percentage: 10 for 10 %.
        #[serde(with = "rust_decimal::serde::str")]
        percent: Decimal,
    },
    /// A place at an event.
    Event {
        /// The event, in the merchant's words.
        title: String,
    },
    /// Free delivery of an order.
    FreeShipping,
    /// A card with money on it.
    GiftCard {
        /// The amount.
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// Access to something exclusive, such as an early sale or a personal service.
    Access {
        /// To what, in the merchant's words.
        title: String,
    },
    /// Money paid out.
    Payout {
        /// The amount.
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// A code from a pool.
    Voucher {
        /// The pool.
        pool: String,
        /// The code; empty until one is taken from the pool.
        code: String,
    },
}
