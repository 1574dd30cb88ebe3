//! What proofs need: bugs planted between a decision and its write, and the items of a million
//! members. It is compiled only with the feature `planted`, which only the proofs enable.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use ledger::enroll::Enrolment;
use ledger::{Decision, Member};
use serde_json::value::RawValue;

use crate::error::StoreError;
use crate::item::{self, Person};
use crate::operation::Fingerprint;
use crate::seal::Secret;
use crate::table::MemberKey;
use crate::version::Version;

/// A planted bug. It changes what was decided for a member.
#[derive(Clone)]
pub struct Bug(pub Arc<Change>);

/// What a bug does, given the member before the decision, and the decision.
pub type Change = dyn Fn(&Member, &mut Decision) + Send + Sync;

impl fmt::Debug for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bug")
    }
}

/// The items of a member with its first version, for tests that need a million members.
///
/// # Errors
/// They cannot be serialized.
pub fn items(
    at: &MemberKey,
    enrolment: Enrolment,
    decision: Decision,
    bundle: &str,
) -> Result<[HashMap<String, AttributeValue>; 2], StoreError> {
    let secret = Secret::new().map_err(|reason| StoreError::Refused(reason.to_owned()))?;
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
    let first = item::of_version(at, &version, None, person.secret.as_ref())?;
    Ok([item::of_person(at, &person)?, first])
}
