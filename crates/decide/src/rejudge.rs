//! Rejudge: activities for which a rule had failed are judged again, with the rule as it has been
//! mended since. Everything else of them is judged by the rules of their day.

use std::collections::BTreeSet;

use ledger::reverse::Reversals;
use ledger::{Decision, EntryKind, HistorySlice, Member, MissingData, Seq, Since};
use rules::{Bundle, Rule};

use crate::again::{Edit, derive};
use crate::context::Context;
use crate::earn::with_referrals;
use crate::referral::Referrals;
use crate::refusal::Undecided;

/// Whether a rule is the one that had this title by other rules.
#[must_use]
pub fn is_same(rule: &Rule, title: &str, by: &Bundle) -> bool {
    by.called(rule.kind(), title).is_some_and(|then| rule.stands_for(then))
}

/// Decides on judging the activities of some entries again: of those for which the rule failed, that
/// have not been undone, and that have not been judged again before. Nothing, if none is left. What is
/// written judges one activity at a time: all that several give need not fit into one write.
///
/// # Errors
/// The rule fails for one of them still, other rules without it are in force by now, or data is
/// missing.
pub fn rejudge(
    context: &Context<'_>,
    member: &Member,
    rule: &Rule,
    failed: &[Seq],
) -> Result<Option<Decision>, Undecided> {
    member.present()?;
    let in_force = context.bundle.called(rule.kind(), &rule.title);
    let rule = in_force.filter(|now| now.stands_for(rule)).ok_or_else(|| {
        rule.failure("other rules have been published meanwhile, which do not have it".to_owned())
    })?;
    let Some(first) = failed.iter().min() else { return Ok(None) };
    let since = Since { moment: context.now, entry: Some(*first) };
    let slice = context.data.slice_since(member, since)?;
    context.has_rules_of(&slice.rules)?;
    let mut left = left_of(context, member, rule, slice)?;
    left.retain(|seq| failed.contains(seq));
    if left.is_empty() {
        return Ok(None);
    }
    let (decision, referrals) = rejudge_alone(context, member, &rule.title, left)?;
    with_referrals(context, decision, referrals).map(Some)
}

/// Decides on judging activities again for one member alone. Also returns what follows for the
/// referrer.
///
/// # Errors
/// As [`rejudge`].
pub fn rejudge_alone(
    context: &Context<'_>,
    member: &Member,
    rule: &str,
    entries: Vec<Seq>,
) -> Result<(Decision, Referrals), Undecided> {
    derive(context, member, Edit::rejudged(rule, entries))
}

/// The entries of a slice for which a rule failed, that are not undone, and that have not been judged
/// again since.
fn left_of(
    context: &Context<'_>,
    member: &Member,
    rule: &Rule,
    slice: &HistorySlice,
) -> Result<Vec<Seq>, MissingData> {
    let decimals = context.programme().decimals();
    let reversals = Reversals::of(&slice.entries, member.seq.next(), &[], decimals);
    let all = || slice.entries.iter().zip(&slice.rules);
    let mut done = BTreeSet::new();
    let mut failed = BTreeSet::new();
    for (entry, hash) in all() {
        let by = context.rules_of(hash)?;
        match &entry.kind {
            EntryKind::Rejudge { rule: title, entries } if is_same(rule, title, by) => {
                done.extend(entries.iter().copied());
            }
            _ => {}
        }
        for (of, failure) in entry.failures() {
            let Some((of, hash)) = all().find(|(one, _)| one.seq == of) else { continue };
            let is_left = matches!(of.kind, EntryKind::Earn { .. }) && !reversals.is_undone(of.seq);
            if is_left && is_same(rule, &failure.rule, context.rules_of(hash)?) {
                failed.insert(of.seq);
            }
        }
    }
    Ok(failed.difference(&done).copied().collect())
}
