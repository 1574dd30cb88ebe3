use axum::http::StatusCode;
use ledger::account::AccountRejection;
use ledger::adjust::MoveRejection;
use ledger::decision::GiveRejection;
use ledger::earn::EarnRejection;
use ledger::erase::MemberIsErased;
use ledger::hold::HoldRejection;
use ledger::money::AmountRejection;
use ledger::name::NameRejection;
use ledger::redeem::RedeemRejection;
use ledger::reverse::ReverseRejection as Reverse;
use ledger::{MemberId, MerchantId};
use rules::{Refused, RuleFailure, Wrong, WrongReason};
use store::{Failure, StoreError, Undecided};

use crate::Problem;

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
    KeyIsToldTwice,
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
    Told(#[from] Wrong),
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
    HoldIsUnknown(String),
    /// A request to undo what was not done.
    #[error("the member has no {verb} under the key `{key}`")]
    EntryIsUnknown {
        /// Which verb.
        verb: &'static str,
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
    Refused(#[from] Refused),
    /// Too many at once on one member, or a table that is out of reach.
    #[error("the request could not be finished in time; send it again with the same key")]
    Busy,
    /// An answer that is no JSON: a mistake of ours.
    #[error("the answer cannot be written: {0}")]
    AnswerIsUnwritable(String),
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

impl From<Refusal> for Problem {
    /// The one place where a refusal gets its status and its code.
    fn from(refusal: Refusal) -> Problem {
        use Refusal as R;
        const INVALID: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
        let (status, code) = match &refusal {
            R::CallerIsUnknown => (StatusCode::UNAUTHORIZED, "caller_is_unknown"),
            R::ScopeIsMissing(_) => (StatusCode::FORBIDDEN, "scope_is_missing"),
            R::MerchantIsUnknown(_) => (StatusCode::FORBIDDEN, "merchant_is_unknown"),
            R::KeyIsMissing => (StatusCode::BAD_REQUEST, "idempotency_key_is_missing"),
            R::KeyIsToldTwice => (StatusCode::BAD_REQUEST, "idempotency_key_is_told_twice"),
            R::KeyIsTooLong { .. } => (StatusCode::BAD_REQUEST, "idempotency_key_is_too_long"),
            R::KeyIsNotPlain => (StatusCode::BAD_REQUEST, "idempotency_key_is_not_plain"),
            R::KeyIsReusedWithAnotherBody => (INVALID, "idempotency_key_is_reused"),
            R::BodyIsTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_is_too_large"),
            R::BodyIsCutOff(_) => (StatusCode::BAD_REQUEST, "body_is_cut_off"),
            R::BodyIsNotJson { .. } => (StatusCode::BAD_REQUEST, "body_is_not_json"),
            R::FieldIsWrong { .. } => (INVALID, "field_is_wrong"),
            R::Told(wrong) => (INVALID, code_of(&wrong.reason)),
            R::PathIsWrong(_) => (StatusCode::BAD_REQUEST, "path_is_wrong"),
            R::QueryIsWrong(_) => (StatusCode::BAD_REQUEST, "query_is_wrong"),
            R::CursorIsWrong => (StatusCode::BAD_REQUEST, "cursor_is_wrong"),
            R::MemberIdIsWrong { .. } => (INVALID, "member_id_is_wrong"),
            R::MemberIsUnknown(_) => (StatusCode::NOT_FOUND, "member_is_unknown"),
            R::MemberIdIsTaken(_) => (StatusCode::CONFLICT, "member_id_is_taken"),
            R::ReferrerIsUnknown(_) => (INVALID, "referrer_is_unknown"),
            R::HoldIsUnknown(_) => (StatusCode::CONFLICT, "hold_is_unknown"),
            R::EntryIsUnknown { .. } => (INVALID, "entry_is_unknown"),
            R::ContestIsUnknown { .. } => (StatusCode::NOT_FOUND, "contest_is_unknown"),
            R::Refused(refused) => status_of(refused),
            R::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            R::AnswerIsUnwritable(_) => (StatusCode::INTERNAL_SERVER_ERROR, "answer_is_unwritable"),
            R::PathIsUnknown => (StatusCode::NOT_FOUND, "path_is_unknown"),
            R::MethodIsNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_is_not_allowed"),
        };
        let pointer = match &refusal {
            R::FieldIsWrong { pointer, .. } => Some(pointer.clone()),
            R::Told(wrong) => Some(wrong.pointer.clone()),
            R::MemberIdIsWrong { pointer, .. } => pointer.clone(),
            R::ReferrerIsUnknown(_) => Some("/referred_by".to_owned()),
            R::EntryIsUnknown { verb, .. } => Some(format!("/{verb}")),
            R::Refused(refused) => pointer_of(refused),
            _ => None,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            // The caller can do nothing about it: somebody on this side has to know.
            tracing::error!(code, "{code}: {refusal}");
        }
        Problem::new(status, code, refusal.to_string()).at(pointer)
    }
}

fn code_of(reason: &WrongReason) -> &'static str {
    match reason {
        WrongReason::Field(_) => "field_is_wrong",
        WrongReason::ActivityIsUnknown { .. } => "activity_is_unknown",
        WrongReason::Amount(AmountRejection::AmountIsNotANumber { .. }) => "amount_is_not_a_number",
        WrongReason::Amount(AmountRejection::AmountIsNegative { .. }) => "amount_is_negative",
        WrongReason::Amount(AmountRejection::AmountHasTooManyDecimals { .. }) => {
            "amount_has_too_many_decimals"
        }
        WrongReason::Amount(AmountRejection::AmountIsAbsurd { .. }) => "amount_is_absurd",
    }
}

fn status_of(refused: &Refused) -> (StatusCode, &'static str) {
    use Refused as R;
    const INVALID: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    const OURS: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
    const ERASED: (StatusCode, &str) = (StatusCode::GONE, "member_is_erased");
    match refused {
        R::Earn(EarnRejection::ActivityIsInTheFuture { .. }) => {
            (INVALID, "activity_is_in_the_future")
        }
        R::Earn(EarnRejection::ActivityIsBeforeEnrolment { .. }) => {
            (INVALID, "activity_is_before_enrolment")
        }
        R::Redeem(redeem) => match redeem {
            RedeemRejection::BalanceIsInsufficient { .. } => (CONFLICT, "balance_is_insufficient"),
            RedeemRejection::Give(give) => status_of_giving(give),
        },
        R::Hold(hold) => match hold {
            HoldRejection::HoldsAreTooMany(_) => (CONFLICT, "holds_are_too_many"),
            HoldRejection::HoldIsUnknown(_) => (CONFLICT, "hold_is_unknown"),
            HoldRejection::MoreIsCapturedThanHeld { .. } => (INVALID, "more_is_captured_than_held"),
            HoldRejection::Redeem(RedeemRejection::BalanceIsInsufficient { .. }) => {
                (CONFLICT, "balance_is_insufficient")
            }
            HoldRejection::Redeem(RedeemRejection::Give(give)) | HoldRejection::Give(give) => {
                status_of_giving(give)
            }
        },
        R::Reverse(reverse) => match reverse {
            Reverse::Erased(_) => ERASED,
            Reverse::EntryCannotBeReversed { .. } => (INVALID, "entry_cannot_be_reversed"),
            Reverse::EntryLetGo(_) => (CONFLICT, "entry_let_go"),
            Reverse::EntryIsReversedAlready(_) => (CONFLICT, "entry_is_reversed_already"),
            Reverse::EntryHasNoOrder(_) => (INVALID, "entry_has_no_order"),
            Reverse::LineIsUnknown { .. } => (INVALID, "line_is_unknown"),
            Reverse::MoreComesBackThanIsLeft { .. } => (INVALID, "more_comes_back_than_is_left"),
            Reverse::RefundIsMissing { .. } => (INVALID, "refund_is_missing"),
            Reverse::RefundIsTooMuch { .. } => (INVALID, "refund_is_too_much"),
            Reverse::Give(give) => status_of_giving(give),
        },
        R::Move(moved) => match moved {
            MoveRejection::Erased(_) => ERASED,
            MoveRejection::WalletIsUnknown(_) => (INVALID, "wallet_is_unknown"),
            MoveRejection::WalletIsNotTransferable(_) => (INVALID, "wallet_is_not_transferable"),
            MoveRejection::ReceiverIsErased(_) => (CONFLICT, "other_member_is_erased"),
            MoveRejection::BothSidesAreOne(_) => (INVALID, "both_sides_are_one"),
            MoveRejection::UnitsAreZero => (INVALID, "units_are_zero"),
            MoveRejection::BalanceIsInsufficient { .. } => (CONFLICT, "balance_is_insufficient"),
            MoveRejection::Give(give) => status_of_giving(give),
        },
        R::Account(account) => match account {
            AccountRejection::Erased(_) => ERASED,
            AccountRejection::NothingIsShared => (CONFLICT, "nothing_is_shared"),
            AccountRejection::MemberHasAnAccount { .. } => (CONFLICT, "member_has_an_account"),
            AccountRejection::MemberHasNoAccount(_) => (CONFLICT, "member_has_no_account"),
            AccountRejection::AccountIsErased(_) => (CONFLICT, "other_member_is_erased"),
            AccountRejection::AccountHasAnAccount(_) => (CONFLICT, "account_has_an_account"),
            AccountRejection::MemberIsTheAccount(_) => (INVALID, "member_is_the_account"),
            AccountRejection::AccountIsShared { .. } => (CONFLICT, "account_is_shared"),
            AccountRejection::MemberHasAHold { .. } => (CONFLICT, "member_has_a_hold"),
            AccountRejection::MemberOwes { .. } => (CONFLICT, "member_owes"),
            AccountRejection::Give(give) => status_of_giving(give),
        },
        R::Erased(_) | R::Earn(EarnRejection::Erased(_)) => ERASED,
        R::ReceiverIsUnknown(_) | R::AccountIsUnknown(_) => (INVALID, "other_member_is_unknown"),
        R::Earn(EarnRejection::Give(give)) | R::Give(give) => status_of_giving(give),
        R::RewardIsUnknown { .. } => (INVALID, "reward_is_unknown"),
        R::RewardIsNotOnItsDays(_) => (CONFLICT, "reward_is_not_on_its_days"),
        R::RewardNeedsTheOrder(_) => (INVALID, "reward_needs_an_order"),
        R::UnitsAreMissing { .. } => (INVALID, "units_are_missing"),
        R::UnitsAreOutOfRange { .. } => (INVALID, "units_are_out_of_range"),
        R::RewardConditionDoesNotHold(_) => (CONFLICT, "reward_condition_does_not_hold"),
        R::RewardWasTakenAsOftenAsItMay { .. } => (CONFLICT, "reward_was_taken_as_often_as_it_may"),
        R::RewardGivesNothing(_) => (CONFLICT, "reward_gives_nothing"),
        R::RewardIsSoldOut(_) => (CONFLICT, "reward_is_sold_out"),
        R::PoolIsEmpty { .. } => (CONFLICT, "pool_is_empty"),
        R::RuleFailed(_) => (OURS, "rule_failed"),
        R::Lacks(_) => (OURS, "something_was_not_loaded"),
    }
}

fn status_of_giving(give: &GiveRejection) -> (StatusCode, &'static str) {
    match give {
        GiveRejection::WalletIsUnknown { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "wallet_is_unknown")
        }
        GiveRejection::WalletIsFull { .. } => (StatusCode::CONFLICT, "wallet_is_full"),
        GiveRejection::HoldingsAreTooMany { .. } => (StatusCode::CONFLICT, "holdings_are_too_many"),
    }
}

fn pointer_of(refused: &Refused) -> Option<String> {
    let pointer = match refused {
        Refused::RewardIsUnknown { .. } => "/reward",
        Refused::RewardNeedsTheOrder(_) => "/order",
        Refused::UnitsAreMissing { .. }
        | Refused::UnitsAreOutOfRange { .. }
        | Refused::Hold(HoldRejection::MoreIsCapturedThanHeld { .. })
        | Refused::Move(MoveRejection::UnitsAreZero) => "/units",
        Refused::Reverse(
            Reverse::LineIsUnknown { .. } | Reverse::MoreComesBackThanIsLeft { .. },
        ) => "/lines",
        Refused::Reverse(Reverse::RefundIsMissing { .. } | Reverse::RefundIsTooMuch { .. }) => {
            "/refund"
        }
        Refused::Move(
            MoveRejection::WalletIsUnknown(_) | MoveRejection::WalletIsNotTransferable(_),
        ) => "/wallet",
        Refused::ReceiverIsUnknown(_)
        | Refused::Move(MoveRejection::ReceiverIsErased(_) | MoveRejection::BothSidesAreOne(_)) => {
            "/to"
        }
        Refused::AccountIsUnknown(_)
        | Refused::Account(
            AccountRejection::AccountIsErased(_)
            | AccountRejection::AccountHasAnAccount(_)
            | AccountRejection::MemberIsTheAccount(_),
        ) => "/account",
        Refused::Earn(
            EarnRejection::ActivityIsInTheFuture { .. }
            | EarnRejection::ActivityIsBeforeEnrolment { .. },
        ) => "/at",
        _ => return None,
    };
    Some(pointer.to_owned())
}

impl From<RuleFailure> for Refusal {
    fn from(failure: RuleFailure) -> Refusal {
        Refusal::Refused(Refused::RuleFailed(failure))
    }
}

impl From<Refusal> for Undecided<Refusal> {
    /// What the rules have not been told is looked up; all else is a no.
    fn from(refusal: Refusal) -> Undecided<Refusal> {
        match refusal {
            Refusal::Refused(Refused::Lacks(lack)) => Undecided::Lacks(lack),
            refusal => Undecided::Rejected(refusal),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Unavailable(reason) => {
                tracing::warn!(%reason, "the table is out of reach: {reason}");
                Refusal::Busy.into()
            }
            // The person was forgotten while the request was under way.
            StoreError::Sealed { member, .. } => {
                Refusal::from(Refused::from(MemberIsErased(member))).into()
            }
            error => Problem::internal(&error.to_string()),
        }
    }
}

impl From<Failure<Refusal>> for Problem {
    fn from(failure: Failure<Refusal>) -> Problem {
        match failure {
            Failure::Rejected(refusal) => refusal.into(),
            Failure::KeyIsReusedWithAnotherBody => Refusal::KeyIsReusedWithAnotherBody.into(),
            Failure::Busy => Refusal::Busy.into(),
            Failure::Store(error) => error.into(),
        }
    }
}
