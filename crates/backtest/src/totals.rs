//! What a programme came to over a past: what its rules paid, what rewards took, what is owed.

use std::collections::{BTreeMap, BTreeSet};

use ledger::entry::Note;
use ledger::reverse::Reversals;
use ledger::{
    Effect, Entry, EntryKind, Member, Moment, Movement, Programme, SharedLimit, WalletName,
};
use rules::Bundle;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::book::Account;

/// What was paid, in units and in money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Paid {
    /// How often.
    pub times: u64,
    /// To how many members.
    pub members: u64,
    /// The units, without those that were taken back.
    pub units: i64,
    /// What they are worth in the programme's currency.
    pub worth: Decimal,
}

impl Paid {
    fn add(&mut self, other: Paid) {
        self.times += other.times;
        self.members += other.members;
        self.units += other.units;
        self.worth += other.worth;
    }
}

/// How the units of a wallet moved, in the words of the audit. What went out is negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Earned.
    pub issued: i64,
    /// Spent on rewards.
    pub redeemed: i64,
    /// Expired.
    pub expired: i64,
    /// Taken back or given back: by returns, and by what became known later.
    pub reversed: i64,
    /// Given and taken by hand.
    pub adjusted: i64,
    /// Transferred between members; zero over all of them.
    pub transferred: i64,
}

impl Moved {
    fn add(&mut self, other: Moved) {
        self.issued += other.issued;
        self.redeemed += other.redeemed;
        self.expired += other.expired;
        self.reversed += other.reversed;
        self.adjusted += other.adjusted;
        self.transferred += other.transferred;
    }
}

/// How often a rule failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// How often.
    pub times: u64,
    /// What went wrong once: of all messages, the first of the alphabet.
    pub such_as: String,
}

impl Failed {
    fn add(&mut self, other: Failed) {
        let is_first = self.times == 0 || other.such_as < self.such_as;
        self.times += other.times;
        if is_first {
            self.such_as = other.such_as;
        }
    }
}

/// What is owed in a wallet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Owed {
    /// The units.
    pub units: i64,
    /// What they are worth.
    pub worth: Decimal,
}

/// A rule and the wallet that it paid into.
pub(crate) type RuleInto = (String, WalletName);

/// What one member got.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Got {
    /// By rule and wallet.
    pub rules: BTreeMap<RuleInto, Paid>,
    /// What all of it is worth.
    pub worth: Decimal,
    /// Its tier at the end.
    pub tier: Option<String>,
}

/// What a programme came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// What each rule paid into each wallet.
    #[serde(serialize_with = "as_list")]
    pub rules: BTreeMap<RuleInto, Paid>,
    /// What each reward took, without those that came back as a whole.
    pub rewards: BTreeMap<String, Paid>,
    /// What was paid for activities by the tier after them; "" for no tier.
    pub tiers: BTreeMap<String, Paid>,
    /// How the units of each wallet moved.
    pub wallets: BTreeMap<WalletName, Moved>,
    /// The same by month, such as `2026-01`.
    pub months: BTreeMap<String, BTreeMap<WalletName, Moved>>,
    /// What is owed at the end.
    pub owed: BTreeMap<WalletName, Owed>,
    /// How often each rule failed, by its title. It paid nothing then.
    pub failures: BTreeMap<String, Failed>,
    /// The wallets that rules paid into, and that pay for rewards, but have no worth.
    pub worthless: BTreeSet<WalletName>,
    /// When each shared limit was first found exhausted.
    #[serde(skip)]
    pub exhausted: BTreeMap<SharedLimit, Moment>,
}

fn as_list<S: serde::Serializer>(
    rules: &BTreeMap<RuleInto, Paid>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        rule: &'a str,
        wallet: &'a WalletName,
        #[serde(flatten)]
        paid: Paid,
    }
    serializer.collect_seq(rules.iter().map(|((rule, wallet), paid)| Line {
        rule,
        wallet,
        paid: *paid,
    }))
}

impl Totals {
    /// Adds a member, without what its first entries moved. `bundle` gives the rules of a hash, if
    /// they are known. Returns what the member got.
    pub(crate) fn see<'b>(
        &mut self,
        account: &Account,
        before: usize,
        until: Moment,
        bundle: impl Fn(&str) -> Option<&'b Bundle>,
    ) -> Got {
        let mut got = Got { tier: account.member.tier().map(str::to_owned), ..Got::default() };
        let mut rewards = BTreeSet::new();
        let mut tiers = BTreeSet::new();
        let mut tier = String::new();
        let decimals = account.rules.iter().find_map(|hash| bundle(hash));
        let decimals = decimals.map_or(0, |bundle| bundle.programme().decimals());
        let reversals = Reversals::of(&account.entries, account.member.seq.next(), &[], decimals);
        for (place, (entry, hash)) in account.entries.iter().zip(&account.rules).enumerate() {
            if let Some(status) = &entry.tier_status {
                tier = status.tier.clone().unwrap_or_default();
            }
            for limit in &entry.exhausted {
                let at = self.exhausted.entry(limit.clone()).or_insert(entry.at);
                *at = (*at).min(entry.at);
            }
            if place < before {
                continue;
            }
            let programme = bundle(hash).map(Bundle::programme);
            let paid = given(entry, programme, &mut got);
            self.worthless.extend(worthless(entry, programme).cloned());
            if paid.units != 0 {
                let members = u64::from(tiers.insert(tier.clone()));
                self.tiers.entry(tier.clone()).or_default().add(Paid { members, ..paid });
            }
            if !reversals.is_undone(entry.seq) {
                self.redeemed(entry, programme, &mut rewards);
            }
            self.moved(entry, programme);
            for note in &entry.notes {
                if let Note::RuleFailed { rule, message, .. } = note {
                    let failed = Failed { times: 1, such_as: message.clone() };
                    self.failures.entry(rule.clone()).or_default().add(failed);
                }
            }
        }
        for (rule, paid) in &got.rules {
            self.rules.entry(rule.clone()).or_default().add(Paid { members: 1, ..*paid });
        }
        self.owes(&account.member, until);
        got
    }

    fn redeemed(
        &mut self,
        entry: &Entry,
        programme: Option<&Programme>,
        rewards: &mut BTreeSet<String>,
    ) {
        let (EntryKind::Redeem { reward, .. } | EntryKind::Capture { reward, .. }) = &entry.kind
        else {
            return;
        };
        let units = reward.costs.get();
        let worth = worth(programme, &reward.wallet, units);
        let members = u64::from(rewards.insert(reward.name.clone()));
        let taken = Paid { times: 1, members, units, worth };
        self.rewards.entry(reward.name.clone()).or_default().add(taken);
    }

    fn moved(&mut self, entry: &Entry, programme: Option<&Programme>) {
        let zone = programme.map_or(chrono_tz::UTC, |programme| programme.time_zone);
        let mut month = None;
        // What moved in the wallets of an account is in the account's own entry.
        for posting in entry.postings.iter().filter(|posting| !posting.shared) {
            let change = posting.change();
            let mut moved = Moved::default();
            let sum = match posting.why.movement() {
                Some(Movement::Issued) => &mut moved.issued,
                Some(Movement::Redeemed) => &mut moved.redeemed,
                Some(Movement::Expired) => &mut moved.expired,
                Some(Movement::Reversed) => &mut moved.reversed,
                Some(Movement::Adjusted) => &mut moved.adjusted,
                Some(Movement::Transferred) => &mut moved.transferred,
                None => continue,
            };
            *sum = change;
            let month = month
                .get_or_insert_with(|| entry.at.with_timezone(&zone).format("%Y-%m").to_string());
            self.wallets.entry(posting.wallet.clone()).or_default().add(moved);
            let months = self.months.entry(month.clone()).or_default();
            months.entry(posting.wallet.clone()).or_default().add(moved);
        }
    }

    fn owes(&mut self, member: &Member, until: Moment) {
        for (name, wallet) in &member.at(until).wallets {
            let owed = self.owed.entry(name.clone()).or_default();
            for lot in wallet.lots().iter().filter(|lot| !lot.terms.is_expired(until)) {
                owed.units += lot.units.get();
                let worth = lot.terms.worth.and_then(|worth| lot.units.checked_worth(worth));
                owed.worth += worth.unwrap_or_default();
            }
            owed.units -= wallet.debt().get();
        }
    }

    /// Adds what was seen of other members.
    pub(crate) fn add(&mut self, other: Totals) {
        let Totals { rules, rewards, tiers, wallets, months, owed, failures, worthless, exhausted } =
            other;
        merge(&mut self.rules, rules, Paid::add);
        merge(&mut self.rewards, rewards, Paid::add);
        merge(&mut self.tiers, tiers, Paid::add);
        merge(&mut self.wallets, wallets, Moved::add);
        merge(&mut self.months, months, |own, other| merge(own, other, Moved::add));
        merge(&mut self.owed, owed, |own, other| {
            own.units += other.units;
            own.worth += other.worth;
        });
        merge(&mut self.failures, failures, Failed::add);
        self.worthless.extend(worthless);
        for (limit, at) in exhausted {
            let own = self.exhausted.entry(limit).or_insert(at);
            *own = (*own).min(at);
        }
    }

    /// What rules paid, in money.
    #[must_use]
    pub fn cost(&self) -> Decimal {
        self.rules.values().map(|paid| paid.worth).sum()
    }

    /// What is owed, in money.
    #[must_use]
    pub fn liability(&self) -> Decimal {
        self.owed.values().map(|owed| owed.worth).sum()
    }
}

fn merge<K: Ord, T: Default>(
    own: &mut BTreeMap<K, T>,
    other: BTreeMap<K, T>,
    add: impl Fn(&mut T, T),
) {
    for (key, value) in other {
        add(own.entry(key).or_default(), value);
    }
}

/// What units of a wallet are worth by a programme.
fn worth(programme: Option<&Programme>, wallet: &WalletName, units: i64) -> Decimal {
    let policy = programme.and_then(|programme| programme.wallets.get(wallet));
    let worth = policy.filter(|policy| policy.spendable).and_then(|policy| policy.worth);
    worth.and_then(|worth| worth.checked_mul(units.into())).unwrap_or_default()
}

/// The wallets without a worth that an entry's rules paid into, of those that pay for rewards.
fn worthless<'e>(
    entry: &'e Entry,
    programme: Option<&Programme>,
) -> impl Iterator<Item = &'e WalletName> {
    entry.all_reasons().filter_map(move |reason| match &reason.effect {
        Effect::Units { wallet, .. } => {
            let policy = programme.and_then(|programme| programme.wallets.get(wallet));
            policy.filter(|policy| policy.spendable && policy.worth.is_none()).map(|_| wallet)
        }
        _ => None,
    })
}

/// What the rules gave with an entry, added to what its member got.
fn given(entry: &Entry, programme: Option<&Programme>, got: &mut Got) -> Paid {
    let mut all = Paid::default();
    for reason in entry.all_reasons() {
        let (wallet, units) = match &reason.effect {
            Effect::Units { wallet, units } => (wallet, units.get()),
            Effect::Reclaim { wallet, units } => (wallet, -units.get()),
            _ => continue,
        };
        let worth = worth(programme, wallet, units);
        let paid = Paid { times: u64::from(units > 0), members: 0, units, worth };
        let into = (reason.rule.clone(), wallet.clone());
        got.rules.entry(into).or_default().add(paid);
        got.worth += worth;
        all.add(paid);
    }
    all
}
