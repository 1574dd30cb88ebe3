//! The units that a reversal takes back or gives: the difference between what the rules gave and
//! what they give for the rest of the order. It is exact and includes remainders that are carried
//! over.

use std::collections::{BTreeMap, BTreeSet};

use ledger::decision::{Draft, GiveRejection};
use ledger::{Activity, Change, Effect, Member, Reason, Units, WalletName, reverse};
use rust_decimal::Decimal;

use super::undoing::Undoing;

/// The exact units that rules gave or took back, by rule and wallet.
type Exact = BTreeMap<(String, WalletName), Decimal>;

impl Undoing<'_> {
    /// Takes back the units that rules gave and do not give for the rest of the order, and gives
    /// those that they give more, rule by rule. If a rule carries over a remainder, the remainder is
    /// moved before whole units.
    pub(super) fn move_units(
        &self,
        draft: &mut Draft,
        member: &Member,
        was: &Activity,
        reasons: &[Reason],
        changes: &[Change],
    ) -> Result<(), GiveRejection> {
        let mut less = self.had();
        for (of, units) in self.effect(reasons, changes) {
            *less.entry(of).or_default() -= units;
        }
        // What a budget has not given is not drawn from it now.
        less.retain(|(rule, _), units| *units > Decimal::ZERO || !self.has_budget(rule));
        let wallets: BTreeSet<WalletName> = less.keys().map(|(_, wallet)| wallet.clone()).collect();
        for wallet in wallets {
            let full = || GiveRejection::WalletIsFull { member: member.id.clone() };
            let mut back = 0_i64;
            for ((rule, _), units) in less.iter().filter(|((_, of), _)| *of == wallet) {
                let moved = self.rule_moves(draft, member, rule, &wallet, *units)?;
                back = back.checked_add(moved).ok_or_else(full)?;
            }
            let programme = self.judged_by.programme();
            let Some(policy) = programme.wallets.get(&wallet) else { continue };
            let terms = policy.terms_of(was, self.before.active_at, programme.time_zone);
            let (since, units) = (self.since(&wallet), size(member, back)?);
            let earned = reverse::EarnedUnits { wallet: &wallet, units, terms: &terms, since };
            if back >= 0 {
                reverse::take_back(draft, member, programme, earned, self.now);
            } else {
                reverse::give_more(draft, programme, earned);
            }
        }
        Ok(())
    }

    /// Takes an exact amount of a rule's units back, or gives it if it is below zero: adds the
    /// reason, and returns the whole units. The rule's remainder is moved first, and the rest of the
    /// last unit becomes the new remainder.
    fn rule_moves(
        &self,
        draft: &mut Draft,
        member: &Member,
        rule: &str,
        wallet: &WalletName,
        exact: Decimal,
    ) -> Result<i64, GiveRejection> {
        let carried = self.judged_by.rule_called(rule);
        let carried = carried.filter(|carried| self.judged_by.wallet_of(carried) == wallet);
        let name = carried.map_or(rule, |carried| carried.name.as_str());
        let has = carried.and_then(|_| member.remainders.get(name).copied()).unwrap_or_default();
        let rest = has - exact;
        let remainder = rest - rest.floor();
        if remainder != has {
            draft.changes.push(Change::Carried { rule: name.to_owned(), remainder });
        }
        let full = || GiveRejection::WalletIsFull { member: member.id.clone() };
        let back = i64::try_from(-rest.floor()).map_err(|_| full())?;
        let (wallet, units) = (wallet.clone(), size(member, back)?);
        if !units.is_zero() {
            draft.reasons.push(Reason {
                rule: rule.to_owned(),
                source: self.source_of(rule),
                effect: match back > 0 {
                    true => Effect::Reclaim { wallet, units },
                    false => Effect::Units { wallet, units },
                },
            });
        }
        Ok(back)
    }

    fn has_budget(&self, rule: &str) -> bool {
        let rule = self.judged_by.rule_called(rule);
        rule.is_some_and(|rule| rule.budget(self.judged_by.programme()).is_some())
    }

    /// The units that rules gave with the entry, minus what returns of it have taken back already.
    fn had(&self) -> Exact {
        let mut had = Exact::new();
        let mut remainders = self.before.remainders.clone();
        for entry in [self.original].into_iter().chain(self.since) {
            let own = entry.seq == self.original.seq || entry.undoes() == Some(self.original.seq);
            if own {
                add(&mut had, self.exact(&entry.reasons, &entry.changes, &remainders));
            }
            for change in &entry.changes {
                if let Change::Carried { rule, remainder } = change {
                    remainders.insert(rule.clone(), *remainder);
                }
            }
        }
        had
    }

    /// The units that rules give for the rest of the order.
    fn effect(&self, reasons: &[Reason], changes: &[Change]) -> Exact {
        self.exact(reasons, changes, &self.before.remainders)
    }

    /// The sum of the units and of the change in remainders.
    fn exact(
        &self,
        reasons: &[Reason],
        changes: &[Change],
        remainders: &BTreeMap<String, Decimal>,
    ) -> Exact {
        let mut exact = Exact::new();
        for reason in reasons {
            let (wallet, units) = match &reason.effect {
                Effect::Units { wallet, units } => (wallet, units.get()),
                Effect::Reclaim { wallet, units } => (wallet, -units.get()),
                _ => continue,
            };
            *exact.entry((reason.rule.clone(), wallet.clone())).or_default() +=
                Decimal::from(units);
        }
        for change in changes {
            if let Change::Carried { rule: name, remainder } = change
                && let Some(rule) = self.judged_by.rule_called(name)
            {
                let had = remainders.get(name).copied().unwrap_or_default();
                let wallet = self.judged_by.wallet_of(rule).clone();
                *exact.entry((rule.title.clone(), wallet)).or_default() += *remainder - had;
            }
        }
        exact
    }

    /// The place of a rule, from its reasons; from the bundle if it has none, because it paid no
    /// whole unit.
    fn source_of(&self, rule: &str) -> String {
        let reason = self.original.reasons.iter().find(|reason| reason.rule == rule);
        let recorded = reason.map(|reason| reason.source.clone());
        recorded
            .or_else(|| Some(self.judged_by.rule_called(rule)?.source.clone()))
            .unwrap_or_default()
    }
}

/// The size of a movement, whichever way it goes.
fn size(member: &Member, units: i64) -> Result<Units, GiveRejection> {
    let units = units.checked_abs().and_then(|units| Units::new(units).ok());
    units.ok_or_else(|| GiveRejection::WalletIsFull { member: member.id.clone() })
}

fn add(sums: &mut Exact, more: Exact) {
    for (of, units) in more {
        *sums.entry(of).or_default() += units;
    }
}
