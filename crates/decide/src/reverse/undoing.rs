//! A reversal in the making: what is undone, and what has happened since.

use ledger::reverse::LotHistory;
use ledger::{Entry, HistorySlice, Member, Moment, Seq, WalletName};
use rules::Bundle;

/// A reversal in the making.
#[derive(Clone, Copy)]
pub(super) struct Undoing<'a> {
    /// The rules that judged what is undone.
    pub(super) judged_by: &'a Bundle,
    /// The member as it was before.
    pub(super) before: &'a Member,
    /// The entry that is undone.
    pub(super) original: &'a Entry,
    /// The entries since.
    pub(super) since: &'a [Entry],
    /// As far back as another entry that was undone since.
    pub(super) window: &'a HistorySlice,
    /// The account in whose wallets the entry moved units.
    pub(super) account: Option<AccountPast<'a>>,
    pub(super) now: Moment,
}

/// What has happened in an account's wallets.
#[derive(Clone, Copy)]
pub(super) struct AccountPast<'a> {
    /// The account's entry of what is undone.
    pub(super) entry: Seq,
    pub(super) window: &'a HistorySlice,
    /// When the account had been active before that.
    pub(super) active_at: Option<Moment>,
}

impl<'a> Undoing<'a> {
    /// What became of the wallet's lots since, as its owner's entries tell.
    pub(super) fn since(&self, wallet: &WalletName) -> LotHistory<'a> {
        let policy = self.judged_by.programme().wallets.get(wallet);
        match self.account.filter(|_| policy.is_some_and(|policy| policy.shared)) {
            Some(AccountPast { entry, window, active_at }) => {
                LotHistory { of: entry, window: &window.entries, active_at }
            }
            None => LotHistory {
                of: self.original.seq,
                window: &self.window.entries,
                active_at: self.before.active_at,
            },
        }
    }
}
