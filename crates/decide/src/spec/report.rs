//! The results of specs.

use std::fmt;

use toml::Value;

use crate::coverage::Coverage;

/// The result of one spec.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecResult {
    /// The file of the spec.
    pub file: String,
    /// The line on which it begins.
    pub line: usize,
    /// The description: the value of `it`.
    pub it: String,
    /// Its index among the specs of the file, from 0.
    pub number: usize,
    /// The differences; empty if the spec holds.
    pub differences: Vec<Difference>,
}

/// A difference between the expectation and the result of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The index of the step, from 0; nothing if the spec has no steps.
    pub step: Option<usize>,
    /// The line on which that step begins.
    pub line: Option<usize>,
    /// The name of the expectation, such as `pays`.
    pub what: &'static str,
    /// The expected value.
    pub expected: Value,
    /// The value that was found.
    pub found: Value,
}

/// The results of all specs of a bundle.
#[derive(Debug, Clone)]
pub struct SpecReport {
    /// The result of each spec, in the order of the files.
    pub specs: Vec<SpecResult>,
    /// The coverage of the rules.
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

/// A value on one line, as a spec writes it.
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
