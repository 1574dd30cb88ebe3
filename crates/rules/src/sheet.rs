//! Sheets, read into a list of typed rules. Each statement is split into its parts once, when the
//! sheet is read. A condition or a block then runs on its own, so that plain code, and not a
//! script, controls the order, the trace and the caps of the rules.

use std::sync::Arc;

use chrono::NaiveDate;
use ledger::calendar::Period;
use ledger::cap::{Cap, Counted};
use ledger::programme::DaySpan;
use ledger::task::Goal;
use ledger::{Programme, Units, WalletName};
use rhai::{AST, CustomExpr, Engine, Expr, Module, ParseErrorType, Position, Scope, Stmt};

use crate::engine::UNREAD;
use crate::facts::unknown_wallet;
use crate::grammar::{
    self, Reading, Role, STATEMENTS, Statement, StatementKind, inner_name, is_keyword,
};
use crate::mistake::Mistake;
use crate::pieces::variables;
use crate::rule::{Costs, Rule, TakenNames};
use crate::suggest::did_you_mean;
use crate::vocabulary::{FACTS, meant};

/// The most rules of a bundle. [`OPERATIONS_MAX`](crate::engine::OPERATIONS_MAX) bounds the steps
/// of all of them together.
const RULES_MAX: usize = 1000;
/// The most characters of a title, and of a name.
const TITLE_LENGTH_MAX: usize = 100;
/// The largest goal of a task, stock of a reward and count of a cap.
const COUNT_MAX: u32 = 1_000_000;
/// The longest time within which a goal can be required, in days.
const WITHIN_DAYS_MAX: u32 = 3660;

/// All sheets of a bundle.
#[derive(Debug)]
pub(crate) struct Sheets {
    /// The rules, ordered by file name and line.
    pub(crate) rules: Vec<Rule>,
    /// The merchant's own functions.
    pub(crate) functions: Arc<Module>,
    /// Each function with its file and its body, for the check.
    pub(crate) bodies: Vec<Function>,
}

/// A function that the merchant wrote.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) file: Arc<str>,
    pub(crate) name: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) statements: Vec<Stmt>,
}

/// Reads all sheets. Returns what could be read, and the mistakes in the rest.
pub(crate) fn read<'a>(
    engine: &Engine,
    sheets: impl Iterator<Item = (&'a str, &'a str)>,
    programme: &Programme,
) -> (Sheets, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut rules: Vec<Rule> = Vec::new();
    let mut taken = TakenNames::default();
    let mut bodies: Vec<Function> = Vec::new();
    let mut all = AST::empty();
    for (file, text) in sheets {
        let file: Arc<str> = file.into();
        let ast = match compile(engine, &file, text, programme) {
            Ok(ast) => ast,
            Err(mistake) => {
                mistakes.push(mistake);
                continue;
            }
        };
        for function in functions(&file, &ast) {
            match bodies.iter().find(|other| {
                other.name == function.name && other.parameters.len() == function.parameters.len()
            }) {
                None => bodies.push(function),
                Some(other) => mistakes.push(Mistake::of_file(
                    &file,
                    format!("function `{}` stands already in {}", function.name, other.file),
                )),
            }
        }
        for statement in ast.statements() {
            if rules.len() > RULES_MAX || mistakes.len() > RULES_MAX {
                break;
            }
            match taken_apart(&file, statement, programme) {
                None => {}
                Some(Err(mistake)) => mistakes.push(mistake),
                Some(Ok(rule)) => match taken.add(&rule) {
                    None => rules.push(rule),
                    Some(message) => mistakes.push(Mistake::at(&file, rule.position, message)),
                },
            }
        }
        all = all.merge(&ast.clone_functions_only());
    }
    if rules.len() > RULES_MAX {
        let message = format!("there are more than {RULES_MAX} rules");
        mistakes.push(Mistake::of_file("", message));
    }
    (Sheets { rules, functions: Arc::clone(all.shared_lib()), bodies }, mistakes)
}

fn compile(engine: &Engine, file: &str, text: &str, programme: &Programme) -> Result<AST, Mistake> {
    let mut scope = Scope::new();
    for fact in &FACTS {
        // It must be a variable: the engine would fold a constant into the compiled sheet.
        scope.push_dynamic(fact.name, UNREAD);
    }
    grammar::begin();
    engine.compile_with_scope(&scope, text).map_err(|error| {
        let mut mistake = Mistake::of_parse_error(file, text, &error);
        if let ParseErrorType::VariableUndefined(name) = error.err_type()
            && is_keyword(name)
        {
            mistake.message = format!("`{name}` stands by itself, not inside a block");
        } else if let ParseErrorType::VariableUndefined(name) = error.err_type()
            && grammar::is_clause(name)
        {
            mistake.message =
                format!("`{name}` stands before the block, and not in it or after it");
        } else if let ParseErrorType::VariableUndefined(name) = error.err_type()
            && !mistake.message.contains(';')
        {
            let statements = STATEMENTS.iter().map(|statement| statement.keyword);
            mistake.message += &match did_you_mean(name, statements) {
                hint if hint.is_empty() => meant(name, programme, variables(text)),
                hint => hint,
            };
        }
        mistake
    })
}

fn functions(file: &Arc<str>, ast: &AST) -> Vec<Function> {
    let describe = |function: rhai::ScriptFnMetadata<'_>| {
        let mut only = ast.clone_functions_only();
        only.retain_functions(|_, _, name, parameters| {
            name == function.name && parameters == function.params.len()
        });
        let mut statements = Vec::new();
        only.walk(&mut |path| {
            if let [rhai::ASTNode::Stmt(statement)] = path {
                statements.push((*statement).clone());
            }
            true
        });
        Function {
            file: Arc::clone(file),
            name: function.name.to_owned(),
            parameters: function.params.iter().map(|name| (*name).to_owned()).collect(),
            statements,
        }
    };
    ast.iter_functions().map(describe).collect()
}

/// The statement that this custom syntax stands for.
pub(crate) fn statement_of(custom: &CustomExpr) -> Option<&'static Statement> {
    let first = custom.tokens.first()?;
    STATEMENTS.iter().find(|statement| inner_name(statement.keyword) == first.as_str())
}

/// Turns a statement into a rule; nothing for an empty statement.
fn taken_apart(
    file: &Arc<str>,
    statement: &Stmt,
    programme: &Programme,
) -> Option<Result<Rule, Mistake>> {
    let stray = |position: Position| {
        let message = "only statements such as `earn` or `tier`, and functions, stand in a sheet";
        Some(Err(Mistake::at(file, position, message.to_owned())))
    };
    match statement {
        Stmt::Noop(_) => None,
        Stmt::Expr(expression) => match &**expression {
            Expr::Custom(custom, position) => match statement_of(custom) {
                Some(statement) => {
                    let parts = Parts { file, programme, statement, custom, position: *position };
                    Some(parts.rule())
                }
                None => stray(*position),
            },
            other => stray(other.start_position()),
        },
        other => stray(other.position()),
    }
}

/// The parts of a statement from which a rule is built.
struct Parts<'a> {
    file: &'a Arc<str>,
    programme: &'a Programme,
    statement: &'static Statement,
    custom: &'a CustomExpr,
    position: Position,
}

impl Parts<'_> {
    fn rule(&self) -> Result<Rule, Mistake> {
        let (title, title_position) = self.word(Role::Title).unwrap_or_default();
        if title.trim().is_empty() || title.chars().count() > TITLE_LENGTH_MAX {
            let message = format!("a title has 1 to {TITLE_LENGTH_MAX} characters");
            return Err(self.wrong(title_position, message));
        }
        let body = self.input(Role::Body).cloned();
        let body = body
            .ok_or_else(|| self.wrong(self.position, "the block in `{ }` is missing".to_owned()))?;
        let days = DaySpan { from: self.date(Role::From)?, until: self.date(Role::Until)? };
        if let (Some(from), Some(until)) = (days.from, days.until)
            && until < from
        {
            let message = format!("the last day, {until}, is before the first, {from}");
            return Err(self.wrong(self.position, message));
        }
        let name = match self.word(Role::Named) {
            None => title.clone(),
            Some((name, position)) => {
                if name.trim().is_empty() || name.chars().count() > TITLE_LENGTH_MAX {
                    let message = format!("a name has 1 to {TITLE_LENGTH_MAX} characters");
                    return Err(self.wrong(position, message));
                }
                name
            }
        };
        let into = self.word(Role::Into).map(|name| self.wallet(name)).transpose()?;
        Ok(Rule {
            statement: self.statement,
            title,
            name,
            file: Arc::clone(self.file),
            source: format!("{}:{}", self.file, self.position.line().unwrap_or_default()),
            position: self.position,
            on: self.activity()?,
            cap: self.cap(into.as_ref())?,
            into,
            days,
            during: self.campaign()?,
            goal: self.goal()?,
            costs: self.costs()?,
            stock: self
                .number(Role::Stock, "`stock`", 0, COUNT_MAX)?
                .and_then(|stock| Units::new(stock.into()).ok()),
            when: self.input(Role::When).cloned(),
            counting: self.input(Role::Counting).cloned(),
            body,
        })
    }

    fn wrong(&self, position: Position, message: String) -> Mistake {
        Mistake::at(self.file, position, message)
    }

    fn input(&self, role: Role) -> Option<&Expr> {
        let reading = self.custom.state.read_lock::<Reading>()?;
        let place = reading.roles.iter().position(|had| *had == role)?;
        self.custom.inputs.get(place)
    }

    fn word(&self, role: Role) -> Option<(String, Position)> {
        self.input(role).map(|input| {
            let word = match input {
                Expr::Variable(name, ..) => name.1.to_string(),
                Expr::StringConstant(text, _) => text.to_string(),
                _ => String::new(),
            };
            (word, input.position())
        })
    }

    fn whole(&self, role: Role) -> Option<(i64, Position)> {
        self.input(role).map(|input| match input {
            Expr::IntegerConstant(number, position) => (*number, *position),
            other => (-1, other.position()),
        })
    }

    fn number(
        &self,
        role: Role,
        what: &str,
        least: u32,
        most: u32,
    ) -> Result<Option<u32>, Mistake> {
        let Some((number, position)) = self.whole(role) else { return Ok(None) };
        let found = u32::try_from(number).ok().filter(|number| (least..=most).contains(number));
        let wrong =
            || self.wrong(position, format!("{what} wants a number from {least} to {most}"));
        found.map(Some).ok_or_else(wrong)
    }

    fn date(&self, part: fn(usize) -> Role) -> Result<Option<NaiveDate>, Mistake> {
        let (Some((year, position)), Some((month, _)), Some((day, _))) =
            (self.whole(part(0)), self.whole(part(1)), self.whole(part(2)))
        else {
            return Ok(None);
        };
        let date =
            i32::try_from(year).ok().filter(|year| (1970..=9999).contains(year)).and_then(|year| {
                NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
            });
        let wrong = || {
            let message = format!(
                "`{year}-{month:02}-{day:02}` is no day of the calendar; a day is written such as 2026-08-31"
            );
            self.wrong(position, message)
        };
        date.map(Some).ok_or_else(wrong)
    }

    fn activity(&self) -> Result<Option<String>, Mistake> {
        let Some((activity, position)) = self.word(Role::On) else { return Ok(None) };
        if self.programme.activities.contains_key(&activity) {
            return Ok(Some(activity));
        }
        let known = self.programme.activities.keys().map(String::as_str);
        let message = format!(
            "there is no activity `{activity}` in the manifest{}; list it as [activities.{activity}]",
            did_you_mean(&activity, known)
        );
        Err(self.wrong(position, message))
    }

    fn campaign(&self) -> Result<Option<String>, Mistake> {
        let Some((campaign, position)) = self.word(Role::During) else { return Ok(None) };
        let Some(found) = self.programme.campaigns.get(&campaign) else {
            let known = self.programme.campaigns.keys().map(String::as_str);
            let message = format!(
                "there is no campaign `{campaign}` in the manifest{}; list it as [campaigns.{campaign}]",
                did_you_mean(&campaign, known)
            );
            return Err(self.wrong(position, message));
        };
        let main = &self.programme.main_wallet;
        if found.budget.is_some()
            && let Some((wallet, position)) = self.word(Role::Into)
            && wallet != main.as_str()
        {
            let message = format!(
                "campaign `{campaign}` has a budget of {main}; a rule that pays into another wallet cannot draw on it"
            );
            return Err(self.wrong(position, message));
        }
        Ok(Some(campaign))
    }

    fn wallet(&self, (name, position): (String, Position)) -> Result<WalletName, Mistake> {
        let listed = WalletName::parse(&name).ok();
        let listed = listed.filter(|name| self.programme.wallets.contains_key(name));
        listed.ok_or_else(|| self.wrong(position, unknown_wallet(&name, self.programme)))
    }

    /// The cap of a rule that pays into a wallet.
    fn cap(&self, into: Option<&WalletName>) -> Result<Option<Cap>, Mistake> {
        let Some(per) = self.word(Role::Per) else { return Ok(None) };
        let per = self.period(per, &Period::ALL)?;
        let Some((name, position)) = self.word(Role::MostWallet) else {
            let most = self.number(Role::Most, "`at most`", 1, COUNT_MAX)?;
            return Ok(most.map(|most| Cap { most: most.into(), per, counts: Counted::Times }));
        };
        let keyword = self.statement.keyword;
        if self.statement.kind != StatementKind::Earn {
            let message = format!(
                "units are counted of an `earn` alone; of a `{keyword}` it is how often: `at most 2 per week`"
            );
            return Err(self.wrong(position, message));
        }
        let wallet = self.wallet((name, position))?;
        let into = into.unwrap_or(&self.programme.main_wallet);
        if wallet != *into {
            let message = format!("the rule pays into `{into}`, and its cap counts `{wallet}`");
            return Err(self.wrong(position, message));
        }
        let most = self.whole(Role::Most);
        let units = most.and_then(|(number, _)| Units::new(number).ok());
        let units = units
            .filter(|units| !units.is_zero())
            .and_then(|units| u64::try_from(units.get()).ok());
        let wrong =
            || self.wrong(position, format!("`at most` wants from 1 to {} units", Units::MAX));
        Ok(Some(Cap { most: units.ok_or_else(wrong)?, per, counts: Counted::Units }))
    }

    fn period(
        &self,
        (word, position): (String, Position),
        periods: &[(&str, Period)],
    ) -> Result<Period, Mistake> {
        let words: Vec<&str> = periods.iter().map(|(word, _)| *word).collect();
        let period = periods.iter().find(|(known, _)| *known == word);
        let wrong = || {
            let hint = did_you_mean(&word, words.iter().copied());
            let message = format!("`{word}` is no period{hint}; there are {}", words.join(", "));
            self.wrong(position, message)
        };
        period.map(|(_, period)| *period).ok_or_else(wrong)
    }

    fn goal(&self) -> Result<Option<Goal>, Mistake> {
        if let Some(goal) = self.number(Role::Goal, "`goal`", 1, COUNT_MAX)? {
            let within_days = self.number(Role::Within, "`within`", 1, WITHIN_DAYS_MAX)?;
            let times = match self.word(Role::WithinUnit) {
                None => 1,
                Some((word, position)) => match word.as_str() {
                    "day" | "days" => 1,
                    "week" | "weeks" => 7,
                    _ => {
                        let days = match word.as_str() {
                            "fortnight" | "fortnights" => Some(14),
                            "month" | "months" => Some(30),
                            "year" | "years" => Some(365),
                            _ => None,
                        };
                        let remedy = match days.zip(within_days) {
                            Some((days, many)) => format!("`within {} days`", many * days),
                            None => "`within 7 days` or `within 2 weeks`".to_owned(),
                        };
                        let message = format!("`{word}` is no unit here; write {remedy}");
                        return Err(self.wrong(position, message));
                    }
                },
            };
            let within_days = within_days.map(|days| (days * times).min(WITHIN_DAYS_MAX));
            return Ok(Some(Goal::Count { goal, within_days }));
        }
        let streak = self.number(Role::Streak, "`streak`", 1, 1000)?;
        let (Some(goal), Some(period)) = (streak, self.word(Role::StreakPeriod)) else {
            return Ok(None);
        };
        const PERIODS: [(&str, Period); 3] =
            [("days", Period::Day), ("weeks", Period::Week), ("months", Period::Month)];
        let (word, position) = period;
        let many = if word.ends_with('s') { word } else { format!("{word}s") };
        Ok(Some(Goal::Streak { goal, period: self.period((many, position), &PERIODS)? }))
    }

    fn costs(&self) -> Result<Option<Costs>, Mistake> {
        let Some((least, position)) = self.whole(Role::Costs) else { return Ok(None) };
        let (wallet, wallet_position) = match self.word(Role::CostsWallet) {
            Some((name, position)) => (self.wallet((name, position))?, position),
            None => (self.programme.main_wallet.clone(), position),
        };
        let units = |number: i64, position| {
            let wrong =
                |_| self.wrong(position, format!("a reward costs from 0 to {}", Units::MAX));
            Units::new(number).map_err(wrong)
        };
        let least = units(least, position)?;
        let most = match self.whole(Role::CostsMost) {
            None => least,
            Some((most, position)) => {
                let most = units(most, position)?;
                if least.is_zero() || most <= least {
                    let message = "`costs .. to ..` wants at least 1 first, and more after `to`";
                    return Err(self.wrong(position, message.to_owned()));
                }
                most
            }
        };
        let policy = self.programme.wallets.get(&wallet);
        if !most.is_zero() && policy.is_some_and(|policy| !policy.spendable) {
            let message = format!("wallet `{wallet}` only counts; nothing can be paid from it");
            return Err(self.wrong(wallet_position, message));
        }
        Ok(Some(Costs { least, most, wallet }))
    }
}
