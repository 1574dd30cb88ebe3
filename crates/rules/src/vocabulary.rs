//! The vocabulary: every word that a rule can use, with its kind and its meaning. The check of a
//! sheet, the hint "did you mean" and the reference all read this one table. A test runs each
//! example, so that every word in the table exists and has the kind that the table says.

use ledger::Programme;

use crate::kind::{Domain, Kind};
use crate::suggest::did_you_mean;

/// The days of the week.
pub(crate) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

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

const TEXT: Kind = Kind::Text(Domain::Free);

const fn property(
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

const fn method(
    of: Kind,
    name: &'static str,
    takes: &'static [Kind],
    gives: Kind,
    says: &'static str,
    example: &'static str,
) -> Word {
    Word { of: Some(of), form: Form::Method, name, takes, gives, within: None, says, example }
}

const fn function(
    name: &'static str,
    takes: &'static [Kind],
    gives: Kind,
    says: &'static str,
    example: &'static str,
) -> Word {
    Word { of: None, form: Form::Function, name, takes, gives, within: None, says, example }
}

impl Word {
    const fn within(mut self, least: i64, most: i64) -> Word {
        self.within = Some((least, most));
        self
    }
}

/// A fact: its name, its kind and its meaning.
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) says: &'static str,
}

/// The facts, in the order of their places in the scope of every rule.
pub(crate) const FACTS: [Fact; 6] = [
    Fact { name: "member", kind: Kind::Member, says: "who did it, as they were before" },
    Fact { name: "order", kind: Kind::Order, says: "what was bought" },
    Fact { name: "activity", kind: Kind::Activity, says: "what was done" },
    Fact { name: "now", kind: Kind::Time, says: "when it was done, by the shop's own clock" },
    Fact {
        name: "units",
        kind: Kind::Whole,
        says: "how many units the member wants to spend on a reward",
    },
    Fact {
        name: "points",
        kind: Kind::Whole,
        says: "what the earn rules above have paid into the main wallet for this activity",
    },
];

/// All words.
pub(crate) const WORDS: &[Word] = &[
    property(
        Kind::Member,
        "tier",
        Kind::Text(Domain::Tier),
        "the tier; empty if none",
        "member.tier",
    ),
    property(Kind::Member, "days", Kind::Whole, "days since joining", "member.days")
        .within(0, i64::MAX),
    property(Kind::Member, "years", Kind::Whole, "full years since joining", "member.years")
        .within(0, i64::MAX),
    property(
        Kind::Member,
        "bucket",
        Kind::Whole,
        "a number from 0 to 99 that never changes, for trials with a part of the members",
        "member.bucket",
    )
    .within(0, 99),
    property(
        Kind::Member,
        "purchases",
        Kind::Whole,
        "purchases before this one",
        "member.purchases",
    )
    .within(0, i64::MAX),
    property(
        Kind::Member,
        "spend",
        Kind::Amount,
        "the sum of all purchases before this one",
        "member.spend",
    )
    .within(0, i64::MAX),
    property(
        Kind::Member,
        "days_since_purchase",
        Kind::Whole,
        "days since the last purchase; since joining if there is none",
        "member.days_since_purchase",
    )
    .within(0, i64::MAX),
    property(
        Kind::Member,
        "has_birthday",
        Kind::Flag,
        "whether today is the birthday, from the attribute `birthday`",
        "member.has_birthday",
    ),
    property(
        Kind::Member,
        "birthday_month",
        Kind::Whole,
        "the month of the birthday, 1 to 12; 0 if it is not known",
        "member.birthday_month",
    )
    .within(0, 12),
    property(
        Kind::Member,
        "age",
        Kind::Whole,
        "the age in years; 0 if the birthday is not known",
        "member.age",
    )
    .within(0, i64::MAX),
    property(
        Kind::Member,
        "has_anniversary",
        Kind::Flag,
        "whether the member joined on this day some years ago",
        "member.has_anniversary",
    ),
    property(
        Kind::Member,
        "referred",
        Kind::Flag,
        "whether another member brought this one",
        "member.referred",
    ),
    method(
        Kind::Member,
        "has",
        &[TEXT],
        Kind::Flag,
        "whether the member has a tag",
        "member.has(\"founder\")",
    ),
    method(
        Kind::Member,
        "attribute",
        &[TEXT],
        TEXT,
        "an attribute; empty if the member has none of that name",
        "member.attribute(\"city\")",
    ),
    method(
        Kind::Member,
        "granted",
        &[Kind::Text(Domain::Grant)],
        Kind::Flag,
        "whether the member has a grant now",
        "member.granted(\"Club\")",
    ),
    method(
        Kind::Member,
        "progress",
        &[Kind::Text(Domain::Task)],
        Kind::Whole,
        "how far the member is with a task",
        "member.progress(\"Five visits in a week\")",
    ),
    method(
        Kind::Member,
        "completed",
        &[Kind::Text(Domain::Task)],
        Kind::Whole,
        "how often the member has completed a task",
        "member.completed(\"Five visits in a week\")",
    ),
    method(
        Kind::Member,
        "score",
        &[Kind::Text(Domain::Contest)],
        Kind::Whole,
        "the member's score in a contest",
        "member.score(\"Most cups in July\")",
    ),
    property(
        Kind::Order,
        "total",
        Kind::Amount,
        "what was paid in all; below zero if more came back in an exchange than was bought",
        "order.total",
    ),
    property(
        Kind::Order,
        "goods",
        Kind::Amount,
        "what was paid for the goods: the total without shipping and tip",
        "order.goods",
    ),
    property(
        Kind::Order,
        "net",
        Kind::Amount,
        "what was paid without tax: the total without it",
        "order.net",
    ),
    property(
        Kind::Order,
        "discount",
        Kind::Amount,
        "the discount on the whole order; 0 if not given",
        "order.discount",
    )
    .within(0, i64::MAX),
    property(
        Kind::Order,
        "shipping",
        Kind::Amount,
        "the price of the delivery; 0 if not given",
        "order.shipping",
    )
    .within(0, i64::MAX),
    property(Kind::Order, "tax", Kind::Amount, "the tax in the total; 0 if not given", "order.tax"),
    property(Kind::Order, "tip", Kind::Amount, "the tip in the total; 0 if not given", "order.tip")
        .within(0, i64::MAX),
    property(Kind::Order, "store", TEXT, "the store; empty if not given", "order.store"),
    property(
        Kind::Order,
        "pieces",
        Kind::Whole,
        "pieces bought in all; what is weighed counts as one",
        "order.pieces",
    ),
    property(Kind::Order, "lines", Kind::Lines, "what was bought, line by line", "order.lines"),
    method(
        Kind::Order,
        "quantity",
        &[TEXT],
        Kind::Number,
        "how much was bought of an article, a category or a tag: pieces, or the weight",
        "order.quantity(\"coffee\")",
    ),
    method(
        Kind::Order,
        "spent",
        &[TEXT],
        Kind::Amount,
        "money paid for an article, a category or a tag, after all discounts",
        "order.spent(\"coffee\")",
    ),
    method(
        Kind::Order,
        "has",
        &[TEXT],
        Kind::Flag,
        "whether an article, a category or a tag was bought",
        "order.has(\"coffee\")",
    ),
    method(
        Kind::Order,
        "paid",
        &[TEXT],
        Kind::Amount,
        "how much was paid by one means; 0 if none",
        "order.paid(\"card\")",
    ),
    method(Kind::Lines, "len", &[], Kind::Whole, "how many lines there are", "order.lines.len()"),
    property(Kind::Line, "id", TEXT, "its id; empty if not given", "line.id"),
    property(Kind::Line, "sku", TEXT, "the article number; empty if not given", "line.sku"),
    property(
        Kind::Line,
        "category",
        TEXT,
        "the category, the first of several; empty if none",
        "line.category",
    ),
    property(
        Kind::Line,
        "quantity",
        Kind::Number,
        "pieces, or the weight; below zero if it came back in an exchange",
        "line.quantity",
    ),
    property(Kind::Line, "unit", TEXT, "what it is measured in; empty for pieces", "line.unit"),
    property(Kind::Line, "price", Kind::Amount, "the price of one", "line.price"),
    property(
        Kind::Line,
        "amount",
        Kind::Amount,
        "what was paid for the line, after all discounts",
        "line.amount",
    ),
    property(
        Kind::Line,
        "discount",
        Kind::Amount,
        "the discount on the line; 0 if not given",
        "line.discount",
    )
    .within(0, i64::MAX),
    property(Kind::Line, "tax", Kind::Amount, "the tax of the line; 0 if not given", "line.tax"),
    method(
        Kind::Line,
        "attribute",
        &[TEXT],
        TEXT,
        "what else the shop says of it; empty if nothing",
        "line.attribute(\"brand\")",
    ),
    method(
        Kind::Line,
        "has",
        &[TEXT],
        Kind::Flag,
        "whether it is an article, or of a category or with a tag",
        "line.has(\"coffee\")",
    ),
    method(
        Kind::Line,
        "tagged",
        &[TEXT],
        Kind::Flag,
        "whether the line has a tag",
        "line.tagged(\"organic\")",
    ),
    property(Kind::Activity, "id", TEXT, "its id, such as the order's number", "activity.id"),
    property(Kind::Activity, "type", TEXT, "its name", "activity.type"),
    property(
        Kind::Activity,
        "channel",
        TEXT,
        "where it was done, such as `web`; empty if not given",
        "activity.channel",
    ),
    property(
        Kind::Activity,
        "payment",
        TEXT,
        "what was paid with, such as `card`; empty if not given",
        "activity.payment",
    ),
    property(Kind::Time, "hour", Kind::Whole, "the hour, 0 to 23", "now.hour").within(0, 23),
    property(Kind::Time, "minute", Kind::Whole, "the minute, 0 to 59", "now.minute").within(0, 59),
    property(
        Kind::Time,
        "weekday",
        Kind::Text(Domain::Weekday),
        "the day of the week, such as `Monday`",
        "now.weekday",
    ),
    property(Kind::Time, "weekend", Kind::Flag, "whether it is Saturday or Sunday", "now.weekend"),
    property(Kind::Time, "day", Kind::Whole, "the day of the month", "now.day").within(1, 31),
    property(Kind::Time, "month", Kind::Whole, "the month, 1 to 12", "now.month").within(1, 12),
    property(Kind::Time, "year", Kind::Whole, "the year", "now.year"),
    property(
        Kind::Time,
        "date",
        Kind::Text(Domain::Date),
        "the date, such as `2026-12-24`",
        "now.date",
    ),
    property(
        Kind::Time,
        "month_day",
        Kind::Text(Domain::MonthDay),
        "the date without its year, such as `12-24`",
        "now.month_day",
    ),
    property(
        Kind::Time,
        "holiday",
        Kind::Flag,
        "whether the manifest lists a holiday",
        "now.holiday",
    ),
    property(
        Kind::Time,
        "holiday_name",
        Kind::Text(Domain::Holiday),
        "the holiday's name; empty if it is none",
        "now.holiday_name",
    ),
    function(
        "wallet",
        &[Kind::Text(Domain::Wallet)],
        Kind::Whole,
        "what can be spent from a wallet now; the count in one that only counts",
        "wallet(\"points\")",
    )
    .within(0, i64::MAX),
    function(
        "min",
        &[Kind::Number, Kind::Number],
        Kind::Number,
        "the smaller of two numbers",
        "min(3, 5)",
    ),
    function(
        "max",
        &[Kind::Number, Kind::Number],
        Kind::Number,
        "the greater of two numbers",
        "max(3, 5)",
    ),
    function("abs", &[Kind::Number], Kind::Number, "the number without its sign", "abs(-3)"),
    function("floor", &[Kind::Number], Kind::Number, "the next whole number down", "floor(12.40)"),
    function(
        "ceiling",
        &[Kind::Number],
        Kind::Number,
        "the next whole number up",
        "ceiling(12.40)",
    ),
    function(
        "round",
        &[Kind::Number],
        Kind::Number,
        "the nearest whole number; a half goes up",
        "round(12.50)",
    ),
    function(
        "percent",
        &[Kind::Number, Kind::Number],
        Kind::Amount,
        "so many hundredths of an amount",
        "percent(12.40, 10)",
    ),
    function(
        "cents",
        &[Kind::Number],
        Kind::Amount,
        "an amount in the currency's smallest coins",
        "cents(12.40)",
    ),
    method(
        TEXT,
        "contains",
        &[TEXT],
        Kind::Flag,
        "whether a text has another in it",
        "\"espresso\".contains(\"press\")",
    ),
    method(
        TEXT,
        "starts_with",
        &[TEXT],
        Kind::Flag,
        "whether a text begins with another",
        "\"espresso\".starts_with(\"es\")",
    ),
    method(
        TEXT,
        "ends_with",
        &[TEXT],
        Kind::Flag,
        "whether a text ends with another",
        "\"espresso\".ends_with(\"so\")",
    ),
    method(TEXT, "to_upper", &[], TEXT, "in capitals", "\"web\".to_upper()"),
    method(TEXT, "to_lower", &[], TEXT, "in small letters", "\"WEB\".to_lower()"),
    method(TEXT, "len", &[], Kind::Whole, "how many letters", "\"web\".len()"),
    property(Kind::Whole, "day", Kind::Span, "one day", "1.day"),
    property(Kind::Whole, "days", Kind::Span, "so many days", "30.days"),
    property(Kind::Whole, "week", Kind::Span, "one week", "1.week"),
    property(Kind::Whole, "weeks", Kind::Span, "so many weeks", "2.weeks"),
    property(Kind::Whole, "month", Kind::Span, "one month", "1.month"),
    property(Kind::Whole, "months", Kind::Span, "so many months", "3.months"),
    property(Kind::Whole, "year", Kind::Span, "one year", "1.year"),
    property(Kind::Whole, "years", Kind::Span, "so many years", "2.years"),
    function("award", &[Kind::Number], Kind::Nothing, "units into the rule's wallet", "award(50)"),
    function(
        "award",
        &[Kind::Number, Kind::Text(Domain::Wallet)],
        Kind::Nothing,
        "units into another wallet",
        "award(5, \"stamps\")",
    ),
    function("grant", &[TEXT], Kind::Nothing, "a right that stays: a badge", "grant(\"Founder\")"),
    function(
        "grant",
        &[TEXT, Kind::Span],
        Kind::Nothing,
        "a right for a time; one that still runs is extended from its end",
        "grant(\"Club\", 1.year)",
    ),
    function(
        "revoke",
        &[Kind::Text(Domain::Grant)],
        Kind::Nothing,
        "takes a right back",
        "revoke(\"Club\")",
    ),
    function("tag", &[TEXT], Kind::Nothing, "marks the member", "tag(\"vip\")"),
    function("untag", &[TEXT], Kind::Nothing, "takes a mark off", "untag(\"vip\")"),
    function(
        "refer",
        &[],
        Kind::Nothing,
        "the one who brought this member has done a `referral`: their rules say what it pays",
        "refer()",
    ),
    function("product", &[TEXT], Kind::Gift, "a thing", "product(\"Any coffee\")"),
    function("discount", &[Kind::Number], Kind::Gift, "money off an order", "discount(5.00)"),
    function(
        "percent_off",
        &[Kind::Number],
        Kind::Gift,
        "a part of an order off",
        "percent_off(10)",
    ),
    function("free_shipping", &[], Kind::Gift, "the delivery of an order", "free_shipping()"),
    function("event", &[TEXT], Kind::Gift, "a place at an event", "event(\"Cupping night\")"),
    function("gift_card", &[Kind::Number], Kind::Gift, "a card with money on it", "gift_card(25)"),
    function(
        "access",
        &[TEXT],
        Kind::Gift,
        "something that is not for everyone",
        "access(\"The sale, a day early\")",
    ),
    function("payout", &[Kind::Number], Kind::Gift, "money paid out", "payout(5.00)"),
    function(
        "voucher",
        &[Kind::Text(Domain::Pool)],
        Kind::Gift,
        "a code from a pool of codes",
        "voucher(\"SPRING\")",
    ),
];

/// The functions that request an effect and have no value. `earn` and `task` blocks may call all of
/// them, `reward` blocks some. `voucher` also requests an effect, but its value is a gift.
pub(crate) const EFFECTS: [&str; 6] = ["award", "grant", "revoke", "tag", "untag", "refer"];

/// A hint for a name that is not known.
pub(crate) fn meant<'a>(
    name: &str,
    programme: &Programme,
    locals: impl Iterator<Item = &'a str>,
) -> String {
    let remedy = match name {
        "not" => "write `!` for it",
        "and" => "write `&&` for it",
        "or" => "write `||` for it",
        "elseif" | "elsif" | "elif" => "write `else if` for it",
        "give" | "pay" | "pays" | "add" => "a block ends with what it pays: `{ 5 }`",
        "percent" | "of" => "10 % of an amount is `percent(order.total, 10)`",
        _ => "",
    };
    if !remedy.is_empty() {
        return format!("; {remedy}");
    }
    if let Some(function) = functions(name).next() {
        return format!("; it is written `{}`", function.example);
    }
    if programme.wallets.contains_key(name) {
        return format!("; a wallet is asked as `wallet(\"{name}\")`");
    }
    let of_facts = [Kind::Order, Kind::Member, Kind::Activity, Kind::Time];
    let mut words = of_facts.iter().flat_map(words_of);
    if let Some(word) = words.find(|word| word.name == name) {
        return format!("; did you mean `{}`?", word.example);
    }
    let hint = did_you_mean(name, locals.chain(FACTS.iter().map(|fact| fact.name)));
    if hint.is_empty() { format!("; a text stands in double quotes: \"{name}\"") } else { hint }
}

/// The words that can follow a value of this kind.
pub(crate) fn words_of(kind: &Kind) -> impl Iterator<Item = &'static Word> {
    let kind = match kind {
        Kind::Text(_) => TEXT,
        kind => kind.clone(),
    };
    WORDS.iter().filter(move |word| word.of.as_ref() == Some(&kind))
}

/// The functions of this name.
pub(crate) fn functions(name: &str) -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(move |word| word.form == Form::Function && word.name == name)
}
