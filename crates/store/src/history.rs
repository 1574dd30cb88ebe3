//! Whole histories: one member's, and those of all members of a merchant.

use aws_sdk_dynamodb::types::AttributeValue;
use ledger::{Member, MerchantId, Moment, Seq};

use crate::error::StoreError;
use crate::item;
use crate::key::{Item, MemberKey, PK, SK, merchant_prefix};
use crate::meter::Kind;
use crate::retry::retry;
use crate::table::Store;
use crate::version::{Version, VersionLine};

/// The most items of a page of a scan. DynamoDB ends a page after one megabyte, about half as many
/// items. The embedded database needs the limit: without it, each page reads to the table's end.
const PAGE: i32 = 4000;

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
