//! What two members have to say the same about: units that went from one to the other, units that
//! one moved in the wallets of an account, codes that only one of them can have.

use std::collections::{BTreeMap, BTreeSet};

use ledger::entry::Counterpart;
use ledger::{Effect, EntryKind, MemberId, Posting, Seq};
use store::{History, MemberKey};

use crate::{About, Fault};

/// What was said so far, and by whom.
#[derive(Debug, Default)]
pub(crate) struct Between {
    /// Units by giver, receiver and moment: what the one gave, what the other had.
    transfers: BTreeMap<(MemberId, MemberId, i64), (i64, i64)>,
    /// Units by account, its entry and wallet: what the member says, what the account says.
    shares: BTreeMap<(MemberId, Seq, String), Shared>,
    /// Who can no longer be read.
    forgotten: BTreeSet<MemberId>,
    /// Who was given a code.
    codes: BTreeMap<(String, String), Vec<MemberKey>>,
    someone: Option<MemberKey>,
}

/// Units that a member moved in the wallets of an account.
#[derive(Debug, Default)]
struct Shared {
    /// As the member says.
    member: i64,
    /// As the account says.
    account: i64,
    by: Option<MemberId>,
}

impl Between {
    pub(crate) fn see(&mut self, history: &History) {
        self.someone.get_or_insert_with(|| history.at.clone());
        let id = &history.at.member;
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
            for reason in &entry.reasons {
                if let Effect::Voucher { pool, code } = &reason.effect {
                    let key = (pool.clone(), code.clone());
                    self.codes.entry(key).or_default().push(history.at.clone());
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

    /// Where they do not say the same. Of members who are forgotten nothing is known, and nothing
    /// is asked.
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
