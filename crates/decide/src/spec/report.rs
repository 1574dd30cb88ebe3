//! What became of specs.

use std::fmt;

use toml::Value;

use crate::coverage::Coverage;

/// What became of one spec.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecResult {
    /// In which file.
    pub file: String,
    /// On which line it begins.
    pub line: usize,
    /// What it says.
    pub it: String,
    /// Which of the file's specs it is, from 0.
    pub number: usize,
    /// What was not as expected; nothing if it holds.
    pub differences: Vec<Difference>,
}

/// Something that was not as a spec expects it.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// In which step, from 0; nothing where the spec has no steps.
    pub step: Option<usize>,
    /// On which line that step begins.
    pub line: Option<usize>,
    /// The expectation's name, such as `pays`.
    pub what: &'static str,
    /// What was expected.
    pub expected: Value,
    /// What was found.
    pub found: Value,
}

/// What became of all specs of a bundle.
#[derive(Debug, Clone)]
pub struct SpecReport {
    /// Each spec, in the order of the files.
    pub specs: Vec<SpecResult>,
    /// What of the rules they have shown.
    pub coverage: Coverage,
}

impl SpecReport {
    /// The specs that fail.
    pub fn failed(&self) -> impl Iterator<Item = &SpecResult> {
        self.specs.iter().filter(|spec| !spec.differences.is_empty())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = self.step {
            write!(f, "step {}: ", step + 1)?;
        }
        write!(f, "{}: expected {}, found {}", self.what, say(&self.expected), say(&self.found))
    }
}

/// A value on one line, as it stands in a spec.
#[must_use]
pub fn say(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let bare =
                |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            let key = |key: &str| if bare(key) { key.to_owned() } else { format!("{key:?}") };
            let fields: Vec<String> = table
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), say(value)))
                .collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
        }
        other => other.to_string(),
    }
}
