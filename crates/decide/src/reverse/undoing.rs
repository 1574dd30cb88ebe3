//! The state of a reversal: the entry that is undone, and the entries since.

use ledger::reverse::LotHistory;
use ledger::{Entry, HistorySlice, Member, Moment, Seq, WalletName};
use rules::Bundle;

/// The state of a reversal.
#[derive(Clone, Copy)]
pub(super) struct Undoing<'a> {
    /// The rules that judged the entry.
    pub(super) judged_by: &'a Bundle,
    /// The member before the entry.
    pub(super) before: &'a Member,
    /// The entry that is undone.
    pub(super) original: &'a Entry,
    /// The entries since.
    pub(super) since: &'a [Entry],
    /// The history from this entry on, or from an earlier one on that has been undone since.
    pub(super) window: &'a HistorySlice,
    /// The account in whose wallets the entry moved units, if there was one.
    pub(super) account: Option<AccountPast<'a>>,
    pub(super) now: Moment,
}

/// The history of the account's wallets.
#[derive(Clone, Copy)]
pub(super) struct AccountPast<'a> {
    /// The account's entry that is undone.
    pub(super) entry: Seq,
    pub(super) window: &'a HistorySlice,
    /// The account's last activity before that entry.
    pub(super) active_at: Option<Moment>,
}

impl<'a> Undoing<'a> {
    /// The lot history of a wallet since the entry, from the entries of the wallet's owner.
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
