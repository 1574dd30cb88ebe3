//! Specs: what the merchant expects of its rules, in plain words and numbers, beside the sheets. A
//! bundle whose specs fail cannot be published.

/// What is found, compared with what is expected.
mod expectations;
/// Mistakes in specs.
mod mistake;
/// What became of specs.
mod report;
/// A spec as it is played, step by step.
mod scene;
/// What a spec begins with.
mod setup;
/// Specs as they are written.
mod written;

use ledger::MerchantId;
use rules::{Bundle, BundleRejection, Mistake, Object, Sources, place_of};

pub use self::report::{Difference, SpecReport, SpecResult, say};
use self::scene::Scene;
pub use self::setup::{simulated_data, simulated_member};
use self::written::File;
use crate::coverage::Coverage;

/// Reads, checks and compiles a merchant's sources, and runs their specs: the way of a bundle that is
/// to be published.
///
/// # Errors
/// Every mistake that was found, or every spec that fails.
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
/// A spec cannot be read, or names something that does not exist.
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
