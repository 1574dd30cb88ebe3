//! The comparison of a step's results with its expectations. An unknown name is a mistake in the
//! spec and not a difference: such an expectation would never hold, or always.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::entry::{Benefit, Note};
use ledger::{Decision, DecisionData, Effect, EntryKind, Member, Moment, Order, SharedLimit};
use rules::{Bundle, Object, StatementKind, Task, say_toml};
use serde::Deserialize;
use toml::{Spanned, Value};

use super::mistake::{SpecError, known};
use super::report::Difference;
use super::setup::{known_grant, known_task, known_wallets, name_of};
use super::written::{ReferrerGets, Step, Sums};
use crate::offers::{benefits, offers};
use crate::refusal::Refusal;
use crate::tier::tier_status;

/// The results of a step.
pub(super) struct Found {
    /// The decision; nothing if the request was refused or only time passed.
    pub(super) decision: Option<Decision>,
    /// The refusal, if the request was refused.
    pub(super) refused: Option<Refusal>,
    /// The units that had expired by then, by wallet.
    pub(super) expired: BTreeMap<String, i64>,
}

/// The members of a spec and their decision data after a step.
pub(super) struct After<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) member: &'a Member,
    pub(super) referrer: Option<&'a Member>,
    pub(super) data: &'a DecisionData,
    /// The order of the step.
    pub(super) order: Option<&'a Order>,
    pub(super) at: Moment,
}

/// The place of a step: its index, unless the spec has no steps, and the line on which it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) step: Option<usize>,
    pub(super) line: Option<usize>,
}

/// The differences between the expectations and the results of a step.
///
/// # Errors
/// The step names something that does not exist, or a rule failed.
pub(super) fn differences(
    place: Place,
    step: Step,
    found: &Found,
    left: &After<'_>,
) -> Result<Vec<Difference>, SpecError> {
    let mut comparison = Comparison { place, bundle: left.bundle, differences: Vec::new() };
    // An unexpected refusal is reported first, since it explains the other differences.
    comparison.refused(step.refused.as_deref(), found.refused.as_ref());
    let decision = found.decision.as_ref();
    comparison.failures(decision);
    comparison.all_units("pays", step.pays, &given(decision))?;
    comparison.all_units("costs", step.costs, &taken(decision))?;
    comparison.all_units("expires", step.expires, &found.expired)?;
    comparison.titles("because", step.because, decision)?;
    comparison.gift(step.gives, decision)?;
    if let Some(expected) = step.vouchers {
        comparison.hold("vouchers", expected, vouchers(decision));
    }

    let (member, at) = (left.member, left.at);
    let spendable = |name: &str| member.wallet(name).spendable(at).get();
    comparison.units("balance", step.balance, spendable)?;
    comparison.units("pending", step.pending, |name| member.wallet(name).pending(at).get())?;
    let tier_status = tier_status(left.bundle, &Arc::new(member.clone()), at);
    let tier = tier_status.map_err(|failure| (None, failure.to_string()))?.tier;
    if let Some(expected) = step.tier {
        comparison.tier(&expected, tier.as_deref())?;
    }
    if let Some(expected) = step.grants {
        expected.iter().try_for_each(|grant| known_grant(left.bundle, grant))?;
        let expected = expected.into_iter().map(Spanned::into_inner);
        let held = member.grants.keys().filter(|grant| member.is_granted(grant, at));
        comparison.hold("grants", texts(expected), texts(held.cloned()));
    }
    if let Some(expected) = step.tags {
        comparison.hold("tags", texts(expected), texts(member.tags.iter().cloned()));
    }
    if let Some(expected) = step.tasks {
        comparison.tasks(expected, member, at)?;
    }
    if let Some(expected) = step.scores {
        for title in expected.keys() {
            known("contest", title, left.bundle.contests())?;
        }
        let score = |title: &str| {
            let name = name_of(left.bundle, StatementKind::Contest, title);
            member.scores.get(&name).map_or(0, |score| score.get())
        };
        let found = expected.keys().map(|title| (title.get_ref().clone(), score(title.get_ref())));
        let found = table(found);
        comparison.hold("scores", asked(&expected), found);
    }
    if let Some(expected) = step.rewards {
        comparison.rewards(expected, left, tier.as_deref())?;
    }
    if let Some(expected) = step.benefits {
        comparison.benefits(expected, left, tier.as_deref())?;
    }
    if let Some(Object(expected)) = step.referrer_gets {
        let decision = decision.and_then(|decision| decision.others.first());
        comparison.referrer(expected, decision, left)?;
    }
    Ok(comparison.differences)
}

/// A comparison of one step, with the differences so far.
struct Comparison<'a> {
    place: Place,
    bundle: &'a Bundle,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn hold(&mut self, what: &'static str, expected: impl Into<Value>, found: impl Into<Value>) {
        let (expected, found) = (expected.into(), found.into());
        if expected != found {
            let Place { step, line } = self.place;
            self.differences.push(Difference { step, line, what, expected, found });
        }
    }

    /// A rule that fails pays nothing to a real member; a spec shows it.
    fn failures(&mut self, decision: Option<&Decision>) {
        let members = decision.into_iter().flat_map(|decision| {
            [decision].into_iter().chain(&decision.others).map(|decision| &decision.entry)
        });
        for note in members.flat_map(|entry| &entry.notes) {
            if let Note::RuleFailed { rule, source, message } = note {
                self.hold("failure", "", format!("rule `{rule}` failed at {source}: {message}"));
            }
        }
    }

    fn refused(&mut self, expected: Option<&str>, refused: Option<&Refusal>) {
        let reason = refused.map(ToString::to_string);
        match (expected, reason) {
            (Some(part), Some(reason)) if reason.contains(part) => {}
            (None, None) => {}
            (expected, reason) => {
                self.hold("refused", expected.unwrap_or_default(), reason.unwrap_or_default());
            }
        }
    }

    /// Compares the units of all wallets: a wallet that the step does not name must have none.
    fn all_units(
        &mut self,
        what: &'static str,
        expected: Option<Sums>,
        found: &BTreeMap<String, i64>,
    ) -> Result<(), SpecError> {
        let Some(expected) = expected else { return Ok(()) };
        known_wallets(self.bundle, &expected)?;
        let some = expected.iter().filter(|(_, units)| **units != 0);
        let expected = table(some.map(|(name, units)| (name.get_ref().clone(), *units)));
        self.hold(what, expected, table(found.iter().map(|(name, units)| (name.clone(), *units))));
        Ok(())
    }

    /// Compares the units of the wallets that the step names.
    fn units(
        &mut self,
        what: &'static str,
        expected: Option<Sums>,
        found: impl Fn(&str) -> i64,
    ) -> Result<(), SpecError> {
        let Some(expected) = expected else { return Ok(()) };
        known_wallets(self.bundle, &expected)?;
        let found =
            table(expected.keys().map(|name| (name.get_ref().clone(), found(name.get_ref()))));
        self.hold(what, asked(&expected), found);
        Ok(())
    }

    /// Compares the titles of the rules that gave something. The expected titles must exist.
    fn titles(
        &mut self,
        what: &'static str,
        expected: Option<Vec<Spanned<String>>>,
        decision: Option<&Decision>,
    ) -> Result<(), SpecError> {
        let Some(expected) = expected else { return Ok(()) };
        for title in &expected {
            known("rule", title, self.bundle.titles().map(|(_, title, _)| title))?;
        }
        let expected: Vec<String> = expected.into_iter().map(Spanned::into_inner).collect();
        self.hold(what, expected, because(decision));
        Ok(())
    }

    fn gift(
        &mut self,
        expected: Option<Spanned<Value>>,
        decision: Option<&Decision>,
    ) -> Result<(), SpecError> {
        let Some(expected) = expected else { return Ok(()) };
        let place = expected.span().start;
        let expected = expected.into_inner();
        let is_none = expected.as_table().is_some_and(toml::Table::is_empty);
        let wanted = if is_none { None } else { Some(Benefit::deserialize(expected.clone())) };
        let wrong =
            |error: toml::de::Error| (Some(place), format!("`gives`: {}", say_toml(&error)));
        let wanted = wanted.transpose().map_err(wrong)?;
        let found = decision.and_then(|decision| match &decision.entry.kind {
            EntryKind::Redeem { reward, .. } => reward.gives.clone(),
            _ => None,
        });
        if found != wanted {
            let found = found.map(Value::try_from).transpose();
            let found = found.map_err(|error| (Some(place), error.to_string()))?;
            self.hold("gives", expected, found.unwrap_or_else(|| toml::Table::new().into()));
        }
        Ok(())
    }

    fn tier(&mut self, expected: &Spanned<String>, tier: Option<&str>) -> Result<(), SpecError> {
        if !expected.get_ref().is_empty() {
            known("tier", expected, self.bundle.tiers())?;
        }
        self.hold("tier", expected.get_ref().as_str(), tier.unwrap_or_default());
        Ok(())
    }

    fn tasks(
        &mut self,
        expected: BTreeMap<Spanned<String>, String>,
        member: &Member,
        at: Moment,
    ) -> Result<(), SpecError> {
        let zone = self.bundle.programme().time_zone;
        let mut found = toml::Table::new();
        for title in expected.keys() {
            let Task { name, goal, .. } = known_task(self.bundle, title)?;
            let progress = member.tasks.get(name);
            let done = progress.map_or(0, |progress| progress.done(*goal, at, zone));
            found.insert(title.get_ref().clone(), format!("{done} of {}", goal.target()).into());
        }
        let expected = expected.into_iter().map(|(title, text)| (title.into_inner(), text.into()));
        self.hold("tasks", expected.collect::<toml::Table>(), found);
        Ok(())
    }

    /// Compares the rewards that the member could take now.
    fn rewards(
        &mut self,
        expected: BTreeSet<Spanned<String>>,
        left: &After<'_>,
        tier: Option<&str>,
    ) -> Result<(), SpecError> {
        for name in &expected {
            known("reward", name, self.bundle.rewards().map(|(name, _)| name))?;
        }
        let mut found = Vec::new();
        for offer in offers(self.bundle, left.member, tier, left.at) {
            let offer = offer.map_err(|failure| (None, failure.to_string()))?;
            let stock = left.data.left.get(&SharedLimit::Stock(offer.name.clone()));
            let some_left =
                offer.stock.is_none() || stock.is_some_and(|stock| !stock.units.is_zero());
            if offer.within_reach() && some_left {
                found.push(offer.name);
            }
        }
        let name =
            |title: Spanned<String>| name_of(self.bundle, StatementKind::Reward, title.get_ref());
        let expected = texts(expected.into_iter().map(name));
        self.hold("rewards", expected, texts(found));
        Ok(())
    }

    fn benefits(
        &mut self,
        expected: BTreeSet<Spanned<String>>,
        left: &After<'_>,
        tier: Option<&str>,
    ) -> Result<(), SpecError> {
        for title in &expected {
            let rules = self.bundle.rules_of(StatementKind::Benefit);
            known("benefit", title, rules.map(|(_, rule)| rule.title.as_str()))?;
        }
        let found = benefits(self.bundle, left.member, tier, left.order, left.at).into_iter();
        let found: Result<Vec<_>, _> = found.collect();
        let found = found.map_err(|failure| (None, failure.to_string()))?;
        let found = found.into_iter().filter(|benefit| benefit.gives.is_some());
        let found = texts(found.map(|benefit| benefit.title));
        self.hold("benefits", texts(expected.into_iter().map(Spanned::into_inner)), found);
        Ok(())
    }

    fn referrer(
        &mut self,
        expected: ReferrerGets,
        decision: Option<&Decision>,
        left: &After<'_>,
    ) -> Result<(), SpecError> {
        self.all_units("referrer_gets.pays", expected.pays, &given(decision))?;
        self.titles("referrer_gets.because", expected.because, decision)?;
        let spendable =
            |name: &str| left.referrer.map_or(0, |member| member.spendable(name, left.at).get());
        self.units("referrer_gets.balance", expected.balance, spendable)
    }
}

/// The units that a decision gives, by wallet.
fn given(decision: Option<&Decision>) -> BTreeMap<String, i64> {
    decision.map_or_else(BTreeMap::new, |decision| units(decision, |change| change > 0))
}

/// The units that a decision takes, by wallet.
pub(super) fn taken(decision: Option<&Decision>) -> BTreeMap<String, i64> {
    decision.map_or_else(BTreeMap::new, |decision| units(decision, |change| change < 0))
}

fn units(decision: &Decision, counts: impl Fn(i64) -> bool) -> BTreeMap<String, i64> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for posting in decision.entry.postings.iter().filter(|posting| counts(posting.change())) {
        *sums.entry(posting.wallet.to_string()).or_default() += posting.units.get();
    }
    sums
}

/// The titles of the rules that gave something, in their order; adjacent repeats count once.
fn because(decision: Option<&Decision>) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    for reason in decision.iter().flat_map(|decision| &decision.entry.reasons) {
        if titles.last() != Some(&reason.rule) {
            titles.push(reason.rule.clone());
        }
    }
    titles
}

fn vouchers(decision: Option<&Decision>) -> Vec<String> {
    let reasons = decision.iter().flat_map(|decision| &decision.entry.reasons);
    let code = |reason: &ledger::Reason| match &reason.effect {
        Effect::Voucher { code, .. } => Some(code.clone()),
        _ => None,
    };
    reasons.filter_map(code).collect()
}

fn asked(expected: &Sums) -> Value {
    table(expected.iter().map(|(name, units)| (name.get_ref().clone(), *units)))
}

fn table(sums: impl Iterator<Item = (String, i64)>) -> Value {
    Value::Table(sums.map(|(name, units)| (name, units.into())).collect())
}

fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    let sorted: BTreeSet<String> = texts.into_iter().collect();
    sorted.into_iter().collect::<Vec<String>>().into()
}
