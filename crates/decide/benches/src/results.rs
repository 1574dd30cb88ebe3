//! The stored results of the benches, and the settings of the measurement.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;
use serde_json::Value;

/// The environment variable for a quick run of one or two minutes with rough figures. It is set by
/// any value but `0` and the empty text.
pub const QUICK: &str = "REGULARS_BENCH_QUICK";

/// The group of all engines over one order.
pub const SHEET: &str = "sheet";
/// The group of Regulars over orders of different lengths.
pub const LINES: &str = "lines";
/// The group of Regulars with a whole bundle.
pub const BUNDLE: &str = "bundle";

/// The numbers of lines of the orders in [`LINES`].
pub const LINE_COUNTS: [usize; 3] = [5, 50, 500];

/// The file with the ratios of times.
const RATIOS: &str = "side-by-side.json";

/// Whether this is a quick run with rough figures.
#[must_use]
pub fn quick() -> bool {
    std::env::var_os(QUICK).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Criterion with the time to measure, and with the output folder that [`nanoseconds`] reads.
#[must_use]
pub fn criterion() -> Criterion {
    let criterion = Criterion::default().output_directory(&target().join("criterion"));
    let criterion = if quick() {
        criterion
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_millis(700))
    } else {
        criterion
    };
    criterion.configure_from_args()
}

/// The median time of one evaluation in nanoseconds, if Criterion has measured it.
#[must_use]
pub fn nanoseconds(group: &str, name: &str) -> Option<f64> {
    let file = target().join("criterion").join(group).join(name).join("new/estimates.json");
    let estimates: Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    estimates.pointer("/median/point_estimate")?.as_f64()
}

/// Stores the ratio of the time of Regulars to that of each engine.
pub fn keep_ratios(ratios: &[(&str, f64)]) {
    let ratios: serde_json::Map<String, Value> =
        ratios.iter().map(|(name, ratio)| ((*name).to_owned(), (*ratio).into())).collect();
    std::fs::write(target().join(RATIOS), Value::Object(ratios).to_string())
        .expect("Cargo's target folder can be written");
}

/// The ratio of the time of Regulars to that of an engine, if `side_by_side` has measured it.
#[must_use]
pub fn ratio(name: &str) -> Option<f64> {
    let ratios: Value =
        serde_json::from_str(&std::fs::read_to_string(target().join(RATIOS)).ok()?).ok()?;
    ratios.get(name)?.as_f64()
}

/// The number of instructions of one evaluation, if Callgrind has counted them.
#[must_use]
pub fn instructions(group: &str, name: &str) -> Option<u64> {
    let package = target().join("gungraun").join(env!("CARGO_PKG_NAME"));
    let folder = package.join("instructions").join(group).join(name);
    let profile = std::fs::read_to_string(profile(&folder)?).ok()?;
    let summary = profile.lines().find_map(|line| line.strip_prefix("summary:"))?;
    summary.split_whitespace().next()?.parse().ok()
}

fn profile(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|file| file.path());
    let mut profiles =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "out"));
    profiles.next()
}

/// Cargo's target folder. The benches are in its `release/deps`.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows where it is");
    program.ancestors().nth(3).expect("Cargo puts programs three folders deep").to_owned()
}
