//! The part of the history that a reversal needs.

use ledger::{Change, DecisionData, Entry, HistorySlice, Member, MissingData, Seq};

/// The seqs of the entries whose units this entry records as unrecoverable.
pub(super) fn compensated(entry: &Entry) -> impl Iterator<Item = Seq> {
    entry.changes.iter().filter_map(|change| match change {
        Change::Unrecoverable { of, .. } => Some(*of),
        _ => None,
    })
}

/// The history slice that begins with an entry, or with an earlier one if an entry of the slice
/// points to it. If the loaded slice does not go back far enough, the missing data is a slice of at
/// least twice the length, so that even a long chain of returns needs few reads.
pub(super) fn history_window<'s, I: Iterator<Item = Seq>>(
    member: &Member,
    entry: Seq,
    data: &'s DecisionData,
    points_to: fn(&'s Entry) -> I,
) -> Result<&'s HistorySlice, MissingData> {
    let mut first = entry;
    loop {
        let past = data.past(member, first)?;
        let earliest = past.entries.iter().flat_map(points_to).min();
        match earliest.filter(|earliest| *earliest < first) {
            Some(earliest) => {
                let known = member.seq.get().saturating_sub(past.before.seq.get());
                let twice = known.saturating_mul(2);
                first = earliest.min(Seq::new(member.seq.get().saturating_sub(twice).max(1)));
            }
            None => return Ok(past),
        }
    }
}
