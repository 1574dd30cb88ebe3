//! The ledger: what a member has, and what one request changes.
//!
//! Everything here is a plain value or a function on values. There is no I/O, no clock, no
//! script engine and no database: the time is an argument, and what the merchant's rules gave is
//! an argument. Each verb has one `decide`, which answers with a [`Decision`] (the entry to write,
//! and the member that it leads to) or with a rejection named as a sentence.
//!
//! An entry says everything that it changes: a member is what its entries add up to
//! ([`Member::apply`]), and there is no other way to change one.
//!
//! Read the modules in this order.

/// What a member did.
pub mod activity;
/// Why an entry does not follow from the member before it.
pub mod apply_error;
/// How often a rule may pay one member.
pub mod cap;
/// Changes that no rule gave.
pub mod change;
/// The data that a decision is made from beyond the member.
pub mod decision_data;
/// What a rule can give.
pub mod effect;
/// One immutable ledger line.
pub mod entry;
/// A member and all it has.
pub mod member;
/// Amounts of money, exact, in one currency.
pub mod money;
/// Names of merchants, members and wallets, checked once where they come in.
pub mod name;
/// Movements of units.
pub mod posting;
/// What a merchant laid down in its manifest: wallets, their terms, activities.
pub mod programme;
/// What members are told before it is too late.
pub mod remind;
/// The number of an entry.
pub mod seq;
/// What all members share: a stock, a campaign's budget, a pool of codes.
pub mod shared_limit;
/// Goals and streaks.
pub mod task;
/// Tiers: reached, kept, at risk, lost.
pub mod tier;
/// Whole units of a wallet.
pub mod units;
/// What makes an entry.
pub mod verb;
/// Lots and wallets.
pub mod wallet;

/// Members share the wallets of one account.
pub mod account;
/// Units are moved by hand, or from one member to another.
pub mod adjust;
/// What a verb decided.
pub mod decision;
/// An activity pays.
pub mod earn;
/// A person joins.
pub mod enroll;
/// A person is forgotten.
pub mod erase;
/// What has run out is written down.
pub mod expire;
/// A reward is set aside, captured, released.
pub mod hold;
/// A reward is taken.
pub mod redeem;
/// An entry is undone, whole or in part.
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

/// A moment, to the second: the resolution in which everything is kept.
pub type Moment = chrono::DateTime<chrono::Utc>;
