//! An entry that changes the history before it, made from the member derived from the history as it
//! was and as it is: the entry posts the difference.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::{GiveRejection, balances};
use crate::restated::{Now, Restated};
use crate::terms::{HoldId, Terms};
use crate::{
    Change, Decision, Effect, Entry, Lot, Member, Moment, Posting, PostingReason, PostingSide,
    Reason, Units, Wallet, WalletName,
};

/// Lots by wallet.
pub type Lots = BTreeMap<WalletName, Vec<Lot>>;

/// A member as it was derived from a history.
#[derive(Debug, Clone)]
pub struct Derived {
    /// The member after the last entry.
    pub member: Member,
    /// The lots that expired on the way.
    pub expired: Lots,
    /// The lots that came in, or paid debt.
    pub came: Lots,
    /// The lots that paid for rewards, or became debt for them.
    pub spent: Lots,
}

impl Derived {
    /// A member from which nothing has been derived yet.
    #[must_use]
    pub fn from(member: Member) -> Derived {
        Derived { member, expired: Lots::new(), came: Lots::new(), spent: Lots::new() }
    }

    /// Ends the holds that ended before `now` and whose end is recorded, so that the member as it is
    /// stored does not have them: what is undone since may have recorded it. The piece of a stock that
    /// such a hold held is back there, and stays.
    pub fn end_holds(&mut self, stored: &Member, now: Moment) {
        let holds = self.member.holds.iter();
        let ended = holds.filter(|(id, hold)| hold.until <= now && !stored.holds.contains_key(*id));
        let ended: Vec<HoldId> = ended.map(|(id, _)| id.clone()).collect();
        ended.iter().for_each(|id| self.member.end_hold(id));
    }

    /// The same after one more entry.
    pub fn follow(&mut self, decision: Decision) {
        let Decision { member, entry, .. } = decision;
        for posting in entry.postings.iter().filter(|posting| !posting.shared) {
            let (lots, terms) = match posting.why {
                PostingReason::Expired => (&mut self.expired, posting.from_lot()),
                PostingReason::Spent => (&mut self.spent, posting.went_with()),
                _ if posting.change() > 0 => (&mut self.came, posting.came_with()),
                _ => continue,
            };
            if let Some(terms) = terms {
                let lot = Lot { units: posting.units, terms: terms.clone() };
                lots.entry(posting.wallet.clone()).or_default().push(lot);
            }
        }
        self.member = member;
    }
}

/// What one member is by two histories.
#[derive(Debug, Clone, Copy)]
pub struct Histories<'a> {
    /// By the history as it was.
    pub was: &'a Derived,
    /// By the history as it is.
    pub is: &'a Derived,
}

/// What is meant by a difference between two histories, beside what follows from it.
#[derive(Debug, Clone, Copy)]
pub struct Meant<'a> {
    /// The units that rules give more.
    pub given: &'a BTreeMap<WalletName, i64>,
    /// The units that rewards and staff no longer take, or take more if below zero.
    pub restored: &'a BTreeMap<WalletName, i64>,
    /// Why they move, if that is told and nothing is taken back: they pay for a reward, or staff moves
    /// them.
    pub told: Option<PostingReason>,
    /// Until when units can be spent at least that are given back.
    pub keep_until: Option<Moment>,
}

/// What rewards and staff move in one wallet.
#[derive(Clone, Copy)]
struct ByHand {
    gives: i64,
    why_given: PostingReason,
    takes: i64,
    /// `None` if what they take is not told.
    why_taken: Option<PostingReason>,
}

impl Meant<'_> {
    fn by_hand(self, name: &WalletName) -> ByHand {
        let units = self.restored.get(name).copied().unwrap_or(0);
        ByHand {
            gives: units.max(0),
            why_given: self.told.unwrap_or(PostingReason::Restored),
            takes: (-units).max(0),
            why_taken: self.told,
        }
    }
}

/// The units that rules give more by these reasons, or less if below zero.
#[must_use]
pub fn given<'r>(reasons: impl IntoIterator<Item = &'r Reason>) -> BTreeMap<WalletName, i64> {
    let mut given = BTreeMap::new();
    for reason in reasons {
        let (wallet, units) = match &reason.effect {
            Effect::Units { wallet, units } => (wallet, units.get()),
            Effect::Reclaim { wallet, units } => (wallet, -units.get()),
            _ => continue,
        };
        *given.entry(wallet.clone()).or_default() += units;
    }
    given
}

impl Histories<'_> {
    /// The parts of the member that are different, beside its wallets and its tier.
    #[must_use]
    pub fn state(self) -> Restated {
        between(&self.was.member, &self.is.member)
    }

    /// When an account was active last, if that is different.
    #[must_use]
    pub fn activity(self) -> Restated {
        let (was, is) = (self.was.member.active_at, self.is.member.active_at);
        let active_at = (was != is).then(|| Now::of(is));
        Restated { active_at, ..Restated::default() }
    }

    /// The postings that turn the member's wallets as they are stored into those by the history as it
    /// is, and what is to be said of expired units.
    #[must_use]
    pub fn movements(self, stored: &Member, meant: Meant<'_>) -> (Vec<Posting>, Vec<Change>) {
        let (was, is) = (&self.was.member.wallets, &self.is.member.wallets);
        let expired = self.was.expired.keys().chain(self.is.expired.keys());
        let mut names: Vec<&WalletName> = was.keys().chain(is.keys()).chain(expired).collect();
        names.sort();
        names.dedup();
        let (mut postings, mut changes) = (Vec::new(), Vec::new());
        for name in names {
            let of = |units: &BTreeMap<WalletName, i64>| units.get(name).copied().unwrap_or(0);
            let late = self.ran_out(name);
            let mut moved = self.moved(name, stored, &meant.by_hand(name), late);
            if let Some(keep_until) = meant.keep_until {
                keep(&mut moved, keep_until);
            }
            postings.extend(moved);
            let back = -self.more_expired(name);
            if back > 0 {
                let reclaimed = (-of(meant.given)).max(0).min(back);
                let (wallet, shared) = (name.clone(), false);
                if reclaimed > 0 {
                    let units = Units::part(reclaimed);
                    changes.push(Change::Unrecoverable { wallet: wallet.clone(), units, shared });
                }
                if back > reclaimed {
                    let units = Units::part(back - reclaimed);
                    changes.push(Change::Revived { wallet, units, shared });
                }
            }
        }
        (postings, changes)
    }

    /// How many more units have expired.
    fn more_expired(self, name: &WalletName) -> i64 {
        let all = |derived: &Derived| -> i64 {
            let lots = derived.expired.get(name).into_iter().flatten();
            lots.map(|lot| lot.units.get()).sum()
        };
        all(self.is) - all(self.was)
    }

    /// The lots that came late and have expired since: as many units as have expired more.
    fn ran_out(self, name: &WalletName) -> Vec<Lot> {
        let mut more = self.more_expired(name);
        let lots = |derived: &Derived| derived.expired.get(name).cloned().unwrap_or_default();
        let mut late = Vec::new();
        for (terms, units) in net(&lots(self.was), &lots(self.is)) {
            let units = units.min(more).max(0);
            if units > 0 {
                more -= units;
                late.push(Lot { units: Units::part(units), terms });
            }
        }
        late
    }

    /// The terms of units that become debt or are no longer owed.
    fn terms_of_debt(self, name: &WalletName) -> TermsOfDebt {
        let lots = |lots: &Lots| lots.get(name).cloned().unwrap_or_default();
        let came = net(&lots(&self.was.came), &lots(&self.is.came));
        let gone = came.iter().find(|(_, units)| *units < 0).or(came.first());
        let worth = gone.and_then(|(terms, _)| terms.worth);
        // What pays less is what comes back of rewards, and then what comes in.
        let unspent = net(&lots(&self.is.spent), &lots(&self.was.spent));
        let back = unspent.into_iter().chain(came).filter(|(_, units)| *units > 0).collect();
        TermsOfDebt { more: Terms { worth, ..Terms::default() }, back }
    }

    fn moved(
        self,
        name: &WalletName,
        stored: &Member,
        by_hand: &ByHand,
        late: Vec<Lot>,
    ) -> Vec<Posting> {
        let (was, is) =
            (self.was.member.wallet(name.as_str()), self.is.member.wallet(name.as_str()));
        let stored = stored.wallet(name.as_str());
        let mut sides = Sides::of(was, is, stored, &self.terms_of_debt(name));
        let mut postings = Vec::new();
        let ByHand { gives: mut restored, takes, why_taken, why_given } = *by_hand;
        // What is told takes what it took, whatever follows from it.
        if let Some(why) = why_taken {
            let taken = split_off(&mut sides.from, takes);
            postings.extend(taken.iter().map(|(side, units)| side.goes(name, *units, why)));
        }
        let within = sides.within(name);
        // What comes in from outside is given back first, and given by rules then.
        let mut comes = |side: &Side, units: Units| {
            let back = restored.min(units.get());
            restored -= back;
            let parts = [(back, why_given), (units.get() - back, PostingReason::Issued)];
            let parts = parts.into_iter().filter(|(units, _)| *units > 0);
            let parts = parts.map(|(units, why)| side.comes(name, Units::part(units), why));
            parts.collect::<Vec<Posting>>()
        };
        for (side, units) in sides.to {
            postings.extend(comes(&side, units));
        }
        for Lot { units, terms } in late {
            let side = Side::Lot(terms);
            postings.extend(comes(&side, units));
            postings.push(side.goes(name, units, PostingReason::Expired));
        }
        for (side, units) in sides.from {
            postings.push(side.goes(name, units, PostingReason::Reclaimed));
        }
        postings.extend(within);
        postings
    }
}

/// Lets units that are given back end no earlier than a moment. Those that have expired meanwhile have
/// not.
fn keep(postings: &mut Vec<Posting>, keep_until: Moment) {
    let mut kept: Vec<(Terms, Units)> = Vec::new();
    for posting in postings.iter_mut() {
        if let (PostingReason::Restored, Some(PostingSide::Lot(terms))) =
            (posting.why, &mut posting.to)
            && terms.expires_at.is_some_and(|end| end < keep_until)
        {
            kept.push((terms.clone(), posting.units));
            terms.expires_at = Some(keep_until);
        }
    }
    for posting in postings.iter_mut().filter(|posting| posting.why == PostingReason::Expired) {
        let same = kept.iter_mut().find(|(terms, _)| posting.from_lot() == Some(terms));
        if let Some((_, units)) = same {
            let stays = posting.units.min(*units);
            posting.units = Units::part(posting.units.get() - stays.get());
            *units = Units::part(units.get() - stays.get());
        }
    }
    postings.retain(|posting| !posting.units.is_zero());
}

/// The parts of a member that are different, beside its wallets and its tier.
fn between(was: &Member, is: &Member) -> Restated {
    Restated {
        happened_at: other(&was.happened_at, &is.happened_at),
        active_at: (was.active_at != is.active_at).then(|| Now::of(is.active_at)),
        history: other(&was.history, &is.history),
        counters: others(&was.counters, &is.counters),
        tasks: others(&was.tasks, &is.tasks),
        scores: others(&was.scores, &is.scores),
        tags: others(&named(&was.tags), &named(&is.tags)),
        grants: others(&was.grants, &is.grants),
        remainders: others(&was.remainders, &is.remainders),
        triggered: others(&was.triggered, &is.triggered),
        holds: others(&was.holds, &is.holds),
        early: other(&was.early, &is.early),
    }
}

fn named(tags: &BTreeSet<String>) -> BTreeMap<String, ()> {
    tags.iter().map(|tag| (tag.clone(), ())).collect()
}

fn other<T: Clone + PartialEq>(was: &T, is: &T) -> Option<T> {
    (was != is).then(|| is.clone())
}

fn others<K: Clone + Ord, T: Clone + PartialEq>(
    was: &BTreeMap<K, T>,
    is: &BTreeMap<K, T>,
) -> BTreeMap<K, Now<T>> {
    let names = was.keys().chain(is.keys()).filter(|name| was.get(name) != is.get(name));
    names.map(|name| (name.clone(), Now::of(is.get(name).cloned()))).collect()
}

/// The units of each lot in `is` less those in `was`, in the order in which lots are spent.
fn net(was: &[Lot], is: &[Lot]) -> Vec<(Terms, i64)> {
    let mut net: Vec<(Terms, i64)> = Vec::new();
    for (lots, sign) in [(was, -1), (is, 1)] {
        for lot in lots {
            let units = sign * lot.units.get();
            match net.iter_mut().find(|(terms, _)| *terms == lot.terms) {
                Some((_, sum)) => *sum += units,
                None => net.push((lot.terms.clone(), units)),
            }
        }
    }
    net.retain(|(_, units)| *units != 0);
    net.sort_by(|(one, _), (other, _)| one.spend_order().cmp(&other.spend_order()));
    net
}

/// A side of a movement: a lot, or the debt with the terms of the units that it is of.
#[derive(Clone)]
enum Side {
    Lot(Terms),
    Debt(Terms),
}

impl Side {
    /// The posting of units that come in from outside.
    fn comes(&self, wallet: &WalletName, units: Units, why: PostingReason) -> Posting {
        let (wallet, lot) = (wallet.clone(), self.lot(units));
        match self {
            Side::Lot(_) => Posting::into_lot(wallet, lot, why),
            Side::Debt(_) => Posting::into_debt(wallet, lot, why),
        }
    }

    /// The posting of units that go outside.
    fn goes(&self, wallet: &WalletName, units: Units, why: PostingReason) -> Posting {
        let (wallet, lot) = (wallet.clone(), self.lot(units));
        match self {
            Side::Lot(_) => Posting::out_of_lot(wallet, lot, why),
            Side::Debt(_) => Posting::out_of_debt(wallet, lot, why),
        }
    }

    fn lot(&self, units: Units) -> Lot {
        let (Side::Lot(terms) | Side::Debt(terms)) = self;
        Lot { units, terms: terms.clone() }
    }
}

/// The terms of units that become debt, or that are no longer owed.
struct TermsOfDebt {
    /// Of those that become debt: what they are worth.
    more: Terms,
    /// Of those that are no longer owed, as many of each.
    back: Vec<(Terms, i64)>,
}

impl TermsOfDebt {
    /// The terms of so many units that are no longer owed.
    fn of_units(&self, mut units: i64) -> Vec<(Terms, Units)> {
        let mut parts = Vec::new();
        for (terms, there) in &self.back {
            let part = units.min(*there);
            units -= part;
            parts.push((terms.clone(), Units::part(part)));
        }
        parts.push((self.more.clone(), Units::part(units)));
        parts.retain(|(_, units)| !units.is_zero());
        parts
    }
}

/// Takes the first so many units off.
fn split_off<T: Clone>(all: &mut Vec<(T, Units)>, mut units: i64) -> Vec<(T, Units)> {
    let mut taken = Vec::new();
    for (one, there) in all.iter_mut() {
        let part = units.min(there.get());
        units -= part;
        *there = Units::part(there.get() - part);
        taken.push((one.clone(), Units::part(part)));
    }
    for parts in [&mut *all, &mut taken] {
        parts.retain(|(_, units)| !units.is_zero());
    }
    taken
}

/// Where units of a wallet have to come from and go to.
struct Sides {
    from: Vec<(Side, Units)>,
    to: Vec<(Side, Units)>,
}

impl Sides {
    /// The sides of the difference between two wallets, as far as a third has what they take.
    fn of(was: &Wallet, is: &Wallet, stored: &Wallet, terms_of_debt: &TermsOfDebt) -> Sides {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        let mut there = stored.clone();
        let mut debt = is.debt().get() - was.debt().get();
        for (terms, units) in net(was.lots(), is.lots()) {
            if units > 0 {
                to.push((Side::Lot(terms), Units::part(units)));
                continue;
            }
            let mut missing = Units::part(-units);
            let same = |other: &Terms| *other == terms;
            let alike =
                |other: &Terms| other.expires_at == terms.expires_at && other.held == terms.held;
            let any = |other: &Terms| other.held.is_none();
            let looks: [&dyn Fn(&Terms) -> bool; 3] = [&same, &alike, &any];
            for look in looks {
                let (taken, rest) = there.take_some(missing, look);
                from.extend(taken.into_iter().map(|lot| (Side::Lot(lot.terms), lot.units)));
                missing = rest;
            }
            debt += missing.get();
        }
        if debt > 0 {
            from.push((Side::Debt(terms_of_debt.more.clone()), Units::part(debt)));
        } else if debt < 0 {
            let mut back = terms_of_debt.of_units(-debt);
            let paid = split_off(&mut back, (-debt).min(stored.debt().get()));
            to.extend(paid.into_iter().map(|(terms, units)| (Side::Debt(terms), units)));
            to.extend(back.into_iter().map(|(terms, units)| (Side::Lot(terms), units)));
        }
        to.retain(|(_, units)| !units.is_zero());
        Sides { from, to }
    }

    /// Pairs what goes with what comes: movements within the wallet. What is left of either side comes
    /// from outside or goes there.
    fn within(&mut self, name: &WalletName) -> Vec<Posting> {
        let why = PostingReason::DerivedAgain;
        let mut postings = Vec::new();
        let (mut from, mut to) = (
            std::mem::take(&mut self.from).into_iter().peekable(),
            std::mem::take(&mut self.to).into_iter().peekable(),
        );
        while let (Some((one, out)), Some((other, come))) = (from.peek_mut(), to.peek_mut()) {
            let units = (*out).min(*come);
            let into = other.comes(name, units, why).to;
            postings.push(Posting { to: into, ..one.goes(name, units, why) });
            *out = Units::part(out.get() - units.get());
            *come = Units::part(come.get() - units.get());
            if out.is_zero() {
                from.next();
            }
            if to.peek().is_some_and(|(_, come)| come.is_zero()) {
                to.next();
            }
        }
        self.from = from.collect();
        self.to = to.collect();
        postings
    }
}

/// The decision of an entry that changes the history before it. Its postings are the difference, and
/// the debt that is left is paid by what is there.
///
/// # Errors
/// The entry cannot be applied to the member.
pub fn decide(stored: &Member, mut entry: Entry, now: Moment) -> Result<Decision, GiveRejection> {
    let applies = |reason| GiveRejection::of(&stored.id, reason);
    let mut after = stored.clone();
    after.apply(&entry).map_err(applies)?;
    for (name, wallet) in &after.wallets {
        let lots = wallet.clone().take_for_debt(now);
        entry.postings.extend(lots.into_iter().map(|lot| Posting::pays_debt(name.clone(), lot)));
    }
    let mut after = stored.clone();
    after.apply(&entry).map_err(applies)?;
    entry.balances = balances(&after, now);
    Ok(Decision { due_at: after.due_at(), member: after, entry, others: Vec::new() })
}
