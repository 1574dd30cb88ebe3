//! The units of all members, in cohorts.

use std::collections::BTreeMap;

use ledger::{MemberId, WalletName};
use rust_decimal::Decimal;

use crate::draws::{Draws, Weights};
use crate::kept::{How, Kept, Piece};
use crate::month::Month;

/// The units of all members by wallet and cohort, and what members bought in each month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohorts {
    wallets: BTreeMap<WalletName, Wallet>,
    pub(crate) revenue: BTreeMap<Month, Decimal>,
}

/// The cohorts of a wallet.
pub(crate) type Wallet = BTreeMap<Kind, Cohort>;

/// What the units of a cohort have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// The month in which they were issued.
    pub(crate) issued: Month,
    /// The last month in which they can be redeemed; `None` if they have no end, or one that moves.
    pub(crate) last: Option<Month>,
    /// Whether they came with purchases.
    pub(crate) purchase: bool,
}

/// The units of a cohort.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cohort {
    /// Those that are still there.
    left: Draws,
    /// Those that left, by the month in which they did.
    exits: BTreeMap<Month, Exits>,
    /// What those that are still there are worth.
    pub(crate) worth_left: Decimal,
    /// What all of them were worth.
    pub(crate) worth: Decimal,
}

/// The units of a cohort that left in a month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Exits {
    redeemed: Draws,
    expired: Draws,
    transferred: Draws,
}

impl Exits {
    fn all(&self) -> [&Draws; 3] {
        [&self.redeemed, &self.expired, &self.transferred]
    }

    fn all_mut(&mut self) -> [&mut Draws; 3] {
        [&mut self.redeemed, &mut self.expired, &mut self.transferred]
    }
}

impl Cohort {
    /// All units, whatever became of them.
    pub(crate) fn issued(&self, sample: Option<usize>) -> i64 {
        let gone = self.exits.values().flat_map(Exits::all);
        self.left.of(sample) + gone.map(|units| units.of(sample)).sum::<i64>()
    }

    /// The units that left in a month: redeemed, expired, transferred.
    pub(crate) fn exits(&self, month: Month, sample: Option<usize>) -> [i64; 3] {
        let exits = self.exits.get(&month);
        exits.map_or([0; 3], |exits| exits.all().map(|units| units.of(sample)))
    }

    /// The units that left until the end of a month: redeemed, expired, transferred.
    pub(crate) fn exits_until(&self, until: Month) -> [i64; 3] {
        let mut sums = [0; 3];
        for exits in self.exits.range(..=until).map(|(_, exits)| exits) {
            sums.iter_mut().zip(exits.all()).for_each(|(sum, units)| *sum += units.of(None));
        }
        sums
    }

    /// The units that were still there at the end of a month.
    pub(crate) fn left(&self, until: Month) -> i64 {
        self.issued(None) - self.exits_until(until).into_iter().sum::<i64>()
    }

    fn merge(&mut self, other: &Cohort) {
        self.left.merge(&other.left);
        for (month, exits) in &other.exits {
            let own = self.exits.entry(*month).or_default();
            own.all_mut().into_iter().zip(exits.all()).for_each(|(own, units)| own.merge(units));
        }
        self.worth_left += other.worth_left;
        self.worth += other.worth;
    }
}

impl Cohorts {
    /// Adds the units of a member, and what it bought in each month.
    pub fn add(&mut self, member: &MemberId, kept: &Kept, bought: &BTreeMap<Month, Decimal>) {
        let weights = Weights::of(member);
        let kind = |piece: &Piece| Kind {
            issued: piece.issued,
            last: piece.last_month(kept.zone()),
            purchase: piece.purchase,
        };
        for (name, wallet) in &kept.wallets {
            let cohorts = self.wallets.entry(name.clone()).or_default();
            for piece in wallet.left() {
                let cohort = cohorts.entry(kind(piece)).or_default();
                cohort.left.add(piece.units, &weights);
                cohort.worth_left += piece.value();
                cohort.worth += piece.value();
            }
            for exit in &wallet.exits {
                let cohort = cohorts.entry(kind(&exit.piece)).or_default();
                let exits = cohort.exits.entry(exit.month).or_default();
                let units = match exit.how {
                    How::Redeemed => &mut exits.redeemed,
                    How::Expired => &mut exits.expired,
                    How::Transferred => &mut exits.transferred,
                };
                units.add(exit.piece.units, &weights);
                cohort.worth += exit.piece.value();
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
            cohorts.iter().for_each(|(kind, cohort)| own.entry(*kind).or_default().merge(cohort));
        }
        for (month, sum) in &other.revenue {
            *self.revenue.entry(*month).or_default() += sum;
        }
    }

    /// The wallets.
    pub fn wallets(&self) -> impl Iterator<Item = &WalletName> {
        self.wallets.keys()
    }

    /// What the units of a wallet are worth that are still there, in the programme's currency.
    #[must_use]
    pub fn worth_left(&self, wallet: &WalletName) -> Decimal {
        let cohorts = self.wallets.get(wallet).into_iter().flat_map(BTreeMap::values);
        cohorts.map(|cohort| cohort.worth_left).sum()
    }

    pub(crate) fn of(&self, wallet: &WalletName) -> Option<&Wallet> {
        self.wallets.get(wallet)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Wallet> {
        self.wallets.values()
    }
}
