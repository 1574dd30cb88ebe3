//! Members of a household or a company share the wallets of one account, which is a member too. What
//! one of them earns and spends there is that one's entry, and the account has an entry of it.

use crate::apply_error::ApplyError;
use crate::decision::{Draft, GiveRejection, extend};
use crate::earn::delivered;
use crate::entry::AccountEntry;
use crate::member::MemberIsErased;
use crate::terms::HoldId;
use crate::{
    Change, Decision, Entry, EntryKind, Member, MemberId, Moment, Posting, Programme, Wallet,
    WalletName,
};

/// Why a member does not join an account, or leave it. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountRejection {
    /// The person wants to be forgotten.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// The person whose account it was wanted to be forgotten.
    #[error("member `{0}`, whose wallets would be shared, has been erased")]
    AccountIsErased(MemberId),
    /// Nothing is shared in this programme.
    #[error("no wallet of this programme is `shared`, so there is nothing to join")]
    NothingIsShared,
    /// It shares the wallets of an account.
    #[error("member `{member}` shares the wallets of `{account}` already; leave that one first")]
    MemberHasAnAccount {
        /// Who.
        member: MemberId,
        /// Whose.
        account: MemberId,
    },
    /// It shares nobody's wallets.
    #[error("member `{0}` shares nobody's wallets")]
    MemberHasNoAccount(MemberId),
    /// Oneself.
    #[error("member `{0}` cannot join itself")]
    MemberIsTheAccount(MemberId),
    /// An account cannot be a part of another.
    #[error("`{0}` shares the wallets of another account, so nobody can share its own")]
    AccountHasAnAccount(MemberId),
    /// It is an account itself.
    #[error("{sharers} members share the wallets of `{account}`; they have to leave it first")]
    AccountIsShared {
        /// Whose wallets.
        account: MemberId,
        /// How many do.
        sharers: u32,
    },
    /// What the member has set aside would be out of reach.
    #[error("member `{member}` has something set aside; capture or release hold `{hold}` first")]
    MemberHasAHold {
        /// Who.
        member: MemberId,
        /// Which hold.
        hold: HoldId,
    },
    /// What the member owes in its own wallet would be out of reach.
    #[error("member `{member}` owes units of `{wallet}`; settle that first")]
    MemberOwes {
        /// Who.
        member: MemberId,
        /// Which wallet.
        wallet: WalletName,
    },
    /// It cannot be counted.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// The member with the account's wallets in place of its own, as far as they are shared and as time
/// has made them: what its rules see and its verbs work on. What was set aside there has paid what is
/// owed; the account's own entry says so.
#[must_use]
pub fn view(member: &Member, account: &Member, programme: &Programme, now: Moment) -> Member {
    let mut view = member.clone();
    let account = account.at(now);
    for (name, _) in programme.wallets.iter().filter(|(_, policy)| policy.shared) {
        view.wallets.remove(name);
        if let Some(wallet) = account.wallets.get(name) {
            view.wallets.insert(name.clone(), wallet.clone());
        }
    }
    view
}

/// Parts what was decided on a view into what it means for the member and for the account.
///
/// # Errors
/// The account cannot carry it.
pub fn part(
    member: &Member,
    account: &Member,
    programme: &Programme,
    mut decision: Decision,
    now: Moment,
) -> Result<Decision, GiveRejection> {
    let applies = |reason| GiveRejection::of(&member.id, reason);
    let shared =
        |name: &WalletName| programme.wallets.get(name).is_some_and(|policy| policy.shared);
    let mut moved: Vec<Posting> = Vec::new();
    for posting in decision.entry.postings.iter_mut().filter(|posting| shared(&posting.wallet)) {
        moved.push(posting.clone());
        posting.shared = true;
    }
    let mut after = member.clone();
    let entry = account.seq.next();
    decision.entry.account = Some(AccountEntry { account: account.id.clone(), entry });
    // What ran out is told where it ran out.
    let mut changes: Vec<Change> = Vec::new();
    for change in &mut decision.entry.changes {
        let there = change.clone();
        if let Change::Unrecoverable { wallet, shared: is_shared, .. } = change
            && shared(wallet)
        {
            *is_shared = true;
            changes.push(there);
        }
    }
    if !moved.is_empty() || !changes.is_empty() {
        let kind = EntryKind::Share {
            by: member.id.clone(),
            entry: decision.entry.seq,
            moved: decision.entry.kind.verb(),
            active_at: decision.entry.active_at().and(decision.member.active_at),
        };
        let draft = Draft { postings: moved, changes, ..Draft::default() };
        let other = draft.decide(account, programme, kind, now, now)?;
        decision.others.push(other);
    }
    let own = out_of_reach(member, programme, &decision.entry).map_err(applies)?;
    decision.entry.postings.extend(own);
    after.apply(&decision.entry).map_err(applies)?;
    decision.member = after;
    Ok(decision)
}

/// The postings of what a member's activity means for its own wallets while it shares another's: what
/// waits for it is let go, and ends are put off.
fn out_of_reach(
    member: &Member,
    programme: &Programme,
    entry: &Entry,
) -> Result<Vec<Posting>, ApplyError> {
    let mut own = member.at(entry.at);
    own.wallets.retain(|name, _| programme.wallets.get(name).is_some_and(|policy| policy.shared));
    own.active_at = own.active_at.max(entry.active_at());
    let mut postings = match &entry.kind {
        EntryKind::Earn { activity } => delivered(&own, activity, entry.at),
        _ => Vec::new(),
    };
    own.post(&postings)?;
    postings.extend(extend(&own, programme, entry));
    Ok(postings)
}

/// The member shares the account's wallets from now on. What it has in its own stays there until it
/// leaves; what it had to give may be transferred.
///
/// # Errors
/// It cannot join. Nothing has changed then.
pub fn join(
    member: &Member,
    account: &Member,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, AccountRejection> {
    member.present()?;
    if account.erased_at.is_some() {
        return Err(AccountRejection::AccountIsErased(account.id.clone()));
    }
    if !programme.wallets.values().any(|policy| policy.shared) {
        return Err(AccountRejection::NothingIsShared);
    }
    if let Some(account) = &member.account {
        let (member, account) = (member.id.clone(), account.clone());
        return Err(AccountRejection::MemberHasAnAccount { member, account });
    }
    if member.id == account.id {
        return Err(AccountRejection::MemberIsTheAccount(member.id.clone()));
    }
    if account.account.is_some() {
        return Err(AccountRejection::AccountHasAnAccount(account.id.clone()));
    }
    unshared(member)?;
    settled(member, programme, now)?;
    let kind = EntryKind::Join { account: account.id.clone() };
    let mut decision = Draft::default().decide(member, programme, kind, now, now)?;
    let view = view(&decision.member, account, programme, now);
    let balance = |(name, wallet): (&WalletName, &Wallet)| (name.clone(), wallet.spendable(now));
    decision.entry.balances = view.wallets.iter().map(balance).collect();
    Ok(told(decision, Some(account), programme, now)?)
}

/// Whether nobody shares the member's wallets.
///
/// # Errors
/// Somebody does.
pub fn unshared(member: &Member) -> Result<(), AccountRejection> {
    match member.sharers {
        0 => Ok(()),
        sharers => Err(AccountRejection::AccountIsShared { account: member.id.clone(), sharers }),
    }
}

/// The same decision with the account's entry of it, if there is an account: it counts those who
/// share.
pub(crate) fn told(
    mut decision: Decision,
    account: Option<&Member>,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, GiveRejection> {
    let Some(account) = account else { return Ok(decision) };
    let Entry { seq, kind, .. } = &decision.entry;
    let (by, moved) = (decision.member.id.clone(), kind.verb());
    let kind = EntryKind::Share { by, entry: *seq, moved, active_at: None };
    let other = Draft::default().decide(account, programme, kind, now, now)?;
    let entry = other.entry.seq;
    decision.entry.account = Some(AccountEntry { account: account.id.clone(), entry });
    decision.others.push(other);
    Ok(decision)
}

/// The member has its own wallets again. What it owes in them is within reach again.
///
/// # Errors
/// It shares nobody's, or has something set aside. Nothing has changed then.
pub fn leave(
    member: &Member,
    account: Option<&Member>,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, AccountRejection> {
    member.present()?;
    let shares = member.account.clone();
    let shares = shares.ok_or_else(|| AccountRejection::MemberHasNoAccount(member.id.clone()))?;
    nothing_aside(member, now)?;
    let kind = EntryKind::Leave { account: shares };
    let decision = Draft::default().decide(member, programme, kind, now, now)?;
    Ok(told(decision, account, programme, now)?)
}

/// Nothing is owed or set aside that would be out of reach afterwards.
fn settled(member: &Member, programme: &Programme, now: Moment) -> Result<(), AccountRejection> {
    nothing_aside(member, now)?;
    let member = member.at(now);
    let mut shared = programme.wallets.iter().filter(|(_, policy)| policy.shared);
    match shared.find(|(name, _)| !member.wallet(name.as_str()).debt().is_zero()) {
        None => Ok(()),
        Some((wallet, _)) => {
            Err(AccountRejection::MemberOwes { member: member.id.clone(), wallet: wallet.clone() })
        }
    }
}

fn nothing_aside(member: &Member, now: Moment) -> Result<(), AccountRejection> {
    match member.at(now).holds.keys().next() {
        None => Ok(()),
        Some(hold) => {
            let (member, hold) = (member.id.clone(), hold.clone());
            Err(AccountRejection::MemberHasAHold { member, hold })
        }
    }
}
