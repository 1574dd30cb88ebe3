//! An activity with its origin: a client sent it, or its day triggered it.

use chrono::NaiveDate;
use ledger::activity::PURCHASE;
use ledger::holdings::Share;
use ledger::{Activity, Entry, EntryKind};

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
    /// A delivery of pieces: how much it lets go, and the pieces that its order does not have.
    Delivered {
        /// How much it lets go.
        share: Share,
        /// The pieces, as the delivery names them.
        unknown: Vec<String>,
    },
}

impl About {
    /// What is known of the activity that one of `kind` is about, from the entries of activities that
    /// have its id: the last purchase, which puts earlier ones right, or else another activity with
    /// an order. A delivery may have the id of its order, and is not meant.
    #[must_use]
    pub fn of(kind: &str, entries: impl IntoIterator<Item = Entry>) -> About {
        let order = |entry: &Entry| match &entry.kind {
            EntryKind::Earn { activity } if activity.kind == PURCHASE => Some((true, entry.seq)),
            EntryKind::Earn { activity } if activity.order.is_some() && activity.kind != kind => {
                Some((false, entry.seq))
            }
            _ => None,
        };
        let orders = entries.into_iter().filter_map(|entry| Some((order(&entry)?, entry)));
        let last = orders.max_by_key(|(place, _)| *place);
        last.map_or(About::Unknown, |(_, entry)| About::Known(Box::new(entry)))
    }
}

impl From<Activity> for ActivityEvent {
    fn from(activity: Activity) -> ActivityEvent {
        ActivityEvent { activity, triggered: None, about: About::Nothing }
    }
}
