//! How far back a reversal looks.

use ledger::{Change, DecisionData, Entry, HistorySlice, Member, MissingData, Seq};

/// Entries whose units had run out when they were to be taken back.
pub(super) fn compensated(entry: &Entry) -> impl Iterator<Item = Seq> {
    entry.changes.iter().filter_map(|change| match change {
        Change::Unrecoverable { of, .. } => Some(*of),
        _ => None,
    })
}

/// The past from an entry on, and from those before it on to which later ones point. Where one look
/// does not go back far enough, the next goes back twice as far: a chain of returns is a few looks,
/// however long it is.
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
