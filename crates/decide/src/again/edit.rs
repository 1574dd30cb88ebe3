//! What is different about a history: what was told, what is taken back, and what is judged again.

use ledger::reverse::Wanted;
use ledger::{Entry, EntryKind, Moment, Seq, Units};

use crate::deed::Deed;
use crate::event::{About, ActivityEvent};

/// What is different about a history.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    /// What happened as well.
    pub(crate) told: Vec<Told>,
    /// What is taken back.
    pub(crate) undone: Vec<Undo>,
    /// What is judged again.
    pub(crate) rejudged: Option<Rejudged>,
}

/// Activities that are judged again with a rule that failed for them, as the rules in force have it.
#[derive(Debug, Clone)]
pub(crate) struct Rejudged {
    /// The title of the rule.
    pub(crate) rule: String,
    /// The numbers of the entries of the activities.
    pub(crate) entries: Vec<Seq>,
}

impl Edit {
    /// Something that happened as well.
    pub(crate) fn told(told: Told) -> Edit {
        Edit { told: vec![told], ..Edit::default() }
    }

    /// Something that is taken back.
    pub(crate) fn undone(undo: Undo) -> Edit {
        Edit { undone: vec![undo], ..Edit::default() }
    }

    /// Activities that are judged again.
    pub(crate) fn rejudged(rule: &str, entries: Vec<Seq>) -> Edit {
        let rejudged = Rejudged { rule: rule.to_owned(), entries };
        Edit { rejudged: Some(rejudged), ..Edit::default() }
    }
}

/// Something that happened and was not known.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Activity(ActivityEvent),
    /// It happened too long ago to be derived in its place. It comes now, at this moment.
    TooLate(ActivityEvent, Moment),
    /// A reward was taken, or staff gave or took units, at a moment.
    Deed(Deed, Moment),
}

impl Told {
    /// When it happened.
    pub(crate) fn at(&self) -> Moment {
        match self {
            Told::Activity(event) => event.activity.at,
            Told::TooLate(_, at) | Told::Deed(_, at) => *at,
        }
    }

    /// What is known of the activity that it is about.
    pub(crate) fn about(&self) -> &About {
        match self {
            Told::Activity(event) | Told::TooLate(event, _) => &event.about,
            Told::Deed(..) => &About::Nothing,
        }
    }
}

/// An earlier entry that is taken back, whole or in part.
#[derive(Debug, Clone)]
pub struct Undo {
    /// The number of the entry.
    pub entry: Seq,
    /// When it happened, if that is known.
    pub at: Option<Moment>,
    /// When its activity happened, if it was told too late to have its place there.
    pub too_late: Option<Moment>,
    /// The part that comes back; nothing for all that is left.
    pub part: Option<ReversedPart>,
    /// What is known of the order that the entry is about, if it is a delivery.
    pub about: About,
}

impl Undo {
    /// All that is left of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Undo {
        let too_late = match &entry.kind {
            EntryKind::Earn { activity } => entry.was_told_too_late().then_some(activity.at),
            _ => None,
        };
        Undo { at: Some(entry.happened_at()), too_late, ..Undo::number(entry.seq) }
    }

    /// All that is left of the entry of that number.
    pub(crate) fn number(entry: Seq) -> Undo {
        Undo { entry, at: None, too_late: None, part: None, about: About::Nothing }
    }
}

/// A part of an entry that comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReversedPart {
    /// Pieces or money of its order.
    Order(Wanted),
    /// Units of a redemption.
    Units(Units),
}
