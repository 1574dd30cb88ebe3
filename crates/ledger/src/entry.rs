//! Entries: immutable ledger lines.

use std::collections::BTreeMap;

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

/// One immutable ledger line: what was asked, why the answer was what it is, and all that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the member's history, from 1.
    pub seq: Seq,
    /// When it was decided.
    pub at: Moment,
    /// What was asked.
    pub kind: EntryKind,
    /// What each rule gave, in the order in which they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What changed in which lot.
    pub postings: Vec<Posting>,
    /// What else changed and is in no reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The account whose wallets the member shared, and that one's entry of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountEntry>,
    /// What was taken from what all members share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawals: Vec<Withdrawal>,
    /// What was put back into what all members share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Withdrawal>,
    /// What all members share and had not enough left: who explains the entry has to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exhausted: Vec<SharedLimit>,
    /// What could be spent right after, by wallet; the count in wallets that only count.
    pub balances: BTreeMap<WalletName, Units>,
    /// The change of tier since the entry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierChange>,
    /// How the member stands with its tier, where that has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier_status: Option<TierStatus>,
}

/// What an entry stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryKind {
    /// The member did something.
    Earn {
        /// What.
        activity: Activity,
    },
    /// A reward was taken.
    Redeem {
        /// Which, for what.
        reward: RedeemedReward,
        /// The order it was taken with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Order>,
    },
    /// A reward was set aside, to be captured or released.
    Hold {
        /// Under which name.
        hold: HoldId,
        /// It is released by itself then.
        until: Moment,
        /// Which reward, for what.
        reward: RedeemedReward,
        /// The order it was set aside for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Order>,
    },
    /// A reward that was set aside was taken, whole or in part.
    Capture {
        /// The hold.
        hold: HoldId,
        /// What it had set aside.
        of: Hold,
        /// The reward as it was taken.
        reward: RedeemedReward,
    },
    /// A reward that was set aside was let go.
    Release {
        /// The hold.
        hold: HoldId,
    },
    /// An earlier entry was undone, whole or in part.
    Reverse {
        /// Which, by its number.
        of: Seq,
        /// What of its order came back; all that was left of it if nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        returned: Option<Returned>,
    },
    /// Units were given or taken by hand.
    Adjust {
        /// Why.
        reason: String,
        /// Who says so.
        author: String,
    },
    /// Units were given to another member, or came from one.
    Transfer {
        /// The other one.
        #[serde(flatten)]
        with: Counterpart,
        /// What was said of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The member shares the wallets of an account from now on.
    Join {
        /// Whose.
        account: MemberId,
    },
    /// The member has its own wallets again.
    Leave {
        /// Whose it had shared.
        account: MemberId,
    },
    /// A member that shares this one's wallets has moved units in them.
    Share {
        /// Who.
        by: MemberId,
        /// By which entry of its own.
        entry: Seq,
        /// By which verb.
        moved: Verb,
        /// When that member was active, where it was by its own doing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active_at: Option<Moment>,
    },
    /// Lots, grants and holds that had run out were written down, and the tier reviewed.
    Expire,
    /// The member is to be told something.
    Remind {
        /// What.
        reminders: Vec<Reminder>,
    },
    /// The person is forgotten; the sums stay.
    Erase,
}

/// An entry of the account whose wallets a member shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// Whose.
    pub account: MemberId,
    /// Its number; where nothing was moved there, the number that it would have had.
    pub entry: Seq,
}

/// What of an order came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// How many of which line.
    pub lines: Vec<ReturnedLine>,
    /// How much less the order comes to.
    #[serde(with = "rust_decimal::serde::str")]
    pub refund: Decimal,
}

/// Pieces of one line that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedLine {
    /// The line's article.
    pub sku: String,
    /// How many pieces.
    pub quantity: u32,
}

/// The other side of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counterpart {
    /// Units went there.
    To(MemberId),
    /// Units came from there.
    From(MemberId),
}

impl Entry {
    /// The number of the entry that this one undoes, if it undoes one.
    #[must_use]
    pub fn undoes(&self) -> Option<Seq> {
        match &self.kind {
            EntryKind::Reverse { of, .. } => Some(*of),
            _ => None,
        }
    }

    /// When the member was active, if it was by this, and by its own doing: what comes by itself, or
    /// from a friend, is none. Of an account, when one who shares its wallets was.
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

/// What one rule gave. A rule that gives several things has a reason for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's title.
    pub rule: String,
    /// Where it stands: `earn.rhai:3`.
    pub source: String,
    /// What it gave.
    #[serde(flatten)]
    pub effect: Effect,
}

/// A reward as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemedReward {
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
    pub gives: Option<Benefit>,
}

/// What a reward or a benefit gives. Amounts are in the programme's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Benefit {
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
