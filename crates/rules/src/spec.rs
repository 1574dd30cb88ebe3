//! Specs: what the merchant expects of its rules, in plain words and numbers, beside the sheets. A
//! bundle whose specs fail cannot be published.

use std::fmt;

use ledger::MerchantId;
use toml::{Spanned, Value};

use crate::bundle::Bundle;
use crate::coverage::Coverage;
use crate::mistake::{BundleRejection, Mistake, did_you_mean};
use crate::pieces::place_of;
use crate::source::Sources;
use crate::spec::scene::Scene;
use crate::spec::written::File;
use crate::told::Object;

pub use setup::{simulated_member, simulated_supplies};

/// What is found, held against what is expected.
mod expectations;
/// A spec as it is played, step by step.
mod scene;
/// What a spec begins with.
mod setup;
/// Specs as they are written.
mod written;

/// What became of one spec.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecOutcome {
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
    pub specs: Vec<SpecOutcome>,
    /// What of the rules they have shown.
    pub coverage: Coverage,
}

impl SpecReport {
    /// The specs that fail.
    pub fn failed(&self) -> impl Iterator<Item = &SpecOutcome> {
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

impl Bundle {
    /// Reads, checks and compiles a merchant's sources, and holds them to their specs: the way of a
    /// bundle that is to be published.
    ///
    /// # Errors
    /// Every mistake that was found, or every spec that fails.
    pub fn proven(merchant: &MerchantId, sources: &Sources) -> Result<Bundle, BundleRejection> {
        let bundle = Bundle::load(merchant, sources)?;
        let reject = |mistakes| BundleRejection { merchant: merchant.to_string(), mistakes };
        let report = bundle.hold_to(sources).map_err(reject)?;
        let failed: Vec<Mistake> = report
            .failed()
            .map(|spec| {
                let first = spec.differences.first().map(ToString::to_string).unwrap_or_default();
                let place = Some((spec.line, 1));
                Mistake {
                    place,
                    ..Mistake::of_file(
                        &spec.file,
                        format!("the spec \"{}\" fails: {first}", spec.it),
                    )
                }
            })
            .collect();
        if failed.is_empty() { Ok(bundle) } else { Err(reject(failed)) }
    }

    /// Runs every spec of the sources.
    ///
    /// # Errors
    /// A spec cannot be read, or speaks of what there is not.
    pub fn hold_to(&self, sources: &Sources) -> Result<SpecReport, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut report = SpecReport { specs: Vec::new(), coverage: Coverage::of(self) };
        for (file, text) in sources.specs() {
            let read = match toml::from_str::<File>(text) {
                Ok(read) => read,
                Err(error) => {
                    mistakes.push(Mistake::of_toml(file, text, &error));
                    continue;
                }
            };
            for (number, Object(spec)) in read.spec.into_iter().enumerate() {
                let span = spec.it.span();
                let it = spec.it.get_ref().clone();
                let (line, _) = place_of(text, span.start);
                match Scene::run(self, text, spec, &mut report.coverage) {
                    Ok(differences) => report.specs.push(SpecOutcome {
                        file: file.to_owned(),
                        line,
                        it,
                        number,
                        differences,
                    }),
                    Err((at, message)) => {
                        let byte = at.unwrap_or(span.start);
                        mistakes.push(Mistake::at_byte(file, text, byte, message));
                    }
                }
            }
        }
        if mistakes.is_empty() { Ok(report) } else { Err(mistakes) }
    }
}

/// A mistake in a spec: where, if that is known better than the spec as a whole, and what.
type Wrong = (Option<usize>, String);

/// Refuses a name that is none of those there are.
fn known<'n>(
    what: &str,
    name: &Spanned<String>,
    names: impl Iterator<Item = &'n str>,
) -> Result<(), Wrong> {
    let names: Vec<&str> = names.collect();
    if names.contains(&name.get_ref().as_str()) { Ok(()) } else { Err(unknown(what, name, names)) }
}

fn unknown<'n>(
    what: &str,
    name: &Spanned<String>,
    names: impl IntoIterator<Item = &'n str>,
) -> Wrong {
    let hint = did_you_mean(name.get_ref(), names);
    (Some(name.span().start), format!("there is no {what} `{}`{hint}", name.get_ref()))
}
