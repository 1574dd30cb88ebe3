//! Reads: a member, its versions by number and by name, and its statement.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use ledger::activity::PURCHASE;
use ledger::{EntryKind, Member, Seq, Verb};

use crate::error::StoreError;
use crate::item::{self, LoadedMember, Person};
use crate::key::{
    BY_KEY, BY_OP, Item, KEY, MemberKey, OP, PERSON_SK, PK, SEQ_MAX, SK, primary_key, version_sk,
};
use crate::meter::Kind;
use crate::operation::{About, Operation, name, undoing};
use crate::retry::retry;
use crate::table::{Consistency, Store};
use crate::version::{Version, VersionLine};

/// A page of a member's entries, the newest first.
#[derive(Debug)]
pub struct Statement {
    /// The versions that the entries made.
    pub versions: Vec<Version>,
    /// The next page has the entries before this `seq`; `None` if there are none.
    pub before: Option<Seq>,
    /// Whether the person was erased. Then the page has no entries.
    pub erased: bool,
}

impl Store {
    /// The member as it is now; `None` if there is none.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn member(&self, key: &MemberKey) -> Result<Option<Member>, StoreError> {
        Ok(self.load_member(key, Consistency::Strong).await?.map(|loaded| loaded.member))
    }

    /// Loads a member with one query from the end of its items: the person and the newest version.
    pub(crate) async fn load_member(
        &self,
        key: &MemberKey,
        consistency: Consistency,
    ) -> Result<Option<LoadedMember>, StoreError> {
        let query = self
            .all_of(key)
            .scan_index_forward(false)
            .limit(2)
            .consistent_read(consistency == Consistency::Strong);
        let found = self.ask(query).await?;
        let mut items = found.items.unwrap_or_default().into_iter();
        let Some(person) = items.next().filter(item::is_person) else { return Ok(None) };
        let person = item::to_person(key, person)?;
        let newest = items.next().filter(|item| item::seq_of(item).is_some());
        let Some(newest) = newest else {
            let due_at = person.due_at;
            return Ok(Some(LoadedMember { member: person.member(), due_at, person, head: None }));
        };
        let VersionLine { seq, hash, version, .. } = item::to_line(key, &newest, &person)?;
        let sealed = || StoreError::sealed(key, seq);
        let Version { member, due_at, .. } = version.ok_or_else(sealed)?;
        Ok(Some(LoadedMember { member, due_at, person, head: Some(hash) }))
    }

    pub(crate) async fn person(
        &self,
        key: &MemberKey,
        consistency: Consistency,
    ) -> Result<Option<Person>, StoreError> {
        let found = self.get(&key.pk(), PERSON_SK, consistency).await?;
        found.map(|item| item::to_person(key, item)).transpose()
    }

    /// The version that an operation made, if it was done before. The index is local, so the read
    /// is strongly consistent and finds what was done before the member was read.
    pub(crate) async fn version_of(
        &self,
        key: &MemberKey,
        operation: &Operation,
        person: &Person,
    ) -> Result<Option<Version>, StoreError> {
        let Some(op) = &operation.name else { return Ok(None) };
        // A purchase that puts another right may have its id, so that only the key tells a repeat.
        let (index, name) = match &operation.about {
            About::Activity { key: Some(key), replaces: true, .. } => ((BY_KEY, KEY), key),
            _ => ((BY_OP, OP), op),
        };
        let versions = self.versions_named(key, index, name, person).await?;
        // The first is the one that others put right.
        let own = versions.into_iter().filter(|version| operation.is_of_kind(&version.entry));
        Ok(own.min_by_key(|version| version.entry.seq))
    }

    /// Whether another activity was sent under the idempotency key of an operation.
    pub(crate) async fn key_is_taken(
        &self,
        key: &MemberKey,
        operation: &Operation,
    ) -> Result<bool, StoreError> {
        // The second name of a reversal is shared by all that undo one entry.
        let About::Activity { key: Some(name), .. } = &operation.about else { return Ok(false) };
        Ok(!self.named(key, (BY_KEY, KEY), name).await?.is_empty())
    }

    /// The versions that have a name in a local index. If the person was erased, they cannot be read
    /// any more.
    async fn versions_named(
        &self,
        key: &MemberKey,
        index: (&str, &str),
        name: &str,
        person: &Person,
    ) -> Result<Vec<Version>, StoreError> {
        let mut versions = Vec::new();
        for keys in self.named(key, index, name).await? {
            let item = self.lasting(key, item::text(&keys, SK)).await?;
            let line = item.map(|item| item::to_line(key, &item, person)).transpose()?;
            versions.extend(line.and_then(|line| line.version));
        }
        Ok(versions)
    }

    /// The keys of the versions that have a name in a local index.
    async fn named(
        &self,
        key: &MemberKey,
        (index, attribute): (&str, &str),
        name: &str,
    ) -> Result<Vec<Item>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression("#pk = :pk AND #name = :name")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#name", attribute)
            .expression_attribute_values(":pk", AttributeValue::S(key.pk()))
            .expression_attribute_values(":name", AttributeValue::S(name.to_owned()))
            .consistent_read(true);
        Ok(self.ask(query).await?.items.unwrap_or_default())
    }

    /// Sends a query.
    pub(crate) async fn ask(&self, query: QueryFluentBuilder) -> Result<QueryOutput, StoreError> {
        let query = query.set_return_consumed_capacity(self.capacity());
        let found = retry(async || query.clone().send().await.map_err(StoreError::of)).await?;
        self.count(Kind::Read, found.consumed_capacity());
        Ok(found)
    }

    pub(crate) async fn get(
        &self,
        pk: &str,
        sk: &str,
        consistency: Consistency,
    ) -> Result<Option<Item>, StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(primary_key(pk, sk)))
            .consistent_read(consistency == Consistency::Strong)
            .set_return_consumed_capacity(self.capacity());
        let found = retry(async || get.clone().send().await.map_err(StoreError::of)).await?;
        self.count(Kind::Read, found.consumed_capacity());
        Ok(found.item)
    }

    /// Several items in one request, in no particular order, without those that do not exist.
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
        let get = self
            .client
            .batch_get_item()
            .request_items(&self.table, wanted)
            .set_return_consumed_capacity(self.capacity());
        let whole = async || {
            let found = get.clone().send().await.map_err(StoreError::of)?;
            self.count(Kind::Read, found.consumed_capacity());
            if found.unprocessed_keys().is_some_and(|keys| !keys.is_empty()) {
                return Err(StoreError::Unavailable("a part of the read was put off".to_owned()));
            }
            Ok(found)
        };
        let found = retry(whole).await?;
        let items = found.responses.and_then(|mut tables| tables.remove(&self.table));
        Ok(items.unwrap_or_default())
    }

    /// At most `limit` entries of a member with a `seq` below `before`, the newest first. `None` if
    /// there is no such member.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn statement(
        &self,
        key: &MemberKey,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Option<Statement>, StoreError> {
        let Some(person) = self.person(key, Consistency::Strong).await? else { return Ok(None) };
        if person.secret.is_none() {
            return Ok(Some(Statement { versions: Vec::new(), before: None, erased: true }));
        }
        let newest = before.map_or(SEQ_MAX, |before| before.previous().unwrap_or(Seq::ENROLLED));
        let query = self
            .between(key, Seq::FIRST, newest.min(SEQ_MAX))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let found = self.ask(query).await?;
        let more = found.last_evaluated_key.is_some();
        let items = found.items.unwrap_or_default();
        let versions = items.iter().map(|item| item::to_version(key, item, &person));
        let versions = versions.collect::<Result<Vec<Version>, StoreError>>()?;
        let last = versions.last().map(|version| version.entry.seq);
        let before = last.filter(|seq| more && *seq > Seq::FIRST);
        Ok(Some(Statement { versions, before, erased: false }))
    }

    /// The query for all items of a member.
    pub(crate) fn all_of(&self, key: &MemberKey) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(key.pk()))
    }

    /// The strongly consistent query for a member's versions from one number to another.
    pub(crate) fn between(&self, key: &MemberKey, oldest: Seq, newest: Seq) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :oldest AND :newest")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(key.pk()))
            .expression_attribute_values(":oldest", AttributeValue::S(version_sk(oldest)))
            .expression_attribute_values(":newest", AttributeValue::S(version_sk(newest)))
            .consistent_read(true)
    }

    /// One version of a member; `None` if there is no such version.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn version(&self, key: &MemberKey, seq: Seq) -> Result<Option<Version>, StoreError> {
        let Some(item) = self.lasting(key, &version_sk(seq)).await? else { return Ok(None) };
        let Some(person) = self.somebody(key).await? else { return Ok(None) };
        Ok(Some(item::to_version(key, &item, &person)?))
    }

    /// The member before a version; as enrolled, if it is the first.
    ///
    /// # Errors
    /// The table could not be reached or refused the request, or the member or the version before
    /// does not exist.
    pub async fn before(&self, key: &MemberKey, seq: Seq) -> Result<Member, StoreError> {
        let gap = || StoreError::unreadable(&key.pk(), format!("before {seq} is a gap"));
        match seq.previous() {
            None | Some(Seq::ENROLLED) => {
                Ok(self.person(key, Consistency::Strong).await?.ok_or_else(gap)?.member())
            }
            Some(previous) => Ok(self.version(key, previous).await?.ok_or_else(gap)?.member),
        }
    }

    /// The person, possibly slightly out of date.
    async fn somebody(&self, key: &MemberKey) -> Result<Option<Person>, StoreError> {
        match self.person(key, Consistency::Eventual).await? {
            Some(person) => Ok(Some(person)),
            None => self.person(key, Consistency::Strong).await,
        }
    }

    /// An item of a member that never changes: if a cheap read finds it, no strong read is needed.
    pub(crate) async fn lasting(
        &self,
        key: &MemberKey,
        sk: &str,
    ) -> Result<Option<Item>, StoreError> {
        match self.get(&key.pk(), sk, Consistency::Eventual).await? {
            Some(item) => Ok(Some(item)),
            None => self.get(&key.pk(), sk, Consistency::Strong).await,
        }
    }

    /// The person of a member, unless it is known already.
    pub(crate) async fn known(
        &self,
        key: &MemberKey,
        known: Option<&Person>,
    ) -> Result<Person, StoreError> {
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let person = self.person(key, Consistency::Strong).await?;
        person.ok_or_else(|| StoreError::unreadable(&key.pk(), "there is no such member"))
    }

    /// The version that an operation made, for a request that reverses it.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn done(
        &self,
        key: &MemberKey,
        operation: &Operation,
    ) -> Result<Option<Version>, StoreError> {
        let Some(person) = self.somebody(key).await? else { return Ok(None) };
        self.version_of(key, operation, &person).await
    }

    /// The versions that activities of an id made: activities of several types can have one id.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn activities(&self, key: &MemberKey, id: &str) -> Result<Vec<Version>, StoreError> {
        let Some(person) = self.somebody(key).await? else { return Ok(Vec::new()) };
        self.versions_named(key, (BY_OP, OP), &name(Verb::Earn, id), &person).await
    }

    /// The version that an activity made, by its id or by the idempotency key that it was sent
    /// under. Of several types with one id it is the one of `kind`, or else the purchase; of a purchase
    /// and those that put it right it is the last.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn activity(
        &self,
        key: &MemberKey,
        id: &str,
        kind: Option<&str>,
    ) -> Result<Option<Version>, StoreError> {
        let Some(person) = self.somebody(key).await? else { return Ok(None) };
        let name = name(Verb::Earn, id);
        let is_of = |version: &Version, wanted: &str| matches!(&version.entry.kind, EntryKind::Earn { activity } if activity.kind == wanted);
        for index in [(BY_OP, OP), (BY_KEY, KEY)] {
            let versions = self.versions_named(key, index, &name, &person).await?;
            let wanted = kind.unwrap_or(PURCHASE);
            let (exact, others): (Vec<Version>, Vec<Version>) =
                versions.into_iter().partition(|version| is_of(version, wanted));
            let others = others.into_iter().filter(|_| kind.is_none());
            let newest = |versions: Vec<Version>| {
                versions.into_iter().max_by_key(|version| version.entry.seq)
            };
            if let Some(found) = newest(exact).or_else(|| newest(others.collect())) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The numbers of the entries that undo an entry, in whole or in part. A reversal that has been
    /// undone itself is none.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn undone_by(&self, key: &MemberKey, entry: Seq) -> Result<Vec<Seq>, StoreError> {
        let found = self.named(key, (BY_KEY, KEY), &undoing(entry)).await?;
        let mut entries: Vec<Seq> = Vec::new();
        for by in found.iter().filter_map(item::seq_of) {
            let is_undone = !Box::pin(self.undone_by(key, by)).await?.is_empty();
            let version = if is_undone { self.version(key, by).await? } else { None };
            if version.is_none_or(|version| version.entry.undone().is_none()) {
                entries.push(by);
            }
        }
        entries.sort_unstable();
        Ok(entries)
    }
}
