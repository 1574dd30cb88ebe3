//! The results other than a decision: a refusal, with a message for the person who can fix the
//! cause, or the data that is missing.

use ledger::MemberIsErased;
use ledger::account::AccountRejection;
use ledger::adjust::MoveRejection;
use ledger::calendar::Period;
use ledger::decision::GiveRejection;
use ledger::earn::EarnRejection;
use ledger::hold::HoldRejection;
use ledger::redeem::RedeemRejection;
use ledger::reverse::ReverseRejection;
use ledger::{MemberId, MissingData, Moment, Units};

use rules::RuleFailure;

use crate::context::Context;

/// The reason why a request is refused. A refused request changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The ledger rejects the activity.
    #[error(transparent)]
    Earn(#[from] EarnRejection),
    /// The ledger rejects the redemption.
    #[error(transparent)]
    Redeem(#[from] RedeemRejection),
    /// The ledger rejects the entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
    /// The ledger rejects the hold, capture or release.
    #[error(transparent)]
    Hold(#[from] HoldRejection),
    /// The ledger rejects the reversal.
    #[error(transparent)]
    Reverse(#[from] ReverseRejection),
    /// The ledger rejects the adjustment or transfer.
    #[error(transparent)]
    Move(#[from] MoveRejection),
    /// The ledger rejects joining or leaving the account.
    #[error(transparent)]
    Account(#[from] AccountRejection),
    /// The member is erased.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// It happened longer ago than it may be told late.
    #[error("it is dated {at}, and `late_days` of the manifest allows {days} days")]
    ToldTooLate {
        /// When it happened.
        at: Moment,
        /// The days allowed.
        days: u32,
    },
    /// The member to receive the units does not exist.
    #[error("there is no member `{0}`")]
    ReceiverIsUnknown(MemberId),
    /// The account to join does not exist.
    #[error("there is no member `{0}`")]
    AccountIsUnknown(MemberId),
    /// No sheet has the reward.
    #[error("there is no reward `{name}`{hint}")]
    RewardIsUnknown {
        /// The requested reward.
        name: String,
        /// The hint "did you mean", or an empty text.
        hint: String,
    },
    /// Today is not a day of the reward.
    #[error("reward `{0}` cannot be had today")]
    RewardIsNotOnItsDays(String),
    /// The reward reads the order, and the request has none.
    #[error("reward `{0}` needs the order it is taken with: send `order`")]
    RewardNeedsTheOrder(String),
    /// The member chooses the price of the reward, and the request has no number of units.
    #[error("reward `{reward}` needs to know how much: send `units`, from {least} to {most}")]
    UnitsAreMissing {
        /// The reward.
        reward: String,
        /// The least units.
        least: Units,
        /// The most units.
        most: Units,
    },
    /// The number of units is not one that the reward takes.
    #[error("reward `{reward}` takes {}, not {units}", units_of(*.least, *.most))]
    UnitsAreOutOfRange {
        /// The reward.
        reward: String,
        /// The requested units.
        units: Units,
        /// The least units.
        least: Units,
        /// The most units.
        most: Units,
    },
    /// The condition of the reward does not hold.
    #[error("reward `{reward}` is not for this member now: its condition does not hold{}", because(.unmet))]
    RewardConditionDoesNotHold {
        /// The reward.
        reward: String,
        /// The facts that the parts which do not hold read, with their values.
        unmet: Vec<(String, String)>,
    },
    /// The reward would change nothing for the member, such as a grant that the member has already.
    #[error("reward `{0}` has nothing to give this member now")]
    RewardGivesNothing(String),
    /// The cap of the reward is reached for the member.
    #[error("reward `{reward}` can be had at most {most} {}, and has been", within(*.per))]
    RewardWasTakenAsOftenAsItMay {
        /// The reward.
        reward: String,
        /// The most times per period.
        most: u64,
        /// The period.
        per: Period,
    },
    /// The stock of the reward is exhausted.
    #[error("nothing of reward `{0}` is left")]
    RewardIsSoldOut(String),
    /// The pool of codes of the reward is empty.
    #[error("reward `{reward}` is a code from `{pool}`, and none is left there")]
    PoolIsEmpty {
        /// The reward.
        reward: String,
        /// The pool.
        pool: String,
    },
    /// A rule failed.
    #[error(transparent)]
    RuleFailed(#[from] RuleFailure),
}

/// The facts of a condition that does not hold, in words.
fn because(unmet: &[(String, String)]) -> String {
    let facts: Vec<String> =
        unmet.iter().map(|(fact, value)| format!("`{fact}` is {value}")).collect();
    if facts.is_empty() { String::new() } else { format!("; {}", facts.join(", ")) }
}

impl Refusal {
    /// The refusal of something that happened too long ago to be derived in its place.
    pub(crate) fn told_too_late(context: &Context<'_>, at: Moment) -> Refusal {
        Refusal::ToldTooLate { at, days: context.programme().late_days }
    }
}

/// The reason why there is no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The request is refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The decision needs this data, which is not loaded yet.
    #[error("this has to be known first: {0}")]
    NeedsData(MissingData),
}

/// Converts each rejection into [`Undecided::Refused`], so that `?` works on it.
macro_rules! refuses {
    ($($rejection:ty),* $(,)?) => {
        $(impl From<$rejection> for Undecided {
            fn from(rejection: $rejection) -> Undecided {
                Undecided::Refused(rejection.into())
            }
        })*
    };
}

refuses!(
    EarnRejection,
    RedeemRejection,
    GiveRejection,
    HoldRejection,
    ReverseRejection,
    MoveRejection,
    AccountRejection,
    MemberIsErased,
    RuleFailure,
);

impl From<Refusal> for Undecided {
    fn from(refusal: Refusal) -> Undecided {
        Undecided::Refused(refusal)
    }
}

impl From<MissingData> for Undecided {
    fn from(missing: MissingData) -> Undecided {
        Undecided::NeedsData(missing)
    }
}

/// How many units a reward takes, in words.
/// A period of a cap, as a sheet writes it.
fn within(per: Period) -> String {
    let word = Period::ALL.iter().find(|(_, period)| *period == per).map_or("", |(word, _)| word);
    if per == Period::Ever { word.to_owned() } else { format!("per {word}") }
}

fn units_of(least: Units, most: Units) -> String {
    match least == most {
        true => format!("{least} units"),
        false => format!("from {least} to {most} units"),
    }
}
