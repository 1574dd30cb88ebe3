//! The facts that two members' entries must agree on: units transferred from one to the other,
//! units that a member moved in the wallets of its account, and codes that only one member can
//! have.

use std::collections::{BTreeMap, BTreeSet};

use ledger::entry::Counterpart;
use ledger::{Effect, EntryKind, MemberId, Posting, Seq};
use store::{History, MemberKey};

use crate::{About, Fault};

/// The facts about other members in the entries seen so far.
#[derive(Debug, Default)]
pub(crate) struct Between {
    /// The units transferred, by sender, receiver and moment: those in the sender's entries, and
    /// those in the receiver's.
    transfers: BTreeMap<(MemberId, MemberId, i64), (i64, i64)>,
    /// The units moved in an account's wallets, by account, entry of the account, and wallet.
    shares: BTreeMap<(MemberId, Seq, String), Shared>,
    /// The members who have entries that can no longer be read, since the person was erased.
    forgotten: BTreeSet<MemberId>,
    /// The members who were given a code, by pool and code, each once.
    codes: BTreeMap<(String, String), Vec<MemberKey>>,
    someone: Option<MemberKey>,
}

/// Units that a member moved in the wallets of its account.
#[derive(Debug, Default)]
struct Shared {
    /// The units by the member's entry.
    member: i64,
    /// The units by the account's entry.
    account: i64,
    by: Option<MemberId>,
}

impl Between {
    pub(crate) fn see(&mut self, history: &History) {
        self.someone.get_or_insert_with(|| history.key.clone());
        let id = &history.key.member;
        if history.lines.iter().any(|line| line.version.is_none()) {
            self.forgotten.insert(id.clone());
        }
        for version in history.versions() {
            let entry = &version.entry;
            let moved: i64 = entry.postings.iter().map(Posting::change).sum();
            if let EntryKind::Transfer { with, .. } = &entry.kind {
                let at = entry.at.timestamp();
                let (key, given) = match with {
                    Counterpart::To(to) => ((id.clone(), to.clone(), at), true),
                    Counterpart::From(from) => ((from.clone(), id.clone(), at), false),
                };
                let sums = self.transfers.entry(key).or_default();
                if given {
                    sums.0 -= moved;
                } else {
                    sums.1 += moved;
                }
            }
            if let Some(of) = &entry.account {
                for posting in entry.postings.iter().filter(|posting| posting.shared) {
                    let of = posting.account.as_ref().unwrap_or(of);
                    let key = (of.account.clone(), of.entry, posting.wallet.to_string());
                    let shared = self.shares.entry(key).or_default();
                    shared.member += posting.change();
                    shared.by = Some(id.clone());
                }
            }
            if let EntryKind::Share { by, .. } = &entry.kind {
                for posting in &entry.postings {
                    let key = (id.clone(), entry.seq, posting.wallet.to_string());
                    let shared = self.shares.entry(key).or_default();
                    shared.account += posting.change();
                    shared.by = Some(by.clone());
                }
            }
            for reason in entry.all_reasons() {
                if let Effect::Voucher { pool, code, again: false } = &reason.effect {
                    let key = (pool.clone(), code.clone());
                    self.codes.entry(key).or_default().push(history.key.clone());
                }
            }
        }
    }

    pub(crate) fn add(&mut self, other: Between) {
        self.someone = self.someone.take().or(other.someone);
        self.forgotten.extend(other.forgotten);
        for (key, (gave, had)) in other.transfers {
            let sums = self.transfers.entry(key).or_default();
            sums.0 += gave;
            sums.1 += had;
        }
        for (key, Shared { member, account, by }) in other.shares {
            let shared = self.shares.entry(key).or_default();
            shared.member += member;
            shared.account += account;
            shared.by = shared.by.take().or(by);
        }
        for (code, members) in other.codes {
            self.codes.entry(code).or_default().extend(members);
        }
    }

    /// The facts on which two members disagree. Erased members are left out, since their entries
    /// cannot be read.
    pub(crate) fn faults(self) -> Vec<Fault> {
        let Some(someone) = self.someone else { return Vec::new() };
        let key = |member| MemberKey { merchant: someone.merchant.clone(), member };
        let mut faults = Vec::new();
        for ((from, to, _), (gave, had)) in self.transfers {
            let forgotten = self.forgotten.contains(&from) || self.forgotten.contains(&to);
            if gave != had && !forgotten {
                let what = format!("gave {gave} units to {to}, who had {had}");
                let about = About::Other(key(to));
                faults.push(Fault { member: key(from), entry: None, what, about });
            }
        }
        for ((account, entry, wallet), Shared { member, account: own, by }) in self.shares {
            let forgotten = self.forgotten.contains(&account)
                || by.as_ref().is_some_and(|by| self.forgotten.contains(by));
            if member != own && !forgotten {
                let what = format!("{own} {wallet} moved, and who moved them says {member}");
                let about = by.map_or(About::Itself, |by| About::Other(key(by)));
                faults.push(Fault { member: key(account), entry: Some(entry), what, about });
            }
        }
        for ((pool, code), members) in self.codes {
            if let [first, second, ..] = members.as_slice() {
                let what = format!("`{code}` from {pool} was given to {second} too");
                let about = About::Other(second.clone());
                faults.push(Fault { member: first.clone(), entry: None, what, about });
            }
        }
        faults
    }
}
