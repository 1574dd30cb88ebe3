//! Manifests and specs that cannot be read: the TOML reader's errors, reworded for people who are
//! not programmers.

use super::Mistake;
use crate::file_names::SPEC_END;
use crate::suggest::did_you_mean;

impl Mistake {
    /// A mistake in a file that is not TOML, or whose TOML does not have the expected form.
    #[must_use]
    pub fn of_toml(file: &str, text: &str, error: &toml::de::Error) -> Mistake {
        let mut message = say_toml(error);
        if message == TWICE && file.ends_with(SPEC_END) {
            message +=
                "; each spec begins with `[[spec]]`, and each of its steps with `[[spec.step]]`";
        }
        if message.starts_with("a list,")
            && message.ends_with("not a table")
            && file.ends_with(SPEC_END)
        {
            message = "each spec begins with `[[spec]]`, in two brackets".to_owned();
        }
        match error.span() {
            Some(span) => Mistake::at_byte(file, text, span.start, message),
            None => Mistake::of_file(file, message),
        }
    }
}

/// The keys that stand at the top of a manifest. Further down, TOML would read them as keys of the
/// table above.
const TOP_OF_MANIFEST: [&str; 8] = [
    "name",
    "currency",
    "time_zone",
    "main_wallet",
    "hold_minutes",
    "late_days",
    "restored_days",
    "on_failure",
];

/// The message about a key that its table already has.
const TWICE: &str = "this stands here twice";

/// The message for an error of the TOML reader, in words for people who are not programmers.
#[must_use]
pub fn say_toml(error: &toml::de::Error) -> String {
    say_message(&error.message().replace('\n', " "))
}

/// The message where a value is not what is wanted, such as `invalid type: map, expected a string`,
/// in the same words; any other text as it is.
#[must_use]
pub fn say_found_for_wanted(message: &str) -> String {
    let Some((problem, wanted)) = message.split_once(", expected ") else {
        return message.to_owned();
    };
    let found = problem.strip_prefix("invalid type: ").or_else(|| {
        // A number that is out of range keeps the reader's own words.
        problem.strip_prefix("invalid value: ").filter(|found| found.starts_with("string"))
    });
    match found {
        Some(found) => {
            let wanted = say_wanted(wanted);
            let comma =
                if wanted.contains(", such as ") && !wanted.ends_with(',') { "," } else { "" };
            format!("{wanted}{comma} is needed here, not {}", say_found(found))
        }
        None => message.to_owned(),
    }
}

fn say_message(message: &str) -> String {
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    let (problem, wanted) = message.split_once(", expected ").unwrap_or((message, ""));
    if let Some(found) = problem.strip_prefix("invalid type: ") {
        let remedy = number_of(found).map(|number| match wanted {
            "a string" => format!(": write \"{number}\""),
            "i64" | "u32" | "u8" => "; a thousand is written `1_000`".to_owned(),
            _ => String::new(),
        });
        let remedy = remedy.unwrap_or_default();
        return format!("{} is needed here, not {}{remedy}", say_wanted(wanted), say_found(found));
    }
    let unknown = ["unknown field ", "unknown variant "];
    if let Some(name) = unknown.iter().find_map(|unknown| problem.strip_prefix(unknown)) {
        let name = name.split('`').nth(1).unwrap_or(name);
        if name == "$__toml_private_datetime" {
            return "a day cannot stand here".to_owned();
        }
        let known: Vec<&str> = wanted.split('`').skip(1).step_by(2).collect();
        let hint = match did_you_mean(name, known.iter().copied()) {
            _ if TOP_OF_MANIFEST.contains(&name) => {
                "; write it above the first line in square brackets".to_owned()
            }
            hint if hint.is_empty() && !known.is_empty() => {
                format!("; there is `{}`", known.join("`, `"))
            }
            hint => hint,
        };
        return format!("there is no `{name}` here{hint}");
    }
    if problem.starts_with("key with no value") {
        return "a key and its value are joined by `=`, as in `currency = \"EUR\"`".to_owned();
    }
    if problem.starts_with("unclosed table") {
        return "a line in square brackets ends with `]`, and each name in it is one word: `[wallets.free-stamps]`; that of a store, a campaign or a pool may stand in quotes: `[stores.\"main street\"]`".to_owned();
    }
    if problem.contains("leading zero") {
        return "a number does not begin with 0; a day is written such as 2026-06-01".to_owned();
    }
    if problem == "duplicate key" {
        return TWICE.to_owned();
    }
    if problem.starts_with("string values must be quoted") {
        return "a text stands in double quotes".to_owned();
    }
    if problem.starts_with("invalid float") || problem.starts_with("invalid integer") {
        return "this is no value: a text stands in double quotes, yes and no are `true` and `false`".to_owned();
    }
    message.to_owned()
}

/// The number that was found, without its decimals of zero.
fn number_of(found: &str) -> Option<&str> {
    let number =
        found.strip_prefix("floating point ").or_else(|| found.strip_prefix("integer "))?;
    Some(number.trim_matches('`'))
}

fn say_wanted(wanted: &str) -> &str {
    match wanted {
        "i64" | "u32" | "u8" => "a whole number without quotes",
        "a string" | "a Decimal type representing a fixed-point number" => "a text in quotes",
        "a sequence" => "a list, such as [\"a\", \"b\"],",
        "a map" | "an object" => "a table, such as `{ points = 5 }`,",
        "a TOML datetime" => "a day without quotes, such as 2026-08-31,",
        "a boolean" => "true or false, without quotes,",
        tagged if tagged.starts_with("internally tagged enum") => {
            "a table, such as `{ kind = \"discount\", amount = \"5.00\" }`,"
        }
        other => other,
    }
}

fn say_found(found: &str) -> String {
    let kinds = [
        ("string ", "the text "),
        ("floating point ", "the number "),
        ("integer ", "the number "),
        ("boolean ", ""),
    ];
    let kind = kinds.iter().find_map(|(kind, word)| Some((word, found.strip_prefix(kind)?)));
    match (found, kind) {
        ("map", _) => "a table".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        (_, Some((word, value))) => format!("{word}{value}"),
        _ => found.to_owned(),
    }
}
