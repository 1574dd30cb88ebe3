//! Exact amounts of money in one currency, and how they are read from text.

use iso_currency::Currency;
use rust_decimal::Decimal;

/// The largest amount that is accepted, in whole currency units.
const AMOUNT_MAX: i64 = 1_000_000_000;

/// Why an amount is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountRejection {
    /// The text is not digits with at most one point.
    #[error("`{text}` is not an amount; write digits and a point, such as \"12.40\"")]
    AmountIsNotANumber {
        /// The text, shortened.
        text: String,
    },
    /// Below zero.
    #[error("`{amount}` is negative")]
    AmountIsNegative {
        /// The amount.
        amount: Decimal,
    },
    /// More decimals than the currency has.
    #[error("`{amount}` has {decimals} decimals, and {currency} has {decimals_max}")]
    AmountHasTooManyDecimals {
        /// The amount.
        amount: Decimal,
        /// Decimals found.
        decimals: u32,
        /// Decimals the currency has.
        decimals_max: u32,
        /// Its ISO 4217 code.
        currency: &'static str,
    },
    /// The amount is above the largest that is accepted.
    #[error("`{amount}` is above the {AMOUNT_MAX} that is believed of one amount")]
    AmountIsAbsurd {
        /// The amount.
        amount: Decimal,
    },
}

/// The number of decimals of a currency: 2 for EUR, 0 for JPY, 3 for KWD. It is 0 where ISO 4217
/// defines none, as for gold.
#[must_use]
pub fn decimals(currency: Currency) -> u32 {
    currency.exponent().map_or(0, u32::from)
}

/// Checks that an amount is plausible.
///
/// # Errors
/// The amount is above the largest that is accepted.
pub fn believed(amount: Decimal) -> Result<(), AmountRejection> {
    if amount > Decimal::from(AMOUNT_MAX) {
        return Err(AmountRejection::AmountIsAbsurd { amount });
    }
    Ok(())
}

/// Reads an amount such as `12.40`: digits and at most one point, no sign, no exponent.
///
/// # Errors
/// The text is not an amount, or the amount is negative, too large or has too many decimals.
pub fn parse_amount(text: &str, currency: Currency) -> Result<Decimal, AmountRejection> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.len() <= 28;
    let amount = match Decimal::from_str_exact(text) {
        Ok(amount) if plain => amount,
        _ => {
            return Err(AmountRejection::AmountIsNotANumber {
                text: text.chars().take(40).collect(),
            });
        }
    };
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(AmountRejection::AmountIsNegative { amount });
    }
    believed(amount)?;
    if amount.scale() > decimals(currency) {
        return Err(AmountRejection::AmountHasTooManyDecimals {
            amount,
            decimals: amount.scale(),
            decimals_max: decimals(currency),
            currency: currency.code(),
        });
    }
    Ok(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_or_refused() {
        let check = |text: &str, currency: Currency, expected: Result<&str, &str>| {
            let found = parse_amount(text, currency);
            assert_eq!(
                found.as_ref().map(ToString::to_string).map_err(ToString::to_string),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        };
        let not_a_number = |text: &str| {
            format!("`{text}` is not an amount; write digits and a point, such as \"12.40\"")
        };
        check("12.40", Currency::EUR, Ok("12.40"));
        check("0", Currency::EUR, Ok("0"));
        check("500", Currency::JPY, Ok("500"));
        check("-1", Currency::EUR, Err("`-1` is negative"));
        check("1.005", Currency::EUR, Err("`1.005` has 3 decimals, and EUR has 2"));
        check("1.5", Currency::JPY, Err("`1.5` has 1 decimals, and JPY has 0"));
        check(
            "1000000000.01",
            Currency::EUR,
            Err("`1000000000.01` is above the 1000000000 that is believed of one amount"),
        );
        for text in ["", "abc", "1e5", "+1", "1,50", ".5", "1_000", "NaN", " 1", "1.2.3", "٣"] {
            check(text, Currency::EUR, Err(&not_a_number(text)));
        }
        check(&"9".repeat(60), Currency::EUR, Err(&not_a_number(&"9".repeat(40))));
    }
}
