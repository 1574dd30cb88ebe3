//! The check of how much one activity writes. All of its writes are one transaction of at most 100
//! items, and each campaign with a budget, each contest and each pool of codes adds items to it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use ledger::Programme;
use ledger::activity::REFERRAL;
use ledger::hold::HOLDS_MAX;
use ledger::programme::DaySpan;
use rhai::{ASTNode, Expr, Position, Stmt};

use crate::grammar::StatementKind;
use crate::mistake::Mistake;
use crate::rule::Rule;
use crate::sheet::Sheets;

/// The most codes that one activity may give. Each adds two writes to the request's transaction.
pub const CODES_MAX: usize = 5;
/// The most campaigns with a budget at the same time. Each budget is a shared limit in 16 parts.
const BUDGETS_MAX: usize = 3;
/// The most contests at the same time. Each writes a score.
const CONTESTS_MAX: usize = 10;
/// The most pools of codes at the same time. Finding out that one is empty reads its 16 parts.
const POOLS_MAX: usize = 8;

/// The most items that both sides of a referral write together: the parts of each budget, the
/// scores, two items for each code, the version and the due date of each member and of each one's
/// account, and the parts of stocks to which the expired holds of these four return their pieces.
const WRITES: usize = 16 * BUDGETS_MAX + CONTESTS_MAX + 2 * (2 * CODES_MAX) + 2 * 4 + 4 * HOLDS_MAX;
const _: () = assert!(WRITES <= 100, "a transaction has at most a hundred items");

/// A campaign, contest or pool of codes that a rule uses: its days, and the place that names it.
struct Part<'a> {
    name: String,
    days: DaySpan,
    rule: &'a Rule,
    position: Position,
}

impl<'a> Part<'a> {
    fn of(rule: &'a Rule, programme: &Programme, name: &str, position: Position) -> Part<'a> {
        Part { name: name.to_owned(), days: rule.days_of(programme), rule, position }
    }
}

/// Finds activities that would write too much.
pub(super) fn too_much(sheets: &Sheets, programme: &Programme) -> Vec<Mistake> {
    let mut on: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in &sheets.rules {
        if let Some(activity) = &rule.on {
            on.entry(activity).or_default().push(rule);
        }
    }
    // A referral is written in the transaction of the activity whose rule refers.
    let referral = on.get(REFERRAL).cloned().unwrap_or_default();
    for (activity, rules) in &mut on {
        if *activity != REFERRAL && rules.iter().any(|rule| !calls(rule, "refer").is_empty()) {
            rules.extend(&referral);
        }
    }
    let mut mistakes = Vec::new();
    for (activity, rules) in &on {
        let campaigns = rules.iter().filter(|rule| rule.budget(programme).is_some());
        let campaigns = campaigns.filter_map(|rule| {
            Some(Part::of(rule, programme, rule.during.as_deref()?, rule.position))
        });
        let contests = rules.iter().filter(|rule| rule.kind() == StatementKind::Contest);
        let contests = contests.map(|rule| Part::of(rule, programme, &rule.title, rule.position));
        let pools = rules.iter().flat_map(|rule| {
            let named = calls(rule, "voucher").into_iter();
            named
                .map(|(pool, position)| Part::of(rule, programme, &pool, position))
                .collect::<Vec<_>>()
        });
        let all: [(Vec<Part<'_>>, usize, &str); 3] = [
            (campaigns.collect(), BUDGETS_MAX, "campaigns with a budget"),
            (contests.collect(), CONTESTS_MAX, "contests"),
            (pools.collect(), POOLS_MAX, "pools of codes"),
        ];
        for (parts, most, what) in all {
            if let Some(last) = beyond(&parts, most) {
                let message = format!(
                    "at most {most} {what} can have a part in `{activity}` at the same time, and here is one more; give them days that do not overlap"
                );
                mistakes.push(Mistake::at(&last.rule.file, last.position, message));
            }
        }
    }
    mistakes
}

/// The first part that exceeds `most` on one day, each name counted once.
fn beyond<'p, 'a>(parts: &'p [Part<'a>], most: usize) -> Option<&'p Part<'a>> {
    // The number of parts is largest on the first day of one of them.
    let firsts = parts.iter().map(|part| part.days.from.unwrap_or(NaiveDate::MIN));
    firsts.into_iter().find_map(|day| {
        let mut names = BTreeSet::new();
        parts.iter().filter(|part| part.days.contains(day)).find(|part| {
            names.insert(part.name.as_str());
            names.len() > most
        })
    })
}

/// The literal first arguments of a rule's calls of a function, with their places; an empty text
/// for a call whose first argument is not a literal text.
fn calls(rule: &Rule, function: &str) -> Vec<(String, Position)> {
    let mut calls = Vec::new();
    rule.body.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) =
            path.last()
            && call.name == function
        {
            calls.push(match call.args.first() {
                Some(Expr::StringConstant(text, position)) => (text.to_string(), *position),
                _ => (String::new(), *at),
            });
        }
        true
    });
    calls
}
