//! Lots, and wallets of them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::apply_error::ApplyError;
use crate::{Expiry, Member, Moment, Seq, Units, WalletName};

/// One credit in a wallet, with what is left of it. It keeps the terms under which it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// What is left.
    pub units: Units,
    /// Everything else: lots of equal terms are one.
    pub terms: Terms,
}

/// What tells lots apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// From when it can be spent; at once if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Moment>,
    /// The activity by which it can be spent, such as the delivery of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_on: Option<PendingOn>,
    /// The hold for which it is set aside, until it can be spent by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldId>,
    /// The first moment at which it is no longer there; it stays if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    /// How long it stays after the member was last active, where every activity puts its end off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactivity: Option<Inactivity>,
}

/// An activity that a lot waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PendingOn {
    /// What kind of activity.
    pub activity: String,
    /// The id of what that one is `of`: an order's number.
    pub of: String,
    /// Days from there to the moment at which it can be spent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub days: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(days: &u32) -> bool {
    *days == 0
}

/// How long a lot stays after the member was last active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inactivity {
    /// So many days.
    Days(u32),
    /// So many months.
    Months(u32),
}

impl Inactivity {
    /// The end of a lot that was to end, when at `now` the member turns out to have been active. What
    /// has run out stays so, though a hold may still have it.
    #[must_use]
    pub fn extend(
        self,
        end: Option<Moment>,
        active_at: Moment,
        now: Moment,
        time_zone: Tz,
    ) -> Option<Moment> {
        if end.is_some_and(|end| end <= now) {
            return end;
        }
        end.max(Expiry::Inactivity(self).of(active_at, time_zone))
    }
}

impl Terms {
    /// Can be spent at once, and lapses at a moment.
    #[must_use]
    pub fn until(expires_at: Option<Moment>) -> Terms {
        Terms { expires_at, ..Terms::default() }
    }

    /// It is set aside for a hold that has not passed.
    #[must_use]
    pub fn is_held(&self, now: Moment) -> bool {
        self.held.is_some() && self.is_not_yet_available(now)
    }

    /// It has run out, whether or not anyone has written that down. What is set aside does not run
    /// out before its hold does.
    #[must_use]
    pub fn is_expired(&self, now: Moment) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now) && !self.is_held(now)
    }

    /// It waits for its day, or for an activity.
    #[must_use]
    pub fn is_pending(&self, now: Moment) -> bool {
        let waits = self.pending_on.is_some() || self.is_not_yet_available(now);
        waits && self.held.is_none() && !self.is_expired(now)
    }

    /// It can be spent.
    #[must_use]
    pub fn is_spendable(&self, now: Moment) -> bool {
        !self.is_expired(now) && self.pending_on.is_none() && !self.is_not_yet_available(now)
    }

    /// The first moment at which there is something to write down of it.
    #[must_use]
    pub fn due_at(&self) -> Option<Moment> {
        let free_at = self.available_at.filter(|_| self.held.is_some());
        self.expires_at.map(|expires_at| free_at.map_or(expires_at, |at| expires_at.max(at)))
    }

    fn is_not_yet_available(&self, now: Moment) -> bool {
        self.available_at.is_some_and(|available_at| available_at > now)
    }

    /// The same terms as time has made them: what has come of age is told apart no more.
    #[must_use]
    pub fn matured(mut self, now: Moment) -> Terms {
        if !self.is_not_yet_available(now) {
            self.available_at = None;
            self.held = None;
        }
        self
    }

    /// The order in which lots are spent: the soonest to expire first, those that stay last.
    fn spend_order(&self) -> impl Ord + '_ {
        let Terms { available_at, pending_on, held, expires_at, inactivity } = self;
        (expires_at.is_none(), expires_at, available_at, pending_on, held, inactivity)
    }
}

/// The name of a hold: unique among all that share a wallet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldId(String);

impl HoldId {
    /// The hold of a name, whether or not there is one.
    #[must_use]
    pub fn new(name: impl Into<String>) -> HoldId {
        HoldId(name.into())
    }

    /// The name of the hold that an entry makes: its number, and whose entry it is where others share
    /// the wallets.
    #[must_use]
    pub fn of(member: &Member, entry: Seq) -> HoldId {
        HoldId(match &member.account {
            None => entry.to_string(),
            Some(_) => format!("{}.{entry}", member.id),
        })
    }

    /// The number of the entry that made it, if this is the name of a hold.
    #[must_use]
    pub fn entry(&self) -> Option<Seq> {
        let number = self.0.rsplit('.').next()?;
        number.parse().ok().map(Seq::new)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A named balance: its open lots, in the order in which they are spent, and what is owed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wallet {
    // INVARIANT: sorted by turn, no two lots with the same terms, none empty, and their sum is at
    // most `Units::MAX`.
    lots: Vec<Lot>,
    /// Units that were taken back after they had been spent. Whatever comes in pays it first.
    debt: Units,
}

impl Wallet {
    /// A wallet of lots in any order. Lots of equal terms become one and empty ones are dropped.
    /// Nothing if their sum is above [`Units::MAX`].
    #[must_use]
    pub fn of(lots: impl IntoIterator<Item = Lot>, debt: Units) -> Option<Wallet> {
        let wallet = Wallet { lots: Vec::new(), debt };
        lots.into_iter().try_fold(wallet, |mut wallet, lot| {
            wallet.add(lot)?;
            Some(wallet)
        })
    }

    /// What is owed.
    #[must_use]
    pub fn debt(&self) -> Units {
        self.debt
    }

    /// Owes more.
    pub(crate) fn add_debt(&mut self, name: &WalletName, units: Units) -> Result<(), ApplyError> {
        let sum = self.debt.checked_add(units);
        self.debt = sum.ok_or_else(|| ApplyError::too_much(name))?;
        Ok(())
    }

    /// Owes less.
    pub(crate) fn pay_debt(&mut self, name: &WalletName, units: Units) -> Result<(), ApplyError> {
        let rest = self.debt.checked_sub(units);
        self.debt = rest.ok_or_else(|| ApplyError::DebtIsTooSmall(name.clone()))?;
        Ok(())
    }

    /// The open lots, the first to be spent first.
    #[must_use]
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    fn place(&self, terms: &Terms) -> Result<usize, usize> {
        self.lots.binary_search_by(|lot| lot.terms.spend_order().cmp(&terms.spend_order()))
    }

    /// Adds a credit to the lot of the same terms, or as a lot of its own. Nothing, and no
    /// change, if the wallet would hold more than [`Units::MAX`].
    #[must_use]
    pub fn add(&mut self, credit: Lot) -> Option<()> {
        self.held_in_all().checked_add(credit.units)?;
        if credit.units.is_zero() {
            return Some(());
        }
        match self.place(&credit.terms) {
            Ok(place) => {
                let lot = self.lots.get_mut(place)?;
                lot.units = lot.units.checked_add(credit.units)?;
            }
            Err(place) => self.lots.insert(place, credit),
        }
        Some(())
    }

    /// Takes units out of the lot of the same terms.
    pub(crate) fn withdraw(&mut self, name: &WalletName, debit: &Lot) -> Result<(), ApplyError> {
        let too_small = || ApplyError::LotIsTooSmall {
            wallet: name.clone(),
            terms: Box::new(debit.terms.clone()),
        };
        let place = self.place(&debit.terms).map_err(|_| too_small())?;
        let lot = self.lots.get_mut(place).ok_or_else(too_small)?;
        lot.units = lot.units.checked_sub(debit.units).ok_or_else(too_small)?;
        if lot.units.is_zero() {
            self.lots.remove(place);
        }
        Ok(())
    }

    /// Takes units from what can be spent now, and answers with what came from which lot; or takes
    /// nothing and answers with nothing where they do not suffice.
    #[must_use]
    pub fn take(&mut self, units: Units, now: Moment) -> Option<Vec<Lot>> {
        self.spendable(now).checked_sub(units)?;
        let (taken, missing) = self.take_some(units, |terms| terms.is_spendable(now));
        missing.is_zero().then_some(taken)
    }

    /// Takes as many of so many units as the lots of some terms hold, in the order in which lots are
    /// spent, and answers with what came from which lot, and how many units are missing.
    pub(crate) fn take_some(
        &mut self,
        units: Units,
        from: impl Fn(&Terms) -> bool,
    ) -> (Vec<Lot>, Units) {
        let mut missing = units;
        let mut taken = Vec::new();
        for lot in self.lots.iter_mut().filter(|lot| from(&lot.terms)) {
            let part = lot.units.min(missing);
            // Neither is below zero: the part is the smaller of the two.
            lot.units = lot.units.checked_sub(part).unwrap_or_default();
            missing = missing.checked_sub(part).unwrap_or_default();
            if !part.is_zero() {
                taken.push(Lot { units: part, terms: lot.terms.clone() });
            }
        }
        self.lots.retain(|lot| !lot.units.is_zero());
        (taken, missing)
    }

    /// Takes what pays the debt out of what was set aside for holds that have passed. It pays in the
    /// moment in which it is free again, the first hold to pass first, though its time may be over in
    /// the same.
    pub(crate) fn take_from_expired_holds(&mut self, now: Moment) -> Vec<Lot> {
        let has_passed = |terms: &Terms| terms.held.is_some() && !terms.is_held(now);
        let passed = self.lots.iter().filter(|lot| has_passed(&lot.terms));
        let free_at: BTreeSet<_> = passed.map(|lot| lot.terms.available_at).collect();
        let (mut taken, mut missing) = (Vec::new(), self.debt);
        for at in free_at {
            let freed = |terms: &Terms| has_passed(terms) && terms.available_at == at;
            let (lots, rest) = self.take_some(missing, freed);
            taken.extend(lots.into_iter().map(|lot| Lot { terms: lot.terms.matured(now), ..lot }));
            missing = rest;
        }
        taken
    }

    /// The same, paid.
    pub(crate) fn pay_debt_from_expired_holds(&mut self, now: Moment) {
        for lot in self.take_from_expired_holds(now) {
            // No more than the debt has been taken.
            self.debt = self.debt.checked_sub(lot.units).unwrap_or_default();
        }
    }

    /// Takes what pays the debt, or a part of it: what can be spent first, then what waits. What is
    /// set aside stays, and pays when it is free again.
    pub(crate) fn take_for_debt(&mut self, now: Moment) -> Vec<Lot> {
        let (mut taken, missing) = self.take_some(self.debt, |terms| terms.is_spendable(now));
        let (waiting, _) = self.take_some(missing, |terms| terms.is_pending(now));
        taken.extend(waiting);
        taken
    }

    /// Makes the lots whose day has come one with those that could be spent all along: what can be
    /// spent is told apart by its expiry only, so a member's lots stay few. What was set aside for
    /// a hold that has passed is free again.
    pub fn merge_matured(&mut self, now: Moment) {
        let lots = std::mem::take(&mut self.lots);
        for Lot { units, terms } in lots {
            let terms = terms.matured(now);
            match self.place(&terms) {
                Ok(place) => {
                    if let Some(same) = self.lots.get_mut(place) {
                        same.units = Units::part(same.units.get() + units.get());
                    }
                }
                Err(place) => self.lots.insert(place, Lot { units, terms }),
            }
        }
    }

    /// Takes out every lot that has run out.
    pub fn take_expired(&mut self, now: Moment) -> Vec<Lot> {
        self.lots.extract_if(.., |lot| lot.terms.is_expired(now)).collect()
    }

    /// What can be spent now: what is owed is not.
    #[must_use]
    pub fn spendable(&self, now: Moment) -> Units {
        let mut present = Cow::Borrowed(self);
        if !self.debt.is_zero() {
            present.to_mut().pay_debt_from_expired_holds(now);
        }
        let free = present.sum(|terms| terms.is_spendable(now));
        free.checked_sub(present.debt).unwrap_or_default()
    }

    /// What waits for its day, or for an activity.
    #[must_use]
    pub fn pending(&self, now: Moment) -> Units {
        self.sum(|terms| terms.is_pending(now))
    }

    /// What is set aside for holds.
    #[must_use]
    pub fn held(&self, now: Moment) -> Units {
        self.sum(|terms| terms.is_held(now))
    }

    /// The sum of all postings: all open lots, those included that have lapsed since the last run,
    /// less what is owed. Below zero where more is owed than held.
    #[must_use]
    pub fn posted(&self) -> i64 {
        self.held_in_all().get() - self.debt.get()
    }

    fn held_in_all(&self) -> Units {
        self.sum(|_| true)
    }

    /// The next moment at which something lapses, and how much of it.
    #[must_use]
    pub fn next_expiry(&self, now: Moment) -> Option<(Moment, Units)> {
        let open = |terms: &Terms| !terms.is_expired(now) && !terms.is_held(now);
        let mut terms = self.lots.iter().map(|lot| &lot.terms).filter(|terms| open(terms));
        let at = terms.find_map(|terms| terms.expires_at)?;
        Some((at, self.sum(|terms| open(terms) && terms.expires_at == Some(at))))
    }

    fn sum(&self, counts: impl Fn(&Terms) -> bool) -> Units {
        let counted = self.lots.iter().filter(|lot| counts(&lot.terms));
        Units::part(counted.map(|lot| lot.units.get()).sum())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Moment {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn lot(units: i64, available: Option<i64>, expires: Option<i64>) -> Lot {
        Lot {
            units: Units::new(units).unwrap(),
            terms: Terms { available_at: available.map(at), ..Terms::until(expires.map(at)) },
        }
    }

    fn of(lots: impl IntoIterator<Item = Lot>) -> Wallet {
        Wallet::of(lots, Units::ZERO).unwrap()
    }

    fn name() -> WalletName {
        WalletName::parse("points").unwrap()
    }

    #[test]
    fn the_soonest_to_expire_is_spent_first_and_the_lapsed_and_pending_never() {
        let mut wallet = of([
            lot(5, None, None),
            lot(3, None, Some(30)),
            lot(2, None, Some(20)),
            lot(7, Some(25), Some(28)),
            lot(1, None, Some(10)),
        ]);
        assert_eq!(wallet.take(Units::new(11).unwrap(), at(10)), None);
        let taken = wallet.take(Units::new(6).unwrap(), at(10)).unwrap();
        assert_eq!(taken, [lot(2, None, Some(20)), lot(3, None, Some(30)), lot(1, None, None)]);
        assert_eq!(wallet.spendable(at(10)).get(), 4);
        assert_eq!(wallet.pending(at(10)).get(), 7);
        assert_eq!(wallet.posted(), 12);
        assert_eq!(wallet.next_expiry(at(10)), Some((at(28), Units::new(7).unwrap())));
    }

    #[test]
    fn what_was_set_aside_has_paid_what_is_owed_when_its_hold_has_passed() {
        let aside = |units: i64, until: i64, expires: i64| {
            let mut aside = lot(units, Some(until), Some(expires));
            aside.terms.held = Some(HoldId::new(until.to_string()));
            aside
        };
        let lots = [aside(5, 10, 12), aside(5, 20, 15), lot(3, None, None)];
        let wallet = Wallet::of(lots, Units::new(7).unwrap()).unwrap();
        assert_eq!(wallet.spendable(at(9)).get(), 0);
        assert_eq!(wallet.spendable(at(10)).get(), 1);
        // The second pays as well, though its end has come before it is free.
        assert_eq!(wallet.spendable(at(20)).get(), 3);
    }

    #[test]
    fn a_lot_is_gone_at_its_last_second_and_not_before() {
        let wallet = of([lot(4, Some(5), Some(10))]);
        assert_eq!(wallet.spendable(at(4)).get(), 0);
        assert_eq!(wallet.spendable(at(5)).get(), 4);
        assert_eq!(wallet.spendable(at(9)).get(), 4);
        assert_eq!(wallet.spendable(at(10)).get(), 0);
    }

    #[test]
    fn what_is_set_aside_is_free_by_itself_and_does_not_lapse_before() {
        let held = Terms {
            available_at: Some(at(20)),
            held: Some(HoldId::new("7")),
            ..Terms::until(Some(at(10)))
        };
        let wallet = of([lot(5, None, None), Lot { units: Units::ONE, terms: held.clone() }]);
        assert_eq!((wallet.spendable(at(5)).get(), wallet.held(at(19)).get()), (5, 1));
        assert_eq!((wallet.pending(at(5)).get(), held.is_expired(at(19))), (0, false));
        assert_eq!((wallet.held(at(20)).get(), held.is_expired(at(20))), (0, true));
        assert_eq!(held.due_at(), Some(at(20)));
        let later = Terms { expires_at: Some(at(30)), ..held };
        assert!(later.is_spendable(at(20)) && !later.is_spendable(at(19)));
    }

    #[test]
    fn what_is_owed_cannot_be_spent() {
        let mut wallet = of([lot(5, None, None)]);
        wallet.add_debt(&name(), Units::new(3).unwrap()).unwrap();
        assert_eq!((wallet.spendable(at(0)).get(), wallet.posted()), (2, 2));
        assert_eq!(wallet.take(Units::new(3).unwrap(), at(0)), None);
        wallet.add_debt(&name(), Units::new(4).unwrap()).unwrap();
        assert_eq!((wallet.spendable(at(0)).get(), wallet.posted()), (0, -2));
        let paid = wallet.pay_debt(&name(), Units::new(8).unwrap());
        assert_eq!(paid, Err(ApplyError::DebtIsTooSmall(name())));
    }

    #[test]
    fn a_wallet_refuses_what_it_cannot_count() {
        let mut wallet = of([lot(Units::MAX.get(), None, None)]);
        let before = wallet.clone();
        assert_eq!(wallet.add(lot(1, None, Some(5))), None);
        assert_eq!(wallet, before);
    }

    fn any_lot() -> impl Strategy<Value = Lot> {
        (0..50i64, proptest::option::of(0..20i64), proptest::option::of(0..20i64))
            .prop_map(|(units, available, expires)| lot(units, available, expires))
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made(
            lots in proptest::collection::vec(any_lot(), 0..12),
            wanted in 0..200i64,
            now in 0..20i64,
        ) {
            let now = at(now);
            let mut wallet = of(lots.iter().cloned());
            let total: i64 = lots.iter().map(|lot| lot.units.get()).sum();
            prop_assert_eq!(wallet.posted(), total);
            let expired: i64 =
                lots.iter().filter(|lot| lot.terms.is_expired(now)).map(|lot| lot.units.get()).sum();
            prop_assert_eq!(
                wallet.spendable(now).get() + wallet.pending(now).get() + expired,
                total
            );
            let spendable = wallet.spendable(now).get();
            let taken = wallet.take(Units::new(wanted).unwrap(), now);
            prop_assert_eq!(taken.is_some(), wanted <= spendable);
            let taken: i64 = taken.iter().flatten().map(|lot| lot.units.get()).sum();
            prop_assert_eq!(wallet.posted() + taken, total);
            let (spendable, pending) = (wallet.spendable(now), wallet.pending(now));
            wallet.merge_matured(now);
            prop_assert_eq!((wallet.spendable(now), wallet.pending(now)), (spendable, pending));
            prop_assert!(wallet.lots().windows(2).all(|two| two[0].terms.spend_order() < two[1].terms.spend_order()));
            let out: i64 = wallet.take_expired(now).iter().map(|lot| lot.units.get()).sum();
            prop_assert_eq!(out, expired);
            prop_assert_eq!(wallet.posted() + taken + out, total);
        }
    }
}
