use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use crate::activity::PURCHASE;
use crate::cap::{self, Counter};
use crate::task::Progress;
use crate::tier::Standing;
use crate::{Change, Entry, MemberId, Moment, Outcome, Units, Wallet, WalletName, What};

/// A person (or a company) enrolled with one merchant, and all it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The merchant's own name for it.
    pub id: MemberId,
    /// How often it has changed: the `seq` of its last entry. 0 once enrolled.
    pub version: u64,
    /// When it joined.
    pub enrolled_at: Moment,
    /// When its last entry was decided; when it joined if there is none.
    pub settled_at: Moment,
    /// What the merchant tells of it: `birthday`, `city`.
    pub attributes: BTreeMap<String, String>,
    /// Who brought it.
    pub referred_by: Option<MemberId>,
    /// Marks that rules can ask for.
    pub tags: BTreeSet<String>,
    /// How it stood with its tier when its last entry was decided.
    pub standing: Standing,
    /// What it has bought so far.
    pub history: History,
    /// Wallets that hold or held something.
    pub wallets: BTreeMap<WalletName, Wallet>,
    /// Rights by name, with their first moment gone; those without one stay.
    pub grants: BTreeMap<String, Option<Moment>>,
    /// How far it is with each task.
    pub tasks: BTreeMap<String, Progress>,
    /// Its score in each contest.
    pub scores: BTreeMap<String, Units>,
    /// How often the rules that may act only so often have acted lately, by rule, the oldest period
    /// first.
    pub counters: BTreeMap<String, Vec<Counter>>,
}

/// What a member has bought: how often, for how much, and when last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Purchases.
    pub purchases: u32,
    /// The sum of their totals, in the programme's currency.
    pub spend: Decimal,
    /// The latest of them.
    pub last_purchase_at: Option<Moment>,
}

impl Member {
    /// The wallet, empty if nothing was ever in it.
    #[must_use]
    pub fn wallet(&self, name: &str) -> &Wallet {
        static EMPTY: std::sync::LazyLock<Wallet> = std::sync::LazyLock::new(Wallet::default);
        self.wallets.get(name).unwrap_or(&EMPTY)
    }

    /// The tier as its last entry left it.
    #[must_use]
    pub fn tier(&self) -> Option<&str> {
        self.standing.tier.as_deref()
    }

    /// Whether it has a right now.
    #[must_use]
    pub fn is_granted(&self, grant: &str, now: Moment) -> bool {
        self.grants.get(grant).is_some_and(|until| until.is_none_or(|until| until > now))
    }

    /// The same member, to be changed: lots whose day has come are one with the others.
    #[must_use]
    pub(crate) fn matured(&self, now: Moment) -> Member {
        let mut member = self.clone();
        member.wallets.values_mut().for_each(|wallet| wallet.mature(now));
        member
    }

    /// What can be spent from a wallet now.
    #[must_use]
    pub fn spendable(&self, wallet: &str, now: Moment) -> Units {
        self.wallet(wallet).spendable(now)
    }

    /// When this member needs the scheduled run: when the first of its lots or grants lapses, or a
    /// tier that it no longer qualifies for is lost.
    #[must_use]
    pub fn due_at(&self) -> Option<Moment> {
        let lots = self.wallets.values().flat_map(Wallet::lots).filter_map(|lot| lot.expires_at);
        lots.chain(self.grants.values().copied().flatten()).chain(self.standing.lost_at).min()
    }

    /// Makes of the member before an entry the member after it. There is no other way to change
    /// one, so a member is what its entries add up to. Nothing, and the member is spoilt, if the
    /// entry is none that this member can have: a lot it takes from is not there, or a wallet would
    /// hold too much.
    #[must_use]
    pub fn apply(&mut self, entry: &Entry) -> Option<()> {
        self.wallets.values_mut().for_each(|wallet| wallet.mature(entry.at));
        for posting in &entry.postings {
            let wallet = self.wallets.entry(posting.wallet.clone()).or_default();
            let lot = posting.lot()?;
            if posting.change < 0 { wallet.withdraw(lot)? } else { wallet.add(lot)? }
        }
        for reason in &entry.because {
            self.receive(&reason.gave)?;
        }
        for change in &entry.changes {
            match change {
                Change::Counted { counted, since } => cap::count(self, counted, *since),
                Change::Progressed { task, progress } => {
                    self.tasks.insert(task.clone(), progress.clone());
                }
                Change::Lapsed { lapsed } => {
                    self.grants.remove(lapsed)?;
                }
            }
        }
        if let What::Earn { activity } = &entry.what
            && activity.kind == PURCHASE
        {
            let total = activity.order.as_ref().map_or(Decimal::ZERO, |order| order.total);
            let History { purchases, spend, last_purchase_at } = &mut self.history;
            *purchases = purchases.saturating_add(1);
            *spend = spend.checked_add(total)?;
            *last_purchase_at = (*last_purchase_at).max(Some(activity.at));
        }
        if let Some(standing) = &entry.standing {
            self.standing.clone_from(standing);
        }
        self.version = entry.seq;
        self.settled_at = self.settled_at.max(entry.at);
        Some(())
    }

    fn receive(&mut self, outcome: &Outcome) -> Option<()> {
        match outcome {
            // Units are in the postings, with their lots.
            Outcome::Units { .. } | Outcome::Voucher { .. } | Outcome::Referral { .. } => {}
            Outcome::Grant { grant, until } => {
                self.grants.insert(grant.clone(), *until);
            }
            Outcome::Revoke { revoke } => {
                self.grants.remove(revoke);
            }
            Outcome::Tag { tag } => {
                self.tags.insert(tag.clone());
            }
            Outcome::Untag { untag } => {
                self.tags.remove(untag);
            }
            Outcome::Score { contest, score } => {
                let sum = self.scores.entry(contest.clone()).or_default();
                *sum = sum.checked_add(*score)?;
            }
        }
        Some(())
    }
}
