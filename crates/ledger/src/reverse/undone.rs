//! What is undone of an entry, and why something is not.

use rust_decimal::Decimal;

use crate::decision::GiveRejection;
use crate::entry::{LineName, Returned};
use crate::member::MemberIsErased;
use crate::{MemberId, Seq, Units, Verb};

/// Why an entry is not undone. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReverseRejection {
    /// The person was erased.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// An entry of this kind cannot be reversed.
    #[error(
        "entry {entry} is of kind `{kind}`; what was earned, redeemed, captured, adjusted, transferred or reversed can be reversed"
    )]
    EntryCannotBeReversed {
        /// The number of the entry.
        entry: Seq,
        /// Its kind.
        kind: Verb,
    },
    /// Nothing is left of the entry.
    #[error("entry {0} has been reversed already")]
    EntryIsReversedAlready(Seq),
    /// Nothing is left of the entry, since another has undone it.
    #[error("entry {entry} has been reversed already, by entry {by}")]
    EntryIsReversedBy {
        /// The number of the entry.
        entry: Seq,
        /// The number of the one that undid it.
        by: Seq,
    },
    /// Units come back of something else than a reward.
    #[error(
        "entry {entry} is of kind `{kind}`, and only of a reward can some units come back; leave `units` out"
    )]
    EntryTookNoReward {
        /// The number of the entry.
        entry: Seq,
        /// Its kind.
        kind: Verb,
    },
    /// The other member of a transfer was erased.
    #[error("member `{0}`, whose units it moved as well, has been erased")]
    OtherIsErased(MemberId),
    /// The request names lines or a refund, and the entry has no order.
    #[error("entry {0} has no order of which a part could come back; reverse it as a whole")]
    EntryHasNoOrder(Seq),
    /// The article is not in what is left of the order.
    #[error("there is no {line} in the order, or it has come back already")]
    LineIsUnknown {
        /// The line, as the return names it.
        line: LineName,
    },
    /// More pieces come back than are left.
    #[error("{quantity} of {line} come back, and {left} are left of the order")]
    MoreComesBackThanIsLeft {
        /// The line, as the return names it.
        line: LineName,
        /// The pieces that come back.
        quantity: Decimal,
        /// The pieces left.
        left: Decimal,
    },
    /// Some pieces of an article come back, and its lines have several prices.
    #[error("{line} was bought at several prices: name the line in `line`, one of {lines}")]
    LineIsAmbiguous {
        /// The line, as the return names it.
        line: LineName,
        /// The names of the lines that it may be.
        lines: String,
    },
    /// The request has no refund, and a line of the order has no price to compute it from.
    #[error(
        "what was paid for {line} is not known, since a line has no price: say what is paid back in `refund`"
    )]
    RefundIsMissing {
        /// The line that comes back.
        line: LineName,
    },
    /// More money is paid back than is left of the order.
    #[error(
        "{refund} is paid back, and {total} is left of the order; `refund` says how much it was"
    )]
    RefundIsTooMuch {
        /// The amount paid back.
        refund: Decimal,
        /// The amount left.
        total: Decimal,
    },
    /// No units come back.
    #[error("no units come back; say how many, or leave `units` out for all")]
    UnitsAreZero,
    /// More units come back than the redemption took.
    #[error("{units} units of entry {entry} come back, and {left} are left of it")]
    UnitsAreTooMany {
        /// The number of the entry.
        entry: Seq,
        /// The units that come back.
        units: Units,
        /// The units left.
        left: Units,
    },
    /// The change cannot become an entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// What an entry undoes of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// All that is left of it.
    Whole,
    /// A part of its order.
    Part(Returned),
    /// Units of a redemption.
    Units(Units),
}

impl Undone {
    /// A part of an order, or all that is left.
    #[must_use]
    pub fn of(returned: Option<Returned>) -> Undone {
        returned.map_or(Undone::Whole, Undone::Part)
    }

    /// The part of the order; `None` if it is something else.
    #[must_use]
    pub fn returned(&self) -> Option<Returned> {
        match self {
            Undone::Part(returned) => Some(returned.clone()),
            Undone::Whole | Undone::Units(_) => None,
        }
    }
}
