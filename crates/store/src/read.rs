use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use ledger::{Member, MerchantId};

use crate::error::StoreError;
use crate::item::{self, Held, Person};
use crate::meter::Kind;
use crate::table::{
    BY_OP, Consistency, Item, MemberKey, OP, PERSON_SK, PK, SEQ_MAX, SK, Store, VERSION_PREFIX,
    key, merchant_prefix, version_sk,
};
use crate::version::Version;

/// A page of a member's entries, the newest first.
#[derive(Debug)]
pub struct Statement {
    /// The versions that the entries made.
    pub versions: Vec<Version>,
    /// Older ones come before this `seq`; nothing if there are none.
    pub before: Option<u64>,
}

/// All that is held of a member.
#[derive(Debug)]
pub struct History {
    /// Whose.
    pub at: MemberKey,
    /// The member on its first day.
    pub enrolled: Member,
    /// Its versions, the oldest first.
    pub versions: Vec<Version>,
}

impl History {
    /// The member as it is now.
    #[must_use]
    pub fn member(&self) -> &Member {
        self.versions.last().map_or(&self.enrolled, |version| &version.member)
    }
}

impl Store {
    /// The member, as it is now.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn member(&self, at: &MemberKey) -> Result<Option<Member>, StoreError> {
        Ok(self.held(at, Consistency::Strong).await?.map(|held| held.member))
    }

    /// One look from the end of a member's items: the person, and the newest version.
    pub(crate) async fn held(
        &self,
        at: &MemberKey,
        consistency: Consistency,
    ) -> Result<Option<Held>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(at.pk()))
            .scan_index_forward(false)
            .limit(2)
            .consistent_read(consistency == Consistency::Strong)
            .set_return_consumed_capacity(self.capacity());
        let found = query.send().await.map_err(StoreError::of)?;
        self.count(Kind::Read, found.consumed_capacity());
        let mut items = found.items.unwrap_or_default().into_iter();
        let Some(person) = items.next().filter(item::is_person) else { return Ok(None) };
        let person = item::to_person(at, person)?;
        let newest = items.next().filter(|item| item::seq_of(item).is_some());
        let Some(newest) = newest else {
            return Ok(Some(Held { member: person.member(), person, head: None }));
        };
        let (version, hash) = item::to_version(at, &newest, &person)?;
        Ok(Some(Held { member: version.member, person, head: Some(hash) }))
    }

    pub(crate) async fn person(
        &self,
        at: &MemberKey,
        consistency: Consistency,
    ) -> Result<Option<Person>, StoreError> {
        let found = self.get(&at.pk(), PERSON_SK, consistency).await?;
        found.map(|item| item::to_person(at, item)).transpose()
    }

    /// The version that an operation made, if it was done before. The look is a strong one: what was
    /// done before the member was read is found, whatever the indexes of others are behind.
    pub(crate) async fn version_of(
        &self,
        at: &MemberKey,
        op: &str,
        person: &Person,
    ) -> Result<Option<Version>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_OP)
            .key_condition_expression("#pk = :pk AND #op = :op")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#op", OP)
            .expression_attribute_values(":pk", AttributeValue::S(at.pk()))
            .expression_attribute_values(":op", AttributeValue::S(op.to_owned()))
            .limit(1)
            .consistent_read(true)
            .set_return_consumed_capacity(self.capacity());
        let found = query.send().await.map_err(StoreError::of)?;
        self.count(Kind::Read, found.consumed_capacity());
        let Some(keys) = found.items.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let version = self.get(&at.pk(), item::text(&keys, SK), Consistency::Strong).await?;
        version.map(|item| Ok(item::to_version(at, &item, person)?.0)).transpose()
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

    /// At most `limit` entries of a member with a `seq` below `before`, the newest first. Nothing if
    /// there is no such member.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn statement(
        &self,
        at: &MemberKey,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Option<Statement>, StoreError> {
        let Some(person) = self.person(at, Consistency::Strong).await? else { return Ok(None) };
        let newest = before.map_or(u64::MAX, |before| before.saturating_sub(1));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :oldest AND :newest")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(at.pk()))
            .expression_attribute_values(":oldest", AttributeValue::S(version_sk(1)))
            .expression_attribute_values(
                ":newest",
                AttributeValue::S(version_sk(newest.min(SEQ_MAX))),
            )
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_return_consumed_capacity(self.capacity());
        let found = query.send().await.map_err(StoreError::of)?;
        self.count(Kind::Read, found.consumed_capacity());
        let more = found.last_evaluated_key.is_some();
        let items = found.items.unwrap_or_default();
        let versions = items.iter().map(|item| Ok(item::to_version(at, item, &person)?.0));
        let versions = versions.collect::<Result<Vec<Version>, StoreError>>()?;
        let last = versions.last().map(|version| version.entry.seq);
        Ok(Some(Statement { versions, before: last.filter(|seq| more && *seq > 1) }))
    }

    /// One version of a member, and the one before it; nothing where there is no such version. The
    /// one before the first is the member on its first day.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn version(
        &self,
        at: &MemberKey,
        seq: u64,
    ) -> Result<Option<(Member, Version)>, StoreError> {
        let Some(person) = self.person(at, Consistency::Strong).await? else { return Ok(None) };
        let version = async |seq: u64| {
            let item = self.get(&at.pk(), &version_sk(seq), Consistency::Strong).await?;
            item.map(|item| Ok(item::to_version(at, &item, &person)?.0)).transpose()
        };
        let Some(wanted) = version(seq).await? else { return Ok(None) };
        let before = match seq {
            1 => person.member(),
            seq => {
                let gap = || StoreError::unreadable(&at.pk(), format!("before {seq} is a gap"));
                version(seq.saturating_sub(1)).await?.ok_or_else(gap)?.member
            }
        };
        Ok(Some((before, wanted)))
    }

    /// Looks at every member of a merchant with all its entries. It reads the whole table, so it is
    /// for reports and audits, not for requests.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn each(
        &self,
        merchant: &MerchantId,
        mut see: impl FnMut(History),
    ) -> Result<(), StoreError> {
        let mut from = None;
        // The items of one member come together, the person last.
        let mut versions: Vec<Item> = Vec::new();
        loop {
            let scan = self
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
                .set_return_consumed_capacity(self.capacity());
            let found = scan.send().await.map_err(StoreError::of)?;
            self.count(Kind::Read, found.consumed_capacity());
            for item in found.items.unwrap_or_default() {
                if item::is_person(&item) {
                    see(history(&item, &versions)?);
                    versions.clear();
                } else if item::text(&item, SK).starts_with(VERSION_PREFIX) {
                    versions.push(item);
                }
            }
            from = found.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        match versions.first() {
            None => Ok(()),
            Some(orphan) => {
                Err(StoreError::unreadable(item::text(orphan, PK), "entries without a member"))
            }
        }
    }
}

fn history(person: &Item, versions: &[Item]) -> Result<History, StoreError> {
    let pk = item::text(person, PK);
    let at = MemberKey::of_pk(pk)
        .ok_or_else(|| StoreError::unreadable(pk, "its key names no member"))?;
    if let Some(other) = versions.iter().find(|version| item::text(version, PK) != pk) {
        let reason = "entries without a member";
        return Err(StoreError::unreadable(item::text(other, PK), reason));
    }
    let person = item::to_person(&at, person.clone())?;
    let versions = versions.iter().map(|item| Ok(item::to_version(&at, item, &person)?.0));
    let versions = versions.collect::<Result<Vec<Version>, StoreError>>()?;
    Ok(History { at, enrolled: person.member(), versions })
}
