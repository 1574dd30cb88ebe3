//! The course of a history: everything on a timeline happens to the member, one after the other, by
//! the history as it was and by the history as it is.

use std::collections::BTreeMap;

use ledger::again::Derived;
use ledger::decision::GiveRejection;
use ledger::delivery::{self, names_pieces, share_of};
use ledger::entry::Note;
use ledger::holdings::Share;
use ledger::programme::OnFailure;
use ledger::tier_status::TierChange;
use ledger::{
    Activity, Allocations, Decision, DecisionData, Effect, Entry, EntryKind, HistorySlice, Member,
    MemberId, MissingData, Moment, Posting, PostingReason, Programme, Reason, RedeemedReward,
    Remaining, Seq, Since, Units, WalletName, Withdrawal,
};
use rules::{Bundle, StatementKind};

use super::data_then::data_then;
use super::timeline::{Instead, Item, Play, Source};
use crate::context::Context;
use crate::deed::dated;
use crate::event::{About, ActivityEvent};
use crate::happen::{happen, judged_then};
use crate::judging::{Asked, Mended};
use crate::pipeline::{Sharing, split, with_tier_review};
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
    pub(super) was: Vec<Reason>,
    pub(super) is: Vec<Reason>,
    /// The tiers by which it was and is judged, if they differ.
    pub(super) tier: Option<TierChange>,
    /// What it takes from shared limits by the history as it is.
    pub(super) withdrawals: Vec<Withdrawal>,
    /// The rules that fail by the history as it is.
    pub(super) notes: Vec<Note>,
}

/// One derivation.
pub(super) struct Side {
    pub(super) own: Derived,
    pub(super) accounts: BTreeMap<MemberId, Account>,
    /// The entries of the orders so far, with what is left of them.
    orders: Vec<Entry>,
    /// The deliveries so far.
    deliveries: Vec<Activity>,
}

/// An account whose wallets the member shares or shared.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) derived: Derived,
    /// What others did in its wallets and has not happened yet, the latest first.
    rest: Vec<Entry>,
}

/// One thing that happened on one side.
struct Happened {
    entry: Entry,
    tier: Option<String>,
    referral: Option<Activity>,
    /// What rules take now that have been mended.
    taken_now: Allocations,
}

/// What is so now: the context of the decision, the member as it is stored, and what rules that have
/// been mended take so far.
#[derive(Clone, Copy)]
struct Present<'c> {
    context: &'c Context<'c>,
    stored: &'c Member,
    taken: &'c Allocations,
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
            let taken = self.fresh.add(&is.taken_now);
            taken.map_err(|error| GiveRejection::of(&self.member.id, error))?;
        }
        if let Source::Entry(entry) = &item.source {
            let sides = [(&mut self.was, &was), (&mut self.is, &is)];
            for (side, happened) in sides {
                if let Some(happened) = happened {
                    side.keep_codes(item.rules, &entry.reasons, &happened.entry.reasons);
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
        let (was, now) = (reasons(was), reasons(is));
        let (withdrawals, notes) = is.map_or_else(Default::default, |is| {
            (is.entry.withdrawals.clone(), is.entry.notes.clone())
        });
        if item.is_told() && self.told.is_none() {
            self.told = is.map(|is| is.entry.clone());
        }
        self.played.push(Played { seq: item.seq, was, is: now, tier, withdrawals, notes });
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

fn referral(reason: &Reason) -> Option<Seq> {
    match &reason.effect {
        Effect::Referral { entry, .. } => Some(*entry),
        _ => None,
    }
}

impl Account {
    /// Lets others do what they did before a moment, or before the account's entry of that number;
    /// everything, if none is given.
    fn advance(
        &mut self,
        programme: &Programme,
        until: Option<(Moment, Option<Seq>)>,
    ) -> Result<(), Undecided> {
        let comes = |entry: &mut Entry| match until {
            None => true,
            Some((at, None)) => entry.happened_at() <= at,
            Some((at, Some(seq))) => (entry.happened_at(), entry.seq) < (at, seq),
        };
        while let Some(entry) = self.rest.pop_if(comes) {
            let now = entry.happened_at();
            let mut member = self.derived.member.clone();
            member.seq = entry.seq.previous().unwrap_or_default();
            let decision = match &entry.kind {
                EntryKind::Expire => ledger::expire::decide(&member, programme, now)?,
                _ => ledger::replay::movements(&member, programme, &entry, now)?,
            };
            self.derived.follow(decision);
        }
        Ok(())
    }
}

impl Side {
    /// Lets something happen to the member of this side. `before` is the member before it by the
    /// history as it was.
    fn happen(
        &mut self,
        present: Present<'_>,
        item: &Item<'_>,
        play: &Play<'_>,
        before: &Member,
    ) -> Result<Happened, Undecided> {
        let Present { context, stored, .. } = present;
        let mut member = self.own.member.clone();
        member.seq = item.seq.previous().unwrap_or_default();
        let data = self.data(context, &member, item)?;
        let then =
            Context { bundle: item.rules, earlier: context.earlier, data: &data, now: item.at };
        let programme = item.rules.programme();
        let sharing = Sharing { programme, account: member.account.as_ref() };
        let (mut tier, mut referral, mut taken_since) = (None, None, Allocations::default());
        let mended = match play {
            Play::Judged(_, _, mended) | Play::JudgedThen(_, _, mended) => mended.as_slice(),
            Play::Done(..) | Play::Less(..) | Play::Replayed(_) => &[],
        };
        let data_of_mended =
            mended.iter().map(|instead| present.data_of(instead)).collect::<Result<Vec<_>, _>>()?;
        let instead = mended.iter().zip(&data_of_mended).map(|(instead, data)| instead.asked(data));
        let instead: Vec<Mended<'_>> = instead.collect();
        let asked = |on_failure: OnFailure| Asked { mended: &instead, ..Asked::all(on_failure) };
        let decision = match play {
            Play::Judged(event, on_failure, _) => {
                let about = self.about(programme, item, &event.activity);
                let event = ActivityEvent { about, ..event.as_ref().clone() };
                split(&then, sharing, &member, |member| {
                    let happened = happen(&then, member, event, asked(*on_failure))?;
                    (tier, referral) = (happened.tier, happened.referral);
                    taken_since = happened.taken_since;
                    Ok(happened.decision)
                })?
            }
            Play::JudgedThen(entry, activity, _) => {
                let newest = entry.seq.previous().unwrap_or_default();
                let as_it_was = context.data.member_then(&stored.id, activity.at, newest)?;
                let event = activity.clone().into();
                let judged = judged_then(&then, as_it_was, &event, asked(OnFailure::Record))?;
                taken_since = judged.taken_since;
                let mut left = (*entry).clone();
                left.kind = EntryKind::Earn { activity: activity.clone() };
                left.reasons = judged.draft.reasons;
                left.withdrawals = judged.draft.withdrawals;
                replayed(&then, sharing, &member, before, &left)?
            }
            Play::Done(deed, at) => split(&then, sharing, &member, |member| {
                Ok(dated(deed.clone().done(&then, member)?, *at))
            })?,
            Play::Less(entry, units) => {
                replayed(&then, sharing, &member, before, &less(entry, *units))?
            }
            Play::Replayed(entry) => replayed(&then, sharing, &member, before, entry)?,
        };
        let is_now = mended.iter().any(|instead| instead.gave.is_none());
        let taken_now = if is_now { taken_since } else { Allocations::default() };
        let entry = self.follow(decision, programme);
        Ok(Happened { entry, tier, referral, taken_now })
    }

    /// Takes over what was decided, and returns its entry.
    fn follow(&mut self, mut decision: Decision, programme: &Programme) -> Entry {
        for other in std::mem::take(&mut decision.others) {
            if let Some(account) = self.accounts.get_mut(&other.member.id) {
                account.derived.follow(other);
            }
        }
        let entry = decision.entry.clone();
        if let EntryKind::Earn { activity } = &entry.kind {
            if delivery::is_delivery(programme, activity) {
                self.deliveries.push(activity.clone());
            }
            if activity.order.is_some() {
                self.orders.push(entry.clone());
            }
        }
        self.own.follow(decision);
        entry
    }

    /// The decision data of an item: for an entry, what was known when it was decided.
    fn data(
        &self,
        context: &Context<'_>,
        member: &Member,
        item: &Item<'_>,
    ) -> Result<DecisionData, MissingData> {
        let mut data = match &item.source {
            Source::Told(_) => DecisionData {
                left: context.data.left.clone(),
                codes: context.data.codes.clone(),
                members: context.data.members.clone(),
                taken: context.data.taken.clone(),
                ..DecisionData::default()
            },
            Source::Entry(entry) => {
                let mut data = data_then(item.rules, member, entry);
                for limit in &item.exhausted {
                    data.left.insert(limit.clone(), Remaining::all(Units::ZERO));
                }
                if let Some(id) = &member.referred_by
                    && !entry.reasons.iter().any(|reason| referral(reason).is_some())
                {
                    // It may bring the referrer now. Only then is it known who that is.
                    data.members.remove(id);
                    let known = context.data.members.get(id);
                    data.members.extend(known.map(|known| (id.clone(), known.clone())));
                }
                data
            }
        };
        if let Some(id) = &member.account {
            let account = self.accounts.get(id).map(|account| account.derived.member.clone());
            data.members.insert(id.clone(), account);
        }
        Ok(data)
    }

    /// What is known of the activity that another is about, by what has happened so far.
    fn about(&self, programme: &Programme, item: &Item<'_>, activity: &Activity) -> About {
        let Some(of) = activity.of.as_ref().filter(|_| delivery::is_delivery(programme, activity))
        else {
            return About::Nothing;
        };
        let is_of = |entry: &&Entry| match &entry.kind {
            EntryKind::Earn { activity } => activity.id == *of,
            _ => false,
        };
        let about = About::of(&activity.kind, self.orders.iter().filter(is_of).cloned());
        if let About::Known(bought) = &about
            && names_pieces(activity)
            && let EntryKind::Earn { activity: order } = &bought.kind
            && let Some(left) = &order.order
        {
            let unknown = delivery::unknown_pieces(left, activity);
            let earlier = self.deliveries.iter();
            let share = delivery::share(bought, left, earlier, activity, programme.decimals());
            return About::Delivered { share, unknown };
        }
        match (&about, &item.source) {
            (About::Known(_), _) => About::Delivered { share: Share::ALL, unknown: Vec::new() },
            _ if item.has_order => About::Unknown,
            // The order is older than the timeline.
            (_, Source::Entry(entry)) => as_it_was(entry),
            (_, Source::Told(told)) => told.about().clone(),
        }
    }

    /// Keeps the codes of rounds that are no longer complete: what left the house stays, and the next
    /// round gives them again.
    fn keep_codes(&mut self, rules: &Bundle, stored: &[Reason], given: &[Reason]) {
        let code = |reason: &Reason| match &reason.effect {
            Effect::Voucher { pool, code, .. } => Some((pool.clone(), code.clone())),
            _ => None,
        };
        let given: Vec<(String, String)> = given.iter().filter_map(code).collect();
        for reason in stored {
            let Some(code) = code(reason).filter(|code| !given.contains(code)) else { continue };
            let rule = rules.called(StatementKind::Task, &reason.rule);
            let progress = rule.and_then(|rule| self.own.member.tasks.get_mut(&rule.name));
            if let Some(progress) = progress {
                progress.codes.push(code);
            }
        }
    }
}

impl Present<'_> {
    /// The data from which a rule that has been mended takes: what there is now, or what it took when
    /// its activity was judged again.
    fn data_of(&self, instead: &Instead<'_>) -> Result<DecisionData, GiveRejection> {
        let DecisionData { left, codes, members, taken, .. } = self.context.data;
        let Some(gave) = &instead.gave else {
            let mut taken = taken.clone();
            taken.add(self.taken).map_err(|error| GiveRejection::of(&self.stored.id, error))?;
            let (left, codes, members) = (left.clone(), codes.clone(), members.clone());
            return Ok(DecisionData { left, codes, members, taken, ..DecisionData::default() });
        };
        let mut entry = Entry::bare(Seq::FIRST, self.context.now, EntryKind::Expire);
        entry.reasons = gave.iter().map(|reason| (*reason).clone()).collect();
        let budget = instead.rules.rule_called(&instead.rule);
        let budget = budget.and_then(|rule| rule.budget(instead.rules.programme()));
        let paid = entry.reasons.iter().any(|reason| matches!(reason.effect, Effect::Units { .. }));
        let taken = budget.filter(|_| paid).map(|limit| Withdrawal { limit, units: Units::ONE });
        entry.withdrawals = taken.into_iter().collect();
        let data = data_then(instead.rules, self.stored, &entry);
        Ok(DecisionData { members: members.clone(), ..data })
    }
}

/// What the entry of a delivery says of its order.
fn as_it_was(entry: &Entry) -> About {
    let is_unknown = |note: &Note| matches!(note, Note::OrderIsUnknown { .. });
    if entry.notes.iter().any(is_unknown) {
        return About::Unknown;
    }
    let unknown = entry.notes.iter().find_map(|note| match note {
        Note::PiecesAreUnknown { lines } => Some(lines.clone()),
        _ => None,
    });
    About::Delivered { share: share_of(entry), unknown: unknown.unwrap_or_default() }
}

/// The same entry with a lower price.
fn less(entry: &Entry, units: Units) -> Entry {
    let mut less = entry.clone();
    if let EntryKind::Redeem { reward, .. } | EntryKind::Capture { reward, .. } = &mut less.kind {
        reward.costs = units;
    }
    less
}

/// An entry that happens again, with the tier that follows.
fn replayed(
    context: &Context<'_>,
    sharing: Sharing<'_>,
    member: &Member,
    before: &Member,
    entry: &Entry,
) -> Result<Decision, Undecided> {
    let replay = |member: &Member| -> Result<Decision, Undecided> {
        let programme = context.programme();
        let decision = ledger::replay::replay(member, before, programme, entry)?;
        if matches!(entry.kind, EntryKind::Remind { .. }) {
            return Ok(decision);
        }
        // A tier whose condition fails stays.
        Ok(with_tier_review(context, decision.clone(), member).unwrap_or(decision))
    };
    match &entry.kind {
        EntryKind::Join { .. }
        | EntryKind::Leave { .. }
        | EntryKind::Remind { .. }
        | EntryKind::Expire
        | EntryKind::Share { .. } => replay(member),
        _ => split(context, sharing, member, replay),
    }
}
