//! The store: one DynamoDB table through the AWS SDK. No other crate knows its keys and attributes.
//!
//! **The table.** All items of a member have one partition key: its versions under their numbers,
//! its scores, and last the person, with the data of the enrolment and the person's own key. A
//! [`Version`] is immutable and complete: the entry, the answer, and the member after it. So one
//! query loads a member, and what is told in order reads no history; what is told late reads the
//! versions since it happened. Shared limits, pools of codes and bundles have partitions of their
//! own. Three indexes find a version by its operation, the members that are due, and the highest
//! scores.
//!
//! **Load, decide, commit.** [`Store::perform`] handles every request that changes a member. It
//! loads the member, calls the caller's function for a decision, and commits the decision. If the
//! function returns that data is missing, `perform` loads the data and calls it again. The caller
//! decides; the store sees to it that the decision happens once, as a whole, and is remembered.
//!
//! **The number is the lock.** The commit puts the member's next version on condition that no
//! version of that number exists. If one exists, another request was faster, and `perform` loads
//! and decides again. There are no locks to hold and none to expire. A repeat of a request finds
//! its version by its operation and returns the stored answer.
//!
//! **One conditional put.** Most commits are that one put. If more changes (a shared limit, a code,
//! a score, a due date, another member), all writes are one transaction. A write whose outcome is
//! unknown is sent again unchanged; if the table already has the same item, the write was done.
//!
//! Start reading with `perform`, `commit`, `item` and `table`. `TABLE.md` lists the items, the
//! indexes and their costs.

/// The names of attributes, and the keys of items.
mod key;
/// The errors of the store.
mod error;
/// A request that changes a member: its name, and what it asked for.
mod operation;
/// The body of a version: packed, and sealed under its person's key.
mod seal;
/// A version: the entry, the answer, and the member after it.
mod version;
/// A member as its versions hold it.
mod stored_member;
/// Persons and versions as items.
mod item;
/// The cost of requests, in DynamoDB's capacity units.
mod meter;
/// Sending a request again.
mod retry;
/// Bugs that proofs plant.
#[cfg(feature = "planted")]
mod bug;
/// The table and its indexes.
mod table;
/// Leaderboards of contests.
mod board;
/// Bundles: immutable revisions, and which of them is active.
mod bundles;
/// One write, sent again while its outcome is unknown.
mod write;
/// Shared limits (stocks and budgets) and pools of codes.
mod shared_limits;
/// The writes of one decision.
mod commit;
/// Members that need the scheduled run.
mod due;
/// Enrolling a person: one conditional write.
mod enroll;
/// Reads: a member, its versions by number and by name, its statement.
mod read;
/// Slices of a member's history, and the member as it was at a moment.
mod slice;
/// Whole histories: one member's, and those of all members.
mod history;
/// The table as DynamoDB exports it.
mod export;
/// The loop of every request: load, decide, commit.
mod perform;
/// The items of many members, for proofs only.
#[cfg(feature = "planted")]
pub mod planted;

pub use board::Place;
#[cfg(feature = "planted")]
pub use bug::Bug;
pub use bundles::{Exception, StoredBundle};
pub use due::{Due, Page};
pub use enroll::Enrolled;
pub use error::{BrokenInvariant, StoreError};
pub use export::{Export, ExportError};
pub use history::{Found, History};
pub use key::{MemberKey, SHARDS};
pub use meter::{Cost, Meter};
pub use operation::{Fingerprint, Operation};
pub use perform::{Failure, Performed, Undecided};
pub use read::Statement;
pub use table::Store;
pub use version::{Answer, Version, VersionLine};
