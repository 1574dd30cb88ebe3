//! A benchmark of the ratio of the time of Regulars to that of each peer. The speed of a busy
//! machine varies, so the engines take turns of a few milliseconds: a slow period slows
//! neighbouring turns alike and hardly changes the ratio of a round. The result is the median of
//! the rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use peers::case::Case;
use peers::cel_programs::Cel;
use peers::ours::{self, Ours};
use peers::plain_rhai::PlainRhai;
use peers::results::{keep_ratios, quick};
use peers::rules_in_node::RulesInNode;
use peers::zen_graph::Zen;
use peers::{agree, by_hand};

/// The approximate time of one engine's turn.
const TURN: Duration = Duration::from_millis(3);
const ROUNDS: usize = 600;
const ROUNDS_OF_A_QUICK_RUN: usize = 60;

/// An engine's turn: it takes the number of evaluations, and returns their time.
type Turn<'a> = Box<dyn FnMut(u64) -> Duration + 'a>;

fn main() {
    agree::check();
    let case = Case::saturday();
    let (ours, asked) = (Ours::new(), ours::asked(&case));
    let (rhai, cel, zen) = (PlainRhai::new(), Cel::new(), Zen::new());
    let mut node = RulesInNode::start();
    node.warm_up(&case);
    let mut engines: Vec<(&str, Turn<'_>)> = vec![
        ("regulars", timed(|| drop(black_box(ours.say(&asked))))),
        ("zen-engine", timed(|| drop(black_box(zen.pay(&case))))),
        ("cel", timed(|| drop(black_box(cel.pay(&case))))),
        ("rhai", timed(|| drop(black_box(rhai.pay(&case))))),
        ("by-hand", timed(|| drop(black_box(by_hand::pay(&case))))),
        ("json-rules-engine", Box::new(|runs| node.time(&case, runs))),
    ];
    // A first turn warms up the engine, and finds out how many evaluations fill a turn.
    let runs: Vec<u64> = engines.iter_mut().map(|(_, turn)| fill(turn)).collect();
    let rounds = if quick() { ROUNDS_OF_A_QUICK_RUN } else { ROUNDS };
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); engines.len()];
    for _ in 0..rounds {
        let times: Vec<f64> = engines
            .iter_mut()
            .zip(&runs)
            .map(|((_, turn), runs)| turn(*runs).as_secs_f64() / *runs as f64)
            .collect();
        for (ratios, time) in ratios.iter_mut().zip(&times) {
            ratios.push(times[0] / time);
        }
    }
    let medians: Vec<(&str, f64)> =
        engines.iter().map(|(name, _)| *name).zip(ratios.into_iter().map(median)).collect();
    for (name, ratio) in &medians[1..] {
        println!("Regulars takes {ratio:.2} of the time of {name}, the median of {rounds} rounds");
    }
    keep_ratios(&medians);
}

fn timed<'a>(mut evaluate: impl FnMut() + 'a) -> Turn<'a> {
    Box::new(move |runs| {
        let started = Instant::now();
        for _ in 0..runs {
            evaluate();
        }
        started.elapsed()
    })
}

fn fill(turn: &mut Turn<'_>) -> u64 {
    let mut runs = 1;
    loop {
        let took = turn(runs);
        if took >= TURN {
            return runs;
        }
        runs *= 2;
    }
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
