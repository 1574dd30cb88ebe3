//! Specs: what the merchant expects of its rules, in plain words and numbers, beside the sheets. A
//! bundle whose specs fail cannot be published.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ledger::member::History;
use ledger::task::{Goal, Progress};
use ledger::tier::Standing;
use ledger::{
    Decision, Left, Lot, Member, MemberId, MerchantId, Moment, Outcome, Pot, Supplies, Units,
    Wallet, WalletName,
};
use rust_decimal::Decimal;
use toml::{Spanned, Value};

use crate::bundle::Bundle;
use crate::coverage::Coverage;
use crate::facts::bucket;
use crate::mistake::{BundleRejection, Mistake, did_you_mean};
use crate::offer::Eligible;
use crate::source::Sources;
use crate::spec::written::{File, MemberBody, RedeemBody, Spec, Step, Sums, Until};
use crate::told::Object;
use crate::verbs::{Redemption, Refused};

/// Specs as they are written.
mod written;

/// What became of one spec.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecOutcome {
    /// In which file.
    pub file: String,
    /// On which line it begins.
    pub line: usize,
    /// What it says.
    pub it: String,
    /// Which of the file's specs it is, from 0.
    pub number: usize,
    /// What was not as expected; nothing if it holds.
    pub differences: Vec<Difference>,
}

/// Something that was not as a spec expects it.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// In which step, from 0; nothing where the spec has no steps.
    pub step: Option<usize>,
    /// The expectation's name, such as `pays`.
    pub what: &'static str,
    /// What was expected.
    pub expected: Value,
    /// What was found.
    pub found: Value,
}

/// What became of all specs of a bundle.
#[derive(Debug, Clone)]
pub struct SpecReport {
    /// Each spec, in the order of the files.
    pub specs: Vec<SpecOutcome>,
    /// What of the rules they have shown.
    pub coverage: Coverage,
}

impl SpecReport {
    /// The specs that fail.
    pub fn failed(&self) -> impl Iterator<Item = &SpecOutcome> {
        self.specs.iter().filter(|spec| !spec.differences.is_empty())
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(step) = self.step {
            write!(f, "step {}: ", step + 1)?;
        }
        write!(f, "{}: expected {}, found {}", self.what, say(&self.expected), say(&self.found))
    }
}

/// A value on one line, as it stands in a spec.
#[must_use]
pub fn say(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let bare =
                |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            let key = |key: &str| if bare(key) { key.to_owned() } else { format!("{key:?}") };
            let fields: Vec<String> = table
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), say(value)))
                .collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
        }
        other => other.to_string(),
    }
}

impl Bundle {
    /// Reads, checks and compiles a merchant's sources, and holds them to their specs: the way of a
    /// bundle that is to be published.
    ///
    /// # Errors
    /// Every mistake that was found, or every spec that fails.
    pub fn proven(merchant: &MerchantId, sources: &Sources) -> Result<Bundle, BundleRejection> {
        let bundle = Bundle::load(merchant, sources)?;
        let reject = |mistakes| BundleRejection { merchant: merchant.to_string(), mistakes };
        let report = bundle.hold_to(sources).map_err(reject)?;
        let failed: Vec<Mistake> = report
            .failed()
            .map(|spec| {
                let first = spec.differences.first().map(ToString::to_string).unwrap_or_default();
                let place = Some((spec.line, 1));
                Mistake {
                    place,
                    ..Mistake::of_file(
                        &spec.file,
                        format!("the spec \"{}\" fails: {first}", spec.it),
                    )
                }
            })
            .collect();
        if failed.is_empty() { Ok(bundle) } else { Err(reject(failed)) }
    }

    /// Runs every spec of the sources.
    ///
    /// # Errors
    /// A spec cannot be read, or speaks of what there is not.
    pub fn hold_to(&self, sources: &Sources) -> Result<SpecReport, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut report = SpecReport { specs: Vec::new(), coverage: Coverage::of(self) };
        for (file, text) in sources.specs() {
            let read = match toml::from_str::<File>(text) {
                Ok(read) => read,
                Err(error) => {
                    mistakes.push(Mistake::of_toml(file, text, &error));
                    continue;
                }
            };
            for (number, spec) in read.spec.into_iter().enumerate() {
                let span = spec.it.span();
                let it = spec.it.get_ref().clone();
                let place = Mistake::at_byte(file, text, span.start, String::new()).place;
                match Scene::run(self, text, spec, &mut report.coverage) {
                    Ok(differences) => report.specs.push(SpecOutcome {
                        file: file.to_owned(),
                        line: place.map_or(1, |(line, _)| line),
                        it,
                        number,
                        differences,
                    }),
                    Err((at, message)) => {
                        let byte = at.unwrap_or(span.start);
                        mistakes.push(Mistake::at_byte(file, text, byte, message));
                    }
                }
            }
        }
        if mistakes.is_empty() { Ok(report) } else { Err(mistakes) }
    }
}

/// A mistake in a spec: where, if that is known better than the spec as a whole, and what.
type Wrong = (Option<usize>, String);

/// A spec being played.
struct Scene<'a> {
    /// The file it stands in.
    text: &'a str,
    bundle: Bundle,
    coverage: &'a mut Coverage,
    member: Member,
    referrer: Option<Member>,
    supplies: Supplies,
    at: Moment,
    differences: Vec<Difference>,
}

impl Scene<'_> {
    fn run(
        bundle: &Bundle,
        text: &str,
        mut spec: Spec,
        coverage: &mut Coverage,
    ) -> Result<Vec<Difference>, Wrong> {
        let member = spec.member.take().unwrap_or_default();
        let referrer = spec.referrer.take();
        let (pools, stock, budgets) = (spec.pools.take(), spec.stock.take(), spec.budgets.take());
        let steps = spec.step.take();
        let of_steps = steps.is_some();
        let steps = match steps {
            None => vec![spec.into_step()],
            Some(steps) => {
                let outside = spec.into_step();
                if outside.at.is_some() || outside.happens() || outside.expects() {
                    let message =
                        "a spec with steps says in them what happens and what is expected";
                    return Err((None, message.to_owned()));
                }
                steps.into_iter().map(Step::into_step).collect()
            }
        };
        let begins = steps.first().and_then(|step| step.moment(None));
        let begins = begins.ok_or_else(|| (None, "it says no time: write `at`".to_owned()))?;
        let tiers = [&member].into_iter().chain(&referrer).filter_map(|body| body.tier.as_ref());
        for tier in tiers.filter(|tier| !tier.is_empty()) {
            if !bundle.tiers().any(|known| known == tier) {
                let hint = did_you_mean(tier, bundle.tiers());
                return Err((None, format!("there is no tier `{tier}`{hint}")));
            }
        }
        let tiers = (member.tier.clone(), referrer.as_ref().and_then(|body| body.tier.clone()));
        let referrer = referrer.map(|body| person(bundle, "referrer", body, begins)).transpose()?;
        let mut member = person(bundle, "member", member, begins)?;
        let mut bundle = bundle.with_tier(&member.id, tiers.0);
        if let Some(referrer) = &referrer {
            bundle = bundle.with_tier(&referrer.id, tiers.1);
        }
        member.referred_by = referrer.as_ref().map(|referrer| referrer.id.clone());
        let supplies = supplies(&bundle, pools, stock, budgets)?;
        let mut scene = Scene {
            text,
            bundle,
            coverage,
            member,
            referrer,
            supplies,
            at: begins,
            differences: Vec::new(),
        };
        if !steps.iter().any(Step::expects) {
            return Err((None, "it expects nothing, so it always holds".to_owned()));
        }
        for (number, step) in steps.into_iter().enumerate() {
            if step.activity.is_some() && step.redeem.is_some() {
                let message = "a step has an `activity` or a `redeem`, and not both";
                return Err((None, message.to_owned()));
            }
            scene.step(of_steps.then_some(number), step)?;
        }
        Ok(scene.differences)
    }

    fn step(&mut self, number: Option<usize>, step: Step) -> Result<(), Wrong> {
        let at = step.moment(Some(self.at)).unwrap_or(self.at);
        if at < self.at {
            return Err((
                None,
                format!("step {} is before the one above it", number.unwrap_or(0) + 1),
            ));
        }
        self.at = at;
        let lapsed =
            self.bundle.expire(&self.member, at).map_err(|refused| (None, refused.to_string()))?;
        let expired = lapsed.map_or_else(BTreeMap::new, |decision| {
            let taken = units(&decision, |change| change < 0);
            self.member = decision.member;
            taken
        });
        let (decision, refused) = match self.decide(&step)? {
            None => (None, None),
            Some(Ok(decision)) => (Some(decision), None),
            Some(Err(refused)) => (None, Some(refused)),
        };
        self.coverage.see(&self.bundle, &self.member, at);
        if let Some(decision) = &decision {
            self.member.clone_from(&decision.member);
            if let Some(referrer) = &decision.referrer {
                self.referrer = Some(referrer.member.clone());
            }
            self.draw(decision);
        }
        self.coverage.see(&self.bundle, &self.member, at);
        let found = Found { decision, refused, expired };
        self.compare(number, step, &found)
    }

    /// What the step does; nothing where only time passes.
    fn decide(&mut self, step: &Step) -> Result<Option<Result<Decision, Refused>>, Wrong> {
        self.supplies.referrer =
            self.referrer.as_ref().map(|referrer| (referrer.id.clone(), Some(referrer.clone())));
        let programme = self.bundle.programme();
        if let Some(activity) = &step.activity {
            let byte = Some(activity.span().start);
            let Object(body) = activity.get_ref().clone();
            let activity = body.check(programme, "spec", self.at);
            let activity = activity.map_err(|wrong| self.at_value(byte, &wrong))?;
            let now = self.at.max(activity.at);
            let decided = self.bundle.earn(&self.member, activity.clone(), &self.supplies, now);
            if let Ok(lines) = self.bundle.trace(&self.member, &activity, &self.supplies, now) {
                self.coverage.trace(&lines);
            }
            return Ok(Some(decided));
        }
        let Some(redeem) = &step.redeem else { return Ok(None) };
        let byte = Some(redeem.span().start);
        let Object(RedeemBody { reward, units, order }) = redeem.get_ref().clone();
        let order = order.map(|Object(order)| order.check("/order", programme)).transpose();
        let order = order.map_err(|wrong| self.at_value(byte, &wrong))?;
        let units = units.map(Units::new).transpose();
        let units = units.map_err(|reason| (byte, format!("`units`: {reason}")))?;
        let redemption = Redemption { reward: reward.clone(), units, order };
        let decided = self.bundle.redeem(&self.member, redemption, &self.supplies, self.at);
        self.coverage.reward(&reward, &decided);
        Ok(Some(decided))
    }

    /// What is wrong with something that was told, at the value itself: what its pointer names, found
    /// name by name in the text.
    fn at_value(&self, from: Option<usize>, wrong: &crate::told::Wrong) -> Wrong {
        let mut byte = from;
        for name in wrong.pointer.split('/').filter(|name| name.parse::<usize>().is_err()) {
            let rest = byte.and_then(|byte| self.text.get(byte..));
            let found = rest.and_then(|rest| rest.find(name)).filter(|_| !name.is_empty());
            byte = byte.zip(found).map(|(byte, found)| byte + found).or(byte);
        }
        (byte, wrong.to_string())
    }

    /// Takes from the supplies what a decision took.
    fn draw(&mut self, decision: &Decision) {
        let both = [Some(decision), decision.referrer.as_deref()];
        for decision in both.into_iter().flatten() {
            for draw in &decision.entry.draws {
                if let Some(left) = self.supplies.left.get_mut(&draw.pot) {
                    left.units = left.units.checked_sub(draw.units).unwrap_or_default();
                }
            }
            for reason in &decision.entry.because {
                if let Outcome::Voucher { pool, code } = &reason.gave
                    && let Some(codes) = self.supplies.codes.get_mut(pool)
                {
                    codes.retain(|other| other != code);
                }
            }
        }
    }

    fn compare(&mut self, number: Option<usize>, step: Step, found: &Found) -> Result<(), Wrong> {
        let bundle = self.bundle.clone();
        let programme = bundle.programme();
        let zone = programme.time_zone;
        let mut differ = |what: &'static str, expected: Value, found: Value| {
            if expected != found {
                self.differences.push(Difference { step: number, what, expected, found });
            }
        };
        // A refusal that nobody expects is the first thing to know.
        let refused = found.refused.as_ref().map(ToString::to_string);
        match (&step.refused, &refused) {
            (Some(part), Some(reason)) if reason.contains(part.as_str()) => {}
            (None, None) => {}
            (expected, reason) => differ(
                "refused",
                Value::String(expected.clone().unwrap_or_default()),
                Value::String(reason.clone().unwrap_or_default()),
            ),
        }
        let decision = found.decision.as_ref();
        let sums = |decision: Option<&Decision>, given: bool| {
            decision.map_or_else(BTreeMap::new, |decision| {
                units(decision, |change| if given { change > 0 } else { change < 0 })
            })
        };
        for (what, expected, found) in [
            ("pays", &step.pays, sums(decision, true)),
            ("costs", &step.costs, sums(decision, false)),
            ("expires", &step.expires, found.expired.clone()),
        ] {
            if let Some(expected) = expected {
                check_wallets(&bundle, expected)?;
                differ(
                    what,
                    table(expected.iter().map(|(name, units)| (name.get_ref(), *units))),
                    table(found.iter().map(|(name, units)| (name, *units))),
                );
            }
        }
        if let Some(expected) = step.because {
            differ("because", titles(&bundle, expected)?, because(decision).into());
        }
        if let Some(expected) = step.gives {
            differ("gives", expected, gives(decision));
        }
        if let Some(expected) = step.vouchers {
            differ("vouchers", expected.into(), vouchers(decision).into());
        }
        let (member, at) = (&self.member, self.at);
        for (what, expected) in [("balance", &step.balance), ("pending", &step.pending)] {
            let Some(expected) = expected else { continue };
            check_wallets(&bundle, expected)?;
            let found = expected.keys().map(|name| {
                let wallet = member.wallet(name.get_ref());
                let units =
                    if what == "balance" { wallet.spendable(at) } else { wallet.pending(at) };
                (name.get_ref(), units.get())
            });
            let found = table(found);
            differ(
                what,
                table(expected.iter().map(|(name, units)| (name.get_ref(), *units))),
                found,
            );
        }
        let standing = bundle.standing(&std::sync::Arc::new(member.clone()), at);
        let tier = standing.map_err(|failure| (None, failure.to_string()))?.tier;
        if let Some(expected) = step.tier {
            differ("tier", expected.into(), tier.clone().unwrap_or_default().into());
        }
        if let Some(expected) = step.grants {
            let held = member.grants.keys().filter(|grant| member.is_granted(grant, at));
            differ("grants", texts(expected), texts(held.cloned()));
        }
        if let Some(expected) = step.tags {
            differ("tags", texts(expected), texts(member.tags.iter().cloned()));
        }
        if let Some(expected) = step.tasks {
            let mut found = toml::Table::new();
            for title in expected.keys() {
                let Some((_, goal)) =
                    bundle.tasks().iter().find(|(known, _)| known == title.get_ref())
                else {
                    let titles = bundle.tasks().iter().map(|(title, _)| title.as_str());
                    let hint = did_you_mean(title.get_ref(), titles);
                    return Err((
                        Some(title.span().start),
                        format!("there is no task `{}`{hint}", title.get_ref()),
                    ));
                };
                let done = member
                    .tasks
                    .get(title.get_ref())
                    .map_or(0, |progress| progress.done(*goal, at, zone));
                found
                    .insert(title.get_ref().clone(), format!("{done} of {}", goal.target()).into());
            }
            let expected =
                expected.into_iter().map(|(title, text)| (title.into_inner(), text.into()));
            differ("tasks", Value::Table(expected.collect()), Value::Table(found));
        }
        if let Some(expected) = step.scores {
            let score = |title: &str| member.scores.get(title).map_or(0, |score| score.get());
            let found =
                table(expected.keys().map(|title| (title.get_ref(), score(title.get_ref()))));
            differ(
                "scores",
                table(expected.iter().map(|(title, score)| (title.get_ref(), *score))),
                found,
            );
        }
        if let Some(expected) = step.rewards {
            let mut found = Vec::new();
            for offer in bundle.offers(member, tier.as_deref(), at) {
                let offer = offer.map_err(|failure| (None, failure.to_string()))?;
                let left = self.supplies.left.get(&Pot::Stock(offer.name.clone()));
                let some_left =
                    offer.stock.is_none() || left.is_some_and(|left| !left.units.is_zero());
                if offer.missing.is_zero() && offer.eligible == Eligible::Yes && some_left {
                    found.push(offer.name);
                }
            }
            differ("rewards", texts(expected), texts(found));
        }
        if let Some(expected) = step.benefits {
            let found = bundle.benefits(member, tier.as_deref(), None, at).into_iter();
            let found: Result<Vec<_>, _> = found.collect();
            let found = found.map_err(|failure| (None, failure.to_string()))?;
            let found = found.into_iter().filter(|benefit| benefit.gives.is_some());
            differ("benefits", texts(expected), texts(found.map(|benefit| benefit.title)));
        }
        if let Some(expected) = step.referrer_gets {
            let decision = decision.and_then(|decision| decision.referrer.as_deref());
            if let Some(expected) = expected.pays {
                check_wallets(&bundle, &expected)?;
                let found = sums(decision, true);
                differ(
                    "referrer_gets.pays",
                    table(expected.iter().map(|(name, units)| (name.get_ref(), *units))),
                    table(found.iter().map(|(name, units)| (name, *units))),
                );
            }
            if let Some(expected) = expected.because {
                differ("referrer_gets.because", expected.into(), because(decision).into());
            }
            if let Some(expected) = expected.balance {
                check_wallets(&bundle, &expected)?;
                let units = |name: &str| {
                    self.referrer.as_ref().map_or(0, |member| member.spendable(name, at).get())
                };
                let found =
                    table(expected.keys().map(|name| (name.get_ref(), units(name.get_ref()))));
                differ(
                    "referrer_gets.balance",
                    table(expected.iter().map(|(name, units)| (name.get_ref(), *units))),
                    found,
                );
            }
        }
        Ok(())
    }
}

/// Titles of rules, each of which there is.
fn titles(bundle: &Bundle, titles: Vec<Spanned<String>>) -> Result<Value, Wrong> {
    let known = || bundle.titles().map(|(_, title, _)| title);
    let unknown = titles.iter().find(|title| !known().any(|known| known == title.get_ref()));
    if let Some(title) = unknown {
        let hint = did_you_mean(title.get_ref(), known());
        return Err((
            Some(title.span().start),
            format!("there is no rule `{}`{hint}", title.get_ref()),
        ));
    }
    Ok(titles.into_iter().map(Spanned::into_inner).collect::<Vec<String>>().into())
}

/// What a step brought.
struct Found {
    decision: Option<Decision>,
    refused: Option<Refused>,
    expired: BTreeMap<String, i64>,
}

/// Units by wallet that an entry gives, or takes.
fn units(decision: &Decision, counts: impl Fn(i64) -> bool) -> BTreeMap<String, i64> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for posting in decision.entry.postings.iter().filter(|posting| counts(posting.change)) {
        *sums.entry(posting.wallet.to_string()).or_default() += posting.change.abs();
    }
    sums
}

/// The rules that gave something, each once, in their order.
fn because(decision: Option<&Decision>) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    for reason in decision.iter().flat_map(|decision| &decision.entry.because) {
        if titles.last() != Some(&reason.rule) {
            titles.push(reason.rule.clone());
        }
    }
    titles
}

fn vouchers(decision: Option<&Decision>) -> Vec<String> {
    let reasons = decision.iter().flat_map(|decision| &decision.entry.because);
    let code = |reason: &ledger::Reason| match &reason.gave {
        Outcome::Voucher { code, .. } => Some(code.clone()),
        _ => None,
    };
    reasons.filter_map(code).collect()
}

fn gives(decision: Option<&Decision>) -> Value {
    let gives = decision.and_then(|decision| match &decision.entry.what {
        ledger::What::Redeem { reward, .. } => reward.gives.as_ref(),
        _ => None,
    });
    let nothing = || Value::Table(toml::Table::new());
    gives.and_then(|gives| Value::try_from(gives).ok()).unwrap_or_else(nothing)
}

fn table<'n>(sums: impl Iterator<Item = (&'n String, i64)>) -> Value {
    let is_some = |(_, units): &(&String, i64)| *units != 0;
    let all: Vec<(&String, i64)> = sums.collect();
    // Nothing paid and zero paid are the same.
    let keep_zeros = all.iter().any(|(_, units)| *units == 0);
    let kept = all.into_iter().filter(|sum| keep_zeros || is_some(sum));
    Value::Table(kept.map(|(name, units)| (name.clone(), units.into())).collect())
}

fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    let sorted: BTreeSet<String> = texts.into_iter().collect();
    sorted.into_iter().collect::<Vec<String>>().into()
}

fn check_wallets(bundle: &Bundle, sums: &Sums) -> Result<(), Wrong> {
    let programme = bundle.programme();
    let unknown = sums.keys().find(|name| !programme.wallets.contains_key(name.get_ref().as_str()));
    unknown.map_or(Ok(()), |name| {
        Err((Some(name.span().start), crate::facts::unknown_wallet(name.get_ref(), programme)))
    })
}

/// A person of a spec. What is in its wallets was earned when the spec begins, and can be spent.
fn person(bundle: &Bundle, id: &str, body: MemberBody, begins: Moment) -> Result<Member, Wrong> {
    let programme = bundle.programme();
    let id = named(bundle, id, body.bucket)?;
    let enrolled_at = body.enrolled.map_or(begins - TimeDelta::days(400), |at| at.0);
    check_wallets(bundle, &body.wallets)?;
    let mut wallets = BTreeMap::new();
    for (name, units) in body.wallets {
        let wrong =
            |reason: String| (Some(name.span().start), format!("`{}`: {reason}", name.get_ref()));
        let units = Units::new(units).map_err(|reason| wrong(reason.to_string()))?;
        let wallet =
            WalletName::parse(name.get_ref()).map_err(|reason| wrong(reason.to_string()))?;
        let expires = programme.wallets.get(&wallet).map(|policy| policy.expires);
        let expires_at = expires.and_then(|expires| expires.of(begins, programme.time_zone));
        let lot = Lot { units, available_at: None, expires_at };
        wallets.insert(wallet, Wallet::of([lot]).unwrap_or_default());
    }
    let mut tasks = BTreeMap::new();
    for (title, done) in body.tasks {
        if !bundle.tasks().iter().any(|(known, _)| known == title.get_ref()) {
            let hint = did_you_mean(
                title.get_ref(),
                bundle.tasks().iter().map(|(known, _)| known.as_str()),
            );
            return Err((
                Some(title.span().start),
                format!("there is no task `{}`{hint}", title.get_ref()),
            ));
        }
        let goal = bundle.tasks().iter().find(|(known, _)| known == title.get_ref());
        // A streak was kept up to the period before the spec begins, and goes on with this one.
        let at = match goal {
            Some((_, Goal::Streak { period, .. })) => {
                let this = period.start(begins, programme.time_zone);
                period.start(this - TimeDelta::seconds(1), programme.time_zone)
            }
            _ => begins,
        };
        let progress = Progress { marks: vec![(at, done)], completed: 0 };
        tasks.insert(title.into_inner(), progress);
    }
    let spend = body.spend.map(|spend| spend.check("/member/spend", programme)).transpose();
    let spend = spend.map_err(|wrong| (None, wrong.to_string()))?.unwrap_or(Decimal::ZERO);
    let last_purchase_at = body.last_purchase.map(|at| at.0);
    let grant = |(name, until): (String, Until)| match until {
        Until::Stays(stays) => stays.then_some((name, None)),
        Until::At(at) => Some((name, Some(at.0))),
    };
    let scores = body.scores.into_iter();
    let scores = scores.map(|(title, score)| Ok((title, Units::new(score)?)));
    let scores: Result<_, ledger::units::UnitsRejection> = scores.collect();
    Ok(Member {
        id,
        version: 0,
        enrolled_at,
        settled_at: enrolled_at.min(begins),
        attributes: body.attributes,
        referred_by: None,
        tags: body.tags,
        standing: Standing::default(),
        history: History { purchases: body.purchases, spend, last_purchase_at },
        wallets,
        grants: body.grants.into_iter().filter_map(grant).collect(),
        tasks,
        scores: scores.map_err(|reason| (None, format!("`scores`: {reason}")))?,
        counters: BTreeMap::new(),
    })
}

/// The member that a text describes as a spec does, and the rules for it: a member whose tier is
/// given is in that tier.
///
/// # Errors
/// The text cannot be read, or speaks of what there is not.
pub fn simulated_member(
    bundle: &Bundle,
    text: &str,
    at: Moment,
) -> Result<(Bundle, Member), String> {
    let body: MemberBody = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    if let Some(tier) = body.tier.as_ref().filter(|tier| !tier.is_empty())
        && !bundle.tiers().any(|known| known == tier)
    {
        return Err(format!("there is no tier `{tier}`{}", did_you_mean(tier, bundle.tiers())));
    }
    let tier = body.tier.clone();
    let member = person(bundle, "member", body, at).map_err(|(_, message)| message)?;
    Ok((bundle.with_tier(&member.id, tier), member))
}

/// What members share, as full as the rules fill it.
#[must_use]
pub fn simulated_supplies(bundle: &Bundle) -> Supplies {
    let codes = |pool: &String| {
        (pool.clone(), (1..=CODES).map(|number| format!("{pool}-{number}")).collect())
    };
    let codes = bundle.programme().pools.iter().map(codes).collect();
    Supplies { left: full(bundle), codes, ..Supplies::default() }
}

/// A name for a person, such that it falls into the bucket that the spec wants.
fn named(bundle: &Bundle, id: &str, wanted: Option<u8>) -> Result<MemberId, Wrong> {
    let merchant = &bundle.programme().merchant;
    let name = |number: u32| MemberId::parse(&format!("{id}-{number}")).ok();
    let fits = |id: &MemberId| wanted.is_none_or(|wanted| bucket(merchant, id) == wanted);
    let too_high = || (None, "`bucket` is a number from 0 to 99".to_owned());
    (1..=10_000).filter_map(name).find(fits).ok_or_else(too_high)
}

/// Codes that a pool has where the spec names none.
const CODES: usize = 10;

/// Every pot as the rules fill it.
fn full(bundle: &Bundle) -> BTreeMap<Pot, Left> {
    bundle.pots().into_iter().map(|(pot, units)| (pot, Left::all(units))).collect()
}

fn supplies(
    bundle: &Bundle,
    pools: Option<BTreeMap<String, Vec<String>>>,
    stock: Option<BTreeMap<String, i64>>,
    budgets: Option<BTreeMap<String, i64>>,
) -> Result<Supplies, Wrong> {
    let mut supplies = simulated_supplies(bundle);
    for (pool, codes) in pools.into_iter().flatten() {
        if supplies.codes.insert(pool.clone(), codes).is_none() {
            return Err((None, format!("there is no pool `{pool}` in the manifest")));
        }
    }
    let stock = stock.into_iter().flatten().map(|(reward, left)| (Pot::Stock(reward), left));
    let budgets = budgets.into_iter().flatten().map(|(name, left)| (Pot::Budget(name), left));
    for (pot, left) in stock.chain(budgets) {
        let left = Units::new(left).map_err(|reason| (None, format!("{pot}: {reason}")))?;
        if supplies.left.insert(pot.clone(), Left::all(left)).is_none() {
            return Err((None, format!("the rules do not limit {pot}")));
        }
    }
    Ok(supplies)
}
