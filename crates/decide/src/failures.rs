//! Rules that fail: noted in the entry, or a reason to refuse the activity.

use ledger::entry::Note;
use ledger::programme::OnFailure;
use rules::RuleFailure;

use crate::context::Context;

/// The failures of one activity, which are noted in its entry unless the merchant wants it refused.
pub(crate) struct Failures {
    pub(crate) on_failure: OnFailure,
    pub(crate) notes: Vec<Note>,
}

impl Failures {
    /// Those of a decision, which are noted or refuse it as the merchant wants.
    pub(crate) fn of(context: &Context<'_>) -> Failures {
        Failures { on_failure: context.programme().on_failure, notes: Vec::new() }
    }

    /// What a rule gave, or what stands instead of it if the rule failed.
    pub(crate) fn or<T>(
        &mut self,
        found: Result<T, RuleFailure>,
        instead: impl FnOnce() -> T,
    ) -> Result<T, RuleFailure> {
        match found {
            Err(failure) if self.on_failure == OnFailure::Record => {
                let note = failure.note();
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
                Ok(instead())
            }
            other => other,
        }
    }
}
