//! The expiry run, which a schedule starts. It writes the expiry of lots, grants and holds and the
//! loss of tiers, earns activities that their day triggers (birthdays, anniversaries), and writes
//! reminders.
//!
//! Expiry does not depend on the run: an expired lot cannot be spent from the second at which it
//! expires, and the run only writes the entry that says so. The run finds the members that are due
//! in the due index, shard by shard. The index is its only checkpoint: a member is no longer due
//! once its entries are written, so starting another run resumes one that was cut short, and a
//! superfluous run finds nothing to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use api::{Api, Done, Refusal, unasked};
use decide::Context;
use futures::StreamExt;
use ledger::{EntryKind, Member, MerchantId, Moment};
use serde::{Deserialize, Serialize};
use store::{Due, Found, MemberKey, Page, SHARDS, StoreError};

/// The shards that a run works on concurrently, and the members of one shard.
const SHARDS_AT_ONCE: usize = 4;
const MEMBERS_AT_ONCE: usize = 4;
/// The members read from the index per page.
const PAGE: u32 = 200;
/// The most entries that a run writes for one member; the next run writes the rest.
const AT_ONCE_MAX: usize = 50;
/// The time before the function's deadline from which the run starts no further page.
const DEADLINE_MARGIN: Duration = Duration::from_secs(20);

/// The event that the schedule sends. Without shards, the run works on all of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the schedule's event")]
pub struct Event {
    /// The shards that this run works on.
    pub shards: Shards,
    /// A merchant whose new rules make members due earlier, such as by a birthday or a reminder.
    /// The run first reads all members of the merchant, in as many parts of the table as there are
    /// shards, and reschedules those that are due earlier under the new rules.
    pub reschedule: Option<MerchantId>,
}

/// A range of shards, both ends included.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, expecting = "shards such as {\"from\": 0, \"to\": 63}")]
pub struct Shards {
    from: u8,
    to: u8,
}

impl Default for Shards {
    fn default() -> Shards {
        Shards { from: 0, to: SHARDS - 1 }
    }
}

/// The summary of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Members that were due.
    pub due: u64,
    /// Entries of expiry that were written.
    pub expired: u64,
    /// Activities that their day triggered, such as birthdays.
    pub triggered: u64,
    /// Reminders written.
    pub reminded: u64,
    /// Members rescheduled under new rules.
    pub rescheduled: u64,
    /// Units that expired, by merchant and wallet (`merchant/wallet`).
    pub units: BTreeMap<String, i64>,
    /// Whether the run reached all members that were due; if not, the next run does the rest.
    pub finished: bool,
}

/// The reason for which a run failed. The entries that it wrote stay.
#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    /// The event names shards that do not exist.
    #[error("the event asks for shards {from} to {to}, and there are 0 to {}", SHARDS - 1)]
    ShardIsUnknown {
        /// The first.
        from: u8,
        /// The last.
        to: u8,
    },
    /// Some members failed; the log names each.
    #[error("{failed} of {due} due members could not be expired; the first, {member}: {reason}")]
    MembersFailed {
        /// The number of members that failed.
        failed: u64,
        /// The number of members that were due.
        due: u64,
        /// The first member that failed.
        member: MemberKey,
        /// The reason for which that member failed.
        reason: WriteError,
    },
    /// The event names a merchant whose rules cannot be loaded.
    #[error("`{merchant}` has no rules to reschedule its members by: {reason}")]
    NoRules {
        /// The merchant.
        merchant: MerchantId,
        /// The reason.
        reason: WriteError,
    },
    /// The index could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the run could not write an entry for a member.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The member's rules cannot be loaded, the decision was refused, or the table is busy.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The table cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes what is due for every due member of the event's shards. It stops before `time_left` is
/// over, so that the function is not cut off.
///
/// # Errors
/// The event is wrong, a shard could not be read, or some members failed. The other members are
/// done.
pub async fn run(
    api: &Api,
    event: &Event,
    time_left: Option<Duration>,
) -> Result<Summary, ExpireError> {
    let Shards { from, to } = event.shards;
    if from > to || to >= SHARDS {
        return Err(ExpireError::ShardIsUnknown { from, to });
    }
    let stop_at = time_left.map(|left| Instant::now() + left.saturating_sub(DEADLINE_MARGIN));
    let shards: Vec<Result<Tally, ExpireError>> = futures::stream::iter(from..=to)
        .map(async |number| {
            let mut tally = match &event.reschedule {
                Some(merchant) => reschedule(api, merchant, number, stop_at).await?,
                None => Tally { finished: true, ..Tally::default() },
            };
            tally.add(shard(api, number, stop_at).await?);
            Ok(tally)
        })
        .buffer_unordered(SHARDS_AT_ONCE)
        .collect()
        .await;
    let mut all = Tally { finished: true, ..Tally::default() };
    for tally in shards {
        all.add(tally?);
    }
    let Tally { due, expired, triggered, reminded, rescheduled, units, finished, failed, .. } = all;
    let summary = Summary { due, expired, triggered, reminded, rescheduled, units, finished };
    if let Some((member, reason)) = all.first_failure {
        tracing::error!(?summary, "{failed} members failed; the others are done: {summary:?}");
        return Err(ExpireError::MembersFailed { failed, due, member, reason });
    }
    Ok(summary)
}

#[derive(Debug, Default)]
struct Tally {
    due: u64,
    expired: u64,
    triggered: u64,
    reminded: u64,
    rescheduled: u64,
    failed: u64,
    first_failure: Option<(MemberKey, WriteError)>,
    units: BTreeMap<String, i64>,
    finished: bool,
}

impl Tally {
    fn count(&mut self, member: &MemberKey, all: &[Done]) {
        for done in all {
            match &done.entry.kind {
                EntryKind::Expire => {
                    self.expired += 1;
                    for posting in &done.entry.postings {
                        let wallet = format!("{}/{}", member.merchant, posting.wallet);
                        *self.units.entry(wallet).or_default() -= posting.change();
                    }
                }
                EntryKind::Remind { reminders } => {
                    self.reminded += u64::try_from(reminders.len()).unwrap_or(u64::MAX);
                }
                _ => self.triggered += 1,
            }
        }
    }

    fn fail(&mut self, member: MemberKey, reason: WriteError) {
        tracing::error!(member = %member, %reason, "expire {member} failed: {reason}");
        self.failed += 1;
        self.first_failure.get_or_insert((member, reason));
    }

    fn add(&mut self, other: Tally) {
        self.due += other.due;
        self.expired += other.expired;
        self.triggered += other.triggered;
        self.reminded += other.reminded;
        self.rescheduled += other.rescheduled;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.finished &= other.finished;
        for (wallet, units) in other.units {
            *self.units.entry(wallet).or_default() += units;
        }
    }
}

/// Writes all that is due for one member, one entry after the other. Returns what was
/// written, and the failure that stopped it, if any.
async fn all_due(api: &Api, due: &Due, now: Moment) -> (Vec<Done>, Option<WriteError>) {
    let mut done = Vec::new();
    while done.len() < AT_ONCE_MAX {
        match write(api, &due.member, Wanted::Due, now).await {
            Ok(Some(one)) => {
                let more = one.due_at.is_some_and(|due_at| due_at <= now);
                done.push(one);
                if !more {
                    break;
                }
            }
            Ok(None) => break,
            Err(reason) => return (done, Some(reason)),
        }
    }
    (done, None)
}

/// Reschedules the members that the active bundle makes due earlier than they are scheduled, or
/// puts into another tier. All parts together read the whole table, so it runs only when an event
/// asks for it.
async fn reschedule(
    api: &Api,
    merchant: &MerchantId,
    part: u8,
    stop_at: Option<Instant>,
) -> Result<Tally, ExpireError> {
    let now = api.clock.now();
    let is_late = || stop_at.is_some_and(|stop_at| Instant::now() >= stop_at);
    let mut tally = Tally { finished: true, ..Tally::default() };
    if is_late() {
        return Ok(Tally { finished: false, ..tally });
    }
    let bundle = api.bundle(merchant).await.map_err(|refusal| ExpireError::NoRules {
        merchant: merchant.clone(),
        reason: refusal.into(),
    })?;
    let (mut members, mut unreadable) = (Vec::new(), Vec::new());
    let see = |found: Found| match found {
        Ok(history) if decide::is_due_earlier(&bundle, history.member(), history.due_at, now) => {
            members.push(history.key);
        }
        Ok(_) => {}
        Err(error) => unreadable.push(error),
    };
    api.store.each_of_part(merchant, part.into(), SHARDS.into(), see).await?;
    let mut members = futures::stream::iter(members)
        .take_while(|_| std::future::ready(!is_late()))
        .map(async |member| (write(api, &member, Wanted::Reschedule, now).await, member))
        .buffer_unordered(MEMBERS_AT_ONCE);
    while let Some((done, member)) = members.next().await {
        match done {
            Ok(done) => tally.rescheduled += u64::from(done.is_some()),
            Err(reason) => tally.fail(member, reason),
        }
    }
    tally.finished = !is_late();
    for error in unreadable {
        match error.member() {
            Some(member) => tally.fail(member, error.into()),
            None => return Err(error.into()),
        }
    }
    Ok(tally)
}

async fn shard(api: &Api, number: u8, stop_at: Option<Instant>) -> Result<Tally, StoreError> {
    let now = api.clock.now();
    let mut tally = Tally { finished: true, ..Tally::default() };
    let mut next = Some(Page::default());
    while let Some(page) = next {
        if stop_at.is_some_and(|stop_at| Instant::now() >= stop_at) {
            tally.finished = false;
            break;
        }
        // Each page starts where the last one ended, not at the start of the shard: the index lags,
        // and a member that keeps failing must not block those behind it.
        let (due, following) = api.store.due(number, now, page, PAGE).await?;
        let mut members = futures::stream::iter(due)
            .map(async |due| (all_due(api, &due, now).await, due.member))
            .buffer_unordered(MEMBERS_AT_ONCE);
        while let Some(((done, failure), member)) = members.next().await {
            tally.due += 1;
            tally.count(&member, &done);
            if let Some(reason) = failure {
                tally.fail(member, reason);
            }
        }
        next = following;
    }
    Ok(tally)
}

/// The thing that the run does for a member.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// Write the next entry that is due.
    Due,
    /// Reschedule the member under the active bundle.
    Reschedule,
}

/// Decides and commits one entry for a member. Returns nothing if nothing is due: it was written
/// already, or the units were spent before they expired.
async fn write(
    api: &Api,
    key: &MemberKey,
    wanted: Wanted,
    now: Moment,
) -> Result<Option<Done>, WriteError> {
    let decide = |context: &Context<'_>, member: &Member| match wanted {
        Wanted::Due => decide::next_due(context, member),
        Wanted::Reschedule => decide::schedule(context, member),
    };
    Ok(unasked(api, key, now, false, decide).await?)
}
