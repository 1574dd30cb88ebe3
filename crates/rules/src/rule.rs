//! Rules: statements split into their parts, and the titles and names by which they are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use ledger::cap::Cap;
use ledger::programme::DaySpan;
use ledger::task::Goal;
use ledger::{Programme, SharedLimit, Units, WalletName};
use rhai::{Expr, Position};

use crate::grammar::{Statement, StatementKind};
use crate::mistake::RuleFailure;
use crate::range::constant;

/// A statement split into its parts, its names checked against the manifest.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The title.
    pub title: String,
    /// The name under which members' counts, progress and scores are kept. It is the title, unless
    /// the statement says another one, so that the title can change.
    pub name: String,
    /// Its place: `earn.rhai:3`.
    pub source: String,
    /// The activity for which it runs.
    pub on: Option<String>,
    /// The wallet that it pays into; the main wallet if it names none.
    pub into: Option<WalletName>,
    /// The cap: how often it may pay one member.
    pub cap: Option<Cap>,
    /// The goal, if it is a task.
    pub goal: Option<Goal>,
    /// The costs, if it is a reward.
    pub costs: Option<Costs>,
    /// The stock for all members together, if it is limited.
    pub stock: Option<Units>,
    pub(crate) statement: &'static StatementRef,
    pub(crate) file: Arc<str>,
    pub(crate) position: Position,
    pub(crate) days: DaySpan,
    pub(crate) during: Option<String>,
    pub(crate) when: Option<Expr>,
    pub(crate) counting: Option<Expr>,
    pub(crate) body: Expr,
}

/// A statement of the grammar, to which rules refer.
pub(crate) type StatementRef = Statement;

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.keyword)
    }
}

/// The costs of a reward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// The least units.
    pub least: Units,
    /// The most units. They equal the least unless the member chooses.
    pub most: Units,
    /// The wallet that pays.
    pub wallet: WalletName,
}

impl Costs {
    /// Whether the member chooses how many units to spend.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        self.least < self.most
    }
}

impl Rule {
    /// The kind of its statement.
    #[must_use]
    pub fn kind(&self) -> StatementKind {
        self.statement.kind
    }

    /// The first word of its statement, such as `earn`.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        self.statement.keyword
    }

    /// Whether it has a condition that can be false.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        let is_tier = self.kind() == StatementKind::Tier;
        self.when.is_some() || (is_tier && constant(&self.body).is_none())
    }

    /// Whether this is its name or its title.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.title == name
    }

    /// Whether it is the rule that others have under this name or title, for the same activity.
    #[must_use]
    pub fn stands_for(&self, other: &Rule) -> bool {
        self.kind() == other.kind()
            && self.on == other.on
            && (self.is_called(&other.name) || self.is_called(&other.title))
    }

    /// A failure of the rule, at the place of its statement.
    #[must_use]
    pub fn failure(&self, message: String) -> RuleFailure {
        RuleFailure::at(&self.file, &self.title, self.position, message)
    }

    /// The days on which it applies: its own days that are also its campaign's days.
    pub(crate) fn days_of(&self, programme: &Programme) -> DaySpan {
        let campaign = self.during.as_ref().and_then(|name| programme.campaigns.get(name));
        let campaign = campaign.map(|campaign| campaign.days).unwrap_or_default();
        let ends = [self.days.until, campaign.until];
        DaySpan { from: self.days.from.max(campaign.from), until: ends.into_iter().flatten().min() }
    }

    /// Whether it applies on a day of the merchant's calendar.
    #[must_use]
    pub fn is_on(&self, date: NaiveDate, programme: &Programme) -> bool {
        self.days_of(programme).contains(date)
    }

    /// The shared limit that it draws on: its campaign's budget, if that has one.
    #[must_use]
    pub fn budget(&self, programme: &Programme) -> Option<SharedLimit> {
        let name = self.during.as_ref()?;
        programme.campaigns.get(name)?.budget.map(|_| SharedLimit::Budget(name.clone()))
    }
}

/// The titles and names so far, each with the title and the place of its rule. Tiers have their own:
/// a reason never names a tier.
#[derive(Default)]
pub(crate) struct TakenNames(BTreeMap<(bool, String), (String, String)>);

impl TakenNames {
    /// Adds those of a rule, or says with which earlier rule it shares one.
    pub(crate) fn add(&mut self, rule: &Rule) -> Option<String> {
        let key = |text: &str| (rule.kind() == StatementKind::Tier, text.to_owned());
        for text in [&rule.title, &rule.name] {
            let Some((title, place)) = self.0.get(&key(text)) else { continue };
            return Some(if title == text && rule.title == *text {
                format!(
                    "`{text}` stands already at {place}; titles say which rule paid, so each is used once"
                )
            } else {
                format!(
                    "`{text}` is a name or title of `{title}` at {place}; what members have is kept under it, so each is used once"
                )
            });
        }
        for text in [&rule.title, &rule.name] {
            self.0.insert(key(text), (rule.title.clone(), rule.source.clone()));
        }
        None
    }
}

/// The titles of the rules by the keyword of their statement, for words that name a rule.
#[derive(Debug, Default)]
pub(crate) struct Titles(BTreeMap<&'static str, Vec<String>>);

impl Titles {
    pub(crate) fn of(rules: &[Rule]) -> Titles {
        let mut titles: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for rule in rules {
            titles.entry(rule.statement.keyword).or_default().push(rule.title.clone());
        }
        Titles(titles)
    }

    pub(crate) fn of_kind(&self, keyword: &str) -> &[String] {
        self.0.get(keyword).map_or(&[], Vec::as_slice)
    }
}
