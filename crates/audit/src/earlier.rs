//! The newest entry of each member in an earlier export of the table. All of them must still be in
//! the table. The table alone cannot show that a member's last entries were removed, since no
//! remaining entry follows from them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::{MerchantId, Seq};
use store::{Export, ExportError, Found, History, MemberKey, StoreError};

use crate::{About, Fault};

/// The newest entry of each member in an earlier export.
#[derive(Debug, Default)]
pub struct Earlier {
    heads: BTreeMap<MemberKey, Head>,
    broken: Option<StoreError>,
}

#[derive(Debug)]
pub(crate) struct Head {
    /// The number of the entry.
    seq: Seq,
    hash: String,
    /// Whether the audit has seen the member.
    is_met: AtomicBool,
}

/// The reason for which a table cannot be compared with an earlier export.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// The export cannot be read.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A member in the export cannot be read.
    #[error(transparent)]
    Broken(StoreError),
}

impl Earlier {
    /// Reads an export, and reports its progress: the steps done, and the steps in all.
    ///
    /// # Errors
    /// The export cannot be read, or a member in it cannot.
    pub fn of(
        export: &Export,
        merchant: &MerchantId,
        progress: impl Fn(u64, u64) + Sync,
    ) -> Result<Earlier, EarlierError> {
        let mut all = Earlier::default();
        for earlier in export.each(merchant, Earlier::default, Earlier::see, progress)? {
            all.heads.extend(earlier.heads);
            all.broken = all.broken.take().or(earlier.broken);
        }
        match all.broken.take() {
            None => Ok(all),
            Some(broken) => Err(EarlierError::Broken(broken)),
        }
    }

    fn see(&mut self, found: Found) {
        match found {
            Ok(History { key, lines, .. }) => {
                let newest = lines.into_iter().next_back();
                let (seq, hash) = newest
                    .map_or((Seq::ENROLLED, String::new()), |newest| (newest.seq, newest.hash));
                self.heads.insert(key, Head { seq, hash, is_met: AtomicBool::new(false) });
            }
            Err(error) => self.broken = self.broken.take().or(Some(error)),
        }
    }

    /// Notes that the table still has the member, readable or not.
    pub(crate) fn meet(&self, member: &MemberKey) -> Option<&Head> {
        let head = self.heads.get(member)?;
        head.is_met.store(true, Ordering::Relaxed);
        Some(head)
    }

    /// The fault of a member that the export has: the entry that was its newest is missing now, or
    /// is another. The entries before it need no check, since each has the hash of the one before.
    pub(crate) fn fault(&self, history: &History) -> Option<Fault> {
        let Head { seq, hash, .. } = self.meet(&history.key)?;
        if *seq == Seq::ENROLLED {
            return None;
        }
        let now = history.lines.iter().find(|line| line.seq == *seq);
        let what = match now {
            None => "the earlier export has it, and it is gone",
            Some(now) if now.hash != *hash => "the earlier export has another",
            Some(_) => return None,
        };
        let what = what.to_owned();
        let about = About::Itself;
        Some(Fault { member: history.key.clone(), entry: Some(*seq), what, about })
    }

    /// The faults of members that the export has and that the audit has not seen.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Fault> {
        let missing = self.heads.iter().filter(|(_, head)| !head.is_met.load(Ordering::Relaxed));
        missing.map(|(member, _)| Fault {
            member: member.clone(),
            entry: None,
            what: "the earlier export has it, and it is gone".to_owned(),
            about: About::Itself,
        })
    }
}
