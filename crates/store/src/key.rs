//! The names of attributes and indexes, and the keys of items.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use ledger::{MemberId, MerchantId, Seq};
use sha2::{Digest, Sha256};

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
/// The name of the operation that made a version, by which a repeat finds it. Only versions made
/// under an idempotency key have it, so only they are in the index `by_op`.
pub(crate) const OP: &str = "op";
/// The second name of a version: that of its idempotency key, if its activity has an id of its own,
/// or that of the entry which it undoes. Only such versions are in the index `by_key`.
pub(crate) const KEY: &str = "key";
/// The shard of the due index. Only members with a due date have it.
pub(crate) const DUE: &str = "due";
/// The due date, in seconds since 1970.
pub(crate) const DUE_AT: &str = "due_at";
/// The part of a contest's leaderboard that a score is in.
pub(crate) const BOARD: &str = "board";
/// The score.
pub(crate) const SCORE: &str = "score";
pub(crate) const BOARD_INDEX: &str = "board";
pub(crate) const BY_OP: &str = "by_op";
pub(crate) const BY_KEY: &str = "by_key";
pub(crate) const DUE_INDEX: &str = "due";
/// The sort key of the person. It sorts after the versions, so that one query from the end returns
/// the person and the newest version.
pub(crate) const PERSON_SK: &str = "~";
pub(crate) const VERSION_PREFIX: &str = "v#";
/// The prefix of the sort key of a score, before the name of the contest.
pub(crate) const SCORE_PREFIX: &str = "c#";

/// The largest number of a version, more than any member reaches.
pub(crate) const SEQ_MAX: Seq = Seq::new(9_999_999_999);

/// The sort key of a version: ten digits, so that it sorts like the number.
pub(crate) fn version_sk(seq: Seq) -> String {
    format!("{VERSION_PREFIX}{:010}", seq.get())
}

/// The number of shards of the due index. Workers process shards in parallel. A member's shard
/// never changes.
pub const SHARDS: u8 = 64;

/// The number of parts of each shared limit, pool of codes and leaderboard, so that no item and no
/// partition is hot.
pub(crate) const PARTS: u8 = 16;

/// The part, out of `parts`, that a name belongs to. It never changes.
pub(crate) fn shard_of(name: &str, parts: u8) -> u8 {
    let digest = Sha256::digest(name);
    digest.first().copied().unwrap_or_default() % parts
}

/// The key of a member: its merchant and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey {
    /// The merchant.
    pub merchant: MerchantId,
    /// The member.
    pub member: MemberId,
}

impl MemberKey {
    pub(crate) fn pk(&self) -> String {
        format!("{}{}", merchant_prefix(&self.merchant), self.member)
    }

    /// Parses a partition key. Names contain no `#`.
    pub(crate) fn of_pk(pk: &str) -> Option<MemberKey> {
        let (merchant, member) = pk.strip_prefix("m#")?.split_once('#')?;
        Some(MemberKey {
            merchant: MerchantId::parse(merchant).ok()?,
            member: MemberId::parse(member).ok()?,
        })
    }

    /// The shard of the due index that the member is in.
    #[must_use]
    pub fn shard(&self) -> u8 {
        shard_of(&self.pk(), SHARDS)
    }

    /// The part of shared limits and pools that this member takes from first.
    pub(crate) fn part(&self) -> u8 {
        shard_of(&self.pk(), PARTS)
    }
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.merchant, self.member)
    }
}

pub(crate) fn merchant_prefix(merchant: &MerchantId) -> String {
    format!("m#{merchant}#")
}

pub(crate) fn due_key(shard: u8) -> String {
    format!("due#{shard:02}")
}

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn primary_key(pk: &str, sk: &str) -> Item {
    HashMap::from([
        (PK.to_owned(), AttributeValue::S(pk.to_owned())),
        (SK.to_owned(), AttributeValue::S(sk.to_owned())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_key_reads_back_and_its_shard_stays() {
        let key = MemberKey {
            merchant: MerchantId::parse("sunrise-coffee").unwrap(),
            member: MemberId::parse("a.b_c-1").unwrap(),
        };
        assert_eq!(key.pk(), "m#sunrise-coffee#a.b_c-1");
        assert_eq!(MemberKey::of_pk(&key.pk()), Some(key.clone()));
        assert_eq!(MemberKey::of_pk("b#sunrise-coffee"), None);
        // If a member's shard changed, the run would look for it in the wrong shard.
        assert_eq!(key.shard(), 0);
        let other = MemberKey { member: MemberId::parse("ada").unwrap(), ..key };
        assert_eq!(other.shard(), 3);
    }
}
