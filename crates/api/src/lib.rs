//! What the functions share: their state, who calls, what is asked, and how answers and refusals
//! look on the wire.
//!
//! Read the modules in this order.

/// The status, the code and the pointer of each refusal, in one table.
mod answers;
/// JSON bodies and paths, refused with the place of what is wrong.
mod body;
/// The active bundle of each merchant, compiled and kept.
mod bundles;
/// The way of every request that changes a member.
mod change;
/// The only place that reads the clock.
mod clock;
/// Running as a Lambda.
mod host;
/// Who calls, and for which merchant.
mod identity;
/// `Idempotency-Key` and `dry_run`.
mod key;
/// Refusals as `application/problem+json`.
mod problem;
/// Why a request is refused.
mod refusal;
/// What every function holds.
mod state;
/// Entries as a client reads them.
mod view;

pub use body::{BODY_BYTES_MAX, Body, InPath, InPathOf, InQuery, NoQuery};
pub use bundles::{PublishError, bundle_of, publish};
pub use change::{Change, Decided, change, change_under};
pub use clock::Clock;
pub use host::{client, from_environment, log, serve};
pub use identity::{Caller, DEVELOPMENT_VARIABLE, Identity, Manager, TOKEN_PREFIX};
pub use key::{IdempotencyKey, Mode};
pub use problem::Problem;
pub use refusal::{Refusal, Undecided};
pub use state::Api;
pub use view::{EntryView, TraceView};
