//! The audit: everything that a merchant owes, recomputed from the entries and held against what the
//! table says, member by member and to the last unit.
//!
//! It adds up by its own simple arithmetic: a lot is a sum of postings. Only that each version of a
//! member is what its entry makes of the one before is asked of the ledger itself.
//!
//! Read the modules in this order.

/// What two members have to say the same about.
mod between;
/// What an earlier export has, and so must still be there.
mod earlier;
/// One member, entry by entry.
mod member;
/// What is owed: opening, issued, redeemed and so on, closing.
mod roll_forward;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ledger::{MerchantId, Moment, Seq, WalletName};
use store::{Found, History, MemberKey, Page, SHARDS, Store, StoreError};

pub use earlier::{Earlier, EarlierError};
pub use roll_forward::{Period, RollForward};

use crate::between::Between;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose.
    pub member: MemberKey,
    /// The first entry at which it shows; nothing if it is about the member as a whole.
    pub entry: Option<Seq>,
    /// What.
    pub what: String,
    /// Where else to look.
    pub about: About,
}

/// What is read at different moments while a table is in use, and so may only seem wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The member's own entries, which are read together.
    Itself,
    /// When the member is due, which the index says too.
    Due,
    /// What another member says too.
    Other(MemberKey),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(f, "{}, entry {entry}: {}", self.member, self.what),
            None => write!(f, "{}: {}", self.member, self.what),
        }
    }
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audited {
    /// Members.
    pub members: u64,
    /// Those of them who are forgotten.
    pub erased: u64,
    /// Entries.
    pub entries: u64,
    /// What is owed, by wallet.
    pub wallets: BTreeMap<WalletName, RollForward>,
    /// What is wrong, the first of each member; nothing should be.
    pub faults: Vec<Fault>,
    /// Members of whom nothing can be read, and why; there should be none.
    pub unreadable: Vec<String>,
}

impl Audited {
    /// All that is wrong, in words.
    pub fn wrong(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(ToString::to_string).chain(self.unreadable.iter().cloned())
    }
}

/// An audit in the making.
#[derive(Debug, Default)]
pub struct Audit {
    period: Period,
    audited: Audited,
    between: Between,
    earlier: Option<Arc<Earlier>>,
    /// Where each member says it is in the due index.
    due: BTreeMap<MemberKey, Moment>,
}

impl Audit {
    /// An audit that reports what is owed over a period.
    #[must_use]
    pub fn over(period: Period) -> Audit {
        Audit { period, ..Audit::default() }
    }

    /// The same, held to what an earlier export has, if there is one.
    #[must_use]
    pub fn after(self, earlier: Option<Arc<Earlier>>) -> Audit {
        Audit { earlier, ..self }
    }

    /// Looks at one member as it was found.
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

    /// Looks at one member with all its entries.
    pub fn see(&mut self, history: &History) {
        self.audited.members += 1;
        self.audited.erased += u64::from(history.member().erased_at.is_some());
        self.audited.entries += history.lines.len() as u64;
        if let Some(due_at) = history.due_at {
            self.due.insert(history.at.clone(), due_at);
        }
        self.between.see(history);
        let earlier = self.earlier.as_ref().and_then(|earlier| earlier.fault(history));
        self.audited.faults.extend(earlier.or_else(|| member::first_fault(history)));
        roll_forward::count(&mut self.audited.wallets, &self.period, history);
    }

    /// Adds what another audit has seen of other members.
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

    /// Holds what the due index lists against where the members say they are.
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

    /// For what is no table: nothing is asked of its index.
    #[must_use]
    pub fn without_index(mut self) -> Audit {
        self.due.clear();
        self
    }

    fn fault(&mut self, member: MemberKey, what: String) {
        self.audited.faults.push(Fault { member, entry: None, what, about: About::Due });
    }

    /// What was found.
    #[must_use]
    pub fn done(mut self) -> Audited {
        self.audited.faults.extend(self.between.faults());
        if let Some(earlier) = &self.earlier {
            self.audited.faults.extend(earlier.gone());
        }
        self.audited.faults.sort_by(|one, other| one.member.cmp(&other.member));
        self.audited
    }
}

/// Everybody whom the due index lists for a merchant.
///
/// # Errors
/// The table could not be reached or refused.
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
/// The table could not be reached or refused.
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

/// How often one of whom something seems wrong is looked at again.
const LOOKS: u32 = 3;

/// The same without what was not wrong: in a table that is in use, a member, its place in the due
/// index and other members are read at different moments. Who is as it should be at a second look
/// is so.
///
/// # Errors
/// The table could not be reached or refused.
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

/// Whether something is wrong at another look, too.
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

/// A member with all its entries; nothing if it is not there or cannot be read.
async fn readable(store: &Store, member: &MemberKey) -> Result<Option<History>, StoreError> {
    match store.history(member).await {
        Err(StoreError::Unreadable { .. }) => Ok(None),
        found => found,
    }
}

impl Fault {
    /// Whether both are about the same, whatever the sums were.
    fn is_about(&self, other: &Fault) -> bool {
        (&self.member, self.entry, &self.about) == (&other.member, other.entry, &other.about)
    }
}
