//! The audit: everything that a merchant owes, recomputed from the entries and compared with the
//! table, member by member and to the last unit.
//!
//! The audit has its own simple arithmetic: a lot is a sum of postings. It uses the ledger for one
//! check only: each version of a member is the one before it with its entry applied.
//!
//! Read the modules in this order.

/// A fault, and what it was found in.
mod fault;
/// The entries of an earlier export, which must still be there.
mod earlier;
/// The facts that two members' entries must agree on.
mod between;
/// What a member has taken from stocks and budgets, and what has gone back.
mod drawn;
/// One member, entry by entry.
mod member;
/// The roll-forward of what is owed: opening, issued, redeemed and so on, closing.
mod roll_forward;
/// A member's postings, each counted at its moment, in units and in money.
mod movements;

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{MerchantId, Moment, WalletName};
use store::{Found, History, MemberKey, Page, SHARDS, Store, StoreError};

pub use earlier::{Earlier, EarlierError};
pub use fault::{About, Fault};
pub use movements::{Counted, counted};
pub use roll_forward::{Owed, Period, RollForward};

use crate::between::Between;

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audited {
    /// Members audited.
    pub members: u64,
    /// The erased members among them.
    pub erased: u64,
    /// Entries audited.
    pub entries: u64,
    /// What is owed in each wallet.
    pub wallets: BTreeMap<WalletName, Owed>,
    /// The first fault of each member, and the faults between members; empty in a sound table.
    pub faults: Vec<Fault>,
    /// The errors of members that cannot be read; empty in a sound table.
    pub unreadable: Vec<String>,
}

impl Audited {
    /// Everything that is wrong, in words.
    pub fn wrong(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(ToString::to_string).chain(self.unreadable.iter().cloned())
    }
}

/// An audit that is under way.
#[derive(Debug, Default)]
pub struct Audit {
    period: Period,
    audited: Audited,
    between: Between,
    earlier: Option<Arc<Earlier>>,
    /// The due date that each member has, to be compared with the due index.
    due: BTreeMap<MemberKey, Moment>,
}

impl Audit {
    /// Starts an audit that reports what is owed over a period.
    #[must_use]
    pub fn over(period: Period) -> Audit {
        Audit { period, ..Audit::default() }
    }

    /// Also compares the table with an earlier export, if there is one.
    #[must_use]
    pub fn after(self, earlier: Option<Arc<Earlier>>) -> Audit {
        Audit { earlier, ..self }
    }

    /// Audits one member, or notes that it cannot be read.
    pub fn see_found(&mut self, found: Found) {
        match found {
            Ok(history) => self.see(&history),
            Err(error) => {
                if let (Some(earlier), Some(member)) = (&self.earlier, error.member()) {
                    earlier.meet(&member);
                }
                self.audited.unreadable.push(error.to_string());
            }
        }
    }

    /// Audits one member with all its entries.
    pub fn see(&mut self, history: &History) {
        self.audited.members += 1;
        self.audited.erased += u64::from(history.member().erased_at.is_some());
        self.audited.entries += history.lines.len() as u64;
        if let Some(due_at) = history.due_at {
            self.due.insert(history.key.clone(), due_at);
        }
        self.between.see(history);
        let earlier = self.earlier.as_ref().and_then(|earlier| earlier.fault(history));
        self.audited.faults.extend(earlier.or_else(|| member::first_fault(history)));
        movements::count(&mut self.audited.wallets, &self.period, history, &mut |_| ());
    }

    /// Adds another audit, which has seen other members.
    pub fn add(&mut self, other: Audit) {
        let Audited { members, erased, entries, wallets, faults, unreadable } = other.audited;
        self.audited.unreadable.extend(unreadable);
        self.audited.members += members;
        self.audited.erased += erased;
        self.audited.entries += entries;
        for (name, wallet) in wallets {
            self.audited.wallets.entry(name).or_default().add(&wallet);
        }
        self.audited.faults.extend(faults);
        self.between.add(other.between);
        self.due.extend(other.due);
    }

    /// Compares what the due index lists with the due dates that the members have.
    pub fn see_due(&mut self, mut listed: BTreeMap<MemberKey, Moment>) {
        for (member, at) in std::mem::take(&mut self.due) {
            let found = listed.remove(&member);
            if found != Some(at) {
                let found = found.map_or_else(|| "not there".to_owned(), |at| at.to_string());
                self.fault(member, format!("is due at {at}, and in the index {found}"));
            }
        }
        for (member, at) in listed {
            self.fault(member, format!("is in the due index at {at}, and is not due"));
        }
    }

    /// Skips the due index: an export has none.
    #[must_use]
    pub fn without_index(mut self) -> Audit {
        self.due.clear();
        self
    }

    fn fault(&mut self, member: MemberKey, what: String) {
        self.audited.faults.push(Fault { member, entry: None, what, about: About::Due });
    }

    /// Ends the audit and returns its result.
    #[must_use]
    pub fn done(mut self) -> Audited {
        self.audited.faults.extend(self.between.faults());
        if let Some(earlier) = &self.earlier {
            self.audited.faults.extend(earlier.missing());
        }
        self.audited.faults.sort_by(|one, other| one.member.cmp(&other.member));
        self.audited
    }
}

/// All members of a merchant that the due index lists, with their due dates.
///
/// # Errors
/// The table could not be reached, or it refused.
pub async fn listed(
    store: &Store,
    merchant: &MerchantId,
) -> Result<BTreeMap<MemberKey, Moment>, StoreError> {
    let mut listed = BTreeMap::new();
    for shard in 0..SHARDS {
        let mut next = Some(Page::default());
        while let Some(page) = next {
            let (found, following) = store.due(shard, Moment::MAX_UTC, page, 1000).await?;
            let own = found.into_iter().filter(|due| due.member.merchant == *merchant);
            listed.extend(own.map(|due| (due.member, due.at)));
            next = following;
        }
    }
    Ok(listed)
}

/// Audits a merchant's whole table, one member after the other.
///
/// # Errors
/// The table could not be reached, or it refused.
pub async fn audit(
    store: &Store,
    merchant: &MerchantId,
    period: Period,
) -> Result<Audited, StoreError> {
    let mut audit = Audit::over(period);
    store.each_of_part(merchant, 0, 1, |found| audit.see_found(found)).await?;
    audit.see_due(listed(store, merchant).await?);
    looked_at_again(store, audit.done()).await
}

/// The number of times that a member with a fault is read again.
const LOOKS: u32 = 3;

/// Checks again each fault that was found by comparing a member with other data, and drops the
/// faults that do not show again. In a table that is in use, a member, its place in the due index
/// and other members are read at different moments, which can make a sound member look wrong. One
/// reading without the fault proves the member sound.
///
/// # Errors
/// The table could not be reached, or it refused.
pub async fn looked_at_again(store: &Store, audited: Audited) -> Result<Audited, StoreError> {
    let mut faults = Vec::new();
    for fault in audited.faults {
        let mut stays = true;
        for _ in 0..LOOKS {
            if stays {
                stays = is_still(store, &fault).await?;
            }
        }
        if stays {
            faults.push(fault);
        }
    }
    Ok(Audited { faults, ..audited })
}

/// Whether the fault shows again. A fault in a member's own entries always does, so they are not
/// read again.
async fn is_still(store: &Store, fault: &Fault) -> Result<bool, StoreError> {
    if fault.about == About::Itself {
        return Ok(true);
    }
    let Some(history) = readable(store, &fault.member).await? else { return Ok(true) };
    let About::Other(other) = &fault.about else {
        let listed = store.listed(&fault.member).await?;
        return Ok(member::first_fault(&history).is_some() || listed != history.due_at);
    };
    let Some(other) = readable(store, other).await? else { return Ok(true) };
    let mut between = Between::default();
    between.see(&history);
    between.see(&other);
    Ok(between.faults().iter().any(|found| found.is_about(fault)))
}

/// A member with all its entries; nothing if there is no such member or it cannot be read.
async fn readable(store: &Store, member: &MemberKey) -> Result<Option<History>, StoreError> {
    match store.history(member).await {
        Err(StoreError::Unreadable { .. }) => Ok(None),
        found => found,
    }
}

impl Fault {
    /// Whether both faults concern the same thing. The sums in them may differ.
    fn is_about(&self, other: &Fault) -> bool {
        (&self.member, self.entry, &self.about) == (&other.member, other.entry, &other.about)
    }
}
