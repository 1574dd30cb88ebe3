//! What a purchase comes to: the Gamma-Gamma model.
//!
//! The purchases of a customer are gamma distributed around a mean of its own (shape `p`), and the
//! means of all customers by a gamma distribution of their rate (`q`, `gamma`). What a customer spends
//! does not depend on how often it buys.
//!
//! Source: P. Fader and B. Hardie, "The Gamma-Gamma Model of Monetary Value" (2013).

use serde::Serialize;
use statrs::function::gamma::ln_gamma;

use crate::buyer::Buyer;
use crate::fit::{FitError, has_enough, likeliest};

/// A fitted model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spend {
    /// The shape of a customer's purchases.
    pub p: f64,
    /// The shape of their rates.
    pub q: f64,
    /// The scale of their rates.
    pub gamma: f64,
    /// The log-likelihood of what was seen.
    pub log_likelihood: f64,
}

impl Spend {
    /// Fits the model to the customers that have bought again for something.
    ///
    /// # Errors
    /// They are too few, no parameters can be found, or the mean does not exist.
    pub fn fit(buyers: &[Buyer]) -> Result<Spend, FitError> {
        let seen = buyers.iter().filter_map(|buyer| Some((buyer.repeats, buyer.mean?)));
        let seen: Vec<(f64, f64)> = seen.collect();
        has_enough(seen.len())?;
        let of = |[p, q, gamma]: [f64; 3]| Spend { p, q, gamma, log_likelihood: 0.0 };
        let sum = |parameters| {
            let model = of(parameters);
            seen.iter().map(|(times, mean)| model.log_likelihood_of(*times, *mean)).sum()
        };
        let (parameters, log_likelihood) = likeliest(sum)?;
        let model = Spend { log_likelihood, ..of(parameters) };
        // The mean is `p gamma / (q - 1)`.
        if model.q <= 1.0 {
            return Err(FitError::NoMean);
        }
        Ok(model)
    }

    /// The logarithm of the likelihood of a mean of so many purchases (equation 1a of the note).
    fn log_likelihood_of(&self, times: f64, mean: f64) -> f64 {
        let Spend { p, q, gamma, .. } = *self;
        let shape = p * times;
        ln_gamma(shape + q) - ln_gamma(shape) - ln_gamma(q)
            + q * gamma.ln()
            + (shape - 1.0) * mean.ln()
            + shape * times.ln()
            - (shape + q) * (gamma + times * mean).ln()
    }

    /// What a purchase comes to on average, over all customers.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.p * self.gamma / (self.q - 1.0)
    }

    /// What a purchase of a customer is expected to come to (equation 5 of the note): the mean of its
    /// own purchases, drawn towards that of all, the less the more there are.
    #[must_use]
    pub fn expected(&self, buyer: &Buyer) -> f64 {
        let Spend { p, q, gamma, .. } = *self;
        let (times, mean) = buyer.mean.map_or((0.0, 0.0), |mean| (buyer.repeats, mean));
        p * (gamma + times * mean) / (p * times + q - 1.0)
    }
}
