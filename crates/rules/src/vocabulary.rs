//! The vocabulary: every word that a rule can use, with its kind and its meaning. The check of a
//! sheet, the hint "did you mean" and the reference all read the one `table`. A test runs each
//! example, so that every word in the table exists and has the kind that the table says.

mod word;

mod table;

use ledger::Programme;

use crate::kind::Kind;
use crate::suggest::did_you_mean;

pub(crate) use table::WORDS;
use word::TEXT;
pub(crate) use word::{Form, Word};

/// The days of the week.
pub(crate) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

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
        "not" | "NOT" | "Not" => "write `!` for it",
        "and" | "AND" | "And" => "write `&&` for it",
        "or" | "OR" | "Or" => "write `||` for it",
        "True" | "TRUE" | "yes" | "Yes" => "write `true` for it",
        "False" | "FALSE" | "no" | "No" => "write `false` for it",
        "rule" | "bonus" => "a rule begins with `earn`, such as `earn \"Review\" on review { 30 }`",
        "level" | "status_level" => "a tier begins with `tier`",
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

/// The functions that make a gift.
pub(crate) fn gifts() -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(|word| word.form == Form::Function && word.gives == Kind::Gift)
}

/// The functions of this name.
pub(crate) fn functions(name: &str) -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(move |word| word.form == Form::Function && word.name == name)
}
