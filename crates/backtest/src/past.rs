//! The past: what was told of a member, and what came of it.

use std::collections::BTreeSet;

use ledger::entry::Counterpart;
use ledger::{Change, Effect, Entry, EntryKind, Member, MemberId, Moment};

/// A member's past: its enrolment and all its entries, the oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The member as enrolled.
    pub enrolled: Member,
    /// Its entries.
    pub entries: Vec<Recorded>,
}

/// An entry as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The entry.
    pub entry: Entry,
    /// The hash of the rules that decided it; empty if there was no programme yet.
    pub rules: String,
    /// Whether a request asked for it.
    pub asked: bool,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was told: by a client, or by an operator.
    Told,
    /// The expiry run wrote it.
    Run,
    /// It follows from an entry of another member: a referral, or units moved in a shared wallet.
    Follows,
}

impl Past {
    /// The past before a moment; `None` if the member enrolled later. The clocks of instances differ
    /// by a second, and the numbers say what came first.
    #[must_use]
    pub fn before(mut self, moment: Moment) -> Option<Past> {
        let entries = self.entries_before(moment);
        self.entries.truncate(entries);
        (self.enrolled.enrolled_at < moment).then_some(self)
    }

    /// How many entries were recorded before a moment.
    pub(crate) fn entries_before(&self, moment: Moment) -> usize {
        let is_later = |recorded: &Recorded| recorded.entry.at >= moment;
        self.entries.iter().position(is_later).unwrap_or(self.entries.len())
    }
}

impl Recorded {
    /// Where the entry comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let is_triggered = |change: &Change| matches!(change, Change::Triggered { .. });
        match &self.entry.kind {
            EntryKind::Expire | EntryKind::Remind { .. } => Origin::Run,
            EntryKind::Earn { .. } if self.entry.changes.iter().any(is_triggered) => Origin::Run,
            EntryKind::Rejudge { .. } => Origin::Told,
            _ if self.asked => Origin::Told,
            _ => Origin::Follows,
        }
    }

    /// The other members that the entry concerns.
    #[must_use]
    pub fn others(&self) -> BTreeSet<&MemberId> {
        let entry = &self.entry;
        let accounts = entry.postings.iter().filter_map(|posting| posting.account.as_ref());
        let accounts = entry.account.iter().chain(accounts).map(|of| &of.account);
        let referrers = entry.all_reasons().filter_map(|reason| match &reason.effect {
            Effect::Referral { referrer, .. } => Some(referrer),
            _ => None,
        });
        let other = match &entry.kind {
            EntryKind::Transfer {
                with: Counterpart::To(other) | Counterpart::From(other), ..
            } => Some(other),
            EntryKind::Join { account } | EntryKind::Leave { account } => Some(account),
            EntryKind::Share { by, .. } => Some(by),
            EntryKind::Reverse { other: Some(other), .. } => Some(&other.member),
            _ => None,
        };
        accounts.chain(referrers).chain(other).collect()
    }
}
