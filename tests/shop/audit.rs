use std::collections::{BTreeMap, BTreeSet};

use ledger::{Member, MerchantId, Moment, What};
use local::Database;
use store::{MemberKey, Page, Row, SHARDS, Store};

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
/// what its reward costs; the due index holds exactly the members that have a lot that lapses.
///
/// # Panics
/// The table cannot be read.
pub async fn audit(store: &Store, merchant: &str) -> Audited {
    let merchant = MerchantId::parse(merchant).unwrap();
    let mut audited = Audited::default();
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    let mut entries: BTreeMap<String, BTreeMap<u64, ledger::Entry>> = BTreeMap::new();
    store
        .each(&merchant, |row| match row {
            Row::Member(member) => {
                members.insert(member.id.to_string(), member);
            }
            Row::Record(at, record) => {
                audited.entries += 1;
                entries
                    .entry(at.member.to_string())
                    .or_default()
                    .insert(record.entry.seq, record.entry);
            }
        })
        .await
        .unwrap();
    audited.members = members.len();

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

    for (id, member) in &members {
        let mine = entries.remove(id).unwrap_or_default();
        let mut fault = |text: String| audited.faults.push(format!("{id}: {text}"));
        let numbers: Vec<u64> = mine.keys().copied().collect();
        if numbers != (1..=member.version).collect::<Vec<u64>>() {
            fault(format!("version {} and entries {numbers:?}", member.version));
        }
        // By wallet and expiry: lots that can be spent are told apart by nothing else.
        let mut posted: BTreeMap<(String, Option<i64>), i64> = BTreeMap::new();
        for entry in mine.values() {
            for posting in &entry.postings {
                let lot = (posting.wallet.to_string(), posting.expires_at.map(|at| at.timestamp()));
                *posted.entry(lot).or_default() += posting.change;
            }
            let moved: i64 = entry.postings.iter().map(|posting| posting.change).sum();
            let due: i64 = match &entry.what {
                What::Earn { because, .. } => because.iter().map(|paid| paid.units.get()).sum(),
                What::Redeem { reward, .. } => -reward.costs.get(),
                What::Expire => moved.min(-1),
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
        let first = held.keys().filter_map(|(_, expires_at)| *expires_at).min();
        let indexed: Vec<i64> =
            due.iter().filter(|(member, _)| member == id).map(|(_, at)| *at).collect();
        if indexed != first.into_iter().collect::<Vec<i64>>() {
            fault(format!("is due at {first:?} and indexed at {indexed:?}"));
        }
    }
    for id in entries.keys() {
        audited.faults.push(format!("{id} has entries and is no member"));
    }
    audited
}

/// Every member with its entries as text, to compare two tables by.
///
/// # Panics
/// The table cannot be read.
pub async fn dump(database: &Database, merchant: &str) -> Vec<String> {
    let merchant = MerchantId::parse(merchant).unwrap();
    let mut lines = Vec::new();
    database
        .store()
        .each(&merchant, |row| match row {
            Row::Member(member) => lines.push(format!("{member:?}")),
            Row::Record(MemberKey { member, .. }, record) => {
                lines.push(format!("{member} {record:?}"));
            }
        })
        .await
        .unwrap();
    lines.sort();
    lines
}
