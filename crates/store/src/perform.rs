//! The loop of every request that changes a member: load, decide, commit.
//!
//! Call [`Store::perform`] with a function that decides. The function must have no side effects,
//! since it may run several times: with more data after it returns [`Undecided::NeedsData`], and
//! with a newer member after a conflict. [`Store::consider`] runs the same function for a dry run
//! and writes nothing.

use std::collections::BTreeMap;

use ledger::{Decision, DecisionData, Member, MemberId, MissingData, SharedLimit};
use tokio::time::Instant;

use crate::commit::Commit;
use crate::error::{BrokenInvariant, StoreError};
use crate::item::{LoadedMember, Person};
use crate::key::MemberKey;
use crate::operation::{About, Operation};
use crate::retry::{TIME_MAX, wait};
use crate::shared_limits::Shares;
use crate::table::{Consistency, Store};
use crate::version::{Answer, Version};
use crate::write::Written;

/// The most attempts for one request before it fails as busy. Each attempt that ends in a conflict
/// means that another request on the same member was committed.
const ATTEMPTS_MAX: u32 = 16;

/// The result of an operation that was done.
#[derive(Debug)]
pub struct Performed {
    /// The version that the operation made, with the entry and the answer.
    pub version: Version,
    /// Whether the operation had been done before; then the version has the first answer.
    pub replayed: bool,
    /// Whether the member has later entries, which may have undone this one.
    pub has_later: bool,
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure<R> {
    /// The decision was a rejection.
    #[error("rejected")]
    Rejected(R),
    /// The idempotency key has been used for something else.
    #[error("the idempotency key was used with another body")]
    KeyIsReusedWithAnotherBody,
    /// The member has an activity of this type and id, and it says something else.
    #[error("the activity is known with another body")]
    ActivityIsKnownWithAnotherBody,
    /// In every attempt, another request changed the member or the table was out of reach. The same
    /// request may be sent again.
    #[error("the member could not be changed in {ATTEMPTS_MAX} attempts")]
    Busy,
    /// The table refused a request, or an item cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no decision.
#[derive(Debug)]
pub enum Undecided<R> {
    /// The decision is a rejection.
    Rejected(R),
    /// The decision needs this data first.
    NeedsData(MissingData),
    /// The decision needs something that the table has not. Whoever asked gets it, as a rejection.
    Interrupted(R),
}

/// Why there will be no decision.
enum Stop<R> {
    Rejected(R),
    Interrupted(R),
}

/// The data loaded for one attempt.
#[derive(Default)]
struct Preloaded {
    data: DecisionData,
    shares: BTreeMap<SharedLimit, Shares>,
    /// The person that the request is for.
    person: Option<Person>,
    /// Other members, as loaded.
    members: BTreeMap<MemberId, LoadedMember>,
}

impl Preloaded {
    /// A person, if it is loaded. Its key does not change while it is not erased.
    fn person(&self, id: &MemberId) -> Option<&Person> {
        let own = self.person.as_ref().filter(|person| person.enrolment.id == *id);
        own.or_else(|| Some(&self.members.get(id)?.person))
    }
}

/// The most loads of missing data for one decision.
const LOADS_MAX: u32 = 32;

/// The outcome of one attempt.
enum Attempt<R> {
    Done(Box<Performed>),
    Rejected(R),
    Interrupted(R),
    KeyIsReused,
    ActivityIsKnown,
    /// A conflict, or the outcome of the write is unknown: load again.
    Retry,
}

/// A slice was loaded already, but ends before the member's last entry: the member has changed since
/// the slice was loaded, or before it was.
fn moved_on() -> StoreError {
    StoreError::Unavailable("a member moved on".to_owned())
}

impl Store {
    /// Loads the member, calls `decide`, and commits the decision as the member's next version, on
    /// condition that no version has that number. If one has, another request was faster, and the
    /// member is loaded and decided again.
    ///
    /// A repeat finds its version by its operation, and writes nothing.
    ///
    /// # Errors
    /// `decide` rejected, the key was used for another body, or the table could not be reached.
    /// Nothing was written then, unless the connection broke during a write: then the outcome is
    /// unknown, and the request may be sent again with the same key.
    pub async fn perform<R>(
        &self,
        key: &MemberKey,
        operation: &Operation,
        mut decide: impl FnMut(
            Option<&Member>,
            &DecisionData,
        ) -> Result<(Decision, Answer), Undecided<R>>,
    ) -> Result<Performed, Failure<R>> {
        // The first read is a cheap, eventually consistent one. If it returns an old version, the
        // commit conflicts, and the second attempt reads strongly.
        let mut consistency = Consistency::Eventual;
        let stop_at = Instant::now() + TIME_MAX;
        for attempt in 0..ATTEMPTS_MAX {
            if Instant::now() >= stop_at {
                break;
            }
            if attempt > 1 || (attempt == 1 && consistency == Consistency::Eventual) {
                tokio::time::sleep(wait(attempt)).await;
            }
            let attempted = self.attempt(key, operation, consistency, stop_at, &mut decide).await;
            match attempted {
                Ok(Attempt::Done(done)) => return Ok(*done),
                // An old version must not cause a rejection: decide again on a strong read.
                Ok(Attempt::Rejected(_)) if consistency == Consistency::Eventual => {}
                Ok(Attempt::Rejected(rejection) | Attempt::Interrupted(rejection)) => {
                    return Err(Failure::Rejected(rejection));
                }
                Ok(Attempt::KeyIsReused) => return Err(Failure::KeyIsReusedWithAnotherBody),
                Ok(Attempt::ActivityIsKnown) => {
                    return Err(Failure::ActivityIsKnownWithAnotherBody);
                }
                // If the person was erased between two reads, the next attempt sees it.
                Ok(Attempt::Retry) | Err(StoreError::Sealed { .. }) => {}
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!(%reason, attempt, "a read is tried again");
                }
                Err(error) => return Err(error.into()),
            }
            consistency = Consistency::Strong;
        }
        Err(Failure::Busy)
    }

    /// One attempt: load, decide, commit.
    async fn attempt<R>(
        &self,
        key: &MemberKey,
        operation: &Operation,
        consistency: Consistency,
        stop_at: Instant,
        decide: &mut impl FnMut(
            Option<&Member>,
            &DecisionData,
        ) -> Result<(Decision, Answer), Undecided<R>>,
    ) -> Result<Attempt<R>, StoreError> {
        let loaded = self.load_member(key, consistency).await?;
        // INVARIANT: the member is read before the operation is looked up. A version that the
        // operation made before that read is found; a later one takes the number that this commit
        // needs.
        if let Some(loaded) = &loaded {
            if let Some(version) = self.version_of(key, operation, &loaded.person).await? {
                let has_later = loaded.member.seq > version.entry.seq;
                let same = version.fingerprint == operation.fingerprint;
                let done =
                    || Attempt::Done(Box::new(Performed { version, replayed: true, has_later }));
                return Ok(match &operation.about {
                    _ if same => done(),
                    About::Activity { key: Some(_), replaces: false, .. } => {
                        Attempt::ActivityIsKnown
                    }
                    _ => Attempt::KeyIsReused,
                });
            }
            // What an erased member was told cannot be read, so nobody can say that this differs.
            let is_erased = loaded.member.erased_at.is_some();
            if !is_erased && self.key_is_taken(key, operation).await? {
                // The same request may have been committed between the two reads.
                let by_itself = self.version_of(key, operation, &loaded.person).await?;
                return Ok(by_itself.map_or(Attempt::KeyIsReused, |_| Attempt::Retry));
            }
        }
        let mut preloaded = Preloaded::default();
        preloaded.data.due_at = loaded.as_ref().and_then(|loaded| loaded.due_at);
        preloaded.person = loaded.as_ref().map(|loaded| loaded.person.clone());
        let member = loaded.as_ref().map(|loaded| &loaded.member);
        let (decision, answer) =
            match self.decide(key, member, &mut preloaded, stop_at, decide).await? {
                Ok(decided) => decided,
                Err(Stop::Rejected(rejection)) => return Ok(Attempt::Rejected(rejection)),
                Err(Stop::Interrupted(rejection)) => return Ok(Attempt::Interrupted(rejection)),
            };
        let loaded = loaded.ok_or_else(|| BrokenInvariant::MemberIsMissing(key.clone()))?;
        #[cfg(feature = "planted")]
        let decision = {
            let mut decision = decision;
            if let Some(bug) = &self.bug {
                bug.0(&loaded.member, &mut decision);
            }
            decision
        };
        let Preloaded { shares, members, .. } = preloaded;
        let commit = Commit { key, operation, loaded, decision, answer, shares, members };
        let (version, written) = self.commit(commit, stop_at).await?;
        Ok(match written {
            Written::Done => {
                Attempt::Done(Box::new(Performed { version, replayed: false, has_later: false }))
            }
            Written::Conflict(_) => Attempt::Retry,
            // The next attempt finds the version by its operation, if it was written.
            Written::Unknown(reason) => {
                tracing::warn!(%reason, member = %key, "a write of {key} is looked at again");
                Attempt::Retry
            }
        })
    }

    /// Calls `decide` for the member as it is now, and writes nothing.
    ///
    /// # Errors
    /// The table could not be reached, or refused the request.
    pub async fn consider<T, R>(
        &self,
        key: &MemberKey,
        mut decide: impl FnMut(Option<&Member>, &DecisionData) -> Result<T, Undecided<R>>,
    ) -> Result<Result<T, R>, StoreError> {
        let stop_at = Instant::now() + TIME_MAX;
        let member = self.member(key).await?;
        let mut preloaded = Preloaded::default();
        let decided =
            self.decide(key, member.as_ref(), &mut preloaded, stop_at, &mut decide).await?;
        Ok(decided.map_err(|stop| match stop {
            Stop::Rejected(rejection) | Stop::Interrupted(rejection) => rejection,
        }))
    }

    /// Calls `decide`, and loads the data that it lacks until it decides.
    async fn decide<T, R>(
        &self,
        key: &MemberKey,
        member: Option<&Member>,
        preloaded: &mut Preloaded,
        stop_at: Instant,
        decide: &mut impl FnMut(Option<&Member>, &DecisionData) -> Result<T, Undecided<R>>,
    ) -> Result<Result<T, Stop<R>>, StoreError> {
        for _ in 0..LOADS_MAX {
            let missing = match decide(member, &preloaded.data) {
                Ok(decided) => return Ok(Ok(decided)),
                Err(Undecided::Rejected(rejection)) => return Ok(Err(Stop::Rejected(rejection))),
                Err(Undecided::Interrupted(rejection)) => {
                    return Ok(Err(Stop::Interrupted(rejection)));
                }
                Err(Undecided::NeedsData(missing)) => missing,
            };
            if Instant::now() >= stop_at {
                return Err(StoreError::Unavailable("looking things up took too long".to_owned()));
            }
            self.load(key, missing, preloaded, stop_at).await?;
        }
        Err(BrokenInvariant::DataIsNeverEnough(key.clone()).into())
    }

    /// Loads the missing data of a decision.
    async fn load(
        &self,
        key: &MemberKey,
        missing: MissingData,
        preloaded: &mut Preloaded,
        stop_at: Instant,
    ) -> Result<(), StoreError> {
        let other = |member: &MemberId| MemberKey {
            merchant: key.merchant.clone(),
            member: member.clone(),
        };
        match missing {
            MissingData::Remaining { limit, units } => {
                let shares = self.read_shares(&key.merchant, &limit, key.part(), units).await?;
                preloaded.data.left.insert(limit.clone(), shares.known());
                preloaded.shares.insert(limit, shares);
            }
            MissingData::Codes { pool, codes } => {
                // Whoever needs many asks for them one by one.
                let codes = codes.next_power_of_two();
                let codes = self.codes(&key.merchant, &pool, key.part(), codes, stop_at).await?;
                preloaded.data.codes.insert(pool, codes);
            }
            MissingData::Member(id) => {
                let loaded = self.load_member(&other(&id), Consistency::Strong).await?;
                let member = loaded.as_ref().map(|loaded| loaded.member.clone());
                preloaded.data.members.insert(id.clone(), member);
                preloaded.members.extend(loaded.map(|loaded| (id, loaded)));
            }
            MissingData::HistorySlice { member: id, entry } => {
                let known = preloaded.data.slices.get(&id);
                if known.is_some_and(|known| known.before.seq < entry) {
                    return Err(moved_on());
                }
                let person = self.known(&other(&id), preloaded.person(&id)).await?;
                let slice = self.slice_of(&other(&id), &person, entry).await?;
                preloaded.data.slices.insert(id, slice);
            }
            MissingData::HistorySince { member: id, since } => {
                let known = preloaded.data.slices.get(&id);
                if known.is_some_and(|known| known.reaches(since)) {
                    return Err(moved_on());
                }
                let person = self.known(&other(&id), preloaded.person(&id)).await?;
                let slice = self.slice_of_since(&other(&id), &person, since).await?;
                preloaded.data.slices.insert(id, slice);
            }
            MissingData::MemberThen(then) => {
                let member = self.member_then(&other(&then.member), then.at, then.newest).await?;
                preloaded.data.then.insert(then, member);
            }
            MissingData::Rules(hashes) => {
                return Err(BrokenInvariant::RulesAreNotLoaded(hashes.join(", ")).into());
            }
        }
        Ok(())
    }
}
