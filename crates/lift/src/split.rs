//! Whether members were split as they should have been.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// How likely a split as uneven as this one is, or a more uneven one, if members are split by shares:
/// Pearson's test. Below one in a thousand, something has gone wrong with the split, and differences
/// between the arms may come of that. `None` if a share is not above zero, or if there are no members.
#[must_use]
pub fn unlikely(members: [u64; 2], shares: [f64; 2]) -> Option<f64> {
    let of = members.map(|members| crate::float(members.into()));
    let (all, whole) = (of.iter().sum::<f64>(), shares.iter().sum::<f64>());
    let is_above = |number: f64| number > 0.0;
    if !is_above(all) || !shares.into_iter().all(is_above) {
        return None;
    }
    let term = |(found, share): (f64, f64)| {
        let expected = all * share / whole;
        (found - expected).powi(2) / expected
    };
    let sum: f64 = std::iter::zip(of, shares).map(term).sum();
    ChiSquared::new(1.0).ok().map(|law| law.sf(sum))
}
