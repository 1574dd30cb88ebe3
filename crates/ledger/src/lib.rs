//! The ledger: what a member has, and what one request changes.
//!
//! Everything here is a plain value or a function on values. The crate does no I/O, reads no
//! clock, runs no script and knows no database. The time is an argument, and so is what the
//! merchant's rules gave. If a decision needs data beyond the member, it returns [`MissingData`];
//! the caller loads it and decides again.
//!
//! **Verbs.** One function decides each verb, such as [`redeem::decide`]. It returns a [`Decision`],
//! which is the entry to write and the member after it, or a rejection named as a sentence. A
//! rejection changes nothing.
//!
//! **Entries.** An [`Entry`] is one immutable ledger line and holds everything that it changes.
//! [`Member::apply`] is the only way to change a member, so a member is the sum of its entries and
//! can be computed again from them.
//!
//! **Postings.** Units move by a [`Posting`] only: how many units, from where, to where, and why.
//! Each side is a lot, the debt, or the outside of the wallet.
//!
//! **The life of a lot.** A [`Lot`] is one credit with its own [`Terms`]. A rule issues it. It may
//! be pending, until a day or until an activity such as the delivery. Then it can be spent, the
//! soonest to expire first. A hold keeps it for a reward until the hold is captured, is released
//! or expires. Activity may extend its end, and at its end it expires. Reversing the entry that
//! issued it takes the units back; units that were spent become debt, and the next credit pays
//! debt first. Nothing has to run on time: pending units become available, and units and holds
//! expire, at their moment, whether or not an entry says so yet.
//!
//! The modules of the values come first, those of the verbs after them. A good order to read is
//! `units`, `wallet`, `posting`, `entry`, `member`, `decision`, and then one verb such as `redeem`.

/// What a member did, with its order.
pub mod activity;
/// Why an entry does not follow from the member before it.
pub mod apply_error;
/// How often a rule may pay one member.
pub mod cap;
/// Changes that no rule gave.
pub mod change;
/// Data that a decision needs beyond the member.
pub mod decision_data;
/// What a rule can give.
pub mod effect;
/// Immutable ledger lines.
pub mod entry;
/// A member and all it has, and how an entry changes it.
pub mod member;
/// Exact amounts of money in one currency.
pub mod money;
/// Names of merchants, members and wallets, checked once at the edge.
pub mod name;
/// Movements of units.
pub mod posting;
/// A merchant's policy from its manifest: wallets, their terms, activities, the calendar.
pub mod programme;
/// Reminders of what a member is about to lose or to reach.
pub mod remind;
/// The number of an entry.
pub mod seq;
/// What all members share: a stock, a campaign's budget, a pool of codes.
pub mod shared_limit;
/// Goals and streaks.
pub mod task;
/// Tiers: how a member reaches, keeps and loses them.
pub mod tier;
/// Whole units of a wallet.
pub mod units;
/// The verbs: what makes an entry.
pub mod verb;
/// Lots and wallets.
pub mod wallet;

/// Joining and leaving an account, and deciding on its wallets.
pub mod account;
/// Moving units by hand, or from one member to another.
pub mod adjust;
/// What a verb decided, and how a draft becomes an entry.
pub mod decision;
/// Earning by an activity.
pub mod earn;
/// Enrolling a person.
pub mod enroll;
/// Erasing a person.
pub mod erase;
/// Recording what has expired.
pub mod expire;
/// Holding a reward, and capturing or releasing the hold.
pub mod hold;
/// Redeeming a reward.
pub mod redeem;
/// Reversing an entry, whole or in part.
pub mod reverse;

pub use activity::{Activity, FieldValue, Line, Order};
pub use apply_error::ApplyError;
pub use change::Change;
pub use decision::Decision;
pub use decision_data::{DecisionData, HistorySlice, MissingData};
pub use effect::Effect;
pub use entry::{Benefit, Entry, EntryKind, Reason, RedeemedReward};
pub use member::Member;
pub use name::{MemberId, MerchantId, WalletName};
pub use posting::{Posting, PostingReason, PostingSide};
pub use programme::{Expiry, Programme, WalletPolicy};
pub use seq::Seq;
pub use shared_limit::{Codes, Remaining, SharedLimit, Withdrawal};
pub use units::Units;
pub use verb::Verb;
pub use wallet::{Lot, Terms, Wallet};

/// A moment in UTC, stored to the second.
pub type Moment = chrono::DateTime<chrono::Utc>;
