//! Enrolling a person: one conditional write, and what its outcome means.

use aws_sdk_dynamodb::types::Put;
use ledger::enroll::Enrolment;
use ledger::{Member, Moment};
use tokio::time::Instant;

use crate::error::StoreError;
use crate::item::{self, Person};
use crate::key::{MemberKey, PK};
use crate::operation::Fingerprint;
use crate::retry::TIME_MAX;
use crate::seal::Secret;
use crate::table::{Consistency, Store};
use crate::write::Written;

/// The outcome of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolled {
    /// The person is a member now.
    New(Member),
    /// The same enrolment was made before; this is the member that it made.
    Before(Member),
    /// A member of that name exists, and was enrolled with other data.
    NameIsTaken,
    /// A member of that name was erased.
    IsErased,
}

impl Store {
    /// The member that the same enrolment made before; `None` if there is none.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn enrolled(
        &self,
        key: &MemberKey,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Member>, StoreError> {
        let there = self.person(key, Consistency::Strong).await?;
        let same =
            there.filter(|there| there.secret.is_some() && there.fingerprint == *fingerprint);
        Ok(same.map(|there| there.member()))
    }

    /// Writes a new person on condition that there is none of that name. It is one write; if it
    /// fails, the table returns the person that exists.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn enroll(
        &self,
        key: &MemberKey,
        enrolment: Enrolment,
        fingerprint: Fingerprint,
        due_at: Option<Moment>,
        now: Moment,
    ) -> Result<Enrolled, StoreError> {
        let secret = Secret::new().map_err(|reason| StoreError::Refused(reason.to_string()))?;
        let person =
            Person { enrolment, enrolled_at: now, fingerprint, due_at, secret: Some(secret) };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::of_person(key, &person)?))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()
            .map_err(StoreError::request)?;
        let there = match self.write(put, Vec::new(), Instant::now() + TIME_MAX).await? {
            Written::Done => return Ok(Enrolled::New(person.member())),
            Written::Conflict(Some(there)) => Some(item::to_person(key, there)?),
            // The table did not return the item, so read it.
            Written::Conflict(None) => self.person(key, Consistency::Strong).await?,
            Written::Unknown(reason) => return Err(StoreError::Unavailable(reason)),
        };
        Ok(match there {
            Some(there) if there.secret.is_none() => Enrolled::IsErased,
            Some(there) if there.fingerprint == person.fingerprint => {
                Enrolled::Before(there.member())
            }
            _ => Enrolled::NameIsTaken,
        })
    }
}
