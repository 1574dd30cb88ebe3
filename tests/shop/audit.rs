use std::collections::{BTreeMap, BTreeSet};

use ledger::{Entry, MerchantId, Moment, Outcome, What};
use local::Database;
use store::{History, Page, SHARDS, Store};

/// What an audit found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Members.
    pub members: usize,
    /// Entries.
    pub entries: usize,
    /// What is wrong; nothing should be.
    pub faults: Vec<String>,
}

/// Goes through every member of a merchant and adds up its entries again, by code that shares
/// nothing with the ledger's: the balance of each wallet is the sum of its postings, lot by lot; the
/// entries are numbered without a gap; an earn's postings are what its rules paid and a redemption's
/// what its reward costs; the due index holds exactly the members that have something that lapses;
/// a code that an entry hands out is that member's and nobody else's.
///
/// # Panics
/// The table cannot be read.
pub async fn audit(store: &Store, merchant: &str) -> Audited {
    let merchant = MerchantId::parse(merchant).unwrap();
    let mut audited = Audited::default();
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    let see = |history: History| {
        audited.entries += history.versions.len();
        histories.insert(history.at.member.to_string(), history);
    };
    store.each(&merchant, see).await.unwrap();
    audited.members = histories.len();

    let mut due: BTreeSet<(String, i64)> = BTreeSet::new();
    for shard in 0..SHARDS {
        let mut next = Some(Page::default());
        while let Some(page) = next {
            let (found, following) = store.due(shard, Moment::MAX_UTC, page, 500).await.unwrap();
            for found in found {
                if found.member.shard() != shard {
                    audited.faults.push(format!("{} is in shard {shard}", found.member));
                }
                due.insert((found.member.member.to_string(), found.at.timestamp()));
            }
            next = following;
        }
    }

    for (id, history) in &histories {
        let member = history.member();
        let mine: Vec<&Entry> = history.versions.iter().map(|version| &version.entry).collect();
        let mut fault = |text: String| audited.faults.push(format!("{id}: {text}"));
        let numbers: Vec<u64> = mine.iter().map(|entry| entry.seq).collect();
        if numbers != (1..=member.version).collect::<Vec<u64>>() {
            fault(format!("version {} and entries {numbers:?}", member.version));
        }
        // By wallet and expiry: lots that can be spent are told apart by nothing else.
        let mut posted: BTreeMap<(String, Option<i64>), i64> = BTreeMap::new();
        for entry in &mine {
            for posting in &entry.postings {
                let lot = (posting.wallet.to_string(), posting.expires_at.map(|at| at.timestamp()));
                *posted.entry(lot).or_default() += posting.change;
            }
            let moved: i64 = entry.postings.iter().map(|posting| posting.change).sum();
            let due: i64 = match &entry.what {
                What::Earn { .. } => entry.because.iter().map(|reason| paid(&reason.gave)).sum(),
                What::Redeem { reward, .. } => -reward.costs.get(),
                What::Expire => moved.min(0),
            };
            if moved != due {
                fault(format!("entry {} moved {moved} and should {due}", entry.seq));
            }
        }
        posted.retain(|_, units| *units != 0);
        let mut held: BTreeMap<(String, Option<i64>), i64> = BTreeMap::new();
        for (name, wallet) in &member.wallets {
            for lot in wallet.lots() {
                let terms = (name.to_string(), lot.expires_at.map(|at| at.timestamp()));
                *held.entry(terms).or_default() += lot.units.get();
            }
        }
        if held != posted {
            fault(format!("holds {held:?}, and its entries posted {posted:?}"));
        }
        let grants = member.grants.values().copied().flatten().map(|until| until.timestamp());
        let lost_at = member.standing.lost_at.map(|at| at.timestamp());
        let lots = held.keys().filter_map(|(_, expires_at)| *expires_at);
        let first = lots.chain(grants).chain(lost_at).min();
        let indexed: Vec<i64> =
            due.iter().filter(|(member, _)| member == id).map(|(_, at)| *at).collect();
        if indexed != first.into_iter().collect::<Vec<i64>>() {
            fault(format!("is due at {first:?} and indexed at {indexed:?}"));
        }
    }
    for (id, history) in &histories {
        if let Some(fault) = differs_from_its_entries(history) {
            audited.faults.push(format!("{id}: {fault}"));
        }
    }
    audited.faults.extend(codes_of_others(store, &merchant, &histories).await);
    audited
}

fn paid(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Units { units, .. } => units.get(),
        _ => 0,
    }
}

/// Whether each version is what the entries up to it add up to: all of it, and not only its wallets.
fn differs_from_its_entries(history: &History) -> Option<String> {
    let mut folded = history.enrolled.clone();
    for version in &history.versions {
        let seq = version.entry.seq;
        if folded.apply(&version.entry).is_none() {
            return Some(format!("entry {seq} cannot be applied"));
        }
        if folded != version.member {
            let member = &version.member;
            return Some(format!("entries up to {seq} make {folded:?}, and it is {member:?}"));
        }
    }
    None
}

/// Codes that an entry hands out and the pool does not say its member has, or that two entries do.
async fn codes_of_others(
    store: &Store,
    merchant: &MerchantId,
    histories: &BTreeMap<String, History>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (id, history) in histories {
        for reason in history.versions.iter().flat_map(|version| &version.entry.because) {
            let Outcome::Voucher { pool, code } = &reason.gave else { continue };
            let has = store.who_has(merchant, pool, code).await.unwrap();
            if has.as_ref().map(|has| has.as_str()) != Some(id) || !seen.insert((pool, code)) {
                faults.push(format!("{id} was given `{code}`, and {has:?} has it"));
            }
        }
    }
    faults
}

/// Every member with its entries as text, to compare two tables by. The hashes are left out: each
/// table's members have their own keys.
///
/// # Panics
/// The table cannot be read.
pub async fn dump(database: &Database, merchant: &str) -> Vec<String> {
    let merchant = MerchantId::parse(merchant).unwrap();
    let mut lines = Vec::new();
    let see = |history: History| {
        let at = &history.at;
        lines.push(format!("{at} {:?}", history.enrolled));
        for store::Version { entry, member, bundle, fingerprint, answer, .. } in &history.versions {
            lines.push(format!("{at} {entry:?} {member:?} {bundle} {fingerprint:?} {answer}"));
        }
    };
    database.store().each(&merchant, see).await.unwrap();
    lines.sort();
    lines
}
