use std::collections::BTreeMap;

use crate::pot::Till;
use crate::{
    Change, Draw, Entry, Lot, Member, MemberId, Moment, Outcome, Posting, Pot, Programme, Reason,
    WalletName, What,
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
    /// What it means for the member who brought this one.
    pub referrer: Option<Box<Decision>>,
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
        "member `{member}` would hold more than {} units in a wallet or a score",
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
    pub because: Vec<Reason>,
    /// Postings beside those that the reasons bring.
    pub postings: Vec<Posting>,
    /// What else changed.
    pub changes: Vec<Change>,
    /// What was taken from pots.
    pub draws: Vec<Draw>,
    /// Pots that had not enough.
    pub dry: Vec<Pot>,
}

impl Draft {
    /// A draft of what rules gave, with what was drawn on the way.
    #[must_use]
    pub fn of(because: Vec<Reason>, changes: Vec<Change>, till: Till<'_>) -> Draft {
        Draft { because, changes, postings: Vec::new(), draws: till.draws(), dry: till.dry }
    }

    /// The decision that these changes make of a member.
    ///
    /// # Errors
    /// What the rules gave cannot be given. Nothing has changed then.
    pub fn decide(
        self,
        member: &Member,
        programme: &Programme,
        what: What,
        at: Moment,
        now: Moment,
    ) -> Result<Decision, GiveRejection> {
        let Draft { because, mut postings, changes, draws, dry } = self;
        for reason in &because {
            if let Outcome::Units { wallet, units } = &reason.gave {
                let Some(policy) = programme.wallets.get(wallet) else {
                    return Err(GiveRejection::WalletIsUnknown {
                        rule: reason.rule.clone(),
                        wallet: wallet.clone(),
                    });
                };
                let lot = Lot {
                    units: *units,
                    available_at: policy.available_at(at),
                    expires_at: policy.expires.of(at, programme.time_zone),
                };
                let posting = Posting::given(wallet.clone(), lot);
                // All that one request gives into one wallet has the same terms: one posting.
                match postings.iter_mut().find(|other| {
                    other.change > 0
                        && Posting { change: posting.change, ..(*other).clone() } == posting
                }) {
                    Some(same) => same.change = same.change.saturating_add(posting.change),
                    None => postings.push(posting),
                }
            }
        }
        postings.retain(|posting| posting.change != 0);
        let mut after = member.clone();
        let mut entry = Entry {
            // A version counts one member's requests; a u64 of them does not run out.
            seq: member.version.saturating_add(1),
            at: now,
            what,
            because,
            postings,
            changes,
            draws,
            dry,
            balances: BTreeMap::new(),
            tier: None,
            standing: None,
        };
        after
            .apply(&entry)
            .ok_or_else(|| GiveRejection::WalletIsFull { member: member.id.clone() })?;
        if after.grants.len() > HOLDINGS_MAX || after.tags.len() > HOLDINGS_MAX {
            return Err(GiveRejection::HoldingsAreTooMany { member: member.id.clone() });
        }
        let balance =
            |(name, wallet): (&WalletName, &crate::Wallet)| (name.clone(), wallet.spendable(now));
        entry.balances = after.wallets.iter().map(balance).collect();
        Ok(Decision { member: after, entry, referrer: None })
    }
}
