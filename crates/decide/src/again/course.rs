//! The course of a history: everything on a timeline happens to the member, one after the other, by
//! the history as it was and by the history as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::again::Derived;
use ledger::decision::GiveRejection;
use ledger::entry::Note;
use ledger::tier_status::TierChange;
use ledger::{
    Allocations, Cause, Entry, EntryKind, FailedRule, HistorySlice, Member, MemberId, MissingData,
    Moment, Posting, PostingReason, Reason, RedeemedReward, Seq, Since, WalletName, Withdrawal,
};

use super::causes::causes;
use super::side::{Account, Happened, Present, Side, referral};
use super::timeline::{Item, Source};
use crate::context::Context;
use crate::referral::Referrals;
use crate::refusal::Undecided;

/// Both derivations of a member, and what they come to.
pub(super) struct Course<'a> {
    context: Context<'a>,
    member: Member,
    since: Since,
    /// The first entry of each account for one of the member's own.
    firsts: BTreeMap<MemberId, Seq>,
    pub(super) was: Side,
    pub(super) is: Side,
    /// What became of each entry, the first to happen first.
    pub(super) played: Vec<Played>,
    /// The entry of the told activity, in its place.
    pub(super) told: Option<Entry>,
    pub(super) referrals: Referrals,
    /// The units that rewards and staff took and no longer take, or gave if below zero.
    pub(super) restored: BTreeMap<WalletName, i64>,
    /// Whether units come back of a reward.
    pub(super) is_reward_back: bool,
    /// What rules take now that have been mended.
    pub(super) fresh: Allocations,
}

/// What became of one entry by both histories.
pub(super) struct Played {
    pub(super) seq: Seq,
    /// Whether it was undone, and is not any more.
    pub(super) is_back: bool,
    pub(super) was: Vec<Reason>,
    pub(super) is: Vec<Reason>,
    /// The tiers by which it was and is judged, if they differ.
    pub(super) tier: Option<TierChange>,
    /// What its rules see that is otherwise.
    pub(super) causes: Vec<Cause>,
    /// What it takes from shared limits by the history as it is.
    pub(super) withdrawals: Vec<Withdrawal>,
    /// The rules that fail by the history as it is.
    pub(super) notes: Vec<Note>,
    /// Those of them that did not fail by the history as it was.
    pub(super) failures: Vec<FailedRule>,
}

impl<'a> Course<'a> {
    pub(super) fn new(
        context: &Context<'a>,
        member: &Member,
        slice: &HistorySlice,
        since: Since,
    ) -> Course<'a> {
        let mut firsts: BTreeMap<MemberId, Seq> = BTreeMap::new();
        for of in slice.entries.iter().filter_map(|entry| entry.account.as_ref()) {
            let first = firsts.entry(of.account.clone()).or_insert(of.entry);
            *first = (*first).min(of.entry);
        }
        let side = || Side {
            own: Derived::from(slice.before.clone()),
            accounts: BTreeMap::new(),
            orders: Vec::new(),
            deliveries: Vec::new(),
        };
        Course {
            context: *context,
            member: member.clone(),
            since,
            firsts,
            was: side(),
            is: side(),
            played: Vec::new(),
            told: None,
            referrals: Referrals::default(),
            restored: BTreeMap::new(),
            is_reward_back: false,
            fresh: Allocations::default(),
        }
    }

    /// Lets one thing happen.
    pub(super) fn play(&mut self, item: &Item<'a>) -> Result<(), Undecided> {
        self.with_accounts(item)?;
        let before = self.was.own.member.clone();
        let present = Present { context: &self.context, stored: &self.member, taken: &self.fresh };
        let was = item.was.as_ref();
        let was = was.map(|play| self.was.happen(present, item, play, &before)).transpose()?;
        let is = item.is.as_ref();
        let is = is.map(|play| self.is.happen(present, item, play, &before)).transpose()?;
        if let Some(is) = &is {
            let taken = self.fresh.add(&is.taken_since.now);
            taken.map_err(|error| GiveRejection::of(&self.member.id, error))?;
        }
        if let Source::Entry(entry) = &item.source {
            let sides = [(&mut self.was, &was), (&mut self.is, &is)];
            let stored: Vec<Reason> =
                entry.reasons.iter().chain(item.gave_since()).cloned().collect();
            for (side, happened) in sides {
                if let Some(happened) = happened {
                    side.keep_codes(item.rules, &stored, &happened.entry.reasons);
                }
            }
        }
        self.compare(item, was.as_ref(), is.as_ref());
        Ok(())
    }

    /// What others do in the wallets of accounts after the last of it.
    pub(super) fn end(&mut self) -> Result<(), Undecided> {
        for side in [&mut self.was, &mut self.is] {
            for account in side.accounts.values_mut() {
                account.advance(self.context.programme(), None)?;
            }
        }
        Ok(())
    }

    /// The member at a moment after all that has happened so far, as its rules see it.
    pub(super) fn present(&self, at: Moment) -> Member {
        let member = &self.is.own.member;
        let account = member.account.as_ref().and_then(|id| self.is.accounts.get(id));
        let account = account.map(|account| &account.derived.member);
        let context = Context { now: at, ..self.context };
        context.view(member, account).at(at)
    }

    /// Brings the accounts of both sides to the moment of an item.
    fn with_accounts(&mut self, item: &Item<'a>) -> Result<(), Undecided> {
        let entry = match &item.source {
            Source::Entry(entry) => entry.account.as_ref(),
            Source::Told(_) => None,
        };
        let members = [&self.was.own.member, &self.is.own.member];
        let ids = members.into_iter().filter_map(|member| member.account.clone());
        let mut ids: Vec<MemberId> = ids.collect();
        ids.dedup();
        let until = (item.at, entry.map(|of| of.entry));
        for id in ids {
            if !self.was.accounts.contains_key(&id) {
                let Some(account) = self.context.data.member(&id)? else { continue };
                let account = self.account(account)?;
                self.is.accounts.insert(id.clone(), account.clone());
                self.was.accounts.insert(id.clone(), account);
            }
            for side in [&mut self.was, &mut self.is] {
                if let Some(account) = side.accounts.get_mut(&id) {
                    account.advance(item.rules.programme(), Some(until))?;
                }
            }
        }
        Ok(())
    }

    /// An account as it was when the timeline begins, with what others did since.
    fn account(&self, account: &Member) -> Result<Account, MissingData> {
        // The history of an erased person cannot be read; its wallets are there.
        if account.erased_at.is_some() {
            let derived = Derived::from(account.clone());
            return Ok(Account { derived, rest: Vec::new() });
        }
        let since = Since { entry: self.firsts.get(&account.id).copied(), ..self.since };
        let slice = self.context.data.slice_since(account, since)?;
        let first = self.was.own.member.seq;
        let is_own = |entry: &Entry| match &entry.kind {
            EntryKind::Share { by, entry, .. } => *by == self.member.id && *entry > first,
            _ => false,
        };
        let rest = slice.entries.iter().filter(|entry| !is_own(entry)).cloned();
        let mut rest: Vec<Entry> = rest.collect();
        rest.sort_by_key(|entry| std::cmp::Reverse((entry.happened_at(), entry.seq)));
        Ok(Account { derived: Derived::from(slice.before.clone()), rest })
    }

    /// Notes what one thing came to on both sides.
    fn compare(&mut self, item: &Item<'a>, was: Option<&Happened>, is: Option<&Happened>) {
        let costs = |happened: Option<&Happened>| -> BTreeMap<WalletName, i64> {
            happened.map_or_else(BTreeMap::new, |happened| taken(&happened.entry))
        };
        let is_reward = matches!(
            was.map(|was| &was.entry.kind),
            Some(EntryKind::Redeem { .. } | EntryKind::Capture { .. })
        );
        self.is_reward_back |= is_reward && costs(was) != costs(is);
        for (sums, sign) in [(costs(was), 1), (costs(is), -1)] {
            for (wallet, units) in sums {
                *self.restored.entry(wallet).or_default() += sign * units;
            }
        }
        self.restored.retain(|_, units| *units != 0);
        let brought = |happened: Option<&Happened>| {
            let reasons = happened.into_iter().flat_map(|happened| &happened.entry.reasons);
            reasons.filter_map(referral).next()
        };
        let activity = |happened: Option<&Happened>| happened.and_then(|one| one.referral.clone());
        match (brought(was), brought(is)) {
            (Some(_), None) => self.referrals.undone.extend(activity(was)),
            (None, Some(_)) => self.referrals.told.extend(activity(is)),
            _ => {}
        }
        let reasons = |happened: Option<&Happened>| {
            happened.map_or_else(Vec::new, |happened| happened.entry.reasons.clone())
        };
        let tier = match (was, is) {
            (Some(was), Some(is)) if was.tier != is.tier => {
                Some(TierChange { from: was.tier.clone(), to: is.tier.clone() })
            }
            _ => None,
        };
        let causes = match (was, is, &item.source) {
            (Some(was), Some(is), Source::Entry(entry)) => match &entry.kind {
                EntryKind::Earn { activity } => {
                    causes(item.rules, &Arc::new(activity.clone()), was, is)
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let failed = |happened: Option<&Happened>| -> Vec<FailedRule> {
            let notes = happened.into_iter().flat_map(|happened| &happened.entry.notes);
            notes.filter_map(Note::failure).collect()
        };
        let before = failed(was);
        let failures = failed(is).into_iter().filter(|failure| !before.contains(failure)).collect();
        let is_back = was.is_none() && is.is_some() && !item.is_told();
        let (was, now) = (reasons(was), reasons(is));
        let (withdrawals, notes) = is.map_or_else(Default::default, |is| {
            let since = is.taken_since.all.withdrawals();
            ([is.entry.withdrawals.clone(), since].concat(), is.entry.notes.clone())
        });
        if item.is_told() && self.told.is_none() {
            self.told = is.map(|is| is.entry.clone());
        }
        let seq = item.seq;
        self.played.push(Played {
            seq,
            is_back,
            was,
            is: now,
            tier,
            causes,
            withdrawals,
            notes,
            failures,
        });
    }
}

/// The units that an entry takes as it is meant: the price of a reward, and what staff and members
/// move by hand; below zero if it gives them.
fn taken(entry: &Entry) -> BTreeMap<WalletName, i64> {
    let price = |reward: &RedeemedReward| (reward.wallet.clone(), reward.costs.get());
    match &entry.kind {
        EntryKind::Redeem { reward, .. } | EntryKind::Capture { reward, .. } => {
            [price(reward)].into()
        }
        EntryKind::Adjust { .. } | EntryKind::Transfer { .. } => {
            let by_hand = |posting: &&Posting| {
                matches!(posting.why, PostingReason::Adjusted | PostingReason::Transferred)
            };
            let mut sums = BTreeMap::new();
            for posting in entry.postings.iter().filter(by_hand) {
                *sums.entry(posting.wallet.clone()).or_default() -= posting.change();
            }
            sums
        }
        _ => BTreeMap::new(),
    }
}
