//! A merchant's bundles: each published revision under its hash, and which of them is active.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use ledger::MerchantId;

use crate::error::StoreError;
use crate::item::{BODY, blob, text};
use crate::key::{Item, PK, SK, primary_key};
use crate::meter::Kind;
use crate::table::{Consistency, Store};

const ACTIVE_SK: &str = "active";
const HASH: &str = "hash";

/// A bundle as stored: its sources, as the publisher packed them, under their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBundle {
    /// The hash of the sources, which identifies the bundle.
    pub hash: String,
    /// The packed sources.
    pub body: Vec<u8>,
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

impl Store {
    /// Stores a bundle for ever and makes it the active one, in one transaction.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn publish(
        &self,
        merchant: &MerchantId,
        bundle: StoredBundle,
    ) -> Result<(), StoreError> {
        let pk = pk(merchant);
        let put = |item: Item| {
            let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
            put.map(|put| TransactWriteItem::builder().put(put).build())
                .map_err(StoreError::request)
        };
        let mut revision = primary_key(&pk, &revision_sk(&bundle.hash));
        revision.insert(BODY.to_owned(), AttributeValue::B(Blob::new(bundle.body)));
        let mut active = primary_key(&pk, ACTIVE_SK);
        active.insert(HASH.to_owned(), AttributeValue::S(bundle.hash));
        let written = self
            .client
            .transact_write_items()
            .transact_items(put(revision)?)
            .transact_items(put(active)?)
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
}
