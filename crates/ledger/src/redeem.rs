//! A reward is taken.

use crate::decision::{Draft, GiveRejection};
use crate::{
    Decision, EntryKind, Lot, Member, Moment, Order, Posting, PostingReason, Programme,
    RedeemedReward, Units, WalletName,
};

/// Why a reward is not given. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedeemRejection {
    /// Not enough can be spent.
    #[error("reward `{reward}` costs {costs} {wallet}, and {spendable} can be spent")]
    BalanceIsInsufficient {
        /// The reward.
        reward: String,
        /// The wallet that pays.
        wallet: WalletName,
        /// What it costs.
        costs: Units,
        /// What can be spent now.
        spendable: Units,
    },
    /// What the rules gave cannot be given.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// What pays the reward's price: of the lots that can be spent, those that expire soonest.
///
/// # Errors
/// They do not suffice.
pub fn price(
    member: &Member,
    reward: &RedeemedReward,
    now: Moment,
) -> Result<Vec<Lot>, RedeemRejection> {
    let mut wallet = member.at(now).wallet(reward.wallet.as_str()).clone();
    let spendable = wallet.spendable(now);
    wallet.take(reward.costs, now).ok_or_else(|| RedeemRejection::BalanceIsInsufficient {
        reward: reward.name.clone(),
        wallet: reward.wallet.clone(),
        costs: reward.costs,
        spendable,
    })
}

/// Takes the reward's price from the lots that expire soonest, and gives what its rule gave beside
/// the gift.
///
/// # Errors
/// The member cannot afford it. Nothing has changed then.
pub fn decide(
    member: &Member,
    programme: &Programme,
    reward: RedeemedReward,
    order: Option<Order>,
    mut given: Draft,
    now: Moment,
) -> Result<Decision, RedeemRejection> {
    let taken = price(member, &reward, now)?;
    given.postings = taken.into_iter().map(|lot| spent(&reward.wallet, lot)).collect();
    Ok(given.decide(member, programme, EntryKind::Redeem { reward, order }, now, now)?)
}

/// The posting of a lot that is spent.
pub(crate) fn spent(wallet: &WalletName, lot: Lot) -> Posting {
    Posting::out_of_lot(wallet.clone(), lot, PostingReason::Spent)
}
