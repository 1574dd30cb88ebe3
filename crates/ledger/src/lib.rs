//! The ledger: what a member has, and what one request changes.
//!
//! Everything here is a plain value or a function on values. There is no I/O, no clock, no
//! script engine and no database: the time is an argument, and what the merchant's rules paid is
//! an argument. Each verb has one `decide`, which answers with a [`Decision`] (the member and the
//! entry to write) or with a rejection named as a sentence.
//!
//! Read the modules in this order.

/// What a member did.
pub mod activity;
/// How often a rule may pay one member.
pub mod cap;
/// One immutable ledger line, and the decision that writes it.
pub mod entry;
/// A member and all it has.
pub mod member;
/// Amounts of money, exact, in one currency.
pub mod money;
/// Names of merchants, members and wallets, checked once where they come in.
pub mod name;
/// What a merchant laid down in its manifest: wallets, their terms, activities.
pub mod programme;
/// Whole units of a wallet.
pub mod units;
/// Lots and wallets.
pub mod wallet;

/// An activity pays.
pub mod earn;
/// A person joins.
pub mod enroll;
/// Lots that have run out are written down.
pub mod expire;
/// A reward is taken.
pub mod redeem;
/// The tier follows.
pub mod tier;

pub use activity::{Activity, FieldValue, Line, Order};
pub use entry::{Decision, Entry, Paid, Posting, Taken, What};
pub use member::Member;
pub use name::{MemberId, MerchantId, WalletName};
pub use programme::{Expiry, Programme, WalletPolicy};
pub use units::Units;
pub use wallet::{Lot, Wallet};

/// A moment, to the second: the resolution in which everything is kept.
pub type Moment = chrono::DateTime<chrono::Utc>;
