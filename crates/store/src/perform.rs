//! The loop of every request that changes a member: load, decide, commit.

use std::collections::BTreeMap;

use ledger::{Decision, DecisionData, Member, MemberId, MissingData, SharedLimit};
use tokio::time::Instant;

use crate::commit::Commit;
use crate::error::StoreError;
use crate::item::LoadedMember;
use crate::operation::Operation;
use crate::retry::{TIME_MAX, wait};
use crate::shared_limits::Shares;
use crate::table::{Consistency, MemberKey, Store};
use crate::version::{Answer, Version};
use crate::write::Written;

/// How often a request is decided anew before it is told to come back. Each time but the last
/// somebody else's request on the same member has gone through.
const ATTEMPTS_MAX: u32 = 16;

/// What has been done.
#[derive(Debug)]
pub struct Performed {
    /// The version that it made, with the entry and the answer.
    pub version: Version,
    /// It had been done before, and this is the first answer again.
    pub replayed: bool,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Failure<R> {
    /// The decision was no.
    #[error("rejected")]
    Rejected(R),
    /// The idempotency key has been used for something else.
    #[error("the idempotency key was used with another body")]
    KeyIsReusedWithAnotherBody,
    /// Others kept changing the member, or the table stayed out of reach, for all attempts. The
    /// same request may be sent again.
    #[error("the member could not be changed in {ATTEMPTS_MAX} attempts")]
    Busy,
    /// The table refused, or holds what cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no decision.
#[derive(Debug)]
pub enum Undecided<R> {
    /// The decision is no.
    Rejected(R),
    /// It cannot be made before this is known.
    NeedsData(MissingData),
}

/// What has been looked at for one try.
#[derive(Default)]
struct Preloaded {
    data: DecisionData,
    shares: BTreeMap<SharedLimit, Shares>,
    /// Other members, as held.
    members: BTreeMap<MemberId, LoadedMember>,
}

/// Things that one decision may lack, one after the other.
const LOADS_MAX: u32 = 32;

/// How a try went.
enum Attempt<R> {
    Done(Box<Performed>),
    Rejected(R),
    KeyIsReused,
    /// Somebody was faster, or nobody knows: look again.
    Retry,
}

impl Store {
    /// Loads the member, asks `decide`, and commits what it decided as the member's next version, on
    /// condition that there is none of that number yet. Where there is, somebody was faster: the
    /// member is loaded and decided anew.
    ///
    /// A repeat finds its version by its key, and writes nothing. It is looked for after the member
    /// was read: what was done before that version is found, and what is done after it takes the
    /// number that this one wants.
    ///
    /// # Errors
    /// `decide` said no, the key was used for something else, or the table could not be reached.
    /// Nothing is written then, or, where the connection broke, the table knows: ask again with the
    /// same key.
    pub async fn perform<R>(
        &self,
        at: &MemberKey,
        operation: &Operation,
        mut decide: impl FnMut(
            Option<&Member>,
            &DecisionData,
        ) -> Result<(Decision, Answer), Undecided<R>>,
    ) -> Result<Performed, Failure<R>> {
        // The first look is a cheap one. It may be a moment behind: then the number is taken, and
        // the second look is a strong one.
        let mut consistency = Consistency::Eventual;
        let stop_at = Instant::now() + TIME_MAX;
        for attempt in 0..ATTEMPTS_MAX {
            if Instant::now() >= stop_at {
                break;
            }
            if attempt > 1 || (attempt == 1 && consistency == Consistency::Eventual) {
                tokio::time::sleep(wait(attempt)).await;
            }
            let attempted = self.attempt(at, operation, consistency, stop_at, &mut decide).await;
            match attempted {
                Ok(Attempt::Done(done)) => return Ok(*done),
                // No one is refused because of a look that was a moment behind.
                Ok(Attempt::Rejected(_)) if consistency == Consistency::Eventual => {}
                Ok(Attempt::Rejected(rejection)) => return Err(Failure::Rejected(rejection)),
                Ok(Attempt::KeyIsReused) => return Err(Failure::KeyIsReusedWithAnotherBody),
                // A person who is forgotten between two looks is seen to be by the next.
                Ok(Attempt::Retry) | Err(StoreError::Sealed { .. }) => {}
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!(%reason, attempt, "a read is tried again");
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            consistency = Consistency::Strong;
        }
        Err(Failure::Busy)
    }

    /// One try: load, decide, commit.
    async fn attempt<R>(
        &self,
        at: &MemberKey,
        operation: &Operation,
        consistency: Consistency,
        stop_at: Instant,
        decide: &mut impl FnMut(
            Option<&Member>,
            &DecisionData,
        ) -> Result<(Decision, Answer), Undecided<R>>,
    ) -> Result<Attempt<R>, StoreError> {
        let loaded = self.load_member(at, consistency).await?;
        if let (Some(loaded), Some(op)) = (&loaded, &operation.name)
            && let Some(version) = self.version_of(at, op, &loaded.person).await?
        {
            let same = version.fingerprint == operation.fingerprint;
            let done = || Attempt::Done(Box::new(Performed { version, replayed: true }));
            return Ok(if same { done() } else { Attempt::KeyIsReused });
        }
        let mut preloaded = Preloaded::default();
        preloaded.data.due_at = loaded.as_ref().and_then(|loaded| loaded.due_at);
        let member = loaded.as_ref().map(|loaded| &loaded.member);
        let (decision, answer) =
            match self.decide(at, member, &mut preloaded, stop_at, decide).await? {
                Ok(decided) => decided,
                Err(rejection) => return Ok(Attempt::Rejected(rejection)),
            };
        let loaded = loaded
            .ok_or_else(|| StoreError::unreadable(&at.pk(), "a decision without a member"))?;
        #[cfg(feature = "planted")]
        let decision = {
            let mut decision = decision;
            if let Some(bug) = &self.bug {
                bug.0(&loaded.member, &mut decision);
            }
            decision
        };
        let Preloaded { shares, members, .. } = preloaded;
        let commit = Commit { at, operation, loaded, decision, answer, shares, members };
        let (version, written) = self.commit(commit, stop_at).await?;
        Ok(match written {
            Written::Done => Attempt::Done(Box::new(Performed { version, replayed: false })),
            Written::Conflict(_) => Attempt::Retry,
            // The next look may say.
            Written::Unknown(reason) => {
                tracing::warn!(%reason, member = %at, "a write of {at} is looked at again");
                Attempt::Retry
            }
        })
    }

    /// Decides for a member as it is now, and writes nothing.
    ///
    /// # Errors
    /// The table could not be reached or refused.
    pub async fn consider<T, R>(
        &self,
        at: &MemberKey,
        mut decide: impl FnMut(Option<&Member>, &DecisionData) -> Result<T, Undecided<R>>,
    ) -> Result<Result<T, R>, StoreError> {
        let stop_at = Instant::now() + TIME_MAX;
        let member = self.member(at).await?;
        self.decide(at, member.as_ref(), &mut Preloaded::default(), stop_at, &mut decide).await
    }

    /// Asks for a decision, and looks up what it lacks until it is made.
    async fn decide<T, R>(
        &self,
        at: &MemberKey,
        member: Option<&Member>,
        preloaded: &mut Preloaded,
        stop_at: Instant,
        decide: &mut impl FnMut(Option<&Member>, &DecisionData) -> Result<T, Undecided<R>>,
    ) -> Result<Result<T, R>, StoreError> {
        for _ in 0..LOADS_MAX {
            let missing = match decide(member, &preloaded.data) {
                Ok(decided) => return Ok(Ok(decided)),
                Err(Undecided::Rejected(rejection)) => return Ok(Err(rejection)),
                Err(Undecided::NeedsData(missing)) => missing,
            };
            if Instant::now() >= stop_at {
                return Err(StoreError::Unavailable("looking things up took too long".to_owned()));
            }
            self.load(at, missing, preloaded, stop_at).await?;
        }
        Err(StoreError::unreadable(&at.pk(), "a decision that always lacks something"))
    }

    /// Loads the data that a decision lacks.
    async fn load(
        &self,
        at: &MemberKey,
        missing: MissingData,
        preloaded: &mut Preloaded,
        stop_at: Instant,
    ) -> Result<(), StoreError> {
        let key =
            |member: &MemberId| MemberKey { merchant: at.merchant.clone(), member: member.clone() };
        match missing {
            MissingData::Remaining { limit, units } => {
                let shares = self.read_shares(&at.merchant, &limit, at.part(), units).await?;
                preloaded.data.left.insert(limit.clone(), shares.known());
                preloaded.shares.insert(limit, shares);
            }
            MissingData::Codes { pool, codes } => {
                let codes = self.codes(&at.merchant, &pool, at.part(), codes, stop_at).await?;
                preloaded.data.codes.insert(pool, codes);
            }
            MissingData::Member(id) => {
                let loaded = self.load_member(&key(&id), Consistency::Strong).await?;
                let member = loaded.as_ref().map(|loaded| loaded.member.clone());
                preloaded.data.members.insert(id.clone(), member);
                preloaded.members.extend(loaded.map(|loaded| (id, loaded)));
            }
            MissingData::HistorySlice { member: id, entry } => {
                let known = preloaded.data.pasts.get(&id);
                if known.is_some_and(|known| known.before.seq < entry) {
                    // It was looked at, and was not of the moment of the rest.
                    return Err(StoreError::Unavailable("a member moved on".to_owned()));
                }
                let past = self.past(&key(&id), entry).await?;
                preloaded.data.pasts.insert(id, past);
            }
        }
        Ok(())
    }
}
