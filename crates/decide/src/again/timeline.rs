//! What has happened to a member, in the order in which it happened: by the history as it was, and as
//! it is.

use std::collections::{BTreeMap, BTreeSet};

use ledger::decision_data::Allocator;
use ledger::programme::OnFailure;
use ledger::restated::TakenBack;
use ledger::reverse::{
    Reversals, ReverseRejection, Undone, can_be_reversed, left_of, lessened, order_with,
    returned_of, units_left,
};
use ledger::{
    Activity, Change, DecisionData, Entry, EntryKind, HistorySlice, Member, MissingData, Moment,
    PostingReason, Reason, Seq, SharedLimit, Units, Withdrawal,
};
use rules::Bundle;

use super::differently::Fate;
use super::edit::{Edit, Rejudged, ReversedPart, Told, Undo};
use crate::context::Context;
use crate::deed::Deed;
use crate::event::ActivityEvent;
use crate::happen::on_failure;
use crate::judging::Mended;
use crate::refusal::{Refusal, Undecided};

/// Something that happened to a member.
pub(super) struct Item<'a> {
    /// When.
    pub(super) at: Moment,
    /// The number of its entry, and its place among the activities of that.
    pub(super) seq: Seq,
    place: usize,
    /// The rules that judge it.
    pub(super) rules: &'a Bundle,
    pub(super) source: Source<'a>,
    /// How it happens by the history as it was; nothing if it does not.
    pub(super) was: Option<Play<'a>>,
    /// How it happens by the history as it is.
    pub(super) is: Option<Play<'a>>,
    /// The shared limits that have nothing for it any more.
    pub(super) exhausted: Vec<SharedLimit>,
    /// Whether the order that it is about is on the timeline.
    pub(super) has_order: bool,
}

/// Where something is known from.
pub(super) enum Source<'a> {
    /// A stored entry.
    Entry(&'a Entry),
    /// The edit.
    Told(Box<Told>),
}

/// How something happens.
#[derive(Debug, Clone)]
pub(super) enum Play<'a> {
    /// The rules judge the activity. What becomes of it if one fails, and the rules that have been
    /// mended since.
    Judged(Box<ActivityEvent>, OnFailure, Vec<Instead<'a>>),
    /// The activity was told too late, and a part of it came back or a rule was mended: the rules judge
    /// what is left of it for the member as it was then.
    JudgedThen(&'a Entry, Activity, Vec<Instead<'a>>),
    /// The activity is told too late: the rules judge it for the member as it was then.
    ToldTooLate(Box<ActivityEvent>),
    /// As it is told, at a moment.
    Done(Deed, Moment),
    /// As its entry says.
    Replayed(&'a Entry),
    /// As its entry says, for so many units.
    Less(&'a Entry, Units),
}

impl<'a> Play<'a> {
    /// What an entry says happened, as far as it is left. What has happened is not refused.
    fn judged(entry: &Entry, activity: Activity, instead: Vec<Instead<'a>>) -> Self {
        let event = ActivityEvent { triggered: triggered(entry), ..activity.into() };
        Play::Judged(Box::new(event), OnFailure::Record, instead)
    }

    /// The rules of it that have been mended since.
    pub(super) fn mended(&self) -> &[Instead<'a>] {
        match self {
            Play::Judged(_, _, mended) | Play::JudgedThen(_, _, mended) => mended,
            Play::ToldTooLate(_) | Play::Done(..) | Play::Less(..) | Play::Replayed(_) => &[],
        }
    }
}

/// A rule that has been mended since an activity was judged.
#[derive(Debug, Clone)]
pub(super) struct Instead<'a> {
    /// Its title.
    pub(super) rule: String,
    /// The rules that have it.
    pub(super) rules: &'a Bundle,
    /// What it gave when the activity was judged again; nothing if that is now.
    pub(super) gave: Option<Vec<&'a Reason>>,
}

impl Instead<'_> {
    /// The rule as it is asked, with its data.
    pub(super) fn asked<'s>(&'s self, data: &'s DecisionData) -> Mended<'s> {
        Mended { rules: self.rules, title: &self.rule, data, is_now: self.gave.is_none() }
    }
}

/// The rules that have been mended since, by the entry whose activity is judged again with them.
type Mendings<'a> = BTreeMap<Seq, Vec<Instead<'a>>>;

impl Item<'_> {
    /// What rules gave for it when it was judged again.
    pub(super) fn gave_since(&self) -> impl Iterator<Item = &Reason> {
        let mended = self.was.iter().flat_map(Play::mended);
        mended.flat_map(|instead| instead.gave.iter().flatten().copied())
    }

    pub(super) fn is_told(&self) -> bool {
        matches!(self.source, Source::Told(_))
    }

    fn activity(&self) -> Option<&Activity> {
        match &self.source {
            Source::Entry(Entry { kind: EntryKind::Earn { activity }, .. }) => Some(activity),
            Source::Entry(_) => None,
            Source::Told(told) => match told.as_ref() {
                Told::Activity(event) | Told::TooLate(event, _) => Some(&event.activity),
                Told::Deed(..) => None,
            },
        }
    }
}

/// All that happened since a moment.
pub(super) struct Timeline<'a> {
    entries: &'a [Entry],
    /// The activities that are told.
    told: Vec<Activity>,
    /// Whether anything is told.
    tells: bool,
    /// The entries that the edit takes back, and what of each.
    pub(super) undone: Vec<(Seq, Undone)>,
    /// What is taken from shared limits again, since it is no longer taken back.
    pub(super) withdrawals: Vec<Withdrawal>,
    pub(super) items: Vec<Item<'a>>,
    /// What the edit judges again.
    rejudged: Option<Rejudged>,
}

impl<'a> Timeline<'a> {
    /// The timeline of a slice with an edit.
    ///
    /// # Errors
    /// Something cannot be taken back, or data is missing.
    pub(super) fn of(
        context: &Context<'a>,
        member: &Member,
        slice: &'a HistorySlice,
        edit: Edit,
    ) -> Result<Timeline<'a>, Undecided> {
        context.has_rules_of(&slice.rules)?;
        let entries = slice.entries.as_slice();
        let next = member.seq.next();
        let decimals = context.programme().decimals();
        let was = Reversals::of(entries, next, &[], decimals);
        let mut undone = Vec::new();
        for undo in &edit.undone {
            undone.push((undo.entry, taken_back(entries, &was, undo, decimals)?));
        }
        let is = Reversals::of(entries, next, &undone, decimals);
        let mut timeline = Timeline {
            entries,
            told: Vec::new(),
            tells: false,
            undone,
            withdrawals: Vec::new(),
            items: Vec::new(),
            rejudged: edit.rejudged,
        };
        let mended = mended(context, slice)?;
        let mut mended_now = mended.clone();
        if let Some(rejudged) = &timeline.rejudged {
            for seq in &rejudged.entries {
                let (rule, rules) = (rejudged.rule.clone(), context.bundle);
                let instead = Instead { rule, rules, gave: None };
                mended_now.entry(*seq).or_default().push(instead);
            }
        }
        for (entry, hash) in slice.entries.iter().zip(&slice.rules) {
            timeline.add(context, entry, hash, [(&was, &mended), (&is, &mended_now)])?;
        }
        for (place, told) in edit.told.into_iter().enumerate() {
            let at = told.at().min(context.now);
            let is = match &told {
                Told::Activity(event) => {
                    let on_failure = on_failure(context, event);
                    Play::Judged(Box::new(event.clone()), on_failure, Vec::new())
                }
                Told::TooLate(event, _) => Play::ToldTooLate(Box::new(event.clone())),
                Told::Deed(deed, at) => Play::Done(deed.clone(), *at),
            };
            if let Told::Activity(event) | Told::TooLate(event, _) = &told {
                timeline.told.push(event.activity.clone());
            }
            timeline.items.push(Item {
                at,
                seq: next,
                place,
                rules: context.bundle,
                was: None,
                is: Some(is),
                source: Source::Told(Box::new(told)),
                exhausted: Vec::new(),
                has_order: false,
            });
            timeline.tells = true;
        }
        timeline.items.sort_by_key(|item| (item.at, item.seq, item.place));
        timeline.find_orders();
        timeline.take_again(context)?;
        Ok(timeline)
    }

    /// Adds what an entry stands for.
    fn add(
        &mut self,
        context: &Context<'a>,
        entry: &'a Entry,
        hash: &str,
        [was, is]: [(&Reversals, &Mendings<'a>); 2],
    ) -> Result<(), Undecided> {
        if matches!(entry.kind, EntryKind::Reverse { .. } | EntryKind::Rejudge { .. }) {
            return Ok(());
        }
        let rules = context.rules_of(hash)?;
        let decimals = rules.programme().decimals();
        let item = |place: usize, at: Moment, was: Option<Play<'a>>, is: Option<Play<'a>>| Item {
            at,
            seq: entry.seq,
            place,
            rules,
            source: Source::Entry(entry),
            was,
            is,
            exhausted: Vec::new(),
            has_order: false,
        };
        let play = |(reversals, mended): (&Reversals, &Mendings<'a>)| {
            let instead = mended.get(&entry.seq).cloned().unwrap_or_default();
            play(self.entries, entry, reversals, instead, decimals)
        };
        self.items.push(item(0, entry.happened_at(), play(was)?, play(is)?));
        let beside = entry.again.iter().flat_map(|again| &again.told).enumerate();
        for (place, activity) in beside {
            let judged = |(reversals, _): (&Reversals, &Mendings<'a>)| {
                (!reversals.is_undone(entry.seq))
                    .then(|| Play::judged(entry, activity.clone(), Vec::new()))
            };
            self.items.push(item(place + 1, activity.at.min(entry.at), judged(was), judged(is)));
        }
        Ok(())
    }

    /// Takes from shared limits what had been put back with a return that is undone.
    ///
    /// # Errors
    /// A reward comes back of which nothing is left, or data is missing.
    fn take_again(&mut self, context: &Context<'_>) -> Result<(), Undecided> {
        let mut allocator = Allocator::new(context.data);
        for (seq, _) in &self.undone {
            let Some(entry) = self.entries.iter().find(|entry| entry.seq == *seq) else { continue };
            let Some((of, _)) = entry.undone() else { continue };
            for back in &entry.returns {
                if allocator.withdraw(&back.limit, back.units)? {
                    continue;
                }
                if let SharedLimit::Stock(reward) = &back.limit {
                    return Err(Refusal::RewardIsSoldOut(reward.clone()).into());
                }
                for item in self.items.iter_mut().filter(|item| item.seq == of) {
                    item.exhausted.push(back.limit.clone());
                }
            }
        }
        self.withdrawals = allocator.withdrawals();
        Ok(())
    }

    /// The stored entry of that number.
    pub(super) fn entry(&self, seq: Seq) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.seq == seq)
    }

    /// An entry and, if it captured a hold, the entry of that.
    pub(super) fn with_hold(&self, seq: Seq) -> Vec<Seq> {
        let hold = self.entry(seq).and_then(|entry| match &entry.kind {
            EntryKind::Capture { of, .. } => Some(of.entry),
            _ => None,
        });
        [seq].into_iter().chain(hold).collect()
    }

    /// What an entry took from shared limits, when its activity was judged first and again.
    pub(super) fn taken(&self, of: Seq) -> Vec<Withdrawal> {
        let again = self.entries.iter().filter(|entry| entry.rejudges() == [of]);
        let all = self.entry(of).into_iter().chain(again);
        all.flat_map(|entry| entry.withdrawals.clone()).collect()
    }

    /// What has gone back into shared limits of what an entry took. What a reversal gave back stays
    /// there though it is undone, as far as it could not be taken again.
    pub(super) fn returned(&self, of: Seq) -> BTreeMap<SharedLimit, i64> {
        let mut returned: BTreeMap<SharedLimit, i64> = BTreeMap::new();
        // The reversals of the entry, and those that undo one of them.
        let mut chain: BTreeSet<Seq> = BTreeSet::new();
        for entry in self.entries {
            let is_reversal = matches!(entry.kind, EntryKind::Reverse { .. });
            let undoes = entry.undoes().any(|seq| seq == of);
            let continues = is_reversal && entry.undoes().any(|seq| chain.contains(&seq));
            if !undoes && !continues {
                continue;
            }
            if is_reversal {
                chain.insert(entry.seq);
            }
            for back in &entry.returns {
                *returned.entry(back.limit.clone()).or_default() += back.units.get();
            }
            for again in entry.withdrawals.iter().filter(|_| continues) {
                *returned.entry(again.limit.clone()).or_default() -= again.units.get();
            }
        }
        returned
    }

    /// The kind of the edit's entry, if it tells nothing new.
    pub(super) fn kind(&self) -> EntryKind {
        if let Some(Rejudged { rule, entries }) = self.rejudged.clone() {
            return EntryKind::Rejudge { rule, entries };
        }
        let (of, undone) = match self.undone.first() {
            Some((of, undone)) => (*of, undone.clone()),
            None => (Seq::ENROLLED, Undone::Whole),
        };
        let (returned, units) = match undone {
            Undone::Whole => (None, None),
            Undone::Part(returned) => (Some(returned), None),
            Undone::Units(units) => (None, Some(units)),
        };
        EntryKind::Reverse { of, returned, units, other: None }
    }

    /// Why units move by the deed that is told; nothing if none is.
    pub(super) fn deed(&self) -> Option<PostingReason> {
        self.items.iter().find_map(|item| match item.is.as_ref()? {
            Play::Done(Deed::Redemption(_), _) => Some(PostingReason::Spent),
            Play::Done(Deed::Adjustment(_), _) => Some(PostingReason::Adjusted),
            _ => None,
        })
    }

    /// Whether the kind of the edit's entry names an entry as undone.
    pub(super) fn names(&self, seq: Seq) -> bool {
        !self.tells && self.undone.first().is_some_and(|(of, _)| *of == seq)
    }

    /// What becomes of an entry.
    pub(super) fn fate(&self, seq: Seq) -> Fate {
        let is_rejudged = |rejudged: &Rejudged| rejudged.entries.contains(&seq);
        if self.undone.iter().any(|(undone, _)| *undone == seq) {
            Fate::Undone
        } else if self.rejudged.as_ref().is_some_and(is_rejudged) {
            Fate::Rejudged
        } else {
            Fate::Stays
        }
    }

    /// What is taken back beside what the kind names.
    pub(super) fn beside(&self) -> Vec<TakenBack> {
        let all = self.undone.iter().filter(|(seq, _)| !self.names(*seq));
        let taken = all.map(|(of, undone)| TakenBack { of: *of, returned: undone.returned() });
        taken.collect()
    }

    /// The activities that are told beside the one that the kind names.
    pub(super) fn told_beside(&self) -> Vec<Activity> {
        self.told.iter().skip(1).cloned().collect()
    }

    /// Notes which items are about an order on the timeline.
    fn find_orders(&mut self) {
        let orders: Vec<String> = self
            .items
            .iter()
            .filter_map(Item::activity)
            .filter(|activity| activity.order.is_some())
            .map(|activity| activity.id.clone())
            .collect();
        for item in &mut self.items {
            let of = item.activity().and_then(|activity| activity.of.as_ref());
            item.has_order = of.is_some_and(|of| orders.contains(of));
        }
    }
}

/// The rules that have been mended, by the entries of a slice that judge activities again.
fn mended<'a>(context: &Context<'a>, slice: &'a HistorySlice) -> Result<Mendings<'a>, MissingData> {
    let mut mended = Mendings::new();
    for (entry, hash) in slice.entries.iter().zip(&slice.rules) {
        let EntryKind::Rejudge { rule, entries } = &entry.kind else { continue };
        let rules = context.rules_of(hash)?;
        for seq in entries {
            let all = entry.again.iter().flat_map(|again| &again.differences);
            let own = all.filter(|difference| difference.entry == *seq);
            let own = own.flat_map(|difference| &difference.reasons);
            let gave = own.filter(|reason| reason.rule == *rule).collect();
            let instead = Instead { rule: rule.clone(), rules, gave: Some(gave) };
            mended.entry(*seq).or_default().push(instead);
        }
    }
    Ok(mended)
}

/// How an entry happens with what has come back of it; nothing if all of it has.
fn play<'a>(
    entries: &[Entry],
    entry: &'a Entry,
    reversals: &Reversals,
    instead: Vec<Instead<'a>>,
    decimals: u32,
) -> Result<Option<Play<'a>>, Undecided> {
    let back = reversals.back(entry.seq);
    if reversals.is_undone(entry.seq) {
        return Ok(None);
    }
    Ok(match &entry.kind {
        EntryKind::Earn { .. }
            if entry.was_told_too_late() && back.is_empty() && instead.is_empty() =>
        {
            Some(Play::Replayed(entry))
        }
        EntryKind::Earn { .. } => {
            let left = left_of(entry, &back, decimals)?;
            Some(match entry.was_told_too_late() {
                true => Play::JudgedThen(entry, left, instead),
                false => Play::judged(entry, left, instead),
            })
        }
        EntryKind::Redeem { .. } | EntryKind::Capture { .. } if !back.is_empty() => {
            let order = order_with(entries, entry);
            let left = units_left(entry, order, &back, decimals)?;
            (!left.is_zero()).then_some(Play::Less(entry, left))
        }
        // A hold goes with its capture.
        EntryKind::Hold { hold, .. } => {
            let capture = entries.iter().find(
                |later| matches!(&later.kind, EntryKind::Capture { hold: of, .. } if of == hold),
            );
            let undone = capture.is_some_and(|capture| reversals.is_undone(capture.seq));
            (!undone).then_some(Play::Replayed(entry))
        }
        _ => Some(Play::Replayed(entry)),
    })
}

/// What of an entry an undo takes back, if it can be.
fn taken_back(
    entries: &[Entry],
    was: &Reversals,
    undo: &Undo,
    decimals: u32,
) -> Result<Undone, Undecided> {
    let seq = undo.entry;
    let unknown = || ReverseRejection::EntryIsReversedAlready(seq);
    let entry = entries.iter().find(|entry| entry.seq == seq).ok_or_else(unknown)?;
    let back = was.back(seq);
    can_be_reversed(entry)?;
    if was.is_undone(seq) {
        let by = |by| ReverseRejection::EntryIsReversedBy { entry: seq, by };
        return Err(was.by(seq).last().map_or_else(unknown, |(last, _)| by(*last)).into());
    }
    match (&undo.part, &entry.kind) {
        (None, _) => Ok(Undone::Whole),
        (Some(ReversedPart::Order(wanted)), EntryKind::Earn { .. }) => {
            Ok(Undone::Part(lessened(entry, &back, wanted, decimals)?))
        }
        (
            Some(ReversedPart::Order(wanted)),
            EntryKind::Redeem { .. } | EntryKind::Capture { .. },
        ) => {
            let order = order_with(entries, entry);
            let order = order.ok_or(ReverseRejection::EntryHasNoOrder(seq))?;
            let returns = |undone: &&Undone| matches!(undone, Undone::Part(_));
            let back: Vec<Undone> = back.iter().filter(returns).cloned().collect();
            Ok(Undone::Part(returned_of(seq, order, &back, wanted, decimals)?))
        }
        (Some(ReversedPart::Order(_)), _) => Err(ReverseRejection::EntryHasNoOrder(seq).into()),
        (Some(ReversedPart::Units(units)), _) => {
            let left = units_left(entry, order_with(entries, entry), &back, decimals)?;
            if *units > left {
                let units = *units;
                return Err(ReverseRejection::UnitsAreTooMany { entry: seq, units, left }.into());
            }
            Ok(Undone::Units(*units))
        }
    }
}

/// The day that triggered the activity of an entry.
fn triggered(entry: &Entry) -> Option<chrono::NaiveDate> {
    entry.changes.iter().find_map(|change| match change {
        Change::Triggered { day, .. } => Some(*day),
        _ => None,
    })
}
