//! An earlier entry is undone. What an earn gave is taken back from the very lots that it gave,
//! and is owed where those were spent; what a redemption took is given back into lots with their
//! first terms. What has to be undone is for the rules to say, which judge what is left of the order.

/// For limits, tasks, purchases and pots.
mod counts;
/// Units.
mod lots;
/// What is left of an order.
mod order;
/// Rights, marks, scores, codes.
mod rights;

use rust_decimal::Decimal;

pub use self::counts::{bought, put_back, replay, uncount, undo_hold};
pub use self::lots::{LotHistory, Reclaim, give_back, take_back};
pub use self::order::{Wanted, left_of, lessened};
pub use self::rights::{Rights, withdraw};

use crate::decision::GiveRejection;
use crate::entry::Returned;
use crate::member::MemberIsErased;
use crate::{Entry, EntryKind, Posting, PostingReason, Seq, Verb};

/// Why an entry is not undone. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReverseRejection {
    /// The person wants to be forgotten.
    #[error(transparent)]
    Erased(#[from] MemberIsErased),
    /// It is of a kind that nobody undoes.
    #[error(
        "entry {entry} is of kind `{kind}`; an earn, a redemption or a capture can be reversed"
    )]
    EntryCannotBeReversed {
        /// Its number.
        entry: Seq,
        /// Its kind.
        kind: Verb,
    },
    /// It was the activity that units waited for, and they have been let go.
    #[error(
        "entry {0} let go what waited for it, and that is not held back again; reverse what earned it"
    )]
    EntryLetGo(Seq),
    /// Nothing is left of it.
    #[error("entry {0} has been reversed already")]
    EntryIsReversedAlready(Seq),
    /// Lines or a refund for what has no order.
    #[error("entry {0} has no order of which a part could come back; reverse it as a whole")]
    EntryHasNoOrder(Seq),
    /// An article that is not in the order.
    #[error("there is no `{sku}` in the order, or it has come back already")]
    LineIsUnknown {
        /// The article.
        sku: String,
    },
    /// More pieces than are left.
    #[error("{quantity} of `{sku}` come back, and {left} are left of the order")]
    MoreComesBackThanIsLeft {
        /// The article.
        sku: String,
        /// Pieces that come back.
        quantity: u32,
        /// Pieces left.
        left: u32,
    },
    /// The order's lines say no prices.
    #[error("the line of `{sku}` has no price: say what is paid back in `refund`")]
    RefundIsMissing {
        /// The article.
        sku: String,
    },
    /// More money than is left of the order.
    #[error(
        "{refund} is paid back, and {total} is left of the order; `refund` says how much it was"
    )]
    RefundIsTooMuch {
        /// What is paid back.
        refund: Decimal,
        /// What is left.
        total: Decimal,
    },
    /// It cannot be counted.
    #[error(transparent)]
    Give(#[from] GiveRejection),
}

/// What an entry undoes of another: nothing at all, all of it, or a part.
fn undone(entry: &Entry, original: Seq) -> Option<Option<&Returned>> {
    match &entry.kind {
        EntryKind::Reverse { of, returned } if *of == original => Some(returned.as_ref()),
        _ => None,
    }
}

/// Whether nothing is left of an entry.
fn is_undone(entry: &Entry, since: &[Entry]) -> bool {
    since.iter().any(|later| matches!(undone(later, entry.seq), Some(None)))
}

/// Whether what an activity did can be undone.
///
/// # Errors
/// It has let go what waited for it, and that may be anywhere by now.
pub fn can_be_taken_back(original: &Entry) -> Result<(), ReverseRejection> {
    let is_delivery = |posting: &Posting| posting.why == PostingReason::Delivered;
    let let_go = original.postings.iter().any(is_delivery);
    if let_go { Err(ReverseRejection::EntryLetGo(original.seq)) } else { Ok(()) }
}

/// Whether a redemption or a capture can be undone.
///
/// # Errors
/// It has been given back already, or it is no redemption.
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
