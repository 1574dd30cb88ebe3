//! Undoing the effects of an entry that are not units: grants, tags, scores, codes.

use super::{is_undone, undone};
use crate::GrantEnd;
use crate::decision::Draft;
use crate::{Effect, Entry, EntryKind, HistorySlice, Member, Moment, Reason};

/// What has to be known to undo the effects of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    /// The member before the entry that is undone.
    pub before: &'a Member,
    /// The history from the original entry on, or from an earlier entry that was undone since.
    pub window: &'a HistorySlice,
    /// The entry that is undone.
    pub original: &'a Entry,
    /// What the rules give for what is left of the entry.
    pub kept: &'a [Reason],
}

/// Undoes the grants, tags, scores and codes in `given`, except those that the rules also give for
/// what is left of the entry.
pub fn withdraw(draft: &mut Draft, member: &Member, given: &[Reason], rights: Rights<'_>) {
    let Rights { before, window, original, kept } = rights;
    let left = kept;
    let mut kept: Vec<&Reason> = kept.iter().collect();
    for reason in given {
        if let Some(place) = kept.iter().position(|other| same(other, reason)) {
            kept.remove(place);
            continue;
        }
        let effect = match &reason.effect {
            Effect::Grant { grant, .. } => shortened(member, grant, window, original, left),
            Effect::Revoke { grant } => {
                let had = before.grants.get(grant).copied();
                let has_ended = !member.grants.contains_key(grant);
                had.filter(|_| has_ended).map(|until| Effect::Grant { grant: grant.clone(), until })
            }
            Effect::Tag { tag } => {
                member.tags.contains(tag).then(|| Effect::Untag { tag: tag.clone() })
            }
            Effect::Untag { tag } => {
                (!member.tags.contains(tag)).then(|| Effect::Tag { tag: tag.clone() })
            }
            Effect::Score { contest, units } => {
                let less = kept.iter().find_map(|other| match &other.effect {
                    Effect::Score { contest: same, units } if same == contest => Some(*units),
                    _ => None,
                });
                let back = units.checked_sub(less.unwrap_or_default()).unwrap_or_default();
                let has = member.scores.get(contest).copied().unwrap_or_default();
                let units = back.min(has);
                (!units.is_zero()).then(|| Effect::Unscore { contest: contest.clone(), units })
            }
            Effect::Voucher { pool, code } => {
                Some(Effect::Void { pool: pool.clone(), code: code.clone() })
            }
            Effect::Units { .. }
            | Effect::Reclaim { .. }
            | Effect::Void { .. }
            | Effect::Referral { .. }
            | Effect::Unscore { .. } => None,
        };
        let Reason { rule, source, .. } = reason.clone();
        draft.reasons.extend(effect.map(|effect| Reason { rule, source, effect }));
    }
}

fn same(one: &Reason, other: &Reason) -> bool {
    match (&one.effect, &other.effect) {
        // Two codes of one pool and one rule count as the same. A grant with another end does not.
        (Effect::Voucher { pool, .. }, Effect::Voucher { pool: same, .. }) => {
            pool == same && one.rule == other.rule
        }
        _ => one == other,
    }
}

/// The effect that sets a grant to what it would be without the time that the original entry added,
/// or with as much of it as is `kept`. It replays all additions of time in the window.
fn shortened(
    member: &Member,
    grant: &str,
    window: &HistorySlice,
    original: &Entry,
    kept: &[Reason],
) -> Option<Effect> {
    member.grants.get(grant)?;
    // The grant as it was, and as it would have been.
    let mut was = window.before.grants.get(grant).copied();
    let mut is = was;
    for entry in &window.entries {
        let at = match &entry.kind {
            EntryKind::Earn { activity } => activity.at,
            _ => entry.at,
        };
        let counts = entry.undoes().is_none() && !is_undone(entry, &window.entries);
        let stays = |reason: &Reason| match entry.seq == original.seq {
            true => kept.iter().any(|kept| kept.rule == reason.rule && is_alike(kept, reason)),
            false => counts && !is_withdrawn(entry, reason, grant, &window.entries),
        };
        for reason in &entry.reasons {
            match &reason.effect {
                Effect::Revoke { grant: other } if other == grant => {
                    was = None;
                    is = is.filter(|_| !stays(reason));
                }
                Effect::Grant { grant: other, until } if other == grant => {
                    if stays(reason) {
                        is = Some(added(was, is, *until, at));
                    }
                    was = Some(*until);
                }
                _ => {}
            }
        }
    }
    // The effect is recorded even if it does not change the end, because other entries gave the
    // grant too: a later return of one of those has to see that this rule's part was withdrawn.
    let name = grant.to_owned();
    Some(match is {
        None => Effect::Revoke { grant: name },
        Some(until) => Effect::Grant { grant: name, until },
    })
}

/// Whether a return of a part of the entry has withdrawn what a rule did to a grant.
fn is_withdrawn(entry: &Entry, reason: &Reason, grant: &str, since: &[Entry]) -> bool {
    let is_of_grant = |effect: &Effect| match effect {
        Effect::Grant { grant: other, .. } | Effect::Revoke { grant: other } => other == grant,
        _ => false,
    };
    let returns = since.iter().filter(|later| undone(later, entry.seq).is_some());
    let mut reasons = returns.flat_map(|later| &later.reasons);
    reasons.any(|later| later.rule == reason.rule && is_of_grant(&later.effect))
}

/// Whether two effects give the same grant, with any ends, or are equal.
fn is_alike(one: &Reason, other: &Reason) -> bool {
    match (&one.effect, &other.effect) {
        (Effect::Grant { grant, .. }, Effect::Grant { grant: same, .. }) => grant == same,
        (one, other) => one == other,
    }
}

/// The end of a grant whose end is `is`, after an addition of time that once took it from `was` to
/// `until`. `at` is when the time was added.
fn added(was: Option<GrantEnd>, is: Option<GrantEnd>, until: GrantEnd, at: Moment) -> GrantEnd {
    let GrantEnd::At(end) = until else { return GrantEnd::Never };
    // A grant that never expires has no end to add time to.
    let from = |had: Option<GrantEnd>| match had {
        Some(GrantEnd::At(end)) => Some(end.max(at)),
        Some(GrantEnd::Never) => None,
        None => Some(at),
    };
    match (from(was), from(is)) {
        (Some(was), Some(is)) => GrantEnd::At(is + end.signed_duration_since(was)),
        _ => until,
    }
}
