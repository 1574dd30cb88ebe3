//! The audit of one member: each entry must follow from the one before it by number and by hash,
//! and the wallets must be the sums of their postings.

use std::collections::BTreeMap;

use ledger::{
    Change, DerivedAgain, Effect, Entry, EntryKind, Member, Moment, Posting, PostingReason,
    PostingSide, Seq, Verb, WalletName,
};
use ledger::{Inactivity, Terms};
use store::{History, VersionLine};

use crate::drawn::Drawn;
use crate::{About, Fault};

/// Units by wallet and by how the lots expire. Whether a lot is available yet is not part of the
/// key: time makes it available without a posting.
type Sums = BTreeMap<(WalletName, Option<Moment>, Option<Inactivity>), i64>;

/// The first fault of a member; nothing for a sound member.
pub(crate) fn first_fault(history: &History) -> Option<Fault> {
    let fault = |entry: Seq, what: String| Fault {
        member: history.key.clone(),
        entry: Some(entry),
        what,
        about: About::Itself,
    };
    let forgotten = history.member().erased_at.is_some();
    let mut lots = Sums::new();
    let mut debts: BTreeMap<WalletName, i64> = BTreeMap::new();
    let mut drawn = Drawn::default();
    let mut previous = None;
    let mut before = &history.enrolled;
    let mut expected = Seq::FIRST;
    for line in &history.lines {
        let at = |what: String| Some(fault(line.seq, what));
        if line.seq != expected {
            let last = expected.previous().unwrap_or_default();
            return at(format!("the one before it is {last}"));
        }
        expected = expected.next();
        if line.previous != previous {
            return at("it does not follow from the one before it: that one is another".to_owned());
        }
        previous = Some(line.hash.clone());
        if let Some(what) = add_up(line, &mut lots, &mut debts) {
            return at(what);
        }
        let Some(version) = &line.version else {
            if forgotten {
                continue;
            }
            return at("nobody can read it, and the person was not forgotten".to_owned());
        };
        if let Some(what) = disagrees(&version.entry, before) {
            return at(what);
        }
        if let Some(what) = drawn.add(&version.entry).filter(|_| !forgotten) {
            return at(what);
        }
        let sealed_before = line.seq > Seq::FIRST && before.seq.next() != line.seq;
        let mut folded = before.clone();
        // The entries before the person was erased cannot be read, so only the sums are checked.
        if !sealed_before {
            if let Err(reason) = folded.apply(&version.entry) {
                return at(format!("the member as it was cannot have it: {reason}"));
            }
            // Erasing dropped the enrolment data too, so the member before the entry lacks it.
            let forgotten = matches!(version.entry.kind, EntryKind::Erase);
            if folded != version.member && !forgotten {
                return at("it makes another member than it says".to_owned());
            }
        }
        if let Some(what) = holds_other(&version.member, &lots, &debts) {
            return at(what);
        }
        if let Some(what) = records_another_balance(&version.entry, &version.member) {
            return at(what);
        }
        before = &version.member;
    }
    fault_of_all(history)
}

/// The first fault beyond a member's readable entries: an unreadable entry, an item that no member
/// has, or a wrong due date.
fn fault_of_all(history: &History) -> Option<Fault> {
    let fault = |entry: Option<Seq>, what: String| {
        let about = if entry.is_none() { About::Due } else { About::Itself };
        Fault { member: history.key.clone(), entry, what, about }
    };
    if let Some((seq, reason)) = &history.unreadable {
        return Some(fault(Some(*seq), reason.clone()));
    }
    if let Some(stray) = &history.stray {
        let what = format!("item `{stray}` lies among its own and is nothing that a member has");
        let about = About::Itself;
        return Some(Fault { member: history.key.clone(), entry: None, what, about });
    }
    let newest = history.versions().next_back().map(|version| version.due_at);
    if newest.is_some_and(|due_at| due_at != history.due_at) {
        return Some(fault(None, "its newest entry says another due date than it has".to_owned()));
    }
    let expires_at = history.member().due_at();
    if expires_at.is_some() && history.due_at.is_none_or(|due_at| Some(due_at) > expires_at) {
        let what =
            format!("something expires at {expires_at:?}, and it is due {:?}", history.due_at);
        return Some(fault(None, what));
    }
    None
}

/// Adds a version's postings to the sums. Returns the fault if a sum falls below zero.
fn add_up(
    line: &VersionLine,
    lots: &mut Sums,
    debts: &mut BTreeMap<WalletName, i64>,
) -> Option<String> {
    for posting in line.postings.iter().filter(|posting| !posting.shared) {
        let Posting { wallet, units, from, to, .. } = posting;
        for (side, sign) in [(from, -1), (to, 1)] {
            match side {
                None => {}
                Some(PostingSide::Debt) => {
                    *debts.entry(wallet.clone()).or_default() -= sign * units.get();
                }
                Some(PostingSide::Lot(terms)) => {
                    let key = (wallet.clone(), terms.expires_at, terms.inactivity);
                    *lots.entry(key).or_default() += sign * units.get();
                }
            }
        }
    }
    if let Some(((wallet, until, _), units)) = lots.iter().find(|(_, units)| **units < 0) {
        return Some(format!("{units} {wallet} are left of a lot that expires at {until:?}"));
    }
    let below = debts.iter().find(|(_, units)| **units < 0);
    below.map(|(wallet, units)| format!("{units} {wallet} are owed"))
}

/// The fault of an entry whose balances differ from the member's. An entry of a member with an
/// account is not checked, since it has the account's balances for shared wallets.
fn records_another_balance(entry: &Entry, member: &Member) -> Option<String> {
    let mut balances = entry.balances.iter().filter(|_| entry.account.is_none());
    balances.find_map(|(wallet, recorded)| {
        let has = member.spendable(wallet.as_str(), entry.at);
        (has != *recorded)
            .then(|| format!("it tells of {recorded} {wallet} to spend, and {has} there are"))
    })
}

/// The fault of a member whose wallets differ from the sums of its postings.
fn holds_other(member: &Member, lots: &Sums, debts: &BTreeMap<WalletName, i64>) -> Option<String> {
    let mut held = Sums::new();
    let mut owed: BTreeMap<WalletName, i64> = BTreeMap::new();
    for (name, wallet) in &member.wallets {
        for lot in wallet.lots() {
            let key = (name.clone(), lot.terms.expires_at, lot.terms.inactivity);
            *held.entry(key).or_default() += lot.units.get();
        }
        *owed.entry(name.clone()).or_default() += wallet.debt().get();
        // INVARIANT: balance = sum of open lots - debt = sum of all postings.
        let of_wallet = |sums: &Sums| -> i64 {
            sums.iter().filter(|((of, ..), _)| of == name).map(|(_, units)| units).sum()
        };
        let posted = of_wallet(lots) - debts.get(name).copied().unwrap_or_default();
        if wallet.posted() != posted {
            return Some(format!("it holds {} {name}, and {posted} were posted", wallet.posted()));
        }
    }
    let (held, lots) = (some(&held), some(lots));
    if held != lots {
        return Some(format!("it holds {held:?}, and {lots:?} were posted"));
    }
    let (owed, posted) = (some(&owed), some(debts));
    (owed != posted).then(|| format!("it owes {owed:?}, and {posted:?} were posted"))
}

fn some<K: Ord>(sums: &BTreeMap<K, i64>) -> BTreeMap<&K, i64> {
    sums.iter().filter(|(_, units)| **units != 0).map(|(key, units)| (key, *units)).collect()
}

/// Units by wallet, without the wallets that come to zero.
type Units<'a> = BTreeMap<&'a WalletName, i64>;

fn units<'a>(of: impl IntoIterator<Item = (&'a WalletName, i64)>) -> Units<'a> {
    let mut sums = Units::new();
    for (wallet, units) in of {
        *sums.entry(wallet).or_default() += units;
    }
    sums.retain(|_, units| *units != 0);
    sums
}

fn moved(postings: &[Posting]) -> Units<'_> {
    units(postings.iter().map(|posting| (&posting.wallet, posting.change())))
}

/// The fault of an entry whose postings differ from what its kind and its reasons say.
fn disagrees(entry: &Entry, before: &Member) -> Option<String> {
    let moved = moved(&entry.postings);
    let due = match (&entry.kind, &entry.again) {
        // What an account says of a member's difference is compared with the member's entry.
        (EntryKind::Share { .. }, _) => moved.clone(),
        (_, Some(again)) => derived_again(entry, again),
        (kind, None) => due_of(entry, kind, &moved),
    };
    if moved != due {
        return Some(format!("it moved {}, and stands for {}", in_words(&moved), in_words(&due)));
    }
    if let Some(why) = reason_of_another(entry) {
        return Some(format!("it moves units as {why:?}, which no such entry does"));
    }
    if let Some((wallet, units)) = moved_as(entry, &[PostingReason::Expired], |terms| {
        terms.expires_at.is_none_or(|at| at > entry.at)
    }) {
        return Some(format!("it takes {units} {wallet} before they expire"));
    }
    let is_spending = matches!(entry.kind, EntryKind::Redeem { .. } | EntryKind::Hold { .. })
        && entry.again.is_none();
    let spends = [PostingReason::Spent, PostingReason::Held];
    let spent_at = entry.happened_at();
    let cannot_be_spent = |terms: &Terms| {
        terms.expires_at.is_some_and(|at| at <= spent_at)
            || terms.available_at.is_some_and(|at| at > spent_at)
    };
    if is_spending && let Some((wallet, units)) = moved_as(entry, &spends, cannot_be_spent) {
        return Some(format!("it spends {units} {wallet} that cannot be spent"));
    }
    if let EntryKind::Capture { hold, .. } | EntryKind::Release { hold } = &entry.kind
        && before.holds.get(hold).is_none_or(|hold| hold.until <= entry.at)
    {
        return Some(format!("there is no hold `{hold}` at that moment"));
    }
    None
}

/// What an entry stands for that changes nothing about earlier ones.
fn due_of<'a>(entry: &'a Entry, kind: &'a EntryKind, moved: &Units<'a>) -> Units<'a> {
    let given = entry.reasons.iter().filter_map(|reason| given(&reason.effect));
    match kind {
        EntryKind::Earn { .. } => units(given),
        EntryKind::Redeem { reward, .. } | EntryKind::Capture { reward, .. } => {
            units(given.chain([(&reward.wallet, -reward.costs.get())]))
        }
        EntryKind::Hold { .. }
        | EntryKind::Release { .. }
        | EntryKind::Join { .. }
        | EntryKind::Leave { .. }
        | EntryKind::Remind { .. }
        | EntryKind::Reverse { .. }
        | EntryKind::Rejudge { .. }
        | EntryKind::Erase => Units::new(),
        EntryKind::Expire => moved
            .iter()
            .filter(|(_, units)| **units < 0)
            .map(|(wallet, units)| (*wallet, *units))
            .collect(),
        EntryKind::Adjust { .. } | EntryKind::Transfer { .. } | EntryKind::Share { .. } => {
            moved.clone()
        }
    }
}

/// The wallet and the units of the first posting that takes units, for one of `reasons`, out of a
/// lot whose terms pass `of`.
fn moved_as<'e>(
    entry: &'e Entry,
    reasons: &[PostingReason],
    of: impl Fn(&Terms) -> bool,
) -> Option<(&'e WalletName, i64)> {
    let moved = entry.postings.iter().filter(|posting| reasons.contains(&posting.why));
    let mut moved = moved.filter(|posting| posting.from_lot().is_some_and(&of));
    moved.next().map(|posting| (&posting.wallet, posting.units.get()))
}

/// The reason of the first posting that changes a balance for a reason that entries of this kind do
/// not have.
fn reason_of_another(entry: &Entry) -> Option<PostingReason> {
    use PostingReason as R;
    let verb = match &entry.kind {
        EntryKind::Share { moved, .. } => *moved,
        kind => kind.verb(),
    };
    if entry.again.is_some() {
        return None;
    }
    let own: &[PostingReason] = match verb {
        Verb::Earn => &[R::Issued],
        Verb::Redeem | Verb::Capture => &[R::Issued, R::Spent],
        Verb::Adjust => &[R::Adjusted],
        Verb::Transfer => &[R::Transferred],
        Verb::Expire => &[R::Expired],
        Verb::Hold
        | Verb::Release
        | Verb::Reverse
        | Verb::Rejudge
        | Verb::Join
        | Verb::Leave
        | Verb::Share
        | Verb::Remind
        | Verb::Erase => &[],
    };
    let mut moved = entry.postings.iter().filter(|posting| posting.change() != 0);
    moved.find(|posting| !own.contains(&posting.why)).map(|posting| posting.why)
}

fn given(outcome: &Effect) -> Option<(&WalletName, i64)> {
    match outcome {
        Effect::Units { wallet, units } => Some((wallet, units.get())),
        Effect::Reclaim { wallet, units } => Some((wallet, -units.get())),
        _ => None,
    }
}

/// The units that an entry moves that makes earlier ones different: what rules give more, what
/// rewards and staff no longer take, what had expired before it could be taken back or is back, and
/// what came late and has expired since.
fn derived_again<'a>(entry: &'a Entry, again: &'a DerivedAgain) -> Units<'a> {
    let given = entry.all_reasons().filter_map(|reason| given(&reason.effect));
    let restored = again.restored.iter().map(|(wallet, units)| (wallet, *units));
    let expired = entry.changes.iter().filter_map(expired_otherwise);
    let gone = entry.postings.iter().filter(|posting| posting.why == PostingReason::Expired);
    let gone = gone.map(|posting| (&posting.wallet, posting.change()));
    units(given.chain(restored).chain(expired).chain(gone))
}

fn expired_otherwise(change: &Change) -> Option<(&WalletName, i64)> {
    match change {
        Change::Unrecoverable { wallet, units, .. } | Change::Revived { wallet, units, .. } => {
            Some((wallet, units.get()))
        }
        _ => None,
    }
}

fn in_words(units: &Units<'_>) -> String {
    let words = units.iter().map(|(wallet, units)| format!("{units} {wallet}"));
    match words.collect::<Vec<_>>().join(" and ") {
        none if none.is_empty() => "nothing".to_owned(),
        words => words,
    }
}
