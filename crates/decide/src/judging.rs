//! Judging: runs every rule of an activity, one after the other, and records a verdict for each.

use std::sync::Arc;

use chrono::NaiveDate;
use ledger::activity::REFERRAL;
use ledger::cap::{self, Counted};
use ledger::decision::GiveRejection;
use ledger::decision_data::Allocator;
use ledger::programme::OnFailure;
use ledger::task::{Goal, Progress};
use ledger::{
    Activity, Allocations, ApplyError, Change, DecisionData, Effect, Member, Moment, Programme,
    Reason, Units, WalletName,
};
use rules::{
    Bundle, CODES_MAX, EffectRequest, Facts, Rule, RuleFailure, Run, StatementKind, Value,
};
use rust_decimal::Decimal;

use crate::context::Context;
use crate::effects::{Receiver, are_one, check_pool, paid, units};
use crate::refusal::{Refusal, Undecided};

/// The decimals of a remainder that is carried over. Further decimals are dropped.
const REMAINDER_DECIMALS: u32 = 9;

/// The most rounds of a task that one activity may complete.
const ROUNDS_MAX: u32 = 100;

/// The verdict on one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It applied and gave something.
    Gave,
    /// It applied and had nothing to give.
    GaveNothing,
    /// It applied, and what it pays is below zero, which is nothing.
    BelowZero,
    /// It failed, and pays nothing.
    Failed,
    /// Its condition does not hold.
    ConditionDoesNotHold,
    /// The activity is not on the days of the rule and its campaign.
    NotOnItsDays,
    /// Its cap is reached for this member.
    AsOftenAsItMay,
    /// The campaign's budget or the pool of codes is exhausted.
    NothingLeft,
    /// The task has progressed and is not complete.
    Progressed {
        /// The progress.
        done: u32,
        /// The goal.
        goal: u32,
    },
}

/// One rule of the activity, and its verdict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// The index of the rule in the bundle.
    pub(crate) rule: usize,
    pub(crate) verdict: Verdict,
    /// The units that earlier rules had paid into the main wallet.
    pub(crate) points: Units,
}

/// The result of judging an activity.
#[derive(Debug)]
pub(crate) struct Judgement<'a> {
    pub(crate) reasons: Vec<Reason>,
    pub(crate) changes: Vec<Change>,
    pub(crate) allocator: Allocator<'a>,
    pub(crate) steps: Vec<Step>,
    /// The failures of rules.
    pub(crate) failures: Vec<RuleFailure>,
    /// The units that earn rules have paid into the main wallet.
    pub(crate) points: Units,
    /// The referrer, if a rule requested the referral. The rule may have given nothing in the end;
    /// then no reason has the referral.
    referrer: Option<&'a Member>,
    /// What rules took that have been mended since.
    pub(crate) taken_since: TakenSince,
}

/// What rules took that have been mended since an activity was judged.
#[derive(Debug, Default)]
pub(crate) struct TakenSince {
    /// What they take whenever the activity is judged again.
    pub(crate) all: Allocations,
    /// What of that is taken now for the first time.
    pub(crate) now: Allocations,
}

impl TakenSince {
    fn add(&mut self, taken: &Allocations, is_now: bool) -> Result<(), ApplyError> {
        self.all.add(taken)?;
        if is_now { self.now.add(taken) } else { Ok(()) }
    }
}

impl<'a> Judgement<'a> {
    /// The referrer, if a rule gave the referral.
    pub(crate) fn referrer(&self) -> Option<&'a Member> {
        let is_referral = |reason: &Reason| matches!(reason.effect, Effect::Referral { .. });
        self.referrer.filter(|_| self.reasons.iter().any(is_referral))
    }
}

/// The reasons and verdicts of an activity's rules, before the ledger makes an entry.
#[derive(Debug)]
pub struct Said {
    /// What each rule gives, in the order in which the rules ran.
    pub reasons: Vec<Reason>,
    /// The index in the bundle and the verdict of every rule.
    pub verdicts: Vec<(usize, Verdict)>,
}

/// Runs the rules of an activity for a member with its stored tier. It decides nothing;
/// [`crate::earn()`] does.
///
/// # Errors
/// A rule failed, or data is missing.
pub fn ask(
    context: &Context<'_>,
    member: &Arc<Member>,
    activity: &Arc<Activity>,
) -> Result<Said, Undecided> {
    let Context { bundle, data, now, .. } = *context;
    let seen = bundle.see(member, member.tier().map(str::to_owned), activity.at, now);
    let mut run = bundle.run(&Facts::of_activity(seen, activity));
    let on_failure = bundle.programme().on_failure;
    let asked = Asked::all(on_failure);
    let judged = judge(bundle, member, activity, data, &mut run, asked, Vec::new())?;
    let verdicts = judged.steps.iter().map(|step| (step.rule, step.verdict)).collect();
    Ok(Said { reasons: judged.reasons, verdicts })
}

/// A judge of one activity, with the judgement so far.
struct Judge<'a, 'r> {
    bundle: &'a Bundle,
    member: &'a Member,
    at: Moment,
    /// The day of the activity, by the clock of its store.
    day: NaiveDate,
    run: &'r mut Run<'a>,
    judgement: Judgement<'a>,
    /// Codes that the member has from rounds of the present task which are no longer complete.
    codes: Vec<(String, String)>,
}

/// The rules that are asked, and what becomes of one that fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) on_failure: OnFailure,
    /// Whether tasks are asked as well.
    pub(crate) tasks: bool,
    /// Rules that have failed for the activity and have been mended since.
    pub(crate) mended: &'a [Mended<'a>],
}

impl Asked<'_> {
    /// All rules.
    pub(crate) fn all(on_failure: OnFailure) -> Asked<'static> {
        Asked { on_failure, tasks: true, mended: &[] }
    }
}

/// A rule that has been mended since an activity was judged. It is asked in place of the one that
/// failed, and takes from what there is for it, not from what there was for the activity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mended<'a> {
    /// The rules that have it.
    pub(crate) rules: &'a Bundle,
    /// Its title.
    pub(crate) title: &'a str,
    pub(crate) data: &'a DecisionData,
    /// Whether it is asked for the first time.
    pub(crate) is_now: bool,
}

impl<'a> Mended<'a> {
    /// The rule that stands for one that failed, if it is that one.
    pub(crate) fn of(&self, failed: &Rule) -> Option<&'a Rule> {
        self.rules.called(failed.kind(), self.title).filter(|rule| rule.stands_for(failed))
    }
}

/// A mended rule over the facts of one activity.
pub(crate) struct MendedRun<'a> {
    pub(crate) mended: Mended<'a>,
    pub(crate) run: Run<'a>,
}

/// Runs every rule of the activity: earn rules, tasks and contests. A rule that fails gives nothing;
/// the others are judged as if it were not there.
pub(crate) fn judge<'a>(
    bundle: &'a Bundle,
    member: &'a Member,
    activity: &Activity,
    data: &'a DecisionData,
    run: &mut Run<'a>,
    asked: Asked<'_>,
    mut mended: Vec<MendedRun<'a>>,
) -> Result<Judgement<'a>, Undecided> {
    let judgement = Judgement {
        reasons: Vec::new(),
        changes: Vec::new(),
        allocator: Allocator::new(data),
        steps: Vec::new(),
        failures: Vec::new(),
        points: Units::ZERO,
        referrer: None,
        taken_since: TakenSince::default(),
    };
    let at = activity.at;
    let zone = bundle.programme().zone_of(activity.order.as_ref());
    let day = at.with_timezone(&zone).date_naive();
    let mut judge = Judge { bundle, member, at, day, run, judgement, codes: Vec::new() };
    let is_asked = |rule: &Rule| asked.tasks || rule.kind() != StatementKind::Task;
    for (number, rule) in bundle.rules_on(&activity.kind).filter(|(_, rule)| is_asked(rule)) {
        let points = judge.judgement.points;
        judge.run.set_points(points);
        let instead = mended.iter_mut().find_map(|one| Some((one.mended.of(rule)?, one)));
        let verdict = match instead {
            None => judge.rule_or_failure(rule, asked.on_failure)?,
            Some((rule, mended)) => judge.mended_rule(rule, mended)?,
        };
        judge.judgement.steps.push(Step { rule: number, verdict, points });
    }
    Ok(judge.judgement)
}

impl<'a> Judge<'a, '_> {
    fn programme(&self) -> &'a Programme {
        self.bundle.programme()
    }

    /// Judges a rule; if it fails, takes back what it has given so far and notes the failure.
    fn rule_or_failure(
        &mut self,
        rule: &'a Rule,
        on_failure: OnFailure,
    ) -> Result<Verdict, Undecided> {
        let taken = self.judgement.allocator.taken();
        let reasons = self.judgement.reasons.len();
        let changes = self.judgement.changes.len();
        let (points, referrer) = (self.judgement.points, self.judgement.referrer);
        match self.rule(rule) {
            Err(Undecided::Refused(Refusal::RuleFailed(failure)))
                if on_failure == OnFailure::Record =>
            {
                let judgement = &mut self.judgement;
                judgement.allocator.put_back(taken);
                judgement.reasons.truncate(reasons);
                judgement.changes.truncate(changes);
                judgement.points = points;
                judgement.referrer = referrer;
                judgement.failures.push(failure);
                Ok(Verdict::Failed)
            }
            other => other,
        }
    }

    /// Judges a rule that has been mended, by the rules that have it and from data of its own.
    fn mended_rule(
        &mut self,
        rule: &'a Rule,
        mended: &mut MendedRun<'a>,
    ) -> Result<Verdict, Undecided> {
        let MendedRun { mended: Mended { rules, data, is_now, .. }, run } = mended;
        // It is mended only if it does not fail.
        let on_failure = if *is_now { OnFailure::Refuse } else { OnFailure::Record };
        let mut allocator = Allocator::new(data);
        let points = self.judgement.points;
        run.set_points(points);
        std::mem::swap(self.run, run);
        std::mem::swap(&mut self.bundle, rules);
        std::mem::swap(&mut self.judgement.allocator, &mut allocator);
        let verdict = self.rule_or_failure(rule, on_failure);
        std::mem::swap(&mut self.judgement.allocator, &mut allocator);
        std::mem::swap(&mut self.bundle, rules);
        std::mem::swap(self.run, run);
        let taken = self.judgement.taken_since.add(&allocator.taken(), *is_now);
        taken.map_err(|error| GiveRejection::of(&self.member.id, error))?;
        verdict
    }

    fn rule(&mut self, rule: &'a Rule) -> Result<Verdict, Undecided> {
        if !rule.is_on(self.day, self.programme()) {
            return Ok(Verdict::NotOnItsDays);
        }
        let room = rule.cap.map(|cap| cap::room(self.member.counters(&rule.name), cap, self.day));
        if room == Some(0) {
            return Ok(Verdict::AsOftenAsItMay);
        }
        if !self.run.applies(rule)? {
            return Ok(Verdict::ConditionDoesNotHold);
        }
        match rule.kind() {
            StatementKind::Task => self.task(rule, room),
            StatementKind::Contest => self.contest(rule),
            _ => self.act(rule, room),
        }
    }

    /// Counts what a rule gave that has a cap.
    fn count(&mut self, rule: &Rule, paid: Units) {
        let times = match rule.cap.map(|cap| cap.counts) {
            None => return,
            Some(Counted::Times) => 1,
            Some(Counted::Units) => paid.get().unsigned_abs(),
        };
        if times > 0 {
            let (rule, day) = (rule.name.clone(), self.day.into());
            self.judgement.changes.push(Change::Counted { rule, day, times });
        }
    }

    fn task(&mut self, rule: &'a Rule, room: Option<u64>) -> Result<Verdict, Undecided> {
        let Some(goal) = rule.goal else { return Ok(Verdict::GaveNothing) };
        let by = self.counts(rule, goal)?;
        if by == 0 {
            return Ok(Verdict::GaveNothing);
        }
        let zone = self.programme().time_zone;
        let before = self.member.tasks.get(&rule.name);
        let mut progress = before.cloned().unwrap_or_default();
        let rounds = progress.advance(goal, by, self.at, zone).ok_or_else(|| {
            GiveRejection::of(&self.member.id, ApplyError::TooMuch(rule.title.clone()))
        })?;
        self.codes = std::mem::take(&mut progress.codes);
        let effect = self.pay_rounds(rule, room, &mut progress, rounds)?;
        progress.codes = std::mem::take(&mut self.codes);
        let done = progress.done(goal, self.at, zone);
        let changed = Change::Progressed { task: rule.name.clone(), progress };
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

    /// Pays the completed rounds, until a shared limit or a pool is exhausted. New rounds beyond
    /// the cap are dropped. The other unpaid rounds stay owed.
    fn pay_rounds(
        &mut self,
        rule: &'a Rule,
        room: Option<u64>,
        progress: &mut Progress,
        rounds: u32,
    ) -> Result<Option<Verdict>, Undecided> {
        // Owed rounds, which an earlier activity completed, are due as well as the new ones.
        let most = room.and_then(|room| u32::try_from(room).ok()).unwrap_or(u32::MAX);
        let due = progress.owed.max(progress.owed.saturating_add(rounds).min(most));
        let (mut paid, mut effect) = (0, None);
        while paid < due.min(most).min(ROUNDS_MAX) {
            let verdict = self.act(rule, None)?;
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

    fn contest(&mut self, rule: &'a Rule) -> Result<Verdict, Undecided> {
        let (value, _) = self.run.body(rule)?;
        let score = units(rule, &value)?;
        if score.is_zero() {
            return Ok(Verdict::GaveNothing);
        }
        self.reasons(rule, Effect::Score { contest: rule.name.clone(), units: score });
        self.count(rule, score);
        Ok(Verdict::Gave)
    }

    /// Runs the rule's block and gives all of its effects, or none. If the cap counts units, it pays
    /// no more than there is `room` for.
    fn act(&mut self, rule: &'a Rule, room: Option<u64>) -> Result<Verdict, Undecided> {
        let (value, requests) = self.run.body(rule)?;
        let taken = self.judgement.allocator.taken();
        let codes = self.codes.clone();
        let into = rule.into.as_ref().unwrap_or(&self.programme().main_wallet);
        let mut given = Vec::new();
        let (mut paid, carried) = self.whole(rule, &value, into)?;
        if rule.cap.is_some_and(|cap| cap.counts == Counted::Units) {
            let room = room.and_then(|room| i64::try_from(room).ok());
            paid = room.and_then(|room| Units::new(room).ok()).map_or(paid, |room| paid.min(room));
        }
        if !paid.is_zero() {
            given.push(Effect::Units { wallet: into.clone(), units: paid });
        }
        for request in requests {
            match self.effect(rule, request, into, &given)? {
                Given::This(effect) => given.push(effect),
                Given::Nothing => {}
                Given::NothingLeft => {
                    self.judgement.allocator.put_back(taken);
                    self.codes = codes;
                    return Ok(Verdict::NothingLeft);
                }
            }
        }
        if given.is_empty() {
            self.judgement.changes.extend(carried);
            let is_below_zero = value.number().is_some_and(|number| number < Decimal::ZERO);
            return Ok(if is_below_zero { Verdict::BelowZero } else { Verdict::GaveNothing });
        }
        let main = &self.programme().main_wallet;
        let points = given.iter().try_fold(Units::ZERO, |sum, effect| match effect {
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
                self.codes = codes;
                return Ok(Verdict::NothingLeft);
            }
        }
        self.judgement.changes.extend(carried);
        self.count(rule, paid);
        if rule.kind() == StatementKind::Earn {
            self.judgement.points =
                self.judgement.points.checked_add(points).ok_or_else(too_much)?;
        }
        for effect in given {
            self.reasons(rule, effect);
        }
        Ok(Verdict::Gave)
    }

    /// The whole units that a rule's block pays. If it is an earn rule and its wallet carries, also
    /// the change of the remainder that is carried over.
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
        let had = self.member.remainders.get(&rule.name).copied().unwrap_or_default();
        // The amount must be valid on its own, before the remainder is added.
        paid(rule, amount)?;
        let amount = amount.max(Decimal::ZERO);
        let too_much = || rule.failure(format!("the rule pays {amount}, which is too much"));
        let sum = amount.checked_add(had).ok_or_else(too_much)?;
        let whole = paid(rule, sum)?;
        let rest = (sum - sum.floor()).trunc_with_scale(REMAINDER_DECIMALS).normalize();
        let carried = Change::Carried { rule: rule.name.clone(), remainder: rest };
        Ok((whole, (rest != had).then_some(carried)))
    }

    fn reasons(&mut self, rule: &Rule, effect: Effect) {
        // A task that pays several rounds gets one reason for all of them.
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

    fn effect(
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
                    // The referrer's own referrer gets nothing.
                    return Ok(Given::Nothing);
                }
                let referrer: Option<&'a Member> = self.judgement.allocator.member(id)?;
                // Members of one household do not refer each other, and an erased member refers
                // nobody.
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
                    // The round stays owed until the next activity.
                    return Ok(Given::NothingLeft);
                }
                if all >= CODES_MAX {
                    let message = format!("one activity gives at most {CODES_MAX} codes");
                    return Err(rule.failure(message).into());
                }
                let had = self.codes.iter().position(|(of, _)| *of == pool);
                if let Some((pool, code)) = had.map(|place| self.codes.remove(place)) {
                    return Ok(Given::This(Effect::Voucher { pool, code, again: true }));
                }
                let code = self.judgement.allocator.code(&pool)?;
                let give = |code| Given::This(Effect::Voucher { pool, code, again: false });
                Ok(code.map_or(Given::NothingLeft, give))
            }
            request => {
                Ok(who.receives(rule, request, into, earlier)?.map_or(Given::Nothing, Given::This))
            }
        }
    }
}

/// The result of an effect request.
enum Given {
    This(Effect),
    /// There is no effect, since nothing would change or nobody would receive it.
    Nothing,
    /// A pool of codes has nothing left, so the rule gives none of its effects.
    NothingLeft,
}

fn referral(referrer: &Member) -> Effect {
    let entry = referrer.seq.next();
    Effect::Referral { referrer: referrer.id.clone(), entry }
}
