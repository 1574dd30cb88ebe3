//! An activity with its origin: a client sent it, or its day triggered it.

use chrono::NaiveDate;
use ledger::{Activity, Entry};

/// An activity that a client sent, or that its day triggered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityEvent {
    /// The activity.
    pub activity: Activity,
    /// The day that triggered it; nothing if a client sent it.
    pub triggered: Option<NaiveDate>,
    /// What is known of the activity that it is about.
    pub about: About,
}

/// What is known of the activity that another is about, such as the order that is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum About {
    /// It is about none, or none has been looked for.
    #[default]
    Nothing,
    /// The member has no such activity.
    Unknown,
    /// Its entry.
    Known(Box<Entry>),
}

impl From<Activity> for ActivityEvent {
    fn from(activity: Activity) -> ActivityEvent {
        ActivityEvent { activity, triggered: None, about: About::Nothing }
    }
}
