//! Why a request is refused.

use decide::InputError;
use ledger::name::NameRejection;
use ledger::wallet::HoldId;
use ledger::{MemberId, MerchantId, MissingData, Verb};
use rules::RuleFailure;

/// Why a request is refused. Every refusal leaves everything as it was.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No verified identity.
    #[error("the request says no merchant that can be believed")]
    CallerIsUnknown,
    /// An identity that may not do this.
    #[error("the caller's token lacks the scope `{0}`")]
    ScopeIsMissing(&'static str),
    /// The caller's merchant has published no rules.
    #[error("merchant `{0}` has published no rules")]
    MerchantIsUnknown(MerchantId),
    /// A write that moves value without a key.
    #[error("the header `Idempotency-Key` is missing; use the order's number or a UUID")]
    KeyIsMissing,
    /// Two keys for one request.
    #[error("the header `Idempotency-Key` is there more than once")]
    KeyIsDuplicated,
    /// A key that is too long.
    #[error("the header `Idempotency-Key` has {length} characters, and {length_max} are allowed")]
    KeyIsTooLong {
        /// Characters found.
        length: usize,
        /// Characters allowed.
        length_max: usize,
    },
    /// A key with characters that headers do not carry.
    #[error("the header `Idempotency-Key` has characters outside of plain ASCII")]
    KeyIsNotPlain,
    /// A key that stands for another request.
    #[error("this `Idempotency-Key` was used for a request with another body")]
    KeyIsReusedWithAnotherBody,
    /// A body above the limit.
    #[error("the body has more than {bytes_max} bytes")]
    BodyIsTooLarge {
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// A body that did not arrive whole.
    #[error("the body did not arrive whole: {0}")]
    BodyIsCutOff(String),
    /// A body that is no JSON.
    #[error("the body is no JSON at line {line}, column {column}: {reason}")]
    BodyIsNotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The reader's words.
        reason: String,
    },
    /// A field that is unknown, missing, of the wrong type or out of bounds.
    #[error("{}{reason}", place(.pointer))]
    FieldIsWrong {
        /// Where.
        pointer: String,
        /// Why.
        reason: String,
    },
    /// Something that was told is wrong.
    #[error(transparent)]
    ActivityEvent(#[from] InputError),
    /// A path that does not read.
    #[error("the path cannot be read: {0}")]
    PathIsWrong(String),
    /// A query that does not read.
    #[error("the query cannot be read: {0}")]
    QueryIsWrong(String),
    /// A cursor that this API did not give.
    #[error("the cursor is none that this API gave")]
    CursorIsWrong,
    /// A text that can be no member's id.
    #[error("the member's id cannot be used: {reason}")]
    MemberIdIsWrong {
        /// Where; nothing if in the path.
        pointer: Option<String>,
        /// Why.
        reason: NameRejection,
    },
    /// Nobody of that id.
    #[error("there is no member `{0}`")]
    MemberIsUnknown(MemberId),
    /// Somebody of that id, enrolled with something else.
    #[error("there is a member `{0}` already, enrolled with other data")]
    MemberIdIsTaken(MemberId),
    /// A member who is said to have brought this one, and is none.
    #[error("there is no member `{0}` who could have brought this one")]
    ReferrerIsUnknown(MemberId),
    /// A hold that is not there any more.
    #[error("there is no hold `{0}`: it was captured, released, or its time is over")]
    HoldIsUnknown(HoldId),
    /// A request to undo what was not done.
    #[error("the member has no {verb} under the key `{key}`")]
    EntryIsUnknown {
        /// Which verb.
        verb: Verb,
        /// Under which key.
        key: String,
    },
    /// A contest that no sheet has.
    #[error("there is no contest `{name}`{hint}")]
    ContestIsUnknown {
        /// The contest asked for.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// The rules or the ledger said no.
    #[error(transparent)]
    Decision(#[from] decide::Refusal),
    /// Too many at once on one member, or a table that is out of reach.
    #[error("the request could not be finished in time; send it again with the same key")]
    Busy,
    /// Something that only we can mend. The caller is not told what it is.
    #[error("{0}")]
    Internal(String),
    /// No such path.
    #[error("there is nothing at this path")]
    PathIsUnknown,
    /// A path that has other methods.
    #[error("this path does not take this method")]
    MethodIsNotAllowed,
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("`{pointer}`: ") }
}

impl From<RuleFailure> for Refusal {
    fn from(failure: RuleFailure) -> Refusal {
        Refusal::Decision(decide::Refusal::RuleFailed(failure))
    }
}

/// Why a request is not decided.
#[derive(Debug)]
pub enum Undecided {
    /// The decision is no.
    Refused(Refusal),
    /// It cannot be made before this is loaded.
    NeedsData(MissingData),
}

impl From<Refusal> for Undecided {
    fn from(refusal: Refusal) -> Undecided {
        Undecided::Refused(refusal)
    }
}

impl From<InputError> for Undecided {
    fn from(wrong: InputError) -> Undecided {
        Undecided::Refused(wrong.into())
    }
}

impl From<decide::Undecided> for Undecided {
    fn from(undecided: decide::Undecided) -> Undecided {
        match undecided {
            decide::Undecided::Refused(refusal) => Undecided::Refused(refusal.into()),
            decide::Undecided::NeedsData(missing) => Undecided::NeedsData(missing),
        }
    }
}

impl From<Undecided> for store::Undecided<Refusal> {
    fn from(undecided: Undecided) -> store::Undecided<Refusal> {
        match undecided {
            Undecided::Refused(refusal) => store::Undecided::Rejected(refusal),
            Undecided::NeedsData(missing) => store::Undecided::NeedsData(missing),
        }
    }
}
