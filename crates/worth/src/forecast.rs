//! What is expected of each customer in the next weeks, and how good such an expectation is.

use std::cmp::Ordering;

use serde::Serialize;

use crate::buyer::{Buyer, Purchase, WEEK, count};
use crate::fit::FitError;
use crate::repeat::Repeat;
use crate::spend::Spend;

/// Customers with so many repeat purchases, or more, are one group.
const GROUPS: u32 = 7;

/// A forecast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The model of repeat buying.
    pub repeat: Repeat,
    /// The model of what a purchase comes to.
    pub spend: Spend,
    /// The weeks that are forecast.
    pub weeks: f64,
    /// The purchases that are expected of all customers.
    pub expected: f64,
    /// What came of it, if it has come already.
    pub actual: Option<Actual>,
    /// The customers by their repeat purchases so far: 0, 1, and so on; the last has those with more.
    pub groups: Vec<Group>,
    /// Each customer, the one of the greatest worth first.
    #[serde(skip)]
    pub customers: Vec<Customer>,
}

/// What came of a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Actual {
    /// The purchases that were made.
    pub purchases: u64,
    /// How many more or, if below zero, fewer were expected, in percent of those that were made;
    /// `None` if there were none.
    pub miss: Option<f64>,
}

/// Customers with as many repeat purchases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Group {
    /// How many customers.
    pub customers: u64,
    /// The purchases that are expected of them.
    pub expected: f64,
    /// The purchases that they made.
    pub actual: u64,
}

/// What is expected of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Customer {
    /// Its place in the list that the forecast was made of.
    pub place: usize,
    /// What is known of it.
    pub buyer: Buyer,
    /// The probability that it still is a customer.
    pub alive: f64,
    /// The purchases that are expected of it.
    pub purchases: f64,
    /// What each is expected to come to.
    pub amount: f64,
    /// What all of them are expected to come to.
    pub worth: f64,
}

impl Forecast {
    /// Fits both models to what customers had bought by the end of a day, and forecasts the days until
    /// another. `is_known` says that those days are over, so that what came of it can be told.
    ///
    /// # Errors
    /// Too few customers have bought again, or one of the models does not fit.
    pub fn of(
        customers: &[Vec<Purchase>],
        day: i64,
        until: i64,
        is_known: bool,
    ) -> Result<Forecast, FitError> {
        let known = customers.iter().enumerate();
        let known = known.filter_map(|(place, own)| Some((place, Buyer::until(own, day)?)));
        let known: Vec<(usize, Buyer)> = known.collect();
        let buyers: Vec<Buyer> = known.iter().map(|(_, buyer)| *buyer).collect();
        let (repeat, spend) = (Repeat::fit(&buyers)?, Spend::fit(&buyers)?);
        let weeks = count(until - day) / WEEK;

        let mut groups = vec![Group::default(); GROUPS as usize + 1];
        let mut forecast: Vec<Customer> = Vec::with_capacity(known.len());
        for (place, buyer) in known {
            let (purchases, amount) = (repeat.expected(&buyer, weeks), spend.expected(&buyer));
            let alive = repeat.alive(&buyer);
            let worth = purchases * amount;
            if !worth.is_finite() {
                return Err(FitError::NoEnd("what they expect cannot be computed".to_owned()));
            }
            forecast.push(Customer { place, buyer, alive, purchases, amount, worth });
            let is_later = |one: &&Purchase| one.day > day && one.day <= until;
            let later = customers.get(place).into_iter().flatten().filter(is_later).count() as u64;
            let of = (0..GROUPS).position(|times| buyer.repeats <= f64::from(times));
            if let Some(group) = groups.get_mut(of.unwrap_or(GROUPS as usize)) {
                group.customers += 1;
                group.expected += purchases;
                group.actual += later;
            }
        }
        let by_worth = |one: &Customer, other: &Customer| {
            other.worth.partial_cmp(&one.worth).unwrap_or(Ordering::Equal)
        };
        forecast.sort_by(by_worth);
        let expected: f64 = groups.iter().map(|group| group.expected).sum();
        let purchases: u64 = groups.iter().map(|group| group.actual).sum();
        let actual = is_known.then(|| {
            let made = count(i64::try_from(purchases).unwrap_or(i64::MAX));
            let miss = (purchases > 0).then(|| (expected - made) / made * 100.0);
            Actual { purchases, miss }
        });
        Ok(Forecast { repeat, spend, weeks, expected, actual, groups, customers: forecast })
    }
}
