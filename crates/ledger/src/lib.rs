//! The ledger: what a member has, and what one request changes.
//!
//! Everything here is a plain value or a function on values. The crate does no I/O, reads no
//! clock, runs no script and knows no database. The time is an argument, and so is what the
//! merchant's rules gave. If a decision needs data beyond the member, it returns [`MissingData`];
//! the caller loads it and decides again.
//!
//! **Verbs.** One function decides each verb, such as [`redeem::decide`]. It returns a
//! [`Decision`], which is the entry to write and the member after it, or a rejection named as a
//! sentence. A rejection changes nothing.
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
//! expire, at their moment, whether or not an entry says so yet. `LIFE_OF_A_LOT.md` says more.
//!
//! The modules stand in reading order: each imports only those above it. Values come first, then
//! the member that they make up, decisions, and one module for each verb.

/// Names of merchants, members and wallets, checked once at the edge.
pub mod name;
/// Whole units of a wallet.
pub mod units;
/// Texts as clients write them, in the form in which they are compared.
pub mod text;
/// Exact amounts of money in one currency.
pub mod money;
/// The number of an entry.
pub mod seq;
/// The verbs: what makes an entry.
pub mod verb;
/// What was bought, and what was paid for it.
pub mod order;
/// What a member did, with its order.
pub mod activity;
/// The merchant's calendar: local times, yearly days, periods.
pub mod calendar;
/// When a lot expires.
pub mod expiry;
/// The terms of a lot.
pub mod terms;
/// What all members share: a stock, a campaign's budget, a pool of codes.
pub mod shared_limit;
/// Why an entry does not follow from the member before it.
pub mod apply_error;
/// Lots and wallets.
pub mod wallet;
/// Movements of units.
pub mod posting;
/// How often a rule may pay one member.
pub mod cap;
/// Grants, holds and purchases: what a member has beside its wallets.
pub mod holdings;
/// A member's tier, and when it may lose it.
pub mod tier_status;
/// Reminders, and which of them a member has had.
pub mod reminder;
/// Goals and streaks.
pub mod task;
/// What a rule can give.
pub mod effect;
/// Changes that no rule gave.
pub mod change;
/// What an entry says of entries before it.
pub mod restated;
/// Immutable ledger lines.
pub mod entry;
/// A merchant's policy from its manifest: wallets, their terms, activities, the calendar.
pub mod programme;
/// A member and all it has, and how an entry changes it.
pub mod member;
/// Data that a decision needs beyond the member.
pub mod decision_data;
/// Letting go what was pending on a delivery.
pub mod delivery;
/// What a verb decided, and how a draft becomes an entry.
pub mod decision;
/// Tiers: how a member reaches, keeps and loses them.
pub mod tier;
/// The reminders of units that expire.
pub mod remind;

/// Enrolling a person.
pub mod enroll;
/// Earning by an activity.
pub mod earn;
/// Redeeming a reward.
pub mod redeem;
/// Holding a reward, and capturing or releasing the hold.
pub mod hold;
/// Reversing an entry, whole or in part.
pub mod reverse;
/// Moving units by hand, or from one member to another.
pub mod adjust;
/// Joining and leaving an account, and deciding on its wallets.
pub mod account;
/// Recording what has expired.
pub mod expire;
/// Erasing a person.
pub mod erase;
/// Entries that happen again to a member with another history.
pub mod replay;
/// Entries that change the history before them.
pub mod again;

pub use activity::{Activity, FieldValue};
pub use apply_error::ApplyError;
pub use change::Change;
pub use decision::Decision;
pub use decision_data::{Allocations, DecisionData, HistorySlice, MissingData, Since};
pub use effect::{Effect, Reason};
pub use entry::{Benefit, Entry, EntryKind, RedeemedReward};
pub use expiry::{Expiry, Inactivity};
pub use holdings::{GrantEnd, History, Hold};
pub use member::{Member, MemberIsErased};
pub use name::{MemberId, MerchantId, WalletName};
pub use order::{Line, Order, OrderAmounts, Payment};
pub use posting::{Movement, Posting, PostingReason, PostingSide};
pub use programme::{Programme, WalletPolicy};
pub use restated::{Cause, DerivedAgain, Difference, Fact, FailedRule, Restated};
pub use seq::Seq;
pub use shared_limit::{Codes, Remaining, SharedLimit, Withdrawal};
pub use terms::{HoldId, PendingOn, Terms};
pub use units::Units;
pub use verb::Verb;
pub use wallet::{Lot, Wallet};

/// A moment in UTC, stored to the second.
pub type Moment = chrono::DateTime<chrono::Utc>;
