//! Entries: immutable ledger lines.
//!
//! Only a draft makes an entry (`decision::Draft::decide`), and the verb may add to it before it is
//! stored. An entry is complete: [`Member::apply`](crate::Member::apply) needs nothing else to
//! change the member. The kind says what the entry stands for, the reasons say what each rule gave,
//! the postings say which units moved, and the changes say what else changed.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::activity::REFERRAL;
use crate::holdings::Hold;
use crate::posting::AccountEntry;
use crate::reminder::Reminder;
use crate::restated::{DerivedAgain, FailedRule};
pub use crate::restated::{LineName, Returned, ReturnedLine};
use crate::terms::HoldId;
use crate::tier_status::{TierChange, TierStatus};
use crate::{
    Activity, Change, MemberId, Moment, Order, Posting, Reason, Seq, SharedLimit, Units, Verb,
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
    /// What it makes different about earlier entries, if it changes the history before them. Then the
    /// postings are the difference of the whole, and the other parts say what the entry would have
    /// had in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<DerivedAgain>,
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
        /// When it happened, if that was before it was sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        happened_at: Option<Moment>,
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
        /// What came back of its order; `None` if everything that was left of the entry is undone,
        /// or a number of units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        returned: Option<Returned>,
        /// The units of a redemption that came back; `None` if all did, or if it is no redemption.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<Units>,
        /// The entry of the other member, if units are moved back between two.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other: Option<EntryOf>,
    },
    /// Activities for which a rule had failed were judged again, with the rule as it was mended: as
    /// the rules say by which this entry was decided.
    Rejudge {
        /// The title of the rule.
        rule: String,
        /// The numbers of the entries of the activities.
        entries: Vec<Seq>,
    },
    /// Units were given or taken by hand.
    Adjust {
        /// Why, in the author's words.
        reason: String,
        /// Who did it.
        author: String,
        /// When it happened, if that was before it was sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        happened_at: Option<Moment>,
    },
    /// Units were given to another member, or came from one.
    Transfer {
        /// The other member.
        #[serde(flatten)]
        with: Counterpart,
        /// The number of the other member's entry.
        entry: Seq,
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
        /// When it happened, if that was before it was sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        happened_at: Option<Moment>,
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

/// An entry of another member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryOf {
    /// The member.
    pub member: MemberId,
    /// The number of the entry.
    pub entry: Seq,
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
    /// The activity happened longer ago than `late_days`. It was judged by the member as it was then,
    /// without its tasks, and nothing after it was derived again.
    ToldTooLate,
    /// The member and its referrer share their units by now, so that what the referral brought stays,
    /// and what it would bring does not come.
    ReferrerShares {
        /// The referrer.
        referrer: MemberId,
    },
    /// The total is not what the lines, discounts and charges come to. It was spread over the
    /// lines in proportion.
    TotalDiffers {
        /// How much the total is above them; negative if it is below.
        #[serde(with = "rust_decimal::serde::str")]
        by: Decimal,
    },
}

impl Note {
    /// The rule that failed, if the note is about one.
    #[must_use]
    pub fn failure(&self) -> Option<FailedRule> {
        let Note::RuleFailed { rule, source, message } = self else { return None };
        let (rule, source, message) = (rule.clone(), source.clone(), message.clone());
        Some(FailedRule { rule, source, message })
    }
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
    /// An entry in which nothing has moved or changed.
    #[must_use]
    pub fn bare(seq: Seq, at: Moment, kind: EntryKind) -> Entry {
        Entry {
            seq,
            at,
            kind,
            reasons: Vec::new(),
            postings: Vec::new(),
            changes: Vec::new(),
            account: None,
            withdrawals: Vec::new(),
            returns: Vec::new(),
            exhausted: Vec::new(),
            notes: Vec::new(),
            balances: BTreeMap::new(),
            again: None,
            tier: None,
            tier_status: None,
        }
    }

    /// The numbers of the entries that this one takes back, whole or in part.
    pub fn undoes(&self) -> impl Iterator<Item = Seq> {
        let own = match &self.kind {
            EntryKind::Reverse { of, .. } => Some(*of),
            _ => None,
        };
        let beside = self.again.iter().flat_map(|again| &again.undone);
        own.into_iter().chain(beside.map(|taken| taken.of))
    }

    /// What the rules gave with this entry: for its own activity, and for earlier ones that are
    /// otherwise now.
    pub fn all_reasons(&self) -> impl Iterator<Item = &Reason> {
        let different = self.again.iter().flat_map(|again| &again.differences);
        self.reasons.iter().chain(different.flat_map(|difference| &difference.reasons))
    }

    /// The rules that failed with this entry, with the entries of the activities for which they did:
    /// its own, and earlier ones that are otherwise now.
    pub fn failures(&self) -> impl Iterator<Item = (Seq, FailedRule)> {
        // A part that comes back is of an earlier activity.
        let of = match &self.kind {
            EntryKind::Reverse { of, .. } => *of,
            _ => self.seq,
        };
        let own = self.notes.iter().filter_map(Note::failure).map(move |failed| (of, failed));
        let different = self.again.iter().flat_map(|again| &again.differences);
        let again = different.flat_map(|difference| {
            difference.failures.iter().map(|failed| (difference.entry, failed.clone()))
        });
        own.chain(again)
    }

    /// The numbers of the entries whose activities this one judges again.
    #[must_use]
    pub fn rejudges(&self) -> &[Seq] {
        match &self.kind {
            EntryKind::Rejudge { entries, .. } => entries,
            _ => &[],
        }
    }

    /// When that happened which the entry stands for: as long before the entry was decided as it was
    /// sent late. What was told too late counts from when it was told.
    #[must_use]
    pub fn happened_at(&self) -> Moment {
        let at = match &self.kind {
            EntryKind::Earn { activity } if !self.was_told_too_late() => Some(activity.at),
            EntryKind::Redeem { happened_at, .. }
            | EntryKind::Adjust { happened_at, .. }
            | EntryKind::Share { happened_at, .. } => *happened_at,
            _ => None,
        };
        at.map_or(self.at, |at| at.min(self.at))
    }

    /// Whether it is of an activity that was told too late to be derived in its place.
    #[must_use]
    pub fn was_told_too_late(&self) -> bool {
        self.notes.contains(&Note::ToldTooLate)
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
            EntryKind::Redeem { .. } | EntryKind::Capture { .. } => Some(self.happened_at()),
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
            EntryKind::Rejudge { .. } => Verb::Rejudge,
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
