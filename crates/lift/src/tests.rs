//! Trials that are made up, without an effect and with a known one, and trials without an effect on
//! what real customers bought.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::course::Sums;
use crate::difference::Difference;
use crate::{Course, Look, Subject, unlikely};

/// The days of a trial that is made up, and its members.
const DAYS: usize = 60;
const MEMBERS: usize = 400;
/// What an order comes to is log-normal.
const LOG_MEAN: f64 = 8.0;
const LOG_DEVIATION: f64 = 0.8;
/// How many orders a member makes on a day, on average; it differs between members as 1 differs from 3.
const RATE: f64 = 0.08;

/// How many trials are made up: `REGULARS_TRIALS`, or a small number.
fn trials() -> u64 {
    std::env::var("REGULARS_TRIALS").map_or(400, |trials| trials.parse().unwrap())
}

fn normal(rng: &mut Rng) -> f64 {
    let (one, other) = (1.0 - rng.f64(), rng.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

/// What a member buys on days, at a rate.
fn bought(rng: &mut Rng, rate: f64, days: usize, times: f64) -> Vec<(usize, i64)> {
    let mut bought = Vec::new();
    let mut at = 0.0;
    loop {
        at += -(1.0 - rng.f64()).ln() / rate;
        let day = at as usize;
        if day >= days {
            return bought;
        }
        let amount = (LOG_MEAN + LOG_DEVIATION * normal(rng)).exp() * times;
        bought.push((day, amount.round() as i64));
    }
}

/// A trial in which an order comes to `times` as much for whom it is on. One member in five enrols in
/// its midst.
fn made_up(seed: u64, times: f64) -> Course {
    let mut rng = Rng::with_seed(seed);
    let mut course = Course::new(DAYS);
    for _ in 0..MEMBERS {
        let rate = RATE * (0.5 + rng.f64());
        let is_new = rng.u8(..5) == 0;
        let since = if is_new { rng.usize(..DAYS) } else { 0 };
        let takes_part = rng.bool();
        let before = if is_new { Vec::new() } else { bought(&mut rng, rate, DAYS, 1.0) };
        let own = if takes_part { times } else { 1.0 };
        let during: Vec<_> = bought(&mut rng, rate, DAYS - since, own)
            .into_iter()
            .map(|(day, amount)| (since + day, amount))
            .collect();
        let before = before.iter().map(|(_, amount)| amount).sum();
        course.count(Subject { takes_part, since, before, during: &during }).unwrap();
    }
    course
}

fn share(of: u64, all: u64) -> f64 {
    of as f64 / all as f64
}

#[test]
fn one_who_looks_daily_is_rarely_misled() {
    let all = trials();
    let is_wrong = |seed: &u64| made_up(*seed, 1.0).looks().unwrap().iter().any(Look::is_real);
    let wrong = (0..all).filter(is_wrong).count() as u64;
    println!("{wrong} of {all} trials without an effect looked as if they had one, on some day");
    assert!(share(wrong, all) <= 0.05, "{wrong} of {all}");
}

#[test]
fn an_effect_is_found_and_is_in_the_interval_at_all_looks() {
    const TIMES: f64 = 1.5;
    let all = trials();
    let order = (LOG_MEAN + LOG_DEVIATION * LOG_DEVIATION / 2.0).exp();
    // What one who is there from the first day spends more by the end of a day, and so does one in five
    // who enrolled meanwhile, for half of that time.
    let more = |day: usize| {
        let days = (day + 1) as f64;
        let per_day = RATE * order * (TIMES - 1.0);
        let new = 0.2 * days / DAYS as f64;
        (0.8 * days + new * (days - 1.0) / 2.0) / (0.8 + new) * per_day
    };
    let (mut found, mut held) = (0, 0);
    for seed in 0..all {
        let looks = made_up(seed, TIMES).looks().unwrap();
        found += u64::from(looks.last().unwrap().is_real());
        let is_in = |look: &Look| (look.interval.0..=look.interval.1).contains(&more(look.day));
        held += u64::from(looks.iter().all(is_in));
    }
    println!("found in {found} and within the interval at all looks in {held} of {all} trials");
    assert!(share(held, all) >= 0.95, "{held} of {all}");
    assert!(share(found, all) >= 0.5, "{found} of {all}");
}

/// What each customer of CDNOW bought before 1 October 1997, and on the days from then on, in cents.
fn cdnow() -> Vec<(i64, Vec<(usize, i64)>)> {
    const BEGINS: i64 = 273;
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let orders = include_str!("../../../tests/data/cdnow_orders.csv");
    let mut all: BTreeMap<&str, (i64, BTreeMap<usize, i64>)> = BTreeMap::new();
    let heads: Vec<&str> = orders.lines().next().unwrap().split(',').collect();
    let place = |name: &str| heads.iter().position(|head| *head == name).unwrap();
    let (member, at, total) = (place("member"), place("at"), place("total"));
    for line in orders.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |from: usize, to: usize| cells[at][from..to].parse::<i64>().unwrap();
        let month = BEFORE[usize::try_from(number(5, 7)).unwrap() - 1];
        let day = (number(0, 4) - 1997) * 365 + month + number(8, 10) - 1 - BEGINS;
        let cents = (cells[total].parse::<f64>().unwrap() * 100.0).round() as i64;
        let customer = all.entry(cells[member]).or_default();
        match usize::try_from(day) {
            Ok(day) => *customer.1.entry(day).or_default() += cents,
            Err(_) => customer.0 += cents,
        }
    }
    all.into_values().map(|(before, during)| (before, during.into_iter().collect())).collect()
}

#[test]
fn real_customers_who_are_split_by_chance_rarely_look_different() {
    let customers = cdnow();
    let all = trials();
    let (mut wrong, mut narrower) = (0, 0);
    for seed in 0..all {
        let mut rng = Rng::with_seed(seed);
        let (mut with, mut without) = (Course::new(273), Course::new(273));
        for (before, during) in &customers {
            let subject = Subject { takes_part: rng.bool(), since: 0, before: *before, during };
            with.count(subject).unwrap();
            without.count(Subject { before: 0, ..subject }).unwrap();
        }
        let looks = with.looks().unwrap();
        wrong += u64::from(looks.iter().any(Look::is_real));
        let width = |look: &Look| look.interval.1 - look.interval.0;
        let (one, other) = (looks.last().unwrap(), without.looks().unwrap());
        narrower += u64::from(width(one) < width(other.last().unwrap()));
    }
    println!(
        "{wrong} of {all} splits of CDNOW looked as if they had an effect; what they had bought before made the interval narrower in {narrower}"
    );
    assert!(share(wrong, all) <= 0.05, "{wrong} of {all}");
    assert!(share(narrower, all) >= 0.95, "{narrower} of {all}");
}

#[test]
fn parts_in_any_order_add_up_to_the_same() {
    let mut rng = Rng::with_seed(7);
    let bought: Vec<Vec<(usize, i64)>> =
        (0..50).map(|_| bought(&mut rng, 0.1, DAYS, 1.0)).collect();
    let subjects: Vec<Subject<'_>> = bought
        .iter()
        .map(|during| {
            let (takes_part, before) = (rng.bool(), rng.i64(0..5_000));
            Subject { takes_part, since: 0, before, during }
        })
        .collect();
    let mut whole = Course::new(DAYS);
    subjects.iter().for_each(|one| whole.count(*one).unwrap());
    let mut parts = vec![Course::new(DAYS); 7];
    subjects.iter().rev().for_each(|one| parts[rng.usize(..7)].count(*one).unwrap());
    let mut sum = Course::new(DAYS);
    parts.iter().for_each(|part| sum.add(part).unwrap());
    assert_eq!(sum, whole);
}

#[test]
fn a_difference_is_that_of_the_means_with_its_variance() {
    // Who takes part: 2, 4, 6 (thirty times); the holdout: 1, 3, 5. Nobody did anything before.
    let mut course = Course::new(1);
    for amount in [1, 2, 3, 4, 5, 6].repeat(30) {
        let during = [(0, amount)];
        let takes_part = amount % 2 == 0;
        course.count(Subject { takes_part, since: 0, before: 0, during: &during }).unwrap();
    }
    let sums: [Sums; 2] = course.ends().next().unwrap().unwrap();
    let found = Difference::of(&sums).unwrap().unwrap();
    assert_eq!((found.part, found.holdout, found.members), (4.0, 3.0, 180.0));
    // The squares around a mean sum up to 240 in each arm.
    let variance = 2.0 * 240.0 / 89.0 / 90.0;
    assert!((found.variance - variance).abs() < 1e-12, "{found:?}");
}

#[test]
fn what_the_time_before_explains_is_no_difference() {
    // A member spends twice what it spent before, and those who take part spent more before.
    let mut course = Course::new(1);
    for amount in (0..200).map(|number| 10 + number % 7) {
        for (takes_part, before) in [(true, amount + 20), (false, amount)] {
            let during = [(0, 2 * before)];
            course.count(Subject { takes_part, since: 0, before, during: &during }).unwrap();
        }
    }
    let sums: [Sums; 2] = course.ends().next().unwrap().unwrap();
    let found = Difference::of(&sums).unwrap().unwrap();
    assert!((found.part - found.holdout).abs() < 1e-9, "{found:?}");
    assert!(found.variance < 1e-9, "{found:?}");
}

#[test]
fn a_split_that_is_uneven_is_unlikely() {
    assert_eq!(unlikely([500, 500], [50.0, 50.0]), Some(1.0));
    // A square of 10.83 on one degree of freedom is one in a thousand.
    let uneven = unlikely([552, 448], [10.0, 10.0]).unwrap();
    assert!((0.000_9..0.001_1).contains(&uneven), "{uneven}");
    assert!(unlikely([900, 100], [90.0, 10.0]).unwrap() > 0.99);
    assert_eq!(unlikely([0, 0], [50.0, 50.0]), None);
    assert_eq!(unlikely([1, 1], [50.0, 0.0]), None);
}

#[test]
fn what_is_too_much_is_said() {
    let mut course = Course::new(1);
    let during = [(0, i64::MAX), (0, i64::MAX)];
    let subject = Subject { takes_part: true, since: 0, before: i64::MAX, during: &during };
    let counted = (0..100).try_for_each(|_| course.count(subject));
    assert_eq!(
        counted.unwrap_err().to_string(),
        "what members did comes to more than can be counted"
    );
}
