//! Parts of the members, by chance: by a hash of who they are, so that they never change.

use ledger::programme::{Arm, PLACES};
use ledger::{MemberId, MerchantId, Programme};
use sha2::{Digest, Sha256};

/// A number from 0 to 99 that never changes for a member. It depends on the merchant, so that the
/// same people are not in every merchant's trials.
#[must_use]
pub fn bucket(merchant: &MerchantId, member: &MemberId) -> u8 {
    u8::try_from(hash(&format!("{merchant}#{member}")) % 100).unwrap_or_default()
}

/// The arm of a member in a trial; `None` if it is in neither, or if there is no such trial. It depends
/// on the name of the trial, so that the same people are not in every trial.
#[must_use]
pub fn arm(programme: &Programme, trial: &str, member: &MemberId) -> Option<Arm> {
    // No id contains a `#`.
    let place = hash(&format!("{}#{trial}#{member}", programme.merchant)) % u64::from(PLACES);
    programme.trials.get(trial)?.arm(u16::try_from(place).ok()?)
}

/// The first seven bytes of a hash, as a number.
fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(7).fold(0, |sum, byte| sum * 256 + u64::from(*byte))
}
