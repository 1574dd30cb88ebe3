//! Why something of the past was not made again.

use decide::Refusal;
use ledger::MemberId;

/// Why something of the past was not made again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmade {
    /// By these rules, it is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What it takes back or completes was not made.
    #[error("what it is about was not made")]
    NothingThere,
    /// A member that it concerns is not in the history, such as one that was forgotten.
    #[error("member `{0}` is not in the history")]
    MemberIsMissing(MemberId),
    /// The rules that decided it are not in the history.
    #[error("the rules {} are not in the history", .0.join(", "))]
    RulesAreMissing(Vec<String>),
}
