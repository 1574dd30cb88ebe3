//! A word of the language: how it is written, what it gives and what it means.

use crate::kind::{Domain, Kind};

/// The form in which a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `order.total`.
    Property,
    /// `order.quantity("beans")`.
    Method,
    /// `min(1, 2)`.
    Function,
}

/// A word of the language.
pub(crate) struct Word {
    /// The kind of the value before the dot; nothing for a function.
    pub(crate) of: Option<Kind>,
    pub(crate) form: Form,
    pub(crate) name: &'static str,
    /// The kinds of its arguments.
    pub(crate) takes: &'static [Kind],
    pub(crate) gives: Kind,
    /// The least and the greatest number that it can be, if it is bounded.
    pub(crate) within: Option<(i64, i64)>,
    /// Its meaning, for the reference.
    pub(crate) says: &'static str,
    /// An example of its use.
    pub(crate) example: &'static str,
}

pub(crate) const TEXT: Kind = Kind::Text(Domain::Free);

pub(super) const fn property(
    of: Kind,
    name: &'static str,
    gives: Kind,
    says: &'static str,
    example: &'static str,
) -> Word {
    Word {
        of: Some(of),
        form: Form::Property,
        name,
        takes: &[],
        gives,
        within: None,
        says,
        example,
    }
}

pub(super) const fn method(
    of: Kind,
    name: &'static str,
    takes: &'static [Kind],
    gives: Kind,
    says: &'static str,
    example: &'static str,
) -> Word {
    Word { of: Some(of), form: Form::Method, name, takes, gives, within: None, says, example }
}

pub(super) const fn function(
    name: &'static str,
    takes: &'static [Kind],
    gives: Kind,
    says: &'static str,
    example: &'static str,
) -> Word {
    Word { of: None, form: Form::Function, name, takes, gives, within: None, says, example }
}

impl Word {
    pub(super) const fn within(mut self, least: i64, most: i64) -> Word {
        self.within = Some((least, most));
        self
    }
}
