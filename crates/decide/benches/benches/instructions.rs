//! A benchmark that counts the instructions of one evaluation. A busy machine does not change them.
//! It leaves out Node, whose compiler works while the rules run.
//!
//! Each engine is built, used once and leaked before the count begins. So the count includes
//! neither its construction, nor its destruction, nor work that only the first evaluation does.

// The macros generate items.
#![allow(missing_docs, unreachable_pub, reason = "the macros write items of their own")]

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use peers::case::Case;
use peers::cel_programs::Cel;
use peers::ours::{self, Asked, Cache, Ours, TenSheets};
use peers::plain_rhai::PlainRhai;
use peers::zen_graph::Zen;
use peers::{Paid, by_hand};

type Kept<T> = &'static (T, Case);

fn kept<T>(engine: T, pay: impl Fn(&T, &Case) -> Paid) -> Kept<T> {
    let case = Case::saturday();
    assert_eq!(pay(&engine, &case), by_hand::pay(&case), "the engine pays something else");
    Box::leak(Box::new((engine, case)))
}

fn rhai_kept() -> Kept<PlainRhai> {
    kept(PlainRhai::new(), PlainRhai::pay)
}

fn cel_kept() -> Kept<Cel> {
    kept(Cel::new(), Cel::pay)
}

fn zen_kept() -> Kept<Zen> {
    kept(Zen::new(), Zen::pay)
}

fn hand_kept() -> Kept<()> {
    kept((), |(), case| by_hand::pay(case))
}

fn ours_kept(lines: usize) -> (&'static Ours, &'static Asked) {
    let (engine, case) = (Ours::new(), Case::with_lines(lines));
    assert_eq!(engine.pay(&case), by_hand::pay(&case), "the engine pays something else");
    let asked = ours::asked(&case);
    (Box::leak(Box::new(engine)), Box::leak(Box::new(asked)))
}

fn sheets_kept() -> &'static TenSheets {
    let sheets = Box::leak(Box::new(TenSheets::new()));
    sheets.compile();
    sheets
}

fn cache_kept() -> &'static Cache {
    let cache = Box::leak(Box::new(Cache::new()));
    cache.look_up();
    cache
}

#[library_benchmark]
#[bench::of(setup = ours_kept, args = (5))]
fn regulars_pays((engine, asked): (&'static Ours, &'static Asked)) {
    drop(black_box(engine.say(black_box(asked))));
}

#[library_benchmark]
#[bench::of(setup = hand_kept)]
fn by_hand_pays((_, case): Kept<()>) -> Paid {
    black_box(by_hand::pay(black_box(case)))
}

#[library_benchmark]
#[bench::of(setup = rhai_kept)]
fn rhai_pays((engine, case): Kept<PlainRhai>) -> Paid {
    black_box(engine.pay(black_box(case)))
}

#[library_benchmark]
#[bench::of(setup = cel_kept)]
fn cel_pays((engine, case): Kept<Cel>) -> Paid {
    black_box(engine.pay(black_box(case)))
}

#[library_benchmark]
#[bench::of(setup = zen_kept)]
fn zen_engine_pays((engine, case): Kept<Zen>) -> Paid {
    black_box(engine.pay(black_box(case)))
}

library_benchmark_group!(
    name = sheet,
    benchmarks = [regulars_pays, by_hand_pays, rhai_pays, cel_pays, zen_engine_pays]
);

#[library_benchmark]
#[bench::of_5(setup = ours_kept, args = (5))]
#[bench::of_50(setup = ours_kept, args = (50))]
#[bench::of_500(setup = ours_kept, args = (500))]
fn order_pays((engine, asked): (&'static Ours, &'static Asked)) {
    drop(black_box(engine.say(black_box(asked))));
}

library_benchmark_group!(name = lines, benchmarks = [order_pays]);

#[library_benchmark]
#[bench::of(setup = sheets_kept)]
fn ten_sheets(sheets: &'static TenSheets) {
    black_box(sheets).compile();
}

#[library_benchmark]
#[bench::of(setup = cache_kept)]
fn kept_bundle(cache: &'static Cache) {
    black_box(cache).look_up();
}

library_benchmark_group!(name = bundle, benchmarks = [ten_sheets, kept_bundle]);

main!(library_benchmark_groups = sheet, lines, bundle);
