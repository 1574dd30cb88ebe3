use std::collections::BTreeMap;

use crate::decision_data::Allocator;
use crate::member::Hold;
use crate::{
    Change, Effect, Entry, EntryKind, Lot, Member, MemberId, Moment, Posting, Programme, Reason,
    SharedLimit, Units, Wallet, WalletName, Withdrawal,
};

/// The most grants, and the most tags, of one member.
pub const HOLDINGS_MAX: usize = 100;

/// What a verb decided: the line to write, and the member that it leads to. Writing all of it is
/// one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The member as it will be, one version on.
    pub member: Member,
    /// The line that says so.
    pub entry: Entry,
    /// When somebody has to look at the member next; never if nothing.
    pub due_at: Option<Moment>,
    /// What it means for others: the one who brought this member, whose wallets it shares, to whom it
    /// gives. No two are of one member.
    pub others: Vec<Decision>,
}

impl Decision {
    /// The account whose wallets a member shares, as it will be, where it has a part in this.
    #[must_use]
    pub fn account_after(&self, member: &Member) -> Option<&Member> {
        let members = self.others.iter().map(|other| &other.member);
        members.into_iter().find(|other| Some(&other.id) == member.account.as_ref())
    }
}

/// Why what the rules gave cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GiveRejection {
    /// A rule paid into a wallet that the manifest does not list.
    #[error("rule `{rule}` pays into `{wallet}`, which the manifest does not list")]
    WalletIsUnknown {
        /// The rule.
        rule: String,
        /// The wallet.
        wallet: WalletName,
    },
    /// More than a member can carry: it is loaded and written with every request.
    #[error("member `{member}` would have more than {HOLDINGS_MAX} grants or tags")]
    HoldingsAreTooMany {
        /// Whose.
        member: MemberId,
    },
    /// More than can be counted.
    #[error(
        "member `{member}` would hold or owe more than {} units in a wallet or a score",
        crate::Units::MAX
    )]
    WalletIsFull {
        /// Whose.
        member: MemberId,
    },
}

/// What a request changes, before it is an entry.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// What each rule gave.
    pub reasons: Vec<Reason>,
    /// Units given beside those that the reasons bring. They pay what is owed before anything else.
    pub credits: Vec<(WalletName, Lot)>,
    /// Postings beside those that reasons and credits bring.
    pub postings: Vec<Posting>,
    /// What else changed.
    pub changes: Vec<Change>,
    /// What was taken from pots.
    pub withdrawals: Vec<Withdrawal>,
    /// What was put back into pots.
    pub returns: Vec<Withdrawal>,
    /// Pots that had not enough.
    pub exhausted: Vec<SharedLimit>,
}

impl Draft {
    /// A draft of what rules gave, with what was drawn on the way.
    #[must_use]
    pub fn of(reasons: Vec<Reason>, changes: Vec<Change>, allocator: Allocator<'_>) -> Draft {
        Draft {
            reasons,
            changes,
            withdrawals: allocator.withdrawals(),
            exhausted: allocator.exhausted,
            ..Draft::default()
        }
    }

    /// The decision that these changes make of a member. Units have the terms of `at`, which is when
    /// they were earned.
    ///
    /// # Errors
    /// What the rules gave cannot be given. Nothing has changed then.
    pub fn decide(
        mut self,
        member: &Member,
        programme: &Programme,
        kind: EntryKind,
        at: Moment,
        now: Moment,
    ) -> Result<Decision, GiveRejection> {
        self.credit(member, programme, &kind, at)?;
        self.free(member, &kind, now);
        let full = || GiveRejection::WalletIsFull { member: member.id.clone() };
        let Draft { reasons, credits, postings: more, changes, withdrawals, returns, exhausted } =
            self;
        let mut postings = member.debt_paid_by_expired_holds(now);
        postings.extend(more);
        for (name, credit) in credits {
            postings.extend(paid_first(member, name, credit, &postings).ok_or_else(full)?);
        }
        postings.retain(|posting| posting.change != 0);
        let mut entry = Entry {
            // A version counts one member's requests; a u64 of them does not run out.
            seq: member.version.saturating_add(1),
            at: now,
            kind,
            reasons,
            postings,
            changes,
            account: None,
            withdrawals,
            returns,
            exhausted,
            balances: BTreeMap::new(),
            tier: None,
            tier_status: None,
        };
        let mut after = member.clone();
        after.apply(&entry).ok_or_else(full)?;
        for more in [settled, extend] {
            let more = more(&after, programme, &entry);
            if !more.is_empty() {
                entry.postings.extend(more);
                after = member.clone();
                after.apply(&entry).ok_or_else(full)?;
            }
        }
        if after.grants.len() > HOLDINGS_MAX || after.tags.len() > HOLDINGS_MAX {
            return Err(GiveRejection::HoldingsAreTooMany { member: member.id.clone() });
        }
        let balance =
            |(name, wallet): (&WalletName, &Wallet)| (name.clone(), wallet.spendable(now));
        entry.balances = after.wallets.iter().map(balance).collect();
        Ok(Decision { due_at: after.due_at(), member: after, entry, others: Vec::new() })
    }

    /// Makes credits of the units that rules gave.
    fn credit(
        &mut self,
        member: &Member,
        programme: &Programme,
        kind: &EntryKind,
        at: Moment,
    ) -> Result<(), GiveRejection> {
        let zone = programme.time_zone;
        for reason in &self.reasons {
            let Effect::Units { wallet, units } = &reason.effect else { continue };
            let policy = programme.wallets.get(wallet);
            let policy = policy.ok_or_else(|| GiveRejection::WalletIsUnknown {
                rule: reason.rule.clone(),
                wallet: wallet.clone(),
            })?;
            let terms = match kind {
                EntryKind::Earn { activity } => policy.terms_of(activity, member.active_at, zone),
                _ => policy.terms(at, zone),
            };
            // All that one request gives into one wallet has the same terms: one posting.
            let same = |(name, lot): &&mut (WalletName, Lot)| name == wallet && lot.terms == terms;
            let full = Lot { units: *units, terms: terms.clone() };
            match self.credits.iter_mut().find(same) {
                Some((_, lot)) => {
                    // A sum above the bound is refused when it is applied.
                    lot.units = lot.units.checked_add(*units).unwrap_or(Units::MAX);
                }
                None => self.credits.push((wallet.clone(), full)),
            }
        }
        Ok(())
    }

    /// Says of holds that have passed that they are free: their stock goes back.
    fn free(&mut self, member: &Member, kind: &EntryKind, now: Moment) {
        let all = matches!(kind, EntryKind::Erase);
        for (name, hold) in member.holds.iter().filter(|(_, hold)| all || hold.until <= now) {
            self.changes.push(Change::Freed { freed: name.clone() });
            self.put_back(hold);
        }
    }

    /// Puts back the piece of a stock that was set aside with a hold.
    pub(crate) fn put_back(&mut self, hold: &Hold) {
        self.returns.extend(hold.limit().map(|limit| Withdrawal { limit, units: Units::ONE }));
    }
}

/// The postings of a credit: what is owed is paid first. Other postings of the same entry may have
/// paid a part of it.
fn paid_first(
    member: &Member,
    name: WalletName,
    credit: Lot,
    postings: &[Posting],
) -> Option<[Posting; 2]> {
    let of_debt = postings.iter().filter(|posting| posting.debt && posting.wallet == name);
    let paid: i64 = of_debt.map(|posting| posting.change).sum();
    let debt = member.wallet(name.as_str()).debt().get().checked_sub(paid)?;
    let pays = Units::new(debt.max(0)).ok()?.min(credit.units);
    let rest = Lot { units: credit.units.checked_sub(pays)?, terms: credit.terms };
    Some([Posting::paid(name.clone(), pays), Posting::given(name, rest)])
}

/// The postings that pay what is owed with what there is. Nobody owes and has at the same time, but
/// for what is set aside: otherwise a lot could run out that pays a debt.
fn settled(after: &Member, _: &Programme, entry: &Entry) -> Vec<Posting> {
    let pays = |(name, wallet): (&WalletName, &Wallet)| -> Vec<[Posting; 2]> {
        let lots = wallet.clone().take_for_debt(entry.at);
        lots.into_iter().map(|lot| Posting::pays(name.clone(), lot)).collect()
    };
    after.wallets.iter().flat_map(pays).flatten().collect()
}

/// The postings that put off the end of lots that stay as long as the member is active.
pub(crate) fn extend(after: &Member, programme: &Programme, entry: &Entry) -> Vec<Posting> {
    let Some(active_at) = after.active_at.filter(|_| entry.active_at().is_some()) else {
        return Vec::new();
    };
    let mut postings = Vec::new();
    for (name, wallet) in &after.wallets {
        for lot in wallet.lots() {
            let Some(inactivity) = lot.terms.inactivity else { continue };
            let to =
                inactivity.extend(lot.terms.expires_at, active_at, entry.at, programme.time_zone);
            if to > lot.terms.expires_at {
                let mut later = lot.clone();
                later.terms.expires_at = to;
                postings.push(Posting::taken(name.clone(), lot.clone()));
                postings.push(Posting::given(name.clone(), later));
            }
        }
    }
    postings
}
