//! A benchmark in which all engines run the same ten rules over the same order.

use criterion::{BatchSize, Criterion};
use std::hint::black_box;

use peers::case::Case;
use peers::cel_programs::Cel;
use peers::ours::{self, Ours};
use peers::plain_rhai::PlainRhai;
use peers::results::{SHEET, criterion};
use peers::rules_in_node::RulesInNode;
use peers::zen_graph::Zen;
use peers::{agree, by_hand};

fn main() {
    agree::check();
    let mut criterion = criterion();
    measure(&mut criterion);
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion) {
    let case = Case::saturday();
    let mut group = criterion.benchmark_group(SHEET);

    let (engine, asked) = (Ours::new(), ours::asked(&case));
    group.bench_function("regulars", |bencher| bencher.iter(|| engine.say(&asked)));
    // The whole decision on an activity: what a function does between loading and writing.
    group.bench_function("whole decision", |bencher| {
        bencher.iter_batched(
            || asked.activity(),
            |activity| drop(black_box(engine.decide(&asked, activity))),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("by-hand", |bencher| bencher.iter(|| by_hand::pay(&case)));
    let engine = PlainRhai::new();
    group.bench_function("rhai", |bencher| bencher.iter(|| engine.pay(&case)));
    let engine = Cel::new();
    group.bench_function("cel", |bencher| bencher.iter(|| engine.pay(&case)));
    let engine = Zen::new();
    group.bench_function("zen-engine", |bencher| bencher.iter(|| engine.pay(&case)));
    let mut engine = RulesInNode::start();
    engine.warm_up(&case);
    group.bench_function("json-rules-engine", |bencher| {
        bencher.iter_custom(|runs| engine.time(&case, runs));
    });

    group.finish();
}
