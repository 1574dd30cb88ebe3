//! How often customers buy again: the BG/NBD model.
//!
//! While a customer is one, it buys at random, at a rate of its own; the rates are gamma distributed
//! over all customers (shape `r`, rate `alpha`). After each purchase it stops being one with a
//! probability of its own; these are beta distributed (`a`, `b`).
//!
//! Source: P. Fader, B. Hardie and K. L. Lee, "Counting Your Customers the Easy Way: An Alternative to
//! the Pareto/NBD Model", Marketing Science 24 (2005). Times are in weeks.

use serde::Serialize;
use statrs::function::gamma::ln_gamma;

use crate::buyer::Buyer;
use crate::fit::{FitError, has_enough, likeliest};
use crate::hypergeometric::hypergeometric;

/// A fitted model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Repeat {
    /// The shape of the purchase rates.
    pub r: f64,
    /// The rate of the purchase rates, in weeks.
    pub alpha: f64,
    /// The first parameter of the probabilities to stop.
    pub a: f64,
    /// The second one.
    pub b: f64,
    /// The log-likelihood of what was seen.
    pub log_likelihood: f64,
}

impl Repeat {
    /// Fits the model.
    ///
    /// # Errors
    /// Too few customers have bought again, or no parameters can be found.
    pub fn fit(buyers: &[Buyer]) -> Result<Repeat, FitError> {
        has_enough(buyers.iter().filter(|buyer| buyer.repeats > 0.0).count())?;
        let of = |[r, alpha, a, b]: [f64; 4]| Repeat { r, alpha, a, b, log_likelihood: 0.0 };
        let sum = |parameters| {
            let model = of(parameters);
            buyers.iter().map(|buyer| model.log_likelihood_of(buyer)).sum()
        };
        let (parameters, log_likelihood) = likeliest(sum)?;
        Ok(Repeat { log_likelihood, ..of(parameters) })
    }

    /// The logarithm of the likelihood of one customer (equation 6 of the paper).
    fn log_likelihood_of(&self, buyer: &Buyer) -> f64 {
        let Repeat { r, alpha, a, b, .. } = *self;
        let Buyer { repeats: x, last, age, .. } = *buyer;
        let buys = ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln();
        let stays = ln_gamma(a + b) + ln_gamma(b + x) - ln_gamma(b) - ln_gamma(a + b + x);
        let still = -(r + x) * (alpha + age).ln();
        if x == 0.0 {
            return buys + stays + still;
        }
        let stopped = a.ln() - (b + x - 1.0).ln() - (r + x) * (alpha + last).ln();
        // The sum of two exponentials, of which the larger one is taken out.
        let most = still.max(stopped);
        buys + stays + most + ((still - most).exp() + (stopped - most).exp()).ln()
    }

    /// How much likelier it is that a customer has stopped than that it has not.
    fn odds_of_having_stopped(&self, buyer: &Buyer) -> f64 {
        let Repeat { r, alpha, a, b, .. } = *self;
        let Buyer { repeats: x, last, age, .. } = *buyer;
        match x {
            0.0 => 0.0,
            x => a / (b + x - 1.0) * ((alpha + age) / (alpha + last)).powf(r + x),
        }
    }

    /// The probability that a customer still is one. In this model one that has bought once is: it can
    /// stop only after a purchase that is counted.
    #[must_use]
    pub fn alive(&self, buyer: &Buyer) -> f64 {
        1.0 / (1.0 + self.odds_of_having_stopped(buyer))
    }

    /// The purchases that are expected of a customer in the next weeks (equation 10 of the paper).
    #[must_use]
    pub fn expected(&self, buyer: &Buyer, weeks: f64) -> f64 {
        let Repeat { r, alpha, a, b, .. } = *self;
        let Buyer { repeats: x, age, .. } = *buyer;
        let until_then = alpha + age;
        let gauss = hypergeometric(r + x, b + x, a + b + x - 1.0, weeks / (until_then + weeks));
        let stays = (until_then / (until_then + weeks)).powf(r + x) * gauss;
        (a + b + x - 1.0) / (a - 1.0) * (1.0 - stays) / (1.0 + self.odds_of_having_stopped(buyer))
    }
}
