//! Redeeming a reward.

use crate::decision::{Draft, GiveRejection};
use crate::{
    Decision, EntryKind, Lot, Member, Moment, Order, Posting, PostingReason, Programme,
    RedeemedReward, Units, WalletName,
};

/// Why a reward is not redeemed. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedeemRejection {
    /// The member has too few units to spend.
    #[error("reward `{reward}` costs {costs} {wallet}, and {spendable} can be spent")]
    BalanceIsInsufficient {
        /// The reward.
        reward: String,
        /// The wallet that pays.
        wallet: WalletName,
        /// The price.
        costs: Units,
        /// The units that can be spent now.
        spendable: Units,
    },
    /// What the rules gave cannot become an entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// The lots that pay the price of a reward: of those that can be spent, the soonest to expire.
///
/// # Errors
/// The member has too few units to spend.
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

/// Makes the entry of a redeemed reward: its price is taken from the lots that expire soonest, and
/// the effects of its rule are given.
///
/// # Errors
/// The member cannot afford it. The member is unchanged.
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
    let kind = EntryKind::Redeem { reward, order, happened_at: None };
    Ok(given.decide(member, programme, kind, now)?)
}

/// The posting of a lot that is spent.
pub(crate) fn spent(wallet: &WalletName, lot: Lot) -> Posting {
    Posting::out_of_lot(wallet.clone(), lot, PostingReason::Spent)
}
