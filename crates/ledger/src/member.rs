use std::collections::{BTreeMap, BTreeSet};

use crate::cap::Counter;
use crate::{MemberId, Moment, Units, Wallet, WalletName};

/// A person (or a company) enrolled with one merchant, and all it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The merchant's own name for it.
    pub id: MemberId,
    /// How often it has changed: the `seq` of its last entry. 0 once enrolled.
    pub version: u64,
    /// When it joined.
    pub enrolled_at: Moment,
    /// What the merchant tells of it: `birthday`, `city`.
    pub attributes: BTreeMap<String, String>,
    /// Marks that rules can ask for.
    pub tags: BTreeSet<String>,
    /// The tier as the last entry left it.
    pub tier: Option<String>,
    /// Wallets that hold or held something.
    pub wallets: BTreeMap<WalletName, Wallet>,
    /// How often the rules that may pay only so often have paid lately, by rule, the oldest period
    /// first.
    pub counters: BTreeMap<String, Vec<Counter>>,
}

impl Member {
    /// The wallet, empty if nothing was ever in it.
    #[must_use]
    pub fn wallet(&self, name: &str) -> &Wallet {
        static EMPTY: std::sync::LazyLock<Wallet> = std::sync::LazyLock::new(Wallet::default);
        self.wallets.get(name).unwrap_or(&EMPTY)
    }

    /// The same member, to be changed: lots whose day has come are one with the others.
    #[must_use]
    pub(crate) fn matured(&self, now: Moment) -> Member {
        let mut member = self.clone();
        member.wallets.values_mut().for_each(|wallet| wallet.mature(now));
        member
    }

    /// What can be spent from a wallet now.
    #[must_use]
    pub fn spendable(&self, wallet: &str, now: Moment) -> Units {
        self.wallet(wallet).spendable(now)
    }

    /// When this member needs the scheduled run: when the first of its lots lapses.
    #[must_use]
    pub fn due_at(&self) -> Option<Moment> {
        self.wallets.values().flat_map(Wallet::lots).filter_map(|lot| lot.expires_at).min()
    }
}
