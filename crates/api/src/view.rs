use std::collections::BTreeMap;

use ledger::entry::TierChange;
use ledger::{Entry, Moment, Order, Paid, Posting, Taken, Units, WalletName, What};
use serde::Serialize;

/// An entry as a client reads it: in the answer to the request that made it, and in the statement.
#[derive(Debug, Clone, Serialize)]
pub struct EntryView<'a> {
    seq: u64,
    kind: &'static str,
    at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<ActivityView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<RewardView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<Vec<PaidView<'a>>>,
    postings: &'a [Posting],
    balances: &'a BTreeMap<WalletName, Units>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a TierChange>,
}

#[derive(Debug, Clone, Serialize)]
struct ActivityView<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct RewardView<'a> {
    name: &'a str,
    source: &'a str,
    wallet: &'a WalletName,
    costs: Units,
    gives: &'a ledger::entry::Gives,
}

#[derive(Debug, Clone, Serialize)]
struct PaidView<'a> {
    rule: &'a str,
    source: &'a str,
    wallet: &'a WalletName,
    units: Units,
}

impl<'a> EntryView<'a> {
    /// The view of an entry.
    #[must_use]
    pub fn of(entry: &'a Entry) -> EntryView<'a> {
        let (mut activity, mut because, mut reward) = (None, None, None);
        match &entry.what {
            What::Earn { activity: done, because: paid } => {
                activity = Some(ActivityView {
                    id: &done.id,
                    kind: &done.kind,
                    at: done.at,
                    total: done.order.as_ref().map(|order: &Order| order.total.to_string()),
                });
                because = Some(paid.iter().map(PaidView::of).collect());
            }
            What::Redeem { reward: taken, .. } => reward = Some(RewardView::of(taken)),
            What::Expire => {}
        }
        EntryView {
            seq: entry.seq,
            kind: entry.what.kind(),
            at: entry.at,
            activity,
            reward,
            because,
            postings: &entry.postings,
            balances: &entry.balances,
            tier: entry.tier.as_ref(),
        }
    }
}

impl<'a> PaidView<'a> {
    fn of(paid: &'a Paid) -> PaidView<'a> {
        PaidView { rule: &paid.rule, source: &paid.source, wallet: &paid.wallet, units: paid.units }
    }
}

impl<'a> RewardView<'a> {
    fn of(taken: &'a Taken) -> RewardView<'a> {
        RewardView {
            name: &taken.name,
            source: &taken.source,
            wallet: &taken.wallet,
            costs: taken.costs,
            gives: &taken.gives,
        }
    }
}
