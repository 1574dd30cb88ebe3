//! Slices of a member's history, and the member as it was at a moment.

use ledger::{HistorySlice, Member, Moment, Seq, Since};

use crate::error::StoreError;
use crate::item::{self, Person};
use crate::key::{MemberKey, SEQ_MAX, version_sk};
use crate::table::Store;
use crate::version::Version;

/// The versions of the first page that is read backwards, and of the largest: what is told late is
/// mostly a little late.
const FIRST_PAGE: i32 = 4;
const LAST_PAGE: i32 = 256;

fn slice(before: Member, versions: Vec<Version>) -> HistorySlice {
    let (entries, rules) =
        versions.into_iter().map(|version| (version.entry, version.bundle)).unzip();
    HistorySlice { before, entries, rules }
}

impl Store {
    /// The member before an entry, and its entries from that one on.
    ///
    /// # Errors
    /// It has no such entry, or the table could not be reached.
    pub async fn slice(&self, key: &MemberKey, entry: Seq) -> Result<HistorySlice, StoreError> {
        let person = self.known(key, None).await?;
        self.slice_of(key, &person, entry).await
    }

    pub(crate) async fn slice_of(
        &self,
        key: &MemberKey,
        person: &Person,
        entry: Seq,
    ) -> Result<HistorySlice, StoreError> {
        let unknown = || StoreError::unreadable(&key.pk(), format!("it has no entry {entry}"));
        let before = entry.previous().ok_or_else(unknown)?;
        let mut versions = Vec::new();
        let mut start = None;
        loop {
            let query = self.between(key, before, SEQ_MAX).set_exclusive_start_key(start);
            let found = self.ask(query).await?;
            for item in found.items.unwrap_or_default() {
                versions.push(item::to_version(key, &item, person)?);
            }
            start = found.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let before = match versions.first() {
            Some(first) if first.entry.seq == before => versions.remove(0).member,
            _ => person.member(),
        };
        if before.seq.next() != entry {
            return Err(unknown());
        }
        Ok(slice(before, versions))
    }

    /// The shortest slice of a member's history that reaches back so far, as
    /// [`HistorySlice::reaches`] says. It reads from the newest version backwards.
    ///
    /// # Errors
    /// There is no such member, or the table could not be reached.
    pub async fn slice_since(
        &self,
        key: &MemberKey,
        since: Since,
    ) -> Result<HistorySlice, StoreError> {
        let person = self.known(key, None).await?;
        self.slice_of_since(key, &person, since).await
    }

    pub(crate) async fn slice_of_since(
        &self,
        key: &MemberKey,
        person: &Person,
        mut since: Since,
    ) -> Result<HistorySlice, StoreError> {
        // The newest first.
        let mut versions: Vec<Version> = Vec::new();
        let mut start = None;
        let mut page = FIRST_PAGE;
        loop {
            let query = self
                .between(key, Seq::FIRST, SEQ_MAX)
                .scan_index_forward(false)
                .limit(page)
                .set_exclusive_start_key(start);
            let found = self.ask(query).await?;
            for item in found.items.unwrap_or_default() {
                let version = item::to_version(key, &item, person)?;
                if since.is_after(&version.member) {
                    versions.reverse();
                    return Ok(slice(version.member, versions));
                }
                since = since.with(&version.entry);
                versions.push(version);
            }
            start = found.last_evaluated_key;
            if start.is_none() {
                versions.reverse();
                return Ok(slice(person.member(), versions));
            }
            page = (page * 8).min(LAST_PAGE);
        }
    }

    /// The member as it was at a moment, by what had been told up to an entry. It looks for the version
    /// by halves, since the versions are in the order in which they were told.
    ///
    /// # Errors
    /// There is no such member, or the table could not be reached.
    pub async fn member_then(
        &self,
        key: &MemberKey,
        at: Moment,
        newest: Seq,
    ) -> Result<Member, StoreError> {
        let person = self.known(key, None).await?;
        let mut then = person.member();
        // The version `low` is from before the moment, and all above `high` are from after it.
        let (mut low, mut high) = (Seq::ENROLLED.get(), newest.get());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let seq = Seq::new(middle);
            let gap = || StoreError::unreadable(&key.pk(), format!("{seq} is a gap"));
            let item = self.lasting(key, &version_sk(seq)).await?.ok_or_else(gap)?;
            let Version { member, .. } = item::to_version(key, &item, &person)?;
            if member.happened_at <= at {
                (low, then) = (middle, member);
            } else {
                high = middle.saturating_sub(1);
            }
        }
        Ok(then)
    }
}
