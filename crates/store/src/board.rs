//! Leaderboards of contests. A member's score in a contest is an item of its own, written with the
//! entry that changes it. A board has 16 parts in the index; a member is always in the same one.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use ledger::{MemberId, MerchantId, Units};

use crate::error::StoreError;
use crate::item::text;
use crate::key::{
    BOARD, BOARD_INDEX, Item, MemberKey, PARTS, PK, SCORE, SCORE_PREFIX, primary_key,
};
use crate::meter::Kind;
use crate::retry::retry;
use crate::table::Store;

fn board_of(merchant: &MerchantId, contest: &str, part: u8) -> String {
    format!("board#{merchant}#{contest}#{part:02}")
}

/// A member's place on a leaderboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The rank, from 1. Members with the same score share it.
    pub rank: u32,
    /// The member.
    pub member: MemberId,
    /// The score.
    pub score: Units,
}

impl Store {
    /// The write that sets a member's score on a board. Who has none is not on it.
    pub(crate) fn set_score(
        &self,
        key: &MemberKey,
        contest: &str,
        score: Units,
    ) -> Result<TransactWriteItem, StoreError> {
        if score.is_zero() {
            return self.drop_score(key, contest);
        }
        let mut item: Item = primary_key(&key.pk(), &format!("{SCORE_PREFIX}{contest}"));
        let board = board_of(&key.merchant, contest, key.part());
        item.insert(BOARD.to_owned(), AttributeValue::S(board));
        item.insert(SCORE.to_owned(), AttributeValue::N(score.get().to_string()));
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.build().map_err(StoreError::request)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// The write that takes a member off a board.
    pub(crate) fn drop_score(
        &self,
        key: &MemberKey,
        contest: &str,
    ) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(primary_key(&key.pk(), &format!("{SCORE_PREFIX}{contest}"))))
            .build()
            .map_err(StoreError::request)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Takes a member off boards one by one, if it is on more boards than fit into the transaction
    /// that erases it. Call it before that transaction: if the transaction fails, the request is
    /// sent again and drops the rest.
    pub(crate) async fn drop_scores(
        &self,
        key: &MemberKey,
        contests: impl Iterator<Item = &String>,
    ) -> Result<(), StoreError> {
        for contest in contests {
            let request = self
                .client
                .delete_item()
                .table_name(&self.table)
                .set_key(Some(primary_key(&key.pk(), &format!("{SCORE_PREFIX}{contest}"))))
                .set_return_consumed_capacity(self.capacity());
            let dropped =
                retry(async || request.clone().send().await.map_err(StoreError::of)).await?;
            self.count(Kind::Write, dropped.consumed_capacity());
        }
        Ok(())
    }

    /// The first `limit` places of a contest, merged from the best of each part of its board.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn leaderboard(
        &self,
        merchant: &MerchantId,
        contest: &str,
        limit: u32,
    ) -> Result<Vec<Place>, StoreError> {
        let mut scores: Vec<(i64, String)> = Vec::new();
        for part in 0..PARTS {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(BOARD_INDEX)
                .key_condition_expression("#board = :board")
                .expression_attribute_names("#board", BOARD)
                .expression_attribute_values(
                    ":board",
                    AttributeValue::S(board_of(merchant, contest, part)),
                )
                .scan_index_forward(false)
                .limit(i32::try_from(limit).unwrap_or(i32::MAX));
            let found = self.ask(query).await?;
            for item in found.items.unwrap_or_default() {
                let pk = text(&item, PK);
                let score = item.get(SCORE).and_then(|score| score.as_n().ok()?.parse().ok());
                let score =
                    score.ok_or_else(|| StoreError::unreadable(pk, "a score is no number"))?;
                scores.push((score, pk.to_owned()));
            }
        }
        // The highest score first; equal scores in the order of the members' names.
        scores.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        let mut ranks: HashMap<i64, u32> = HashMap::new();
        let mut places = Vec::new();
        for (number, (score, pk)) in (1u32..=limit).zip(scores) {
            let rank = *ranks.entry(score).or_insert(number);
            let member = MemberKey::of_pk(&pk)
                .ok_or_else(|| StoreError::unreadable(&pk, "a score names no member"))?
                .member;
            let score = Units::new(score)
                .map_err(|_| StoreError::unreadable(&pk, "a score is out of range"))?;
            places.push(Place { rank, member, score });
        }
        Ok(places)
    }
}
