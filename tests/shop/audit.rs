use std::collections::{BTreeMap, BTreeSet};

use ledger::enroll::{self, Enrolment};
use ledger::{Member, MerchantId, Moment, Outcome, What};
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
/// what its reward costs; the due index holds exactly the members that have something that lapses;
/// a code that an entry hands out is that member's and nobody else's.
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
                members.insert(member.id.to_string(), *member);
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
    let all_entries = entries.clone();

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
    for (id, member) in &members {
        if let Some(fault) = differs_from_its_entries(member, &all_entries, id) {
            audited.faults.push(format!("{id}: {fault}"));
        }
    }
    audited.faults.extend(codes_of_others(store, &merchant, &all_entries).await);
    for id in entries.keys() {
        audited.faults.push(format!("{id} has entries and is no member"));
    }
    audited
}

fn paid(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Units { units, .. } => units.get(),
        _ => 0,
    }
}

/// Whether a member is what its entries add up to: all of it, and not only its wallets.
fn differs_from_its_entries(
    member: &Member,
    entries: &BTreeMap<String, BTreeMap<u64, ledger::Entry>>,
    id: &str,
) -> Option<String> {
    let enrolment = Enrolment {
        id: member.id.clone(),
        attributes: member.attributes.clone(),
        tags: BTreeSet::new(),
        referred_by: member.referred_by.clone(),
    };
    let mut folded = enroll::decide(enrolment, member.enrolled_at);
    for entry in entries.get(id).into_iter().flat_map(BTreeMap::values) {
        if folded.apply(entry).is_none() {
            return Some(format!("entry {} cannot be applied", entry.seq));
        }
    }
    // Marks may have been there from the first, and lots ripen by themselves.
    let mut member = member.clone();
    folded.tags.clone_from(&member.tags);
    for one in [&mut folded, &mut member] {
        one.wallets.retain(|_, wallet| !wallet.lots().is_empty());
    }
    (folded != member).then(|| format!("its entries add up to {folded:?}, and it is {member:?}"))
}

/// Codes that an entry hands out and the pool does not say its member has, or that two entries do.
async fn codes_of_others(
    store: &Store,
    merchant: &MerchantId,
    entries: &BTreeMap<String, BTreeMap<u64, ledger::Entry>>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (id, mine) in entries {
        for reason in mine.values().flat_map(|entry| &entry.because) {
            let Outcome::Voucher { pool, code } = &reason.gave else { continue };
            let has = store.who_has(merchant, pool, code).await.unwrap();
            if has.as_ref().map(|has| has.as_str()) != Some(id) || !seen.insert((pool, code)) {
                faults.push(format!("{id} was given `{code}`, and {has:?} has it"));
            }
        }
    }
    faults
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
