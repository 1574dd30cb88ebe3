//! A sheet as a list of typed rules. Its statements are taken apart once, when it is read; a
//! condition and a block are then run by themselves, so that the order, the trace and the caps of
//! the rules are plain code and not something a script could bend.

use std::sync::Arc;

use ledger::cap::{Cap, Period};
use ledger::{Programme, Units, WalletName};
use rhai::{
    AST, ASTNode, CustomExpr, Dynamic, EvalAltResult, Expr, Module, ParseErrorType, Position,
    Scope, Stmt,
};

use crate::engine::{SheetKind, UNREAD};
use crate::facts::{VOCABULARY, unknown_wallet};
use crate::grammar::{EARN, REWARD, Reading, Role, TIER};
use crate::mistake::{Mistake, RuleFailure, did_you_mean, plain_types};

/// The first words of all statements, to name the sheet's own where another is used.
const STATEMENTS: [&str; 3] = [EARN.keyword, TIER.keyword, REWARD.keyword];
/// The most rules of a sheet. What one activity can cost is this times what one rule can.
const RULES_MAX: usize = 500;

/// A statement taken apart, its words checked against the manifest.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) title: String,
    /// Where it stands: `earn.rhai:3`.
    pub(crate) source: String,
    pub(crate) position: Position,
    pub(crate) on: Option<String>,
    pub(crate) into: Option<WalletName>,
    pub(crate) cap: Option<Cap>,
    pub(crate) costs: Option<(Units, WalletName)>,
    when: Option<AST>,
    body: AST,
}

impl Rule {
    /// Whether the rule applies. One without a condition does.
    pub(crate) fn applies(
        &self,
        kind: &SheetKind,
        scope: &mut Scope<'_>,
    ) -> Result<bool, RuleFailure> {
        let Some(when) = &self.when else { return Ok(true) };
        let found = self.run(kind, when, scope)?;
        found.as_bool().map_err(|found| {
            self.failure(kind, format!("a condition is yes or no, not {}", plain_types(found)))
        })
    }

    /// The value of its block.
    pub(crate) fn value(
        &self,
        kind: &SheetKind,
        scope: &mut Scope<'_>,
    ) -> Result<Dynamic, RuleFailure> {
        self.run(kind, &self.body, scope)
    }

    pub(crate) fn failure(&self, kind: &SheetKind, message: String) -> RuleFailure {
        RuleFailure::at(kind.file, &self.title, self.position, message)
    }

    fn run(
        &self,
        kind: &SheetKind,
        ast: &AST,
        scope: &mut Scope<'_>,
    ) -> Result<Dynamic, RuleFailure> {
        let engine = kind.engine().map_err(|error| self.failure(kind, error))?;
        let depth = scope.len();
        let found = engine.eval_ast_with_scope::<Dynamic>(scope, ast);
        scope.rewind(depth);
        found.map_err(|mut error: Box<EvalAltResult>| {
            if error.position().is_none() {
                error.set_position(self.position);
            }
            RuleFailure::of(kind.file, &self.title, &error)
        })
    }
}

/// Reads a sheet.
pub(crate) fn read(
    kind: &SheetKind,
    text: &str,
    programme: &Programme,
) -> Result<Vec<Rule>, Vec<Mistake>> {
    if let Some(byte) = open_comment(text) {
        let message = "this `/*` is never closed: all that follows would be left out".to_owned();
        return Err(vec![Mistake::at_byte(kind.file, text, byte, message)]);
    }
    let engine = kind.engine().map_err(|error| vec![Mistake::of_file(kind.file, error)])?;
    let mut scope = Scope::new();
    for fact in kind.facts {
        scope.push_constant_dynamic(*fact, UNREAD);
    }
    let ast = engine.compile_with_scope(&scope, text).map_err(|error| {
        let mut mistake = Mistake::of_parse_error(kind.file, &error);
        if let ParseErrorType::VariableUndefined(name) = error.err_type() {
            mistake.message += &if STATEMENTS.contains(&name.as_str()) {
                format!("; the statements of this sheet begin with `{}`", kind.statement.keyword)
            } else {
                did_you_mean(name, kind.facts.iter().copied())
            };
        }
        vec![mistake]
    })?;

    let mut mistakes = check_facts(kind, &ast, programme);
    let mut rules: Vec<Rule> = Vec::new();
    for statement in ast.statements() {
        match statement {
            Stmt::Expr(expression) => match &**expression {
                Expr::Custom(custom, position) if is(custom, kind.statement.keyword) => {
                    match rule(kind, custom, *position, ast.shared_lib(), programme) {
                        Ok(rule) => match rules.iter().find(|earlier| earlier.title == rule.title) {
                            None => rules.push(rule),
                            Some(earlier) => mistakes.push(Mistake::at(
                                kind.file,
                                rule.position,
                                format!(
                                    "`{}` stands already at {}; titles say which rule paid, so each is used once",
                                    rule.title, earlier.source
                                ),
                            )),
                        },
                        Err(mistake) => mistakes.push(mistake),
                    }
                }
                other => mistakes.push(stray(kind, other.position())),
            },
            Stmt::Noop(_) => {}
            other => mistakes.push(stray(kind, other.position())),
        }
    }
    if rules.len() > RULES_MAX {
        mistakes.push(Mistake::of_file(
            kind.file,
            format!("the sheet has {} rules, and {RULES_MAX} are allowed", rules.len()),
        ));
    }
    if mistakes.is_empty() { Ok(rules) } else { Err(mistakes) }
}

/// Where a comment begins that does not end. Rhai reads such a text without a word.
fn open_comment(text: &str) -> Option<usize> {
    let mut opened: Vec<usize> = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((byte, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match (c, next) {
            ('/', Some('*')) => {
                chars.next();
                opened.push(byte);
            }
            ('*', Some('/')) if !opened.is_empty() => {
                chars.next();
                opened.pop();
            }
            _ if !opened.is_empty() => {}
            ('/', Some('/')) => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            ('"' | '\'' | '`', _) => {
                while let Some((_, inside)) = chars.next() {
                    match inside {
                        '\\' => {
                            chars.next();
                        }
                        inside if inside == c => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    opened.first().copied()
}

fn is(custom: &CustomExpr, keyword: &str) -> bool {
    custom.tokens.first().is_some_and(|first| first == keyword)
}

fn stray(kind: &SheetKind, position: Position) -> Mistake {
    let keyword = kind.statement.keyword;
    Mistake::at(
        kind.file,
        position,
        format!("only `{keyword}` statements and functions stand in this sheet"),
    )
}

/// The inputs of a statement by what they stand for.
fn rule(
    kind: &SheetKind,
    custom: &CustomExpr,
    position: Position,
    functions: &Arc<Module>,
    programme: &Programme,
) -> Result<Rule, Mistake> {
    let reading = custom.state.read_lock::<Reading>().ok_or_else(|| {
        Mistake::at(kind.file, position, "the statement cannot be read".to_owned())
    })?;
    let input = |role: Role| {
        reading
            .roles
            .iter()
            .zip(&custom.inputs)
            .find(|(had, _)| **had == role)
            .map(|(_, input)| input)
    };
    let word = |role: Role| input(role).map(|input| (word_of(input), input.position()));
    let number = |role: Role| {
        input(role).map(|input| match input {
            Expr::IntegerConstant(number, position) => (*number, *position),
            other => (-1, other.position()),
        })
    };
    let script =
        |input: &Expr| AST::new([Stmt::Expr(Box::new(input.clone()))], Arc::clone(functions));
    let wrong = |position: Position, message: String| Mistake::at(kind.file, position, message);

    let (title, title_position) = word(Role::Title).unwrap_or((String::new(), position));
    if title.trim().is_empty() || title.chars().count() > 100 {
        return Err(wrong(title_position, "a title has 1 to 100 characters".to_owned()));
    }
    let body = input(Role::Body)
        .map(script)
        .ok_or_else(|| wrong(position, "the block in `{ }` is missing".to_owned()))?;

    let on = match word(Role::On) {
        Some((activity, position)) if !programme.activities.contains_key(&activity) => {
            let known = programme.activities.keys().map(String::as_str);
            return Err(wrong(
                position,
                format!(
                    "there is no activity `{activity}` in the manifest{}; list it as [activities.{activity}]",
                    did_you_mean(&activity, known)
                ),
            ));
        }
        on => on.map(|(activity, _)| activity),
    };
    let known_wallet = |(name, position): (String, Position)| {
        let listed =
            WalletName::parse(&name).ok().filter(|name| programme.wallets.contains_key(name));
        listed.ok_or_else(|| wrong(position, unknown_wallet(&name, programme)))
    };
    let into = word(Role::Into).map(known_wallet).transpose()?;
    let cap = match (number(Role::Most), word(Role::Per)) {
        (Some((most, most_position)), Some((per, per_position))) => {
            let most = u32::try_from(most).ok().filter(|most| (1..=1_000_000).contains(most));
            let most = most.ok_or_else(|| {
                wrong(most_position, "`at most` wants a number from 1 to 1000000".to_owned())
            })?;
            let words = || Period::ALL.iter().map(|(word, _)| *word);
            let period = Period::ALL.iter().find(|(word, _)| *word == per).ok_or_else(|| {
                let list: Vec<&str> = words().collect();
                wrong(
                    per_position,
                    format!(
                        "`{per}` is no period{}; there are {}",
                        did_you_mean(&per, words()),
                        list.join(", ")
                    ),
                )
            })?;
            Some(Cap { most, per: period.1 })
        }
        _ => None,
    };
    let costs = match number(Role::Costs) {
        None => None,
        Some((number, number_position)) => {
            let wallet = match word(Role::CostsWallet) {
                Some((name, position)) => (known_wallet((name, position))?, position),
                None => (programme.main_wallet.clone(), number_position),
            };
            if programme.wallets.get(&wallet.0).is_some_and(|policy| !policy.spendable) {
                return Err(wrong(
                    wallet.1,
                    format!("wallet `{}` only counts; nothing can be paid from it", wallet.0),
                ));
            }
            let units = Units::new(number).ok().filter(|units| !units.is_zero());
            let units = units.ok_or_else(|| {
                wrong(
                    number_position,
                    format!("a reward costs at least 1 and at most {}", Units::MAX),
                )
            })?;
            Some((units, wallet.0))
        }
    };
    Ok(Rule {
        title,
        source: format!("{}:{}", kind.file, position.line().unwrap_or_default()),
        position,
        on,
        into,
        cap,
        costs,
        when: input(Role::When).map(script),
        body,
    })
}

fn word_of(input: &Expr) -> String {
    match input {
        Expr::Variable(name, ..) => name.1.to_string(),
        Expr::StringConstant(text, _) => text.to_string(),
        _ => String::new(),
    }
}

/// Finds facts and wallets that do not exist, in branches that never run too, and statements that
/// stand inside others.
fn check_facts(kind: &SheetKind, ast: &AST, programme: &Programme) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let fields: Vec<&str> = programme
        .activities
        .values()
        .flat_map(|activity| activity.fields.keys().map(String::as_str))
        .collect();
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::Dot(dot, ..))) => {
                if let (Expr::Variable(fact, ..), Some((asked, position))) =
                    (&dot.lhs, head(&dot.rhs))
                    && let Some((fact, known)) =
                        VOCABULARY.iter().find(|(name, _)| *name == fact.1.as_str())
                    && !known.contains(&asked)
                    && !(*fact == "activity" && fields.contains(&asked))
                {
                    let known = known
                        .iter()
                        .copied()
                        .chain(fields.iter().copied().filter(|_| *fact == "activity"));
                    let message =
                        format!("`{fact}` has no `{asked}`{}", did_you_mean(asked, known));
                    mistakes.push(Mistake::at(kind.file, position, message));
                }
            }
            Some(ASTNode::Expr(Expr::Custom(custom, position))) => {
                if is(custom, "wallet")
                    && let Some(Expr::StringConstant(name, position)) = custom.inputs.first()
                    && !programme.wallets.contains_key(name.as_str())
                {
                    mistakes.push(Mistake::at(
                        kind.file,
                        *position,
                        unknown_wallet(name, programme),
                    ));
                }
                // A statement of the sheet is an expression in a statement: two nodes deep.
                if is(custom, kind.statement.keyword) && path.len() > 2 {
                    let message = format!(
                        "`{}` stands by itself, not inside a block",
                        kind.statement.keyword
                    );
                    mistakes.push(Mistake::at(kind.file, *position, message));
                }
            }
            _ => {}
        }
        true
    });
    mistakes
}

/// What is asked of a fact first: the property or method right after the dot.
fn head(expression: &Expr) -> Option<(&str, Position)> {
    match expression {
        Expr::Property(property, position) => Some((property.2.as_str(), *position)),
        Expr::MethodCall(call, position) => Some((call.name.as_str(), *position)),
        Expr::Dot(inner, ..) | Expr::Index(inner, ..) => head(&inner.lhs),
        _ => None,
    }
}
