//! The reasons for which a request is refused.

use decide::InputError;
use ledger::name::NameRejection;
use ledger::{MemberId, MemberIsErased, MerchantId, MissingData, Verb};
use rules::RuleFailure;
use store::{Failure, StoreError};

/// The reason why a request is refused. A refused request changes nothing, unless it is `Busy`:
/// then its outcome may be unknown.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request has no verified identity.
    #[error("the request says no merchant that can be believed")]
    CallerIsUnknown,
    /// The caller lacks the scope that the request needs.
    #[error("the caller's token lacks the scope `{0}`")]
    ScopeIsMissing(&'static str),
    /// The caller's merchant has published no rules.
    #[error("merchant `{0}` has published no rules")]
    MerchantIsUnknown(MerchantId),
    /// A request that changes a member has no key.
    #[error("the header `Idempotency-Key` is missing; use the order's number or a UUID")]
    KeyIsMissing,
    /// The request has more than one key.
    #[error("the header `Idempotency-Key` is there more than once")]
    KeyIsDuplicated,
    /// The key is too long.
    #[error("the header `Idempotency-Key` has {length} characters, and {length_max} are allowed")]
    KeyIsTooLong {
        /// Characters found.
        length: usize,
        /// Characters allowed.
        length_max: usize,
    },
    /// The key has characters outside of plain ASCII.
    #[error("the header `Idempotency-Key` has characters outside of plain ASCII")]
    KeyIsNotPlain,
    /// The key was used for another request.
    #[error("this `Idempotency-Key` was used for a request with another body")]
    KeyIsReusedWithAnotherBody,
    /// The body is larger than the limit.
    #[error("the body has more than {bytes_max} bytes")]
    BodyIsTooLarge {
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// The body did not arrive whole.
    #[error("the body did not arrive whole: {0}")]
    BodyIsCutOff(String),
    /// The body is not JSON.
    #[error("the body is no JSON at line {line}, column {column}: {reason}")]
    BodyIsNotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's message.
        reason: String,
    },
    /// The body says that it is something else than JSON.
    #[error("the body is of type `{0}`; send JSON with `Content-Type: application/json`")]
    BodyIsOfAnotherType(String),
    /// A field that is unknown, missing, of the wrong type or out of bounds.
    #[error("{}{reason}", place(.pointer))]
    FieldIsWrong {
        /// The JSON pointer to the field.
        pointer: String,
        /// The reason.
        reason: String,
    },
    /// An activity or an order in the body is wrong.
    #[error(transparent)]
    ActivityEvent(#[from] InputError),
    /// The path cannot be parsed.
    #[error("the path cannot be read: {0}")]
    PathIsWrong(String),
    /// The query cannot be parsed.
    #[error("the query cannot be read: {0}")]
    QueryIsWrong(String),
    /// The cursor was not issued by this API.
    #[error("the cursor is none that this API gave")]
    CursorIsWrong,
    /// The text cannot be a member's id.
    #[error("the member's id cannot be used: {reason}")]
    MemberIdIsWrong {
        /// The JSON pointer to the field; nothing if the id is in the path.
        pointer: Option<String>,
        /// The reason.
        reason: NameRejection,
    },
    /// No member has this id.
    #[error("there is no member `{0}`")]
    MemberIsUnknown(MemberId),
    /// A member with this id is enrolled already, with other data.
    #[error("there is a member `{0}` already, enrolled with other data")]
    MemberIdIsTaken(MemberId),
    /// The referrer is not a member.
    #[error("there is no member `{0}` who could have brought this one")]
    ReferrerIsUnknown(MemberId),
    /// The referrer was erased.
    #[error("member `{0}`, who brought this one, was erased")]
    ReferrerIsErased(MemberId),
    /// The activity is known with other data.
    #[error("the member has a {kind} `{id}` already, and it says something else")]
    ActivityIsKnownWithAnotherBody {
        /// The type of the activity.
        kind: String,
        /// Its id.
        id: String,
    },
    /// The request to reverse does not exist.
    #[error("the member has no {verb} under the key `{key}`")]
    EntryIsUnknown {
        /// The verb of the request to reverse.
        verb: Verb,
        /// The key of the request to reverse.
        key: String,
    },
    /// The activity to reverse does not exist.
    #[error("the member has no {kind} with the id `{id}`")]
    ActivityIsUnknown {
        /// The field that names it.
        pointer: &'static str,
        /// The type of the activity.
        kind: String,
        /// Its id.
        id: String,
    },
    /// No sheet has this contest.
    #[error("there is no contest `{name}`{hint}")]
    ContestIsUnknown {
        /// The contest asked for.
        name: String,
        /// The name that was probably meant; empty if no name is near.
        hint: String,
    },
    /// The rules or the ledger refused.
    #[error(transparent)]
    Decision(#[from] decide::Refusal),
    /// Too many requests at once changed the same member, or the table cannot be reached.
    #[error("the request could not be finished in time; send it again with the same key")]
    Busy,
    /// The rules by which an earlier entry was judged cannot be read.
    #[error(
        "the rules `{hash}` of {merchant}, by which an earlier entry was judged, cannot be read"
    )]
    RulesAreUnreadable {
        /// The merchant.
        merchant: MerchantId,
        /// The hash of the rules.
        hash: String,
    },
    /// Something that only we can fix. It is logged, and the caller gets no details.
    #[error("{0}")]
    Internal(String),
    /// The path does not exist.
    #[error("there is nothing at this path")]
    PathIsUnknown,
    /// The path exists, but not for this method.
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

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        match error {
            StoreError::Unavailable(reason) => {
                tracing::warn!(%reason, "the table is out of reach: {reason}");
                Refusal::Busy
            }
            // The person was erased while the request was running.
            StoreError::Sealed { member, .. } => Refusal::Decision(MemberIsErased(member).into()),
            error => Refusal::Internal(error.to_string()),
        }
    }
}

/// The reason for which a request was not decided.
#[derive(Debug)]
pub enum Undecided<E = Refusal> {
    /// The request is refused.
    Refused(E),
    /// The decision needs this data first.
    NeedsData(MissingData),
}

impl From<MissingData> for Undecided {
    fn from(missing: MissingData) -> Undecided {
        Undecided::NeedsData(missing)
    }
}

impl<E> From<E> for Undecided<E> {
    fn from(refusal: E) -> Undecided<E> {
        Undecided::Refused(refusal)
    }
}

impl From<InputError> for Undecided {
    fn from(wrong: InputError) -> Undecided {
        Undecided::Refused(wrong.into())
    }
}

impl<E: From<Refusal>> From<decide::Undecided> for Undecided<E> {
    fn from(undecided: decide::Undecided) -> Undecided<E> {
        match undecided {
            decide::Undecided::Refused(refusal) => {
                Undecided::Refused(Refusal::from(refusal).into())
            }
            decide::Undecided::NeedsData(missing) => Undecided::NeedsData(missing),
        }
    }
}

/// What an attempt to decide lacked.
#[derive(Debug)]
pub enum Lacking<E> {
    /// The rules of these hashes, by which earlier entries were judged.
    Rules(Vec<String>),
    /// Nothing: it failed.
    Nothing(E),
}

impl<E> From<E> for Lacking<E> {
    fn from(error: E) -> Lacking<E> {
        Lacking::Nothing(error)
    }
}

impl<E> From<Undecided<E>> for store::Undecided<Lacking<E>> {
    fn from(undecided: Undecided<E>) -> store::Undecided<Lacking<E>> {
        match undecided {
            Undecided::Refused(refusal) => store::Undecided::Rejected(Lacking::Nothing(refusal)),
            Undecided::NeedsData(MissingData::Rules(hashes)) => {
                store::Undecided::Interrupted(Lacking::Rules(hashes))
            }
            Undecided::NeedsData(missing) => store::Undecided::NeedsData(missing),
        }
    }
}

impl<E: From<Refusal>> Lacking<E> {
    /// What was lacking when the table's loop failed.
    #[must_use]
    pub fn of(failure: Failure<Lacking<E>>) -> Lacking<E> {
        match failure {
            Failure::Rejected(lacking) => lacking,
            Failure::KeyIsReusedWithAnotherBody | Failure::ActivityIsKnownWithAnotherBody => {
                Lacking::Nothing(Refusal::KeyIsReusedWithAnotherBody.into())
            }
            Failure::Busy => Lacking::Nothing(Refusal::Busy.into()),
            Failure::Store(error) => Lacking::Nothing(Refusal::from(error).into()),
        }
    }
}
