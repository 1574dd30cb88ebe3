//! A benchmark of a bundle of ten sheets of ten rules: compiling it, and finding it in a cache.

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
