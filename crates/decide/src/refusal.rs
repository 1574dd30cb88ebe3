//! Why there is no decision: a refusal, in words for the person who can mend it, or data that has to
//! be loaded first.

use ledger::MemberIsErased;
use ledger::account::AccountRejection;
use ledger::adjust::MoveRejection;
use ledger::decision::GiveRejection;
use ledger::earn::EarnRejection;
use ledger::hold::HoldRejection;
use ledger::redeem::RedeemRejection;
use ledger::reverse::ReverseRejection;
use ledger::{MemberId, MissingData, Units};
use rules::RuleFailure;

/// Why a request is refused. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The ledger said no.
    #[error(transparent)]
    Earn(#[from] EarnRejection),
    /// The ledger said no.
    #[error(transparent)]
    Redeem(#[from] RedeemRejection),
    /// The ledger said no.
    #[error(transparent)]
    Give(#[from] GiveRejection),
    /// The ledger said no.
    #[error(transparent)]
    Hold(#[from] HoldRejection),
    /// The ledger said no.
    #[error(transparent)]
    Reverse(#[from] ReverseRejection),
    /// The ledger said no.
    #[error(transparent)]
    Move(#[from] MoveRejection),
    /// The ledger said no.
    #[error(transparent)]
    Account(#[from] AccountRejection),
    /// The person wanted to be forgotten.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// There is nobody who could be given units.
    #[error("there is no member `{0}`")]
    ReceiverIsUnknown(MemberId),
    /// There is nobody whose wallets could be shared.
    #[error("there is no member `{0}`")]
    AccountIsUnknown(MemberId),
    /// A reward that no sheet has.
    #[error("there is no reward `{name}`{hint}")]
    RewardIsUnknown {
        /// The reward asked for.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// A reward that cannot be had today.
    #[error("reward `{0}` cannot be had today")]
    RewardIsNotOnItsDays(String),
    /// A reward that looks at the order, taken without one.
    #[error("reward `{0}` needs the order it is taken with: send `order`")]
    RewardNeedsTheOrder(String),
    /// A reward whose price the member chooses, taken without a number of units.
    #[error("reward `{reward}` needs to know how much: send `units`, from {least} to {most}")]
    UnitsAreMissing {
        /// The reward.
        reward: String,
        /// At least.
        least: Units,
        /// At most.
        most: Units,
    },
    /// A number of units that the reward does not take.
    #[error("reward `{reward}` takes from {least} to {most} units, not {units}")]
    UnitsAreOutOfRange {
        /// The reward.
        reward: String,
        /// What was sent.
        units: Units,
        /// At least.
        least: Units,
        /// At most.
        most: Units,
    },
    /// A reward whose condition does not hold.
    #[error("reward `{0}` is not for this member now: its condition does not hold")]
    RewardConditionDoesNotHold(String),
    /// A reward that has nothing to give this member now: a right that it has already.
    #[error("reward `{0}` has nothing to give this member now")]
    RewardGivesNothing(String),
    /// A reward that this member has had as often as it may.
    #[error("reward `{reward}` can be had at most {most} for now, and has been")]
    RewardWasTakenAsOftenAsItMay {
        /// The reward.
        reward: String,
        /// Times per period.
        most: u32,
    },
    /// A reward of which nothing is left.
    #[error("nothing of reward `{0}` is left")]
    RewardIsSoldOut(String),
    /// A reward that is a code of which none is left.
    #[error("reward `{reward}` is a code from `{pool}`, and none is left there")]
    PoolIsEmpty {
        /// The reward.
        reward: String,
        /// The pool.
        pool: String,
    },
    /// The merchant's rule failed.
    #[error(transparent)]
    RuleFailed(#[from] RuleFailure),
}

/// Why there is no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The decision is no.
    #[error(transparent)]
    Refused(Refusal),
    /// It cannot be made before this is loaded.
    #[error("this has to be known first: {0}")]
    NeedsData(MissingData),
}

/// Each reason to refuse is a reason not to decide.
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
