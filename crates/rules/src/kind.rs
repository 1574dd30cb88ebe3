//! Kinds of values: the types that the check knows before a sheet runs.

/// The kind of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `12`.
    Whole,
    /// `12.40`: exact, never a float.
    Amount,
    /// A whole number or an amount.
    Number,
    /// `"coffee"`; the domain says which texts make sense.
    Text(Domain),
    /// `true` or `false`.
    Flag,
    /// `["Gold", "Silver"]`.
    List(Box<Kind>),
    /// `0..10`.
    Range,
    /// The member.
    Member,
    /// The order.
    Order,
    /// The lines of the order.
    Lines,
    /// One line of the order.
    Line,
    /// The activity.
    Activity,
    /// The time of the activity.
    Time,
    /// `30.days`.
    Span,
    /// The gift of a reward or a benefit.
    Gift,
    /// No value.
    Nothing,
    /// A kind that is unknown before the sheet runs, such as that of a function's argument.
    Any,
}

/// The texts that make sense in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Any text.
    Free,
    /// The name of a wallet.
    Wallet,
    /// The name of a tier.
    Tier,
    /// A day of the week.
    Weekday,
    /// A grant that some rule gives.
    Grant,
    /// The title of a task.
    Task,
    /// The title of a contest.
    Contest,
    /// The name of a pool of codes.
    Pool,
    /// The name of a trial.
    Trial,
    /// A date, such as `2026-12-24`.
    Date,
    /// A date without its year, such as `12-24`.
    MonthDay,
    /// A time of day, such as `09:30`.
    Clock,
    /// The name of a holiday.
    Holiday,
}

impl Kind {
    /// The kind in words, for a message: `a whole number`.
    pub(crate) fn say(&self) -> &'static str {
        match self {
            Kind::Whole => "a whole number",
            Kind::Amount => "an amount",
            Kind::Number => "a number",
            Kind::Text(_) => "a text",
            Kind::Flag => "yes or no",
            Kind::List(_) => "a list",
            Kind::Range => "a range",
            Kind::Member => "the member",
            Kind::Order => "the order",
            Kind::Lines => "the lines of the order",
            Kind::Line => "a line of the order",
            Kind::Activity => "the activity",
            Kind::Time => "a time",
            Kind::Span => "a span of time",
            Kind::Gift => "a gift",
            Kind::Nothing => "nothing",
            Kind::Any => "anything",
        }
    }

    /// Whether it is a number or may be one.
    pub(crate) fn may_be_number(&self) -> bool {
        matches!(self, Kind::Whole | Kind::Amount | Kind::Number | Kind::Any)
    }

    /// Whether a value of this kind can stand where the kind `wanted` is needed.
    pub(crate) fn fits(&self, wanted: &Kind) -> bool {
        match (self, wanted) {
            (Kind::Any, _) | (_, Kind::Any) | (Kind::Text(_), Kind::Text(_)) => true,
            (Kind::List(_), Kind::List(_)) => true,
            (found, Kind::Number) => found.may_be_number(),
            (Kind::Number, Kind::Whole | Kind::Amount) => true,
            (found, wanted) => found == wanted,
        }
    }

    /// The kind of a value that is of one kind or the other.
    pub(crate) fn or(self, other: Kind) -> Kind {
        match (self, other) {
            (one, other) if one == other => one,
            // A value that is sometimes missing has the kind that it has when it is there.
            (Kind::Nothing, kind) | (kind, Kind::Nothing) => kind,
            (one, other) if one.may_be_number() && other.may_be_number() => {
                if one == Kind::Any || other == Kind::Any { Kind::Any } else { Kind::Number }
            }
            (Kind::Text(_), Kind::Text(_)) => Kind::Text(Domain::Free),
            _ => Kind::Any,
        }
    }
}
