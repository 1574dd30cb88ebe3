//! Lots, and the wallets that hold them.
//!
//! A [`Wallet`] stores no sums: its methods take the time and compute what can be spent, is pending
//! or is held at that time. To move units, a verb takes them from a clone of the wallet, such as
//! with [`Wallet::take`], and makes postings of the lots that this returns. Only
//! [`Member::apply`](crate::Member::apply) changes a member's own wallets.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::apply_error::ApplyError;
use crate::terms::Terms;
use crate::{Moment, Units, WalletName};

/// One credit in a wallet, with the units that are left of it and its own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The units that are left.
    pub units: Units,
    /// Everything else. A wallet merges lots of equal terms.
    pub terms: Terms,
}

/// A wallet: its open lots, in the order in which they are spent, and its debt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wallet {
    // INVARIANT: sorted by `Terms::spend_order`, no two lots with the same terms, none empty, and
    // their sum is at most `Units::MAX`.
    lots: Vec<Lot>,
    /// Units owed: they were taken back after they had been spent. Every credit pays debt first.
    debt: Units,
}

impl Wallet {
    /// A wallet of lots in any order. It merges lots of equal terms and drops empty ones. `None` if
    /// their sum is above [`Units::MAX`].
    #[must_use]
    pub fn of(lots: impl IntoIterator<Item = Lot>, debt: Units) -> Option<Wallet> {
        let wallet = Wallet { lots: Vec::new(), debt };
        lots.into_iter().try_fold(wallet, |mut wallet, lot| {
            wallet.add(lot)?;
            Some(wallet)
        })
    }

    /// The units owed.
    #[must_use]
    pub fn debt(&self) -> Units {
        self.debt
    }

    /// Adds to the debt.
    pub(crate) fn add_debt(&mut self, name: &WalletName, units: Units) -> Result<(), ApplyError> {
        let sum = self.debt.checked_add(units);
        self.debt = sum.ok_or_else(|| ApplyError::too_much(name))?;
        Ok(())
    }

    /// Takes from the debt.
    pub(crate) fn pay_debt(&mut self, name: &WalletName, units: Units) -> Result<(), ApplyError> {
        let rest = self.debt.checked_sub(units);
        self.debt = rest.ok_or_else(|| ApplyError::DebtIsTooSmall(name.clone()))?;
        Ok(())
    }

    /// The open lots, in the order in which they are spent.
    #[must_use]
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    fn place(&self, terms: &Terms) -> Result<usize, usize> {
        self.lots.binary_search_by(|lot| lot.terms.spend_order().cmp(&terms.spend_order()))
    }

    /// Adds a credit to the lot of the same terms, or as a new lot. `None`, and no change, if the
    /// wallet would have more than [`Units::MAX`].
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

    /// Takes units from the lots that can be spent now, and returns what it took from each lot.
    /// `None`, and no change, if too few can be spent.
    #[must_use]
    pub fn take(&mut self, units: Units, now: Moment) -> Option<Vec<Lot>> {
        self.spendable(now).checked_sub(units)?;
        let (taken, missing) = self.take_some(units, |terms| terms.is_spendable(now));
        missing.is_zero().then_some(taken)
    }

    /// Takes up to `units` from the lots whose terms `from` accepts, in the order in which lots are
    /// spent. Returns what it took from each lot, and how many units are missing.
    pub(crate) fn take_some(
        &mut self,
        units: Units,
        from: impl Fn(&Terms) -> bool,
    ) -> (Vec<Lot>, Units) {
        let mut missing = units;
        let mut taken = Vec::new();
        for lot in self.lots.iter_mut().filter(|lot| from(&lot.terms)) {
            let part = lot.units.min(missing);
            // `part` is the smaller of the two, so neither difference is below zero.
            lot.units = lot.units.checked_sub(part).unwrap_or_default();
            missing = missing.checked_sub(part).unwrap_or_default();
            if !part.is_zero() {
                taken.push(Lot { units: part, terms: lot.terms.clone() });
            }
        }
        self.lots.retain(|lot| !lot.units.is_zero());
        (taken, missing)
    }

    /// Takes the units that pay the debt out of lots whose holds have expired, and returns them
    /// with matured terms. The first hold to expire pays first. A lot pays at the moment at which
    /// its hold expires, even if the lot itself expires at that moment.
    pub(crate) fn take_from_expired_holds(&mut self, now: Moment) -> Vec<Lot> {
        let has_passed = |terms: &Terms| terms.held.is_some() && !terms.is_held(now);
        let passed = self.lots.iter().filter(|lot| has_passed(&lot.terms));
        let free_at: BTreeSet<_> = passed.map(|lot| lot.terms.available_at).collect();
        let (mut taken, mut missing) = (Vec::new(), self.debt);
        for at in free_at {
            let released = |terms: &Terms| has_passed(terms) && terms.available_at == at;
            let (lots, rest) = self.take_some(missing, released);
            taken.extend(lots.into_iter().map(|lot| Lot { terms: lot.terms.matured(now), ..lot }));
            missing = rest;
        }
        taken
    }

    /// Pays the debt with the units of lots whose holds have expired.
    pub(crate) fn pay_debt_from_expired_holds(&mut self, now: Moment) {
        for lot in self.take_from_expired_holds(now) {
            // At most the debt has been taken, so the difference is not below zero.
            self.debt = self.debt.checked_sub(lot.units).unwrap_or_default();
        }
    }

    /// Takes units that pay the debt, or a part of it: first those that can be spent, then pending
    /// ones. Held units stay; they pay when they are no longer held.
    pub(crate) fn take_for_debt(&mut self, now: Moment) -> Vec<Lot> {
        let (mut taken, missing) = self.take_some(self.debt, |terms| terms.is_spendable(now));
        let (waiting, _) = self.take_some(missing, |terms| terms.is_pending(now));
        taken.extend(waiting);
        taken
    }

    /// Merges the lots that have become available with those that already were, and ends holds that
    /// have expired. Available lots then differ only in their expiry, so a member's lots stay few.
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

    /// Takes out every lot that has expired, and returns them.
    pub fn take_expired(&mut self, now: Moment) -> Vec<Lot> {
        self.lots.extract_if(.., |lot| lot.terms.is_expired(now)).collect()
    }

    /// The units that can be spent now, less the debt.
    #[must_use]
    pub fn spendable(&self, now: Moment) -> Units {
        let mut present = Cow::Borrowed(self);
        if !self.debt.is_zero() {
            present.to_mut().pay_debt_from_expired_holds(now);
        }
        let free = present.sum(|terms| terms.is_spendable(now));
        free.checked_sub(present.debt).unwrap_or_default()
    }

    /// The units that are pending, until a moment or until an activity.
    #[must_use]
    pub fn pending(&self, now: Moment) -> Units {
        self.sum(|terms| terms.is_pending(now))
    }

    /// The units that are held.
    #[must_use]
    pub fn held(&self, now: Moment) -> Units {
        self.sum(|terms| terms.is_held(now))
    }

    /// The sum of all postings: all open lots, including those whose expiry no entry has recorded
    /// yet, less the debt. Below zero if the debt is larger than the lots.
    #[must_use]
    pub fn posted(&self) -> i64 {
        self.held_in_all().get() - self.debt.get()
    }

    fn held_in_all(&self) -> Units {
        self.sum(|_| true)
    }

    /// The next moment at which units expire, and how many. Held lots do not count.
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
    use crate::HoldId;

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
    fn the_soonest_to_expire_is_spent_first_and_the_expired_and_pending_never() {
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
    fn what_was_held_has_paid_what_is_owed_when_its_hold_has_expired() {
        let held = |units: i64, until: i64, expires: i64| {
            let mut held = lot(units, Some(until), Some(expires));
            held.terms.held = Some(HoldId::new(until.to_string()));
            held
        };
        let lots = [held(5, 10, 12), held(5, 20, 15), lot(3, None, None)];
        let wallet = Wallet::of(lots, Units::new(7).unwrap()).unwrap();
        assert_eq!(wallet.spendable(at(9)).get(), 0);
        assert_eq!(wallet.spendable(at(10)).get(), 1);
        // The second pays as well, though its end comes before its hold expires.
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
    fn what_is_held_is_free_by_itself_and_does_not_expire_before() {
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
