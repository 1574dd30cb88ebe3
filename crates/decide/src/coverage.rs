//! The coverage of the rules by the specs: which rules never ran, never applied, or always applied.

use ledger::{Decision, Member, Moment, Order};
use rules::Bundle;

use crate::judging::Verdict;
use crate::offers::benefits;
use crate::refusal::Refusal;
use crate::tier::{conditions, tier_status};
use crate::trace::TraceLine;

/// How often each rule applied and did not apply in the specs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The rules, in the order of the sheets.
    pub rules: Vec<RuleCoverage>,
}

/// How often one rule applied and did not apply in the specs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCoverage {
    /// The keyword of its statement, such as `earn`.
    pub statement: &'static str,
    /// The title of the rule.
    pub rule: String,
    /// The place of the rule.
    pub source: String,
    /// Whether it has a condition that can be false.
    pub has_condition: bool,
    /// The number of times it applied.
    pub applied: u32,
    /// The number of times its condition did not hold.
    pub did_not: u32,
}

impl RuleCoverage {
    /// The gap in its coverage, if there is one.
    #[must_use]
    pub fn gap(&self) -> Option<&'static str> {
        match (self.applied, self.did_not) {
            (0, 0) => Some("never asked"),
            (0, _) => Some("never true"),
            (_, 0) if self.has_condition => Some("never false"),
            _ => None,
        }
    }
}

impl Coverage {
    pub(crate) fn of(bundle: &Bundle) -> Coverage {
        let rules = bundle.all_rules().map(|rule| RuleCoverage {
            statement: rule.keyword(),
            rule: rule.title.clone(),
            source: rule.source.clone(),
            has_condition: rule.has_condition(),
            applied: 0,
            did_not: 0,
        });
        Coverage { rules: rules.collect() }
    }

    /// The rules with a gap, and the gap of each.
    pub fn gaps(&self) -> impl Iterator<Item = (&RuleCoverage, &'static str)> {
        self.rules.iter().filter_map(|rule| Some((rule, rule.gap()?)))
    }

    fn count(&mut self, statement: &str, title: &str, applied: bool) {
        let mut rules = self.rules.iter_mut();
        if let Some(rule) = rules.find(|rule| rule.statement == statement && rule.rule == title) {
            let times = if applied { &mut rule.applied } else { &mut rule.did_not };
            *times = times.saturating_add(1);
        }
    }

    pub(crate) fn trace(&mut self, lines: &[TraceLine]) {
        for line in lines {
            match line.verdict {
                Verdict::Gave
                | Verdict::GaveNothing
                | Verdict::BelowZero
                | Verdict::Progressed { .. }
                | Verdict::NothingLeft => {
                    self.count(line.statement, &line.rule, true);
                }
                Verdict::ConditionDoesNotHold => self.count(line.statement, &line.rule, false),
                Verdict::NotOnItsDays | Verdict::AsOftenAsItMay | Verdict::Failed => {}
            }
        }
    }

    pub(crate) fn reward(&mut self, name: &str, decided: &Result<Decision, Refusal>) {
        match decided {
            Ok(_) => self.count("reward", name, true),
            Err(Refusal::RewardConditionDoesNotHold { .. }) => self.count("reward", name, false),
            Err(_) => {}
        }
    }

    /// Counts the tiers and benefits of a member. A spec calls this before and after every step.
    pub(crate) fn see(
        &mut self,
        bundle: &Bundle,
        member: &Member,
        order: Option<&Order>,
        at: Moment,
    ) {
        let member = std::sync::Arc::new(member.clone());
        for (title, holds) in conditions(bundle, &member, at) {
            self.count("tier", &title, holds);
        }
        let tier = tier_status(bundle, &member, at).ok().and_then(|tier_status| tier_status.tier);
        let benefits = benefits(bundle, &member, tier.as_deref(), order, at);
        for (statement, title, _) in bundle.titles() {
            if statement == "benefit" {
                let found = benefits.iter().flatten().find(|benefit| benefit.title == title);
                // A benefit that depends on a missing order counts neither way.
                if found.is_none_or(|benefit| benefit.gives.is_some()) {
                    self.count("benefit", title, found.is_some());
                }
            }
        }
    }
}
