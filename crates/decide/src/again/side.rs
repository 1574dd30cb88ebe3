//! One derivation of a member: what is on a timeline happens to it and to the wallets of its accounts.

use std::collections::BTreeMap;

use ledger::again::Derived;
use ledger::decision::GiveRejection;
use ledger::delivery::{self, names_pieces, share_of};
use ledger::entry::Note;
use ledger::holdings::Share;
use ledger::programme::OnFailure;
use ledger::{
    Activity, Allocations, Change, Decision, DecisionData, Effect, Entry, EntryKind, Member,
    MemberId, MissingData, Moment, Programme, Reason, Remaining, Seq, Units, Withdrawal,
};
use rules::{Bundle, StatementKind};

use super::data_then::data_then;
use super::timeline::{Instead, Item, Play, Source};
use crate::context::Context;
use crate::deed::dated;
use crate::event::{About, ActivityEvent};
use crate::happen::{happen, judged_then, told_too_late};
use crate::judging::{Asked, Mended, TakenSince};
use crate::pipeline::{Sharing, split, with_tier_review};
use crate::refusal::Undecided;

/// One derivation.
pub(super) struct Side {
    pub(super) own: Derived,
    pub(super) accounts: BTreeMap<MemberId, Account>,
    /// The entries of the orders so far, with what is left of them.
    pub(super) orders: Vec<Entry>,
    /// The deliveries so far, without those that came before their order: they are in its entry.
    pub(super) deliveries: Vec<Activity>,
}

/// An account whose wallets the member shares or shared.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) derived: Derived,
    /// What others did in its wallets and has not happened yet, the latest first.
    pub(super) rest: Vec<Entry>,
}

/// One thing that happened on one side.
pub(super) struct Happened {
    /// The member to whom it happened, as rules see it.
    pub(super) before: Member,
    pub(super) entry: Entry,
    pub(super) tier: Option<String>,
    pub(super) referral: Option<Activity>,
    /// What rules take that have been mended since.
    pub(super) taken_since: TakenSince,
}

/// What is so now: the context of the decision, the member as it is stored, and what rules that have
/// been mended take so far.
#[derive(Clone, Copy)]
pub(super) struct Present<'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) stored: &'c Member,
    pub(super) taken: &'c Allocations,
}

pub(super) fn referral(reason: &Reason) -> Option<Seq> {
    match &reason.effect {
        Effect::Referral { entry, .. } => Some(*entry),
        _ => None,
    }
}

impl Account {
    /// Lets others do what they did before a moment, or before the account's entry of that number;
    /// everything, if none is given.
    pub(super) fn advance(
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
    pub(super) fn happen(
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
        let (mut tier, mut referral, mut taken_since) = (None, None, TakenSince::default());
        let mended = play.mended();
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
                let then_was = context.data.member_then(&stored.id, activity.at, newest)?;
                let (event, asked) = (activity.clone().into(), asked(OnFailure::Record));
                let judged = judged_then(&then, then_was, &member, &event, asked)?;
                (referral, taken_since) = (judged.referral, judged.taken_since);
                let mut left = (*entry).clone();
                let is_count = |change: &Change| matches!(change, Change::Counted { .. });
                left.changes.retain(|change| !is_count(change));
                left.changes.extend(judged.draft.changes.into_iter().filter(is_count));
                left.kind = EntryKind::Earn { activity: activity.clone() };
                left.reasons = judged.draft.reasons;
                left.withdrawals = judged.draft.withdrawals;
                replayed(&then, sharing, &member, before, &left)?
            }
            Play::ToldTooLate(event) => {
                let then_was =
                    context.data.member_then(&stored.id, event.activity.at, stored.seq)?;
                let about = self.about(programme, item, &event.activity);
                let event = ActivityEvent { about, ..event.as_ref().clone() };
                split(&then, sharing, &member, |member| {
                    let happened = told_too_late(&then, then_was, member, event)?;
                    (referral, taken_since) = (happened.referral, happened.taken_since);
                    Ok(happened.decision)
                })?
            }
            Play::Done(deed, at) => split(&then, sharing, &member, |member| {
                Ok(dated(deed.clone().done(&then, member)?, *at))
            })?,
            Play::Less(entry, units) => {
                replayed(&then, sharing, &member, before, &less(entry, *units))?
            }
            Play::Replayed(entry) => replayed(&then, sharing, &member, before, entry)?,
        };
        let before = match then.data.account(&member)? {
            None => member,
            Some(account) => then.view(&member, Some(account)),
        };
        let entry = self.follow(decision, programme);
        Ok(Happened { before, entry, tier, referral, taken_since })
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
            } else if activity.order.is_some() {
                self.deliveries.retain(|earlier| earlier.of.as_ref() != Some(&activity.id));
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
    pub(super) fn keep_codes(&mut self, rules: &Bundle, stored: &[Reason], given: &[Reason]) {
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
