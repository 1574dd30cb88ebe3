//! Transfer: one member gives units to another.

use ledger::adjust::{MoveRejection, Transfer};
use ledger::{Decision, Member};

use crate::context::Context;
use crate::effects::are_one;
use crate::pipeline::{on_shared_wallets, with_tier_review};
use crate::refusal::{Refusal, Undecided};

/// Decides on a transfer, for both members.
///
/// # Errors
/// The units cannot be moved, a tier's condition failed, or data is missing.
pub fn transfer(
    context: &Context<'_>,
    from: &Member,
    transfer: &Transfer,
) -> Result<Decision, Undecided> {
    let (programme, now) = (context.programme(), context.now);
    // This check comes first: an erased member learns nothing about other members.
    from.present()?;
    let to = context.data.member(&transfer.to)?;
    let to = to.ok_or_else(|| Refusal::ReceiverIsUnknown(transfer.to.clone()))?;
    let name = transfer.wallet.as_deref().unwrap_or(programme.main_wallet.as_str());
    let shared = programme.wallets.get(name).is_some_and(|policy| policy.shared);
    if from.id == to.id || (shared && are_one(from, to)) {
        return Err(MoveRejection::BothSidesAreOne(from.id.clone()).into());
    }
    let mut received = None;
    let mut given = on_shared_wallets(context, from, |from| {
        let mut given = None;
        let other = on_shared_wallets(context, to, |to| {
            let (one, other) =
                ledger::adjust::transfer(from, to, programme, transfer.clone(), now)?;
            given = Some(one);
            Ok(with_tier_review(context, other, to)?)
        })?;
        received = Some(other);
        let given = given.ok_or_else(|| Refusal::ReceiverIsUnknown(transfer.to.clone()))?;
        Ok(with_tier_review(context, given, from)?)
    })?;
    if received.is_some_and(|received| !given.join(received)) {
        return Err(MoveRejection::BothSidesAreOne(from.id.clone()).into());
    }
    Ok(given)
}
