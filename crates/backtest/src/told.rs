//! What was told, told again: the request that an entry stands for, made of a book.

use std::cell::RefCell;
use std::collections::BTreeMap;

use decide::{
    About, ActivityEvent, Context, Redemption, Reversal, ReversedPart, TraceLine, Undecided, Undo,
    adjust, capture, earn, hold, join, leave, redeem, rejudge, release, replace, reverse, trace,
    trace_reward, transfer,
};
use ledger::adjust::{Adjustment, Transfer};
use ledger::entry::{Counterpart, Returned};
use ledger::reverse::Wanted;
use ledger::{
    Activity, Decision, Entry, EntryKind, Member, MemberId, PostingReason, Programme,
    RedeemedReward, Seq, Units, WalletName,
};
use rules::{Bundle, StatementKind};

use crate::book::{Book, Judges, Supply};
use crate::unmade::Unmade;

/// The numbers that a member's entries have now, by the numbers that they were recorded with.
pub(crate) type Numbers = BTreeMap<Seq, Seq>;

/// A request of the past, for one member of a book.
pub(crate) struct Telling<'a> {
    pub(crate) member: &'a MemberId,
    pub(crate) entry: &'a Entry,
    pub(crate) numbers: &'a Numbers,
    pub(crate) judges: Judges<'a>,
}

impl Telling<'_> {
    /// Makes the request again.
    pub(crate) fn tell(
        &self,
        book: &mut Book,
        supply: &mut impl Supply,
    ) -> Result<Option<Decision>, Unmade> {
        let Telling { member, entry, judges, .. } = *self;
        let request = self.request(book)?;
        let decide = |context: &Context<'_>, member: &Member| request.decide(context, member);
        book.perform(member, entry.at, judges, supply, decide)
    }

    /// Makes the request again, and says what each rule had to say of it.
    pub(crate) fn traced(
        &self,
        book: &mut Book,
        supply: &mut impl Supply,
    ) -> Result<(Option<Decision>, Vec<TraceLine>), Unmade> {
        let Telling { member, entry, judges, .. } = *self;
        let request = self.request(book)?;
        let lines = RefCell::new(Vec::new());
        let decide = |context: &Context<'_>, member: &Member| {
            let decision = request.decide(context, member)?;
            *lines.borrow_mut() = request.trace(context, member)?;
            Ok(decision)
        };
        let decision = book.perform(member, entry.at, judges, supply, decide)?;
        Ok((decision, lines.into_inner()))
    }

    /// The entry as it is now that was recorded with a number.
    fn now<'b>(&self, book: &'b Book, recorded: Seq) -> Result<&'b Entry, Unmade> {
        let seq = self.numbers.get(&recorded).ok_or(Unmade::NothingThere)?;
        let account = book.accounts.get(self.member);
        account.and_then(|account| account.entry(*seq)).ok_or(Unmade::NothingThere)
    }

    fn request(&self, book: &Book) -> Result<Request<'_>, Unmade> {
        Ok(match &self.entry.kind {
            EntryKind::Earn { activity } => self.activity(book, activity)?,
            EntryKind::Redeem { reward, order, happened_at } => {
                let redemption = self.redemption(reward, order.as_ref());
                Request::Redeem(redemption, *happened_at)
            }
            EntryKind::Hold { reward, order, .. } => {
                Request::Hold(self.redemption(reward, order.as_ref()))
            }
            EntryKind::Capture { of, reward, .. } => {
                let held = self.now(book, of.entry)?;
                let judged_by = self.judges.of(book.rules_of(self.member, held.seq))?;
                Request::Capture(Box::new(held.clone()), judged_by, self.chosen(reward))
            }
            EntryKind::Release { hold } => {
                let entry = hold.entry().ok_or(Unmade::NothingThere)?;
                match &self.now(book, entry)?.kind {
                    EntryKind::Hold { hold, .. } => Request::Release(hold.clone()),
                    _ => return Err(Unmade::NothingThere),
                }
            }
            EntryKind::Reverse { of, returned, units, .. } => {
                let undone = self.now(book, *of)?;
                let part = part(returned.as_ref(), *units);
                let about = match &undone.kind {
                    EntryKind::Earn { activity } => self.about(book, activity),
                    _ => About::Nothing,
                };
                Request::Reverse(Box::new(Reversal::of(undone, part, about)))
            }
            EntryKind::Rejudge { rule, entries } => {
                let entries: Result<Vec<Seq>, Unmade> =
                    entries.iter().map(|of| Ok(self.now(book, *of)?.seq)).collect();
                Request::Rejudge(rule, entries?)
            }
            EntryKind::Adjust { reason, author, happened_at } => {
                let (wallet, units) =
                    moved(self.entry, PostingReason::Adjusted).ok_or(Unmade::NothingThere)?;
                let wallet = Some(wallet.as_str().to_owned());
                let (reason, author) = (reason.clone(), author.clone());
                Request::Adjust(Adjustment { wallet, units, reason, author }, *happened_at)
            }
            EntryKind::Transfer { with: Counterpart::To(to), reason, .. } => {
                let (wallet, units) =
                    moved(self.entry, PostingReason::Transferred).ok_or(Unmade::NothingThere)?;
                let units = Units::new(units.saturating_abs()).map_err(|_| Unmade::NothingThere)?;
                let wallet = Some(wallet.as_str().to_owned());
                let (to, reason) = (to.clone(), reason.clone());
                Request::Transfer(Transfer { to, wallet, units, reason })
            }
            EntryKind::Join { account } => Request::Join(account.clone()),
            EntryKind::Leave { .. } => Request::Leave,
            EntryKind::Transfer { .. }
            | EntryKind::Share { .. }
            | EntryKind::Expire
            | EntryKind::Remind { .. }
            | EntryKind::Erase => return Err(Unmade::NothingThere),
        })
    }

    /// An activity, or one that takes another back.
    fn activity(&self, book: &Book, activity: &Activity) -> Result<Request<'_>, Unmade> {
        let about = self.about(book, activity);
        let event = ActivityEvent { about, ..activity.clone().into() };
        let undone = self.entry.again.iter().flat_map(|again| &again.undone).next();
        let undone = undone.map(|taken| {
            let part = part(taken.returned.as_ref(), None);
            self.now(book, taken.of).map(|entry| Undo { part, ..Undo::of(entry) })
        });
        Ok(match undone {
            // What it puts right was not made: it is told as it is.
            Some(Err(Unmade::NothingThere)) | None => Request::Earn(Box::new(event)),
            Some(Err(other)) => return Err(other),
            Some(Ok(undo)) => Request::Replace(Box::new((event, undo))),
        })
    }

    /// What is known of the order that an activity is about.
    fn about(&self, book: &Book, activity: &Activity) -> About {
        let waits = waits_for(self.judges.bundle.programme(), &activity.kind);
        match activity.of.as_ref().filter(|_| waits) {
            Some(of) => book.about(self.member, &activity.kind, of),
            None => About::Nothing,
        }
    }

    fn redemption(&self, reward: &RedeemedReward, order: Option<&ledger::Order>) -> Redemption {
        let units = self.chosen(reward);
        Redemption { reward: reward.name.clone(), units, order: order.cloned() }
    }

    /// The units of a reward whose price the member chooses.
    fn chosen(&self, reward: &RedeemedReward) -> Option<Units> {
        let rule = self.judges.bundle.called(StatementKind::Reward, &reward.name)?;
        rule.costs.as_ref().filter(|costs| costs.is_chosen()).map(|_| reward.costs)
    }
}

/// A request, as the handlers would pass it on.
enum Request<'a> {
    Earn(Box<ActivityEvent>),
    Replace(Box<(ActivityEvent, Undo)>),
    Redeem(Redemption, Option<ledger::Moment>),
    Hold(Redemption),
    Capture(Box<Entry>, &'a Bundle, Option<Units>),
    Release(ledger::HoldId),
    Reverse(Box<Reversal>),
    Rejudge(&'a str, Vec<Seq>),
    Adjust(Adjustment, Option<ledger::Moment>),
    Transfer(Transfer),
    Join(MemberId),
    Leave,
}

impl Request<'_> {
    fn decide(
        &self,
        context: &Context<'_>,
        member: &Member,
    ) -> Result<Option<Decision>, Undecided> {
        let bundle: &Bundle = context.bundle;
        Ok(Some(match self {
            Request::Earn(event) => earn(context, member, (**event).clone())?,
            Request::Replace(both) => {
                let (event, undo) = &**both;
                replace(context, member, event.clone(), undo.clone())?
            }
            Request::Redeem(redemption, at) => redeem(context, member, redemption.clone(), *at)?,
            Request::Hold(redemption) => hold(context, member, redemption.clone())?,
            Request::Capture(held, judged_by, units) => {
                capture(context, judged_by, member, held, *units)?
            }
            Request::Release(held) => release(context, member, held)?,
            Request::Reverse(reversal) => reverse(context, member, reversal)?,
            Request::Rejudge(title, entries) => {
                let rule = bundle.all_rules().find(|rule| rule.is_called(title));
                let Some(rule) = rule else { return Ok(None) };
                return rejudge(context, member, rule, entries);
            }
            Request::Adjust(adjustment, at) => adjust(context, member, adjustment.clone(), *at)?,
            Request::Transfer(units) => transfer(context, member, units)?,
            Request::Join(account) => join(context, member, account)?,
            Request::Leave => leave(context, member)?,
        }))
    }
}

impl Request<'_> {
    /// What each rule says of it, if the member asks for it.
    fn trace(&self, context: &Context<'_>, member: &Member) -> Result<Vec<TraceLine>, Undecided> {
        match self {
            Request::Earn(event) => trace(context, member, &event.activity, &[]),
            Request::Replace(both) => {
                trace(context, member, &both.0.activity, std::slice::from_ref(&both.1))
            }
            Request::Redeem(redemption, _) | Request::Hold(redemption) => {
                let view = context.view(member, context.data.account(member)?);
                trace_reward(context, &view, redemption)
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Whether units of some wallet wait for activities of a kind.
fn waits_for(programme: &Programme, kind: &str) -> bool {
    programme.wallets.values().any(|policy| policy.pending_until.as_deref() == Some(kind))
}

fn part(returned: Option<&Returned>, units: Option<Units>) -> Option<ReversedPart> {
    let order = returned.map(|returned| {
        let Returned { lines, refund } = returned.clone();
        ReversedPart::Order(Wanted { lines, refund: Some(refund) })
    });
    order.or(units.map(ReversedPart::Units))
}

/// The wallet and the units that moved for a reason: above zero if they came. The postings of what was
/// told late are the difference that it made.
fn moved(entry: &Entry, why: PostingReason) -> Option<(&WalletName, i64)> {
    if let Some(again) = &entry.again {
        return again.restored.iter().next().map(|(wallet, units)| (wallet, *units));
    }
    let own = || entry.postings.iter().filter(move |posting| posting.why == why);
    let wallet = &own().next()?.wallet;
    Some((wallet, own().map(ledger::Posting::change).sum()))
}
