//! The trace of an activity, for people: for every rule, whether it applied, the values that its
//! condition read, its effects, and the points so far.

use std::sync::Arc;

use ledger::{Activity, Effect, Member, Units};
use rules::Facts;

use crate::again::{Undo, member_before};
use crate::context::Context;
use crate::happen::{When, as_it_was};
use crate::judging::{Asked, Verdict, judge};
use crate::refusal::Undecided;
use crate::reward::{self, Redemption};
use crate::tier;

/// One line of a trace: a rule and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLine {
    /// The keyword of the statement: `earn`, `task`, `contest` or `reward`.
    pub statement: &'static str,
    /// The title of the rule.
    pub rule: String,
    /// The place of the rule: `earn.rhai:3`.
    pub source: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// The facts that its condition reads, with their values.
    pub saw: Vec<(String, String)>,
    /// Its effects.
    pub effects: Vec<Effect>,
    /// The units paid into the main wallet by this rule and all before it.
    pub points: Units,
}

impl Verdict {
    /// The verdict in words.
    #[must_use]
    pub fn say(&self) -> String {
        match self {
            Verdict::Gave => "applies".to_owned(),
            Verdict::GaveNothing => "applies, and has nothing to give".to_owned(),
            Verdict::BelowZero => {
                "applies, and would pay less than zero, which is nothing".to_owned()
            }
            Verdict::Failed => "failed, and pays nothing".to_owned(),
            Verdict::ConditionDoesNotHold => "does not apply".to_owned(),
            Verdict::NotOnItsDays => "is not on its days".to_owned(),
            Verdict::AsOftenAsItMay => "has given as much as it may".to_owned(),
            Verdict::NothingLeft => "has nothing left to give".to_owned(),
            Verdict::Progressed { done, goal } => format!("stands at {done} of {goal}"),
        }
    }
}

/// The trace of a reward request. Its verdict says only whether the reward's condition holds.
///
/// # Errors
/// The reward is unknown, or its rule failed.
pub fn trace_reward(
    context: &Context<'_>,
    member: &Member,
    redemption: &Redemption,
) -> Result<Vec<TraceLine>, Undecided> {
    let Context { bundle, now, .. } = *context;
    let (rule, costs) = reward::named(bundle, &redemption.reward)?;
    let member = Arc::new(member.clone());
    let tier = tier::tier_status(bundle, &member, now)?.tier;
    let units = redemption.units.unwrap_or(costs.least);
    let seen = bundle.see(&member, tier, now, now);
    let mut run = bundle.run(&Facts::of_order(seen, redemption.order.as_ref(), Some(units)));
    let applies = run.applies(rule)?;
    let verdict = if applies { Verdict::Gave } else { Verdict::ConditionDoesNotHold };
    Ok(vec![TraceLine {
        statement: rule.keyword(),
        rule: rule.title.clone(),
        source: rule.source.clone(),
        verdict,
        failure: None,
        saw: run.facts_seen(rule),
        effects: Vec::new(),
        points: Units::ZERO,
    }])
}

/// The trace of an activity: one line for each of its rules. `undone` is what is taken back with it.
///
/// # Errors
/// A rule failed, or data is missing.
pub fn trace(
    context: &Context<'_>,
    member: &Member,
    activity: &Activity,
    undone: &[Undo],
) -> Result<Vec<TraceLine>, Undecided> {
    let Context { bundle, data, now, .. } = *context;
    let on_failure = bundle.programme().on_failure;
    let happened_at = activity.at.min(now);
    let member = match When::of(context, member, activity.at) {
        When::InOrder(_) if undone.is_empty() => {
            context.view(member, data.account(member)?).at(happened_at)
        }
        // What replaces a purchase that had its place gets it, however long ago.
        When::TooLate if undone.is_empty() || undone.iter().any(|undo| undo.too_late.is_some()) => {
            let then = data.member_then(&member.id, activity.at, member.seq)?;
            as_it_was(then, member, happened_at)?
        }
        _ => member_before(context, member, activity, undone)?,
    };
    let member = Arc::new(member);
    let tier_status = tier::tier_status(bundle, &member, happened_at.max(member.happened_at))?;
    let seen = bundle.see(&member, tier_status.tier, activity.at, happened_at);
    let mut run = bundle.run(&Facts::of_activity(seen, &Arc::new(activity.clone())));
    let judged =
        judge(bundle, &member, activity, data, &mut run, Asked::all(on_failure), Vec::new())?;
    let mut lines = Vec::new();
    for (place, step) in judged.steps.iter().enumerate() {
        let Some(rule) = bundle.rule(step.rule) else { continue };
        run.set_points(step.points);
        let saw = run.facts_seen(rule);
        let reasons = judged.reasons.iter().filter(|reason| reason.rule == rule.title);
        let effects: Vec<Effect> = reasons.map(|reason| reason.effect.clone()).collect();
        let failure = judged.failures.iter().find(|failure| failure.rule == rule.title);
        let following = judged.steps.get(place + 1).map(|next| next.points);
        lines.push(TraceLine {
            statement: rule.keyword(),
            rule: rule.title.clone(),
            source: rule.source.clone(),
            verdict: step.verdict,
            failure: failure.map(|failure| failure.mistake.message.clone()),
            saw,
            effects,
            points: following.unwrap_or(judged.points),
        });
    }
    Ok(lines)
}
