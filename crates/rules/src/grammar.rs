//! The statements of a sheet: how they are written. Each is a keyword, a title, clauses in any
//! order, and a block:
//!
//! ```text
//! earn   "title" on ACTIVITY [when CONDITION] [into WALLET] [at most N per PERIOD] { units }
//! tier   "title" { condition }
//! reward "name"  costs N [WALLET] [when CONDITION] { what it gives }
//! ```

use std::collections::VecDeque;

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, Expression, ImmutableString, LexError, ParseError,
    Position,
};

use crate::facts::{MemberFacts, wallet};
use crate::mistake::{did_you_mean, plain_types};

/// What one input of a parsed statement stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Title,
    On,
    When,
    Into,
    Most,
    Per,
    Costs,
    CostsWallet,
    Body,
}

/// The clauses that a statement can have, each by its first word.
pub(crate) struct Statement {
    pub(crate) keyword: &'static str,
    needs: &'static [&'static str],
    may_have: &'static [&'static str],
}

pub(crate) const EARN: Statement =
    Statement { keyword: "earn", needs: &["on"], may_have: &["when", "into", "at"] };
pub(crate) const TIER: Statement = Statement { keyword: "tier", needs: &[], may_have: &[] };
pub(crate) const REWARD: Statement =
    Statement { keyword: "reward", needs: &["costs"], may_have: &["when"] };

/// How the engine spells the end of a text.
const END: &str = "{EOF}";

/// How far a statement has been read. It stays with the statement, so that the sheet knows what
/// each of its inputs stands for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(crate) roles: Vec<Role>,
    clauses: Vec<String>,
    /// Symbols that the clause at hand still wants.
    wanted: VecDeque<(&'static str, Option<Role>)>,
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
            self.wanted.push_back(("$string$", Some(Role::Title)));
        } else if self.wanted.is_empty() {
            self.clause(statement, found)?;
        }
        let Some((symbol, role)) = self.wanted.pop_front() else { return Ok(None) };
        self.roles.extend(role);
        Ok(Some(symbol.into()))
    }

    /// Begins the clause that the next word opens.
    fn clause(&mut self, statement: &Statement, found: &str) -> Result<(), ParseError> {
        let open_cap = self.roles.last() == Some(&Role::Most);
        let wanted: &[(&str, Option<Role>)] = match found {
            // How often it may pay: `at most 3 per week`, `at most 1 ever`.
            "per" if open_cap => &[("per", None), ("$ident$", Some(Role::Per))],
            "ever" if open_cap => &[("$ident$", Some(Role::Per))],
            _ if open_cap => {
                return Err(mistake(
                    found,
                    format!("`per day`, `per week` or the like is missing before `{found}`"),
                ));
            }
            "{" => {
                if let Some(missing) = statement
                    .needs
                    .iter()
                    .find(|clause| !self.clauses.iter().any(|had| had == *clause))
                {
                    return Err(mistake(found, format!("`{missing}` is missing before `{{`")));
                }
                self.done = true;
                &[("$block$", Some(Role::Body))]
            }
            clause if statement.needs.contains(&clause) || statement.may_have.contains(&clause) => {
                if self.clauses.iter().any(|had| had == clause) {
                    return Err(mistake(found, format!("`{clause}` stands here twice")));
                }
                self.clauses.push(clause.to_owned());
                match clause {
                    "on" => &[("on", None), ("$ident$", Some(Role::On))],
                    "when" => &[("when", None), ("$expr$", Some(Role::When))],
                    "into" => &[("into", None), ("$ident$", Some(Role::Into))],
                    "at" => &[("at", None), ("most", None), ("$int$", Some(Role::Most))],
                    _ => &[("costs", None), ("$int$", Some(Role::Costs))],
                }
            }
            // The wallet that pays may follow the number.
            word if self.roles.last() == Some(&Role::Costs) && is_word(word) => {
                &[("$ident$", Some(Role::CostsWallet))]
            }
            word => return Err(mistake(found, self.expected(statement, word))),
        };
        self.wanted.extend(wanted);
        Ok(())
    }

    fn expected(&self, statement: &Statement, found: &str) -> String {
        let open: Vec<&str> = statement
            .needs
            .iter()
            .chain(statement.may_have)
            .copied()
            .filter(|clause| !self.clauses.iter().any(|had| had == clause))
            .collect();
        let list: Vec<String> = open
            .iter()
            .map(
                |clause| {
                    if *clause == "at" { "`at most`".to_owned() } else { format!("`{clause}`") }
                },
            )
            .chain(["`{`".to_owned()])
            .collect();
        let found_text =
            if found == END { "the end of the sheet".to_owned() } else { format!("`{found}`") };
        format!("expected {}, found {found_text}{}", list.join(" or "), did_you_mean(found, open))
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn mistake(found: &str, message: String) -> ParseError {
    LexError::ImproperSymbol(found.to_owned(), message).into_err(Position::NONE)
}

/// Teaches an engine one kind of statement. The statement is only read: the sheet takes it apart,
/// and its parts are run one by one.
pub(crate) fn register_statement(engine: &mut Engine, statement: &'static Statement) {
    engine.register_custom_syntax_with_state_raw(
        statement.keyword,
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
            let message = format!("`{}` stands by itself, not inside a block", statement.keyword);
            Err(Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE)))
        },
    );
}

/// Teaches an engine `wallet("points")`. It is syntax and not a function because a function of the
/// engine cannot see which member is asked about.
pub(crate) fn register_wallet(engine: &mut Engine) -> Result<(), ParseError> {
    engine.register_custom_syntax(
        ["wallet", "(", "$expr$", ")"],
        false,
        |context: &mut EvalContext, inputs: &[Expression]| {
            let Some(input) = inputs.first() else { return Ok(Dynamic::UNIT) };
            let position = input.position();
            let at = |mut error: Box<EvalAltResult>| {
                error.set_position(position);
                error
            };
            let name = context.eval_expression_tree(input)?;
            let name = name.into_immutable_string().map_err(|found| {
                let message =
                    format!("`wallet` wants a name in double quotes, not {}", plain_types(found));
                at(Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE)))
            })?;
            let member = context.scope().get_value::<MemberFacts>("member").ok_or_else(|| {
                let message = "there is no member here; ask for the wallet in the rule itself";
                at(Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE)))
            })?;
            wallet(&member, &name).map(Dynamic::from).map_err(at)
        },
    )?;
    Ok(())
}
