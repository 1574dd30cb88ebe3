//! The table: its indexes, and the handle to it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, ConsumedCapacity, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, LocalSecondaryIndex, Projection, ProjectionType, ReturnConsumedCapacity,
    ScalarAttributeType,
};

use crate::error::StoreError;
use crate::key::{
    BOARD, BOARD_INDEX, BY_KEY, BY_OP, DUE, DUE_AT, DUE_INDEX, KEY, OP, PK, SCORE, SK,
};
use crate::meter::{Kind, Meter};

/// How consistent a read is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consistency {
    /// Half the price, and sometimes slightly out of date.
    Eventual,
    Strong,
}

/// The handle to the table. Cheap to clone, since clones share one client.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) meter: Option<Meter>,
    #[cfg(feature = "planted")]
    pub(crate) bug: Option<crate::bug::Bug>,
}

impl Store {
    /// The table of that name, reached by a client.
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

    /// The same table, with a planted bug in its writes.
    #[cfg(feature = "planted")]
    #[must_use]
    pub fn with_bug(mut self, bug: Option<crate::bug::Bug>) -> Store {
        self.bug = bug;
        self
    }

    /// The same table, and a meter that counts the capacity units of its requests.
    #[must_use]
    pub fn metered(&self) -> (Store, Meter) {
        let meter = Meter::default();
        (Store { meter: Some(meter.clone()), ..self.clone() }, meter)
    }

    /// What to ask DynamoDB about the cost of a request: the total if there is a meter.
    pub(crate) fn capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    /// Counts a request that was answered, if there is a meter.
    pub(crate) fn count<'a>(
        &self,
        kind: Kind,
        consumed: impl IntoIterator<Item = &'a ConsumedCapacity>,
    ) {
        if let Some(meter) = &self.meter {
            meter.count(kind, consumed);
        }
    }

    /// Creates the table unless it exists. For laptops and tests; in AWS, `infra/` creates it.
    ///
    /// # Errors
    /// The table cannot be created.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let attribute = |name: &str, kind: ScalarAttributeType| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()
        };
        let mut request = self.client.create_table().table_name(&self.table);
        for (name, kind) in [
            (PK, ScalarAttributeType::S),
            (SK, ScalarAttributeType::S),
            (OP, ScalarAttributeType::S),
            (KEY, ScalarAttributeType::S),
            (DUE, ScalarAttributeType::S),
            (DUE_AT, ScalarAttributeType::N),
            (BOARD, ScalarAttributeType::S),
            (SCORE, ScalarAttributeType::N),
        ] {
            request =
                request.attribute_definitions(attribute(name, kind).map_err(StoreError::request)?);
        }
        let created = request
            .set_key_schema(Some(keys(PK, SK)?))
            .local_secondary_indexes(local_index(BY_OP, OP)?)
            .local_secondary_indexes(local_index(BY_KEY, KEY)?)
            .global_secondary_indexes(global_index(DUE_INDEX, DUE, DUE_AT)?)
            .global_secondary_indexes(global_index(BOARD_INDEX, BOARD, SCORE)?)
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

/// The two keys of the table or of an index.
fn keys(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>, StoreError> {
    let element = |name: &str, kind: KeyType| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
    };
    let keys = [element(hash, KeyType::Hash), element(range, KeyType::Range)];
    keys.into_iter().map(|key| key.map_err(StoreError::request)).collect()
}

/// An index holds only keys: what it finds is read from the table.
fn keys_only() -> Projection {
    Projection::builder().projection_type(ProjectionType::KeysOnly).build()
}

fn local_index(name: &str, range: &str) -> Result<LocalSecondaryIndex, StoreError> {
    let index = LocalSecondaryIndex::builder().index_name(name).projection(keys_only());
    index.set_key_schema(Some(keys(PK, range)?)).build().map_err(StoreError::request)
}

fn global_index(name: &str, hash: &str, range: &str) -> Result<GlobalSecondaryIndex, StoreError> {
    let index = GlobalSecondaryIndex::builder().index_name(name).projection(keys_only());
    index.set_key_schema(Some(keys(hash, range)?)).build().map_err(StoreError::request)
}
