//! An activity with its origin: a client sent it, or its day triggered it.

use chrono::NaiveDate;
use ledger::Activity;

/// An activity that a client sent, or that its day triggered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityEvent {
    /// The activity.
    pub activity: Activity,
    /// The day that triggered it; nothing if a client sent it.
    pub triggered: Option<NaiveDate>,
}

impl From<Activity> for ActivityEvent {
    fn from(activity: Activity) -> ActivityEvent {
        ActivityEvent { activity, triggered: None }
    }
}
