//! The store: one DynamoDB table through the AWS SDK, and the only place that knows its attribute
//! names.
//!
//! A request is [`Store::perform`]: load, decide, commit. What is decided is the caller's, as a
//! function from the member to a decision; that it happens once, whole, and is remembered, is the
//! store's.
//!
//! Read the modules in this order.

/// Leaderboards.
mod board;
/// Bundles: immutable revisions, and which of them is active.
mod bundles;
/// The writes of one decision.
mod commit;
/// Members that need the scheduled run.
mod due;
/// A person joins: one conditional write.
mod enroll;
/// What can go wrong between here and the table.
mod error;
/// The table as DynamoDB exports it.
mod export;
/// Persons and versions as items.
mod item;
/// Capacity units, as DynamoDB counts them.
mod meter;
/// One request that changes a member: its name, and what it asked for.
mod operation;
/// Load, decide, commit.
mod perform;
/// Bugs for proofs.
#[cfg(feature = "planted")]
pub mod planted;
/// Reads: a member, its statement, everything.
mod read;
/// Asking again.
mod retry;
/// A version's body: packed small, and sealed under its person's key.
mod seal;
/// What all members share: stocks, budgets, pools of codes.
mod shared_limits;
/// Keys, indexes and the table itself.
mod table;
/// What is kept of one operation: the entry, the answer given, and the member after it.
mod version;
/// One write, sent until it is known what became of it.
mod write;

pub use board::Place;
pub use bundles::StoredBundle;
pub use due::{Due, Page};
pub use enroll::Enrolled;
pub use error::StoreError;
pub use export::{Export, ExportError};
pub use meter::{Cost, Meter};
pub use operation::{Fingerprint, Operation};
pub use perform::{Failure, Performed, Undecided};
pub use read::{Found, History, Statement};
pub use table::{MemberKey, SHARDS, Store};
pub use version::{Answer, Version, VersionLine};
