//! What an activity brings: every rule of it asked in turn, and what became of each.

use std::sync::Arc;

use ledger::activity::REFERRAL;
use ledger::cap::{self, Room};
use ledger::decision_data::Allocator;
use ledger::task::{Goal, Progress, Step as TaskStep};
use ledger::{
    Activity, Change, DecisionData, Effect, Member, Moment, Programme, Reason, Units, WalletName,
};
use rules::{
    Bundle, CODES_MAX, EffectRequest, Facts, Rule, RuleFailure, Run, StatementKind, Value,
};

use crate::context::Context;
use crate::effects::{Receiver, are_one, check_pool, paid, units};
use crate::refusal::Undecided;

/// Decimals of what is carried over; the rest is dropped.
const REMAINDER_DECIMALS: u32 = 9;

/// Rounds of a task that one activity may complete.
const ROUNDS_MAX: u32 = 100;

/// What became of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It applied and gave something.
    Gave,
    /// It applied and had nothing to give.
    GaveNothing,
    /// Its condition does not hold.
    ConditionDoesNotHold,
    /// It is not on its days, or its campaign's.
    NotOnItsDays,
    /// It has acted for this member as often as it may.
    AsOftenAsItMay,
    /// The campaign's budget or the pool of codes has not enough left.
    NothingLeft,
    /// A task is further on, and not complete.
    Progressed {
        /// How far.
        done: u32,
        /// Of how much.
        goal: u32,
    },
}

/// One rule of the activity, and what became of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Which rule of the bundle.
    pub(crate) rule: usize,
    pub(crate) verdict: Verdict,
    /// What had been paid into the main wallet before it.
    pub(crate) points: Units,
}

/// What an activity brings.
#[derive(Debug)]
pub(crate) struct Judgement<'a> {
    pub(crate) reasons: Vec<Reason>,
    pub(crate) changes: Vec<Change>,
    pub(crate) allocator: Allocator<'a>,
    pub(crate) steps: Vec<Step>,
    /// What earn rules have paid into the main wallet.
    pub(crate) points: Units,
    /// The member who brought this one, if a rule asked for it. Only a reason says whether it gave
    /// the referral, too.
    referrer: Option<&'a Member>,
}

impl<'a> Judgement<'a> {
    /// The member who brought this one, if a rule gave the referral.
    pub(crate) fn referrer(&self) -> Option<&'a Member> {
        let is_referral = |reason: &Reason| matches!(reason.effect, Effect::Referral { .. });
        self.referrer.filter(|_| self.reasons.iter().any(is_referral))
    }
}

/// What the rules of an activity say, before the ledger makes anything of it.
#[derive(Debug)]
pub struct Said {
    /// What each rule gives, in the order in which they were asked.
    pub reasons: Vec<Reason>,
    /// Every rule that was asked, by its place in the bundle, and what became of it.
    pub verdicts: Vec<(usize, Verdict)>,
}

/// Asks the rules of an activity about a member in its tier as it is written down. Nothing is
/// decided: [`crate::earn`] does that.
///
/// # Errors
/// A rule failed, or data has to be loaded first.
pub fn ask(
    context: &Context<'_>,
    member: &Arc<Member>,
    activity: &Arc<Activity>,
) -> Result<Said, Undecided> {
    let Context { bundle, data, now } = *context;
    let seen = bundle.see(member, member.tier().map(str::to_owned), activity.at, now);
    let mut run = bundle.run(&Facts::of_activity(seen, activity));
    let judged = judge(bundle, member, activity, data, &mut run)?;
    let verdicts = judged.steps.iter().map(|step| (step.rule, step.verdict)).collect();
    Ok(Said { reasons: judged.reasons, verdicts })
}

/// A judgement in the making.
struct Judge<'a, 'r> {
    bundle: &'a Bundle,
    member: &'a Member,
    at: Moment,
    run: &'r mut Run<'a>,
    judgement: Judgement<'a>,
}

/// Asks every rule of the activity: what it pays, how far tasks are, how scores grow.
pub(crate) fn judge<'a>(
    bundle: &'a Bundle,
    member: &'a Member,
    activity: &Activity,
    data: &'a DecisionData,
    run: &mut Run<'a>,
) -> Result<Judgement<'a>, Undecided> {
    let judgement = Judgement {
        reasons: Vec::new(),
        changes: Vec::new(),
        allocator: Allocator::new(data),
        steps: Vec::new(),
        points: Units::ZERO,
        referrer: None,
    };
    let at = activity.at;
    let mut judge = Judge { bundle, member, at, run, judgement };
    for (number, rule) in bundle.rules_on(&activity.kind) {
        let points = judge.judgement.points;
        judge.run.set_points(points);
        let verdict = judge.rule(rule)?;
        judge.judgement.steps.push(Step { rule: number, verdict, points });
    }
    Ok(judge.judgement)
}

impl<'a> Judge<'a, '_> {
    fn programme(&self) -> &'a Programme {
        self.bundle.programme()
    }

    fn rule(&mut self, rule: &'a Rule) -> Result<Verdict, Undecided> {
        let zone = self.programme().time_zone;
        if !rule.is_on(self.at.with_timezone(&zone).date_naive(), self.programme()) {
            return Ok(Verdict::NotOnItsDays);
        }
        let room =
            rule.cap.map(|cap| cap::room(self.member.counters(&rule.title), cap, self.at, zone));
        if room.is_some_and(|room| room.times == 0) {
            return Ok(Verdict::AsOftenAsItMay);
        }
        if !self.run.applies(rule)? {
            return Ok(Verdict::ConditionDoesNotHold);
        }
        match rule.kind() {
            StatementKind::Task => self.task(rule, room),
            StatementKind::Contest => self.contest(rule, room),
            _ => {
                let verdict = self.act(rule)?;
                self.count(rule, room, verdict);
                Ok(verdict)
            }
        }
    }

    fn count(&mut self, rule: &Rule, room: Option<Room>, verdict: Verdict) {
        if let (Some(room), Verdict::Gave) = (room, verdict) {
            let counted = Change::Counted { rule: rule.title.clone(), since: room.since };
            self.judgement.changes.push(counted);
        }
    }

    fn task(&mut self, rule: &'a Rule, room: Option<Room>) -> Result<Verdict, Undecided> {
        let Some(goal) = rule.goal else { return Ok(Verdict::GaveNothing) };
        let by = self.counts(rule, goal)?;
        if by == 0 {
            return Ok(Verdict::GaveNothing);
        }
        let zone = self.programme().time_zone;
        let before = self.member.tasks.get(&rule.title);
        let mut progress = before.cloned().unwrap_or_default();
        let rounds = progress.advance(goal, by, self.at, zone);
        let effect = self.pay_rounds(rule, room, &mut progress, rounds)?;
        let done = progress.done(goal, self.at, zone);
        let was = before.map_or(0, Progress::settled);
        let settled = u32::try_from(progress.settled() - was).unwrap_or_default();
        let step = TaskStep { goal, by, at: self.at, settled };
        let changed = Change::Progressed { task: rule.title.clone(), step, progress };
        self.judgement.changes.push(changed);
        Ok(effect.unwrap_or(Verdict::Progressed { done, goal: goal.target() }))
    }

    /// How much the activity counts towards a task.
    fn counts(&mut self, rule: &Rule, goal: Goal) -> Result<u32, RuleFailure> {
        let by = match self.run.counting(rule)? {
            None => 1,
            Some(value) => {
                let units = units(rule, &value)?;
                u32::try_from(units.get())
                    .map_err(|_| rule.failure(format!("it counts {units}, which is too many")))?
            }
        };
        let own = by.checked_div(goal.target()).unwrap_or(0);
        if own > ROUNDS_MAX {
            return Err(rule.failure(format!(
                "one activity completes it {own} times, and {ROUNDS_MAX} are allowed; let the goal be larger, or write an `earn`"
            )));
        }
        Ok(by)
    }

    /// Pays the rounds that are complete, as far as the cap allows and as long as there is something
    /// to give; the rest is owed.
    fn pay_rounds(
        &mut self,
        rule: &'a Rule,
        room: Option<Room>,
        progress: &mut Progress,
        rounds: u32,
    ) -> Result<Option<Verdict>, Undecided> {
        // A round that was complete before and found nothing to give is paid now, if there is
        // something.
        let most = room.map_or(u32::MAX, |room| room.times);
        let due = progress.owed.max(progress.owed.saturating_add(rounds).min(most));
        // Rounds that had been paid before they were complete come first.
        let offset = due.min(progress.ahead);
        progress.ahead -= offset;
        let due = due - offset;
        let (mut paid, mut effect) = (0, None);
        while paid < due.min(most).min(ROUNDS_MAX) {
            let verdict = self.act(rule)?;
            self.count(rule, room, verdict);
            if verdict == Verdict::NothingLeft {
                effect = effect.or(Some(verdict));
                break;
            }
            effect = Some(verdict);
            paid += 1;
        }
        progress.owed = due - paid;
        Ok(effect)
    }

    fn contest(&mut self, rule: &'a Rule, room: Option<Room>) -> Result<Verdict, Undecided> {
        let (value, _) = self.run.body(rule)?;
        let score = units(rule, &value)?;
        if score.is_zero() {
            return Ok(Verdict::GaveNothing);
        }
        self.reasons(rule, Effect::Score { contest: rule.title.clone(), units: score });
        self.count(rule, room, Verdict::Gave);
        Ok(Verdict::Gave)
    }

    /// Runs the rule's block and gives what it says, all or nothing.
    fn act(&mut self, rule: &'a Rule) -> Result<Verdict, Undecided> {
        let (value, requests) = self.run.body(rule)?;
        let taken = self.judgement.allocator.taken();
        let into = rule.into.as_ref().unwrap_or(&self.programme().main_wallet);
        let mut given = Vec::new();
        let (paid, carried) = self.whole(rule, &value, into)?;
        if !paid.is_zero() {
            given.push(Effect::Units { wallet: into.clone(), units: paid });
        }
        for request in requests {
            match self.outcome(rule, request, into, &given)? {
                Given::This(outcome) => given.push(outcome),
                Given::Nothing => {}
                Given::NothingLeft => {
                    self.judgement.allocator.put_back(taken);
                    return Ok(Verdict::NothingLeft);
                }
            }
        }
        if given.is_empty() {
            self.judgement.changes.extend(carried);
            return Ok(Verdict::GaveNothing);
        }
        let main = &self.programme().main_wallet;
        let points = given.iter().try_fold(Units::ZERO, |sum, outcome| match outcome {
            Effect::Units { wallet, units } if wallet == main => sum.checked_add(*units),
            _ => Some(sum),
        });
        let too_much = || rule.failure(format!("the sheet pays more than {} units", Units::MAX));
        let points = points.ok_or_else(too_much)?;
        if let Some(budget) = rule.budget(self.programme()) {
            let of_others =
                |given: &Effect| matches!(given, Effect::Units { wallet, .. } if wallet != main);
            if given.iter().any(of_others) {
                let message = format!(
                    "its campaign has a budget of {main}; other units cannot be drawn from it"
                );
                return Err(rule.failure(message).into());
            }
            if !self.judgement.allocator.withdraw(&budget, points)? {
                self.judgement.allocator.put_back(taken);
                return Ok(Verdict::NothingLeft);
            }
        }
        self.judgement.changes.extend(carried);
        if rule.kind() == StatementKind::Earn {
            self.judgement.points =
                self.judgement.points.checked_add(points).ok_or_else(too_much)?;
        }
        for outcome in given {
            self.reasons(rule, outcome);
        }
        Ok(Verdict::Gave)
    }

    /// The whole units of what an earn rule's block pays, and what is carried over of the rest, where
    /// its wallet carries.
    fn whole(
        &self,
        rule: &Rule,
        value: &Value,
        into: &WalletName,
    ) -> Result<(Units, Option<Change>), RuleFailure> {
        let carries = self.programme().wallets.get(into).is_some_and(|policy| policy.carry);
        let (true, StatementKind::Earn, Some(amount)) = (carries, rule.kind(), value.number())
        else {
            return Ok((units(rule, value)?, None));
        };
        let had = self.member.remainders.get(&rule.title).copied().unwrap_or_default();
        // What it pays by itself has to make sense, whatever was carried over.
        paid(rule, amount)?;
        let too_much = || rule.failure(format!("the rule pays {amount}, which is too much"));
        let sum = amount.checked_add(had).ok_or_else(too_much)?;
        let whole = paid(rule, sum)?;
        let rest = (sum - sum.floor()).trunc_with_scale(REMAINDER_DECIMALS).normalize();
        let carried = Change::Carried { rule: rule.title.clone(), remainder: rest };
        Ok((whole, (rest != had).then_some(carried)))
    }

    fn reasons(&mut self, rule: &Rule, effect: Effect) {
        // What a task pays for several rounds is one reason.
        if let (Some(last), Effect::Units { wallet, units }) =
            (self.judgement.reasons.last_mut(), &effect)
            && last.rule == rule.title
            && let Effect::Units { wallet: same, units: sum } = &mut last.effect
            && same == wallet
            && let Some(more) = sum.checked_add(*units)
        {
            *sum = more;
            return;
        }
        let reason = Reason { rule: rule.title.clone(), source: rule.source.clone(), effect };
        self.judgement.reasons.push(reason);
    }

    fn outcome(
        &mut self,
        rule: &Rule,
        request: EffectRequest,
        into: &WalletName,
        given: &[Effect],
    ) -> Result<Given, Undecided> {
        let earlier = self.judgement.reasons.iter().map(|reason| &reason.effect).chain(given);
        let who = Receiver { member: self.member, programme: self.programme(), at: self.at };
        match request {
            EffectRequest::Refer => {
                let Some(id) = &self.member.referred_by else { return Ok(Given::Nothing) };
                if rule.on.as_deref() == Some(REFERRAL) {
                    // One who brings others was brought by someone too, who has no part in it.
                    return Ok(Given::Nothing);
                }
                let referrer: Option<&'a Member> = self.judgement.allocator.member(id)?;
                // A household does not bring itself, and who is forgotten brings nobody.
                let referrer = referrer.filter(|referrer| {
                    referrer.erased_at.is_none() && !are_one(self.member, referrer)
                });
                self.judgement.referrer = referrer;
                Ok(referrer.map_or(Given::Nothing, |referrer| Given::This(referral(referrer))))
            }
            EffectRequest::Voucher(pool) => {
                check_pool(rule, &pool, self.programme())?;
                let is_code = |one: &&Effect| matches!(one, Effect::Voucher { .. });
                let own = given.iter().filter(is_code).count();
                let all = earlier.filter(is_code).count();
                if own < CODES_MAX && all >= CODES_MAX && rule.kind() == StatementKind::Task {
                    // The round waits for the next activity.
                    return Ok(Given::NothingLeft);
                }
                if all >= CODES_MAX {
                    let message = format!("one activity gives at most {CODES_MAX} codes");
                    return Err(rule.failure(message).into());
                }
                let code = self.judgement.allocator.code(&pool)?;
                Ok(code
                    .map_or(Given::NothingLeft, |code| Given::This(Effect::Voucher { pool, code })))
            }
            request => {
                Ok(who.receives(rule, request, into, earlier)?.map_or(Given::Nothing, Given::This))
            }
        }
    }
}

/// What becomes of something that a rule gives.
enum Given {
    This(Effect),
    /// There is nobody to give it to, or nothing of it.
    Nothing,
    /// What all share is used up, and the rule gives nothing at all.
    NothingLeft,
}

fn referral(referrer: &Member) -> Effect {
    let entry = referrer.seq.next();
    Effect::Referral { referrer: referrer.id.clone(), entry }
}
