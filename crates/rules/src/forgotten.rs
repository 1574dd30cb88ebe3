//! What new rules would forget of what members have. It is kept under the names of rules, so a title
//! that changes without a name, or a streak of another period, begins anew.

use ledger::calendar::Period;
use ledger::cap::Counted;
use ledger::task::Goal;

use crate::bundle::Bundle;
use crate::grammar::StatementKind;
use crate::rule::Rule;

/// Says in words what would be forgotten if the new rules took the place of the old ones; nothing if
/// all is kept. A rule that is removed, with no new one that could be the same, is meant to go.
#[must_use]
pub fn forgotten(old: &Bundle, new: &Bundle) -> Vec<String> {
    let mut said = Vec::new();
    for was in old.all_rules() {
        let Some(kept) = kept(old, was) else { continue };
        let same_kind = || new.rules_of(was.kind()).map(|(_, rule)| rule);
        match same_kind().find(|rule| rule.name == was.name) {
            Some(rule) => {
                said.extend(streak(old, new, was, rule));
                said.extend(counted(was, rule));
            }
            None => {
                let is_new = |rule: &&Rule| !old.all_rules().any(|known| known.name == rule.name);
                let could_be = same_kind().filter(|rule| rule.on == was.on).filter(is_new);
                let alike = |rule: &&Rule| strsim::jaro(&rule.title, &was.title);
                if let Some(rule) = could_be.max_by(|a, b| alike(a).total_cmp(&alike(b))) {
                    said.push(format!(
                        "{} `{}` at {} is no more, and `{}` at {} is new: {kept} would be forgotten. If they are the same, write `named {:?}` after the new title",
                        was.keyword(), was.title, was.source, rule.title, rule.source, was.name
                    ));
                }
            }
        }
    }
    said
}

/// What members have that is kept under the name of a rule.
fn kept(bundle: &Bundle, rule: &Rule) -> Option<&'static str> {
    let into = rule.into.as_ref().unwrap_or(&bundle.programme().main_wallet);
    let carries = bundle.programme().wallets.get(into).is_some_and(|policy| policy.carry);
    match rule.kind() {
        StatementKind::Task => Some("how far each member is with it"),
        StatementKind::Contest => Some("every score"),
        StatementKind::Reward if rule.stock.is_some() => Some("how many of it were taken"),
        StatementKind::Earn | StatementKind::Reward if rule.cap.is_some() => {
            Some("how often each member has had it")
        }
        StatementKind::Earn if carries => Some("the fractions that members carry over"),
        _ => None,
    }
}

/// Whether what a cap has counted would be taken for something else.
fn counted(was: &Rule, is: &Rule) -> Option<String> {
    let (before, after) = (was.cap?.counts, is.cap?.counts);
    let one = match (before, after) {
        (Counted::Times, Counted::Units) => "each time that it paid would count as one unit",
        (Counted::Units, Counted::Times) => "each unit that it paid would count as one time",
        (Counted::Times, Counted::Times) | (Counted::Units, Counted::Units) => return None,
    };
    let (keyword, title, source) = (is.keyword(), &is.title, &is.source);
    Some(format!("{keyword} `{title}` at {source}: its cap counts something else now, and {one}"))
}

/// Whether streaks would begin anew: their periods are found by their first moments.
fn streak(old: &Bundle, new: &Bundle, was: &Rule, is: &Rule) -> Option<String> {
    let period = |rule: &Rule| match rule.goal {
        Some(Goal::Streak { period, .. }) => Some(period),
        _ => None,
    };
    let (before, zone) = (period(was)?, old.programme().time_zone);
    let because = if period(is) != Some(before) {
        let word = Period::ALL.iter().find(|(_, period)| *period == before);
        format!("it is no streak of {}s any more", word.map_or("period", |(word, _)| word))
    } else if new.programme().time_zone != zone {
        format!("the time zone is {} instead of {zone}", new.programme().time_zone)
    } else {
        return None;
    };
    Some(format!(
        "task `{}` at {}: {because}, so running streaks would be forgotten",
        is.title, is.source
    ))
}
