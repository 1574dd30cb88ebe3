use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use ledger::{Member, MerchantId};

use crate::error::StoreError;
use crate::item::{self, Held};
use crate::meter::Kind;
use crate::record::Record;
use crate::table::{
    BY_SEQ, Consistency, ENTRY_PREFIX, Item, MEMBER_SK, MemberKey, PK, SEQ, SK, Store, key,
    merchant_prefix,
};

/// A page of a member's entries, the newest first.
#[derive(Debug)]
pub struct Statement {
    /// The entries.
    pub records: Vec<Record>,
    /// Older ones come before this `seq`; nothing if there are none.
    pub before: Option<u64>,
}

/// One item of a merchant, in no particular order.
#[derive(Debug)]
pub enum Row {
    /// A member.
    Member(Box<Member>),
    /// One of a member's entries.
    Record(MemberKey, Box<Record>),
}

impl Store {
    /// The member, as it is now.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn member(&self, at: &MemberKey) -> Result<Option<Member>, StoreError> {
        Ok(self.held(at).await?.map(|held| held.member))
    }

    pub(crate) async fn record(
        &self,
        at: &MemberKey,
        sk: &str,
    ) -> Result<Option<Record>, StoreError> {
        let found = self.item(at, sk).await?;
        found.map(|item| item::to_record(&item)).transpose()
    }

    pub(crate) async fn held(&self, at: &MemberKey) -> Result<Option<Held>, StoreError> {
        let found = self.item(at, MEMBER_SK).await?;
        found.map(|item| item::to_member(at, item)).transpose()
    }

    async fn item(&self, at: &MemberKey, sk: &str) -> Result<Option<Item>, StoreError> {
        self.get(&at.pk(), sk, Consistency::Strong).await
    }

    pub(crate) async fn get(
        &self,
        pk: &str,
        sk: &str,
        consistency: Consistency,
    ) -> Result<Option<Item>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(pk, sk)))
            .consistent_read(consistency == Consistency::Strong)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await
            .map_err(StoreError::of)?;
        self.count(Kind::Read, found.consumed_capacity());
        Ok(found.item)
    }

    /// Several items in one request, in no particular order; those that are not there are left out.
    pub(crate) async fn batch(
        &self,
        keys: impl Iterator<Item = Item>,
        consistency: Consistency,
    ) -> Result<Vec<Item>, StoreError> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(consistency == Consistency::Strong)
            .build()
            .map_err(StoreError::request)?;
        let found = self
            .client
            .batch_get_item()
            .request_items(&self.table, wanted)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await
            .map_err(StoreError::of)?;
        self.count(Kind::Read, found.consumed_capacity());
        if found.unprocessed_keys().is_some_and(|keys| !keys.is_empty()) {
            return Err(StoreError::Unavailable("a part of the read was put off".to_owned()));
        }
        let items = found.responses.and_then(|mut tables| tables.remove(&self.table));
        Ok(items.unwrap_or_default())
    }

    /// At most `limit` entries of a member with a `seq` below `before`, the newest first.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn statement(
        &self,
        at: &MemberKey,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Statement, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_SEQ)
            .key_condition_expression("#pk = :pk AND #seq < :before")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#seq", SEQ)
            .expression_attribute_values(":pk", AttributeValue::S(at.pk()))
            .expression_attribute_values(
                ":before",
                AttributeValue::N(before.unwrap_or(u64::MAX).to_string()),
            )
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await
            .map_err(StoreError::of)?;
        self.count(Kind::Read, found.consumed_capacity());
        let more = found.last_evaluated_key.is_some();
        let records = found
            .items
            .unwrap_or_default()
            .iter()
            .map(item::to_record)
            .collect::<Result<Vec<Record>, StoreError>>()?;
        let last = records.last().map(|record| record.entry.seq);
        Ok(Statement { records, before: last.filter(|seq| more && *seq > 1) })
    }

    /// Looks at every member and entry of a merchant. It reads the whole table, so it is for
    /// reports and audits, not for requests.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn each(
        &self,
        merchant: &MerchantId,
        mut see: impl FnMut(Row),
    ) -> Result<(), StoreError> {
        let mut from = None;
        loop {
            let found = self
                .client
                .scan()
                .table_name(&self.table)
                .filter_expression("begins_with(#pk, :prefix)")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_values(
                    ":prefix",
                    AttributeValue::S(merchant_prefix(merchant)),
                )
                .set_exclusive_start_key(from)
                .consistent_read(true)
                .set_return_consumed_capacity(self.capacity())
                .send()
                .await
                .map_err(StoreError::of)?;
            self.count(Kind::Read, found.consumed_capacity());
            for item in found.items.unwrap_or_default() {
                let pk = item::text(&item, PK);
                let at = MemberKey::of_pk(pk)
                    .ok_or_else(|| StoreError::unreadable(pk, "its key names no member"))?;
                if item::is_member(&item) {
                    see(Row::Member(Box::new(item::to_member(&at, item)?.member)));
                } else if item::text(&item, SK).starts_with(ENTRY_PREFIX) {
                    see(Row::Record(at, Box::new(item::to_record(&item)?)));
                }
            }
            from = found.last_evaluated_key;
            if from.is_none() {
                return Ok(());
            }
        }
    }
}
