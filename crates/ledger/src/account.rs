//! Accounts: members of a household or a company share the wallets of one account, which is a
//! member too. If a member earns or spends there, both get an entry: the member and the account.

use crate::apply_error::ApplyError;
use crate::decision::{Draft, GiveRejection, extend};
use crate::delivery::{delivered, share_of};

use crate::member::MemberIsErased;
use crate::posting::AccountEntry;
use crate::terms::HoldId;
use crate::{
    Change, Decision, Entry, EntryKind, Member, MemberId, Moment, Posting, Programme, Wallet,
    WalletName,
};

/// Why a member does not join or leave an account, or is not erased. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountRejection {
    /// The person was erased.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// The account was erased.
    #[error("member `{0}`, whose wallets would be shared, has been erased")]
    AccountIsErased(MemberId),
    /// The programme has no shared wallet.
    #[error("no wallet of this programme is `shared`, so there is nothing to join")]
    NothingIsShared,
    /// The member shares the wallets of an account already.
    #[error("member `{member}` shares the wallets of `{account}` already; leave that one first")]
    MemberHasAnAccount {
        /// The member.
        member: MemberId,
        /// Its account.
        account: MemberId,
    },
    /// The member does not share the wallets of any account.
    #[error("member `{0}` shares nobody's wallets")]
    MemberHasNoAccount(MemberId),
    /// The member and the account are the same.
    #[error("member `{0}` cannot join itself")]
    MemberIsTheAccount(MemberId),
    /// The account shares the wallets of another account.
    #[error("`{0}` shares the wallets of another account, so nobody can share its own")]
    AccountHasAnAccount(MemberId),
    /// The member is an account whose wallets others share.
    #[error("{sharers} members share the wallets of `{account}`; they have to leave it first")]
    AccountIsShared {
        /// The account.
        account: MemberId,
        /// The number of members that share its wallets.
        sharers: u32,
    },
    /// The member has a hold, which would be out of reach afterwards.
    #[error("member `{member}` has something set aside; capture or release hold `{hold}` first")]
    MemberHasAHold {
        /// The member.
        member: MemberId,
        /// The hold.
        hold: HoldId,
    },
    /// The member has debt in its own wallet, which would be out of reach afterwards.
    #[error("member `{member}` owes units of `{wallet}`; settle that first")]
    MemberOwes {
        /// The member.
        member: MemberId,
        /// The wallet.
        wallet: WalletName,
    },
    /// The change cannot become an entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// The view of a member that shares the wallets of an account: the member, with the account's
/// wallets at `now` in place of its own, for wallets that are shared. Rules see it and verbs decide
/// on it. In it, expired holds have paid debt; the account's own entry records that.
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

/// Splits a decision on a view into one for the member and one for the account.
///
/// # Errors
/// The account's part, or the member's, cannot become an entry.
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
    // Unrecoverable units are recorded by the owner of the wallet in which they expired.
    let mut changes: Vec<Change> = Vec::new();
    for change in &mut decision.entry.changes {
        let there = change.clone();
        if let Change::Unrecoverable { wallet, shared: is_shared, .. }
        | Change::Revived { wallet, shared: is_shared, .. } = change
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
            happened_at: None,
        };
        let draft = Draft { postings: moved, changes, ..Draft::default() };
        let other = draft.decide(account, programme, kind, now)?;
        decision.others.push(other);
    }
    let own = out_of_reach(member, programme, &decision.entry).map_err(applies)?;
    decision.entry.postings.extend(own);
    after.apply(&decision.entry).map_err(applies)?;
    decision.member = after;
    Ok(decision)
}

/// The postings of a member's activity in those of its own wallets that are replaced in its view:
/// units that are pending on the activity are delivered, and ends are extended.
fn out_of_reach(
    member: &Member,
    programme: &Programme,
    entry: &Entry,
) -> Result<Vec<Posting>, ApplyError> {
    let mut own = member.at(entry.at);
    own.wallets.retain(|name, _| programme.wallets.get(name).is_some_and(|policy| policy.shared));
    own.active_at = own.active_at.max(entry.active_at());
    let mut postings = match &entry.kind {
        EntryKind::Earn { activity } => delivered(&own, activity, share_of(entry), entry.at),
        _ => Vec::new(),
    };
    own.post(&postings)?;
    postings.extend(extend(&own, programme, entry));
    Ok(postings)
}

/// The member shares the account's wallets from now on. Units in its own wallets stay there until
/// it leaves. It may transfer them before it joins.
///
/// # Errors
/// The member cannot join. The member is unchanged.
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
    without_hold_or_debt(member, programme, now)?;
    let kind = EntryKind::Join { account: account.id.clone() };
    let mut decision = Draft::default().decide(member, programme, kind, now)?;
    let view = view(&decision.member, account, programme, now);
    let balance = |(name, wallet): (&WalletName, &Wallet)| (name.clone(), wallet.spendable(now));
    decision.entry.balances = view.wallets.iter().map(balance).collect();
    Ok(with_account_entry(decision, Some(account), programme, now)?)
}

/// Checks that no other member shares the member's wallets.
///
/// # Errors
/// Others share them.
pub fn unshared(member: &Member) -> Result<(), AccountRejection> {
    match member.sharers {
        0 => Ok(()),
        sharers => Err(AccountRejection::AccountIsShared { account: member.id.clone(), sharers }),
    }
}

/// The same decision, with an entry of the account, if there is an account: it counts the members
/// that share its wallets.
pub(crate) fn with_account_entry(
    mut decision: Decision,
    account: Option<&Member>,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, GiveRejection> {
    let Some(account) = account else { return Ok(decision) };
    let Entry { seq, kind, .. } = &decision.entry;
    let (by, moved) = (decision.member.id.clone(), kind.verb());
    let kind = EntryKind::Share { by, entry: *seq, moved, active_at: None, happened_at: None };
    let other = Draft::default().decide(account, programme, kind, now)?;
    let entry = other.entry.seq;
    decision.entry.account = Some(AccountEntry { account: account.id.clone(), entry });
    decision.others.push(other);
    Ok(decision)
}

/// The member uses its own wallets again, with their units and their debt.
///
/// # Errors
/// The member shares no account's wallets, or has a hold. The member is unchanged.
pub fn leave(
    member: &Member,
    account: Option<&Member>,
    programme: &Programme,
    now: Moment,
) -> Result<Decision, AccountRejection> {
    member.present()?;
    let shares = member.account.clone();
    let shares = shares.ok_or_else(|| AccountRejection::MemberHasNoAccount(member.id.clone()))?;
    without_hold(member, now)?;
    let kind = EntryKind::Leave { account: shares };
    let decision = Draft::default().decide(member, programme, kind, now)?;
    Ok(with_account_entry(decision, account, programme, now)?)
}

/// Checks that the member has no hold, and no debt in a wallet that will be replaced.
fn without_hold_or_debt(
    member: &Member,
    programme: &Programme,
    now: Moment,
) -> Result<(), AccountRejection> {
    without_hold(member, now)?;
    let member = member.at(now);
    let mut shared = programme.wallets.iter().filter(|(_, policy)| policy.shared);
    match shared.find(|(name, _)| !member.wallet(name.as_str()).debt().is_zero()) {
        None => Ok(()),
        Some((wallet, _)) => {
            Err(AccountRejection::MemberOwes { member: member.id.clone(), wallet: wallet.clone() })
        }
    }
}

fn without_hold(member: &Member, now: Moment) -> Result<(), AccountRejection> {
    match member.at(now).holds.keys().next() {
        None => Ok(()),
        Some(hold) => {
            let (member, hold) = (member.id.clone(), hold.clone());
            Err(AccountRejection::MemberHasAHold { member, hold })
        }
    }
}
