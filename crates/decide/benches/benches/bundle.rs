//! What a bundle costs: ten sheets of ten rules compiled, and the compiled bundle found again.

use peers::ours::{Cache, TenSheets};
use peers::results::{BUNDLE, criterion};

fn main() {
    let mut criterion = criterion();
    let mut group = criterion.benchmark_group(BUNDLE);
    let sheets = TenSheets::new();
    group.bench_function("compile", |bencher| bencher.iter(|| sheets.compile()));
    let cache = Cache::new();
    group.bench_function("look-up", |bencher| bencher.iter(|| cache.look_up()));
    group.finish();
    criterion.final_summary();
}
