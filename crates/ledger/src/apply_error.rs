//! Why an entry does not follow from the member before it.

use crate::WalletName;
use crate::terms::{HoldId, Terms};

/// Why an entry does not follow from the member before it. Only [`ApplyError::TooMuch`] can be caused
/// by a client; each of the others is a broken invariant of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// More than can be counted.
    #[error("`{0}` would be more than can be counted")]
    TooMuch(String),
    /// Units are taken out of a lot that is not there, or has fewer.
    #[error("`{wallet}` has not so much in a lot of {terms:?}")]
    LotIsTooSmall {
        /// The wallet.
        wallet: WalletName,
        /// The lot.
        terms: Box<Terms>,
    },
    /// More debt is paid than there is.
    #[error("less is owed in `{0}` than is paid")]
    DebtIsTooSmall(WalletName),
    /// A hold is captured or released that is not there.
    #[error("there is no hold `{0}`")]
    HoldIsMissing(HoldId),
    /// A grant expires that is not there.
    #[error("there is no grant `{0}`")]
    GrantIsMissing(String),
    /// More of a score is taken back than there is.
    #[error("the score in `{0}` is less than is taken back")]
    ScoreIsTooSmall(String),
    /// A member leaves an account that nobody shares.
    #[error("nobody shares the wallets")]
    NobodyShares,
}

impl ApplyError {
    pub(crate) fn too_much(name: impl ToString) -> ApplyError {
        ApplyError::TooMuch(name.to_string())
    }
}
