//! The units of all members, by the month in which they were issued.

use std::collections::BTreeMap;

use ledger::{MemberId, WalletName};
use rust_decimal::Decimal;

use crate::draws::{Draws, Weights};
use crate::kept::{Exit, Kept};
use crate::month::Month;

/// The units of all members, by wallet and by the month in which they were issued, and what members
/// bought in each month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohorts {
    wallets: BTreeMap<WalletName, Wallet>,
    pub(crate) revenue: BTreeMap<Month, Decimal>,
}

/// The cohorts of a wallet.
pub(crate) type Wallet = BTreeMap<Month, Cohort>;

/// The units that were issued in one month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cohort {
    /// Those that are still there.
    left: Draws,
    /// Those that left, by the month in which they did.
    redeemed: BTreeMap<Month, Draws>,
    expired: BTreeMap<Month, Draws>,
    /// What those that are still there are worth.
    pub(crate) worth_left: Decimal,
    /// What all of them were worth that came with purchases: their price, were they sold alone.
    pub(crate) price: Decimal,
}

impl Cohort {
    /// All units, whatever became of them.
    pub(crate) fn issued(&self, sample: Option<usize>) -> i64 {
        let gone = self.redeemed.values().chain(self.expired.values());
        self.left.of(sample) + gone.map(|units| units.of(sample)).sum::<i64>()
    }

    /// The units that were redeemed in a month, and those that expired.
    pub(crate) fn exits(&self, month: Month, sample: Option<usize>) -> (i64, i64) {
        let of = |exits: &BTreeMap<Month, Draws>| exits.get(&month).map_or(0, |one| one.of(sample));
        (of(&self.redeemed), of(&self.expired))
    }

    /// The units that were redeemed until the end of a month.
    pub(crate) fn redeemed(&self, until: Month) -> i64 {
        self.redeemed.range(..=until).map(|(_, units)| units.all()).sum()
    }

    /// The units that were still there at the end of a month.
    pub(crate) fn left(&self, until: Month) -> i64 {
        let expired: i64 = self.expired.range(..=until).map(|(_, units)| units.all()).sum();
        self.issued(None) - self.redeemed(until) - expired
    }

    fn merge(&mut self, other: &Cohort) {
        self.left.merge(&other.left);
        let exits = [(&mut self.redeemed, &other.redeemed), (&mut self.expired, &other.expired)];
        for (own, other) in exits {
            other.iter().for_each(|(month, units)| own.entry(*month).or_default().merge(units));
        }
        self.worth_left += other.worth_left;
        self.price += other.price;
    }
}

impl Cohorts {
    /// Adds the units of a member, and what it bought in each month.
    pub fn add(&mut self, member: &MemberId, kept: &Kept, bought: &BTreeMap<Month, Decimal>) {
        let weights = Weights::of(member);
        for (name, wallet) in &kept.wallets {
            let cohorts = self.wallets.entry(name.clone()).or_default();
            for piece in wallet.left() {
                let cohort = cohorts.entry(piece.issued).or_default();
                cohort.left.add(piece.units, &weights);
                cohort.worth_left += piece.value();
            }
            for gone in &wallet.gone {
                let cohort = cohorts.entry(gone.piece.issued).or_default();
                let exits = match gone.exit {
                    Exit::Redeemed => &mut cohort.redeemed,
                    Exit::Expired => &mut cohort.expired,
                };
                exits.entry(gone.at).or_default().add(gone.piece.units, &weights);
            }
            let all = wallet.left().chain(wallet.gone.iter().map(|gone| &gone.piece));
            for piece in all.filter(|piece| piece.purchase) {
                cohorts.entry(piece.issued).or_default().price += piece.value();
            }
        }
        for (month, sum) in bought {
            *self.revenue.entry(*month).or_default() += sum;
        }
    }

    /// Adds what was seen of other members. Which members were seen together does not matter.
    pub fn merge(&mut self, other: &Cohorts) {
        for (name, cohorts) in &other.wallets {
            let own = self.wallets.entry(name.clone()).or_default();
            cohorts.iter().for_each(|(month, cohort)| own.entry(*month).or_default().merge(cohort));
        }
        for (month, sum) in &other.revenue {
            *self.revenue.entry(*month).or_default() += sum;
        }
    }

    /// The wallets.
    pub fn wallets(&self) -> impl Iterator<Item = &WalletName> {
        self.wallets.keys()
    }

    /// The last month in which anything was issued, left or was bought.
    #[must_use]
    pub fn last(&self) -> Option<Month> {
        let cohorts = self.wallets.values().flatten().flat_map(|(month, cohort)| {
            let left = [cohort.redeemed.last_key_value(), cohort.expired.last_key_value()];
            left.into_iter().flatten().map(|(month, _)| *month).chain([*month])
        });
        cohorts.chain(self.revenue.last_key_value().map(|(month, _)| *month)).max()
    }

    pub(crate) fn of(&self, wallet: &WalletName) -> Option<&Wallet> {
        self.wallets.get(wallet)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Wallet> {
        self.wallets.values()
    }
}
