//! The grammar of the statements of a sheet. A statement is a keyword, a title, clauses in any
//! order, and a block. [`STATEMENTS`] and [`CLAUSES`] are the whole grammar: the reader follows
//! them, and the reference is generated from them.

use std::cell::Cell;
use std::collections::VecDeque;

use rhai::{
    Dynamic, Engine, EvalAltResult, ImmutableString, LexError, ParseError, Position, Token,
};

use crate::kind::Kind;
use crate::suggest::did_you_mean;

/// The kinds of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// It pays units for an activity.
    Earn,
    /// It pays for a goal or a streak.
    Task,
    /// It adds to a score on a leaderboard.
    Contest,
    /// It names a tier and its condition.
    Tier,
    /// It names something that units can buy.
    Reward,
    /// It names something that a member has by tier or grant, without paying.
    Benefit,
}

/// One kind of statement.
pub(crate) struct Statement {
    pub(crate) kind: StatementKind,
    pub(crate) keyword: &'static str,
    /// The clauses that it needs: one of each inner list.
    pub(crate) needs: &'static [&'static [&'static str]],
    pub(crate) may_have: &'static [&'static str],
    /// The facts that its rules see.
    pub(crate) facts: &'static [&'static str],
    /// The functions by which its block may request effects.
    pub(crate) effects: &'static [&'static str],
    /// The kind of its block's value.
    pub(crate) gives: Kind,
    pub(crate) says: &'static str,
    pub(crate) example: &'static str,
}

/// One clause.
pub(crate) struct Clause {
    pub(crate) word: &'static str,
    pub(crate) form: &'static str,
    pub(crate) says: &'static str,
}

const DAYS: [&str; 3] = ["from", "until", "during"];

/// All statements.
pub(crate) static STATEMENTS: [Statement; 6] = [
    Statement {
        kind: StatementKind::Earn,
        keyword: "earn",
        needs: &[&["on"]],
        may_have: &["when", "into", "at", "named", DAYS[0], DAYS[1], DAYS[2]],
        facts: &["member", "order", "activity", "now", "points"],
        effects: &["award", "grant", "revoke", "tag", "untag", "voucher", "refer"],
        gives: Kind::Number,
        says: "What an activity pays. All earn rules of the activity are asked in their order, and each that applies pays.",
        example: "earn \"Breakfast on weekends\" on purchase when now.weekend && now.hour < 11 { 15 }",
    },
    Statement {
        kind: StatementKind::Task,
        keyword: "task",
        needs: &[&["on"], &["goal", "streak"]],
        may_have: &["when", "counting", "into", "at", "named", DAYS[0], DAYS[1], DAYS[2]],
        facts: &["member", "order", "activity", "now"],
        effects: &["award", "grant", "revoke", "tag", "untag", "voucher", "refer"],
        gives: Kind::Number,
        says: "A goal with progress. Each activity that meets its condition counts; completing it pays, and the next round begins.",
        example: "task \"Five visits in a week\" on purchase goal 5 within 7 days { award(50); grant(\"Regular\", 30.days) }",
    },
    Statement {
        kind: StatementKind::Contest,
        keyword: "contest",
        needs: &[&["on"]],
        may_have: &["when", "at", "named", DAYS[0], DAYS[1], DAYS[2]],
        facts: &["member", "order", "activity", "now"],
        effects: &[],
        gives: Kind::Number,
        says: "A score that is compared with other members' on a leaderboard. The block says by how much the score grows.",
        example: "contest \"Most cups in July\" on purchase from 2026-07-01 until 2026-07-31 { order.quantity(\"coffee\") }",
    },
    Statement {
        kind: StatementKind::Tier,
        keyword: "tier",
        needs: &[],
        may_have: &[],
        facts: &["member"],
        effects: &[],
        gives: Kind::Flag,
        says: "A tier, the lowest first. The last one whose condition holds is the member's.",
        example: "tier \"Silver\" { wallet(\"status\") >= 500 }",
    },
    Statement {
        kind: StatementKind::Reward,
        keyword: "reward",
        needs: &[&["costs"]],
        may_have: &["when", "at", "stock", "named", DAYS[0], DAYS[1], DAYS[2]],
        facts: &["member", "order", "now", "units"],
        effects: &["grant", "revoke", "tag", "untag", "voucher"],
        gives: Kind::Gift,
        says: "What units buy.",
        example: "reward \"five-off\" costs 400 when order.total >= 20.00 at most 1 per week { discount(5.00) }",
    },
    Statement {
        kind: StatementKind::Benefit,
        keyword: "benefit",
        needs: &[],
        may_have: &["when", DAYS[0], DAYS[1], DAYS[2]],
        facts: &["member", "order", "now"],
        effects: &[],
        gives: Kind::Gift,
        says: "What a member has by standing, and does not pay for.",
        example: "benefit \"Free delivery\" when member.tier == \"Gold\" { free_shipping() }",
    },
];

/// All clauses, in the order in which they are best read.
pub(crate) static CLAUSES: [Clause; 13] = [
    Clause {
        word: "on",
        form: "on purchase",
        says: "the activity that it is about; the manifest lists them",
    },
    Clause { word: "when", form: "when CONDITION", says: "applies only where the condition holds" },
    Clause {
        word: "counting",
        form: "counting order.quantity(\"coffee\")",
        says: "how much one activity counts; 1 if not said",
    },
    Clause {
        word: "goal",
        form: "goal 5 within 7 days",
        says: "complete when so much has been counted, in all or within so many days",
    },
    Clause {
        word: "streak",
        form: "streak 3 months",
        says: "complete after at least one activity in each of so many days, weeks or months in a row",
    },
    Clause {
        word: "costs",
        form: "costs 100 to 5_000 points",
        says: "how many units it costs, or from how many to how many the member may choose (`units`), and from which wallet",
    },
    Clause {
        word: "into",
        form: "into stamps",
        says: "the wallet that is paid into; the main one if not said",
    },
    Clause {
        word: "at",
        form: "at most 2 per week",
        says: "how often it may give something to one member: per day, week, month or year, or `at most 1 ever`; of a task the rounds that it pays. `at most 100 points per day` is how many units an earn rule pays: of the payment that would be more, the rest",
    },
    Clause { word: "stock", form: "stock 20", says: "how many there are for all members together" },
    Clause { word: "from", form: "from 2026-06-01", says: "the first day" },
    Clause { word: "until", form: "until 2026-08-31", says: "the last day, included" },
    Clause {
        word: "during",
        form: "during summer",
        says: "a campaign of the manifest, with its days and its budget",
    },
    Clause {
        word: "named",
        form: "named \"Breakfast\"",
        says: "the name under which members' counts, progress and scores are kept; the title if not said. Whoever changes a title writes the old one here, and nothing is forgotten",
    },
];

/// The meaning of one input of a parsed statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Title,
    Named,
    On,
    When,
    Counting,
    Goal,
    Within,
    WithinUnit,
    Streak,
    StreakPeriod,
    Into,
    Most,
    MostWallet,
    Per,
    Costs,
    CostsMost,
    CostsWallet,
    Stock,
    /// The year (0), month (1) or day (2).
    From(usize),
    Until(usize),
    During,
    Body,
}

/// How the engine spells the end of a text.
const END: &str = "{EOF}";

/// A symbol that the current clause still needs.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// Exactly this word.
    Word(&'static str),
    /// An input of a kind that the engine defines, such as `$int$`.
    Input(&'static str, Role),
    /// A name, with or without quotes.
    Name(Role),
}

/// The state of reading one statement. It stays with the parsed statement, so that `sheet` knows
/// the role of each input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(crate) roles: Vec<Role>,
    clauses: Vec<&'static str>,
    wanted: VecDeque<Wanted>,
    done: bool,
}

impl Reading {
    fn next(
        &mut self,
        statement: &Statement,
        found: &str,
    ) -> Result<Option<ImmutableString>, ParseError> {
        if self.done {
            return Ok(None);
        }
        if self.roles.is_empty() {
            self.wanted.push_back(Wanted::Input("$string$", Role::Title));
        } else if self.wanted.is_empty() {
            self.clause(statement, found)?;
        }
        let Some(wanted) = self.wanted.pop_front() else { return Ok(None) };
        let (symbol, role) = match wanted {
            Wanted::Word(word) => (word, None),
            Wanted::Input(symbol, role) => (symbol, Some(role)),
            Wanted::Name(role) if found.starts_with('"') => ("$string$", Some(role)),
            Wanted::Name(role) if is_word(found) && !is_reserved(found) => ("$ident$", Some(role)),
            Wanted::Name(_) => {
                let message = if is_word(found) {
                    format!(
                        "`{found}` is a word of the language; as a name it is written \"{found}\""
                    )
                } else {
                    format!("a name is missing before {}", say_found(found))
                };
                return Err(mistake(found, message));
            }
        };
        if role == Some(Role::Body) {
            self.done = true;
        }
        self.roles.extend(role);
        Ok(Some(symbol.into()))
    }

    /// Continues the current clause with an optional part, or begins the clause that the next word
    /// opens.
    #[expect(clippy::too_many_lines, reason = "a table of cases: one for each word of a clause")]
    fn clause(&mut self, statement: &Statement, found: &str) -> Result<(), ParseError> {
        use Wanted::{Input, Name, Word};
        let last = self.roles.last().copied();
        let goes_on: Option<&[Wanted]> = match (last, found) {
            // The cap: `at most 3 per week`, `at most 1 ever`, `at most 100 points per day`.
            (Some(Role::Most | Role::MostWallet), "per") => {
                Some(&[Word("per"), Input("$ident$", Role::Per)])
            }
            (Some(Role::Most | Role::MostWallet), "ever") => Some(&[Input("$ident$", Role::Per)]),
            (Some(Role::Most), word)
                if word.starts_with('"') || (is_word(word) && !self.opens(statement, word)) =>
            {
                Some(&[Name(Role::MostWallet)])
            }
            (Some(Role::Most | Role::MostWallet), _) => {
                let message = format!(
                    "`per day`, `per week` or the like is missing before {}",
                    say_found(found)
                );
                return Err(mistake(found, message));
            }
            (Some(Role::Goal), "within") => Some(&[Word("within"), Input("$int$", Role::Within)]),
            // `7 days` and `7.days` are the same.
            (Some(Role::Within | Role::Streak), ".") => Some(&[Word(".")]),
            (Some(Role::Within), _) => Some(&[Input("$ident$", Role::WithinUnit)]),
            (Some(Role::Streak), word) if !is_word(word) || self.opens(statement, word) => {
                let message = "`days`, `weeks` or `months` is missing: `streak 3 months`";
                return Err(mistake(found, message.to_owned()));
            }
            (Some(Role::Streak), _) => Some(&[Input("$ident$", Role::StreakPeriod)]),
            (Some(Role::Costs), "to") => Some(&[Word("to"), Input("$int$", Role::CostsMost)]),
            (Some(Role::Costs | Role::CostsMost), "gives") => {
                return Err(mistake(found, self.expected(statement, found)));
            }
            (Some(Role::Costs | Role::CostsMost), word)
                if word.starts_with('"') || (is_word(word) && !self.opens(statement, word)) =>
            {
                Some(&[Name(Role::CostsWallet)])
            }
            _ => None,
        };
        if let Some(wanted) = goes_on {
            self.wanted.extend(wanted);
            return Ok(());
        }
        let wanted: &[Wanted] = match found {
            "{" => {
                self.check_needs(statement)?;
                &[Input("$block$", Role::Body)]
            }
            word => {
                let Some(clause) = CLAUSES.iter().find(|clause| clause.word == word) else {
                    return Err(mistake(found, self.expected(statement, word)));
                };
                if self.clauses.contains(&clause.word) {
                    return Err(mistake(found, format!("`{word}` stands here twice")));
                }
                let rivals = [
                    ("goal", "streak"),
                    ("streak", "goal"),
                    ("counting", "streak"),
                    ("streak", "counting"),
                ];
                if let Some((_, rival)) = rivals
                    .iter()
                    .find(|(word, rival)| *word == clause.word && self.clauses.contains(rival))
                {
                    let message = format!(
                        "`{word}` and `{rival}` do not go together: a streak is so many periods in a row, and a goal is a number"
                    );
                    return Err(mistake(found, message));
                }
                if !may_stand(statement, clause.word) {
                    return Err(mistake(
                        found,
                        format!(
                            "`{word}` has no meaning in `{}`: {}",
                            statement.keyword,
                            self.expected(statement, word)
                        ),
                    ));
                }
                self.clauses.push(clause.word);
                match clause.word {
                    "on" => &[Word("on"), Name(Role::On)],
                    "when" => &[Word("when"), Input("$expr$", Role::When)],
                    "counting" => &[Word("counting"), Input("$expr$", Role::Counting)],
                    "goal" => &[Word("goal"), Input("$int$", Role::Goal)],
                    "streak" => &[Word("streak"), Input("$int$", Role::Streak)],
                    "into" => &[Word("into"), Name(Role::Into)],
                    "at" => &[Word("at"), Word("most"), Input("$int$", Role::Most)],
                    "costs" => &[Word("costs"), Input("$int$", Role::Costs)],
                    "stock" => &[Word("stock"), Input("$int$", Role::Stock)],
                    "during" => &[Word("during"), Name(Role::During)],
                    "named" => &[Word("named"), Name(Role::Named)],
                    "from" => &[
                        Word("from"),
                        Input("$int$", Role::From(0)),
                        Word("-"),
                        Input("$int$", Role::From(1)),
                        Word("-"),
                        Input("$int$", Role::From(2)),
                    ],
                    _ => &[
                        Word("until"),
                        Input("$int$", Role::Until(0)),
                        Word("-"),
                        Input("$int$", Role::Until(1)),
                        Word("-"),
                        Input("$int$", Role::Until(2)),
                    ],
                }
            }
        };
        self.wanted.extend(wanted);
        Ok(())
    }

    /// Whether the word opens a clause that this statement may have and does not have yet.
    fn opens(&self, statement: &Statement, word: &str) -> bool {
        may_stand(statement, word) && !self.clauses.contains(&word)
    }

    fn check_needs(&self, statement: &Statement) -> Result<(), ParseError> {
        let had = |clause: &&str| self.clauses.contains(clause);
        match statement.needs.iter().find(|one_of| !one_of.iter().any(had)) {
            None => Ok(()),
            Some(missing) => {
                let list: Vec<String> =
                    missing.iter().map(|clause| format!("`{clause}`")).collect();
                Err(mistake("{", format!("{} is missing before `{{`", list.join(" or "))))
            }
        }
    }

    fn expected(&self, statement: &Statement, found: &str) -> String {
        // One clause of each list of alternatives is enough.
        let had = |clause: &&str| self.clauses.contains(clause);
        let needs = statement.needs.iter().filter(|one_of| !one_of.iter().any(had));
        let open: Vec<&str> = needs
            .flat_map(|one_of| one_of.iter())
            .chain(statement.may_have)
            .copied()
            .filter(|clause| !had(clause))
            .collect();
        let say = |clause: &&str| {
            if *clause == "at" { "`at most`".to_owned() } else { format!("`{clause}`") }
        };
        let list: Vec<String> = open.iter().map(say).chain(["`{`".to_owned()]).collect();
        let hint = match found {
            "-" => "; a name with `-` in it is written in double quotes".to_owned(),
            "and" if self.clauses.last() == Some(&"into") => {
                "; a rule pays into one wallet, so write one for each".to_owned()
            }
            "give" | "gives" | "pay" | "pays" => {
                let block = match statement.kind {
                    StatementKind::Reward | StatementKind::Benefit => "{ product(\"Coffee\") }",
                    _ => "{ 5 }",
                };
                format!("; what it gives stands in a block: `{block}`")
            }
            "is" | "equals" => "; equal is written `==`".to_owned(),
            "between" => "; write `now.hour >= 5 && now.hour < 9`".to_owned(),
            END if self.clauses.last() == Some(&"when") => {
                "; after `when` stands a condition, and then the block".to_owned()
            }
            "and" | "AND" => "; write `&&` for it".to_owned(),
            "or" | "OR" => "; write `||` for it".to_owned(),
            ":" if self.clauses.last() == Some(&"when") => {
                "; a time of day is asked as `now.time < \"11:30\"`".to_owned()
            }
            "daily" | "weekly" | "monthly" | "yearly" | "only" | "twice" | "per" => {
                "; write `at most 1 per day`, or the like".to_owned()
            }
            "->" | "=" if self.clauses.last() == Some(&"costs") => {
                "; what it gives stands in a block: `{ product(\"Coffee\") }`".to_owned()
            }
            "EUR" | "USD" | "euro" | "euros" | "dollar" | "dollars" => {
                "; amounts are written without a currency".to_owned()
            }
            "once" => "; write `at most 1 per day`, or `at most 1 ever`".to_owned(),
            "=" => "; equal is written `==`, at most `<=`".to_owned(),
            "=>" => "; at least is written `>=`".to_owned(),
            "=<" => "; at most is written `<=`".to_owned(),
            "if" => "; write `when` for it".to_owned(),
            "," if matches!(self.clauses.last(), Some(&("on" | "into"))) => {
                "; one stands here, so write a rule for each".to_owned()
            }
            "," if self.clauses.last() == Some(&"when") => {
                "; two conditions are joined by `&&`; an amount is written with a point: `20.00`"
                    .to_owned()
            }
            "," => "; an amount is written with a point: `20.00`, a thousand as `1_000`".to_owned(),
            "max" | "maximum" | "limit" => "; write `at most 1 per week`".to_owned(),
            "in" => "; write `within 7 days`".to_owned(),
            "%" => "; 10 % of an amount is `percent(order.total, 10)`".to_owned(),
            "(" => "; a block stands in `{ }`".to_owned(),
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                "; a block stands in `{ }`".to_owned()
            }
            _ => did_you_mean(found, open),
        };
        format!("expected {}, found {}{hint}", list.join(" or "), say_found(found))
    }
}

fn may_stand(statement: &Statement, clause: &str) -> bool {
    statement.needs.iter().any(|one_of| one_of.contains(&clause))
        || statement.may_have.contains(&clause)
}

fn say_found(found: &str) -> String {
    let found = found.strip_suffix(INNER).unwrap_or(found);
    if found == END { "the end of the sheet".to_owned() } else { format!("`{found}`") }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_reserved(word: &str) -> bool {
    is_keyword(word) || Token::lookup_symbol_from_syntax(word).is_some()
}

/// Whether a word begins a clause.
pub(crate) fn is_clause(word: &str) -> bool {
    CLAUSES.iter().any(|clause| clause.word == word)
}

pub(crate) fn is_keyword(word: &str) -> bool {
    STATEMENTS.iter().any(|statement| statement.keyword == word)
}

fn mistake(found: &str, message: String) -> ParseError {
    LexError::ImproperSymbol(found.to_owned(), message).into_err(Position::NONE)
}

/// The engine's name for a statement's keyword. It differs from the keyword, so that the keyword
/// can also be a name after a dot: `member.tier`.
pub(crate) fn inner_name(keyword: &str) -> String {
    format!("{keyword}{INNER}")
}

const INNER: &str = "_statement";

/// The reader's position in a sheet.
#[derive(Clone, Copy, Default)]
struct Here {
    /// Whether the previous token was a dot.
    after_dot: bool,
    /// The number of open brackets. Statements stand outside all brackets.
    depth: usize,
}

thread_local! {
    static HERE: Cell<Here> = const { Cell::new(Here { after_dot: false, depth: 0 }) };
}

/// Resets the reader's position. Call it before reading a text: the previous text may have ended
/// inside a bracket.
pub(crate) fn begin() {
    HERE.set(Here::default());
}

/// Registers every statement with an engine. The engine only parses statements: `sheet` splits them
/// into parts, and the parts run one by one.
pub(crate) fn register(engine: &mut Engine) {
    for statement in &STATEMENTS {
        engine.register_custom_syntax_with_state_raw(
            inner_name(statement.keyword),
            move |_, found, state: &mut Dynamic| {
                if state.is_unit() {
                    *state = Dynamic::from(Reading::default());
                }
                match state.write_lock::<Reading>() {
                    Some(mut reading) => reading.next(statement, found),
                    None => Err(mistake(found, "the statement cannot be read".to_owned())),
                }
            },
            false,
            move |_, _, _| {
                let message =
                    format!("`{}` stands by itself, not inside a block", statement.keyword);
                Err(Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE)))
            },
        );
    }
    #[expect(deprecated, reason = "it is not deprecated, but marked as apt to change")]
    engine.on_parse_token(|token, _, _| {
        let here = HERE.get();
        let token = match token {
            Token::Identifier(word) if here.depth == 0 && !here.after_dot && is_keyword(&word) => {
                Token::Identifier(Box::new(inner_name(&word).into()))
            }
            // A sheet that writes the engine's inner name does not mean the statement.
            Token::Identifier(word) | Token::Custom(word) if word.ends_with(INNER) => {
                let message = format!("`{word}` is not known here");
                Token::LexError(Box::new(LexError::ImproperSymbol(word.to_string(), message)))
            }
            token => token,
        };
        let depth = match token {
            Token::LeftBrace | Token::LeftParen | Token::LeftBracket => here.depth + 1,
            Token::RightBrace | Token::RightParen | Token::RightBracket => {
                here.depth.saturating_sub(1)
            }
            _ => here.depth,
        };
        HERE.set(Here { after_dot: matches!(token, Token::Period | Token::Elvis), depth });
        token
    });
}
