use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use ledger::enroll::Enrolment;
use ledger::{Member, Moment};

use crate::error::StoreError;
use crate::item::{self, Person};
use crate::meter::Kind;
use crate::operation::Fingerprint;
use crate::seal::Secret;
use crate::table::{Consistency, MemberKey, PK, Store};

/// What became of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolled {
    /// The person is a member now.
    New(Member),
    /// The same enrolment had been made before; this is the member that it made.
    Before(Member),
    /// There is a member of that name, enrolled with something else.
    NameIsTaken,
}

impl Store {
    /// Writes a new person, on condition that there is none of its name: one write, whose failure
    /// brings back the member that is there.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn enroll(
        &self,
        at: &MemberKey,
        enrolment: Enrolment,
        fingerprint: Fingerprint,
        due_at: Option<Moment>,
        now: Moment,
    ) -> Result<Enrolled, StoreError> {
        let secret = Secret::new().map_err(|reason| StoreError::Refused(reason.to_owned()))?;
        let person =
            Person { enrolment, enrolled_at: now, fingerprint, due_at, secret: Some(secret) };
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::of_person(at, &person)?))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        let error = match put {
            Ok(put) => {
                self.count(Kind::Write, put.consumed_capacity());
                return Ok(Enrolled::New(person.member()));
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(there)) => {
                let there = match there.item() {
                    Some(item) => Some(item::to_person(at, item.clone())?),
                    // A table that does not bring it back is asked for it.
                    None => self.person(at, Consistency::Strong).await?,
                };
                Ok(match there {
                    Some(there) if there.fingerprint == person.fingerprint => {
                        Enrolled::Before(there.member())
                    }
                    _ => Enrolled::NameIsTaken,
                })
            }
            _ => Err(StoreError::of(error)),
        }
    }
}
