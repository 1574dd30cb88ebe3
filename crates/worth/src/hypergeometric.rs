//! Gauss's hypergeometric function.

/// The most terms. With an argument of 0.99 a few thousand are needed, with 0.9999 some 300,000.
const TERMS_MAX: u32 = 1_000_000;
/// A term this small beside the sum ends it.
const SMALL: f64 = 1e-13;

/// `2F1(a, b; c; z)` for positive parameters and `z` from 0 to less than 1, by its series: each term is
/// the one before times `(a + j)(b + j) z / ((c + j)(j + 1))`. Not a number, if the series does not
/// come to an end.
///
/// Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 15.1.1.
pub(crate) fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for j in (0..TERMS_MAX).map(f64::from) {
        term *= (a + j) * (b + j) * z / ((c + j) * (j + 1.0));
        sum += term;
        if term.abs() < SMALL * f64::abs(sum) {
            return sum;
        }
    }
    f64::NAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_to_functions_that_are_known() {
        // 2F1(1, 1; 2; z) = -ln(1 - z) / z, and 2F1(a, b; b; z) = (1 - z)^-a.
        for z in [0.01_f64, 0.5, 0.9, 0.99] {
            let logarithm = -(1.0 - z).ln() / z;
            assert!((hypergeometric(1.0, 1.0, 2.0, z) - logarithm).abs() < 1e-9, "{z}");
            let power = (1.0 - z).powf(-0.7);
            assert!((hypergeometric(0.7, 3.0, 3.0, z) - power).abs() < 1e-9, "{z}");
        }
        assert_eq!(hypergeometric(2.0, 3.0, 4.0, 0.0), 1.0);
        // At 1 the sum of 1/j has no end.
        assert!(hypergeometric(1.0, 1.0, 1.0, 1.0).is_nan());
    }
}
