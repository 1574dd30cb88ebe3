//! The items of a million members, as proofs need them. The file is compiled only with the feature
//! `planted`, which only the proofs enable.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use ledger::Decision;
use ledger::enroll::Enrolment;
use serde_json::value::RawValue;

use crate::error::StoreError;
use crate::item::{self, Person};
use crate::key::MemberKey;
use crate::operation::{Fingerprint, Operation};
use crate::seal::Secret;
use crate::version::Version;

/// The items of a member with its first version, for tests that need a million members.
///
/// # Errors
/// They cannot be serialized.
pub fn items(
    key: &MemberKey,
    enrolment: Enrolment,
    decision: Decision,
    bundle: &str,
) -> Result<[HashMap<String, AttributeValue>; 2], StoreError> {
    let secret = Secret::new().map_err(|reason| StoreError::Refused(reason.to_string()))?;
    let fingerprint = Fingerprint::of(&serde_json::Value::Null);
    let Decision { entry, member, due_at, .. } = decision;
    let person = Person {
        enrolment,
        enrolled_at: member.enrolled_at,
        fingerprint: fingerprint.clone(),
        due_at,
        secret: Some(secret),
    };
    let version = Version {
        entry,
        member,
        due_at,
        bundle: bundle.to_owned(),
        fingerprint,
        previous: None,
        status: 200,
        answer: RawValue::NULL.to_owned(),
    };
    let first = item::of_version(key, &version, &Operation::unasked(), person.secret.as_ref())?;
    Ok([item::of_person(key, &person)?, first])
}
