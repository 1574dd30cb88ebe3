//! A benchmark of the cost of a line: Regulars over orders of five lines up to the most allowed.

use criterion::BenchmarkId;
use std::hint::black_box;

use peers::case::Case;
use peers::ours::{self, Ours};
use peers::results::{LINE_COUNTS, LINES, criterion};

fn main() {
    let mut criterion = criterion();
    let engine = Ours::new();
    let mut group = criterion.benchmark_group(LINES);
    for count in LINE_COUNTS {
        let asked = ours::asked(&Case::with_lines(count));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| black_box(engine.say(&asked)));
        });
    }
    group.finish();
    criterion.final_summary();
}
