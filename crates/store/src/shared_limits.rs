//! Shared limits (stocks and budgets) and pools of codes, which all members of a merchant share.
//! Each has 16 parts, so that no item is hot. A request takes from its member's own part, and from
//! the others only if that part does not have enough. It takes in its own transaction, on condition
//! that the units or the code are still there, so nothing is sold twice.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use ledger::{Codes, MemberId, MerchantId, Remaining, SharedLimit, Units, Withdrawal};
use tokio::time::Instant;

use crate::error::{BrokenInvariant, StoreError};
use crate::item::text;
use crate::key::{Item, PARTS, PK, SK, primary_key, shard_of};
use crate::meter::Kind;
use crate::table::{Consistency, Store};

const SK_OF_ONE: &str = "@";
/// The units allotted to a part, and those of them that are left.
const ALLOTTED: &str = "allotted";
const LEFT: &str = "left";
/// The prefixes of the sort keys of codes that are free, and of codes that are handed out.
const FREE_PREFIX: &str = "f#";
const TAKEN_PREFIX: &str = "t#";
/// The member that has a code.
const TAKEN_BY: &str = "by";
/// The least number of codes that one query asks for.
const CODES_AT_ONCE: usize = 10;
/// The codes that one transaction imports. Each needs two of its hundred items.
const CODES_PER_WRITE: usize = 50;
/// The most attempts to allocate a shared limit.
const ATTEMPTS_MAX: u32 = 16;

fn limit_pk(merchant: &MerchantId, limit: &SharedLimit, part: u8) -> String {
    match limit {
        SharedLimit::Stock(reward) => format!("p#{merchant}#stock#{reward}#{part:02}"),
        SharedLimit::Budget(campaign) => format!("p#{merchant}#budget#{campaign}#{part:02}"),
    }
}

fn pool_pk(merchant: &MerchantId, pool: &str, part: u8) -> String {
    format!("v#{merchant}#{pool}#{part:02}")
}

/// What each part of a shared limit had left when it was read. Parts that were not read are absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shares {
    left: BTreeMap<u8, i64>,
}

/// The units allotted to a part, and those left. Both are zero if the part was never allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Share {
    allotted: i64,
    left: i64,
}

fn share_of(item: Option<&Item>) -> Result<Share, StoreError> {
    let Some(item) = item else { return Ok(Share::default()) };
    let number = |name: &str| {
        let number = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
        number
            .ok_or_else(|| StoreError::unreadable(text(item, PK), format!("`{name}` is no number")))
    };
    Ok(Share { allotted: number(ALLOTTED)?, left: number(LEFT)? })
}

impl Shares {
    /// The units left in the parts that were read, and whether these are all parts.
    pub(crate) fn known(&self) -> Remaining {
        let sum = self.left.values().fold(0i64, |sum, left| sum.saturating_add(*left));
        let is_all = self.left.len() == usize::from(PARTS);
        Remaining { units: Units::new(sum).unwrap_or_default(), is_all }
    }

    /// The units that a withdrawal takes from each part, the member's own part first. Their sum is
    /// less than `units` if the parts that were read do not have enough.
    pub(crate) fn plan(&self, own: u8, units: Units) -> Vec<(u8, i64)> {
        let own_first = self.left.iter().filter(|(part, _)| **part == own);
        let others = self.left.iter().filter(|(part, _)| **part != own);
        let mut missing = units.get();
        let mut plan = Vec::new();
        for (part, left) in own_first.chain(others) {
            let taken = missing.min(*left);
            if taken > 0 {
                plan.push((*part, taken));
                missing -= taken;
            }
        }
        plan
    }
}

impl Store {
    /// Reads the parts that show whether a shared limit has `units` left: the member's own part,
    /// and all parts if that one does not have enough.
    pub(crate) async fn read_shares(
        &self,
        merchant: &MerchantId,
        limit: &SharedLimit,
        own: u8,
        units: Units,
    ) -> Result<Shares, StoreError> {
        let item =
            self.get(&limit_pk(merchant, limit, own), SK_OF_ONE, Consistency::Eventual).await?;
        let part = share_of(item.as_ref())?;
        if part.left >= units.get() {
            return Ok(Shares { left: BTreeMap::from([(own, part.left)]) });
        }
        // Read strongly: an outdated read must not cause the answer that nothing is left.
        let shares = self.shares(merchant, limit, Consistency::Strong).await?;
        Ok(Shares { left: shares.into_iter().map(|(part, is)| (part, is.left)).collect() })
    }

    async fn shares(
        &self,
        merchant: &MerchantId,
        limit: &SharedLimit,
        consistency: Consistency,
    ) -> Result<BTreeMap<u8, Share>, StoreError> {
        let keys = (0..PARTS).map(|part| primary_key(&limit_pk(merchant, limit, part), SK_OF_ONE));
        let items = self.batch(keys, consistency).await?;
        let of = |part: u8| {
            let pk = limit_pk(merchant, limit, part);
            Ok((part, share_of(items.iter().find(|item| text(item, PK) == pk))?))
        };
        (0..PARTS).map(of).collect()
    }

    /// The writes of a withdrawal, on condition that each part still has what is taken from it.
    pub(crate) fn take(
        &self,
        merchant: &MerchantId,
        own: u8,
        withdraw: &Withdrawal,
        shares: &Shares,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let update = |(part, units): (u8, i64)| {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(primary_key(&limit_pk(merchant, &withdraw.limit, part), SK_OF_ONE)))
                .update_expression("SET #left = #left - :units")
                .condition_expression("#left >= :units")
                .expression_attribute_names("#left", LEFT)
                .expression_attribute_values(":units", AttributeValue::N(units.to_string()))
                .build()
                .map_err(StoreError::request)?;
            Ok(TransactWriteItem::builder().update(update).build())
        };
        let plan = shares.plan(own, withdraw.units);
        if plan.iter().map(|(_, units)| units).sum::<i64>() != withdraw.units.get() {
            let Withdrawal { limit, units } = withdraw.clone();
            return Err(BrokenInvariant::SharesAreTooSmall { limit, units }.into());
        }
        plan.into_iter().map(update).collect()
    }

    /// The write that puts units back into a shared limit, into the member's own part.
    pub(crate) fn give(
        &self,
        merchant: &MerchantId,
        own: u8,
        withdraw: &Withdrawal,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(primary_key(&limit_pk(merchant, &withdraw.limit, own), SK_OF_ONE)))
            .update_expression("ADD #left :units, #allotted :none")
            .expression_attribute_names("#left", LEFT)
            .expression_attribute_names("#allotted", ALLOTTED)
            .expression_attribute_values(":units", AttributeValue::N(withdraw.units.to_string()))
            .expression_attribute_values(":none", AttributeValue::N("0".to_owned()))
            .build()
            .map_err(StoreError::request)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Splits a shared limit of `units` among its parts. Units that were taken stay taken, so a
    /// limit smaller than these has nothing left.
    ///
    /// # Errors
    /// The table could not be reached or refused the request, or the limit kept changing meanwhile.
    pub async fn allocate(
        &self,
        merchant: &MerchantId,
        limit: &SharedLimit,
        units: Units,
    ) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let shares = self.shares(merchant, limit, Consistency::Strong).await?;
            if shares.values().map(|part| part.allotted).sum::<i64>() == units.get() {
                return Ok(());
            }
            let taken: Vec<i64> = shares.values().map(|part| part.allotted - part.left).collect();
            let allotments = allot(units.get(), &taken);
            if allotments.iter().eq(shares.values().map(|part| &part.allotted)) {
                return Ok(());
            }
            let mut request = self.client.transact_write_items();
            for ((number, part), allotted) in shares.iter().zip(allotments) {
                let left = allotted - (part.allotted - part.left);
                let mut item = primary_key(&limit_pk(merchant, limit, *number), SK_OF_ONE);
                item.insert(ALLOTTED.to_owned(), AttributeValue::N(allotted.to_string()));
                item.insert(LEFT.to_owned(), AttributeValue::N(left.to_string()));
                let put = Put::builder().table_name(&self.table).set_item(Some(item));
                let put = if *part == Share::default() {
                    put.condition_expression(
                        "attribute_not_exists(#left) OR (#left = :zero AND #allotted = :zero)",
                    )
                    .expression_attribute_names("#left", LEFT)
                    .expression_attribute_names("#allotted", ALLOTTED)
                    .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()))
                } else {
                    put.condition_expression("#left = :left AND #allotted = :allotted")
                        .expression_attribute_names("#left", LEFT)
                        .expression_attribute_names("#allotted", ALLOTTED)
                        .expression_attribute_values(
                            ":left",
                            AttributeValue::N(part.left.to_string()),
                        )
                        .expression_attribute_values(
                            ":allotted",
                            AttributeValue::N(part.allotted.to_string()),
                        )
                };
                let put = put.build().map_err(StoreError::request)?;
                request = request.transact_items(TransactWriteItem::builder().put(put).build());
            }
            let written = request.set_return_consumed_capacity(self.capacity()).send().await;
            match written {
                Ok(written) => {
                    self.count(Kind::Write, written.consumed_capacity());
                    return Ok(());
                }
                // A request took from it meanwhile: read again.
                Err(error) if crate::write::may_be_looked_at_again(&error) => {}
                Err(error) => return Err(StoreError::of(error)),
            }
        }
        Err(StoreError::Unavailable(format!("{limit} did not hold still")))
    }

    /// The units left of a shared limit, possibly slightly out of date: for display, not for
    /// withdrawals.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn left(
        &self,
        merchant: &MerchantId,
        limit: &SharedLimit,
    ) -> Result<Units, StoreError> {
        let shares = self.shares(merchant, limit, Consistency::Eventual).await?;
        let sum = shares.values().map(|part| part.left).sum();
        Ok(Units::new(sum).unwrap_or_default())
    }

    /// At least `wanted` free codes of a pool, or all if there are fewer. Their order is random, so
    /// that two requests at once do not take the same ones.
    pub(crate) async fn codes(
        &self,
        merchant: &MerchantId,
        pool: &str,
        own: u8,
        wanted: usize,
        stop_at: Instant,
    ) -> Result<Codes, StoreError> {
        let most = wanted.max(CODES_AT_ONCE);
        let mut codes = Vec::new();
        for step in 0..PARTS {
            if Instant::now() >= stop_at {
                let reason = format!("looking for a code of {pool} took too long");
                return Err(StoreError::Unavailable(reason));
            }
            let mut found = self.codes_of(merchant, pool, (own + step) % PARTS, most).await?;
            fastrand::shuffle(&mut found);
            codes.append(&mut found);
            if codes.len() >= wanted {
                return Ok(Codes { codes, is_all: false });
            }
        }
        // These are all: each query asked for at least `wanted` codes, so a part that had more
        // would have been enough.
        Ok(Codes::all(codes))
    }

    /// At most `most` free codes of one part of a pool.
    async fn codes_of(
        &self,
        merchant: &MerchantId,
        pool: &str,
        part: u8,
        most: usize,
    ) -> Result<Vec<String>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :free)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(pool_pk(merchant, pool, part)))
            .expression_attribute_values(":free", AttributeValue::S(FREE_PREFIX.to_owned()))
            .consistent_read(true)
            .limit(i32::try_from(most).unwrap_or(i32::MAX));
        let found = self.ask(query).await?;
        let items = found.items.unwrap_or_default();
        let code = |item: &Item| Some(text(item, SK).strip_prefix(FREE_PREFIX)?.to_owned());
        Ok(items.iter().filter_map(code).collect())
    }

    /// The writes that hand out a code, on condition that it is free.
    pub(crate) fn hand_out(
        &self,
        merchant: &MerchantId,
        pool: &str,
        code: &str,
        to: &str,
    ) -> Result<[TransactWriteItem; 2], StoreError> {
        let pk = pool_pk(merchant, pool, shard_of(code, PARTS));
        let delete = aws_sdk_dynamodb::types::Delete::builder()
            .table_name(&self.table)
            .set_key(Some(primary_key(&pk, &format!("{FREE_PREFIX}{code}"))))
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()
            .map_err(StoreError::request)?;
        let mut item = primary_key(&pk, &format!("{TAKEN_PREFIX}{code}"));
        item.insert(TAKEN_BY.to_owned(), AttributeValue::S(to.to_owned()));
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.build().map_err(StoreError::request)?;
        Ok([
            TransactWriteItem::builder().delete(delete).build(),
            TransactWriteItem::builder().put(put).build(),
        ])
    }

    /// The member that has a code; `None` if the code was not handed out.
    ///
    /// # Errors
    /// The table could not be reached or refused the request, or the item has no valid member name.
    pub async fn who_has(
        &self,
        merchant: &MerchantId,
        pool: &str,
        code: &str,
    ) -> Result<Option<MemberId>, StoreError> {
        let pk = pool_pk(merchant, pool, shard_of(code, PARTS));
        let taken = self.get(&pk, &format!("{TAKEN_PREFIX}{code}"), Consistency::Strong).await?;
        let member = taken.map(|item| MemberId::parse(text(&item, TAKEN_BY)));
        member.transpose().map_err(|reason| StoreError::unreadable(&pk, reason))
    }

    /// Imports codes into a pool, and returns how many of them are new. A code that is in the pool
    /// or handed out is left as it is, so the same file can be imported again.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request. Some codes may have been imported.
    pub async fn import_codes(
        &self,
        merchant: &MerchantId,
        pool: &str,
        codes: &[String],
    ) -> Result<usize, StoreError> {
        let mut new = 0;
        for some in codes.chunks(CODES_PER_WRITE) {
            let unknown = self.unknown_codes(merchant, pool, some).await?;
            if unknown.is_empty() {
                continue;
            }
            let mut request = self.client.transact_write_items();
            for code in &unknown {
                let pk = pool_pk(merchant, pool, shard_of(code, PARTS));
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(primary_key(&pk, &format!("{FREE_PREFIX}{code}"))))
                    .build()
                    .map_err(StoreError::request)?;
                let nobody_has_it = aws_sdk_dynamodb::types::ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(primary_key(&pk, &format!("{TAKEN_PREFIX}{code}"))))
                    .condition_expression("attribute_not_exists(#pk)")
                    .expression_attribute_names("#pk", PK)
                    .build()
                    .map_err(StoreError::request)?;
                request = request
                    .transact_items(TransactWriteItem::builder().put(put).build())
                    .transact_items(
                        TransactWriteItem::builder().condition_check(nobody_has_it).build(),
                    );
            }
            let written = request.set_return_consumed_capacity(self.capacity()).send().await;
            self.count(Kind::Write, written.map_err(StoreError::of)?.consumed_capacity());
            new += unknown.len();
        }
        Ok(new)
    }

    /// Those of the codes that are neither in the pool nor handed out.
    async fn unknown_codes(
        &self,
        merchant: &MerchantId,
        pool: &str,
        codes: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let mut unknown = Vec::new();
        for code in codes {
            let pk = pool_pk(merchant, pool, shard_of(code, PARTS));
            let mut known = unknown.contains(code);
            for prefix in [FREE_PREFIX, TAKEN_PREFIX] {
                let sk = format!("{prefix}{code}");
                known = known || self.get(&pk, &sk, Consistency::Strong).await?.is_some();
            }
            if !known {
                unknown.push(code.clone());
            }
        }
        Ok(unknown)
    }
}

/// How many of all `units` each part is allotted: the units taken from it, and an even share of the
/// rest.
fn allot(units: i64, taken: &[i64]) -> Vec<i64> {
    let shares = i64::try_from(taken.len()).unwrap_or(1).max(1);
    let rest = (units - taken.iter().sum::<i64>()).max(0);
    let (share, over) = (rest / shares, rest % shares);
    let share =
        |number: usize| share + i64::from(i64::try_from(number).is_ok_and(|number| number < over));
    taken.iter().enumerate().map(|(number, taken)| taken + share(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pot_is_laid_out_evenly_and_never_below_what_is_taken() {
        let check = |units: i64, taken: &[i64], expected: &[i64]| {
            assert_eq!(allot(units, taken), expected, "{units} {taken:?}");
        };
        check(10, &[0, 0, 0, 0], &[3, 3, 2, 2]);
        check(2, &[0, 0, 0, 0], &[1, 1, 0, 0]);
        check(10, &[5, 0, 1, 0], &[6, 1, 2, 1]);
        check(3, &[2, 2, 0, 0], &[2, 2, 0, 0]);
        check(0, &[0, 0], &[0, 0]);
    }

    #[test]
    fn a_draw_empties_the_own_part_first() {
        let shares = Shares { left: BTreeMap::from([(0, 2), (1, 5), (2, 0), (3, 9)]) };
        assert_eq!(shares.plan(1, Units::new(8).unwrap()), [(1, 5), (0, 2), (3, 1)]);
        assert_eq!(shares.plan(3, Units::new(8).unwrap()), [(3, 8)]);
    }
}
