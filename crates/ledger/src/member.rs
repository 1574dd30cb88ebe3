use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::activity::PURCHASE;
use crate::cap::{self, Counter};
use crate::remind::Reminded;
use crate::task::Progress;
use crate::tier::TierStatus;
use crate::wallet::HoldId;
use crate::{
    Change, Effect, Entry, EntryKind, MemberId, Moment, Posting, SharedLimit, Units, Wallet,
    WalletName,
};

/// The attribute that holds the birthday, as `1990-05-17`.
pub const BIRTHDAY: &str = "birthday";

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
    pub tier_status: TierStatus,
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
    /// What is set aside, by name.
    pub holds: BTreeMap<HoldId, Hold>,
    /// Parts of units that are carried over, by rule.
    pub remainders: BTreeMap<String, Decimal>,
    /// For which day each activity that comes by itself has come last.
    pub triggered: BTreeMap<String, NaiveDate>,
    /// When it was active last, by its own doing; as an account, when one was who shares it.
    pub active_at: Option<Moment>,
    /// What it has been reminded of.
    pub reminded: Reminded,
    /// Whose wallets it shares.
    pub account: Option<MemberId>,
    /// How many share its wallets.
    pub sharers: u32,
    /// When the person was forgotten.
    pub erased_at: Option<Moment>,
}

/// Something set aside. Its units lie in lots that name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// It is released by itself then.
    pub until: Moment,
    /// The entry that set it aside.
    pub entry: u64,
    /// The reward.
    pub reward: String,
    /// The period in which the reward was counted, if it can be had only so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Moment>,
    /// Whether a piece of its stock is set aside with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stock: bool,
}

impl Hold {
    /// The stock that a piece is set aside of.
    #[must_use]
    pub fn limit(&self) -> Option<SharedLimit> {
        self.stock.then(|| SharedLimit::Stock(self.reward.clone()))
    }
}

/// What a member has bought: how often, for how much, and when last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// Purchases.
    pub purchases: u32,
    /// The sum of their totals, in the programme's currency.
    #[serde(with = "rust_decimal::serde::str")]
    pub spend: Decimal,
    /// The latest of them.
    pub last_purchase_at: Option<Moment>,
}

impl Member {
    /// A member who has nothing.
    #[must_use]
    pub fn new(id: MemberId, enrolled_at: Moment) -> Member {
        Member {
            id,
            version: 0,
            enrolled_at,
            settled_at: enrolled_at,
            attributes: BTreeMap::new(),
            referred_by: None,
            tags: BTreeSet::new(),
            tier_status: TierStatus::default(),
            history: History::default(),
            wallets: BTreeMap::new(),
            grants: BTreeMap::new(),
            tasks: BTreeMap::new(),
            scores: BTreeMap::new(),
            counters: BTreeMap::new(),
            holds: BTreeMap::new(),
            remainders: BTreeMap::new(),
            triggered: BTreeMap::new(),
            active_at: None,
            reminded: Reminded::default(),
            account: None,
            sharers: 0,
            erased_at: None,
        }
    }

    /// The wallet, empty if nothing was ever in it.
    #[must_use]
    pub fn wallet(&self, name: &str) -> &Wallet {
        static EMPTY: std::sync::LazyLock<Wallet> = std::sync::LazyLock::new(Wallet::default);
        self.wallets.get(name).unwrap_or(&EMPTY)
    }

    /// The tier as its last entry left it.
    #[must_use]
    pub fn tier(&self) -> Option<&str> {
        self.tier_status.tier.as_deref()
    }

    /// Whether it has a right now.
    #[must_use]
    pub fn is_granted(&self, grant: &str, now: Moment) -> bool {
        self.grants.get(grant).is_some_and(|until| until.is_none_or(|until| until > now))
    }

    /// The same member as time has made it: lots whose day has come are one with the others, and
    /// what was set aside for too long is free again, and has paid what is owed.
    #[must_use]
    pub fn at(&self, now: Moment) -> Member {
        let mut member = self.clone();
        member.wallets.values_mut().for_each(|wallet| wallet.pay_debt_from_expired_holds(now));
        member.pass(now);
        member
    }

    /// The postings by which what was set aside has paid what is owed, when it was free again.
    pub(crate) fn debt_paid_by_expired_holds(&self, now: Moment) -> Vec<Posting> {
        let pays = |(name, wallet): (&WalletName, &Wallet)| -> Vec<[Posting; 2]> {
            let freed = wallet.clone().take_from_expired_holds(now);
            freed.into_iter().map(|lot| Posting::pays(name.clone(), lot)).collect()
        };
        self.wallets.iter().flat_map(pays).flatten().collect()
    }

    fn pass(&mut self, now: Moment) {
        self.wallets.values_mut().for_each(|wallet| wallet.merge_matured(now));
        let passed: Vec<Hold> =
            self.holds.extract_if(.., |_, hold| hold.until <= now).map(|(_, hold)| hold).collect();
        for hold in passed {
            if let Some(since) = hold.counted {
                cap::uncount(self, &hold.reward, since);
            }
        }
    }

    /// What can be spent from a wallet now.
    #[must_use]
    pub fn spendable(&self, wallet: &str, now: Moment) -> Units {
        self.wallet(wallet).spendable(now)
    }

    /// When it was born, if that is known.
    #[must_use]
    pub fn birthday(&self) -> Option<NaiveDate> {
        self.attributes.get(BIRTHDAY)?.parse().ok()
    }

    /// When there is something to write down of what the member has: the first of its lots, grants
    /// or holds lapses, or a tier that it no longer qualifies for is lost.
    #[must_use]
    pub fn due_at(&self) -> Option<Moment> {
        let lots = self.wallets.values().flat_map(Wallet::lots);
        let lots = lots.filter_map(|lot| lot.terms.due_at());
        let grants = self.grants.values().copied().flatten();
        let holds = self.holds.values().map(|hold| hold.until);
        lots.chain(grants).chain(holds).chain(self.tier_status.lost_at).min()
    }

    /// Makes of the member before an entry the member after it. There is no other way to change
    /// one, so a member is what its entries add up to. Nothing, and the member is spoilt, if the
    /// entry is none that this member can have: a lot it takes from is not there, or a wallet would
    /// hold too much.
    #[must_use]
    pub fn apply(&mut self, entry: &Entry) -> Option<()> {
        self.pass(entry.at);
        self.post(&entry.postings)?;
        for reason in &entry.reasons {
            self.receive(&reason.effect)?;
        }
        for change in &entry.changes {
            self.change(change)?;
        }
        self.undergo(entry)?;
        if let Some(tier_status) = &entry.tier_status {
            self.tier_status.clone_from(tier_status);
        }
        self.active_at = self.active_at.max(entry.active_at());
        self.version = entry.seq;
        self.settled_at = self.settled_at.max(entry.at);
        Some(())
    }

    /// Moves units in the member's own wallets.
    pub(crate) fn post(&mut self, postings: &[Posting]) -> Option<()> {
        for posting in postings.iter().filter(|posting| !posting.shared) {
            let wallet = self.wallets.entry(posting.wallet.clone()).or_default();
            let lot = posting.lot()?;
            match posting.debt {
                true => wallet.adjust_debt(posting.change.checked_neg()?)?,
                false if posting.change < 0 => wallet.withdraw(&lot)?,
                false => wallet.add(lot)?,
            }
        }
        Some(())
    }

    fn receive(&mut self, outcome: &Effect) -> Option<()> {
        match outcome {
            // Units are in the postings, with their lots.
            Effect::Units { .. }
            | Effect::Back { .. }
            | Effect::Voucher { .. }
            | Effect::Void { .. }
            | Effect::Referral { .. } => {}
            Effect::Grant { grant, until } => {
                self.grants.insert(grant.clone(), *until);
            }
            Effect::Revoke { revoke } => {
                self.grants.remove(revoke);
            }
            Effect::Tag { tag } => {
                self.tags.insert(tag.clone());
            }
            Effect::Untag { untag } => {
                self.tags.remove(untag);
            }
            Effect::Score { contest, score } => {
                let sum = self.scores.entry(contest.clone()).or_default();
                *sum = sum.checked_add(*score)?;
            }
            Effect::Unscore { contest, unscore } => {
                let sum = self.scores.get_mut(contest)?;
                *sum = sum.checked_sub(*unscore)?;
            }
        }
        Some(())
    }

    fn change(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::Counted { counted, since } => cap::count(self, counted, *since),
            Change::Uncounted { uncounted, since } => cap::uncount(self, uncounted, *since),
            Change::Progressed { task, progress, .. } => {
                self.tasks.insert(task.clone(), progress.clone());
            }
            Change::Lapsed { lapsed } => {
                self.grants.remove(lapsed)?;
            }
            Change::Carried { carried, remainder } if remainder.is_zero() => {
                self.remainders.remove(carried);
            }
            Change::Carried { carried, remainder } => {
                self.remainders.insert(carried.clone(), *remainder);
            }
            Change::Bought { bought } => self.history.clone_from(bought),
            Change::Triggered { triggered, day } => {
                self.triggered.insert(triggered.clone(), *day);
            }
            // Time has freed it, and the units that are gone are in the postings of their day.
            Change::Freed { .. } | Change::Unrecoverable { .. } => {}
        }
        Some(())
    }

    /// What an entry changes by being of its kind.
    fn undergo(&mut self, entry: &Entry) -> Option<()> {
        match &entry.kind {
            EntryKind::Earn { activity } if activity.kind == PURCHASE => {
                let total = activity.order.as_ref().map_or(Decimal::ZERO, |order| order.total);
                let History { purchases, spend, last_purchase_at } = &mut self.history;
                *purchases = purchases.saturating_add(1);
                *spend = spend.checked_add(total)?;
                *last_purchase_at = (*last_purchase_at).max(Some(activity.at));
            }
            EntryKind::Hold { hold, until, reward, .. } => {
                let counted = entry.changes.iter().find_map(|change| match change {
                    Change::Counted { counted, since } if *counted == reward.name => Some(*since),
                    _ => None,
                });
                let stock = entry
                    .withdrawals
                    .iter()
                    .any(|withdraw| matches!(withdraw.limit, SharedLimit::Stock(_)));
                let (until, entry, reward) = (*until, entry.seq, reward.name.clone());
                self.holds.insert(hold.clone(), Hold { until, entry, reward, counted, stock });
            }
            EntryKind::Capture { hold, .. } | EntryKind::Release { hold } => {
                self.holds.remove(hold)?;
            }
            EntryKind::Join { account } => self.account = Some(account.clone()),
            EntryKind::Leave { .. } => self.account = None,
            EntryKind::Remind { reminders } => {
                reminders.iter().for_each(|reminder| self.reminded.note(reminder, entry.at));
            }
            EntryKind::Erase => self.forget(entry.at),
            EntryKind::Share { moved, .. } => match moved.as_str() {
                "join" => self.sharers = self.sharers.checked_add(1)?,
                "leave" | "erase" => self.sharers = self.sharers.checked_sub(1)?,
                _ => {}
            },
            EntryKind::Earn { .. }
            | EntryKind::Redeem { .. }
            | EntryKind::Reverse { .. }
            | EntryKind::Adjust { .. }
            | EntryKind::Transfer { .. }
            | EntryKind::Expire => {}
        }
        Some(())
    }

    /// Drops all that tells of the person. Wallets stay, as they are what the merchant owes.
    fn forget(&mut self, now: Moment) {
        let Member { id, version, enrolled_at, settled_at, wallets, .. } = self;
        let wallets = std::mem::take(wallets);
        let bare = Member::new(id.clone(), *enrolled_at);
        let (version, settled_at) = (*version, *settled_at);
        *self = Member { version, settled_at, wallets, erased_at: Some(now), ..bare };
    }
}
