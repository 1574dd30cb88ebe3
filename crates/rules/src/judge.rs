//! What an activity brings: every rule of it asked in turn, and what became of each.

use std::sync::Arc;

use chrono::{Datelike, Days, Months, NaiveDateTime};
use ledger::cap::{self, Room};
use ledger::entry::Gives;
use ledger::pot::Till;
use ledger::programme::resolve;
use ledger::task::{Progress, Step as TaskStep};
use ledger::{
    Activity, Change, Lack, Member, Moment, Outcome, Programme, Reason, Supplies, Units, WalletName,
};
use rhai::{Dynamic, INT};
use rust_decimal::Decimal;

use crate::bundle::Bundle;
use crate::desk::Act;
use crate::facts::Span;
use crate::grammar::StatementKind;
use crate::mistake::{RuleFailure, plain_types};
use crate::refused::Refused;
use crate::run::{Run, failure};
use crate::sheet::Rule;
use crate::verbs::REFERRAL;

/// Codes that one activity may give: each is two writes of the request's transaction.
pub(crate) const CODES_MAX: usize = 5;

/// Decimals of what is carried over; the rest is dropped.
const REMAINDER_DECIMALS: u32 = 9;

/// Rounds of a task that one activity may complete.
const ROUNDS_MAX: u32 = 100;

/// Why rules came to no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// One failed.
    Failed(RuleFailure),
    /// One asked for what has not been loaded.
    Lacks(Lack),
}

impl From<RuleFailure> for Stop {
    fn from(failure: RuleFailure) -> Stop {
        Stop::Failed(failure)
    }
}

impl From<Lack> for Stop {
    fn from(lack: Lack) -> Stop {
        Stop::Lacks(lack)
    }
}

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
    pub(crate) because: Vec<Reason>,
    pub(crate) changes: Vec<Change>,
    pub(crate) till: Till<'a>,
    pub(crate) steps: Vec<Step>,
    /// What earn rules have paid into the main wallet.
    pub(crate) points: Units,
    /// The member who brought this one, if a rule asked for it. Only a reason says whether it gave
    /// the referral, too.
    referrer: Option<&'a Member>,
}

impl<'a> Judgement<'a> {
    /// The member who brought this one, if a rule gave the referral.
    pub(crate) fn referred(&self) -> Option<&'a Member> {
        let is_referral = |reason: &Reason| matches!(reason.gave, Outcome::Referral { .. });
        self.referrer.filter(|_| self.because.iter().any(is_referral))
    }
}

/// What the rules of an activity say, before the ledger makes anything of it.
#[derive(Debug)]
pub struct Said {
    /// What each rule gives, in the order in which they were asked.
    pub because: Vec<Reason>,
    /// Every rule that was asked, by its place in the bundle, and what became of it.
    pub verdicts: Vec<(usize, Verdict)>,
}

impl Bundle {
    /// Asks the rules of an activity about a member in its tier as it is written down. Nothing is
    /// decided: [`Bundle::earn`] does that.
    ///
    /// # Errors
    /// A rule failed, or something has to be loaded first.
    pub fn ask(
        &self,
        member: &Arc<Member>,
        activity: &Arc<Activity>,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Said, Refused> {
        let seen = self.see(member, member.tier().map(str::to_owned), activity.at, now);
        let mut run = self.run(&Bundle::facts_of_activity(seen, activity));
        let judged = self::activity(self, member, activity, supplies, &mut run)?;
        let verdicts = judged.steps.iter().map(|step| (step.rule, step.verdict)).collect();
        Ok(Said { because: judged.because, verdicts })
    }
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
pub(crate) fn activity<'a>(
    bundle: &'a Bundle,
    member: &'a Member,
    activity: &Activity,
    supplies: &'a Supplies,
    run: &mut Run<'a>,
) -> Result<Judgement<'a>, Stop> {
    let judgement = Judgement {
        because: Vec::new(),
        changes: Vec::new(),
        till: Till::new(supplies),
        steps: Vec::new(),
        points: Units::ZERO,
        referrer: None,
    };
    let at = activity.at;
    let mut judge = Judge { bundle, member, at, run, judgement };
    for (number, rule) in bundle.rules_on(&activity.kind) {
        let points = judge.judgement.points;
        judge.run.set_points(points.get());
        let verdict = judge.rule(rule)?;
        judge.judgement.steps.push(Step { rule: number, verdict, points });
    }
    Ok(judge.judgement)
}

impl<'a> Judge<'a, '_> {
    fn programme(&self) -> &'a Programme {
        self.bundle.programme()
    }

    fn rule(&mut self, rule: &'a Rule) -> Result<Verdict, Stop> {
        let zone = self.programme().time_zone;
        if !rule.is_on(self.at.with_timezone(&zone).date_naive(), self.programme()) {
            return Ok(Verdict::NotOnItsDays);
        }
        let room = rule.cap.map(|cap| cap::room(self.member, &rule.title, cap, self.at, zone));
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
            let counted = Change::Counted { counted: rule.title.clone(), since: room.since };
            self.judgement.changes.push(counted);
        }
    }

    fn task(&mut self, rule: &'a Rule, room: Option<Room>) -> Result<Verdict, Stop> {
        let Some(goal) = rule.goal else { return Ok(Verdict::GaveNothing) };
        let by = match &rule.counting {
            None => 1,
            Some(counting) => {
                let value = self.run.value(rule, counting)?;
                let units = units(rule, &value)?;
                u32::try_from(units.get())
                    .map_err(|_| failure(rule, format!("it counts {units}, which is too many")))?
            }
        };
        if by == 0 {
            return Ok(Verdict::GaveNothing);
        }
        let zone = self.programme().time_zone;
        let before = self.member.tasks.get(&rule.title);
        let mut progress = before.cloned().unwrap_or_default();
        let own = by.checked_div(goal.target()).unwrap_or(0);
        if own > ROUNDS_MAX {
            let message = format!(
                "one activity completes it {own} times, and {ROUNDS_MAX} are allowed; let the goal be larger, or write an `earn`"
            );
            return Err(failure(rule, message).into());
        }
        let rounds = progress.advance(goal, by, self.at, zone);
        // What was done before and found nothing to give is paid now, if there is something.
        let most = room.map_or(u32::MAX, |room| room.times);
        let due = progress.owed.max(progress.owed.saturating_add(rounds).min(most));
        // Rounds that had been paid before they were complete come first.
        let offset = due.min(progress.ahead);
        progress.ahead -= offset;
        let due = due - offset;
        let (mut paid, mut gave) = (0, None);
        while paid < due.min(most).min(ROUNDS_MAX) {
            let verdict = self.act(rule)?;
            self.count(rule, room, verdict);
            if verdict == Verdict::NothingLeft {
                gave = gave.or(Some(verdict));
                break;
            }
            gave = Some(verdict);
            paid += 1;
        }
        progress.owed = due - paid;
        let done = progress.done(goal, self.at, zone);
        let was = before.map_or(0, Progress::settled);
        let settled = u32::try_from(progress.settled() - was).unwrap_or_default();
        let step = TaskStep { goal, by, at: self.at, settled };
        let changed = Change::Progressed { task: rule.title.clone(), step, progress };
        self.judgement.changes.push(changed);
        Ok(gave.unwrap_or(Verdict::Progressed { done, goal: goal.target() }))
    }

    fn contest(&mut self, rule: &'a Rule, room: Option<Room>) -> Result<Verdict, Stop> {
        let (value, _) = self.run.body(rule)?;
        let score = units(rule, &value)?;
        if score.is_zero() {
            return Ok(Verdict::GaveNothing);
        }
        self.because(rule, Outcome::Score { contest: rule.title.clone(), score });
        self.count(rule, room, Verdict::Gave);
        Ok(Verdict::Gave)
    }

    /// Runs the rule's block and gives what it says, all or nothing.
    fn act(&mut self, rule: &'a Rule) -> Result<Verdict, Stop> {
        let (value, acts) = self.run.body(rule)?;
        let taken = self.judgement.till.taken();
        let into = rule.into.as_ref().unwrap_or(&self.programme().main_wallet);
        let mut given = Vec::new();
        let (paid, carried) = self.whole(rule, &value, into)?;
        if !paid.is_zero() && value.as_unit().is_err() {
            given.push(Outcome::Units { wallet: into.clone(), units: paid });
        }
        for act in acts {
            match self.outcome(rule, act, into, &given)? {
                Given::This(outcome) => given.push(outcome),
                Given::Nothing => {}
                Given::NothingLeft => {
                    self.judgement.till.put_back(taken);
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
            Outcome::Units { wallet, units } if wallet == main => sum.checked_add(*units),
            _ => Some(sum),
        });
        let too_much = || failure(rule, format!("the sheet pays more than {} units", Units::MAX));
        let points = points.ok_or_else(too_much)?;
        if let Some(budget) = rule.budget(self.programme()) {
            let of_others =
                |given: &Outcome| matches!(given, Outcome::Units { wallet, .. } if wallet != main);
            if given.iter().any(of_others) {
                let message = format!(
                    "its campaign has a budget of {main}; other units cannot be drawn from it"
                );
                return Err(failure(rule, message).into());
            }
            if !self.judgement.till.draw(&budget, points)? {
                self.judgement.till.put_back(taken);
                return Ok(Verdict::NothingLeft);
            }
        }
        self.judgement.changes.extend(carried);
        if rule.kind() == StatementKind::Earn {
            self.judgement.points =
                self.judgement.points.checked_add(points).ok_or_else(too_much)?;
        }
        for outcome in given {
            self.because(rule, outcome);
        }
        Ok(Verdict::Gave)
    }

    /// The whole units of what an earn rule's block pays, and what is carried over of the rest, where
    /// its wallet carries.
    fn whole(
        &self,
        rule: &Rule,
        value: &Dynamic,
        into: &WalletName,
    ) -> Result<(Units, Option<Change>), RuleFailure> {
        let carries = self.programme().wallets.get(into).is_some_and(|policy| policy.carry);
        let amount = value.as_decimal().or_else(|_| value.as_int().map(Decimal::from));
        let (true, StatementKind::Earn, Ok(amount)) = (carries, rule.kind(), amount) else {
            return Ok((units(rule, value)?, None));
        };
        let had = self.member.remainders.get(&rule.title).copied().unwrap_or_default();
        // What it pays by itself has to make sense, whatever was carried over.
        paid(rule, amount)?;
        let too_much = || failure(rule, format!("the rule pays {amount}, which is too much"));
        let sum = amount.checked_add(had).ok_or_else(too_much)?;
        let whole = paid(rule, sum)?;
        let rest = (sum - sum.floor()).trunc_with_scale(REMAINDER_DECIMALS).normalize();
        let carried = Change::Carried { carried: rule.title.clone(), remainder: rest };
        Ok((whole, (rest != had).then_some(carried)))
    }

    fn because(&mut self, rule: &Rule, gave: Outcome) {
        // What a task pays for several rounds is one reason.
        if let (Some(last), Outcome::Units { wallet, units }) =
            (self.judgement.because.last_mut(), &gave)
            && last.rule == rule.title
            && let Outcome::Units { wallet: same, units: sum } = &mut last.gave
            && same == wallet
            && let Some(more) = sum.checked_add(*units)
        {
            *sum = more;
            return;
        }
        let reason = Reason { rule: rule.title.clone(), source: rule.source.clone(), gave };
        self.judgement.because.push(reason);
    }

    fn outcome(
        &mut self,
        rule: &Rule,
        act: Act,
        into: &WalletName,
        given: &[Outcome],
    ) -> Result<Given, Stop> {
        let earlier = self.judgement.because.iter().map(|reason| &reason.gave).chain(given);
        let who = Receiver { member: self.member, programme: self.programme(), at: self.at };
        match act {
            Act::Refer => {
                let Some(id) = &self.member.referred_by else { return Ok(Given::Nothing) };
                if rule.on.as_deref() == Some(REFERRAL) {
                    // One who brings others was brought by someone too, who has no part in it.
                    return Ok(Given::Nothing);
                }
                let referrer: Option<&'a Member> = self.judgement.till.member(id)?;
                // A household does not bring itself, and who is forgotten brings nobody.
                let referrer = referrer.filter(|referrer| {
                    referrer.erased_at.is_none() && !are_one(self.member, referrer)
                });
                self.judgement.referrer = referrer;
                Ok(referrer.map_or(Given::Nothing, |referrer| Given::This(referral(referrer))))
            }
            Act::Voucher(pool) => {
                check_pool(rule, &pool, self.programme())?;
                let is_code = |one: &&Outcome| matches!(one, Outcome::Voucher { .. });
                let own = given.iter().filter(is_code).count();
                let all = earlier.filter(is_code).count();
                if own < CODES_MAX && all >= CODES_MAX && rule.kind() == StatementKind::Task {
                    // The round waits for the next activity.
                    return Ok(Given::NothingLeft);
                }
                if all >= CODES_MAX {
                    let message = format!("one activity gives at most {CODES_MAX} codes");
                    return Err(failure(rule, message).into());
                }
                let code = self.judgement.till.code(&pool)?;
                Ok(code.map_or(Given::NothingLeft, |code| {
                    Given::This(Outcome::Voucher { pool, code })
                }))
            }
            act => Ok(who.receives(rule, act, into, earlier)?.map_or(Given::Nothing, Given::This)),
        }
    }
}

/// What becomes of something that a rule gives.
enum Given {
    This(Outcome),
    /// There is nobody to give it to, or nothing of it.
    Nothing,
    /// What all share is used up, and the rule gives nothing at all.
    NothingLeft,
}

fn referral(referrer: &Member) -> Outcome {
    let entry = referrer.version.saturating_add(1);
    Outcome::Referral { referrer: referrer.id.clone(), entry }
}

/// Whether two members have wallets in common.
pub(crate) fn are_one(one: &Member, other: &Member) -> bool {
    let account = |member: &Member| member.account.clone().unwrap_or_else(|| member.id.clone());
    account(one) == account(other)
}

pub(crate) fn check_pool(
    rule: &Rule,
    pool: &str,
    programme: &Programme,
) -> Result<(), RuleFailure> {
    if programme.pools.contains(pool) {
        return Ok(());
    }
    Err(failure(
        rule,
        format!("there is no pool `{pool}` in the manifest; list it as [pools.{pool}]"),
    ))
}

/// Who receives what rules give, and when.
pub(crate) struct Receiver<'a> {
    pub(crate) member: &'a Member,
    pub(crate) programme: &'a Programme,
    pub(crate) at: Moment,
}

impl Receiver<'_> {
    /// The outcome of an act that needs nothing beyond the member; nothing where there is nothing
    /// to change. `earlier` is what the same request has given already.
    pub(crate) fn receives<'o>(
        &self,
        rule: &Rule,
        act: Act,
        into: &WalletName,
        earlier: impl DoubleEndedIterator<Item = &'o Outcome>,
    ) -> Result<Option<Outcome>, RuleFailure> {
        Ok(match act {
            Act::Award { units, wallet } => {
                let wallet = match wallet {
                    None => into.clone(),
                    Some(name) => WalletName::parse(&name)
                        .ok()
                        .filter(|name| self.programme.wallets.contains_key(name))
                        .ok_or_else(|| {
                            failure(rule, crate::facts::unknown_wallet(&name, self.programme))
                        })?,
                };
                let units = paid(rule, units)?;
                (!units.is_zero()).then_some(Outcome::Units { wallet, units })
            }
            Act::Grant { grant, span } => {
                let mut rev = earlier.rev();
                let present = rev.find_map(|outcome| match outcome {
                    Outcome::Grant { grant: name, until } if *name == grant => Some(Some(*until)),
                    Outcome::Revoke { revoke } if *revoke == grant => Some(None),
                    _ => None,
                });
                let present = present.unwrap_or_else(|| self.member.grants.get(&grant).copied());
                let until = self.until(present, span);
                (present != Some(until)).then_some(Outcome::Grant { grant, until })
            }
            Act::Revoke(revoke) => {
                let had = self.member.grants.contains_key(&revoke) || { earlier }.any(
                    |outcome| matches!(outcome, Outcome::Grant { grant, .. } if *grant == revoke),
                );
                had.then_some(Outcome::Revoke { revoke })
            }
            Act::Tag(tag) => (!self.is_tagged(&tag, earlier)).then_some(Outcome::Tag { tag }),
            Act::Untag(untag) => {
                self.is_tagged(&untag, earlier).then_some(Outcome::Untag { untag })
            }
            Act::Voucher(_) | Act::Refer => None,
        })
    }

    /// Whether the member has a tag, after what the same request has given already.
    fn is_tagged<'o>(
        &self,
        name: &str,
        earlier: impl DoubleEndedIterator<Item = &'o Outcome>,
    ) -> bool {
        let last = earlier.rev().find_map(|outcome| match outcome {
            Outcome::Tag { tag } if tag == name => Some(true),
            Outcome::Untag { untag } if untag == name => Some(false),
            _ => None,
        });
        last.unwrap_or_else(|| self.member.tags.contains(name))
    }

    /// The end of a grant that is given for a span: from now, or from the end of the same grant
    /// that still runs. One that stays for ever does stay.
    fn until(&self, present: Option<Option<Moment>>, span: Option<Span>) -> Option<Moment> {
        let span = span?;
        let from = match present {
            Some(None) => return None,
            Some(Some(until)) => until.max(self.at),
            None => self.at,
        };
        let local: NaiveDateTime = from.with_timezone(&self.programme.time_zone).naive_local();
        let end = match span {
            Span::Days(days) => local.checked_add_days(Days::new(days.into())),
            Span::Months(months) => local.checked_add_months(Months::new(months)),
        };
        // A date beyond what a calendar holds never comes.
        let end = end.filter(|end| end.year() <= 9999);
        end.map(|end| resolve(end, self.programme.time_zone))
    }
}

/// Whole units from the value of a rule's block: the part of a unit is dropped, and a block without
/// a value, such as an `if` that did not apply, pays nothing.
fn units(rule: &Rule, value: &Dynamic) -> Result<Units, RuleFailure> {
    // A code is among the outcomes, and no number.
    let is_code =
        || value.read_lock::<Gives>().is_some_and(|gives| matches!(*gives, Gives::Voucher { .. }));
    if value.is_unit() || is_code() {
        Ok(Units::ZERO)
    } else if let Ok(number) = value.as_int() {
        paid(rule, Decimal::from(number))
    } else if let Ok(amount) = value.as_decimal() {
        paid(rule, amount)
    } else {
        let found = plain_types(value.type_name());
        Err(failure(rule, format!("a rule pays a number of units, not {found}")))
    }
}

fn paid(rule: &Rule, units: Decimal) -> Result<Units, RuleFailure> {
    Units::from_decimal_floor(units).map_err(|reason| {
        let remedy = if units < Decimal::ZERO { "; write `max(0, ..)` around it" } else { "" };
        failure(rule, format!("the rule pays {units}: {reason}{remedy}"))
    })
}

/// A number that a rule can see.
pub(crate) fn seen(units: Units) -> INT {
    units.get()
}
