//! The periods for which figures are asked.

use std::ops::RangeInclusive;

use chrono::{Datelike, Days, Months, NaiveDate};

/// Days for which figures are asked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Its name, such as `1997-01`.
    pub name: String,
    /// Its days.
    pub days: RangeInclusive<NaiveDate>,
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A month.
    Month,
    /// Three months, from January, April, July or October.
    Quarter,
    /// A year.
    Year,
}

impl By {
    fn months(self) -> u32 {
        match self {
            By::Month => 1,
            By::Quarter => 3,
            By::Year => 12,
        }
    }

    /// The first day of the period that a day is in.
    fn first(self, day: NaiveDate) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(day.year(), day.month0() / self.months() * self.months() + 1, 1)
    }

    fn name(self, first: NaiveDate) -> String {
        match self {
            By::Month => first.format("%Y-%m").to_string(),
            By::Quarter => format!("{}-Q{}", first.year(), first.month0() / 3 + 1),
            By::Year => first.year().to_string(),
        }
    }
}

/// The periods of some days; one that is called `all`, unless it is said how long one is. The first and
/// the last have only those of their days that are asked for.
#[must_use]
pub fn periods(days: &RangeInclusive<NaiveDate>, by: Option<By>) -> Vec<Period> {
    let Some(by) = by else {
        return vec![Period { name: "all".to_owned(), days: days.clone() }];
    };
    let next = |first: &NaiveDate| first.checked_add_months(Months::new(by.months()));
    let firsts = std::iter::successors(by.first(*days.start()), next);
    let period = |first: NaiveDate| {
        let last = next(&first)?.checked_sub_days(Days::new(1))?;
        let days = first.max(*days.start())..=last.min(*days.end());
        Some(Period { name: by.name(first), days })
    };
    firsts.take_while(|first| first <= days.end()).filter_map(period).collect()
}
