//! The models, held to the figures that are published for the sample of CDNOW.

use std::collections::BTreeMap;

use crate::{Buyer, FitError, Forecast, Purchase, Repeat, Spend};

/// The days of a year before each month.
const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
/// 30 September 1997, and 30 June 1998.
const CALIBRATED: i64 = 272;
const END: i64 = 545;

/// The purchases of all customers, one a day, by day from 1 January 1997.
fn sample() -> Vec<Vec<Purchase>> {
    let orders = include_str!("../../../tests/data/cdnow_orders.csv");
    let mut all: BTreeMap<&str, BTreeMap<i64, f64>> = BTreeMap::new();
    let heads: Vec<&str> = orders.lines().next().unwrap().split(',').collect();
    let place = |name: &str| heads.iter().position(|head| *head == name).unwrap();
    let (member, at, total) = (place("member"), place("at"), place("total"));
    for line in orders.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |from: usize, to: usize| cells[at][from..to].parse::<i64>().unwrap();
        let month = BEFORE[usize::try_from(number(5, 7)).unwrap() - 1];
        let day = (number(0, 4) - 1997) * 365 + month + number(8, 10) - 1;
        *all.entry(cells[member]).or_default().entry(day).or_default() +=
            cells[total].parse::<f64>().unwrap();
    }
    let purchases = |days: BTreeMap<i64, f64>| {
        days.into_iter().map(|(day, amount)| Purchase { day, amount }).collect()
    };
    all.into_values().map(purchases).collect()
}

fn buyers(sample: &[Vec<Purchase>]) -> Vec<Buyer> {
    sample.iter().filter_map(|purchases| Buyer::until(purchases, CALIBRATED)).collect()
}

fn near(found: f64, published: f64, by: f64) {
    assert!((found - published).abs() <= by, "{found} is not {published}");
}

#[test]
fn repeat_buying_is_that_of_the_paper() {
    let sample = sample();
    let buyers = buyers(&sample);
    assert_eq!(buyers.len(), 2357);
    assert_eq!(buyers.iter().filter(|buyer| buyer.repeats > 0.0).count(), 946);
    near(buyers.iter().map(|buyer| buyer.repeats).sum(), 2457.0, 0.0);

    let model = Repeat::fit(&buyers).unwrap();
    near(model.r, 0.243, 0.0005);
    near(model.alpha, 4.414, 0.0005);
    near(model.a, 0.793, 0.0005);
    near(model.b, 2.426, 0.0005);
    near(model.log_likelihood, -9582.4, 0.05);
    let buyer = Buyer { repeats: 2.0, last: 30.43, age: 38.86, mean: None };
    near(model.expected(&buyer, 39.0), 1.226, 0.0005);

    // The holdout: fewer are predicted than there were.
    let forecast = Forecast::of(&sample, CALIBRATED, END, true).unwrap();
    assert_eq!((forecast.repeat, forecast.weeks), (model, 39.0));
    near(forecast.expected, 1653.0, 1.0);
    let actual = forecast.actual.unwrap();
    assert_eq!(actual.purchases, 1882);
    near(actual.miss.unwrap(), -12.1, 0.05);
    let customers: Vec<u64> = forecast.groups.iter().map(|group| group.customers).collect();
    assert_eq!(customers, [1411, 439, 214, 100, 62, 38, 29, 64]);
    assert!(forecast.customers.is_sorted_by(|one, other| one.worth >= other.worth));
}

#[test]
fn what_a_purchase_comes_to_is_that_of_the_note() {
    let buyers = buyers(&sample());
    let model = Spend::fit(&buyers).unwrap();
    near(model.p, 6.25, 0.005);
    near(model.q, 3.74, 0.005);
    near(model.gamma, 15.44, 0.005);
    // Who is not known is expected to spend what all do; who is known well, what it did.
    let unknown = Buyer { repeats: 0.0, last: 0.0, age: 10.0, mean: None };
    near(model.expected(&unknown), model.mean(), 1e-9);
    let known = Buyer { repeats: 5000.0, last: 9.0, age: 10.0, mean: Some(80.0) };
    near(model.expected(&known), 80.0, 0.1);
}

#[test]
fn who_buys_on_is_a_customer_and_who_has_long_not_is_hardly_one() {
    let model = Repeat { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426, log_likelihood: 0.0 };
    let buyer = |last| Buyer { repeats: 6.0, last, age: 52.0, mean: None };
    assert!(model.alive(&buyer(51.0)) > 0.85 && model.alive(&buyer(10.0)) < 0.01);
    let (often, seldom) = (buyer(51.0), buyer(10.0));
    assert!(model.expected(&often, 26.0) > 50.0 * model.expected(&seldom, 26.0));
    near(model.expected(&often, 0.0), 0.0, 1e-12);
}

#[test]
fn too_few_customers_are_no_model() {
    let buyer = Buyer { repeats: 1.0, last: 1.0, age: 2.0, mean: Some(5.0) };
    let refused = Err(FitError::TooFewRepeaters { found: 19 });
    assert_eq!(Repeat::fit(&[buyer; 19]).map(|_| ()), refused);
    assert_eq!(Spend::fit(&[buyer; 19]).map(|_| ()), refused);
}

#[test]
fn purchases_without_a_mean_are_no_model() {
    // One in `n` customers spends more than `n` squared: the tail of such a distribution is so long
    // that the mean of all would be without end.
    let buyer = |place: i32| {
        let share = (f64::from(place) + 0.5) / 40.0;
        Buyer { repeats: 50.0, last: 1.0, age: 2.0, mean: Some(share.powi(-2)) }
    };
    let buyers: Vec<Buyer> = (0..40).map(buyer).collect();
    assert_eq!(Spend::fit(&buyers).map(|_| ()), Err(FitError::NoMean));
}
