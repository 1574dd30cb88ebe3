//! One member: its entries in their order, each following from the one before by number and by hash,
//! and its wallets added up from their postings alone.

use std::collections::BTreeMap;

use ledger::wallet::{Inactivity, Terms};
use ledger::{Change, Effect, Entry, EntryKind, Member, Moment, Posting, WalletName};
use store::{History, VersionLine};

use crate::{About, Fault};

/// What tells sums apart: the wallet, and when its lots run out. Whether a lot can be spent yet is a
/// matter of time and not of sums.
type Sums = BTreeMap<(WalletName, Option<Moment>, Option<Inactivity>), i64>;

/// The first thing that is wrong with a member; nothing should be.
pub(crate) fn first_fault(history: &History) -> Option<Fault> {
    let fault = |entry: Option<u64>, what: String| {
        let about = if entry.is_none() { About::Due } else { About::Itself };
        Fault { member: history.at.clone(), entry, what, about }
    };
    let forgotten = history.member().erased_at.is_some();
    let mut lots = Sums::new();
    let mut debts: BTreeMap<WalletName, i64> = BTreeMap::new();
    let mut previous = None;
    let mut before = &history.enrolled;
    for (expected, line) in (1..).zip(&history.lines) {
        let at = |what: String| Some(fault(Some(line.seq), what));
        if line.seq != expected {
            return at(format!("the one before it is {}", expected - 1));
        }
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
        if let Some(what) = disagrees(&version.entry, before, &history.lines) {
            return at(what);
        }
        let sealed_before = line.seq > 1 && before.version.checked_add(1) != Some(line.seq);
        let mut folded = before.clone();
        // What was before a person was forgotten cannot be read: the sums alone tell then.
        if !sealed_before {
            if folded.apply(&version.entry).is_none() {
                return at("the member as it was cannot have it".to_owned());
            }
            // Who is forgotten has nothing of its own from the first.
            let forgotten = matches!(version.entry.kind, EntryKind::Erase);
            if folded != version.member && !forgotten {
                return at("it makes another member than it says".to_owned());
            }
        }
        if let Some(what) = holds_other(&version.member, &lots, &debts) {
            return at(what);
        }
        if let Some(what) = tells_other(&version.entry, &version.member) {
            return at(what);
        }
        before = &version.member;
    }
    if let Some((seq, reason)) = &history.unreadable {
        return Some(fault(Some(*seq), reason.clone()));
    }
    if let Some(stray) = &history.stray {
        let what = format!("item `{stray}` lies among its own and is nothing that a member has");
        let about = About::Itself;
        return Some(Fault { member: history.at.clone(), entry: None, what, about });
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

/// Adds a version's postings to the sums; what is wrong if one of them goes below nothing.
fn add_up(
    line: &VersionLine,
    lots: &mut Sums,
    debts: &mut BTreeMap<WalletName, i64>,
) -> Option<String> {
    for posting in line.postings.iter().filter(|posting| !posting.shared) {
        let wallet = &posting.wallet;
        if posting.debt {
            *debts.entry(wallet.clone()).or_default() -= posting.change;
        } else {
            let key = (wallet.clone(), posting.terms.expires_at, posting.terms.inactivity);
            *lots.entry(key).or_default() += posting.change;
        }
    }
    if let Some(((wallet, until, _), units)) = lots.iter().find(|(_, units)| **units < 0) {
        return Some(format!("{units} {wallet} are left of what runs out at {until:?}"));
    }
    let below = debts.iter().find(|(_, units)| **units < 0);
    below.map(|(wallet, units)| format!("{units} {wallet} are owed"))
}

/// What is wrong if an entry tells another balance than the member has. Of wallets that it shares, it
/// tells what the account has.
fn tells_other(entry: &Entry, member: &Member) -> Option<String> {
    let mut told = entry.balances.iter().filter(|_| entry.account.is_none());
    told.find_map(|(wallet, told)| {
        let has = member.spendable(wallet.as_str(), entry.at);
        (has != *told).then(|| format!("it tells of {told} {wallet} to spend, and {has} there are"))
    })
}

/// What is wrong if a member's wallets are not what the postings come to.
fn holds_other(member: &Member, lots: &Sums, debts: &BTreeMap<WalletName, i64>) -> Option<String> {
    let mut held = Sums::new();
    let mut owed: BTreeMap<WalletName, i64> = BTreeMap::new();
    for (name, wallet) in &member.wallets {
        for lot in wallet.lots() {
            let key = (name.clone(), lot.terms.expires_at, lot.terms.inactivity);
            *held.entry(key).or_default() += lot.units.get();
        }
        *owed.entry(name.clone()).or_default() += wallet.debt().get();
        // Balance = sum of open lots - debt = sum of all postings.
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

/// Units by wallet; wallets of which none are not in it.
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
    units(postings.iter().map(|posting| (&posting.wallet, posting.change)))
}

/// What is wrong if an entry's postings are not what its kind and its reasons say.
fn disagrees(entry: &Entry, before: &Member, lines: &[VersionLine]) -> Option<String> {
    let moved = moved(&entry.postings);
    let given = entry.reasons.iter().filter_map(|reason| given(&reason.effect));
    let due = match &entry.kind {
        EntryKind::Earn { .. } => units(given),
        EntryKind::Redeem { reward, .. } | EntryKind::Capture { reward, .. } => {
            units(given.chain([(&reward.wallet, -reward.costs.get())]))
        }
        EntryKind::Hold { .. }
        | EntryKind::Release { .. }
        | EntryKind::Join { .. }
        | EntryKind::Leave { .. }
        | EntryKind::Remind { .. }
        | EntryKind::Erase => Units::new(),
        EntryKind::Reverse { of, .. } => {
            let original = lines.iter().find(|line| line.seq == *of);
            match original.filter(|line| line.kind != "earn") {
                // A redemption gives back what it took. What its reward gave beside stays.
                Some(original) => {
                    let took = self::moved(&original.postings).into_iter();
                    took.map(|(wallet, units)| (wallet, -units))
                        .filter(|(_, units)| *units > 0)
                        .collect()
                }
                None => units(given.chain(entry.changes.iter().filter_map(unrecoverable))),
            }
        }
        EntryKind::Expire => moved
            .iter()
            .filter(|(_, units)| **units < 0)
            .map(|(wallet, units)| (*wallet, *units))
            .collect(),
        EntryKind::Adjust { .. } | EntryKind::Transfer { .. } | EntryKind::Share { .. } => {
            moved.clone()
        }
    };
    if moved != due {
        return Some(format!("it moved {}, and stands for {}", in_words(&moved), in_words(&due)));
    }
    if let EntryKind::Expire = &entry.kind
        && let Some((wallet, units)) =
            beyond_debt(entry, |terms| terms.expires_at.is_none_or(|at| at > entry.at))
    {
        return Some(format!("it takes {units} {wallet} before their time"));
    }
    if let EntryKind::Redeem { .. } | EntryKind::Hold { .. } = &entry.kind
        && let Some((wallet, units)) = beyond_debt(entry, |terms| {
            terms.expires_at.is_some_and(|at| at <= entry.at)
                || terms.available_at.is_some_and(|at| at > entry.at)
        })
    {
        return Some(format!("it spends {units} {wallet} that cannot be spent"));
    }
    if let EntryKind::Capture { hold, .. } | EntryKind::Release { hold } = &entry.kind
        && before.holds.get(hold).is_none_or(|hold| hold.until <= entry.at)
    {
        return Some(format!("there is no hold `{hold}` at that moment"));
    }
    None
}

/// Units that an entry takes out of lots of some terms, for another end than to pay what is owed:
/// of which wallet, and how many. A lot that is only put off goes out and comes in again.
fn beyond_debt(entry: &Entry, of: impl Fn(&Terms) -> bool) -> Option<(&WalletName, i64)> {
    let mut taken: BTreeMap<&WalletName, i64> = BTreeMap::new();
    for posting in &entry.postings {
        let Posting { wallet, change, debt, terms, .. } = posting;
        let again = entry.postings.iter().any(|other| {
            let extend = Terms { expires_at: other.terms.expires_at, ..terms.clone() };
            other.wallet == *wallet && other.change == -change && other.terms == extend
        });
        if *debt {
            *taken.entry(wallet).or_default() -= change.max(&0);
        } else if *change < 0 && of(terms) && !again {
            *taken.entry(wallet).or_default() -= change;
        }
    }
    taken.into_iter().find(|(_, units)| *units > 0)
}

fn given(outcome: &Effect) -> Option<(&WalletName, i64)> {
    match outcome {
        Effect::Units { wallet, units } => Some((wallet, units.get())),
        Effect::Back { wallet, back } => Some((wallet, -back.get())),
        _ => None,
    }
}

/// What ran out is not there to be taken back.
fn unrecoverable(change: &Change) -> Option<(&WalletName, i64)> {
    match change {
        Change::Unrecoverable { wallet, unrecoverable, .. } => Some((wallet, unrecoverable.get())),
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
