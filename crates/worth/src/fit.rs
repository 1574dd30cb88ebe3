//! Maximum likelihood: the parameters under which what was seen is likeliest, by the simplex method of
//! Nelder and Mead ("A Simplex Method for Function Minimization", 1965). All parameters are above
//! zero, so their logarithms are looked for, and no bound is needed.

use argmin::core::{CostFunction, Executor, State};
use argmin::solver::neldermead::NelderMead;

/// The fewest customers that have bought again.
const REPEATERS_MIN: usize = 20;
/// The most steps of one search.
const STEPS_MAX: u64 = 2000;
/// The most searches. Each begins where the one before ended, with a new simplex.
const SEARCHES_MAX: usize = 20;
/// By how much a search has to improve the log-likelihood, if another is to follow.
const GAIN_MIN: f64 = 1e-6;
/// The spread of the log-likelihoods at the corners at which a search ends.
const SPREAD: f64 = 1e-9;
/// The length of the edges of a new simplex, in logarithms.
const EDGE: f64 = 0.5;

/// The cost of parameters of which no likelihood can be computed.
const WORST: f64 = f64::MAX;

/// Why a model cannot be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too few customers have bought again.
    #[error("{found} customers have bought again, and {REPEATERS_MIN} are needed at least")]
    TooFewRepeaters {
        /// How many have.
        found: usize,
    },
    /// The likeliest purchases have no mean: their distribution has too long a tail.
    #[error("what purchases come to differs too much for a mean")]
    NoMean,
    /// The search for the parameters came to no end.
    #[error("no parameters could be found: {0}")]
    NoEnd(String),
}

/// Checks that enough customers have bought again.
pub(crate) fn has_enough(repeaters: usize) -> Result<(), FitError> {
    match repeaters {
        found if found < REPEATERS_MIN => Err(FitError::TooFewRepeaters { found }),
        _ => Ok(()),
    }
}

/// The parameters with the greatest log-likelihood, and that.
pub(crate) fn likeliest<const N: usize>(
    log_likelihood: impl Fn([f64; N]) -> f64,
) -> Result<([f64; N], f64), FitError> {
    let mut best = ([0.0; N], f64::NEG_INFINITY);
    for _ in 0..SEARCHES_MAX {
        let found = search(&log_likelihood, best.0)?;
        let gain = found.1 - best.1;
        if gain > 0.0 {
            best = found;
        }
        if gain < GAIN_MIN {
            let (logarithms, value) = best;
            if value <= -WORST {
                return Err(FitError::NoEnd("no likelihood can be computed".to_owned()));
            }
            return Ok((logarithms.map(f64::exp), value));
        }
    }
    Err(FitError::NoEnd(format!("still better after {SEARCHES_MAX} searches")))
}

struct Problem<F>(F);

impl<const N: usize, F: Fn([f64; N]) -> f64> CostFunction for Problem<(F, [f64; N])> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, logarithms: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        let (log_likelihood, start) = &self.0;
        let value = -log_likelihood(of(logarithms, *start).map(f64::exp));
        // The search compares costs: what cannot be computed is the worst.
        Ok(if value.is_nan() { WORST } else { value })
    }
}

/// The first numbers of a list, or those of `start`.
fn of<const N: usize>(list: &[f64], start: [f64; N]) -> [f64; N] {
    list.first_chunk::<N>().copied().unwrap_or(start)
}

fn search<const N: usize>(
    log_likelihood: &impl Fn([f64; N]) -> f64,
    start: [f64; N],
) -> Result<([f64; N], f64), FitError> {
    let corner = |corner: usize| -> Vec<f64> {
        let moved = start.iter().enumerate();
        moved.map(|(place, at)| if place + 1 == corner { at + EDGE } else { *at }).collect()
    };
    let fail = |error: argmin::core::Error| FitError::NoEnd(error.to_string());
    let solver = NelderMead::new((0..=N).map(corner).collect());
    let solver = solver.with_sd_tolerance(SPREAD).map_err(fail)?;
    let problem = Problem((log_likelihood, start));
    let search = Executor::new(problem, solver).configure(|state| state.max_iters(STEPS_MAX));
    let found = search.run().map_err(fail)?;
    let state = found.state();
    let best = state.get_best_param().map_or(start, |best| of(best, start));
    Ok((best, -state.get_best_cost()))
}
