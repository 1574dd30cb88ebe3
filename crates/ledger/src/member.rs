//! Members, and how an entry changes one.
//!
//! A [`Member`] is the state after its last entry. To read it at a moment, ask a method that takes
//! the time, or make the member of that moment with [`Member::at`]: pending units become available,
//! and holds expire, without an entry. To change it, make an entry (`decision::Draft::decide`) and
//! call [`Member::apply`]; a stored member changes in no other way.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::activity::PURCHASE;
use crate::apply_error::ApplyError;
use crate::cap::{self, Counter, Day};
use crate::holdings::{EarlyDelivery, GrantEnd, History, Hold};
use crate::programme::BIRTHDAY;
use crate::reminder::Reminded;
use crate::restated::{Now, Restated};
use crate::task::Progress;
use crate::terms::HoldId;
use crate::tier_status::TierStatus;
use crate::{
    Change, Effect, Entry, EntryKind, Lot, MemberId, Moment, Posting, PostingSide, Seq,
    SharedLimit, Units, Verb, Wallet, WalletName, Withdrawal,
};

/// The most deliveries of unknown orders that a member keeps. The member is loaded with every
/// request; the oldest delivery gives way.
const EARLY_MAX: usize = 50;

/// A person or a company enrolled with one merchant, and all it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The merchant's own name for it.
    pub id: MemberId,
    /// The number of its last entry.
    pub seq: Seq,
    /// When it enrolled.
    pub enrolled_at: Moment,
    /// When the latest happened of what it was told of; when it enrolled, if nothing has. Its tier
    /// has been reviewed up to then.
    pub happened_at: Moment,
    /// What the merchant says about it: `birthday`, `city`.
    pub attributes: BTreeMap<String, String>,
    /// Its referrer.
    pub referred_by: Option<MemberId>,
    /// Tags that rules can ask for.
    pub tags: BTreeSet<String>,
    /// Its tier status when its last entry was decided.
    pub tier_status: TierStatus,
    /// What it has bought so far.
    pub history: History,
    /// Its wallets, those in which it ever had something.
    pub wallets: BTreeMap<WalletName, Wallet>,
    /// Its grants by name, with their ends.
    pub grants: BTreeMap<String, GrantEnd>,
    /// Its progress with each task.
    pub tasks: BTreeMap<String, Progress>,
    /// Its score in each contest.
    pub scores: BTreeMap<String, Units>,
    /// How often rules with a cap acted, by rule and by the day, the oldest day first.
    pub counters: BTreeMap<String, Vec<Counter>>,
    /// Its holds.
    pub holds: BTreeMap<HoldId, Hold>,
    /// Fractions of units that are carried over, by rule.
    pub remainders: BTreeMap<String, Decimal>,
    /// For each triggered activity, the last day that triggered it.
    pub triggered: BTreeMap<String, NaiveDate>,
    /// Deliveries of orders that are not known, the oldest first.
    pub early: Vec<EarlyDelivery>,
    /// When it was last active by its own action; for an account, also when a member that shares it
    /// was.
    pub active_at: Option<Moment>,
    /// The reminders that it has had.
    pub reminded: Reminded,
    /// The account whose wallets it shares.
    pub account: Option<MemberId>,
    /// The number of members that share its wallets.
    pub sharers: u32,
    /// When the person was erased.
    pub erased_at: Option<Moment>,
}

impl Member {
    /// A new member, which has nothing.
    #[must_use]
    pub fn new(id: MemberId, enrolled_at: Moment) -> Member {
        Member {
            id,
            seq: Seq::ENROLLED,
            enrolled_at,
            happened_at: enrolled_at,
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
            early: Vec::new(),
            active_at: None,
            reminded: Reminded::default(),
            account: None,
            sharers: 0,
            erased_at: None,
        }
    }

    /// Checks that the person was not erased.
    ///
    /// # Errors
    /// The person was erased.
    pub fn present(&self) -> Result<(), MemberIsErased> {
        match self.erased_at {
            None => Ok(()),
            Some(_) => Err(MemberIsErased(self.id.clone())),
        }
    }

    /// The wallet of that name, empty if nothing was ever in it.
    #[must_use]
    pub fn wallet(&self, name: &str) -> &Wallet {
        static EMPTY: std::sync::LazyLock<Wallet> = std::sync::LazyLock::new(Wallet::default);
        self.wallets.get(name).unwrap_or(&EMPTY)
    }

    /// The tier when its last entry was decided.
    #[must_use]
    pub fn tier(&self) -> Option<&str> {
        self.tier_status.tier.as_deref()
    }

    /// Whether it has a grant that has not expired.
    #[must_use]
    pub fn is_granted(&self, grant: &str, now: Moment) -> bool {
        self.grants.get(grant).is_some_and(|end| end.moment().is_none_or(|end| end > now))
    }

    /// The same member at `now`: lots whose day has come are available, holds whose end has come
    /// have expired, and their units have paid debt.
    #[must_use]
    pub fn at(&self, now: Moment) -> Member {
        let mut member = self.clone();
        member.wallets.values_mut().for_each(|wallet| wallet.pay_debt_from_expired_holds(now));
        member.pass(now);
        member
    }

    /// The postings by which the units of expired holds pay debt.
    pub(crate) fn debt_paid_by_expired_holds(&self, now: Moment) -> Vec<Posting> {
        let pays = |(name, wallet): (&WalletName, &Wallet)| -> Vec<Posting> {
            let released = wallet.clone().take_from_expired_holds(now);
            released.into_iter().map(|lot| Posting::pays_debt(name.clone(), lot)).collect()
        };
        self.wallets.iter().flat_map(pays).collect()
    }

    fn pass(&mut self, now: Moment) {
        self.wallets.values_mut().for_each(|wallet| wallet.merge_matured(now));
        let holds = self.holds.iter().filter(|(_, hold)| hold.until <= now);
        let passed: Vec<HoldId> = holds.map(|(id, _)| id.clone()).collect();
        passed.iter().for_each(|id| self.end_hold(id));
    }

    /// Ends a hold: its reward has not been had.
    pub(crate) fn end_hold(&mut self, id: &HoldId) {
        if let Some(Hold { reward, counted: Some(day), .. }) = self.holds.remove(id) {
            self.uncount(&reward, day);
        }
    }

    fn uncount(&mut self, rule: &str, day: Day) {
        if let Some(counters) = self.counters.get_mut(rule) {
            cap::uncount(counters, day);
            if counters.is_empty() {
                self.counters.remove(rule);
            }
        }
    }

    /// How often a rule with a cap has acted, by the day, the oldest first.
    #[must_use]
    pub fn counters(&self, rule: &str) -> &[Counter] {
        self.counters.get(rule).map_or(&[], Vec::as_slice)
    }

    /// The units that can be spent from a wallet now.
    #[must_use]
    pub fn spendable(&self, wallet: &str, now: Moment) -> Units {
        self.wallet(wallet).spendable(now)
    }

    /// The birthday, if it is known and a date.
    #[must_use]
    pub fn birthday(&self) -> Option<NaiveDate> {
        self.attributes.get(BIRTHDAY)?.parse().ok()
    }

    /// The first moment at which an expiry or the loss of a tier has to be recorded: that of a lot,
    /// a grant or a hold, or of a tier that it no longer qualifies for.
    #[must_use]
    pub fn due_at(&self) -> Option<Moment> {
        let lots = self.wallets.values().flat_map(Wallet::lots);
        let lots = lots.filter_map(|lot| lot.terms.due_at());
        let grants = self.grants.values().filter_map(|end| end.moment());
        let holds = self.holds.values().map(|hold| hold.until);
        lots.chain(grants).chain(holds).chain(self.tier_status.lost_at).min()
    }

    /// Applies an entry: turns the member before it into the member after it.
    ///
    /// # Errors
    /// The entry does not follow from this member. The member is then partly changed and must not
    /// be used.
    // INVARIANT: a stored member changes in no other way, so it is the sum of its entries.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        if entry.again.is_none() {
            self.pass(entry.happened_at());
        }
        self.post(&entry.postings)?;
        match &entry.again {
            Some(again) => self.restate(&again.state),
            None => self.happen(entry)?,
        }
        if let Some(tier_status) = &entry.tier_status {
            self.tier_status.clone_from(tier_status);
        }
        self.seq = entry.seq;
        Ok(())
    }

    /// Applies what an entry does beside moving units, if it changes nothing about earlier ones.
    fn happen(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        for reason in &entry.reasons {
            self.receive(&reason.effect)?;
        }
        for change in &entry.changes {
            self.change(change)?;
        }
        self.undergo(entry)?;
        self.active_at = self.active_at.max(entry.active_at());
        self.happened_at = self.happened_at.max(entry.happened_at());
        Ok(())
    }

    /// Moves units in the member's own wallets.
    pub(crate) fn post(&mut self, postings: &[Posting]) -> Result<(), ApplyError> {
        for posting in postings.iter().filter(|posting| !posting.shared) {
            let Posting { wallet: name, units, .. } = posting;
            let wallet = self.wallets.entry(name.clone()).or_default();
            match &posting.from {
                None => {}
                Some(PostingSide::Debt) => wallet.add_debt(name, *units)?,
                Some(PostingSide::Lot(terms)) => {
                    wallet.withdraw(name, &Lot { units: *units, terms: terms.clone() })?;
                }
            }
            match &posting.to {
                None => {}
                Some(PostingSide::Debt) => wallet.pay_debt(name, *units)?,
                Some(PostingSide::Lot(terms)) => {
                    let credit = Lot { units: *units, terms: terms.clone() };
                    wallet.add(credit).ok_or_else(|| ApplyError::too_much(name))?;
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, effect: &Effect) -> Result<(), ApplyError> {
        match effect {
            // Their units are in the postings, and the others change no member's state.
            Effect::Units { .. }
            | Effect::Reclaim { .. }
            | Effect::Voucher { .. }
            | Effect::Void { .. }
            | Effect::Referral { .. } => {}
            Effect::Grant { grant, until } => {
                self.grants.insert(grant.clone(), *until);
            }
            Effect::Revoke { grant } => {
                self.grants.remove(grant);
            }
            Effect::Tag { tag } => {
                self.tags.insert(tag.clone());
            }
            Effect::Untag { tag } => {
                self.tags.remove(tag);
            }
            Effect::Score { contest, units } => {
                let score = self.scores.entry(contest.clone()).or_default();
                let sum = score.checked_add(*units);
                *score = sum.ok_or_else(|| ApplyError::too_much(contest))?;
            }
            Effect::Unscore { contest, units } => {
                let score = self.scores.get_mut(contest);
                let rest = score.as_ref().and_then(|score| score.checked_sub(*units));
                let (Some(score), Some(rest)) = (score, rest) else {
                    return Err(ApplyError::ScoreIsTooSmall(contest.clone()));
                };
                *score = rest;
            }
        }
        Ok(())
    }

    fn change(&mut self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::Counted { rule, day, times } => {
                cap::count(self.counters.entry(rule.clone()).or_default(), rule, *day, *times)?;
            }
            Change::Uncounted { rule, day } => self.uncount(rule, *day),
            Change::Progressed { task, progress, .. } => {
                self.tasks.insert(task.clone(), progress.clone());
            }
            Change::GrantExpired { grant } => {
                let expired = self.grants.remove(grant);
                expired.ok_or_else(|| ApplyError::GrantIsMissing(grant.clone()))?;
            }
            Change::Carried { rule, remainder } if remainder.is_zero() => {
                self.remainders.remove(rule);
            }
            Change::Carried { rule, remainder } => {
                self.remainders.insert(rule.clone(), *remainder);
            }
            Change::Triggered { activity, day } => {
                self.triggered.insert(activity.clone(), *day);
            }
            Change::Awaited { early } => {
                self.early.push(early.clone());
                if self.early.len() > EARLY_MAX {
                    self.early.remove(0);
                }
            }
            Change::Arrived { deliveries } => {
                self.early.retain(|early| !deliveries.contains(early));
            }
            // `pass` has ended the hold, and the units that expired or were delivered are in
            // postings.
            Change::HoldExpired { .. }
            | Change::Unrecoverable { .. }
            | Change::Revived { .. }
            | Change::DeliveredInPart { .. } => {}
        }
        Ok(())
    }

    /// Makes the parts that are different what they are from now on.
    fn restate(&mut self, state: &Restated) {
        if let Some(happened_at) = state.happened_at {
            self.happened_at = happened_at;
        }
        if let Some(active_at) = &state.active_at {
            self.active_at = active_at.clone().there();
        }
        if let Some(history) = &state.history {
            self.history.clone_from(history);
        }
        if let Some(early) = &state.early {
            self.early.clone_from(early);
        }
        restate(&mut self.counters, &state.counters);
        restate(&mut self.tasks, &state.tasks);
        restate(&mut self.scores, &state.scores);
        restate(&mut self.grants, &state.grants);
        restate(&mut self.remainders, &state.remainders);
        restate(&mut self.triggered, &state.triggered);
        restate(&mut self.holds, &state.holds);
        for (tag, now) in &state.tags {
            match now {
                Now::Is(()) => self.tags.insert(tag.clone()),
                Now::Gone => self.tags.remove(tag),
            };
        }
    }

    /// Applies what follows from the kind of the entry.
    fn undergo(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        match &entry.kind {
            EntryKind::Earn { activity } if activity.kind == PURCHASE => {
                let total = activity.order.as_ref().map_or(Decimal::ZERO, |order| order.total);
                let too_much = || ApplyError::too_much("the purchases");
                let count = |purchases: &mut u32, spend: &mut Decimal| {
                    *purchases = purchases.checked_add(1).ok_or_else(too_much)?;
                    *spend = spend.checked_add(total).ok_or_else(too_much)?;
                    Ok(())
                };
                let History { purchases, spend, last_purchase_at, told_too_late } =
                    &mut self.history;
                count(purchases, spend)?;
                *last_purchase_at = (*last_purchase_at).max(Some(activity.at));
                if entry.was_told_too_late() {
                    count(&mut told_too_late.purchases, &mut told_too_late.spend)?;
                }
            }
            EntryKind::Hold { hold, until, reward, .. } => {
                self.holds.insert(hold.clone(), held(entry, *until, &reward.name));
            }
            EntryKind::Capture { hold, .. } | EntryKind::Release { hold } => {
                let open = self.holds.remove(hold);
                open.ok_or_else(|| ApplyError::HoldIsMissing(hold.clone()))?;
            }
            EntryKind::Join { account } => self.account = Some(account.clone()),
            EntryKind::Leave { .. } => self.account = None,
            EntryKind::Remind { reminders } => {
                reminders.iter().for_each(|reminder| self.reminded.note(reminder, entry.at));
            }
            EntryKind::Erase => self.forget(entry.at),
            EntryKind::Share { moved: Verb::Join, .. } => {
                let more = self.sharers.checked_add(1);
                self.sharers = more.ok_or_else(|| ApplyError::too_much("the sharers"))?;
            }
            EntryKind::Share { moved: Verb::Leave | Verb::Erase, .. } => {
                let fewer = self.sharers.checked_sub(1);
                self.sharers = fewer.ok_or(ApplyError::NobodyShares)?;
            }
            EntryKind::Earn { .. }
            | EntryKind::Redeem { .. }
            | EntryKind::Reverse { .. }
            | EntryKind::Rejudge { .. }
            | EntryKind::Adjust { .. }
            | EntryKind::Transfer { .. }
            | EntryKind::Share { .. }
            | EntryKind::Expire => {}
        }
        Ok(())
    }

    /// Drops everything about the person. Wallets stay, since they are what the merchant owes.
    fn forget(&mut self, now: Moment) {
        let Member { id, seq, enrolled_at, happened_at, wallets, .. } = self;
        let wallets = std::mem::take(wallets);
        let bare = Member::new(id.clone(), *enrolled_at);
        let (seq, happened_at) = (*seq, *happened_at);
        *self = Member { seq, happened_at, wallets, erased_at: Some(now), ..bare };
    }
}

fn restate<K: Clone + Ord, T: Clone>(map: &mut BTreeMap<K, T>, now: &BTreeMap<K, Now<T>>) {
    for (name, now) in now {
        match now {
            Now::Is(value) => map.insert(name.clone(), value.clone()),
            Now::Gone => map.remove(name),
        };
    }
}

/// The person was erased, so the member can neither earn nor spend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("member `{0}` has been erased")]
pub struct MemberIsErased(pub MemberId);

/// The hold that an entry of kind `Hold` makes.
fn held(entry: &Entry, until: Moment, reward: &str) -> Hold {
    let counted = entry.changes.iter().find_map(|change| match change {
        Change::Counted { rule, day, .. } if rule == reward => Some(*day),
        _ => None,
    });
    let is_stock = |taken: &Withdrawal| matches!(taken.limit, SharedLimit::Stock(_));
    let stock = entry.withdrawals.iter().any(is_stock);
    Hold { until, entry: entry.seq, reward: reward.to_owned(), counted, stock }
}
