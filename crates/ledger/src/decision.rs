//! What a verb decided, and how a draft of changes becomes an entry.
//!
//! A verb fills a [`Draft`] with reasons, postings and changes, and calls [`Draft::decide`]. That
//! adds what every entry needs (postings of issued units, debt paid, ends extended, expired holds,
//! balances), applies the entry to the member, and returns the [`Decision`]. Later steps such as
//! `account::part` and `tier::settle` complete it. Write the decision and its `others` in one
//! transaction.

use std::collections::BTreeMap;

use crate::apply_error::ApplyError;
use crate::decision_data::Allocator;
use crate::delivery::delivered_early;
use crate::entry::Note;
use crate::holdings::Hold;
use crate::terms::Terms;
use crate::{
    Change, Effect, Entry, EntryKind, Lot, Member, MemberId, Moment, Posting, PostingReason,
    Programme, Reason, SharedLimit, Units, Wallet, WalletName, Withdrawal,
};

/// The most grants, and the most tags, of one member.
pub const HOLDINGS_MAX: usize = 100;

/// What a verb decided: the entry to write, and the member after it. All of it is written in one
/// transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The member after the entry.
    pub member: Member,
    /// The entry.
    pub entry: Entry,
    /// The member's due date: when the scheduled run has to process it next; `None` if never.
    pub due_at: Option<Moment>,
    /// The decisions that follow for other members: the referrer, the account, the receiver of a
    /// transfer. No two are of the same member.
    pub others: Vec<Decision>,
}

impl Decision {
    /// Adds what is decided with it for another member. Returns whether it could: not if both change
    /// the same member or account.
    #[must_use]
    pub fn join(&mut self, mut other: Decision) -> bool {
        let is_changed = |id: &MemberId| self.members().any(|own| own == id);
        if other.members().any(is_changed) {
            return false;
        }
        self.others.append(&mut other.others);
        self.others.push(other);
        true
    }

    /// The members that it changes.
    fn members(&self) -> impl Iterator<Item = &MemberId> {
        self.others.iter().map(|other| &other.member.id).chain([&self.member.id])
    }

    /// The same decision, made as of when the activity happened, in entries as of when it was sent.
    #[must_use]
    pub fn sent_at(mut self, now: Moment) -> Decision {
        for other in &mut self.others {
            other.send(now);
        }
        self.send(now);
        let accounts = self.others.iter();
        let account = self.entry.account.as_ref();
        let account =
            accounts.filter(|other| account.is_some_and(|of| of.account == other.member.id));
        for (name, balance) in account.flat_map(|account| &account.entry.balances) {
            let mut moved = self.entry.postings.iter();
            if moved.any(|posting| posting.shared && posting.wallet == *name) {
                self.entry.balances.insert(name.clone(), *balance);
            }
        }
        self
    }

    /// Dates the entry, and says what can be spent then. A wallet that others share keeps the balance
    /// that the account had.
    fn send(&mut self, now: Moment) {
        let Decision { entry, member, .. } = self;
        if let EntryKind::Share { happened_at, .. } = &mut entry.kind
            && entry.at != now
        {
            *happened_at = Some(entry.at);
        }
        entry.at = now;
        let of_account = |name: &WalletName| {
            let mut moved = entry.postings.iter();
            entry.account.is_some()
                && (moved.any(|posting| posting.shared && posting.wallet == *name)
                    || !member.wallets.contains_key(name))
        };
        for (name, units) in balances(member, now) {
            if entry.balances.contains_key(&name) && !of_account(&name) {
                entry.balances.insert(name, units);
            }
        }
    }

    /// The account whose wallets a member shares, after this decision; `None` if the account does
    /// not change.
    #[must_use]
    pub fn account_after(&self, member: &Member) -> Option<&Member> {
        let members = self.others.iter().map(|other| &other.member);
        members.into_iter().find(|other| Some(&other.id) == member.account.as_ref())
    }
}

/// Why a draft cannot become an entry.
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
    /// A wallet, a score or a count would overflow.
    #[error(
        "member `{member}` would hold or owe more than {} units in a wallet or a score",
        crate::Units::MAX
    )]
    WalletIsFull {
        /// The member.
        member: MemberId,
    },
    /// The entry does not follow from the member before it: a broken invariant of this program.
    #[error("an entry of member `{member}` does not follow from the one before it: {reason}")]
    EntryDoesNotApply {
        /// The member.
        member: MemberId,
        /// Why.
        reason: ApplyError,
    },
    /// Too many grants or tags. The member is loaded and written with every request.
    #[error("member `{member}` would have more than {HOLDINGS_MAX} grants or tags")]
    HoldingsAreTooMany {
        /// The member.
        member: MemberId,
    },
}

impl GiveRejection {
    /// The rejection of an entry that cannot be applied. Only an overflow is the client's fault.
    #[must_use]
    pub fn of(member: &MemberId, reason: ApplyError) -> GiveRejection {
        let member = member.clone();
        match reason {
            ApplyError::TooMuch(_) => GiveRejection::WalletIsFull { member },
            reason => GiveRejection::EntryDoesNotApply { member, reason },
        }
    }
}

/// Units that come into a wallet, and why. They pay debt first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The wallet.
    pub wallet: WalletName,
    /// The lot.
    pub lot: Lot,
    /// Why.
    pub why: PostingReason,
}

/// The changes of a request, before they are an entry.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// What each rule gave.
    pub reasons: Vec<Reason>,
    /// Units that come in, beside those of the reasons.
    pub credits: Vec<Credit>,
    /// Postings, beside those of reasons and credits.
    pub postings: Vec<Posting>,
    /// Everything else that changes.
    pub changes: Vec<Change>,
    /// The withdrawals from shared limits.
    pub withdrawals: Vec<Withdrawal>,
    /// What is put back into shared limits.
    pub returns: Vec<Withdrawal>,
    /// The shared limits that did not have enough left.
    pub exhausted: Vec<SharedLimit>,
    /// What is to be said about the activity.
    pub notes: Vec<Note>,
}

impl Draft {
    /// A draft of what rules gave, with the withdrawals that the allocator made.
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

    /// Makes the decision of this draft for a member.
    ///
    /// # Errors
    /// The draft cannot become an entry. The member is unchanged.
    pub fn decide(
        mut self,
        member: &Member,
        programme: &Programme,
        kind: EntryKind,
        now: Moment,
    ) -> Result<Decision, GiveRejection> {
        self.credit(member, programme, &kind, now)?;
        self.free(member, &kind, now);
        let applies = |reason| GiveRejection::of(&member.id, reason);
        let Draft {
            reasons,
            credits,
            postings: more,
            changes,
            withdrawals,
            returns,
            exhausted,
            notes,
        } = self;
        let mut postings = member.debt_paid_by_expired_holds(now);
        postings.extend(more);
        for credit in credits {
            postings.extend(paid_first(member, credit, &postings));
        }
        postings.retain(|posting| !posting.units.is_zero());
        let mut entry = Entry {
            reasons,
            postings,
            changes,
            withdrawals,
            returns,
            exhausted,
            notes,
            ..Entry::bare(member.seq.next(), now, kind)
        };
        let mut after = member.clone();
        after.apply(&entry).map_err(applies)?;
        for more in [delivered_early, debt_paid, extend] {
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
        entry.balances = balances(&after, now);
        Ok(Decision { due_at: after.due_at(), member: after, entry, others: Vec::new() })
    }

    /// Adds a credit for the units that rules gave.
    fn credit(
        &mut self,
        member: &Member,
        programme: &Programme,
        kind: &EntryKind,
        now: Moment,
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
                _ => policy.terms(now, zone),
            };
            // Units of one request in one wallet have the same terms, so they are one credit.
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

    /// Records the holds that have expired, and puts back their stock. Erasing ends all holds.
    fn free(&mut self, member: &Member, kind: &EntryKind, now: Moment) {
        let all = matches!(kind, EntryKind::Erase);
        for (name, hold) in member.holds.iter().filter(|(_, hold)| all || hold.until <= now) {
            self.changes.push(Change::HoldExpired { hold: name.clone() });
            self.put_back(hold);
        }
    }

    /// Puts back the piece of stock that a hold held, if it held one.
    pub(crate) fn put_back(&mut self, hold: &Hold) {
        self.returns.extend(hold.limit().map(|limit| Withdrawal { limit, units: Units::ONE }));
    }
}

/// The units that can be spent from each wallet.
pub(crate) fn balances(member: &Member, now: Moment) -> BTreeMap<WalletName, Units> {
    let balance = |(name, wallet): (&WalletName, &Wallet)| (name.clone(), wallet.spendable(now));
    member.wallets.iter().map(balance).collect()
}

/// The postings of a credit: one that pays debt, and one into a lot. Other postings of the same
/// entry may have paid a part of the debt.
fn paid_first(member: &Member, credit: Credit, postings: &[Posting]) -> [Posting; 2] {
    let Credit { wallet, lot, why } = credit;
    let of_wallet = postings.iter().filter(|posting| posting.wallet == wallet);
    let changed: i64 = of_wallet.map(Posting::change_of_debt).sum();
    let debt = member.wallet(wallet.as_str()).debt().get() + changed;
    let pays = Units::part(debt.clamp(0, lot.units.get()));
    let rest = Lot { units: Units::part(lot.units.get() - pays.get()), ..lot.clone() };
    let pays = Lot { units: pays, ..lot };
    [Posting::into_debt(wallet.clone(), pays, why), Posting::into_lot(wallet, rest, why)]
}

/// The postings that pay debt out of lots.
// INVARIANT: after an entry, a wallet with debt has no lot that can be spent or is pending. Such a
// lot could otherwise expire instead of paying debt.
fn debt_paid(after: &Member, _: &Programme, entry: &Entry) -> Vec<Posting> {
    let pays = |(name, wallet): (&WalletName, &Wallet)| -> Vec<Posting> {
        let lots = wallet.clone().take_for_debt(entry.at);
        lots.into_iter().map(|lot| Posting::pays_debt(name.clone(), lot)).collect()
    };
    after.wallets.iter().flat_map(pays).collect()
}

/// The postings that extend the ends of lots which expire by inactivity, if the member was active.
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
