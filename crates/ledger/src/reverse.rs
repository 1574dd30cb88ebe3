//! Reversing an earlier entry, whole or in part. Units that an earn gave are taken back from the
//! same lots, and become debt if they were spent. Units that a redemption took are given back into
//! lots with their original terms. The caller says how much to undo: it runs the rules on what is
//! left of the order, and the difference is undone.

/// Undoing counts: of caps, tasks, purchases and shared limits.
mod counts;
/// Taking units back, and giving them back.
mod lots;
/// What is left of an order.
mod order;
/// Undoing grants, tags, scores and codes.
mod rights;

use rust_decimal::Decimal;

pub use self::counts::{bought, put_back, replay, uncount, undo_hold};
pub use self::lots::{EarnedUnits, LotHistory, give_back, give_more, take_back};
pub use self::order::{Wanted, left_of, lessened};
pub use self::rights::{Rights, withdraw};

use crate::decision::GiveRejection;
use crate::entry::{LineName, Returned};
use crate::member::MemberIsErased;
use crate::{Entry, EntryKind, Posting, PostingReason, Seq, Verb};

/// Why an entry is not undone. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReverseRejection {
    /// The person was erased.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// An entry of this kind cannot be reversed.
    #[error(
        "entry {entry} is of kind `{kind}`; an earn, a redemption or a capture can be reversed"
    )]
    EntryCannotBeReversed {
        /// The number of the entry.
        entry: Seq,
        /// Its kind.
        kind: Verb,
    },
    /// The activity made pending units available.
    #[error(
        "entry {0} let go what waited for it, and that is not held back again; reverse what earned it"
    )]
    EntryLetGo(Seq),
    /// Nothing is left of the entry.
    #[error("entry {0} has been reversed already")]
    EntryIsReversedAlready(Seq),
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
    /// The change cannot become an entry.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// What `entry` undoes of the entry `original`: `None` for nothing, `Some(None)` for all of it, and
/// `Some(Some(..))` for a part.
fn undone(entry: &Entry, original: Seq) -> Option<Option<&Returned>> {
    match &entry.kind {
        EntryKind::Reverse { of, returned } if *of == original => Some(returned.as_ref()),
        _ => None,
    }
}

/// Whether a later entry has undone all of an entry.
fn is_undone(entry: &Entry, since: &[Entry]) -> bool {
    since.iter().any(|later| matches!(undone(later, entry.seq), Some(None)))
}

/// Checks that the entry of an activity can be undone.
///
/// # Errors
/// The activity made pending units available, and they may have been spent since.
pub fn can_be_taken_back(original: &Entry) -> Result<(), ReverseRejection> {
    // The entry of an order may let go its own units, if its delivery came before it.
    let own = match &original.kind {
        EntryKind::Earn { activity } => Some(&activity.id),
        _ => None,
    };
    let is_delivery = |posting: &Posting| {
        let on = posting.from_lot().and_then(|from| from.pending_on.as_ref());
        posting.why == PostingReason::Delivered && on.is_some_and(|on| Some(&on.of) != own)
    };
    let let_go = original.postings.iter().any(is_delivery);
    if let_go { Err(ReverseRejection::EntryLetGo(original.seq)) } else { Ok(()) }
}

/// Checks that a redemption or a capture can be undone.
///
/// # Errors
/// It has been undone already, or it is neither a redemption nor a capture.
pub fn can_be_given_back(original: &Entry, since: &[Entry]) -> Result<(), ReverseRejection> {
    let (entry, kind) = (original.seq, original.kind.verb());
    let (EntryKind::Redeem { .. } | EntryKind::Capture { .. }) = &original.kind else {
        return Err(ReverseRejection::EntryCannotBeReversed { entry, kind });
    };
    if since.iter().any(|later| undone(later, entry).is_some()) {
        return Err(ReverseRejection::EntryIsReversedAlready(entry));
    }
    Ok(())
}
