//! A merchant's bundles: each published revision under its hash, and which of them is active.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use ledger::{MerchantId, Moment};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::item::{BODY, blob, text};
use crate::key::{Item, PK, SK, primary_key};
use crate::meter::Kind;
use crate::table::{Consistency, Store};

const ACTIVE_SK: &str = "active";
const HASH: &str = "hash";
/// `exceptions` is a word of DynamoDB.
const EXCEPTIONS: &str = "beyond_gate";

/// A bundle as stored: its sources, as the publisher packed them, under their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBundle {
    /// The hash of the sources, which identifies the bundle.
    pub hash: String,
    /// The packed sources.
    pub body: Vec<u8>,
}

/// A publication beyond the merchant's gate, or without asking it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// When.
    pub at: Moment,
    /// Why, in the words of who published.
    pub reason: String,
    /// What a backtest found, in words; nothing if there was none.
    pub found: Vec<String>,
}

fn pk(merchant: &MerchantId) -> String {
    format!("b#{merchant}")
}

fn revision_sk(hash: &str) -> String {
    format!("r#{hash}")
}

/// The bundle that an item of the table is, if it is one of this merchant.
pub(crate) fn bundle_of(merchant: &MerchantId, item: &Item) -> Option<StoredBundle> {
    let own = text(item, PK) == pk(merchant);
    let hash = text(item, SK).strip_prefix("r#").filter(|_| own)?.to_owned();
    Some(StoredBundle { hash, body: blob(item, BODY)?.to_vec() })
}

/// The exceptions of a bundle's item; bundles of before have none.
fn exceptions_of(item: &Item) -> Result<Vec<Exception>, String> {
    let Some(list) = item.get(EXCEPTIONS) else { return Ok(Vec::new()) };
    let list = list.as_l().map_err(|_| "its exceptions are no list")?;
    let exception = |one: &AttributeValue| {
        let text = one.as_s().map_err(|_| "an exception is no text")?;
        serde_json::from_str(text).map_err(|error| format!("an exception: {error}"))
    };
    list.iter().map(exception).collect()
}

impl Store {
    /// Stores a bundle for ever and makes it the active one, in one transaction. An exception comes to
    /// those that are there.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn publish(
        &self,
        merchant: &MerchantId,
        bundle: StoredBundle,
        exception: Option<&Exception>,
    ) -> Result<(), StoreError> {
        let pk = pk(merchant);
        let exceptions = exception.into_iter().map(serde_json::to_string);
        let exceptions = exceptions.map(|one| one.map(AttributeValue::S));
        let exceptions = exceptions.collect::<Result<_, _>>().map_err(StoreError::request)?;
        let revision = Update::builder()
            .table_name(&self.table)
            .set_key(Some(primary_key(&pk, &revision_sk(&bundle.hash))))
            .update_expression(format!(
                "SET {BODY} = :body, {EXCEPTIONS} = list_append(if_not_exists({EXCEPTIONS}, :none), :new)"
            ))
            .expression_attribute_values(":body", AttributeValue::B(Blob::new(bundle.body)))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":new", AttributeValue::L(exceptions));
        let revision = revision.build().map_err(StoreError::request)?;
        let mut active = primary_key(&pk, ACTIVE_SK);
        active.insert(HASH.to_owned(), AttributeValue::S(bundle.hash));
        let active = Put::builder().table_name(&self.table).set_item(Some(active)).build();
        let active = active.map_err(StoreError::request)?;
        let written = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(revision).build())
            .transact_items(TransactWriteItem::builder().put(active).build())
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await
            .map_err(StoreError::of)?;
        self.count(Kind::Write, written.consumed_capacity());
        Ok(())
    }

    /// The hash of the merchant's active bundle; `None` if it has never published one.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn active_bundle(&self, merchant: &MerchantId) -> Result<Option<String>, StoreError> {
        let active = self.get(&pk(merchant), ACTIVE_SK, Consistency::Eventual).await?;
        Ok(active.map(|item| text(&item, HASH).to_owned()))
    }

    /// The bundle with a hash; `None` if there is none.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn bundle(
        &self,
        merchant: &MerchantId,
        hash: &str,
    ) -> Result<Option<StoredBundle>, StoreError> {
        let revision = self.get(&pk(merchant), &revision_sk(hash), Consistency::Strong).await?;
        Ok(revision.and_then(|item| {
            Some(StoredBundle { hash: hash.to_owned(), body: blob(&item, BODY)?.to_vec() })
        }))
    }

    /// Each time that the bundle with a hash was published though the merchant's gate stopped it, the
    /// first first.
    ///
    /// # Errors
    /// The table could not be reached or refused the request, or an exception cannot be read.
    pub async fn exceptions(
        &self,
        merchant: &MerchantId,
        hash: &str,
    ) -> Result<Vec<Exception>, StoreError> {
        let pk = pk(merchant);
        let revision = self.get(&pk, &revision_sk(hash), Consistency::Strong).await?;
        let exceptions = revision.map_or_else(|| Ok(Vec::new()), |item| exceptions_of(&item));
        exceptions.map_err(|reason| StoreError::unreadable(&pk, format!("bundle {hash}: {reason}")))
    }
}
