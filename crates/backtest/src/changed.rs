//! What changed for members between two programmes.

use std::collections::BTreeMap;

use ledger::{MemberId, WalletName};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::totals::{Got, Paid, RuleInto};

/// How many of those who gain or lose most are named.
const NAMED_MAX: usize = 10;

/// What changed for members.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Changed {
    /// How many members get so much more, or less if below zero, in the smallest coin of the currency
    /// or, if units are worth nothing, in units of the main wallet.
    pub gains: BTreeMap<i64, u64>,
    /// How many members are in a tier by the old rules and in another by the new ones; "" for none.
    #[serde(serialize_with = "as_list")]
    pub tiers: BTreeMap<(String, String), u64>,
    /// Those who gain most, the most first.
    pub winners: Vec<Mover>,
    /// Those who lose most, the most first.
    pub losers: Vec<Mover>,
}

fn as_list<S: serde::Serializer>(
    tiers: &BTreeMap<(String, String), u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        from: &'a str,
        to: &'a str,
        members: u64,
    }
    serializer.collect_seq(tiers.iter().map(|((from, to), members)| Line {
        from,
        to,
        members: *members,
    }))
}

/// A member that gains or loses, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mover {
    /// How much, as in [`Changed::gains`].
    pub gain: i64,
    /// The member.
    pub member: MemberId,
    /// The units that each rule gives more, or less.
    pub why: Vec<Why>,
}

/// The units that a rule gives more, or less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The rule.
    pub rule: String,
    /// The wallet.
    pub wallet: WalletName,
    /// The units by the old rules.
    pub old: i64,
    /// The units by the new ones.
    pub new: i64,
}

/// How gains are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Measure<'a> {
    /// In money, by the decimals of the currency.
    Money { decimals: u32 },
    /// In units of a wallet.
    Units { wallet: &'a WalletName },
}

impl Measure<'_> {
    fn of(self, got: &Got) -> i64 {
        match self {
            Measure::Money { decimals } => {
                let coins = Decimal::from(10u64.saturating_pow(decimals));
                let worth = got.worth.checked_mul(coins).unwrap_or_default();
                i64::try_from(worth.round()).unwrap_or_default()
            }
            Measure::Units { wallet } => {
                let own = got.rules.iter().filter(|((_, into), _)| into == wallet);
                own.map(|(_, paid)| paid.units).sum()
            }
        }
    }
}

impl Changed {
    /// Adds a member.
    pub(crate) fn see(&mut self, member: &MemberId, old: &Got, new: &Got, measure: Measure<'_>) {
        let gain = measure.of(new) - measure.of(old);
        *self.gains.entry(gain).or_default() += 1;
        let tier = |got: &Got| got.tier.clone().unwrap_or_default();
        *self.tiers.entry((tier(old), tier(new))).or_default() += 1;
        if gain == 0 {
            return;
        }
        let named = if gain > 0 { &self.winners } else { &self.losers };
        let last = named.get(NAMED_MAX - 1);
        if last.is_some_and(|last| last.gain.saturating_abs() > gain.saturating_abs()) {
            return;
        }
        let mover = Mover { gain, member: member.clone(), why: why(old, new) };
        if gain > 0 {
            self.winners.push(mover);
        } else {
            self.losers.push(mover);
        }
        self.keep_first();
    }

    fn keep_first(&mut self) {
        for named in [&mut self.winners, &mut self.losers] {
            named.sort_by(|one, other| {
                let most = other.gain.saturating_abs().cmp(&one.gain.saturating_abs());
                most.then_with(|| one.member.cmp(&other.member))
            });
            named.truncate(NAMED_MAX);
        }
    }

    /// Adds what was seen of other members.
    pub(crate) fn add(&mut self, other: Changed) {
        for (gain, members) in other.gains {
            *self.gains.entry(gain).or_default() += members;
        }
        for (tiers, members) in other.tiers {
            *self.tiers.entry(tiers).or_default() += members;
        }
        self.winners.extend(other.winners);
        self.losers.extend(other.losers);
        self.keep_first();
    }

    /// The members that get less.
    #[must_use]
    pub fn losing(&self) -> u64 {
        self.gains.range(..0).map(|(_, members)| members).sum()
    }

    /// The members that get more.
    #[must_use]
    pub fn gaining(&self) -> u64 {
        self.gains.range(1..).map(|(_, members)| members).sum()
    }

    /// All members.
    #[must_use]
    pub fn members(&self) -> u64 {
        self.gains.values().sum()
    }

    /// The gain that so many of a hundred members stay at or below.
    #[must_use]
    pub fn quantile(&self, percent: u64) -> i64 {
        let wanted = (self.members() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (gain, members) in &self.gains {
            seen += members;
            if seen >= wanted {
                return *gain;
            }
        }
        0
    }
}

/// The rules that give a member something else.
fn why(old: &Got, new: &Got) -> Vec<Why> {
    let units =
        |got: &Got, rule: &RuleInto| got.rules.get(rule).map_or(0, |paid: &Paid| paid.units);
    let rules: std::collections::BTreeSet<&RuleInto> =
        old.rules.keys().chain(new.rules.keys()).collect();
    let mut why: Vec<Why> = rules
        .into_iter()
        .map(|rule| Why {
            rule: rule.0.clone(),
            wallet: rule.1.clone(),
            old: units(old, rule),
            new: units(new, rule),
        })
        .filter(|why| why.old != why.new)
        .collect();
    why.sort_by_key(|why| std::cmp::Reverse((why.new - why.old).saturating_abs()));
    why
}
