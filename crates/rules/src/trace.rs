//! Why an activity brought what it brought, for people: every rule of it, whether it applied, the
//! values that its condition saw, what it paid, and the sum so far.

use std::sync::Arc;

use ledger::{Activity, Member, Moment, Outcome, Supplies, Units};

use crate::bundle::Bundle;
use crate::judge::{self, Stop, Verdict};
use crate::refused::Refused;
use crate::run::Run;
use crate::sheet::Rule;
use crate::verbs::Redemption;
use crate::words::{facts, say, words};

/// One rule of an activity, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLine {
    /// The statement: `earn`, `task`, `contest`.
    pub statement: &'static str,
    /// Its title.
    pub rule: String,
    /// Where it stands: `earn.rhai:3`.
    pub source: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Each fact that its condition asks for, and its value.
    pub saw: Vec<(String, String)>,
    /// What it gave.
    pub gave: Vec<Outcome>,
    /// What had been paid into the main wallet after it.
    pub points: Units,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn say(&self) -> String {
        match self {
            Verdict::Gave => "applies".to_owned(),
            Verdict::GaveNothing => "applies, and has nothing to give".to_owned(),
            Verdict::ConditionDoesNotHold => "does not apply".to_owned(),
            Verdict::NotOnItsDays => "is not on its days".to_owned(),
            Verdict::AsOftenAsItMay => "has given as often as it may".to_owned(),
            Verdict::NothingLeft => "has nothing left to give".to_owned(),
            Verdict::Progressed { done, goal } => format!("stands at {done} of {goal}"),
        }
    }
}

impl Bundle {
    /// What becomes of the reward that a member wants.
    ///
    /// # Errors
    /// The reward is unknown, or its rule failed.
    pub fn trace_reward(
        &self,
        member: &Member,
        redemption: &Redemption,
        now: Moment,
    ) -> Result<Vec<TraceLine>, Refused> {
        let (rule, costs) = self.reward(&redemption.reward)?;
        let member = Arc::new(member.clone());
        let tier = self.standing(&member, now)?.tier;
        let units = redemption.units.unwrap_or(costs.least);
        let seen = self.see(&member, tier, now, now);
        let facts =
            Bundle::facts_of_order(seen, redemption.order.as_ref(), Some(judge::seen(units)));
        let mut run = self.run(&facts);
        let applies = run.applies(rule)?;
        let verdict = if applies { Verdict::Gave } else { Verdict::ConditionDoesNotHold };
        Ok(vec![TraceLine {
            statement: rule.statement.keyword,
            rule: rule.title.clone(),
            source: rule.source.clone(),
            verdict,
            saw: saw(rule, &mut run),
            gave: Vec::new(),
            points: Units::ZERO,
        }])
    }

    /// What becomes of each rule of an activity.
    ///
    /// # Errors
    /// As [`Bundle::earn`].
    pub fn trace(
        &self,
        member: &Member,
        activity: &Activity,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Vec<TraceLine>, Refused> {
        let member = Arc::new(member.clone());
        let standing = self.standing(&member, now)?;
        let seen = self.see(&member, standing.tier, activity.at, now);
        let mut run = self.run(&Bundle::facts_of_activity(seen, &Arc::new(activity.clone())));
        let judged = judge::activity(self, &member, activity, supplies, &mut run)
            .map_err(|stop: Stop| Refused::from(stop))?;
        let mut lines = Vec::new();
        for (place, step) in judged.steps.iter().enumerate() {
            let Some(rule) = self.rule(step.rule) else { continue };
            run.set_points(step.points.get());
            let saw = saw(rule, &mut run);
            let reasons = judged.because.iter().filter(|reason| reason.rule == rule.title);
            let gave: Vec<Outcome> = reasons.map(|reason| reason.gave.clone()).collect();
            let following = judged.steps.get(place + 1).map(|next| next.points);
            lines.push(TraceLine {
                statement: rule.statement.keyword,
                rule: rule.title.clone(),
                source: rule.source.clone(),
                verdict: step.verdict,
                saw,
                gave,
                points: following.unwrap_or(judged.points),
            });
        }
        Ok(lines)
    }
}

/// Each fact that a rule's condition asks for, and its value. A fact that fails, such as an order
/// that is not there, was not seen: the condition did not come to it, or the request would have
/// failed.
fn saw(rule: &Rule, run: &mut Run<'_>) -> Vec<(String, String)> {
    let asked = rule.when.iter().flat_map(facts);
    asked.filter_map(|fact| Some((words(fact)?, say(&run.value(rule, fact).ok()?)))).collect()
}
