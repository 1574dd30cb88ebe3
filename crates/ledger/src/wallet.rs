use crate::{Moment, Units};

/// One credit in a wallet, with what is left of it. It keeps the terms under which it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// What is left.
    pub units: Units,
    /// From when it can be spent; at once if nothing.
    pub available_at: Option<Moment>,
    /// The first moment at which it is no longer there; it stays if nothing.
    pub expires_at: Option<Moment>,
}

impl Lot {
    /// It has run out, whether or not anyone has written that down.
    #[must_use]
    pub fn has_lapsed(&self, now: Moment) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// It waits for its day.
    #[must_use]
    pub fn is_pending(&self, now: Moment) -> bool {
        !self.has_lapsed(now) && self.available_at.is_some_and(|available_at| available_at > now)
    }

    /// It can be spent.
    #[must_use]
    pub fn is_spendable(&self, now: Moment) -> bool {
        !self.has_lapsed(now) && !self.is_pending(now)
    }

    /// The order in which lots are spent: the soonest to expire first, those that stay last.
    fn turn(&self) -> (bool, Option<Moment>, Option<Moment>) {
        (self.expires_at.is_none(), self.expires_at, self.available_at)
    }
}

/// A named balance: its open lots, in the order in which they are spent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wallet {
    // INVARIANT: sorted by turn, no two lots with the same terms, none empty, and their sum is at
    // most `Units::MAX`.
    lots: Vec<Lot>,
}

impl Wallet {
    /// A wallet of lots in any order. Lots of equal terms become one and empty ones are dropped.
    /// Nothing if their sum is above [`Units::MAX`].
    #[must_use]
    pub fn of(lots: impl IntoIterator<Item = Lot>) -> Option<Wallet> {
        lots.into_iter().try_fold(Wallet::default(), |mut wallet, lot| {
            wallet.add(lot)?;
            Some(wallet)
        })
    }

    /// The open lots, the first to be spent first.
    #[must_use]
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// Adds a credit to the lot of the same terms, or as a lot of its own. Nothing, and no
    /// change, if the wallet would hold more than [`Units::MAX`].
    #[must_use]
    pub fn add(&mut self, credit: Lot) -> Option<()> {
        self.posted().checked_add(credit.units)?;
        if credit.units.is_zero() {
            return Some(());
        }
        match self.lots.binary_search_by_key(&credit.turn(), Lot::turn) {
            Ok(place) => {
                let lot = self.lots.get_mut(place)?;
                lot.units = lot.units.checked_add(credit.units)?;
            }
            Err(place) => self.lots.insert(place, credit),
        }
        Some(())
    }

    /// Takes units out of the lot of the same terms. Nothing if there is no such lot, or less in it.
    #[must_use]
    pub(crate) fn withdraw(&mut self, debit: Lot) -> Option<()> {
        let place = self.lots.binary_search_by_key(&debit.turn(), Lot::turn).ok()?;
        let lot = self.lots.get_mut(place)?;
        lot.units = lot.units.checked_sub(debit.units)?;
        if lot.units.is_zero() {
            self.lots.remove(place);
        }
        Some(())
    }

    /// Takes units from what can be spent now, and answers with what came from which lot; or takes
    /// nothing and answers with nothing where they do not suffice.
    #[must_use]
    pub fn take(&mut self, units: Units, now: Moment) -> Option<Vec<Lot>> {
        let mut missing = self.spendable(now).checked_sub(units).map(|_| units)?;
        let mut taken = Vec::new();
        for lot in self.lots.iter_mut().filter(|lot| lot.is_spendable(now)) {
            let part = lot.units.min(missing);
            if part.is_zero() {
                break;
            }
            lot.units = lot.units.checked_sub(part)?;
            missing = missing.checked_sub(part)?;
            taken.push(Lot { units: part, ..*lot });
        }
        self.lots.retain(|lot| !lot.units.is_zero());
        Some(taken)
    }

    /// Makes the lots whose day has come one with those that could be spent all along: what can be
    /// spent is told apart by its expiry only, so a member's lots stay few.
    pub fn mature(&mut self, now: Moment) {
        let lots = std::mem::take(&mut self.lots);
        for mut lot in lots {
            lot.available_at = lot.available_at.filter(|available_at| *available_at > now);
            match self.lots.binary_search_by_key(&lot.turn(), Lot::turn) {
                Ok(place) => {
                    if let Some(same) = self.lots.get_mut(place) {
                        // Below the bound, since the wallet was.
                        same.units = same.units.checked_add(lot.units).unwrap_or(Units::MAX);
                    }
                }
                Err(place) => self.lots.insert(place, lot),
            }
        }
    }

    /// Takes out every lot that has run out.
    pub fn take_lapsed(&mut self, now: Moment) -> Vec<Lot> {
        self.lots.extract_if(.., |lot| lot.has_lapsed(now)).collect()
    }

    /// What can be spent now.
    #[must_use]
    pub fn spendable(&self, now: Moment) -> Units {
        self.sum(|lot| lot.is_spendable(now))
    }

    /// What waits for its day.
    #[must_use]
    pub fn pending(&self, now: Moment) -> Units {
        self.sum(|lot| lot.is_pending(now))
    }

    /// What has been posted and not taken out again: the sum of all open lots, those included that
    /// have lapsed since the last run.
    #[must_use]
    pub fn posted(&self) -> Units {
        self.sum(|_| true)
    }

    /// The next moment at which something lapses, and how much of it.
    #[must_use]
    pub fn next_expiry(&self, now: Moment) -> Option<(Moment, Units)> {
        let at =
            self.lots.iter().filter(|lot| !lot.has_lapsed(now)).find_map(|lot| lot.expires_at)?;
        Some((at, self.sum(|lot| lot.expires_at == Some(at))))
    }

    fn sum(&self, counts: impl Fn(&Lot) -> bool) -> Units {
        self.lots
            .iter()
            .filter(|lot| counts(lot))
            // The invariant bounds the sum, so a fold that fails would be a broken wallet; the
            // bound is then the honest answer, and the audit finds the wallet.
            .try_fold(Units::ZERO, |sum, lot| sum.checked_add(lot.units))
            .unwrap_or(Units::MAX)
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
            available_at: available.map(at),
            expires_at: expires.map(at),
        }
    }

    #[test]
    fn the_soonest_to_expire_is_spent_first_and_the_lapsed_and_pending_never() {
        let mut wallet = Wallet::of([
            lot(5, None, None),
            lot(3, None, Some(30)),
            lot(2, None, Some(20)),
            lot(7, Some(25), Some(28)),
            lot(1, None, Some(10)),
        ])
        .unwrap();
        assert_eq!(wallet.take(Units::new(11).unwrap(), at(10)), None);
        let taken = wallet.take(Units::new(6).unwrap(), at(10)).unwrap();
        assert_eq!(taken, [lot(2, None, Some(20)), lot(3, None, Some(30)), lot(1, None, None)]);
        assert_eq!(wallet.spendable(at(10)).get(), 4);
        assert_eq!(wallet.pending(at(10)).get(), 7);
        assert_eq!(wallet.posted().get(), 12);
        assert_eq!(wallet.next_expiry(at(10)), Some((at(28), Units::new(7).unwrap())));
    }

    #[test]
    fn a_lot_is_gone_at_its_last_second_and_not_before() {
        let wallet = Wallet::of([lot(4, Some(5), Some(10))]).unwrap();
        assert_eq!(wallet.spendable(at(4)).get(), 0);
        assert_eq!(wallet.spendable(at(5)).get(), 4);
        assert_eq!(wallet.spendable(at(9)).get(), 4);
        assert_eq!(wallet.spendable(at(10)).get(), 0);
    }

    #[test]
    fn a_wallet_refuses_what_it_cannot_count() {
        let mut wallet = Wallet::of([lot(Units::MAX.get(), None, None)]).unwrap();
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
            let mut wallet = Wallet::of(lots.iter().copied()).unwrap();
            let total: i64 = lots.iter().map(|lot| lot.units.get()).sum();
            prop_assert_eq!(wallet.posted().get(), total);
            let lapsed: i64 =
                lots.iter().filter(|lot| lot.has_lapsed(now)).map(|lot| lot.units.get()).sum();
            prop_assert_eq!(
                wallet.spendable(now).get() + wallet.pending(now).get() + lapsed,
                total
            );
            let spendable = wallet.spendable(now).get();
            let taken = wallet.take(Units::new(wanted).unwrap(), now);
            prop_assert_eq!(taken.is_some(), wanted <= spendable);
            let taken: i64 = taken.iter().flatten().map(|lot| lot.units.get()).sum();
            prop_assert_eq!(wallet.posted().get() + taken, total);
            let (spendable, pending) = (wallet.spendable(now), wallet.pending(now));
            wallet.mature(now);
            prop_assert_eq!((wallet.spendable(now), wallet.pending(now)), (spendable, pending));
            prop_assert!(wallet.lots().windows(2).all(|two| two[0].turn() < two[1].turn()));
            let out: i64 = wallet.take_lapsed(now).iter().map(|lot| lot.units.get()).sum();
            prop_assert_eq!(out, lapsed);
            prop_assert_eq!(wallet.posted().get() + taken + out, total);
        }
    }
}
