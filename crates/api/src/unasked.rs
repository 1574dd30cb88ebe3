//! What changes a member without a request: the expiry run, and rules that have been mended. It needs
//! no key: once it is written, nothing of it is left to do, so it cannot happen twice.

use decide::Context;
use ledger::{Decision, DecisionData, Member, Moment};
use serde_json::value::RawValue;
use store::{Answer, MemberKey, Operation, Version};

use crate::{Api, Lacking, Refusal, Rules, Undecided, log_failures};

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

impl No {
    fn outcome<T>(self) -> Result<Option<T>, Refusal> {
        match self {
            No::NothingIsLeft => Ok(None),
            No::Refused(refusal) => Err(refusal),
        }
    }
}

/// Decides for a member and commits its entry. Returns its version, or nothing if `decide` finds
/// nothing to do.
///
/// # Errors
/// The decision is refused, or the table is busy: then it may have been written.
pub async fn write_unasked(
    api: &Api,
    key: &MemberKey,
    now: Moment,
    decide: impl Fn(&Context<'_>, &Member) -> Result<Option<Decision>, decide::Undecided>,
) -> Result<Option<Version>, Refusal> {
    let bundle = api.bundle(&key.merchant).await?;
    let mut earlier = api.earlier_rules(&key.merchant);
    loop {
        let rules = Rules { bundle: &bundle, earlier: &earlier };
        let decided = |member: Option<&Member>, data: &DecisionData| {
            decided(rules, member, data, now, &decide).map_err(store::Undecided::from)
        };
        let lacking = match api.store.perform(key, &Operation::unasked(), decided).await {
            Ok(done) => {
                log_failures(key, &done.version.entry);
                return Ok(Some(done.version));
            }
            Err(failure) => Lacking::of(failure),
        };
        if let Err(no) = api.supply(&key.merchant, lacking, &mut earlier).await {
            return no.outcome();
        }
    }
}

/// Decides for a member and writes nothing.
///
/// # Errors
/// The decision is refused, or the table is busy.
pub async fn consider_unasked(
    api: &Api,
    key: &MemberKey,
    now: Moment,
    decide: impl Fn(&Context<'_>, &Member) -> Result<Option<Decision>, decide::Undecided>,
) -> Result<Option<Decision>, Refusal> {
    let bundle = api.bundle(&key.merchant).await?;
    let mut earlier = api.earlier_rules(&key.merchant);
    loop {
        let rules = Rules { bundle: &bundle, earlier: &earlier };
        let decided = |member: Option<&Member>, data: &DecisionData| {
            decided(rules, member, data, now, &decide).map_err(store::Undecided::from)
        };
        let lacking = match api.store.consider(key, decided).await? {
            Ok((decision, _)) => return Ok(Some(decision)),
            Err(lacking) => lacking,
        };
        if let Err(no) = api.supply(&key.merchant, lacking, &mut earlier).await {
            return no.outcome();
        }
    }
}

fn decided(
    Rules { bundle, earlier }: Rules<'_>,
    member: Option<&Member>,
    data: &DecisionData,
    now: Moment,
    decide: impl Fn(&Context<'_>, &Member) -> Result<Option<Decision>, decide::Undecided>,
) -> Result<(Decision, Answer), Undecided<No>> {
    let member = member.ok_or(No::NothingIsLeft)?;
    let context = Context { bundle, earlier, data, now: data.moment(member, now) };
    let decision = decide(&context, member)?.ok_or(No::NothingIsLeft)?;
    let body = RawValue::NULL.to_owned();
    Ok((decision, Answer { bundle: bundle.hash().to_string(), status: 200, body }))
}
