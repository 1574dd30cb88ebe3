//! The bundle: all rules of one merchant, read, checked and compiled from a folder of files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::tier::Passing;
use ledger::{Member, MemberId, MerchantId, Moment, Programme, SharedLimit, Units};
use rhai::{Engine, Module};

use crate::asked::Asked;
use crate::check;
use crate::engine::{OPERATIONS_MAX, Optimized, engine};
use crate::facts::{Background, Facts, Seen, Task};
use crate::file_names::MANIFEST;
use crate::grammar::StatementKind;
use crate::manifest;
use crate::mistake::{BundleRejection, Mistake, Severity};
use crate::rule::{Costs, Rule, Titles};
use crate::run::{Found, Run};
use crate::sheet;
use crate::source::{BundleHash, Sources};

/// The most errors, and the most warnings, in one rejection. Nobody reads more of them.
const MISTAKES_MAX: usize = 100;

/// All rules of one merchant as one immutable revision, read, checked and compiled once.
#[derive(Debug, Clone)]
pub struct Bundle {
    hash: BundleHash,
    background: Arc<Background>,
    rules: Arc<Vec<Rule>>,
    /// The indices of the rules that run for each activity, in the order in which they run.
    on: Arc<BTreeMap<String, Vec<usize>>>,
    functions: Arc<Module>,
    found: Arc<Found>,
    engine: &'static Engine,
    warnings: Vec<Mistake>,
    /// Which facts that change with time alone the tiers' conditions read.
    passing: Passing,
    /// Members that have a fixed tier, whatever the conditions say. Only specs use it.
    pinned: Vec<(MemberId, String)>,
    /// The names of all grants that rules give; nothing if a name is computed.
    grants: Option<Arc<BTreeSet<String>>>,
}

impl Bundle {
    /// Reads, checks and compiles a merchant's sources. There is no partial bundle.
    ///
    /// # Errors
    /// The sources have at least one error. The rejection lists the mistakes with their places.
    pub fn load(merchant: &MerchantId, sources: &Sources) -> Result<Bundle, BundleRejection> {
        Bundle::compile(merchant, sources, Optimized::No, Checked::Yes)
    }

    /// Does the same as [`Bundle::load`] with the engine's optimiser on. A test checks that rules
    /// mean the same either way.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn load_optimized(
        merchant: &MerchantId,
        sources: &Sources,
    ) -> Result<Bundle, BundleRejection> {
        Bundle::compile(merchant, sources, Optimized::Yes, Checked::Yes)
    }

    /// Reads and compiles published sources without the static checks. An earlier version of this
    /// crate made them when the sources were published, and a stricter check must not disable a
    /// shop's rules.
    ///
    /// # Errors
    /// The sources cannot be read.
    pub fn published(merchant: &MerchantId, sources: &Sources) -> Result<Bundle, BundleRejection> {
        Bundle::compile(merchant, sources, Optimized::No, Checked::Before)
    }

    fn compile(
        merchant: &MerchantId,
        sources: &Sources,
        optimized: Optimized,
        checked: Checked,
    ) -> Result<Bundle, BundleRejection> {
        let reject = |mistakes| BundleRejection { merchant: merchant.to_string(), mistakes };
        let mistakes = sources.check();
        if !mistakes.is_empty() {
            return Err(reject(mistakes));
        }
        let manifest = sources.get(MANIFEST).unwrap_or_default();
        let programme = manifest::read(merchant, manifest).map_err(reject)?;
        let engine = engine(optimized);
        let (sheets, mut mistakes) = sheet::read(engine, sources.sheets(), &programme);
        let all_read = mistakes.is_empty();
        if checked == Checked::Yes {
            let titles = Titles::of(&sheets.rules);
            mistakes.extend(check::sheets(sources, &sheets, &titles, &programme, all_read));
        }
        let (errors, warnings): (Vec<Mistake>, Vec<Mistake>) =
            mistakes.into_iter().partition(|mistake| mistake.severity == Severity::Error);
        if !errors.is_empty() {
            let rest = errors.len().saturating_sub(MISTAKES_MAX);
            let all = errors
                .into_iter()
                .take(MISTAKES_MAX)
                .chain(warnings.into_iter().take(MISTAKES_MAX));
            let more = (rest > 0).then(|| Mistake::of_folder(format!("and {rest} mistakes more")));
            return Err(reject(all.chain(more).collect()));
        }
        let task = |rule: &Rule| {
            let (title, name) = (rule.title.clone(), rule.name.clone());
            Some(Task { title, name, goal: rule.goal? })
        };
        let tasks: Vec<Task> = sheets.rules.iter().filter_map(task).collect();
        let tiers = sheets.rules.iter().filter(|rule| rule.kind() == StatementKind::Tier);
        let asked: Vec<Asked> = tiers.map(|rule| Asked::by(&rule.body, &sheets.bodies)).collect();
        let asks = |word: &str| asked.iter().any(|asked| asked.words.contains(word));
        let passing = Passing {
            days: asks("days"),
            days_since_purchase: asks("days_since_purchase"),
            years: asks("years"),
            age: asks("age"),
        };
        let files = sheets.bodies.iter();
        let files = files.map(|own| (own.name.clone(), Arc::clone(&own.file))).collect();
        let places = tasks.iter().enumerate();
        let places = places.map(|(place, task)| (task.title.clone(), place)).collect();
        let mut on: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for kind in [StatementKind::Earn, StatementKind::Task, StatementKind::Contest] {
            for (number, rule) in sheets.rules.iter().enumerate() {
                if let Some(activity) = rule.on.as_ref().filter(|_| rule.kind() == kind) {
                    on.entry(activity.clone()).or_default().push(number);
                }
            }
        }
        Ok(Bundle {
            hash: sources.hash(),
            grants: check::grants(&sheets).map(Arc::new),
            background: Arc::new(Background { programme, tasks, places }),
            rules: Arc::new(sheets.rules),
            on: Arc::new(on),
            functions: sheets.functions,
            found: Arc::new(Found::of(files)),
            engine,
            warnings,
            passing,
            pinned: Vec::new(),
        })
    }

    /// The identity of this revision.
    #[must_use]
    pub fn hash(&self) -> &BundleHash {
        &self.hash
    }

    /// The merchant's policy.
    #[must_use]
    pub fn programme(&self) -> &Programme {
        &self.background.programme
    }

    /// Likely mistakes that do not prevent the use of the bundle.
    #[must_use]
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }

    /// The shared limits with their totals: the stock of rewards and the budgets of campaigns.
    #[must_use]
    pub fn shared_limits(&self) -> BTreeMap<SharedLimit, Units> {
        let stock = self
            .rules_of(StatementKind::Reward)
            .filter_map(|(_, rule)| Some((SharedLimit::Stock(rule.name.clone()), rule.stock?)));
        let budget = self.programme().campaigns.iter().filter_map(|(name, campaign)| {
            Some((SharedLimit::Budget(name.clone()), campaign.budget?))
        });
        stock.chain(budget).collect()
    }

    /// The tasks, in the order of the sheets.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.background.tasks
    }

    /// The rule of a kind that has this name or title.
    #[must_use]
    pub fn called(&self, kind: StatementKind, name: &str) -> Option<&Rule> {
        self.rules_of(kind).map(|(_, rule)| rule).find(|rule| rule.is_called(name))
    }

    /// The names of the tiers, lowest first.
    pub fn tiers(&self) -> impl Iterator<Item = &str> {
        self.rules_of(StatementKind::Tier).map(|(_, rule)| rule.title.as_str())
    }

    /// The titles of the contests.
    pub fn contests(&self) -> impl Iterator<Item = &str> {
        self.rules_of(StatementKind::Contest).map(|(_, rule)| rule.title.as_str())
    }

    /// Whether some rule may give a grant of this name; true if a rule computes a grant's name.
    #[must_use]
    pub fn may_grant(&self, grant: &str) -> bool {
        self.grants.as_ref().is_none_or(|grants| grants.contains(grant))
    }

    /// The titles of the rewards with their costs, in the order of the sheets.
    pub fn rewards(&self) -> impl Iterator<Item = (&str, &Costs)> {
        self.priced().map(|(rule, costs)| (rule.title.as_str(), costs))
    }

    /// The rules of the rewards with their costs, in the order of the sheets.
    pub fn priced(&self) -> impl Iterator<Item = (&Rule, &Costs)> {
        let rewards = self.rules_of(StatementKind::Reward);
        rewards.filter_map(|(_, rule)| Some((rule, rule.costs.as_ref()?)))
    }

    /// The keyword (such as `earn`), title and place (such as `earn.rhai:3`) of every rule.
    pub fn titles(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        let rules = self.rules.iter();
        rules.map(|rule| (rule.statement.keyword, rule.title.as_str(), rule.source.as_str()))
    }

    /// All rules, in the order of the sheets.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Which facts that change with time alone the tiers' conditions read.
    #[must_use]
    pub fn passing(&self) -> Passing {
        self.passing
    }

    /// The tier that [`Bundle::with_tier`] fixed for a member, if it did. An empty name means no
    /// tier.
    #[must_use]
    pub fn pinned_tier(&self, member: &MemberId) -> Option<&str> {
        let pinned = self.pinned.iter().find(|(id, _)| id == member);
        pinned.map(|(_, tier)| tier.as_str())
    }

    /// The same rules with the member's tier fixed, whatever the conditions say. For specs.
    #[must_use]
    pub fn with_tier(&self, member: &MemberId, tier: Option<String>) -> Bundle {
        let pinned = tier.map(|tier| (member.clone(), tier));
        let pinned = self.pinned.iter().cloned().chain(pinned).collect();
        Bundle { pinned, ..self.clone() }
    }

    /// The rules that run for an activity, with their indices: earn rules, then tasks, then
    /// contests.
    pub fn rules_on(&self, activity: &str) -> impl Iterator<Item = (usize, &Rule)> {
        let places = self.on.get(activity);
        places.into_iter().flatten().filter_map(|place| Some((*place, self.rules.get(*place)?)))
    }

    /// The rules of one kind of statement, with their indices.
    pub fn rules_of(&self, kind: StatementKind) -> impl Iterator<Item = (usize, &Rule)> {
        self.rules.iter().enumerate().filter(move |(_, rule)| rule.kind() == kind)
    }

    /// The rule of this name or title, of any kind but tier.
    #[must_use]
    pub fn rule_called(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.kind() != StatementKind::Tier && rule.is_called(name))
    }

    /// The wallet that a rule pays into.
    #[must_use]
    pub fn wallet_of<'a>(&'a self, rule: &'a Rule) -> &'a ledger::WalletName {
        rule.into.as_ref().unwrap_or(&self.programme().main_wallet)
    }

    /// The rule at an index.
    #[must_use]
    pub fn rule(&self, number: usize) -> Option<&Rule> {
        self.rules.get(number)
    }

    /// A run over the facts of one request, within the steps that one request may take.
    #[must_use]
    pub fn run(&self, facts: &Facts) -> Run<'_> {
        self.run_within(OPERATIONS_MAX, facts)
    }

    /// A run over the facts of one request, of at most `steps` steps.
    #[must_use]
    pub fn run_within(&self, steps: u64, facts: &Facts) -> Run<'_> {
        Run::new(self.engine, &self.functions, facts, &self.found, steps)
    }

    /// The member as rules see it. `tier` may be newer than the tier that is stored.
    #[must_use]
    pub fn see(
        &self,
        member: &Arc<Member>,
        tier: Option<String>,
        at: Moment,
        now: Moment,
    ) -> Arc<Seen> {
        let (member, background) = (Arc::clone(member), Arc::clone(&self.background));
        Arc::new(Seen { member, tier, background, at, now })
    }
}

/// Whether the sheets are checked for provable mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    /// They are checked now.
    Yes,
    /// They were checked when the sources were published.
    Before,
}
