//! The form of spec files as they are written, before any name is checked.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Moment;
use rules::Object;
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::input::{ActivityBody, Amount, At, InJson, OrderBody};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "specs, each under `[[spec]]`")]
pub(super) struct File {
    #[serde(default)]
    pub(super) spec: Vec<Object<Spec>>,
}

/// Defines a struct with the fields of a step. A spec without steps has these fields itself.
macro_rules! step {
    ($(#[$attribute:meta])* $name:ident { $($own:ident: $kind:ty,)* }) => {
        $(#[$attribute])*
        pub(super) struct $name {
            $(pub(super) $own: $kind,)*
            pub(super) at: Option<InJson<At>>,
            pub(super) activity: Option<Spanned<InJson<Object<ActivityBody>>>>,
            pub(super) redeem: Option<Spanned<Object<RedeemBody>>>,
            pub(super) pays: Option<Sums>,
            pub(super) because: Option<Vec<Spanned<String>>>,
            pub(super) expires: Option<Sums>,
            pub(super) costs: Option<Sums>,
            pub(super) gives: Option<Spanned<Value>>,
            pub(super) refused: Option<String>,
            pub(super) balance: Option<Sums>,
            pub(super) pending: Option<Sums>,
            pub(super) tier: Option<Spanned<String>>,
            pub(super) grants: Option<BTreeSet<Spanned<String>>>,
            pub(super) tags: Option<BTreeSet<String>>,
            pub(super) tasks: Option<BTreeMap<Spanned<String>, String>>,
            pub(super) scores: Option<BTreeMap<Spanned<String>, i64>>,
            pub(super) rewards: Option<BTreeSet<Spanned<String>>>,
            pub(super) benefits: Option<BTreeSet<Spanned<String>>>,
            pub(super) vouchers: Option<Vec<String>>,
            pub(super) referrer_gets: Option<Object<ReferrerGets>>,
        }

        impl $name {
            pub(super) fn into_step(self) -> Step {
                let Self {
                    at, activity, redeem, pays, because, expires, costs, gives, refused, balance,
                    pending, tier, grants, tags, tasks, scores, rewards, benefits, vouchers,
                    referrer_gets, ..
                } = self;
                Step {
                    at, activity, redeem, pays, because, expires, costs, gives, refused, balance,
                    pending, tier, grants, tags, tasks, scores, rewards, benefits, vouchers,
                    referrer_gets,
                }
            }
        }
    };
}

/// Numbers by name, such as units by wallet.
pub(super) type Sums = BTreeMap<Spanned<String>, i64>;

step! {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "a spec")]
    Spec {
        it: Spanned<String>,
        member: Option<Object<MemberBody>>,
        referrer: Option<Object<MemberBody>>,
        pools: Option<BTreeMap<Spanned<String>, Vec<String>>>,
        stock: Option<Sums>,
        budgets: Option<Sums>,
        step: Option<Vec<Spanned<Object<Step>>>>,
    }
}

step! {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "a step of a spec")]
    Step {}
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, expecting = "a reward that is taken")]
pub(super) struct RedeemBody {
    pub(super) reward: Spanned<String>,
    pub(super) units: Option<i64>,
    pub(super) order: Option<InJson<Object<OrderBody>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "what the one who brought the member gets")]
pub(super) struct ReferrerGets {
    pub(super) pays: Option<Sums>,
    pub(super) because: Option<Vec<Spanned<String>>>,
    pub(super) balance: Option<Sums>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a member")]
pub(super) struct MemberBody {
    pub(super) tier: Option<Spanned<String>>,
    pub(super) bucket: Option<u8>,
    pub(super) trials: BTreeSet<Spanned<String>>,
    pub(super) tags: BTreeSet<String>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) enrolled: Option<InJson<At>>,
    pub(super) wallets: Sums,
    pub(super) purchases: u32,
    pub(super) spend: Option<InJson<Amount>>,
    pub(super) last_purchase: Option<InJson<At>>,
    pub(super) grants: BTreeMap<Spanned<String>, Until>,
    pub(super) tasks: BTreeMap<Spanned<String>, u32>,
    pub(super) scores: Sums,
}

/// The end of a grant: a time, or `true` for a grant without an end.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged, expecting = "a time in quotes, or true for a grant that stays")]
pub(super) enum Until {
    Stays(bool),
    At(At),
}

impl Step {
    pub(super) fn happens(&self) -> bool {
        self.activity.is_some() || self.redeem.is_some()
    }

    pub(super) fn expects(&self) -> bool {
        let units = [&self.pays, &self.expires, &self.costs, &self.balance, &self.pending];
        let named = [&self.grants, &self.rewards, &self.benefits];
        units.iter().any(|sums| sums.is_some())
            || self.tags.is_some()
            || named.iter().any(|names| names.is_some())
            || self.because.is_some()
            || self.gives.is_some()
            || self.refused.is_some()
            || self.tier.is_some()
            || self.tasks.is_some()
            || self.scores.is_some()
            || self.vouchers.is_some()
            || self.referrer_gets.is_some()
    }

    /// The moment of the step: its own time, its activity's, or that of the step before.
    pub(super) fn moment(&self, before: Option<Moment>) -> Option<Moment> {
        let of_activity = || self.activity.as_ref()?.get_ref().0.0.stated_at();
        self.at.as_ref().map(|at| at.0.0).or_else(of_activity).or(before)
    }
}
