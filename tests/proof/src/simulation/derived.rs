//! Whether a member as stored, entry by entry, is the one that all of its history makes at once.

use std::collections::BTreeMap;

use decide::{Context, Undecided};
use ledger::{DecisionData, HistorySlice, Member, MemberId, MissingData};
use rules::Bundle;
use store::{History, Version};

/// Compares a member with the one that its history makes. Returns whether it was compared: what
/// happened to a shared wallet is in the histories of others too, so a member that ever had an
/// account is not.
///
/// # Errors
/// They differ, or the member cannot be derived.
pub(super) fn is_derived(
    history: &History,
    rules: &Bundle,
    members: &BTreeMap<MemberId, Member>,
) -> Result<bool, String> {
    let entries = || history.versions().map(|version| &version.entry);
    if entries().any(|entry| entry.account.is_some()) {
        return Ok(false);
    }
    let slice = HistorySlice {
        before: history.enrolled.clone(),
        entries: entries().cloned().collect(),
        rules: history.versions().map(|version: &Version| version.bundle.clone()).collect(),
    };
    let stored = history.member();
    let mut data = DecisionData::default();
    let derived = loop {
        let context = Context::new(rules, &data, stored.happened_at);
        match decide::derived(&context, stored, &slice) {
            Ok(derived) => break derived,
            Err(Undecided::NeedsData(MissingData::Member(id))) => {
                let member = members.get(&id).cloned();
                data.members.insert(id, member);
            }
            Err(other) => return Err(format!("it cannot be derived: {other:?}")),
        }
    };
    let (stored, derived) = (without_nothing(stored.clone()), without_nothing(derived));
    match stored == derived {
        true => Ok(true),
        false => {
            Err(format!("its history makes another member: {}", difference(&stored, &derived)))
        }
    }
}

/// A member without what is nothing: an empty wallet is as good as none.
fn without_nothing(mut member: Member) -> Member {
    member.wallets.retain(|_, wallet| !wallet.lots().is_empty() || !wallet.debt().is_zero());
    member.scores.retain(|_, score| !score.is_zero());
    member.tasks.retain(|_, progress| *progress != ledger::task::Progress::default());
    member
}

/// The first line in which two members differ.
fn difference(stored: &Member, derived: &Member) -> String {
    let (stored, derived) = (format!("{stored:#?}"), format!("{derived:#?}"));
    let mut lines = stored.lines().zip(derived.lines());
    let differs = lines.find(|(stored, derived)| stored != derived);
    differs.map_or_else(String::new, |(stored, derived)| {
        format!("stored {}, derived {}", stored.trim(), derived.trim())
    })
}
