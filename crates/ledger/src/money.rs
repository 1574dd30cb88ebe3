//! Exact amounts of money in one currency, and how they are read from text.

use iso_currency::Currency;
use rust_decimal::{Decimal, RoundingStrategy};

/// The largest amount that is accepted, in the smallest coins of the currency: 10^15. It is the
/// currency's own bound, so that a country with small coins can have large amounts, and all
/// products of an amount and a quantity still fit a [`Decimal`].
const COINS_MAX: i64 = 1_000_000_000_000_000;

/// The most decimals of a price of one piece, such as 1.799 for a litre of petrol.
pub const PRICE_DECIMALS_MAX: u32 = 6;

/// The most characters of a number in text: 10^15 with a sign, a point and trailing zeros.
const TEXT_LENGTH_MAX: usize = 28;

/// Why an amount is refused. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountRejection {
    /// The text is not digits with at most one point.
    #[error("`{text}` is not an amount; write digits and a point, such as \"12.40\"")]
    AmountIsNotANumber {
        /// The text, shortened.
        text: String,
    },
    /// Below zero, where that makes no sense.
    #[error("`{amount}` is negative")]
    AmountIsNegative {
        /// The amount.
        amount: Decimal,
    },
    /// The amount is above the largest that is accepted.
    #[error("`{amount}` is above {most}, the most that one amount in {currency} may be")]
    AmountIsAbsurd {
        /// The amount.
        amount: Decimal,
        /// The largest amount.
        most: Decimal,
        /// The ISO 4217 code of the currency.
        currency: &'static str,
    },
    /// More decimals than the amount can have.
    #[error("`{amount}` has {decimals} decimals, and {} has {decimals_max}", of(.currency))]
    AmountHasTooManyDecimals {
        /// The amount.
        amount: Decimal,
        /// Decimals found; zeros at the end do not count.
        decimals: u32,
        /// Decimals allowed.
        decimals_max: u32,
        /// The ISO 4217 code of the currency, if its coins are the bound; nothing for a price.
        currency: Option<&'static str>,
    },
}

fn of(currency: &Option<&'static str>) -> &'static str {
    currency.unwrap_or("a price")
}

/// The number of decimals of a currency: 2 for EUR, 0 for JPY, 3 for KWD. It is 0 where ISO 4217
/// defines none, as for gold.
#[must_use]
pub fn decimals(currency: Currency) -> u32 {
    currency.exponent().map_or(0, u32::from)
}

/// The largest amount that is accepted in a currency.
#[must_use]
pub fn amount_max(currency: Currency) -> Decimal {
    Decimal::new(COINS_MAX, decimals(currency))
}

/// An amount to the smallest coin. Half a coin is rounded away from zero, as shops do.
#[must_use]
pub fn round_to_coin(amount: Decimal, decimals: u32) -> Decimal {
    amount.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

/// Splits a whole amount in proportion to weights, to the smallest coin, so that the parts come to
/// the whole. Coins that are left go to the parts with the largest remainders, the first of equals
/// first (Hamilton's method). `None` if no weight is above zero, or on overflow.
///
/// `weights` are zero or more.
#[must_use]
pub fn split(whole: Decimal, weights: &[Decimal], decimals: u32) -> Option<Vec<Decimal>> {
    let sum = weights.iter().try_fold(Decimal::ZERO, |sum, weight| sum.checked_add(*weight))?;
    if sum <= Decimal::ZERO {
        return None;
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut left = whole;
    for (place, weight) in weights.iter().enumerate() {
        // Multiplying first keeps equal remainders equal, and dividing first cannot overflow.
        let exact = match whole.checked_mul(*weight) {
            Some(product) => product.checked_div(sum)?,
            None => whole.checked_mul(weight.checked_div(sum)?)?,
        };
        let part = exact.trunc_with_scale(decimals);
        left = left.checked_sub(part)?;
        parts.push(part);
        // A part without a weight gets no coin.
        if !weight.is_zero() {
            remainders.push(((exact - part).abs(), place));
        }
    }
    remainders.sort_by(|(one, first), (other, second)| other.cmp(one).then(first.cmp(second)));
    let coin = Decimal::new(if whole.is_sign_negative() { -1 } else { 1 }, decimals);
    for (_, place) in remainders.iter().cycle() {
        if left.abs() < coin.abs() {
            break;
        }
        *parts.get_mut(*place)? += coin;
        left -= coin;
    }
    // What is less than a coin, since the whole has more decimals than the currency.
    if let Some((_, place)) = remainders.first() {
        *parts.get_mut(*place)? += left;
    }
    Some(parts)
}

/// Reads a decimal number: digits, at most one point with digits on both sides, no leading zeros
/// and no exponent. A minus may precede it, but not zero.
///
/// # Errors
/// The text is no such number.
pub fn parse_decimal(text: &str) -> Result<Decimal, AmountRejection> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) =
        digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = are_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && rest.is_none_or(are_digits)
        && text.len() <= TEXT_LENGTH_MAX;
    let found = Decimal::from_str_exact(text)
        .ok()
        .filter(|number| plain && !(number.is_zero() && text.starts_with('-')));
    found.ok_or_else(|| AmountRejection::AmountIsNotANumber {
        text: text.chars().take(40).collect(),
    })
}

/// Reads an amount such as `12.40`. It may be negative, as the total of an exchange is. It gets as
/// many decimals as the currency has; zeros beyond them do not count.
///
/// # Errors
/// The text is not an amount, or the amount is too large or has too many decimals.
pub fn parse_signed_amount(text: &str, currency: Currency) -> Result<Decimal, AmountRejection> {
    let mut amount = bounded(text, currency)?;
    let decimals_max = decimals(currency);
    if amount.scale() > decimals_max {
        return Err(AmountRejection::AmountHasTooManyDecimals {
            amount,
            decimals: amount.scale(),
            decimals_max,
            currency: Some(currency.code()),
        });
    }
    amount.rescale(decimals_max);
    Ok(amount)
}

/// Reads an amount that is not negative.
///
/// # Errors
/// As [`parse_signed_amount`], or the amount is negative.
pub fn parse_amount(text: &str, currency: Currency) -> Result<Decimal, AmountRejection> {
    let amount = parse_decimal(text)?;
    if amount < Decimal::ZERO {
        return Err(AmountRejection::AmountIsNegative { amount });
    }
    parse_signed_amount(text, currency)
}

/// Reads the price of one piece, which may have up to [`PRICE_DECIMALS_MAX`] decimals. It may be
/// negative, as that of a discount is.
///
/// # Errors
/// The text is not a number, or the price is too large or has too many decimals.
pub fn parse_price(text: &str, currency: Currency) -> Result<Decimal, AmountRejection> {
    let mut price = bounded(text, currency)?;
    if price.scale() > PRICE_DECIMALS_MAX {
        return Err(AmountRejection::AmountHasTooManyDecimals {
            amount: price,
            decimals: price.scale(),
            decimals_max: PRICE_DECIMALS_MAX,
            currency: None,
        });
    }
    price.rescale(price.scale().max(decimals(currency)));
    Ok(price)
}

/// A number within the currency's bound, without zeros at the end.
fn bounded(text: &str, currency: Currency) -> Result<Decimal, AmountRejection> {
    let amount = parse_decimal(text)?.normalize();
    let most = amount_max(currency);
    if amount.abs() > most {
        return Err(AmountRejection::AmountIsAbsurd { amount, most, currency: currency.code() });
    }
    Ok(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, currency: Currency, expected: Result<&str, &str>) {
        let found = parse_amount(text, currency);
        assert_eq!(
            found.as_ref().map(ToString::to_string).map_err(ToString::to_string),
            expected.map(str::to_owned).map_err(str::to_owned),
            "{text}"
        );
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        let not_a_number = |text: &str| {
            format!("`{text}` is not an amount; write digits and a point, such as \"12.40\"")
        };
        check("12.40", Currency::EUR, Ok("12.40"));
        check("12.4000", Currency::EUR, Ok("12.40"));
        check("0", Currency::EUR, Ok("0.00"));
        check("500", Currency::JPY, Ok("500"));
        check("500.00", Currency::JPY, Ok("500"));
        check("1.2345", Currency::CLF, Ok("1.2345"));
        check("-1", Currency::EUR, Err("`-1` is negative"));
        check("1.005", Currency::EUR, Err("`1.005` has 3 decimals, and EUR has 2"));
        check("1.5", Currency::JPY, Err("`1.5` has 1 decimals, and JPY has 0"));
        for text in [
            "", "abc", "1e5", "+1", "1,50", ".5", "12.", "00012.40", "-0", "-0.00", "1_000", "NaN",
            " 1", "1.2.3", "٣", "-", "--1",
        ] {
            check(text, Currency::EUR, Err(&not_a_number(text)));
        }
        check(&"9".repeat(60), Currency::EUR, Err(&not_a_number(&"9".repeat(40))));
    }

    #[test]
    fn the_bound_is_that_of_the_currency() {
        for (currency, most, above) in [
            (Currency::JPY, "1000000000000000", "1000000000000001"),
            (Currency::IDR, "10000000000000.00", "10000000000000.01"),
            (Currency::KWD, "1000000000000.000", "1000000000000.001"),
            (Currency::CLF, "100000000000.0000", "100000000000.0001"),
        ] {
            check(most, currency, Ok(most));
            let code = currency.code();
            let message =
                format!("`{above}` is above {most}, the most that one amount in {code} may be");
            check(above, currency, Err(&message));
        }
    }

    #[test]
    fn a_price_has_up_to_six_decimals() {
        let price = |text| parse_price(text, Currency::EUR).map(|price| price.to_string());
        assert_eq!(price("1.799"), Ok("1.799".to_owned()));
        assert_eq!(price("-5"), Ok("-5.00".to_owned()));
        let message = price("0.1234567").unwrap_err().to_string();
        assert_eq!(message, "`0.1234567` has 7 decimals, and a price has 6");
    }

    #[test]
    fn parts_come_to_the_whole() {
        let check = |whole: &str, weights: &[i64], decimals, expected: Option<&[&str]>| {
            let weights: Vec<Decimal> = weights.iter().copied().map(Decimal::from).collect();
            let parts = split(whole.parse().unwrap(), &weights, decimals);
            let parts: Option<Vec<String>> =
                parts.map(|parts| parts.iter().map(ToString::to_string).collect());
            let expected: Option<Vec<String>> =
                expected.map(|parts| parts.iter().copied().map(str::to_owned).collect());
            assert_eq!(parts, expected, "{whole} by {weights:?}");
        };
        check("10.00", &[1, 1, 1], 2, Some(&["3.34", "3.33", "3.33"]));
        check("0.01", &[1, 2, 3], 2, Some(&["0.00", "0.00", "0.01"]));
        check("100", &[1, 1, 1], 0, Some(&["34", "33", "33"]));
        check("-10.00", &[1, 1, 1], 2, Some(&["-3.34", "-3.33", "-3.33"]));
        check("48.00", &[60, 0], 2, Some(&["48.00", "0.00"]));
        check("48.00", &[0, 0], 2, None);
        check("48.00", &[], 2, None);
    }
}
