//! A backtest of many groups: each is played by the recorded rules and by those to be tried, and what
//! both came to is added up. Adding up is associative, so it does not matter in which parts the groups
//! come.

use std::collections::BTreeMap;

use decide::EarlierRules;
use ledger::{Member, MemberId, Moment, SharedLimit, Units};
use rules::Bundle;
use serde::Serialize;

use crate::book::Account;
use crate::changed::{Changed, Measure};
use crate::past::{Origin, Past};
use crate::play::{By, NotMade, Played, as_recorded, by_rules};
use crate::same::Check;
use crate::shared::{Draws, Timeline};
use crate::totals::Totals;

/// The rules and the history of a backtest.
#[derive(Debug, Clone, Copy)]
pub struct Backtest<'a> {
    /// The rules to be tried.
    pub bundle: &'a Bundle,
    /// The rules that judged the past, by their hash.
    pub recorded: &'a EarlierRules,
    /// The rules to compare with; nothing for what was recorded.
    pub baseline: Option<&'a Bundle>,
    /// The moments of the expiry runs of the past, the first first.
    pub runs: &'a [Moment],
    /// From when the rules to be tried hold: before, everything is as it was recorded, and what was
    /// paid before is not compared. From the beginning, if nothing is said.
    pub from: Option<Moment>,
    /// The end of the past.
    pub until: Moment,
}

/// What was seen of some groups.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Seen {
    /// The recorded past, and how much of it came out again.
    pub check: Check,
    /// What was told: activities, redemptions and the like.
    pub told: u64,
    /// The sum of the totals of all orders, less what came back.
    pub revenue: rust_decimal::Decimal,
    /// What it came to by the old rules.
    pub old: Totals,
    /// What it came to by the new ones.
    pub new: Totals,
    /// What changed for members.
    pub changed: Changed,
    /// What could not be made by the new rules, by the reason.
    pub unmade: BTreeMap<String, u64>,
    #[serde(skip)]
    old_draws: DrawsByGroup,
    #[serde(skip)]
    new_draws: DrawsByGroup,
}

/// What groups took from shared limits, each by the name of its first member.
type DrawsByGroup = BTreeMap<MemberId, Draws>;

/// What all groups took from shared limits, for the next round: by the old rules and by the new ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    old: Side,
    new: Side,
}

/// What all groups took by one programme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Side {
    timeline: Timeline,
    draws: DrawsByGroup,
}

impl Side {
    fn of(draws: &DrawsByGroup, bundle: Option<&Bundle>) -> Side {
        let totals = bundle.map(Bundle::shared_limits).unwrap_or_default();
        Side { timeline: Timeline::of(draws.values(), &totals), draws: draws.clone() }
    }

    /// Whether groups took something that was no longer there.
    fn is_too_much(&self) -> bool {
        self.timeline.leaves_out(self.draws.values())
    }
}

/// When a shared limit ran dry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dry {
    /// The limit, in words.
    pub limit: String,
    /// What there was.
    pub total: i64,
    /// What was taken by the new rules.
    pub taken: i64,
    /// When the last of it was taken by the new rules, or too little was left for somebody.
    pub dry_at: Option<Moment>,
    /// When somebody first found it exhausted by the old rules.
    pub was_dry_at: Option<Moment>,
}

/// The outcome of a backtest.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was seen of all groups.
    #[serde(flatten)]
    pub seen: Seen,
    /// The shared limits.
    pub limits: Vec<Dry>,
    /// Whether gains and losses are in money; if not, they are in units of the main wallet.
    pub is_in_money: bool,
}

impl Backtest<'_> {
    /// Plays one group, and adds what it came to. `round` is what all groups took the last time; the
    /// first time, nothing.
    pub fn see(&self, seen: &mut Seen, group: &[Past], round: &Round) {
        let is_judged =
            group.iter().flat_map(|past| &past.entries).any(|one| !one.rules.is_empty());
        let played = is_judged.then(|| as_recorded(group, self.recorded));
        if let Some(played) = &played {
            seen.check.add(Check::of(group, played));
        }
        let old = match self.baseline {
            None => recorded(group, played.map(|played| played.accounts).unwrap_or_default()),
            Some(bundle) => self.played(group, bundle, &round.old, &mut seen.old_draws).accounts,
        };
        let new = self.played(group, self.bundle, &round.new, &mut seen.new_draws);
        for NotMade { why, .. } in &new.unmade {
            *seen.unmade.entry(why.to_string()).or_default() += 1;
        }
        let measure = self.measure();
        let hashes = |hash: &str| -> Option<&Bundle> {
            let own = [Some(self.bundle), self.baseline].into_iter().flatten();
            let mut own = own.filter(|bundle| bundle.hash().as_str() == hash);
            own.next().or_else(|| self.recorded.get(hash).map(AsRef::as_ref))
        };
        for ((past, old), new) in group.iter().zip(&old).zip(&new.accounts) {
            let before = self.from.map_or(0, |from| past.entries_before(from));
            let told = past.entries.iter().skip(before);
            seen.told += told.filter(|one| one.origin() == Origin::Told).count() as u64;
            let spent_before = new.after(before.min(new.entries.len())).history.spend;
            seen.revenue += new.member.history.spend - spent_before;
            let was = seen.old.see(old, before, self.until, hashes);
            let is = seen.new.see(new, before, self.until, hashes);
            seen.changed.see(&past.enrolled.id, &was, &is, measure);
        }
    }

    fn played(
        &self,
        group: &[Past],
        bundle: &Bundle,
        before: &Side,
        now: &mut DrawsByGroup,
    ) -> Played {
        let none = Draws::new();
        let first = group.first().map(|past| &past.enrolled.id);
        let drawn = first.and_then(|first| before.draws.get(first));
        let (totals, timeline) = (bundle.shared_limits(), &before.timeline);
        let Backtest { recorded, from, runs, until, .. } = *self;
        let by = By { bundle, recorded, from, runs, until, totals: &totals, timeline };
        let played = by_rules(group, by, drawn.unwrap_or(&none));
        if let Some(first) = first.filter(|_| played.has_drawn) {
            now.insert(first.clone(), played.draws.clone());
        }
        played
    }

    fn measure(&self) -> Measure<'_> {
        let programme = self.bundle.programme();
        match self.is_in_money() {
            true => Measure::Money { decimals: programme.decimals() },
            false => Measure::Units { wallet: &programme.main_wallet },
        }
    }

    /// Whether units are worth something by all rules that are compared.
    fn is_in_money(&self) -> bool {
        let is_worth = |bundle: &Bundle| {
            bundle.programme().wallets.values().any(|policy| policy.worth.is_some())
        };
        let old = match self.baseline {
            Some(baseline) => is_worth(baseline),
            None => self.recorded.values().all(|bundle| is_worth(bundle)),
        };
        old && is_worth(self.bundle)
    }

    /// The next round, if groups were played by too much: when all have been played, and some took
    /// from a shared limit what others had taken before. Nothing, if everybody took what there was.
    #[must_use]
    pub fn next_round(&self, seen: &Seen, round: &Round) -> Option<Round> {
        let old = Side::of(&seen.old_draws, self.baseline);
        let new = Side::of(&seen.new_draws, Some(self.bundle));
        let is_too_much = old.is_too_much() || new.is_too_much();
        let next = Round { old, new };
        let is_first = *round == Round::default();
        let is_settled = next == *round || (is_first && !is_too_much);
        (!is_settled).then_some(next)
    }

    /// The report, when all groups have been played for the last time.
    #[must_use]
    pub fn report(&self, seen: Seen) -> Report {
        let totals = self.bundle.shared_limits();
        let timeline = Timeline::of(seen.new_draws.values(), &totals);
        let dry = |(limit, total): (&SharedLimit, &Units)| {
            // Somebody found too little for a whole payment, or the last of it was taken.
            let exhausted = seen.new.exhausted.get(limit).copied();
            Dry {
                limit: limit.to_string(),
                total: total.get(),
                taken: timeline.taken(limit),
                dry_at: exhausted.into_iter().chain(timeline.dry_at(limit, *total)).min(),
                was_dry_at: seen.old.exhausted.get(limit).copied(),
            }
        };
        let limits: Vec<Dry> = totals.iter().map(dry).collect();
        Report { seen, limits, is_in_money: self.is_in_money() }
    }
}

impl Seen {
    /// Adds what was seen of other groups.
    pub fn add(&mut self, other: Seen) {
        let Seen { check, told, revenue, old, new, changed, unmade, old_draws, new_draws } = other;
        self.check.add(check);
        self.told += told;
        self.revenue += revenue;
        self.old.add(old);
        self.new.add(new);
        self.changed.add(changed);
        for (why, times) in unmade {
            *self.unmade.entry(why).or_default() += times;
        }
        self.old_draws.extend(old_draws);
        self.new_draws.extend(new_draws);
    }
}

/// The accounts as they were recorded, whatever came out.
fn recorded(group: &[Past], made: Vec<Account>) -> Vec<Account> {
    let mut made = made.into_iter();
    let account = |past: &Past| {
        let is_same = |made: &Account| {
            past.entries.len() == made.entries.len()
                && past.entries.iter().zip(&made.entries).all(|(was, is)| was.entry == *is)
        };
        if let Some(made) = made.next().filter(is_same) {
            return made;
        }
        let mut member: Member = past.enrolled.clone();
        let mut account = Account::new(past.enrolled.clone(), None);
        for one in &past.entries {
            // An entry that does not follow has been named by the check.
            if member.apply(&one.entry).is_err() {
                break;
            }
            account.entries.push(one.entry.clone());
            account.rules.push(one.rules.clone());
        }
        Account { member, ..account }
    };
    group.iter().map(account).collect()
}
