//! What is known of a customer.

/// The days of a week.
pub(crate) const WEEK: f64 = 7.0;

/// The purchases of one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchase {
    /// The day, counted from any day that is the same for all customers.
    pub day: i64,
    /// What they came to, in the programme's currency.
    pub amount: f64,
}

/// What is known of a customer at the end of a day. Purchases of one day are one purchase, and the
/// first one only begins the count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Buyer {
    /// The purchases after the first.
    pub repeats: f64,
    /// The weeks from the first purchase to the last; 0 if there was one.
    pub last: f64,
    /// The weeks from the first purchase to the end of the day.
    pub age: f64,
    /// What a purchase after the first comes to on average; `None` if there is none, or if they all
    /// were for nothing.
    pub mean: Option<f64>,
}

impl Buyer {
    /// A customer at the end of a day; `None` if it had not bought by then. The purchases are one a
    /// day, the first first.
    #[must_use]
    pub fn until(purchases: &[Purchase], day: i64) -> Option<Buyer> {
        let known = purchases.iter().take_while(|purchase| purchase.day <= day);
        let known: Vec<&Purchase> = known.collect();
        let (first, repeats) = known.split_first()?;
        let weeks = |day: i64| count(day - first.day) / WEEK;
        let sum: f64 = repeats.iter().map(|purchase| purchase.amount).sum();
        let times = count(i64::try_from(repeats.len()).unwrap_or(i64::MAX));
        Some(Buyer {
            repeats: times,
            last: repeats.last().map_or(0.0, |last| weeks(last.day)),
            age: weeks(day),
            mean: Some(sum / times).filter(|mean| *mean > 0.0),
        })
    }
}

/// A count as a floating point number. Counts of days and purchases are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(crate) fn count(count: i64) -> f64 {
    count as f64
}
