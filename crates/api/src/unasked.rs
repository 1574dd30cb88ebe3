//! What changes a member without a request: the expiry run, and rules that have been mended. It needs
//! no key: once it is written, nothing of it is left to do, so it cannot happen twice.

use decide::Context;
use ledger::{Decision, DecisionData, Entry, Member, Moment};
use serde_json::value::RawValue;
use store::{Answer, MemberKey, Operation};

use crate::{Api, Lacking, Refusal, Rules, Undecided, log_failures};

/// What was decided for a member: the entry, and when the member is due after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The entry.
    pub entry: Entry,
    /// When the member is due next.
    pub due_at: Option<Moment>,
}

/// Why nothing is written for a member.
enum No {
    /// Nothing is left to do.
    NothingIsLeft,
    Refused(Refusal),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        No::Refused(refusal)
    }
}

/// Decides for a member and commits its entry, or writes nothing in a dry run. Returns what was
/// decided, or nothing if `decide` finds nothing to do.
///
/// # Errors
/// The decision is refused, or the table is busy: then it may have been written.
pub async fn unasked(
    api: &Api,
    key: &MemberKey,
    now: Moment,
    dry_run: bool,
    decide: impl Fn(&Context<'_>, &Member) -> Result<Option<Decision>, decide::Undecided>,
) -> Result<Option<Done>, Refusal> {
    let bundle = api.bundle(&key.merchant).await?;
    let mut earlier = api.earlier_rules(&key.merchant);
    loop {
        let rules = Rules { bundle: &bundle, earlier: &earlier };
        let lacking = match attempt(api, key, rules, now, dry_run, &decide).await {
            Ok(done) => return Ok(Some(done)),
            Err(lacking) => lacking,
        };
        match api.supply(&key.merchant, lacking, &mut earlier).await {
            Ok(()) => {}
            Err(No::NothingIsLeft) => return Ok(None),
            Err(No::Refused(refusal)) => return Err(refusal),
        }
    }
}

/// Decides with the rules that are loaded.
async fn attempt(
    api: &Api,
    key: &MemberKey,
    Rules { bundle, earlier }: Rules<'_>,
    now: Moment,
    dry_run: bool,
    decide: impl Fn(&Context<'_>, &Member) -> Result<Option<Decision>, decide::Undecided>,
) -> Result<Done, Lacking<No>> {
    let decided = |member: Option<&Member>, data: &DecisionData| -> Result<_, Undecided<No>> {
        let member = member.ok_or(No::NothingIsLeft)?;
        let context = Context { bundle, earlier, data, now: data.moment(member, now) };
        let decision = decide(&context, member)?.ok_or(No::NothingIsLeft)?;
        let body = RawValue::NULL.to_owned();
        Ok((decision, Answer { bundle: bundle.hash().to_string(), status: 200, body }))
    };
    let decided = |member: Option<&Member>, data: &DecisionData| {
        decided(member, data).map_err(store::Undecided::from)
    };
    if dry_run {
        let considered = api.store.consider(key, decided).await;
        let (Decision { entry, due_at, .. }, _) =
            considered.map_err(Refusal::from).map_err(No::from)??;
        return Ok(Done { entry, due_at });
    }
    let done = api.store.perform(key, &Operation::unasked(), decided).await.map_err(Lacking::of)?;
    log_failures(key, &done.version.entry);
    Ok(Done { entry: done.version.entry, due_at: done.version.due_at })
}
