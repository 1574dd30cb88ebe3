//! What one activity sets in motion together. All that it changes is written in one transaction of a
//! hundred items, and each campaign with a budget, each contest and each pool of codes has its part
//! in that.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use ledger::Programme;
use ledger::programme::DaySpan;
use rhai::{ASTNode, Expr, Position, Stmt};

use crate::grammar::StatementKind;
use crate::mistake::Mistake;
use crate::sheet::{Rule, Sheets};

/// Campaigns with a budget that may run at the same time: what is left of each lies in 16 parts.
const BUDGETS_MAX: usize = 4;
/// Contests that may run at the same time: each is a score that is written.
const CONTESTS_MAX: usize = 10;
/// Pools that may be asked: an empty one is looked for in 16 parts.
const POOLS_MAX: usize = 8;

/// A thing that takes part on some days, and where it is named.
struct Part<'a> {
    name: &'a str,
    days: DaySpan,
    rule: &'a Rule,
}

/// Finds activities that set too much in motion.
pub(super) fn too_much(sheets: &Sheets, programme: &Programme) -> Vec<Mistake> {
    let mut on: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in &sheets.rules {
        on.entry(rule.on.as_deref().unwrap_or_default()).or_default().push(rule);
    }
    let mut mistakes = Vec::new();
    for (activity, rules) in &on {
        let days = |rule: &Rule| narrowed(rule, programme);
        let campaigns: Vec<Part<'_>> = rules
            .iter()
            .filter(|rule| rule.budget(programme).is_some())
            .filter_map(|rule| Some(Part { name: rule.during.as_deref()?, days: days(rule), rule }))
            .collect();
        let contests: Vec<Part<'_>> = rules
            .iter()
            .filter(|rule| rule.kind() == StatementKind::Contest)
            .map(|rule| Part { name: &rule.title, days: days(rule), rule })
            .collect();
        for (parts, most, what) in [
            (campaigns, BUDGETS_MAX, "campaigns with a budget"),
            (contests, CONTESTS_MAX, "contests"),
        ] {
            if let Some(last) = beyond(&parts, most) {
                let message = format!(
                    "at most {most} {what} can run at the same time on `{activity}`, and here is one more; give them days that do not overlap"
                );
                mistakes.push(Mistake::at(&last.rule.file, last.rule.position, message));
            }
        }
        let pools: Vec<(String, Position, &Rule)> =
            rules.iter().flat_map(|rule| pools_of(rule)).collect();
        let mut seen = BTreeSet::new();
        if let Some((_, position, rule)) = pools.iter().find(|(pool, ..)| {
            seen.insert(pool.as_str());
            seen.len() > POOLS_MAX
        }) {
            let message =
                format!("at most {POOLS_MAX} pools of codes can be asked at the same time");
            mistakes.push(Mistake::at(&rule.file, *position, message));
        }
    }
    mistakes
}

/// The days on which a rule and its campaign both are.
fn narrowed(rule: &Rule, programme: &Programme) -> DaySpan {
    let campaign = rule.during.as_ref().and_then(|name| programme.campaigns.get(name));
    let campaign = campaign.map(|campaign| campaign.days).unwrap_or_default();
    let ends = [rule.days.until, campaign.until];
    DaySpan { from: rule.days.from.max(campaign.from), until: ends.into_iter().flatten().min() }
}

/// The part by which there are more than so many on one day, each name counted once.
fn beyond<'p, 'a>(parts: &'p [Part<'a>], most: usize) -> Option<&'p Part<'a>> {
    let holds = |days: DaySpan, day: NaiveDate| {
        days.from.is_none_or(|from| from <= day) && days.until.is_none_or(|until| day <= until)
    };
    // There are never more than on the first day of one of them.
    let firsts = parts.iter().map(|part| part.days.from.unwrap_or(NaiveDate::MIN));
    firsts.into_iter().find_map(|day| {
        let mut names = BTreeSet::new();
        parts.iter().filter(|part| holds(part.days, day)).find(|part| {
            names.insert(part.name);
            names.len() > most
        })
    })
}

/// The pools that a rule names.
fn pools_of(rule: &Rule) -> Vec<(String, Position, &Rule)> {
    let mut pools = Vec::new();
    rule.body.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) =
            path.last()
            && call.name == "voucher"
            && let Some(Expr::StringConstant(pool, position)) = call.args.first()
        {
            pools.push((pool.to_string(), *position, rule));
        }
        true
    });
    pools
}
