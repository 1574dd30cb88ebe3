//! The status, the stable code and the field at fault of each refusal, in one table. Each match is
//! exhaustive, so that a new refusal gets all three.

use std::borrow::Cow;

use axum::http::StatusCode;
use decide::InputErrorReason;
use ledger::account::AccountRejection;
use ledger::adjust::MoveRejection;
use ledger::decision::GiveRejection;
use ledger::earn::EarnRejection;
use ledger::hold::HoldRejection;
use ledger::money::AmountRejection;
use ledger::redeem::RedeemRejection;
use ledger::reverse::ReverseRejection;
use store::StoreError;

use crate::{Problem, Refusal};

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const CONFLICT: StatusCode = StatusCode::CONFLICT;
const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const INVALID: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const OURS: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// The status, the code, and a JSON pointer to the field at fault.
type Answer<'a> = (StatusCode, &'static str, Option<Cow<'a, str>>);

const ERASED: Answer<'static> = (StatusCode::GONE, "member_is_erased", None);
/// A broken invariant of ours. The caller gets no details.
const INTERNAL: Answer<'static> = (OURS, "internal", None);
const BALANCE_IS_INSUFFICIENT: Answer<'static> = (CONFLICT, "balance_is_insufficient", None);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let (status, code, pointer) = answer(&refusal);
        if status == OURS {
            // The caller cannot fix this, so it is logged for the operator.
            tracing::error!(code, "{code}: {refusal}");
        }
        let detail = match code == INTERNAL.1 {
            true => "something is wrong on this side; it has been logged".to_owned(),
            false => refusal.to_string(),
        };
        Problem::new(status, code, detail).at(pointer.map(Cow::into_owned))
    }
}

/// The field at fault.
fn at(pointer: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(pointer))
}

fn answer(refusal: &Refusal) -> Answer<'_> {
    use Refusal as R;
    match refusal {
        R::CallerIsUnknown => (StatusCode::UNAUTHORIZED, "caller_is_unknown", None),
        R::ScopeIsMissing(_) => (FORBIDDEN, "scope_is_missing", None),
        R::MerchantIsUnknown(_) => (FORBIDDEN, "merchant_is_unknown", None),
        R::KeyIsMissing => (BAD_REQUEST, "idempotency_key_is_missing", None),
        R::KeyIsDuplicated => (BAD_REQUEST, "idempotency_key_is_duplicated", None),
        R::KeyIsTooLong { .. } => (BAD_REQUEST, "idempotency_key_is_too_long", None),
        R::KeyIsNotPlain => (BAD_REQUEST, "idempotency_key_is_not_plain", None),
        R::KeyIsReusedWithAnotherBody => (INVALID, "idempotency_key_is_reused", None),
        R::BodyIsTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_is_too_large", None),
        R::BodyIsCutOff(_) => (BAD_REQUEST, "body_is_cut_off", None),
        R::BodyIsNotJson { .. } => (BAD_REQUEST, "body_is_not_json", None),
        R::BodyIsOfAnotherType(_) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "body_is_of_another_type", None)
        }
        R::FieldIsWrong { pointer, .. } => (INVALID, "field_is_wrong", at(pointer)),
        R::ActivityEvent(wrong) => (INVALID, code_of_input(&wrong.reason), at(&wrong.pointer)),
        R::PathIsWrong(_) => (BAD_REQUEST, "path_is_wrong", None),
        R::QueryIsWrong(_) => (BAD_REQUEST, "query_is_wrong", None),
        R::CursorIsWrong => (BAD_REQUEST, "cursor_is_wrong", None),
        R::MemberIdIsWrong { pointer, .. } => {
            (INVALID, "member_id_is_wrong", pointer.as_deref().and_then(at))
        }
        R::MemberIsUnknown(_) => (NOT_FOUND, "member_is_unknown", None),
        R::MemberIdIsTaken(_) => (CONFLICT, "member_id_is_taken", None),
        R::ReferrerIsUnknown(_) => (INVALID, "referrer_is_unknown", at("/referred_by")),
        R::ReferrerIsErased(_) => (StatusCode::GONE, "other_member_is_erased", at("/referred_by")),
        R::ActivityIsKnownWithAnotherBody { .. } => (INVALID, "activity_id_is_reused", at("/id")),
        R::EntryIsUnknown { verb, .. } => {
            (INVALID, "entry_is_unknown", Some(Cow::Owned(format!("/{verb}"))))
        }
        R::ActivityIsUnknown { pointer, .. } => (INVALID, "entry_is_unknown", at(pointer)),
        R::ContestIsUnknown { .. } => (NOT_FOUND, "contest_is_unknown", None),
        R::Decision(refusal) => answer_of_decision(refusal),
        R::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", None),
        R::RulesAreUnreadable { .. } => (OURS, "rules_are_unreadable", None),
        R::Internal(_) => INTERNAL,
        R::PathIsUnknown => (NOT_FOUND, "path_is_unknown", None),
        R::MethodIsNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_is_not_allowed", None),
    }
}

fn code_of_input(reason: &InputErrorReason) -> &'static str {
    use AmountRejection as A;
    match reason {
        InputErrorReason::Field(_) => "field_is_wrong",
        InputErrorReason::ActivityIsUnknown { .. } => "activity_is_unknown",
        InputErrorReason::Amount(A::AmountIsNotANumber { .. }) => "amount_is_not_a_number",
        InputErrorReason::Amount(A::AmountIsNegative { .. }) => "amount_is_negative",
        InputErrorReason::Amount(A::AmountHasTooManyDecimals { .. }) => {
            "amount_has_too_many_decimals"
        }
        InputErrorReason::Amount(A::AmountIsAbsurd { .. }) => "amount_is_absurd",
    }
}

fn answer_of_decision(refusal: &decide::Refusal) -> Answer<'_> {
    use decide::Refusal as R;
    match refusal {
        R::Earn(earn) => answer_of_earn(earn),
        R::Redeem(redeem) => answer_of_redeem(redeem),
        R::Hold(hold) => answer_of_hold(hold),
        R::Reverse(reverse) => answer_of_reverse(reverse),
        R::Move(moved) => answer_of_move(moved),
        R::Account(account) => answer_of_account(account),
        R::Give(give) => answer_of_give(give),
        R::Erased(_) => ERASED,
        R::ToldTooLate { .. } => (INVALID, "told_too_late", at("/at")),
        R::ReceiverIsUnknown(_) => (INVALID, "other_member_is_unknown", at("/to")),
        R::AccountIsUnknown(_) => (INVALID, "other_member_is_unknown", at("/account")),
        R::RewardIsUnknown { .. } => (INVALID, "reward_is_unknown", at("/reward")),
        R::RewardIsNotOnItsDays(_) => (CONFLICT, "reward_is_not_on_its_days", None),
        R::RewardNeedsTheOrder(_) => (INVALID, "reward_needs_an_order", at("/order")),
        R::UnitsAreMissing { .. } => (INVALID, "units_are_missing", at("/units")),
        R::UnitsAreOutOfRange { .. } => (INVALID, "units_are_out_of_range", at("/units")),
        R::RewardConditionDoesNotHold { .. } => (CONFLICT, "reward_condition_does_not_hold", None),
        R::RewardWasTakenAsOftenAsItMay { .. } => {
            (CONFLICT, "reward_was_taken_as_often_as_it_may", None)
        }
        R::RewardGivesNothing(_) => (CONFLICT, "reward_gives_nothing", None),
        R::RewardIsSoldOut(_) => (CONFLICT, "reward_is_sold_out", None),
        R::PoolIsEmpty { .. } => (CONFLICT, "pool_is_empty", None),
        // The failing rule is the merchant's own, and the merchant can fix it.
        R::RuleFailed(_) => (OURS, "rule_failed", None),
    }
}

fn answer_of_earn(rejection: &EarnRejection) -> Answer<'_> {
    use EarnRejection as R;
    match rejection {
        R::Erased(_) => ERASED,
        R::ActivityIsInTheFuture { .. } => (INVALID, "activity_is_in_the_future", at("/at")),
        R::ActivityIsBeforeEnrolment { .. } => (INVALID, "activity_is_before_enrolment", at("/at")),
        R::Give(give) => answer_of_give(give),
    }
}

fn answer_of_redeem(rejection: &RedeemRejection) -> Answer<'_> {
    match rejection {
        RedeemRejection::BalanceIsInsufficient { .. } => BALANCE_IS_INSUFFICIENT,
        RedeemRejection::Give(give) => answer_of_give(give),
    }
}

fn answer_of_hold(rejection: &HoldRejection) -> Answer<'_> {
    use HoldRejection as R;
    match rejection {
        R::HoldsAreTooMany(_) => (CONFLICT, "holds_are_too_many", None),
        R::HoldIsUnknown(_) => (NOT_FOUND, "hold_is_unknown", None),
        R::HoldWasCaptured { .. } => (CONFLICT, "hold_was_captured", None),
        R::HoldWasReleased { .. } => (CONFLICT, "hold_was_released", None),
        R::HoldHasExpired { .. } => (CONFLICT, "hold_has_expired", None),
        R::MoreIsCapturedThanHeld { .. } => (INVALID, "more_is_captured_than_held", at("/units")),
        R::Redeem(redeem) => answer_of_redeem(redeem),
        R::Give(give) => answer_of_give(give),
    }
}

fn answer_of_reverse(rejection: &ReverseRejection) -> Answer<'_> {
    use ReverseRejection as R;
    match rejection {
        R::Erased(_) => ERASED,
        R::EntryCannotBeReversed { .. } => (INVALID, "entry_cannot_be_reversed", None),
        R::EntryIsReversedAlready(_) | R::EntryIsReversedBy { .. } => {
            (CONFLICT, "entry_is_reversed_already", None)
        }
        R::EntryTookNoReward { .. } => (INVALID, "entry_cannot_be_reversed", at("/units")),
        R::OtherIsErased(_) => (StatusCode::GONE, "other_member_is_erased", None),
        R::EntryHasNoOrder(_) => (INVALID, "entry_has_no_order", None),
        R::LineIsUnknown { .. } => (INVALID, "line_is_unknown", at("/lines")),
        R::MoreComesBackThanIsLeft { .. } => {
            (INVALID, "more_comes_back_than_is_left", at("/lines"))
        }
        R::LineIsAmbiguous { .. } => (INVALID, "line_is_ambiguous", at("/lines")),
        R::RefundIsMissing { .. } => (INVALID, "refund_is_missing", at("/refund")),
        R::RefundIsTooMuch { .. } => (INVALID, "refund_is_too_much", at("/refund")),
        R::UnitsAreZero => (INVALID, "units_are_zero", at("/units")),
        R::UnitsAreTooMany { .. } => (INVALID, "units_are_too_many", at("/units")),
        R::Give(give) => answer_of_give(give),
    }
}

fn answer_of_move(rejection: &MoveRejection) -> Answer<'_> {
    use MoveRejection as R;
    match rejection {
        R::Erased(_) => ERASED,
        R::WalletIsUnknown(_) => (INVALID, "wallet_is_unknown", at("/wallet")),
        R::WalletIsNotTransferable(_) => (INVALID, "wallet_is_not_transferable", at("/wallet")),
        R::ReceiverIsErased(_) => (StatusCode::GONE, "other_member_is_erased", at("/to")),
        R::BothSidesAreOne(_) => (INVALID, "both_sides_are_one", at("/to")),
        R::UnitsAreZero => (INVALID, "units_are_zero", at("/units")),
        R::BalanceIsInsufficient { .. } => BALANCE_IS_INSUFFICIENT,
        R::Give(give) => answer_of_give(give),
    }
}

fn answer_of_account(rejection: &AccountRejection) -> Answer<'_> {
    use AccountRejection as R;
    match rejection {
        R::Erased(_) => ERASED,
        R::NothingIsShared => (CONFLICT, "nothing_is_shared", None),
        R::MemberHasAnAccount { .. } => (CONFLICT, "member_has_an_account", None),
        R::MemberHasNoAccount(_) => (CONFLICT, "member_has_no_account", None),
        R::AccountIsErased(_) => (StatusCode::GONE, "other_member_is_erased", at("/account")),
        R::AccountHasAnAccount(_) => (CONFLICT, "account_has_an_account", at("/account")),
        R::MemberIsTheAccount(_) => (INVALID, "member_is_the_account", at("/account")),
        R::AccountIsShared { .. } => (CONFLICT, "account_is_shared", None),
        R::MemberHasAHold { .. } => (CONFLICT, "member_has_a_hold", None),
        R::MemberOwes { .. } => (CONFLICT, "member_owes", None),
        R::Give(give) => answer_of_give(give),
    }
}

fn answer_of_give(rejection: &GiveRejection) -> Answer<'_> {
    match rejection {
        // The rule is the merchant's own, as above.
        GiveRejection::WalletIsUnknown { .. } => (OURS, "rule_failed", None),
        GiveRejection::WalletIsFull { .. } => (CONFLICT, "wallet_is_full", None),
        GiveRejection::EntryDoesNotApply { .. } => INTERNAL,
        GiveRejection::HoldingsAreTooMany { .. } => (CONFLICT, "holdings_are_too_many", None),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Refusal::from(error).into()
    }
}
