//! Reverse: an earlier entry is undone, in full or in part, by the rules that judged it then.

/// The decision data of an earlier decision.
mod data_then;
/// The part of the history that a reversal needs.
mod past;
/// The state of a reversal.
mod undoing;
/// The tier that follows from a reversal.
mod tier;
/// The units that a reversal takes back or gives.
mod units;

use std::collections::BTreeSet;

use ledger::decision::{Draft, GiveRejection};
use ledger::entry::Returned;
use ledger::programme::OnFailure;
use ledger::reverse::{self, ReverseRejection, Wanted};
use ledger::{
    Activity, Change, Decision, Effect, Entry, EntryKind, Member, MemberId, MissingData, Reason,
    Seq, WalletName,
};
use rules::Bundle;

pub use self::data_then::data_then;
use self::past::{compensated, history_window};
use self::tier::with_tier_put_right;
use self::undoing::{AccountPast, Undoing};
use crate::context::Context;
use crate::earn::earn_on_own_wallets;
use crate::pipeline::{Sharing, on_wallets_shared_as, with_due_date};
use crate::refusal::{Refusal, Undecided};

/// A request to undo an entry.
#[derive(Debug, Clone, Copy)]
pub struct Reversal<'a> {
    /// The rules that judged the entry.
    pub judged_by: &'a Bundle,
    /// The seq of the entry.
    pub entry: Seq,
    /// The part of its order that is returned; nothing to undo everything that is left of it.
    pub wanted: Option<&'a Wanted>,
}

/// Decides on a reversal: of everything that is left of an entry, or of a part of its order. A
/// reversal that undoes a referral also undoes the referrer's entry.
///
/// # Errors
/// The entry cannot be reversed, a rule failed, or data is missing.
pub fn reverse(
    context: &Context<'_>,
    member: &Member,
    reversal: Reversal<'_>,
) -> Result<Decision, Undecided> {
    let (mut decision, referral) = reverse_alone(context, member, reversal)?;
    if let Some(ReferralEntry { referrer, entry }) = referral
        && let Some(referrer) = context.data.member(&referrer)?
    {
        // The referrer's entry is reversed together with the friend's purchase.
        match reverse_alone(context, referrer, Reversal { entry, wanted: None, ..reversal }) {
            Ok((mut other, _)) => {
                let ids = |decision: &Decision| -> BTreeSet<MemberId> {
                    let others = decision.others.iter().map(|other| other.member.id.clone());
                    others.chain([decision.member.id.clone()]).collect()
                };
                // If both decisions now change the same member or account, because the wallets
                // have been shared since, the referrer's entry stays.
                if ids(&decision).is_disjoint(&ids(&other)) {
                    decision.others.append(&mut other.others);
                    decision.others.push(other);
                }
            }
            Err(Undecided::Refused(
                Refusal::Reverse(ReverseRejection::EntryIsReversedAlready(_)) | Refusal::Erased(_),
            )) => {}
            Err(undecided) => return Err(undecided),
        }
    }
    Ok(decision)
}

/// The referrer's entry of a referral, which is reversed together with the friend's purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralEntry {
    /// The referrer.
    pub referrer: MemberId,
    /// The seq of the entry.
    pub entry: Seq,
}

/// Decides on a reversal for one member alone. Also returns the referral to undo, if there is one.
///
/// # Errors
/// As [`reverse`].
pub fn reverse_alone(
    context: &Context<'_>,
    member: &Member,
    reversal: Reversal<'_>,
) -> Result<(Decision, Option<ReferralEntry>), Undecided> {
    let Reversal { judged_by, entry, wanted } = reversal;
    let (data, programme) = (context.data, judged_by.programme());
    member.present()?;
    let window = history_window(member, entry, data, |entry| entry.undoes().into_iter())?;
    let broken = |of: &Member| {
        let id = of.id.clone();
        move |reason| Refusal::Give(GiveRejection::EntryDoesNotApply { member: id, reason })
    };
    let past = window.from(entry).map_err(broken(member))?;
    let (original, since) = past
        .entries
        .split_first()
        .ok_or_else(|| MissingData::HistorySlice { member: member.id.clone(), entry })?;
    let account = match &original.account {
        None => None,
        Some(of) => match data.member(&of.account)? {
            // The history of an erased person cannot be read.
            Some(account) if account.erased_at.is_none() => {
                let window = history_window(account, of.entry, data, compensated)?;
                let past = window.from(of.entry).map_err(broken(account))?;
                Some((of.entry, window, past))
            }
            _ => None,
        },
    };
    let before = match &account {
        None => past.before.clone(),
        Some((.., account)) => {
            ledger::account::view(&past.before, &account.before, programme, original.at)
        }
    };
    let account = account.as_ref().map(|(entry, window, past)| AccountPast {
        entry: *entry,
        window,
        active_at: past.before.active_at,
    });
    let now = context.now;
    let undoing = Undoing { judged_by, before: &before, original, since, window, account, now };
    let mut referral = None;
    // Units go back to the wallets that were shared then, whether or not they are shared now.
    let account = original.account.as_ref().map(|of| &of.account);
    let sharing = Sharing { programme, account };
    let decision = on_wallets_shared_as(context, sharing, member, |member| match &original.kind {
        EntryKind::Earn { .. } => {
            let (decision, of_referrer) = undo_earn(context, &undoing, member, wanted)?;
            referral = of_referrer;
            Ok(decision)
        }
        _ => undo_redemption(context, &undoing, member, wanted),
    })?;
    // A return is never blocked by a rule: if a tier's condition fails, the tier stays.
    let decision = match with_tier_put_right(context, &undoing, member, decision.clone()) {
        Err(Undecided::Refused(Refusal::RuleFailed(failure))) => {
            let mut decision = decision;
            decision.entry.notes.push(failure.note());
            decision
        }
        other => other?,
    };
    Ok((with_due_date(context, decision), referral))
}

fn undo_earn(
    context: &Context<'_>,
    undoing: &Undoing<'_>,
    member: &Member,
    wanted: Option<&Wanted>,
) -> Result<(Decision, Option<ReferralEntry>), Undecided> {
    let Undoing { judged_by, before, original, since, window, now, .. } = *undoing;
    reverse::can_be_taken_back(original)?;
    let decimals = judged_by.programme().decimals();
    let was = reverse::left_of(original, since, decimals)?;
    let left = match wanted {
        None => None,
        Some(wanted) => reverse::lessened(original, since, wanted, decimals)?,
    };
    let (left, returned): (Option<Activity>, Option<Returned>) = left.unzip();
    // Judge what was left of the order before this return, and what is left after it.
    let data = data_then(judged_by, before, original);
    let then = Context { bundle: judged_by, data: &data, now: original.at };
    let judge = |activity: &Activity| -> Result<Entry, Undecided> {
        // A return is never blocked by a rule.
        let event = activity.clone().into();
        Ok(earn_on_own_wallets(&then, before, event, OnFailure::Record)?.0.entry)
    };
    let first = judge(&was)?;
    let next = left.as_ref().map(judge).transpose()?;
    let reasons = next.as_ref().map_or(&[][..], |entry| &entry.reasons);
    let changes = next.as_ref().map_or(&[][..], |entry| &entry.changes);
    let withdrawals = next.as_ref().map_or(&[][..], |entry| &entry.withdrawals);

    let broken = |reason| GiveRejection::of(&member.id, reason);
    let mut draft = Draft::default();
    undoing.move_units(&mut draft, member, &was, reasons, changes)?;
    reverse::uncount(&mut draft, original, changes, since);
    reverse::replay(&mut draft, window, original, changes, context.programme()).map_err(broken)?;
    let bought = reverse::bought(member, window, original, &was, left.as_ref()).map_err(broken)?;
    draft.changes.extend(bought);
    draft.changes.extend(no_longer_awaited(member, original));
    let rights = reverse::Rights { before, window, original, kept: reasons };
    reverse::withdraw(&mut draft, member, &first.reasons, rights);
    reverse::put_back(&mut draft, original, withdrawals, since);

    let referral_lost = referral_of(&original.reasons).filter(|_| referral_of(reasons).is_none());
    let kind = EntryKind::Reverse { of: original.seq, returned };
    let decision = draft.decide(member, context.programme(), kind, now, now)?;
    Ok((decision, referral_lost))
}

/// The end of a delivery that was kept for its order, if the entry is that of the delivery.
fn no_longer_awaited(member: &Member, original: &Entry) -> Option<Change> {
    let awaited = original.changes.iter().filter_map(|change| match change {
        Change::Awaited { early } => Some(early.clone()),
        _ => None,
    });
    let deliveries: Vec<_> = awaited.filter(|early| member.early.contains(early)).collect();
    (!deliveries.is_empty()).then_some(Change::Arrived { deliveries })
}

/// The referral among the reasons, if a rule gave one.
fn referral_of(reasons: &[Reason]) -> Option<ReferralEntry> {
    reasons.iter().find_map(|reason| match &reason.effect {
        Effect::Referral { referrer, entry } => {
            Some(ReferralEntry { referrer: referrer.clone(), entry: *entry })
        }
        _ => None,
    })
}

fn undo_redemption(
    context: &Context<'_>,
    undoing: &Undoing<'_>,
    member: &Member,
    wanted: Option<&Wanted>,
) -> Result<Decision, Undecided> {
    let Undoing { judged_by, before, original, since, window, now, .. } = *undoing;
    reverse::can_be_given_back(original, since)?;
    if wanted.is_some() {
        return Err(ReverseRejection::EntryHasNoOrder(original.seq).into());
    }
    let mut draft = Draft::default();
    let of = |wallet: &WalletName| undoing.since(wallet);
    reverse::give_back(&mut draft, judged_by.programme(), original, of);
    reverse::uncount(&mut draft, original, &[], since);
    let rights = reverse::Rights { before, window, original, kept: &[] };
    reverse::withdraw(&mut draft, member, &original.reasons, rights);
    reverse::put_back(&mut draft, original, &[], since);
    if let EntryKind::Capture { of, .. } = &original.kind {
        reverse::undo_hold(&mut draft, of);
    }
    let kind = EntryKind::Reverse { of: original.seq, returned: None };
    Ok(draft.decide(member, context.programme(), kind, now, now)?)
}
