//! The errors of applying an entry to a member.

use crate::WalletName;
use crate::terms::{HoldId, Terms};

/// Why an entry does not follow from the member before it. A client can cause only
/// [`ApplyError::TooMuch`]; each of the others is a broken invariant of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A wallet, a score or a count would overflow.
    #[error("`{0}` would be more than can be counted")]
    TooMuch(String),
    /// Units are taken out of a lot that does not exist or has fewer.
    #[error("`{wallet}` has not so much in a lot of {terms:?}")]
    LotIsTooSmall {
        /// The wallet.
        wallet: WalletName,
        /// The terms of the lot.
        terms: Box<Terms>,
    },
    /// More debt is paid than there is.
    #[error("less is owed in `{0}` than is paid")]
    DebtIsTooSmall(WalletName),
    /// The hold to capture or release does not exist.
    #[error("there is no hold `{0}`")]
    HoldIsMissing(HoldId),
    /// The grant that expires does not exist.
    #[error("there is no grant `{0}`")]
    GrantIsMissing(String),
    /// More of a score is taken back than there is.
    #[error("the score in `{0}` is less than is taken back")]
    ScoreIsTooSmall(String),
    /// A purchase is taken back, and none was counted.
    #[error("no purchase is counted that could be taken back")]
    PurchaseIsMissing,
    /// A member leaves an account that nobody shares.
    #[error("nobody shares the wallets")]
    NobodyShares,
}

impl ApplyError {
    pub(crate) fn too_much(name: &(impl ToString + ?Sized)) -> ApplyError {
        ApplyError::TooMuch(name.to_string())
    }
}
