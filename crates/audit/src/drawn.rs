//! What a member has taken from stocks and budgets, entry by entry: no more of it goes back than an
//! entry took.

use std::collections::BTreeMap;

use ledger::{Change, Entry, EntryKind, Seq, SharedLimit, Withdrawal};

/// What each entry took and has not been given back yet.
#[derive(Default)]
pub(crate) struct Drawn<'e> {
    left: BTreeMap<Seq, BTreeMap<&'e SharedLimit, i64>>,
    /// The entry of the hold that each capture captured.
    holds: BTreeMap<Seq, Seq>,
    /// What each reversal takes back: for one that undoes a reversal, what that took back.
    reversed: BTreeMap<Seq, Vec<Seq>>,
}

impl<'e> Drawn<'e> {
    /// Adds an entry. Returns the fault if it gives back more than there was to give back.
    pub(crate) fn add(&mut self, entry: &'e Entry) -> Option<String> {
        let undone: Vec<Seq> = entry.undoes().flat_map(|seq| self.origins(seq)).collect();
        let held = undone.iter().filter_map(|seq| self.holds.get(seq).copied());
        let ended = entry.changes.iter().filter_map(|change| match change {
            Change::HoldExpired { hold } => hold.entry(),
            _ => None,
        });
        let mut from: Vec<Seq> = undone.iter().copied().chain(held).chain(ended).collect();
        match &entry.kind {
            EntryKind::Release { hold } => from.extend(hold.entry()),
            EntryKind::Capture { of, .. } => {
                self.holds.insert(entry.seq, of.entry);
            }
            _ => {}
        }
        let fault = entry.returns.iter().find_map(|back| self.give_back(&from, back));
        // What is taken again, since a reversal is undone, is what the reversed entry took; and what a
        // mended rule takes belongs to the activity that it judges again.
        let by = match (&entry.kind, entry.rejudges()) {
            (EntryKind::Reverse { .. }, _) => undone.first().copied(),
            (_, [of]) => Some(*of),
            _ => None,
        };
        let by = by.unwrap_or(entry.seq);
        for Withdrawal { limit, units } in &entry.withdrawals {
            *self.left.entry(by).or_default().entry(limit).or_default() += units.get();
        }
        if let EntryKind::Reverse { .. } = &entry.kind {
            self.reversed.insert(entry.seq, undone);
        }
        fault
    }

    fn origins(&self, seq: Seq) -> Vec<Seq> {
        self.reversed.get(&seq).cloned().unwrap_or_else(|| vec![seq])
    }

    fn give_back(
        &mut self,
        from: &[Seq],
        Withdrawal { limit, units }: &Withdrawal,
    ) -> Option<String> {
        let mut back = units.get();
        for seq in from {
            let left = self.left.get_mut(seq).and_then(|own| own.get_mut(limit));
            if let Some(left) = left {
                let part = back.min(*left);
                *left -= part;
                back -= part;
            }
        }
        (back > 0).then(|| format!("it gives back {back} more to {limit} than was taken"))
    }
}
