//! The static checks of the sheets. They find mistakes before a sheet runs, also in branches that
//! no test runs: words that do not exist, kinds that do not fit together, names that are in neither
//! the manifest nor a sheet, conditions that never hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{Programme, Units};
use rhai::{ASTNode, Expr, Position, Stmt};

use self::not_zero::not_zero;
pub use self::together::CODES_MAX;
use crate::asked::Asked;
use crate::grammar::StatementKind;
use crate::kind::Kind;
use crate::mistake::Mistake;
use crate::range;
use crate::rule::{Rule, Titles};
use crate::sheet::{Function, Sheets};
use crate::source::Sources;
use crate::vocabulary::{FACTS, Word, functions, gifts, words_of};

/// The facts that a condition keeps from being 0.
mod not_zero;
/// The check of divisors.
mod zero;
/// The check of blocks.
mod blocks;
/// The check of expressions.
mod expressions;
/// The check of numbers that an activity gives and that cannot be, or not wholly, paid.
mod pays;
/// The check of names that differ by a letter.
mod spellings;
/// The check of how much one activity writes.
mod together;
/// The check of words and names.
mod words;

/// The most items of a literal list. Each `in` walks through all of them.
const LIST_ITEMS_MAX: usize = 100;
/// The most cases of a `switch`, for the same reason.
const CASES_MAX: usize = 100;

/// The most tiers. All of them are evaluated at every moment since the member's last entry at which
/// a tier can change.
const TIERS_MAX: usize = 15;

/// Finds every mistake that can be proven. `all_read` says whether every sheet could be read.
pub(crate) fn sheets(
    sources: &Sources,
    sheets: &Sheets,
    titles: &Titles,
    programme: &Programme,
    all_read: bool,
) -> Vec<Mistake> {
    let grants = Grants::of(sheets);
    let known = Known { sources, sheets, titles, programme, grants, all_read };
    let mut mistakes = without_rules(sources, sheets);
    for rule in &sheets.rules {
        let mut check = Check::new(&known, &rule.file, Some(rule));
        check.rule(rule);
        mistakes.extend(check.mistakes);
    }
    for function in &sheets.bodies {
        let mut check = Check::new(&known, &function.file, None);
        check.function(function);
        mistakes.extend(check.mistakes);
    }
    mistakes.extend(on_one_line(sources, &sheets.rules));
    mistakes.extend(spellings::alike(sheets));
    mistakes.extend(unreachable_tiers(&sheets.rules));
    mistakes.extend(fleeting_tiers(sheets, programme));
    mistakes.extend(together::too_much(sheets, programme));
    mistakes
}

/// Warns of sheets in which nothing stands. Whoever has saved an empty file would see only what else
/// does not fit any more.
fn without_rules(sources: &Sources, sheets: &Sheets) -> Vec<Mistake> {
    let has_any = |name: &str| {
        sheets.rules.iter().any(|rule| *rule.file == *name)
            || sheets.bodies.iter().any(|function| *function.file == *name)
    };
    let empty = sources.sheets().filter(|(name, text)| {
        let lines = text.lines().map(str::trim);
        let mut written = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        written.next().is_none() && !has_any(name)
    });
    let message = "there is no rule in this sheet";
    empty.map(|(name, _)| Mistake::of_name(name, message.to_owned())).collect()
}

/// Warns of rules that begin on the line of another one, where nobody sees them.
fn on_one_line(sources: &Sources, rules: &[Rule]) -> Vec<Mistake> {
    let sheets = sources.sheets().map(|(name, text)| (name, text.lines().collect::<Vec<_>>()));
    let lines: BTreeMap<&str, Vec<&str>> = sheets.collect();
    let follows = |rule: &&Rule| {
        let (Some(line), Some(column)) = (rule.position.line(), rule.position.position()) else {
            return false;
        };
        let text = lines.get(&*rule.file).and_then(|lines| lines.get(line - 1));
        let before: String = text.copied().unwrap_or_default().chars().take(column - 1).collect();
        before.contains('}')
    };
    let message = "this stands on the line of another rule; write each rule on a line of its own";
    let warn = |rule: &Rule| Mistake::warning(&rule.file, rule.position, message.to_owned());
    rules.iter().filter(follows).map(warn).collect()
}

/// Facts that hold only for a day, a month, or as long as a window is open. A tier with such a
/// condition would change without any entry.
const FLEETING: [&str; 4] = ["has_birthday", "has_anniversary", "birthday_month", "progress"];

/// The mistakes of tiers that read a fleeting fact or a shared wallet, in their block or in a
/// function that it calls.
fn fleeting_tiers(sheets: &Sheets, programme: &Programme) -> Vec<Mistake> {
    let tiers = sheets.rules.iter().filter(|rule| rule.kind() == StatementKind::Tier);
    let shared = programme.wallets.iter().find(|(_, policy)| policy.shared);
    let shared = shared.map(|(name, _)| name.as_str());
    let is_shared = |name: &Option<String>| match name {
        Some(name) => programme.wallets.get(name.as_str()).is_some_and(|policy| policy.shared),
        // A computed name may be a shared wallet's.
        None => shared.is_some(),
    };
    let mistake = |tier: &Rule| {
        let asked = Asked::by(&tier.body, &sheets.bodies);
        let word = FLEETING.into_iter().find(|word| asked.words.contains(*word));
        let message = if let Some(word) = word {
            let remedy = match word {
                "progress" => "let the task `grant(..)`, and ask `member.granted(..)`",
                _ => "write a `benefit` or an `earn` for it",
            };
            format!("a tier cannot ask for `{word}`, which comes and goes; {remedy}")
        } else {
            let wallet = asked.wallets.iter().find(|name| is_shared(name))?;
            let wallet = wallet.as_deref().or(shared)?;
            format!(
                "a tier is one member's own and cannot ask for `{wallet}`, which others spend from; \
                 count in a wallet of its own, such as `into status`, and ask that by its written name"
            )
        };
        Some(Mistake::at(&tier.file, tier.body.position(), message))
    };
    tiers.filter_map(mistake).collect()
}

/// Warns of tiers that no member can be in, and rejects too many tiers. The last tier whose
/// condition holds counts. A tier is unreachable if a later one always holds, or compares the same
/// fact with a number that is not higher.
fn unreachable_tiers(rules: &[Rule]) -> Vec<Mistake> {
    let tiers: Vec<&Rule> =
        rules.iter().filter(|rule| rule.kind() == StatementKind::Tier).collect();
    let covers = |later: &Rule, tier: &Rule| {
        let (later, tier) = (range::threshold(&later.body), range::threshold(&tier.body));
        later.zip(tier).is_some_and(|(later, tier)| later.0 == tier.0 && later.1 <= tier.1)
    };
    let mut mistakes = Vec::new();
    if let Some(beyond) = tiers.get(TIERS_MAX) {
        let message = format!("there are more than {TIERS_MAX} tiers");
        mistakes.push(Mistake::at(&beyond.file, beyond.position, message));
    }
    for (place, tier) in tiers.iter().enumerate() {
        let mut later = tiers.iter().skip(place + 1);
        let winner =
            later.find(|later| range::constant(&later.body) == Some(true) || covers(later, tier));
        if let Some(winner) = winner {
            mistakes.push(Mistake::warning(
                &tier.file,
                tier.position,
                format!(
                    "nobody is ever in tier `{}`: whoever could be is in `{}` at {}, and the last tier that holds counts; write the lowest first",
                    tier.title, winner.title, winner.source
                ),
            ));
        }
    }
    mistakes
}

/// The bundle as a whole, as the check sees it.
struct Known<'a> {
    sources: &'a Sources,
    sheets: &'a Sheets,
    titles: &'a Titles,
    programme: &'a Programme,
    grants: Grants,
    /// Whether every sheet could be read. If not, an unknown name may be in an unread sheet.
    all_read: bool,
}

/// The names of the grants that rules give; nothing if a name is not a literal.
pub(crate) fn grants(sheets: &Sheets) -> Option<BTreeSet<String>> {
    let grants = Grants::of(sheets);
    grants.complete.then_some(grants.names)
}

/// The names of the grants that rules give.
struct Grants {
    names: BTreeSet<String>,
    /// Whether all of the names are literals. Only then is any other name a mistake.
    complete: bool,
}

impl Grants {
    fn of(sheets: &Sheets) -> Grants {
        let mut grants = Grants { names: BTreeSet::new(), complete: true };
        let mut see = |path: &[ASTNode<'_>]| {
            let call = match path.last() {
                Some(
                    ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)),
                ) => call,
                _ => return true,
            };
            if call.name == "grant" {
                match call.args.first() {
                    Some(Expr::StringConstant(name, _)) => {
                        grants.names.insert(name.to_string());
                    }
                    _ => grants.complete = false,
                }
            }
            true
        };
        for rule in &sheets.rules {
            rule.body.walk(&mut Vec::new(), &mut see);
        }
        for statement in sheets.bodies.iter().flat_map(|function| &function.statements) {
            statement.walk(&mut Vec::new(), &mut see);
        }
        grants
    }
}

/// The check of one rule or one function.
struct Check<'a> {
    known: &'a Known<'a>,
    file: Arc<str>,
    rule: Option<&'a Rule>,
    /// Whether effects may be requested here.
    may_give: bool,
    /// Whether the block requests an effect.
    gave: bool,
    /// Whether the next expression may be a literal list.
    list_may_stand: bool,
    locals: Vec<(String, Kind)>,
    returns: Vec<Kind>,
    /// The facts that are not 0 here, since a condition around excludes it.
    above_zero: Vec<String>,
    /// The merchant's own names for numbers that can be 0.
    zero_locals: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl<'a> Check<'a> {
    fn new(known: &'a Known<'a>, file: &Arc<str>, rule: Option<&'a Rule>) -> Check<'a> {
        Check {
            known,
            file: Arc::clone(file),
            rule,
            may_give: false,
            gave: false,
            list_may_stand: false,
            locals: Vec::new(),
            returns: Vec::new(),
            above_zero: Vec::new(),
            zero_locals: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    fn wrong(&mut self, position: Position, message: String) {
        self.mistakes.push(Mistake::at(&self.file, position, message));
    }

    fn warn(&mut self, position: Position, message: String) {
        self.mistakes.push(Mistake::warning(&self.file, position, message));
    }

    fn rule(&mut self, rule: &Rule) {
        if let Some(when) = &rule.when {
            let found = self.expression(when);
            self.want(&found, &Kind::Flag, when.start_position(), "a condition");
            self.reachable(when);
            self.above_zero = not_zero(when, true);
        }
        if let Some(counting) = &rule.counting {
            let found = self.expression(counting);
            self.want(&found, &Kind::Number, counting.start_position(), "what is counted");
        }
        self.may_give = true;
        let mut gives = self.expression(&rule.body);
        for returned in std::mem::take(&mut self.returns) {
            gives = gives.or(returned);
        }
        let what = match rule.kind() {
            StatementKind::Tier => "a tier's block",
            StatementKind::Reward => "a reward's block",
            StatementKind::Benefit => "a benefit's block",
            StatementKind::Contest => "a contest's block",
            StatementKind::Earn | StatementKind::Task => "a rule's block",
        };
        let may_be_nothing = !matches!(rule.kind(), StatementKind::Tier);
        if gives == Kind::Gift && rule.statement.gives == Kind::Number {
            let message = "units are paid here, and a gift is given by a `reward`; pay stamps, and let the reward cost them";
            self.wrong(rule.body.position(), message.to_owned());
        } else if rule.statement.gives == Kind::Gift && gives.may_be_number() && gives != Kind::Any
        {
            let gifts: Vec<&str> = gifts().map(|word| word.example).collect();
            let message =
                format!("{what} is a gift, not {}; there is `{}`", gives.say(), gifts.join("`, `"));
            self.wrong(rule.body.position(), message);
        } else if !(may_be_nothing && gives == Kind::Nothing) {
            self.want(&gives, &rule.statement.gives, rule.body.position(), what);
        }
        if rule.kind() == StatementKind::Tier
            && let Some(condition) = range::only_expression(&rule.body)
            && range::constant(condition).is_none()
        {
            self.reachable(condition);
        }
        if gives == Kind::Nothing && !self.gave && rule.kind() != StatementKind::Tier {
            self.warn(rule.body.position(), "this block gives nothing".to_owned());
        }
        self.pays(rule);
        if rule.stock.is_some_and(Units::is_zero) {
            self.warn(rule.position, "there is nothing of this: `stock 0`".to_owned());
        }
        self.days(rule);
    }

    /// Warns if the rule and its campaign have no day in common.
    fn days(&mut self, rule: &Rule) {
        let days = rule.days_of(self.known.programme);
        if let (Some(name), Some(from), Some(until)) = (&rule.during, days.from, days.until)
            && until < from
        {
            self.warn(
                rule.position,
                format!("this never applies: its days and those of `{name}` have none in common"),
            );
        }
    }

    /// Warns if a condition never holds or always holds.
    fn reachable(&mut self, condition: &Expr) {
        let kind_of = |expression: &Expr| self.word_of(expression);
        match range::judge(condition, &kind_of) {
            range::Holds::Sometimes => {}
            range::Holds::Never(why) => {
                self.warn(condition.start_position(), format!("this never applies: {why}"));
            }
            // A tier may always hold; `unreachable_tiers` warns of the tiers below it.
            range::Holds::Always(_)
                if self.rule.is_some_and(|rule| rule.kind() == StatementKind::Tier) => {}
            range::Holds::Always(why) => {
                self.warn(
                    condition.start_position(),
                    format!("this condition always holds: {why}"),
                );
            }
        }
    }

    /// The word of the language that an expression such as `now.hour` is.
    fn word_of(&self, expression: &Expr) -> Option<&'static Word> {
        let (fact, rest) = match expression {
            Expr::Dot(dot, ..) => match &dot.lhs {
                Expr::Variable(name, ..) => (name.1.as_str(), &dot.rhs),
                _ => return None,
            },
            Expr::FnCall(call, _) => return functions(&call.name).next(),
            _ => return None,
        };
        let fact = FACTS.iter().find(|known| known.name == fact)?;
        let name = match rest {
            Expr::Property(property, _) => property.2.as_str(),
            Expr::MethodCall(call, _) => call.name.as_str(),
            _ => return None,
        };
        words_of(&fact.kind).find(|word| word.name == name)
    }

    fn function(&mut self, function: &Function) {
        if let Some(word) = functions(&function.name).next() {
            let message = format!(
                "`{}` is a word of the language: `{}`; take another name for your function",
                word.name, word.example
            );
            self.mistakes.push(Mistake::of_file(&self.file, message));
        }
        self.locals.extend(function.parameters.iter().map(|name| (name.clone(), Kind::Any)));
        let statements = &function.statements;
        self.statements(statements);
    }

    fn want(&mut self, found: &Kind, wanted: &Kind, position: Position, what: &str) {
        if !found.fits(wanted) {
            self.wrong(position, format!("{what} is {}, not {}", wanted.say(), found.say()));
        }
    }
}
