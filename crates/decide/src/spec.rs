//! Specs: the merchant's tests of its rules, in files beside the sheets. A bundle whose specs fail
//! cannot be published.

/// Mistakes in specs.
mod mistake;
/// The results of specs.
mod report;
/// The form of spec files.
mod written;
/// The initial state of a spec.
mod setup;
/// The comparison of results with expectations.
mod expectations;
/// A scene: one spec, run step by step.
mod scene;

use ledger::MerchantId;
use rules::{Bundle, BundleRejection, Mistake, Object, Sources, place_of};

pub use self::report::{Difference, SpecReport, SpecResult, say};
use self::scene::Scene;
pub use self::setup::{simulated_data, simulated_member};
use self::written::File;
use crate::coverage::Coverage;

/// Reads, checks and compiles a merchant's sources, and runs their specs. A bundle must pass this
/// before it is published.
///
/// # Errors
/// The sources or the specs have mistakes, or specs fail. The rejection lists them.
pub fn proven(merchant: &MerchantId, sources: &Sources) -> Result<Bundle, BundleRejection> {
    let bundle = Bundle::load(merchant, sources)?;
    let reject = |mistakes| BundleRejection { merchant: merchant.to_string(), mistakes };
    let report = run_specs(&bundle, sources).map_err(reject)?;
    let failed: Vec<Mistake> = report
        .failed()
        .map(|spec| {
            let first = spec.differences.first().map(ToString::to_string).unwrap_or_default();
            let message = format!("the spec \"{}\" fails: {first}", spec.it);
            Mistake { place: Some((spec.line, 1)), ..Mistake::of_file(&spec.file, message) }
        })
        .collect();
    if failed.is_empty() { Ok(bundle) } else { Err(reject(failed)) }
}

/// Runs every spec of the sources.
///
/// # Errors
/// A spec cannot be read, contradicts itself, or names something that does not exist.
pub fn run_specs(bundle: &Bundle, sources: &Sources) -> Result<SpecReport, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut report = SpecReport { specs: Vec::new(), coverage: Coverage::of(bundle) };
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
            match Scene::run(bundle, text, spec, &mut report.coverage) {
                Ok(differences) => report.specs.push(SpecResult {
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
