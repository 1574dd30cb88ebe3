//! A scene: one spec, run step by step. The functions that decide for clients also decide here.

use std::collections::BTreeMap;

use ledger::{
    Activity, Decision, DecisionData, Entry, EntryKind, HistorySlice, Member, Moment, Order, Units,
};
use rules::{Bundle, Object, place_of};
use toml::Spanned;

use super::expectations::{After, Found, Place, differences, taken};
use super::mistake::{SpecError, known};
use super::report::Difference;
use super::setup::{data, person};
use super::written::{RedeemBody, Spec, Step};
use crate::context::Context;
use crate::coverage::Coverage;
use crate::due::expire;
use crate::earn::earn;
use crate::event::{About, ActivityEvent};
use crate::input::InJson;
use crate::recurrence::triggered;
use crate::redeem::redeem;
use crate::refusal::{Refusal, Undecided};
use crate::reward::Redemption;
use crate::trace::trace;

/// A scene: the state of one spec while it runs.
pub(super) struct Scene<'a> {
    /// The text of the spec's file.
    text: &'a str,
    bundle: Bundle,
    coverage: &'a mut Coverage,
    member: Member,
    referrer: Option<Member>,
    data: DecisionData,
    /// The member before the first step, and its entries since.
    past: HistorySlice,
    /// When the first step happens.
    begins: Moment,
    at: Moment,
    differences: Vec<Difference>,
}

impl Scene<'_> {
    /// Runs a spec to its end, and returns the differences.
    ///
    /// # Errors
    /// The spec names something that does not exist, or contradicts itself.
    pub(super) fn run(
        bundle: &Bundle,
        text: &str,
        mut spec: Spec,
        coverage: &mut Coverage,
    ) -> Result<Vec<Difference>, SpecError> {
        let member = spec.member.take().map(|Object(member)| member).unwrap_or_default();
        let referrer = spec.referrer.take().map(|Object(referrer)| referrer);
        let (pools, stock, budgets) = (spec.pools.take(), spec.stock.take(), spec.budgets.take());
        let steps = spec.step.take();
        let of_steps = steps.is_some();
        let steps = match steps {
            None => vec![(None, spec.into_step())],
            Some(steps) => {
                let outside = spec.into_step();
                if outside.at.is_some() || outside.happens() || outside.expects() {
                    let message =
                        "a spec with steps says in them what happens and what is expected";
                    return Err((None, message.to_owned()));
                }
                let step = |step: Spanned<Object<Step>>| {
                    (Some(step.span().start), step.into_inner().0.into_step())
                };
                steps.into_iter().map(step).collect()
            }
        };
        let begins = steps.first().and_then(|(_, step)| step.moment(None));
        let begins = begins.ok_or_else(|| (None, "it says no time: write `at`".to_owned()))?;
        let (bundle, mut member) = person(bundle, "member", member, begins)?;
        let referrer =
            referrer.map(|body| person(&bundle, "referrer", body, begins)).transpose()?;
        let (bundle, referrer) = match referrer {
            None => (bundle, None),
            Some((bundle, referrer)) => (bundle, Some(referrer)),
        };
        member.referred_by = referrer.as_ref().map(|referrer| referrer.id.clone());
        let data = data(&bundle, pools, stock.as_ref(), budgets.as_ref())?;
        let past = HistorySlice { before: member.clone(), entries: Vec::new(), rules: Vec::new() };
        let mut scene = Scene {
            text,
            bundle,
            coverage,
            past,
            member,
            referrer,
            data,
            begins,
            at: begins,
            differences: Vec::new(),
        };
        if !steps.iter().any(|(_, step)| step.expects()) {
            return Err((None, "it expects nothing, so it always holds".to_owned()));
        }
        for (number, (byte, step)) in steps.into_iter().enumerate() {
            let line = byte.map(|byte| place_of(text, byte).0);
            let place = Place { step: of_steps.then_some(number), line };
            // A mistake without a place of its own gets the place of the step.
            scene.step(place, step).map_err(|(at, message)| (at.or(byte), message))?;
        }
        Ok(scene.differences)
    }

    fn step(&mut self, place: Place, step: Step) -> Result<(), SpecError> {
        if step.activity.is_some() && step.redeem.is_some() {
            let message = "a step has an `activity` or a `redeem`, and not both";
            return Err((None, message.to_owned()));
        }
        let at = step.moment(Some(self.at)).unwrap_or(self.at);
        if at < self.at {
            return Err((None, "this step is before the one above it".to_owned()));
        }
        self.at = at;
        let decision = refused_or(expire(&self.context(at), &self.member))?;
        let decision = decision.map_err(|refusal| (None, refusal.to_string()))?;
        let expired = decision.map_or_else(BTreeMap::new, |decision| {
            let expired = taken(Some(&decision));
            self.follow(&decision);
            expired
        });
        let happens = self.happens(&step)?;
        self.come_by_themselves(&happens)?;
        let order = happens.order();
        let (decision, refused) = match self.decide(&happens)? {
            None => (None, None),
            Some(Ok(decision)) => (Some(decision), None),
            Some(Err(refused)) => (None, Some(refused)),
        };
        self.coverage.see(&self.bundle, &self.member, order, at);
        if let Some(decision) = &decision {
            self.follow(decision);
        }
        self.coverage.see(&self.bundle, &self.member, order, at);
        let found = Found { decision, refused, expired };
        let left = After {
            bundle: &self.bundle,
            member: &self.member,
            referrer: self.referrer.as_ref(),
            data: &self.data,
            order,
            at,
        };
        self.differences.extend(differences(place, step, &found, &left)?);
        Ok(())
    }

    /// The activities that their days have triggered since the spec began. One that the step itself
    /// writes does not come by itself as well.
    fn come_by_themselves(&mut self, happens: &Happens) -> Result<(), SpecError> {
        let zone = self.bundle.programme().time_zone;
        let day = |at: Moment| at.with_timezone(&zone).date_naive();
        for event in triggered(&self.bundle, &self.member, self.at) {
            let kind = &event.activity.kind;
            let is_written =
                matches!(happens, Happens::Activity(activity) if activity.kind == *kind);
            if is_written || day(event.activity.at) < day(self.begins) {
                continue;
            }
            let context = self.context(self.at);
            if let Ok(lines) = trace(&context, &self.member, &event.activity, &[]) {
                self.coverage.trace(&lines);
            }
            let context = self.context(self.at);
            let decision = refused_or(earn(&context, &self.member, event))?;
            let decision = decision.map_err(|refusal| (None, refusal.to_string()))?;
            self.follow(&decision);
        }
        Ok(())
    }

    /// Makes the members and the data those after a decision.
    fn follow(&mut self, decision: &Decision) {
        self.member.clone_from(&decision.member);
        self.past.entries.push(decision.entry.clone());
        self.past.rules.push(self.bundle.hash().to_string());
        self.data = std::mem::take(&mut self.data).after(&decision.entry);
        for referrer in &decision.others {
            self.data = std::mem::take(&mut self.data).after(&referrer.entry);
            self.referrer = Some(referrer.member.clone());
        }
    }

    /// Reads what happens in a step.
    fn happens(&self, step: &Step) -> Result<Happens, SpecError> {
        let programme = self.bundle.programme();
        if let Some(activity) = &step.activity {
            let byte = Some(activity.span().start);
            let InJson(Object(body)) = activity.get_ref().clone();
            let activity = body.check(programme, "spec", self.at);
            let activity = activity.map_err(|wrong| self.at_value(byte, &wrong))?;
            return Ok(Happens::Activity(activity));
        }
        let Some(redeem) = &step.redeem else { return Ok(Happens::Nothing) };
        let byte = Some(redeem.span().start);
        let Object(RedeemBody { reward, units, order }) = redeem.get_ref().clone();
        known("reward", &reward, self.bundle.rewards().map(|(name, _)| name))?;
        let order = order.map(|InJson(Object(order))| order.check("/order", programme)).transpose();
        let order = order.map_err(|wrong| self.at_value(byte, &wrong))?;
        let units = units.map(Units::new).transpose();
        let units = units.map_err(|reason| (byte, format!("`units`: {reason}")))?;
        Ok(Happens::Redeem(Redemption { reward: reward.into_inner(), units, order }))
    }

    fn context(&self, now: Moment) -> Context<'_> {
        Context::new(&self.bundle, &self.data, now)
    }

    /// Decides on what happens; nothing if only time passes.
    fn decide(
        &mut self,
        happens: &Happens,
    ) -> Result<Option<Result<Decision, Refusal>>, SpecError> {
        let members = self.referrer.iter();
        self.data.members =
            members.map(|referrer| (referrer.id.clone(), Some(referrer.clone()))).collect();
        Ok(match happens {
            Happens::Nothing => None,
            Happens::Activity(activity) => {
                self.data.slices = [(self.member.id.clone(), self.past.clone())].into();
                let about = self.about(activity);
                let event = ActivityEvent { about, ..activity.clone().into() };
                let context = self.context(self.at.max(activity.at));
                let decided = refused_or(earn(&context, &self.member, event))?;
                if let Ok(lines) = trace(&context, &self.member, activity, &[]) {
                    self.coverage.trace(&lines);
                }
                Some(decided)
            }
            Happens::Redeem(redemption) => {
                let context = self.context(self.at);
                let decided = refused_or(redeem(&context, &self.member, redemption.clone(), None))?;
                self.coverage.reward(&redemption.reward, &decided);
                Some(decided)
            }
        })
    }

    /// What is known of the activity that another is about, such as the order that is delivered.
    fn about(&self, activity: &Activity) -> About {
        let Some(of) = &activity.of else { return About::Nothing };
        let is_of = |entry: &&Entry| match &entry.kind {
            EntryKind::Earn { activity } => activity.id == *of,
            _ => false,
        };
        About::of(&activity.kind, self.past.entries.iter().filter(is_of).cloned())
    }

    /// Converts an input error into a mistake at the value. It finds the value by searching the
    /// text for each name of the pointer in turn.
    fn at_value(&self, from: Option<usize>, wrong: &crate::input::InputError) -> SpecError {
        let mut byte = from;
        for name in wrong.pointer.split('/').filter(|name| name.parse::<usize>().is_err()) {
            let rest = byte.and_then(|byte| self.text.get(byte..));
            let found = rest.and_then(|rest| rest.find(name)).filter(|_| !name.is_empty());
            byte = byte.zip(found).map(|(byte, found)| byte + found).or(byte);
        }
        (byte, wrong.to_string())
    }
}

/// The decision or the refusal. A spec has all decision data, so missing data is its mistake.
fn refused_or<T>(decided: Result<T, Undecided>) -> Result<Result<T, Refusal>, SpecError> {
    match decided {
        Ok(decision) => Ok(Ok(decision)),
        Err(Undecided::Refused(refusal)) => Ok(Err(refusal)),
        Err(Undecided::NeedsData(missing)) => Err((None, format!("a spec does not say {missing}"))),
    }
}

/// What happens in a step.
enum Happens {
    /// Only time passes.
    Nothing,
    Activity(Activity),
    Redeem(Redemption),
}

impl Happens {
    fn order(&self) -> Option<&Order> {
        match self {
            Happens::Nothing => None,
            Happens::Activity(activity) => activity.order.as_ref(),
            Happens::Redeem(redemption) => redemption.order.as_ref(),
        }
    }
}
