//! What a verb decided, and how a draft of changes becomes an entry.

use std::collections::BTreeMap;

use crate::apply_error::ApplyError;
use crate::decision_data::Allocator;
use crate::holdings::Hold;
use crate::terms::Terms;
use crate::{
    Change, Effect, Entry, EntryKind, Lot, Member, MemberId, Moment, Posting, PostingReason,
    Programme, Reason, SharedLimit, Units, Wallet, WalletName, Withdrawal,
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
    /// More than can be counted.
    #[error(
        "member `{member}` would hold or owe more than {} units in a wallet or a score",
        crate::Units::MAX
    )]
    WalletIsFull {
        /// Whose.
        member: MemberId,
    },
    /// The entry does not follow from the member before it: a broken invariant of ours.
    #[error("an entry of member `{member}` does not follow from the one before it: {reason}")]
    EntryDoesNotApply {
        /// Whose.
        member: MemberId,
        /// Why.
        reason: ApplyError,
    },
    /// More than a member can carry: it is loaded and written with every request.
    #[error("member `{member}` would have more than {HOLDINGS_MAX} grants or tags")]
    HoldingsAreTooMany {
        /// Whose.
        member: MemberId,
    },
}

impl GiveRejection {
    /// The rejection of an entry that does not apply. Only what cannot be counted is the client's.
    #[must_use]
    pub fn of(member: &MemberId, reason: ApplyError) -> GiveRejection {
        let member = member.clone();
        match reason {
            ApplyError::TooMuch(_) => GiveRejection::WalletIsFull { member },
            reason => GiveRejection::EntryDoesNotApply { member, reason },
        }
    }
}

/// Units that come into a wallet, and why. They pay what is owed before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// Into which wallet.
    pub wallet: WalletName,
    /// The lot.
    pub lot: Lot,
    /// Why.
    pub why: PostingReason,
}

/// What a request changes, before it is an entry.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// What each rule gave.
    pub reasons: Vec<Reason>,
    /// Units that come in beside those that the reasons bring.
    pub credits: Vec<Credit>,
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
        let applies = |reason| GiveRejection::of(&member.id, reason);
        let Draft { reasons, credits, postings: more, changes, withdrawals, returns, exhausted } =
            self;
        let mut postings = member.debt_paid_by_expired_holds(now);
        postings.extend(more);
        for credit in credits {
            postings.extend(paid_first(member, credit, &postings));
        }
        postings.retain(|posting| !posting.units.is_zero());
        let mut entry = Entry {
            seq: member.seq.next(),
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
        after.apply(&entry).map_err(applies)?;
        for more in [settled, extend] {
            let more = more(&after, programme, &entry);
            if !more.is_empty() {
                entry.postings.extend(more);
                after = member.clone();
                after.apply(&entry).map_err(applies)?;
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
            let same = |credit: &&mut Credit| {
                credit.wallet == *wallet
                    && credit.lot.terms == terms
                    && credit.why == PostingReason::Issued
            };
            match self.credits.iter_mut().find(same) {
                Some(Credit { lot, .. }) => {
                    let sum = lot.units.checked_add(*units);
                    let full = || GiveRejection::WalletIsFull { member: member.id.clone() };
                    lot.units = sum.ok_or_else(full)?;
                }
                None => self.credits.push(Credit {
                    wallet: wallet.clone(),
                    lot: Lot { units: *units, terms },
                    why: PostingReason::Issued,
                }),
            }
        }
        Ok(())
    }

    /// Says of holds that have passed that they are free: their stock goes back.
    fn free(&mut self, member: &Member, kind: &EntryKind, now: Moment) {
        let all = matches!(kind, EntryKind::Erase);
        for (name, hold) in member.holds.iter().filter(|(_, hold)| all || hold.until <= now) {
            self.changes.push(Change::HoldExpired { hold: name.clone() });
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
fn paid_first(member: &Member, credit: Credit, postings: &[Posting]) -> [Posting; 2] {
    let Credit { wallet, lot, why } = credit;
    let of_wallet = postings.iter().filter(|posting| posting.wallet == wallet);
    let changed: i64 = of_wallet.map(Posting::change_of_debt).sum();
    let debt = member.wallet(wallet.as_str()).debt().get() + changed;
    let pays = Units::part(debt.clamp(0, lot.units.get()));
    let rest = Lot { units: Units::part(lot.units.get() - pays.get()), terms: lot.terms };
    [Posting::into_debt(wallet.clone(), pays, why), Posting::into_lot(wallet, rest, why)]
}

/// The postings that pay what is owed with what there is. Nobody owes and has at the same time, but
/// for what is held: otherwise a lot could expire that pays a debt.
fn settled(after: &Member, _: &Programme, entry: &Entry) -> Vec<Posting> {
    let pays = |(name, wallet): (&WalletName, &Wallet)| -> Vec<Posting> {
        let lots = wallet.clone().take_for_debt(entry.at);
        lots.into_iter().map(|lot| Posting::pays_debt(name.clone(), lot)).collect()
    };
    after.wallets.iter().flat_map(pays).collect()
}

/// The postings that extend lots which stay as long as the member is active.
pub(crate) fn extend(after: &Member, programme: &Programme, entry: &Entry) -> Vec<Posting> {
    let Some(active_at) = after.active_at.filter(|_| entry.active_at().is_some()) else {
        return Vec::new();
    };
    let mut postings = Vec::new();
    for (name, wallet) in &after.wallets {
        for lot in wallet.lots() {
            let Some(inactivity) = lot.terms.inactivity else { continue };
            let (end, zone) = (lot.terms.expires_at, programme.time_zone);
            let expires_at = inactivity.extend(end, active_at, entry.at, zone);
            if expires_at > end {
                let to = Terms { expires_at, ..lot.terms.clone() };
                let why = PostingReason::Extended;
                postings.push(Posting::between_lots(name.clone(), lot.clone(), to, why));
            }
        }
    }
    postings
}
