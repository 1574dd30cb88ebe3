use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, LocalSecondaryIndex, Projection, ProjectionType, ReturnConsumedCapacity,
    ScalarAttributeType,
};
use ledger::{MemberId, MerchantId, Seq};
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::meter::Meter;

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
/// What a repeat of a version's request is known by; only versions that were asked for under a key
/// have it, so only they are in `by_op`.
pub(crate) const OP: &str = "op";
/// The shard of a member that needs the scheduled run; only such members have it.
pub(crate) const DUE: &str = "due";
/// When it does, in seconds since 1970.
pub(crate) const DUE_AT: &str = "due_at";
/// The part of a contest's leaderboard that a score is in, and the score.
pub(crate) const BOARD: &str = "board";
pub(crate) const SCORE: &str = "score";
pub(crate) const BOARD_INDEX: &str = "board";
pub(crate) const BY_OP: &str = "by_op";
pub(crate) const DUE_INDEX: &str = "due";
/// The sort key of the person. It sorts behind its versions, so that one look from the end brings
/// the person and the newest version.
pub(crate) const PERSON_SK: &str = "~";
pub(crate) const VERSION_PREFIX: &str = "v#";
/// Before a contest, where a member has a score in it.
pub(crate) const SCORE_PREFIX: &str = "c#";

/// The largest number that a version can have: more than one member ever makes.
pub(crate) const SEQ_MAX: Seq = Seq::new(9_999_999_999);

/// Ten digits, so that the text sorts as the number does.
pub(crate) fn version_sk(seq: Seq) -> String {
    format!("{VERSION_PREFIX}{:010}", seq.get())
}

/// Parts of the due index. Workers take parts side by side; a member's part never changes.
pub const SHARDS: u8 = 64;

/// Parts of each pot, pool and leaderboard, so that no item and no partition is hot.
pub(crate) const PARTS: u8 = 16;

/// The part out of so many that a name falls into. It never changes.
pub(crate) fn shard_of(name: &str, parts: u8) -> u8 {
    let digest = Sha256::digest(name);
    digest.first().copied().unwrap_or_default() % parts
}

/// A merchant's member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey {
    /// Whose member.
    pub merchant: MerchantId,
    /// Which.
    pub member: MemberId,
}

impl MemberKey {
    pub(crate) fn pk(&self) -> String {
        format!("{}{}", merchant_prefix(&self.merchant), self.member)
    }

    /// Reads a partition key back; names hold no `#`.
    pub(crate) fn of_pk(pk: &str) -> Option<MemberKey> {
        let (merchant, member) = pk.strip_prefix("m#")?.split_once('#')?;
        Some(MemberKey {
            merchant: MerchantId::parse(merchant).ok()?,
            member: MemberId::parse(member).ok()?,
        })
    }

    /// The part of the due index that the member is in.
    #[must_use]
    pub fn shard(&self) -> u8 {
        shard_of(&self.pk(), SHARDS)
    }

    /// The part of what all members share that this one turns to first.
    pub(crate) fn part(&self) -> u8 {
        shard_of(&self.pk(), PARTS)
    }
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.merchant, self.member)
    }
}

pub(crate) fn merchant_prefix(merchant: &MerchantId) -> String {
    format!("m#{merchant}#")
}

pub(crate) fn due_key(shard: u8) -> String {
    format!("due#{shard:02}")
}

/// How a read looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consistency {
    /// Half the price, and a moment behind at times.
    Eventual,
    Strong,
}

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([
        (PK.to_owned(), AttributeValue::S(pk.to_owned())),
        (SK.to_owned(), AttributeValue::S(sk.to_owned())),
    ])
}

/// The table. Cheap to clone: clones share one client.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) meter: Option<Meter>,
    #[cfg(feature = "planted")]
    pub(crate) bug: Option<crate::planted::Bug>,
}

impl Store {
    /// The table of a name behind a client.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Store {
        Store {
            client,
            table: table.into(),
            meter: None,
            #[cfg(feature = "planted")]
            bug: None,
        }
    }

    /// The same table, written to with a bug.
    #[cfg(feature = "planted")]
    #[must_use]
    pub fn with_bug(mut self, bug: Option<crate::planted::Bug>) -> Store {
        self.bug = bug;
        self
    }

    /// The same table, with every capacity unit counted.
    #[must_use]
    pub fn metered(&self) -> (Store, Meter) {
        let meter = Meter::default();
        (Store { meter: Some(meter.clone()), ..self.clone() }, meter)
    }

    /// Whether DynamoDB is asked to tell what a request cost.
    pub(crate) fn capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    /// Creates the table unless it is there. For laptops and tests; in AWS `infra/` does.
    ///
    /// # Errors
    /// The table cannot be created.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let attribute = |name: &str, kind: ScalarAttributeType| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()
        };
        let element = |name: &str, kind: KeyType| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
        };
        let projection = |kind: ProjectionType| Projection::builder().projection_type(kind).build();
        let by_op = LocalSecondaryIndex::builder()
            .index_name(BY_OP)
            .key_schema(element(PK, KeyType::Hash).map_err(StoreError::request)?)
            .key_schema(element(OP, KeyType::Range).map_err(StoreError::request)?)
            .projection(projection(ProjectionType::KeysOnly))
            .build()
            .map_err(StoreError::request)?;
        let due = GlobalSecondaryIndex::builder()
            .index_name(DUE_INDEX)
            .key_schema(element(DUE, KeyType::Hash).map_err(StoreError::request)?)
            .key_schema(element(DUE_AT, KeyType::Range).map_err(StoreError::request)?)
            .projection(projection(ProjectionType::KeysOnly))
            .build()
            .map_err(StoreError::request)?;
        let board = GlobalSecondaryIndex::builder()
            .index_name(BOARD_INDEX)
            .key_schema(element(BOARD, KeyType::Hash).map_err(StoreError::request)?)
            .key_schema(element(SCORE, KeyType::Range).map_err(StoreError::request)?)
            .projection(projection(ProjectionType::KeysOnly))
            .build()
            .map_err(StoreError::request)?;
        let mut request = self.client.create_table().table_name(&self.table);
        for (name, kind) in [
            (PK, ScalarAttributeType::S),
            (SK, ScalarAttributeType::S),
            (OP, ScalarAttributeType::S),
            (DUE, ScalarAttributeType::S),
            (DUE_AT, ScalarAttributeType::N),
            (BOARD, ScalarAttributeType::S),
            (SCORE, ScalarAttributeType::N),
        ] {
            request =
                request.attribute_definitions(attribute(name, kind).map_err(StoreError::request)?);
        }
        let created = request
            .key_schema(element(PK, KeyType::Hash).map_err(StoreError::request)?)
            .key_schema(element(SK, KeyType::Range).map_err(StoreError::request)?)
            .local_secondary_indexes(by_op)
            .global_secondary_indexes(due)
            .global_secondary_indexes(board)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match created {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_in_use_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(StoreError::of(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_key_reads_back_and_its_shard_stays() {
        let key = MemberKey {
            merchant: MerchantId::parse("sunrise-coffee").unwrap(),
            member: MemberId::parse("a.b_c-1").unwrap(),
        };
        assert_eq!(key.pk(), "m#sunrise-coffee#a.b_c-1");
        assert_eq!(MemberKey::of_pk(&key.pk()), Some(key.clone()));
        assert_eq!(MemberKey::of_pk("b#sunrise-coffee"), None);
        // A member that changed its shard would be looked for where it is not.
        assert_eq!(key.shard(), 0);
        let other = MemberKey { member: MemberId::parse("ada").unwrap(), ..key };
        assert_eq!(other.shard(), 3);
    }
}
