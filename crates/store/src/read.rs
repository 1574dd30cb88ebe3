//! Reads: a member, its statement, its history, and all members of a merchant.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use ledger::activity::PURCHASE;
use ledger::{EntryKind, HistorySlice, Member, MerchantId, Moment, Seq, Since, Verb};

use crate::error::StoreError;
use crate::item::{self, LoadedMember, Person};
use crate::key::{
    BY_KEY, BY_OP, Item, KEY, MemberKey, OP, PERSON_SK, PK, SEQ_MAX, SK, merchant_prefix,
    primary_key, version_sk,
};
use crate::meter::Kind;
use crate::operation::{About, Operation, name, undoing};
use crate::retry::retry;
use crate::table::{Consistency, Store};
use crate::version::{Version, VersionLine};

/// The most items of a page of a scan. DynamoDB ends a page after one megabyte, about half as many
/// items. The embedded database needs the limit: without it, each page reads to the table's end.
const PAGE: i32 = 4000;

/// The versions of the first page that is read backwards, and of the largest: what is told late is
/// mostly a little late.
const FIRST_PAGE: i32 = 4;
const LAST_PAGE: i32 = 256;

fn slice(before: Member, versions: Vec<Version>) -> HistorySlice {
    let (entries, rules) =
        versions.into_iter().map(|version| (version.entry, version.bundle)).unzip();
    HistorySlice { before, entries, rules }
}

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

/// A member with everything that is stored about it.
#[derive(Debug)]
pub struct History {
    /// The member's key.
    pub key: MemberKey,
    /// The member as enrolled, before its first entry.
    pub enrolled: Member,
    /// Its due date in the due index.
    pub due_at: Option<Moment>,
    /// Its versions, the oldest first.
    pub lines: Vec<VersionLine>,
    /// The first version that should be readable and is not, and why. Later versions are left out.
    pub unreadable: Option<(Seq, String)>,
    /// The sort key of an item in its partition that is none of the items of a member.
    pub stray: Option<String>,
}

/// A member as found with all its entries, or why it cannot be read.
pub type Found = Result<History, StoreError>;

impl History {
    /// The member as it is now.
    #[must_use]
    pub fn member(&self) -> &Member {
        self.versions().next_back().map_or(&self.enrolled, |version| &version.member)
    }

    /// The versions that can be read: all, or those since the person was erased.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.lines.iter().filter_map(|line| line.version.as_ref())
    }
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
    fn all_of(&self, key: &MemberKey) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(key.pk()))
    }

    /// The strongly consistent query for a member's versions from one number to another.
    fn between(&self, key: &MemberKey, oldest: Seq, newest: Seq) -> QueryFluentBuilder {
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
    async fn lasting(&self, key: &MemberKey, sk: &str) -> Result<Option<Item>, StoreError> {
        match self.get(&key.pk(), sk, Consistency::Eventual).await? {
            Some(item) => Ok(Some(item)),
            None => self.get(&key.pk(), sk, Consistency::Strong).await,
        }
    }

    /// The member before an entry, and its entries from that one on.
    ///
    /// # Errors
    /// It has no such entry, or the table could not be reached.
    pub async fn slice(&self, key: &MemberKey, entry: Seq) -> Result<HistorySlice, StoreError> {
        let person = self.known(key, None).await?;
        self.slice_of(key, &person, entry).await
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

    pub(crate) async fn slice_of(
        &self,
        key: &MemberKey,
        person: &Person,
        entry: Seq,
    ) -> Result<HistorySlice, StoreError> {
        let unknown = || StoreError::unreadable(&key.pk(), format!("it has no entry {entry}"));
        let before = entry.previous().ok_or_else(unknown)?;
        let mut versions = Vec::new();
        let mut start = None;
        loop {
            let query = self.between(key, before, SEQ_MAX).set_exclusive_start_key(start);
            let found = self.ask(query).await?;
            for item in found.items.unwrap_or_default() {
                versions.push(item::to_version(key, &item, person)?);
            }
            start = found.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let before = match versions.first() {
            Some(first) if first.entry.seq == before => versions.remove(0).member,
            _ => person.member(),
        };
        if before.seq.next() != entry {
            return Err(unknown());
        }
        Ok(slice(before, versions))
    }

    /// The shortest slice of a member's history that reaches back so far, as
    /// [`HistorySlice::reaches`] says. It reads from the newest version backwards.
    ///
    /// # Errors
    /// There is no such member, or the table could not be reached.
    pub async fn slice_since(
        &self,
        key: &MemberKey,
        since: Since,
    ) -> Result<HistorySlice, StoreError> {
        let person = self.known(key, None).await?;
        self.slice_of_since(key, &person, since).await
    }

    pub(crate) async fn slice_of_since(
        &self,
        key: &MemberKey,
        person: &Person,
        mut since: Since,
    ) -> Result<HistorySlice, StoreError> {
        // The newest first.
        let mut versions: Vec<Version> = Vec::new();
        let mut start = None;
        let mut page = FIRST_PAGE;
        loop {
            let query = self
                .between(key, Seq::FIRST, SEQ_MAX)
                .scan_index_forward(false)
                .limit(page)
                .set_exclusive_start_key(start);
            let found = self.ask(query).await?;
            for item in found.items.unwrap_or_default() {
                let version = item::to_version(key, &item, person)?;
                if since.is_after(&version.member) {
                    versions.reverse();
                    return Ok(slice(version.member, versions));
                }
                since = since.with(&version.entry);
                versions.push(version);
            }
            start = found.last_evaluated_key;
            if start.is_none() {
                versions.reverse();
                return Ok(slice(person.member(), versions));
            }
            page = (page * 8).min(LAST_PAGE);
        }
    }

    /// The member as it was at a moment, by what had been told up to an entry. It looks for the version
    /// by halves, since the versions are in the order in which they were told.
    ///
    /// # Errors
    /// There is no such member, or the table could not be reached.
    pub async fn member_then(
        &self,
        key: &MemberKey,
        at: Moment,
        newest: Seq,
    ) -> Result<Member, StoreError> {
        let person = self.known(key, None).await?;
        let mut then = person.member();
        // The version `low` is from before the moment, and all above `high` are from after it.
        let (mut low, mut high) = (Seq::ENROLLED.get(), newest.get());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let seq = Seq::new(middle);
            let gap = || StoreError::unreadable(&key.pk(), format!("{seq} is a gap"));
            let item = self.lasting(key, &version_sk(seq)).await?.ok_or_else(gap)?;
            let Version { member, .. } = item::to_version(key, &item, &person)?;
            if member.happened_at <= at {
                (low, then) = (middle, member);
            } else {
                high = middle.saturating_sub(1);
            }
        }
        Ok(then)
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

    /// The numbers of the entries that undo an entry, in whole or in part.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn undone_by(&self, key: &MemberKey, entry: Seq) -> Result<Vec<Seq>, StoreError> {
        let found = self.named(key, (BY_KEY, KEY), &undoing(entry)).await?;
        let mut entries: Vec<Seq> = found.iter().filter_map(item::seq_of).collect();
        entries.sort_unstable();
        Ok(entries)
    }

    /// Calls `see` for every member of a merchant with all its entries. It reads the whole table,
    /// so it is for reports and audits, not for requests.
    ///
    /// # Errors
    /// The table could not be reached or refused the request, or a member cannot be read.
    pub async fn each(
        &self,
        merchant: &MerchantId,
        mut see: impl FnMut(History),
    ) -> Result<(), StoreError> {
        let mut broken = None;
        let sees = |found: Found| match found {
            Ok(history) => see(history),
            Err(error) => broken = broken.take().or(Some(error)),
        };
        self.each_of_part(merchant, 0, 1, sees).await?;
        broken.map_or(Ok(()), Err)
    }

    /// Calls `see` for every member in part number `part` of `parts` parts of the table, so that
    /// parts can be read in parallel. `see` also gets the members that cannot be read.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn each_of_part(
        &self,
        merchant: &MerchantId,
        part: i32,
        parts: i32,
        mut see: impl FnMut(Found),
    ) -> Result<(), StoreError> {
        let mut from = None;
        let mut gathered = Gathered::default();
        loop {
            let scan = self
                .client
                .scan()
                .table_name(&self.table)
                .set_segment((parts > 1).then_some(part))
                .set_total_segments((parts > 1).then_some(parts))
                .limit(PAGE)
                .filter_expression("begins_with(#pk, :prefix)")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_values(
                    ":prefix",
                    AttributeValue::S(merchant_prefix(merchant)),
                )
                .set_exclusive_start_key(from)
                .consistent_read(true)
                .set_return_consumed_capacity(self.capacity());
            let found = retry(async || scan.clone().send().await.map_err(StoreError::of)).await?;
            self.count(Kind::Read, found.consumed_capacity());
            for item in found.items.unwrap_or_default() {
                gathered.add(item, &mut see);
            }
            from = found.last_evaluated_key;
            if from.is_none() {
                gathered.done(&mut see);
                return Ok(());
            }
        }
    }

    /// A member with all its versions, as it is now; `None` if there is none.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn history(&self, key: &MemberKey) -> Result<Option<History>, StoreError> {
        let mut from = None;
        let mut gathered = Gathered::default();
        let mut whole = None;
        let mut see = |found: Found| whole = whole.take().or(Some(found));
        loop {
            let query = self.all_of(key).set_exclusive_start_key(from).consistent_read(true);
            let found = self.ask(query).await?;
            for item in found.items.unwrap_or_default() {
                gathered.add(item, &mut see);
            }
            from = found.last_evaluated_key;
            if from.is_none() {
                gathered.done(&mut see);
                return whole.transpose();
            }
        }
    }
}

/// Gathers items into members. The items of one member come together and in the order of their sort
/// keys, the person last.
#[derive(Default)]
pub(crate) struct Gathered {
    versions: Vec<Item>,
    /// The sort key of an item that no member has.
    stray: Option<String>,
    pk: String,
}

impl Gathered {
    /// Adds an item, and calls `see` with the member when its last item has come.
    pub(crate) fn add(&mut self, item: Item, see: &mut impl FnMut(Found)) {
        let pk = item::text(&item, PK);
        if pk != self.pk {
            let before = std::mem::replace(self, Gathered { pk: pk.to_owned(), ..Self::default() });
            before.done(see);
        }
        if item::is_person(&item) {
            let Gathered { versions, stray, .. } = std::mem::take(self);
            see(history(&item, &versions, stray));
        } else if item::seq_of(&item).is_some() {
            self.versions.push(item);
        } else if !item::is_score(&item) {
            self.stray.get_or_insert_with(|| item::text(&item, SK).to_owned());
        }
    }

    pub(crate) fn done(self, see: &mut impl FnMut(Found)) {
        let reason = match (self.versions.is_empty(), self.stray) {
            (true, None) => return,
            (true, Some(stray)) => format!("item `{stray}` is nothing that a member has"),
            (false, _) => "there are entries and no member".to_owned(),
        };
        see(Err(StoreError::unreadable(&self.pk, reason)));
    }
}

fn history(person: &Item, versions: &[Item], stray: Option<String>) -> Found {
    let pk = item::text(person, PK);
    let key = MemberKey::of_pk(pk)
        .ok_or_else(|| StoreError::unreadable(pk, "its key names no member"))?;
    let person = item::to_person(&key, person.clone())?;
    let mut lines = Vec::new();
    let mut unreadable = None;
    for item in versions {
        match item::to_line(&key, item, &person) {
            Ok(line) => lines.push(line),
            Err(error) => {
                unreadable = Some((item::seq_of(item).unwrap_or_default(), error.to_string()));
                break;
            }
        }
    }
    Ok(History { key, enrolled: person.member(), due_at: person.due_at, lines, unreadable, stray })
}
