use chrono::TimeDelta;

use crate::{
    Activity, Decision, Lot, Member, Moment, Paid, Posting, Programme, WalletName, What, cap,
};

/// How far a till's clock may run ahead of ours.
pub const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// Why an activity does not pay. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EarnRejection {
    /// It has not happened yet.
    #[error("the activity is dated {at}, and it is only {now}")]
    ActivityIsInTheFuture {
        /// Its date.
        at: Moment,
        /// The time it was told.
        now: Moment,
    },
    /// The person was not a member yet.
    #[error("the activity is dated {at}, and the member enrolled at {enrolled_at}")]
    ActivityIsBeforeEnrolment {
        /// Its date.
        at: Moment,
        /// When the member joined.
        enrolled_at: Moment,
    },
    /// A rule paid into a wallet that the manifest does not list.
    #[error("rule `{rule}` pays into `{wallet}`, which the manifest does not list")]
    WalletIsUnknown {
        /// The rule.
        rule: String,
        /// The wallet.
        wallet: WalletName,
    },
    /// More than can be counted.
    #[error("wallet `{wallet}` would hold more than {} units", crate::Units::MAX)]
    WalletIsFull {
        /// The wallet.
        wallet: WalletName,
    },
}

/// Whether the activity may pay at all. Asked before the rules are, so that they only see
/// activities that make sense.
///
/// # Errors
/// The activity's date makes no sense for this member.
pub fn admit(member: &Member, activity: &Activity, now: Moment) -> Result<(), EarnRejection> {
    if activity.at > now + CLOCK_SKEW_MAX {
        return Err(EarnRejection::ActivityIsInTheFuture { at: activity.at, now });
    }
    if activity.at < member.enrolled_at {
        return Err(EarnRejection::ActivityIsBeforeEnrolment {
            at: activity.at,
            enrolled_at: member.enrolled_at,
        });
    }
    Ok(())
}

/// Credits what the rules paid for an admitted activity. Lots of the same wallet and terms become
/// one, so that a member of a calendar programme holds a dozen lots and not hundreds.
///
/// # Errors
/// A rule paid what no wallet can take. Nothing has changed then.
pub fn decide(
    member: &Member,
    programme: &Programme,
    activity: Activity,
    because: Vec<Paid>,
    now: Moment,
) -> Result<Decision, EarnRejection> {
    let mut member = member.matured(now);
    let mut postings: Vec<Posting> = Vec::new();
    for paid in &because {
        if let Some(cap) = paid.cap {
            cap::count(&mut member, &paid.rule, cap, activity.at, programme.time_zone);
        }
        let Some(policy) = programme.wallets.get(&paid.wallet) else {
            return Err(EarnRejection::WalletIsUnknown {
                rule: paid.rule.clone(),
                wallet: paid.wallet.clone(),
            });
        };
        let lot = Lot {
            units: paid.units,
            available_at: (policy.pending_days > 0)
                .then(|| activity.at + TimeDelta::days(policy.pending_days.into())),
            expires_at: policy.expires.of(activity.at, programme.time_zone),
        };
        let wallet = member.wallets.entry(paid.wallet.clone()).or_default();
        if wallet.add(lot).is_none() {
            return Err(EarnRejection::WalletIsFull { wallet: paid.wallet.clone() });
        }
        // All that one activity pays into one wallet has the same terms: one posting.
        match postings.iter_mut().find(|posting| posting.wallet == paid.wallet) {
            Some(posting) => posting.change += lot.units.get(),
            None => postings.push(Posting::given(paid.wallet.clone(), lot)),
        }
    }
    postings.retain(|posting| posting.change != 0);
    Ok(Decision::of(member, now, What::Earn { activity, because }, postings))
}
