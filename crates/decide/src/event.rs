//! An activity as it reached us: told by a client, or triggered by its day.

use chrono::NaiveDate;
use ledger::Activity;

/// An activity that a client sends, or that is triggered by its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityEvent {
    /// The activity.
    pub activity: Activity,
    /// The day that triggered it; nothing for one that a client sends.
    pub triggered: Option<NaiveDate>,
}

impl From<Activity> for ActivityEvent {
    fn from(activity: Activity) -> ActivityEvent {
        ActivityEvent { activity, triggered: None }
    }
}
