//! The due index: the members that need the scheduled run, by shard and due date.

use aws_sdk_dynamodb::types::AttributeValue;
use ledger::Moment;

use crate::error::StoreError;
use crate::item;
use crate::key::{DUE, DUE_AT, DUE_INDEX, Item, MemberKey, PK, due_key};
use crate::table::Store;

/// A member that needs the scheduled run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The member.
    pub member: MemberKey,
    /// Its due date.
    pub at: Moment,
}

/// Where the next page of a shard begins.
#[derive(Debug, Clone, Default)]
pub struct Page(Option<Item>);

impl Store {
    /// The due date under which the due index lists a member; `None` if it does not list it.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn listed(&self, member: &MemberKey) -> Result<Option<Moment>, StoreError> {
        let mut next = Some(Page::default());
        while let Some(page) = next {
            let (found, following) = self.due(member.shard(), Moment::MAX_UTC, page, 1000).await?;
            if let Some(due) = found.into_iter().find(|due| due.member == *member) {
                return Ok(Some(due.at));
            }
            next = following;
        }
        Ok(None)
    }

    /// At most `limit` members of a shard that are due at `now`, the earliest due date first, and
    /// the next page if there is one. The index is the checkpoint of the run: a member leaves it
    /// with the entry that the run writes, so a run that was interrupted starts again and finds the
    /// members that are left.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn due(
        &self,
        shard: u8,
        now: Moment,
        from: Page,
        limit: u32,
    ) -> Result<(Vec<Due>, Option<Page>), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("#due = :shard AND #at <= :now")
            .expression_attribute_names("#due", DUE)
            .expression_attribute_names("#at", DUE_AT)
            .expression_attribute_values(":shard", AttributeValue::S(due_key(shard)))
            .expression_attribute_values(":now", AttributeValue::N(now.timestamp().to_string()))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(from.0);
        let found = self.ask(query).await?;
        let mut due = Vec::new();
        for item in found.items.unwrap_or_default() {
            let pk = item::text(&item, PK);
            match (MemberKey::of_pk(pk), item::moment_of(&item, DUE_AT)) {
                (Some(member), Some(at)) => due.push(Due { member, at }),
                _ => return Err(StoreError::unreadable(pk, "its due date names no member")),
            }
        }
        Ok((due, found.last_evaluated_key.map(|key| Page(Some(key)))))
    }
}
