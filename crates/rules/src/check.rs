//! What can be proven wrong with a sheet before it runs, in branches that no test runs too: words
//! that do not exist, kinds that do not go together, names that the manifest and the other sheets
//! do not know, conditions that never hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::Programme;
use ledger::programme::FieldKind;
use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::facts::unknown_wallet;
use crate::grammar::StatementKind;
use crate::mistake::{Mistake, did_you_mean};
use crate::range;
use crate::sheet::{Function, Rule, Sheets, Titles, statement_of};
use crate::verbs::REFERRAL;
use crate::vocabulary::{
    Domain, FACTS, Form, Kind, OUTCOMES, WEEKDAYS, WORDS, Word, functions, meant, words_of,
};

/// Items of a list that is written out: each look walks through all of them.
const LIST_ITEMS_MAX: usize = 100;
/// Cases of a `switch`, for the same reason.
const CASES_MAX: usize = 100;

/// Finds every mistake that can be proven.
pub(crate) fn sheets(
    sheets: &Sheets,
    titles: &Titles,
    programme: &Programme,
    all_read: bool,
) -> Vec<Mistake> {
    let grants = Grants::of(sheets);
    let known = Known { sheets, titles, programme, grants, all_read };
    let mut mistakes = Vec::new();
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
    mistakes.extend(unreachable_tiers(&sheets.rules));
    mistakes
}

/// Of tiers, the last whose condition holds counts: one is nobody's if a later one holds whenever it
/// does, always or at a lower number.
fn unreachable_tiers(rules: &[Rule]) -> Vec<Mistake> {
    let tiers: Vec<&Rule> =
        rules.iter().filter(|rule| rule.kind() == StatementKind::Tier).collect();
    let covers = |later: &Rule, tier: &Rule| {
        let (later, tier) = (range::threshold(&later.body), range::threshold(&tier.body));
        later.zip(tier).is_some_and(|(later, tier)| later.0 == tier.0 && later.1 <= tier.1)
    };
    let mut mistakes = Vec::new();
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

/// What the check knows of the bundle as a whole.
struct Known<'a> {
    sheets: &'a Sheets,
    titles: &'a Titles,
    programme: &'a Programme,
    grants: Grants,
    /// Whether every sheet could be read. If not, a name that is not there may be in the others.
    all_read: bool,
}

/// The grants that rules give.
struct Grants {
    names: BTreeSet<String>,
    /// Whether all of them are written out, so that a name which is not among them is a mistake.
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
    /// Whether outcomes may be laid down here.
    may_give: bool,
    /// Whether anything is given.
    gave: bool,
    /// Whether the next expression may be a list.
    list_may_stand: bool,
    locals: Vec<(String, Kind)>,
    returns: Vec<Kind>,
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
        if !(may_be_nothing && gives == Kind::Nothing) {
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
        if rule.statement.gives == Kind::Number
            && range::only_expression(&rule.body)
                .and_then(range::number)
                .is_some_and(|number| number < rust_decimal::Decimal::ZERO)
        {
            self.wrong(
                rule.body.position(),
                "a rule pays nothing or more, and this is below zero".to_owned(),
            );
        }
        if rule.stock.is_some_and(ledger::Units::is_zero) {
            self.warn(rule.position, "there is nothing of this: `stock 0`".to_owned());
        }
        self.days(rule);
    }

    /// Warns where the rule's own days and its campaign's have none in common.
    fn days(&mut self, rule: &Rule) {
        let campaign = rule.during.as_ref();
        let campaign =
            campaign.and_then(|name| Some((name, self.known.programme.campaigns.get(name)?)));
        if let Some((name, campaign)) = campaign {
            let from = rule.days.from.max(campaign.days.from);
            let ends = [rule.days.until, campaign.days.until];
            let until = ends.into_iter().flatten().min();
            if let (Some(from), Some(until)) = (from, until)
                && until < from
            {
                self.warn(
                    rule.position,
                    format!(
                        "this never applies: its days and those of `{name}` have none in common"
                    ),
                );
            }
        }
    }

    /// Warns where a condition never holds, or always.
    fn reachable(&mut self, condition: &Expr) {
        let kind_of = |expression: &Expr| self.word_of(expression);
        match range::judge(condition, &kind_of) {
            range::Holds::Sometimes => {}
            range::Holds::Never(why) => {
                self.warn(condition.start_position(), format!("this never applies: {why}"));
            }
            // A lowest tier is meant to hold always.
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

    fn statements<'s>(&mut self, statements: impl IntoIterator<Item = &'s Stmt>) -> Kind {
        let depth = self.locals.len();
        let mut last = Kind::Nothing;
        let mut before: Option<&Stmt> = None;
        for statement in statements {
            if let Some(before) = before {
                self.lost(before, &last);
            }
            last = self.statement(statement);
            before = Some(statement);
        }
        self.locals.truncate(depth);
        last
    }

    /// Tells of a value that nobody gets: a block gives its last one only.
    fn lost(&mut self, statement: &Stmt, kind: &Kind) {
        let is_value = matches!(
            statement,
            Stmt::Expr(_) | Stmt::FnCall(..) | Stmt::If(..) | Stmt::Switch(..) | Stmt::Block(_)
        );
        if is_value && !matches!(kind, Kind::Nothing | Kind::Any) {
            let message = format!(
                "{} is lost here: a block gives its last value only; add it up with `let sum = 0;` and `sum += ..;`, or write a rule for each",
                kind.say()
            );
            self.wrong(statement.position(), message);
        }
    }

    fn statement(&mut self, statement: &Stmt) -> Kind {
        match statement {
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.statements(block.iter()),
            Stmt::If(flow, _) => {
                let found = self.expression(&flow.expr);
                self.want(&found, &Kind::Flag, flow.expr.start_position(), "a condition");
                let then = self.statements(flow.body.iter());
                if then == Kind::Flag && flow.branch.is_empty() {
                    let message = "this is neither yes nor no where the `if` does not hold; write `else { false }`";
                    self.wrong(statement.position(), message.to_owned());
                }
                let otherwise = self.statements(flow.branch.iter());
                then.or(otherwise)
            }
            Stmt::Switch(switch, _) => {
                let (on, cases) = &**switch;
                let kind = self.expression(on);
                let mut gives: Option<Kind> = None;
                if matches!(kind, Kind::Amount | Kind::Number) {
                    let message =
                        "`switch` looks for texts and whole numbers; compare an amount with `if`";
                    self.wrong(on.start_position(), message.to_owned());
                }
                if cases.expressions.len() > CASES_MAX {
                    self.wrong(
                        on.start_position(),
                        format!("a `switch` has at most {CASES_MAX} cases"),
                    );
                }
                for case in &cases.expressions {
                    self.expression(&case.lhs);
                    let found = self.expression(&case.rhs);
                    gives = Some(gives.map_or(found.clone(), |gives| gives.or(found)));
                }
                gives.unwrap_or(Kind::Nothing)
            }
            Stmt::For(walk, position) => {
                let (name, counter, flow) = &**walk;
                let over = self.list_or(&flow.expr);
                let item = match over {
                    Kind::Lines => Kind::Line,
                    Kind::List(item) => *item,
                    Kind::Range => Kind::Whole,
                    Kind::Any => Kind::Any,
                    other => {
                        self.wrong(
                            flow.expr.start_position(),
                            format!(
                                "`for` walks through lines, a list or a range, not {}",
                                other.say()
                            ),
                        );
                        Kind::Any
                    }
                };
                let depth = self.locals.len();
                self.local(&name.name, item, *position);
                if let Some(counter) = counter {
                    self.local(&counter.name, Kind::Whole, *position);
                }
                let last = self.statements(flow.body.iter());
                if let Some(statement) = flow.body.iter().last() {
                    self.lost(statement, &last);
                }
                self.locals.truncate(depth);
                Kind::Nothing
            }
            Stmt::Var(variable, _, position) => {
                let (name, value, _) = &**variable;
                let kind = self.expression(value);
                self.local(&name.name, kind, *position);
                Kind::Nothing
            }
            Stmt::Assignment(assignment) => {
                self.assignment(&assignment.0, &assignment.1);
                Kind::Nothing
            }
            Stmt::Return(value, ..) => {
                let kind = value.as_ref().map_or(Kind::Nothing, |value| self.expression(value));
                self.returns.push(kind);
                // Nothing comes after it.
                Kind::Nothing
            }
            Stmt::BreakLoop(value, ..) => {
                if let Some(value) = value {
                    self.expression(value);
                }
                Kind::Nothing
            }
            Stmt::Noop(_) => Kind::Nothing,
            other => {
                self.wrong(other.position(), "this cannot be used in a sheet".to_owned());
                Kind::Any
            }
        }
    }

    fn local(&mut self, name: &str, kind: Kind, position: Position) {
        if FACTS.iter().any(|fact| fact.name == name) {
            self.wrong(position, format!("`{name}` is a fact; take another name for your own"));
        }
        self.locals.push((name.to_owned(), kind));
    }

    fn assignment(&mut self, operation: &rhai::OpAssignment, sides: &rhai::BinaryExpr) {
        let value = self.expression(&sides.rhs);
        let position = sides.lhs.start_position();
        let root = root(&sides.lhs);
        if let Some(name) = root
            && !self.locals.iter().any(|(local, _)| local == name)
        {
            self.wrong(
                position,
                format!(
                    "`{name}` is a fact and cannot be changed; use `let` for a number of your own"
                ),
            );
            return;
        }
        let Expr::Variable(name, ..) = &sides.lhs else {
            self.expression(&sides.lhs);
            return;
        };
        let before = self.locals.iter().rev().find(|(local, _)| *local == name.1.as_str());
        let before = before.map_or(Kind::Any, |(_, kind)| kind.clone());
        let after = match operation.get_op_assignment_info() {
            Some((.., symbol)) => self.operator(symbol, &before, &value, operation.position()),
            None => value,
        };
        if let Some((_, kind)) =
            self.locals.iter_mut().rev().find(|(local, _)| *local == name.1.as_str())
        {
            *kind = before.or(after);
        }
    }

    fn expression(&mut self, expression: &Expr) -> Kind {
        match expression {
            Expr::IntegerConstant(..) => Kind::Whole,
            Expr::BoolConstant(..) => Kind::Flag,
            Expr::StringConstant(..) => Kind::Text(Domain::Free),
            Expr::InterpolatedString(parts, _) => {
                for part in parts.iter() {
                    self.expression(part);
                }
                Kind::Text(Domain::Free)
            }
            Expr::DynamicConstant(value, _) => {
                if value.is_decimal() {
                    Kind::Amount
                } else if value.type_name().contains("range") || value.type_name().contains("Range")
                {
                    Kind::Range
                } else {
                    Kind::Any
                }
            }
            Expr::CharConstant(_, position) => {
                self.wrong(*position, "texts are written in double quotes".to_owned());
                Kind::Text(Domain::Free)
            }
            Expr::Unit(_) => Kind::Nothing,
            Expr::Array(items, position) => {
                if !std::mem::take(&mut self.list_may_stand) {
                    let message =
                        "a list stands only after `in`: `member.tier in [\"Gold\", \"Silver\"]`";
                    self.wrong(*position, message.to_owned());
                }
                if items.len() > LIST_ITEMS_MAX {
                    self.wrong(*position, format!("a list has at most {LIST_ITEMS_MAX} items"));
                }
                let kinds: Vec<Kind> = items.iter().map(|item| self.expression(item)).collect();
                let item = kinds.into_iter().reduce(Kind::or).unwrap_or(Kind::Any);
                Kind::List(Box::new(item))
            }
            Expr::Variable(name, _, position) => self.variable(name.1.as_str(), *position),
            Expr::Stmt(block) => self.statements(block.iter()),
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::Dot(dot, ..) => {
                let of = self.expression(&dot.lhs);
                self.chain(&of, &dot.rhs)
            }
            Expr::Index(index, flags, _) => {
                let of = self.expression(&index.lhs);
                self.index(&of, &index.rhs, *flags)
            }
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                for part in parts.iter() {
                    let found = self.expression(part);
                    self.want(
                        &found,
                        &Kind::Flag,
                        part.start_position(),
                        "each side of `&&` and `||`",
                    );
                }
                Kind::Flag
            }
            Expr::Coalesce(parts, _) => {
                let kinds: Vec<Kind> = parts.iter().map(|part| self.expression(part)).collect();
                kinds.into_iter().reduce(Kind::or).unwrap_or(Kind::Any)
            }
            Expr::Custom(custom, position) => {
                let keyword = statement_of(custom).map_or("this", |statement| statement.keyword);
                self.wrong(*position, format!("`{keyword}` stands by itself, not inside a block"));
                Kind::Any
            }
            other => {
                self.wrong(other.start_position(), "this cannot be used in a sheet".to_owned());
                Kind::Any
            }
        }
    }

    /// An expression where a list may stand.
    fn list_or(&mut self, expression: &Expr) -> Kind {
        self.list_may_stand = matches!(expression, Expr::Array(..));
        let kind = self.expression(expression);
        self.list_may_stand = false;
        kind
    }

    fn variable(&mut self, name: &str, position: Position) -> Kind {
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return kind.clone();
        }
        let Some(fact) = FACTS.iter().find(|fact| fact.name == name) else {
            let locals: Vec<String> = self.locals.iter().map(|(name, _)| name.clone()).collect();
            let hint = meant(name, self.known.programme, locals.iter().map(String::as_str));
            self.wrong(position, format!("`{name}` is not known here{hint}"));
            return Kind::Any;
        };
        match self.rule {
            None => self.wrong(
                position,
                format!("a function sees only what it is given; give it `{name}` in its brackets"),
            ),
            Some(rule) if !rule.statement.facts.contains(&name) => {
                let list = rule.statement.facts.join("`, `");
                self.wrong(
                    position,
                    format!("`{}` cannot see `{name}`; it sees `{list}`", rule.statement.keyword),
                );
            }
            Some(rule)
                if name == "units"
                    && !rule.costs.as_ref().is_some_and(crate::sheet::Costs::is_chosen) =>
            {
                self.wrong(
                    position,
                    "`units` is what the member chooses: write `costs 100 to 5_000`".to_owned(),
                );
            }
            Some(_) => {}
        }
        fact.kind.clone()
    }

    /// What a chain such as `.lines[0].price` gives, asked of a kind of thing.
    fn chain(&mut self, of: &Kind, rest: &Expr) -> Kind {
        match rest {
            Expr::Property(property, position) => {
                self.word(of, Form::Property, property.2.as_str(), &[], *position)
            }
            Expr::MethodCall(call, position) => {
                self.word(of, Form::Method, &call.name, &call.args, *position)
            }
            Expr::Dot(dot, ..) => {
                let of = self.chain(of, &dot.lhs);
                self.chain(&of, &dot.rhs)
            }
            Expr::Index(index, flags, _) => {
                let of = self.chain(of, &index.lhs);
                self.index(&of, &index.rhs, *flags)
            }
            other => {
                self.wrong(other.start_position(), "this cannot be asked of anything".to_owned());
                Kind::Any
            }
        }
    }

    fn index(&mut self, of: &Kind, rest: &Expr, flags: ASTFlags) -> Kind {
        // What follows the brackets hangs below what stands in them.
        let (place, following) = match rest {
            Expr::Dot(dot, ..) if !flags.intersects(ASTFlags::BREAK) => (&dot.lhs, Some(&dot.rhs)),
            Expr::Index(inner, ..) if !flags.intersects(ASTFlags::BREAK) => {
                self.expression(&inner.lhs);
                self.expression(&inner.rhs);
                return Kind::Any;
            }
            place => (place, None),
        };
        let found = self.expression(place);
        let item = match of {
            Kind::Lines => Kind::Line,
            Kind::Any => Kind::Any,
            other => {
                self.wrong(
                    place.start_position(),
                    format!(
                        "only the lines of the order are asked with `[ ]`, not {}",
                        other.say()
                    ),
                );
                return Kind::Any;
            }
        };
        self.want(&found, &Kind::Whole, place.start_position(), "what stands in `[ ]`");
        match following {
            Some(following) => self.chain(&item, following),
            None => item,
        }
    }

    /// What a word asked of a kind of thing gives.
    fn word(
        &mut self,
        of: &Kind,
        form: Form,
        name: &str,
        given: &[Expr],
        position: Position,
    ) -> Kind {
        let kinds: Vec<Kind> = given.iter().map(|given| self.expression(given)).collect();
        if *of == Kind::Any {
            return self.word_of_anything(form, name, position);
        }
        if *of == Kind::Activity
            && form == Form::Property
            && let Some(kind) = self.field(name, position)
        {
            return kind;
        }
        let number = Kind::Whole;
        let of_numbers = if *of == Kind::Number { &number } else { of };
        let words: Vec<&'static Word> = words_of(of_numbers).collect();
        let Some(word) = words.iter().copied().find(|word| word.name == name) else {
            let fields = self.fields();
            let known = words.iter().map(|word| word.name);
            let fields = fields.iter().map(String::as_str).filter(|_| *of == Kind::Activity);
            let hint = did_you_mean(name, known.chain(fields));
            let what = self.say_of(of);
            self.wrong(position, format!("{what} has no `{name}`{hint}"));
            return Kind::Any;
        };
        let comes_and_goes = ["has_birthday", "has_anniversary", "birthday_month"].contains(&name);
        if comes_and_goes && self.rule.is_some_and(|rule| rule.kind() == StatementKind::Tier) {
            let message = "a tier is not for a day; write a `benefit` or an `earn` for it";
            self.wrong(position, message.to_owned());
        }
        match (word.form, form) {
            (Form::Property, Form::Method) => {
                self.wrong(position, format!("`{name}` is written without brackets"));
            }
            (Form::Method, Form::Property) => {
                self.wrong(position, format!("`{name}` needs brackets: `{}`", word.example));
            }
            _ => self.arguments(word, given, &kinds, position),
        }
        word.gives.clone()
    }

    fn say_of(&self, of: &Kind) -> String {
        match of {
            Kind::Member => "`member`".to_owned(),
            Kind::Order => "`order`".to_owned(),
            Kind::Activity => "`activity`".to_owned(),
            Kind::Time => "`now`".to_owned(),
            other => other.say().to_owned(),
        }
    }

    /// A word asked of what cannot be told: it has to be a word of something.
    fn word_of_anything(&mut self, form: Form, name: &str, position: Position) -> Kind {
        let mut known = WORDS.iter().filter(|word| word.form == form);
        let fields = self.fields();
        if !known.any(|word| word.name == name) && !fields.iter().any(|field| field == name) {
            if let Some(word) = WORDS.iter().find(|word| word.name == name) {
                self.wrong(position, format!("`{name}` is written as `{}`", word.example));
                return Kind::Any;
            }
            let hint = did_you_mean(name, WORDS.iter().map(|word| word.name));
            self.wrong(position, format!("nothing has a `{name}`{hint}"));
        }
        Kind::Any
    }

    /// The names of the fields that the rule's activity has; of all activities in a function.
    fn fields(&self) -> Vec<String> {
        let on = self.rule.map(|rule| rule.on.as_deref());
        let activities = self.known.programme.activities.iter();
        activities
            .filter(|(name, _)| on.is_none_or(|on| on == Some(name.as_str())))
            .flat_map(|(_, policy)| policy.fields.keys().cloned())
            .collect()
    }

    /// The kind of a field of the rule's activity, if it is one that some activity has.
    fn field(&mut self, name: &str, position: Position) -> Option<Kind> {
        let on = self.rule?.on.as_deref()?;
        let activities = &self.known.programme.activities;
        let kind = activities.get(on).and_then(|policy| policy.fields.get(name));
        if let Some(kind) = kind {
            return Some(match kind {
                FieldKind::Integer => Kind::Whole,
                FieldKind::Amount => Kind::Amount,
                FieldKind::Text => Kind::Text(Domain::Free),
                FieldKind::Flag => Kind::Flag,
            });
        }
        let owner = activities.iter().find(|(_, policy)| policy.fields.contains_key(name));
        let (owner, _) = owner?;
        self.wrong(
            position,
            format!("`{name}` is a field of `{owner}`, and this rule is on `{on}`"),
        );
        Some(Kind::Any)
    }

    fn arguments(&mut self, word: &Word, given: &[Expr], kinds: &[Kind], position: Position) {
        if given.len() != word.takes.len() {
            self.wrong(position, format!("`{}` is written as `{}`", word.name, word.example));
            return;
        }
        for ((argument, found), wanted) in given.iter().zip(kinds).zip(word.takes) {
            self.want(found, wanted, argument.start_position(), &format!("`{}` here", word.name));
            if let Kind::Text(domain) = wanted {
                self.name(*domain, argument);
            }
        }
    }

    /// Checks a text that is written out against the names that make sense.
    fn name(&mut self, domain: Domain, expression: &Expr) {
        let Expr::StringConstant(text, position) = expression else { return };
        let text = text.as_str();
        let known = self.known;
        let titles = |keyword| known.titles.of_kind(keyword).iter().map(String::as_str).collect();
        let (what, names): (&str, Vec<&str>) = match domain {
            Domain::Free => return,
            Domain::Tier | Domain::Task | Domain::Contest | Domain::Grant if !known.all_read => {
                return;
            }
            Domain::Wallet => {
                if !known.programme.wallets.contains_key(text) {
                    self.wrong(*position, unknown_wallet(text, known.programme));
                }
                return;
            }
            Domain::Tier => ("tier", titles("tier")),
            Domain::Task => ("task", titles("task")),
            Domain::Contest => ("contest", titles("contest")),
            Domain::Weekday => ("day of the week", WEEKDAYS.to_vec()),
            Domain::Grant if !known.grants.complete => return,
            Domain::Grant => ("grant", known.grants.names.iter().map(String::as_str).collect()),
            Domain::Pool => ("pool", known.programme.pools.iter().map(String::as_str).collect()),
        };
        if names.contains(&text) || (text.is_empty() && domain == Domain::Tier) {
            return;
        }
        let hint = did_you_mean(text, names.iter().copied());
        let message = match domain {
            Domain::Grant => format!("no rule gives a grant `{text}`{hint}"),
            Domain::Pool => format!("there is no pool `{text}` in the manifest{hint}"),
            _ => format!("there is no {what} `{text}`{hint}"),
        };
        self.wrong(*position, message);
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) -> Kind {
        let name = call.name.as_str();
        let is_in = name == "contains" && call.args.len() == 2;
        let kinds: Vec<Kind> = call
            .args
            .iter()
            .enumerate()
            .map(
                |(place, given)| {
                    if is_in && place == 0 { self.list_or(given) } else { self.expression(given) }
                },
            )
            .collect();
        match (&call.args[..], &kinds[..]) {
            ([list, item], [in_kind, item_kind]) if name == "contains" => {
                return self.contains((list, in_kind), (item, item_kind));
            }
            ([left, right], [left_kind, right_kind])
                if call.is_operator_call() || is_symbol(name) =>
            {
                for (side, other) in [(left_kind, right), (right_kind, left)] {
                    if *side == Kind::Whole
                        && range::number(other).is_some_and(|number| number.scale() == 3)
                    {
                        let message =
                            "this is compared with whole numbers; a thousand is written `1_000`";
                        self.warn(other.start_position(), message.to_owned());
                    }
                }
                if matches!(name, "==" | "!=") {
                    self.compared(left, left_kind, right);
                    self.compared(right, right_kind, left);
                }
                return self.operator(name, left_kind, right_kind, position);
            }
            ([side], [kind]) if is_symbol(name) => {
                let wanted = if name == "!" { Kind::Flag } else { Kind::Number };
                self.want(kind, &wanted, side.start_position(), &format!("`{name}`"));
                return if name == "!" { Kind::Flag } else { kind.clone() };
            }
            _ => {}
        }
        let own = &self.known.sheets.bodies;
        if own.iter().any(|own| own.name == name && own.parameters.len() == kinds.len()) {
            return Kind::Any;
        }
        if OUTCOMES.contains(&name) || name == "voucher" {
            self.gave = true;
            self.may_be_given(name, position);
            self.budgeted(call);
        }
        self.gift(call);
        let all: Vec<&'static Word> = functions(name).collect();
        let fits = |word: &&&Word| {
            word.takes.len() == kinds.len()
                && kinds.iter().zip(word.takes).all(|(found, wanted)| found.fits(wanted))
        };
        if let Some(word) = all.iter().find(fits).or_else(|| {
            all.iter().find(|word| word.takes.len() == kinds.len()).or_else(|| all.first())
        }) {
            self.arguments(word, &call.args, &kinds, position);
            if name == "voucher"
                && self.rule.is_some_and(|rule| rule.statement.gives == Kind::Number)
            {
                // There the code is an outcome, and no value.
                return Kind::Nothing;
            }
            return match (&word.gives, kinds.iter().cloned().reduce(Kind::or)) {
                (Kind::Number, Some(given)) => given,
                (gives, _) => gives.clone(),
            };
        }
        self.unknown_function(name, &kinds, position);
        Kind::Any
    }

    fn unknown_function(&mut self, name: &str, kinds: &[Kind], position: Position) {
        if !self.known.all_read {
            return;
        }
        let own = &self.known.sheets.bodies;
        if let Some(own) = own.iter().find(|own| own.name == name) {
            let list = own.parameters.join(", ");
            self.wrong(position, format!("`{name}` is written as `{name}({list})`"));
            return;
        }
        // Some word of what is in the brackets, written the other way round?
        if let Some(first) = kinds.first()
            && let Some(word) = words_of(first).find(|word| word.name == name)
        {
            self.wrong(position, format!("`{name}` is written as `{}`", word.example));
            return;
        }
        let own: Vec<String> = own.iter().map(|own| own.name.clone()).collect();
        let known = WORDS.iter().filter(|word| word.form == Form::Function).map(|word| word.name);
        let hint = did_you_mean(name, known.chain(own.iter().map(String::as_str)));
        self.wrong(position, format!("there is no function `{name}`{hint}"));
    }

    fn may_be_given(&mut self, name: &str, position: Position) {
        let message = match self.rule {
            None => Some(format!(
                "`{name}` stands in the rule itself and not in a function, so that the sheet shows what each rule gives"
            )),
            Some(_) if !self.may_give => {
                Some(format!("`{name}` stands in the block, not in a condition"))
            }
            Some(rule) if !rule.statement.outcomes.contains(&name) => {
                Some(format!("`{name}` cannot be given by `{}`", rule.statement.keyword))
            }
            Some(rule) if name == "refer" && rule.on.as_deref() == Some(REFERRAL) => {
                Some("a referral cannot refer once more".to_owned())
            }
            Some(_)
                if name == "refer" && !self.known.programme.activities.contains_key(REFERRAL) =>
            {
                Some("`refer` needs the activity: list it as [activities.referral]".to_owned())
            }
            Some(_) => None,
        };
        if let Some(message) = message {
            self.wrong(position, message);
        }
    }

    /// A campaign's budget counts units of the main wallet, and no others can be drawn from it.
    fn budgeted(&mut self, call: &FnCallExpr) {
        let programme = self.known.programme;
        let has_budget = self.rule.and_then(|rule| rule.budget(programme)).is_some();
        if let (true, "award", Some(Expr::StringConstant(wallet, position))) =
            (has_budget, call.name.as_str(), call.args.get(1))
            && wallet.as_str() != programme.main_wallet.as_str()
        {
            let main = &programme.main_wallet;
            let message =
                format!("the campaign has a budget of {main}; other units cannot be drawn from it");
            self.wrong(*position, message);
        }
    }

    /// A gift or an award that cannot be, as far as it is written out.
    fn gift(&mut self, call: &FnCallExpr) {
        use rust_decimal::Decimal;
        let Some(number) = call.args.first().and_then(range::number) else { return };
        let position = call.args.first().map_or(Position::NONE, Expr::start_position);
        match call.name.as_str() {
            "award" if number < Decimal::ZERO => {
                self.wrong(position, "units are given, and this is below zero".to_owned());
            }
            "discount" | "gift_card" | "payout" if number <= Decimal::ZERO => {
                self.wrong(position, format!("a gift of {number} is none; it is above zero"));
            }
            "percent_off" if number <= Decimal::ZERO || number > Decimal::ONE_HUNDRED => {
                let message = format!("{number} is no percentage; it is above 0 and at most 100");
                self.wrong(position, message);
            }
            _ => {}
        }
    }

    /// `item in list`.
    fn contains(
        &mut self,
        (list, in_kind): (&Expr, &Kind),
        (item, item_kind): (&Expr, &Kind),
    ) -> Kind {
        match in_kind {
            Kind::List(of) => {
                if let (Kind::Text(domain), Expr::Array(names, _)) = (item_kind, list) {
                    for name in names.iter() {
                        self.name(*domain, name);
                    }
                }
                let numbers = item_kind.may_be_number() && of.may_be_number();
                if !(numbers || item_kind.fits(of) || of.fits(item_kind)) {
                    let message =
                        format!("{} is never in a list of what is {}", item_kind.say(), of.say());
                    self.wrong(item.start_position(), message);
                }
            }
            Kind::Range => {
                self.want(item_kind, &Kind::Whole, item.start_position(), "`in` a range");
            }
            Kind::Text(_) => {
                self.want(
                    item_kind,
                    &Kind::Text(Domain::Free),
                    item.start_position(),
                    "`in` a text",
                );
            }
            Kind::Any => {}
            other => {
                let message = format!("`in` asks a list, a range or a text, not {}", other.say());
                self.wrong(list.start_position(), message);
            }
        }
        Kind::Flag
    }

    /// A text that is compared with a fact has to be one that the fact can be.
    fn compared(&mut self, _: &Expr, kind: &Kind, with: &Expr) {
        if let Kind::Text(domain) = kind {
            self.name(*domain, with);
        }
    }

    fn operator(&mut self, symbol: &str, left: &Kind, right: &Kind, position: Position) -> Kind {
        let numbers = left.may_be_number() && right.may_be_number();
        let texts = matches!((left, right), (Kind::Text(_), Kind::Text(_)));
        let unknown = *left == Kind::Any || *right == Kind::Any;
        let pair = || format!("{} and {}", left.say(), right.say());
        match symbol {
            "==" | "!=" => {
                let nothing = *left == Kind::Nothing || *right == Kind::Nothing;
                let flags = *left == Kind::Flag && *right == Kind::Flag;
                if !(numbers || texts || flags || unknown || nothing) {
                    self.wrong(position, format!("{} are never equal", pair()));
                }
                Kind::Flag
            }
            "<" | "<=" | ">" | ">=" => {
                if !(numbers || texts || unknown) {
                    self.wrong(position, format!("{} cannot be compared", pair()));
                }
                Kind::Flag
            }
            ".." | "..=" => {
                if !numbers {
                    self.wrong(
                        position,
                        format!("a range is between two whole numbers, not {}", pair()),
                    );
                }
                Kind::Range
            }
            "+" if matches!(left, Kind::Text(_)) || matches!(right, Kind::Text(_)) => {
                Kind::Text(Domain::Free)
            }
            "&" | "|" | "^" | "<<" | ">>" => {
                self.wrong(
                    position,
                    format!("`{symbol}` has no use here; `and` is written `&&`, `or` is `||`"),
                );
                Kind::Any
            }
            _ => {
                let may = unknown && may_calculate(left) && may_calculate(right);
                if !(numbers || may) {
                    self.wrong(position, format!("`{symbol}` cannot be done with {}", pair()));
                    return Kind::Any;
                }
                match (left, right) {
                    (Kind::Whole, Kind::Whole) => Kind::Whole,
                    (Kind::Amount, _) | (_, Kind::Amount) => Kind::Amount,
                    (Kind::Any, _) | (_, Kind::Any) => Kind::Any,
                    _ => Kind::Number,
                }
            }
        }
    }

    fn want(&mut self, found: &Kind, wanted: &Kind, position: Position, what: &str) {
        if !found.fits(wanted) {
            self.wrong(position, format!("{what} is {}, not {}", wanted.say(), found.say()));
        }
    }
}

fn may_calculate(kind: &Kind) -> bool {
    kind.may_be_number() || matches!(kind, Kind::Text(_) | Kind::Any)
}

fn is_symbol(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| !c.is_alphanumeric() && c != '_')
}

/// The variable that something is a part of.
fn root(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(name, ..) => Some(name.1.as_str()),
        Expr::Dot(inner, ..) | Expr::Index(inner, ..) => root(&inner.lhs),
        _ => None,
    }
}
