//! What the functions share: their state, the caller's identity, the parts of a request, and how
//! answers and refusals are written as HTTP responses.
//!
//! Read the modules in this order.

/// Refusals written as `application/problem+json`.
mod problem;
/// The reasons for which a request is refused.
mod refusal;
/// The status, the code and the pointer of each refusal, in one table.
mod answers;
/// The bundles of each merchant, compiled and cached.
mod bundles;
/// The only place that reads the clock.
mod clock;
/// The tokens that the functions accept.
mod identity;
/// The state that every function holds.
mod state;
/// JSON bodies, paths and queries; a refusal points to the field at fault.
mod body;
/// The caller, and the merchant it calls for.
mod caller;
/// The header `Idempotency-Key` and the parameter `dry_run`.
mod key;
/// Entries as a client reads them.
mod view;
/// The steps of every request that changes a member.
mod change;
/// What changes a member without a request.
mod unasked;
/// The parts of a request that changes a member.
mod request;
/// The setup of a function that runs as a Lambda.
mod host;

pub use body::{BODY_BYTES_MAX, Body, InPath, InPathOf, InQuery, NoQuery};
pub use bundles::{
    Forgetting, PublishError, Publishing, bundle_of, forgets_nothing, in_force, publish, sources_of,
};
pub use caller::{Caller, Manager};
pub use change::{ActivityName, Change, Decided, Rules, change, change_under, log_failures};
pub use clock::Clock;
pub use host::{client, from_environment, log, serve};
pub use identity::{DEVELOPMENT_VARIABLE, Identity, TOKEN_PREFIX};
pub use key::{IdempotencyKey, Mode};
pub use problem::Problem;
pub use refusal::{Lacking, Refusal, Undecided};
pub use request::MemberRequest;
pub use state::Api;
pub use unasked::{Done, unasked};
pub use view::{EntryView, TraceView};
