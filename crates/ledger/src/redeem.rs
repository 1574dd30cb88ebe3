use crate::{Decision, Member, Moment, Order, Posting, Taken, Units, WalletName, What};

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
}

/// Takes the reward's price from the lots that expire soonest.
///
/// # Errors
/// The member cannot afford it. Nothing has changed then.
pub fn decide(
    member: &Member,
    reward: Taken,
    order: Option<Order>,
    now: Moment,
) -> Result<Decision, RedeemRejection> {
    let mut member = member.matured(now);
    let spendable = member.spendable(reward.wallet.as_str(), now);
    let wallet = member.wallets.entry(reward.wallet.clone()).or_default();
    let Some(taken) = wallet.take(reward.costs, now) else {
        return Err(RedeemRejection::BalanceIsInsufficient {
            reward: reward.name,
            wallet: reward.wallet,
            costs: reward.costs,
            spendable,
        });
    };
    let postings =
        taken.into_iter().map(|lot| Posting::taken(reward.wallet.clone(), lot)).collect();
    Ok(Decision::of(member, now, What::Redeem { reward, order }, postings))
}
