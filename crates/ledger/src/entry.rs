use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::activity::REFERRAL;
use crate::member::{History, Hold};
use crate::remind::Reminder;
use crate::task::{Progress, Step};
use crate::tier::{TierChange, TierStatus};
use crate::wallet::Inactivity;
use crate::wallet::{HoldId, Terms};
use crate::{Activity, Lot, MemberId, Moment, Order, SharedLimit, Units, WalletName, Withdrawal};

/// One immutable ledger line: what was asked, why the answer was what it is, and all that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the member's history, from 1.
    pub seq: u64,
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
        of: u64,
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
        entry: u64,
        /// What kind of entry that is.
        moved: String,
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
    pub entry: u64,
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
    pub fn undoes(&self) -> Option<u64> {
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
    /// Its name in answers, statements and figures.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            EntryKind::Earn { .. } => "earn",
            EntryKind::Redeem { .. } => "redeem",
            EntryKind::Hold { .. } => "hold",
            EntryKind::Capture { .. } => "capture",
            EntryKind::Release { .. } => "release",
            EntryKind::Reverse { .. } => "reverse",
            EntryKind::Adjust { .. } => "adjust",
            EntryKind::Transfer { .. } => "transfer",
            EntryKind::Join { .. } => "join",
            EntryKind::Leave { .. } => "leave",
            EntryKind::Share { .. } => "share",
            EntryKind::Expire => "expire",
            EntryKind::Remind { .. } => "remind",
            EntryKind::Erase => "erase",
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

/// What a rule can give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Effect {
    /// Units.
    Units {
        /// Into which wallet.
        wallet: WalletName,
        /// How many.
        units: Units,
    },
    /// Units that the rule had given, taken back.
    Back {
        /// Of which wallet.
        wallet: WalletName,
        /// How many.
        back: Units,
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
    /// A code that the rule had given, and that is good no more.
    Void {
        /// Which pool it came from.
        pool: String,
        /// The code.
        void: String,
    },
    /// The one who brought this member has done a `referral`.
    Referral {
        /// Who.
        referrer: MemberId,
        /// That one's entry of it.
        entry: u64,
    },
    /// Units of a contest's score.
    Score {
        /// Which contest.
        contest: String,
        /// How many more.
        score: Units,
    },
    /// Units of a contest's score, taken back.
    Unscore {
        /// Which contest.
        contest: String,
        /// How many fewer.
        unscore: Units,
    },
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

/// A change in one lot, or in what is owed. A lot is named by its terms, since lots of equal terms
/// are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// In which wallet.
    pub wallet: WalletName,
    /// Units given (above zero) or taken (below). Of a debt: paid, or owed.
    pub change: i64,
    /// It is about what is owed, and no lot.
    #[serde(default, skip_serializing_if = "is_false")]
    pub debt: bool,
    /// It is in the wallet of the account that the member shares, and not in its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shared: bool,
    /// Which lot.
    #[serde(flatten)]
    pub terms: Terms,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Posting {
    /// Units given.
    #[must_use]
    pub fn given(wallet: WalletName, lot: Lot) -> Posting {
        let Lot { units, terms } = lot;
        Posting { wallet, change: units.get(), debt: false, shared: false, terms }
    }

    /// Units taken.
    #[must_use]
    pub fn taken(wallet: WalletName, lot: Lot) -> Posting {
        // Units are far from the ends of 64 bits, so the sign can always be turned.
        Posting { change: -lot.units.get(), ..Posting::given(wallet, lot) }
    }

    /// Units that are owed from now on, since they could not be taken from any lot.
    #[must_use]
    pub fn owed(wallet: WalletName, units: Units) -> Posting {
        let terms = Terms::default();
        Posting { wallet, change: -units.get(), debt: true, shared: false, terms }
    }

    /// Units that pay what is owed.
    #[must_use]
    pub fn paid(wallet: WalletName, units: Units) -> Posting {
        Posting { change: units.get(), ..Posting::owed(wallet, units) }
    }

    /// A lot that pays what is owed.
    #[must_use]
    pub fn pays(wallet: WalletName, lot: Lot) -> [Posting; 2] {
        [Posting::paid(wallet.clone(), lot.units), Posting::taken(wallet, lot)]
    }

    /// The lot it is about, with the units that it gave or took.
    #[must_use]
    pub fn lot(&self) -> Option<Lot> {
        let units = Units::new(self.change.checked_abs()?).ok()?;
        Some(Lot { units, terms: self.terms.clone() })
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
    /// It had acted, and that was undone.
    Uncounted {
        /// Which rule.
        uncounted: String,
        /// In the period that began then.
        since: Moment,
    },
    /// A task is further on, or back.
    Progressed {
        /// Which.
        task: String,
        /// What the entry counts for; after a return, what is left of that.
        step: Step,
        /// How far now.
        progress: Progress,
    },
    /// A grant has run out.
    Lapsed {
        /// Which.
        lapsed: String,
    },
    /// A hold has passed its deadline.
    Freed {
        /// Which.
        freed: HoldId,
    },
    /// A part of a unit is carried over to the rule's next payment.
    Carried {
        /// Which rule.
        carried: String,
        /// What is carried over from now on.
        #[serde(with = "rust_decimal::serde::str")]
        remainder: Decimal,
    },
    /// What the member has bought, after a return.
    Bought {
        /// All of it.
        bought: History,
    },
    /// Units of an entry that is undone had run out: nothing was left to take back.
    Unrecoverable {
        /// Of which wallet.
        wallet: WalletName,
        /// How many.
        unrecoverable: Units,
        /// Of which entry, by its number where the wallet is.
        of: u64,
        /// It is the wallet of the account that the member shares, and not its own.
        #[serde(default, skip_serializing_if = "is_false")]
        shared: bool,
        /// Of the lot that lapsed then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Moment>,
        /// How long it stayed after the last activity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inactivity: Option<Inactivity>,
    },
    /// An activity that comes by itself has come.
    Triggered {
        /// Which.
        triggered: String,
        /// For which day.
        day: chrono::NaiveDate,
    },
}
