//! Entries that happen again to a member whose history is another one by now.
//!
//! What left the house stays: rewards, prices, units that were given or taken by hand, what went from
//! member to member. So such an entry keeps its units and takes them from the lots that are there;
//! what is missing is owed. What the rules gave for an activity is not replayed but judged again,
//! which is not done here.

use std::collections::BTreeMap;

use crate::decision::{Credit, Draft, GiveRejection};
use crate::delivery::share_of;
use crate::hold::set_all_free;
use crate::redeem::spent;
use crate::terms::{HoldId, Terms};
use crate::{
    Change, Decision, Effect, Entry, EntryKind, GrantEnd, Lot, Member, Moment, Posting,
    PostingReason, PostingSide, Programme, Reason, RedeemedReward, Units, Wallet, WalletName, earn,
    expire,
};

/// Makes an entry happen again to `member`. `was` is the member before the same entry by the history
/// as it was. An earn that was told too late gives what it gave; another earn has to be judged.
///
/// # Errors
/// The entry cannot happen to the member.
pub fn replay(
    member: &Member,
    was: &Member,
    programme: &Programme,
    entry: &Entry,
) -> Result<Decision, GiveRejection> {
    let now = entry.happened_at();
    let mut draft = Draft {
        reasons: shifted(member, was, &entry.reasons, now),
        changes: entry.changes.iter().filter(|change| counts(change)).cloned().collect(),
        withdrawals: entry.withdrawals.clone(),
        notes: entry.notes.clone(),
        ..Draft::default()
    };
    match &entry.kind {
        EntryKind::Expire => return expire::decide(member, programme, now),
        EntryKind::Earn { activity } => {
            let (activity, share) = (activity.clone(), share_of(entry));
            return earn::entry(member, programme, activity, share, draft, now);
        }
        EntryKind::Redeem { reward, .. } => {
            let wallet = &reward.wallet;
            draft.postings =
                taken(member, programme, wallet, reward.costs, PostingReason::Spent, now);
        }
        EntryKind::Hold { hold, until, reward, .. } => {
            draft.postings = held(member, reward, hold, *until, now);
        }
        EntryKind::Capture { hold, reward, .. } => {
            capture(&mut draft, member, programme, hold, reward, now);
        }
        EntryKind::Release { hold } => set_all_free(&mut draft, member, hold, now),
        EntryKind::Adjust { .. } if let Some(again) = &entry.again => {
            by_hand(&mut draft, member, programme, &again.restored, now);
        }
        EntryKind::Adjust { .. }
        | EntryKind::Transfer { .. }
        | EntryKind::Share { .. }
        | EntryKind::Reverse { .. }
        | EntryKind::Rejudge { .. } => return movements(member, programme, entry, now),
        EntryKind::Join { .. }
        | EntryKind::Leave { .. }
        | EntryKind::Remind { .. }
        | EntryKind::Erase => {}
    }
    draft.decide(member, programme, entry.kind.clone(), now)
}

/// What staff gave or took by an entry that was told late. Its postings are the difference that it
/// made to a history, and not what it gave.
fn by_hand(
    draft: &mut Draft,
    member: &Member,
    programme: &Programme,
    restored: &BTreeMap<WalletName, i64>,
    now: Moment,
) {
    let why = PostingReason::Adjusted;
    for (wallet, units) in restored {
        let Some(policy) = programme.wallets.get(wallet) else { continue };
        if *units < 0 {
            let units = Units::part(-units);
            draft.postings.extend(taken(member, programme, wallet, units, why, now));
        } else {
            let terms = policy.terms(now, programme.time_zone);
            let lot = Lot { units: Units::part(*units), terms };
            draft.credits.push(Credit { wallet: wallet.clone(), lot, why });
        }
    }
}

/// Makes an entry happen again by its movements of units alone, in the wallets that it moved them in:
/// what staff or members did by hand, or what somebody else did in the wallets of an account.
///
/// # Errors
/// The entry cannot happen to the member.
pub fn movements(
    member: &Member,
    programme: &Programme,
    entry: &Entry,
    now: Moment,
) -> Result<Decision, GiveRejection> {
    let mut moving =
        Moving { programme, now, wallets: member.at(now).wallets, draft: Draft::default() };
    for posting in &entry.postings {
        moving.again(posting);
    }
    moving.draft.decide(member, programme, entry.kind.clone(), now)
}

fn counts(change: &Change) -> bool {
    match change {
        Change::Counted { .. }
        | Change::Uncounted { .. }
        | Change::Triggered { .. }
        | Change::Awaited { .. }
        | Change::Arrived { .. }
        | Change::DeliveredInPart { .. } => true,
        Change::Progressed { .. }
        | Change::GrantExpired { .. }
        | Change::HoldExpired { .. }
        | Change::Carried { .. }
        | Change::Unrecoverable { .. }
        | Change::Revived { .. } => false,
    }
}

/// The reasons of an entry with the time that they add to grants, counted from the ends that the
/// grants have by now.
fn shifted(member: &Member, was: &Member, reasons: &[Reason], at: Moment) -> Vec<Reason> {
    let shift = |reason: &Reason| {
        let effect = match &reason.effect {
            Effect::Grant { grant, until } => {
                let had = |member: &Member| member.grants.get(grant).copied();
                let until = added(had(was), had(member), *until, at);
                Effect::Grant { grant: grant.clone(), until }
            }
            other => other.clone(),
        };
        Reason { effect, ..reason.clone() }
    };
    reasons.iter().map(shift).collect()
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

/// Units that are taken from the lots that can be spent; what is missing is owed.
fn taken(
    member: &Member,
    programme: &Programme,
    wallet: &WalletName,
    units: Units,
    why: PostingReason,
    now: Moment,
) -> Vec<Posting> {
    let mut lots = member.at(now).wallet(wallet.as_str()).clone();
    let (taken, missing) = lots.take_some(units, |terms| terms.is_spendable(now));
    let taken = taken.into_iter().map(|lot| Posting::out_of_lot(wallet.clone(), lot, why));
    taken.chain(owed(programme, wallet, missing, why)).collect()
}

/// Units that are owed, at what a unit of the wallet is worth.
fn owed(
    programme: &Programme,
    wallet: &WalletName,
    units: Units,
    why: PostingReason,
) -> Option<Posting> {
    let worth = programme.wallets.get(wallet).and_then(|policy| policy.worth);
    let lot = Lot { units, terms: Terms { worth, ..Terms::default() } };
    (!units.is_zero()).then(|| Posting::out_of_debt(wallet.clone(), lot, why))
}

/// A hold of as many units as are there.
fn held(
    member: &Member,
    reward: &RedeemedReward,
    hold: &HoldId,
    until: Moment,
    now: Moment,
) -> Vec<Posting> {
    let wallet = &reward.wallet;
    let mut lots = member.at(now).wallet(wallet.as_str()).clone();
    let (taken, _) = lots.take_some(reward.costs, |terms| terms.is_spendable(now));
    let move_to_hold = |lot: Lot| {
        let held = Some(hold.clone());
        let to = Terms { available_at: Some(until), held, ..lot.terms.clone() };
        Posting::between_lots(wallet.clone(), lot, to, PostingReason::Held)
    };
    taken.into_iter().map(move_to_hold).collect()
}

/// The price of a captured hold out of what it holds; what is missing is owed, and what is left over
/// is released.
fn capture(
    draft: &mut Draft,
    member: &Member,
    programme: &Programme,
    hold: &HoldId,
    reward: &RedeemedReward,
    now: Moment,
) {
    let mut present = member.at(now);
    let wallet = present.wallets.entry(reward.wallet.clone()).or_default();
    let is_held = |terms: &Terms| terms.held.as_ref() == Some(hold);
    let (taken, missing) = wallet.take_some(reward.costs, is_held);
    draft.postings.extend(taken.into_iter().map(|lot| spent(&reward.wallet, lot)));
    draft.postings.extend(owed(programme, &reward.wallet, missing, PostingReason::Spent));
    set_all_free(draft, &present, hold, now);
}

/// The movements of one entry, made again one by one.
struct Moving<'a> {
    programme: &'a Programme,
    now: Moment,
    /// The wallets after the movements so far.
    wallets: BTreeMap<WalletName, Wallet>,
    draft: Draft,
}

impl Moving<'_> {
    fn again(&mut self, posting: &Posting) {
        let Posting { wallet, units, why, from, to, .. } = posting;
        match (from, to) {
            // Whatever comes in pays debt, and activity extends: that follows by itself.
            _ if matches!(why, PostingReason::DebtPaid | PostingReason::Extended) => {}
            (None, _) => {
                let terms = posting.came_with().cloned().unwrap_or_default();
                let lot = Lot { units: *units, terms };
                self.draft.credits.push(Credit { wallet: wallet.clone(), lot, why: *why });
            }
            (Some(side), None) => {
                let (taken, missing) = self.take(wallet, side, *units, *why);
                let out = |lot| Posting::out_of_lot(wallet.clone(), lot, *why);
                self.draft.postings.extend(taken.into_iter().map(out));
                // What has expired otherwise is not owed.
                let missing = if *why == PostingReason::Expired { Units::ZERO } else { missing };
                self.draft.postings.extend(owed(self.programme, wallet, missing, *why));
            }
            (Some(side), Some(PostingSide::Lot(to))) => {
                let (taken, _) = self.take(wallet, side, *units, *why);
                let between = |lot| Posting::between_lots(wallet.clone(), lot, to.clone(), *why);
                self.draft.postings.extend(taken.into_iter().map(between));
            }
            // Debt that a lot paid is paid by what is there.
            (Some(_), Some(PostingSide::Debt)) => {}
        }
    }

    /// Takes units out of the lot that they once came from. What is spent, held or given away comes
    /// from the lots that can be spent now, and so does what that lot does not have.
    fn take(
        &mut self,
        wallet: &WalletName,
        side: &PostingSide,
        units: Units,
        why: PostingReason,
    ) -> (Vec<Lot>, Units) {
        let now = self.now;
        let lots = self.wallets.entry(wallet.clone()).or_default();
        let can_be_spent = |terms: &Terms| terms.is_spendable(now);
        match side {
            PostingSide::Lot(from) => {
                let is_same = |terms: &Terms| *terms == from.clone().matured(now) || terms == from;
                let anew = from.held.is_none()
                    && matches!(
                        why,
                        PostingReason::Spent
                            | PostingReason::Held
                            | PostingReason::Adjusted
                            | PostingReason::Transferred
                    );
                if anew {
                    return lots.take_some(units, can_be_spent);
                }
                let (mut taken, missing) = lots.take_some(units, is_same);
                if why == PostingReason::Reclaimed {
                    let (more, missing) = lots.take_some(missing, can_be_spent);
                    taken.extend(more);
                    return (taken, missing);
                }
                (taken, missing)
            }
            PostingSide::Debt => lots.take_some(units, can_be_spent),
        }
    }
}
