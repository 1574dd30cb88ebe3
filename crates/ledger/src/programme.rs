use std::collections::{BTreeMap, BTreeSet};

use chrono::{
    DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone,
    Utc,
};
use chrono_tz::Tz;
use iso_currency::Currency;
use rust_decimal::Decimal;

use crate::member::BIRTHDAY;
use crate::remind::Reminders;
use crate::wallet::{Inactivity, PendingOn, Terms};
use crate::{Activity, MerchantId, Moment, Units, WalletName};

/// A merchant's policy, as its manifest lays it down. The logic is in the scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programme {
    /// Whose programme it is.
    pub merchant: MerchantId,
    /// What the members know it as.
    pub name: String,
    /// The currency of every amount.
    pub currency: Currency,
    /// The zone in which days, months and years begin.
    pub time_zone: Tz,
    /// The wallet that a rule pays into and a reward costs from when it names none.
    pub main_wallet: WalletName,
    /// All wallets.
    pub wallets: BTreeMap<WalletName, WalletPolicy>,
    /// The activities the merchant knows, `purchase` always among them.
    pub activities: BTreeMap<String, ActivityPolicy>,
    /// What becomes of a member that no longer qualifies for its tier.
    pub tiers: TierPolicy,
    /// Days on which the shop is not as on others.
    pub holidays: Holidays,
    /// Campaigns by name.
    pub campaigns: BTreeMap<String, Campaign>,
    /// Pools of voucher codes.
    pub pools: BTreeSet<String>,
    /// How long something is set aside.
    pub hold_minutes: u32,
    /// Of what members are reminded.
    pub reminders: Reminders,
}

/// What becomes of a member that no longer qualifies for its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TierPolicy {
    /// How far it falls.
    pub downgrade: Downgrade,
    /// How many times 24 hours it stays in its tier first.
    pub grace_days: u32,
    /// How long a tier stays at least once it is reached.
    pub keep: Option<Expiry>,
}

/// How far a member falls that no longer qualifies for its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Downgrade {
    /// To the tier that it qualifies for.
    #[default]
    Full,
    /// One tier at a time.
    OneStep,
    /// Not at all.
    Never,
}

/// Days on which the shop is not as on others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holidays {
    /// By month and day, every year.
    pub every_year: BTreeMap<(u32, u32), String>,
    /// By date.
    pub once: BTreeMap<NaiveDate, String>,
}

impl Holidays {
    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.every_year.values().chain(self.once.values()).map(String::as_str)
    }

    /// What is celebrated on a day.
    #[must_use]
    pub fn on(&self, date: NaiveDate) -> Option<&str> {
        let every_year = || self.every_year.get(&(date.month(), date.day()));
        self.once.get(&date).or_else(every_year).map(String::as_str)
    }
}

/// A campaign: its days, and what it may cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Campaign {
    /// Its days.
    pub days: DaySpan,
    /// Units of the main wallet that its rules pay at most, over all members.
    pub budget: Option<Units>,
}

/// From one day to another, both included. Open where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DaySpan {
    /// The first day.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub until: Option<NaiveDate>,
}

impl DaySpan {
    /// Whether a day is among them.
    #[must_use]
    pub fn contains(self, date: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until)
    }
}

/// The terms of one wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletPolicy {
    /// Whether rewards can be paid from it. A wallet that only counts, such as the qualifying
    /// points of a tier, cannot.
    pub spendable: bool,
    /// What one unit is worth in the programme's currency, for the liability report.
    pub worth: Option<Decimal>,
    /// When a lot runs out.
    pub expires: Expiry,
    /// Days between the activity and the moment its units can be spent; after the activity that they
    /// wait for, if they do.
    pub pending_days: u32,
    /// The activity that units wait for, such as `delivery`.
    pub pending_until: Option<String>,
    /// Whether parts of units are carried over from one payment of a rule to its next.
    pub carry: bool,
    /// Whether members may give units to each other.
    pub transferable: bool,
    /// Whether members of one account earn into and spend from that account's wallet.
    pub shared: bool,
}

impl Default for WalletPolicy {
    fn default() -> WalletPolicy {
        WalletPolicy {
            spendable: true,
            worth: None,
            expires: Expiry::Never,
            pending_days: 0,
            pending_until: None,
            carry: false,
            transferable: false,
            shared: false,
        }
    }
}

impl WalletPolicy {
    /// From when what is earned at `at` can be spent; at once if nothing.
    #[must_use]
    pub fn available_at(&self, at: Moment) -> Option<Moment> {
        (self.pending_days > 0).then(|| at + TimeDelta::days(self.pending_days.into()))
    }

    /// The terms of what is given at `at` by hand.
    #[must_use]
    pub fn terms(&self, at: Moment, time_zone: Tz) -> Terms {
        let inactivity = self.expires.inactivity();
        Terms { inactivity, ..Terms::until(self.expires.of(at, time_zone)) }
    }

    /// The terms of what an activity earns: it waits for its day, or, where there is an order, for
    /// another activity. What activity puts off counts from when the member was active last.
    #[must_use]
    pub fn terms_of(&self, activity: &Activity, active_at: Option<Moment>, time_zone: Tz) -> Terms {
        let order = self.pending_until.as_ref().filter(|_| activity.order.is_some());
        let pending_on = order.map(|pending_on| PendingOn {
            activity: pending_on.clone(),
            of: activity.id.clone(),
            days: self.pending_days,
        });
        let available_at = self.available_at(activity.at).filter(|_| pending_on.is_none());
        let from = match self.expires {
            Expiry::Inactivity(_) => active_at.map_or(activity.at, |at| at.max(activity.at)),
            _ => activity.at,
        };
        Terms { available_at, pending_on, ..self.terms(from, time_zone) }
    }
}

/// The fields of an activity beyond its order, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActivityPolicy {
    /// What each field holds.
    pub fields: BTreeMap<String, FieldKind>,
    /// The day of each year on which it comes by itself.
    pub recurrence: Option<Recurrence>,
}

impl Programme {
    /// The attributes of a member that are dates, where it has them.
    pub fn dates(&self) -> impl Iterator<Item = &str> {
        let recurrence = self.activities.values().filter_map(|policy| match &policy.recurrence {
            Some(Recurrence::Attribute(name)) if name != BIRTHDAY => Some(name.as_str()),
            _ => None,
        });
        std::iter::once(BIRTHDAY).chain(recurrence)
    }
}

/// A day that comes round every year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recurrence {
    /// The day of joining.
    Joined,
    /// The date that an attribute holds: `birthday`, `name_day`.
    Attribute(String),
}

/// What a field of an activity holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A whole number.
    Integer,
    /// An amount in the programme's currency.
    Amount,
    /// A text.
    Text,
    /// `true` or `false`.
    Flag,
}

/// When a lot runs out, counted from the activity that earned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It stays.
    Never,
    /// To the second, so many days later.
    AfterDays(u32),
    /// To the second, so many months later; 31 January and one month is the last of February.
    AfterMonths(u32),
    /// With the last second of the month that is so many months after the month of the activity.
    EndOfMonth(u32),
    /// With the last second of the year that is so many years after the year of the activity.
    EndOfYear(u32),
    /// So long after the member was last active: every activity puts it off.
    Inactivity(Inactivity),
}

impl Expiry {
    /// How long a lot stays after the member was last active, if that is its term.
    #[must_use]
    pub fn inactivity(self) -> Option<Inactivity> {
        match self {
            Expiry::Inactivity(inactivity) => Some(inactivity),
            _ => None,
        }
    }

    /// The first moment at which a lot earned at `earned_at` is no longer there, or nothing if it
    /// stays. Calendar terms count in the merchant's time zone, whatever its summer time does.
    #[must_use]
    pub fn of(self, earned_at: Moment, time_zone: Tz) -> Option<Moment> {
        let local = earned_at.with_timezone(&time_zone).naive_local();
        let expires = match self {
            Expiry::Never => return None,
            Expiry::AfterDays(days) | Expiry::Inactivity(Inactivity::Days(days)) => {
                local.checked_add_days(Days::new(days.into()))
            }
            Expiry::AfterMonths(months) | Expiry::Inactivity(Inactivity::Months(months)) => {
                local.checked_add_months(Months::new(months))
            }
            // The end of a month is the start of the next.
            Expiry::EndOfMonth(months) => first_of_month(local)
                .and_then(|first| first.checked_add_months(Months::new(months.checked_add(1)?))),
            Expiry::EndOfYear(years) => i32::try_from(years)
                .ok()
                .and_then(|years| local.year().checked_add(years)?.checked_add(1))
                .and_then(|year| NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)),
        };
        // A date beyond what a calendar holds never comes.
        expires.map(|local| resolve(local, time_zone))
    }
}

fn first_of_month(local: NaiveDateTime) -> Option<NaiveDateTime> {
    local.date().with_day(1)?.and_hms_opt(0, 0, 0)
}

/// The moment of a local time. Where clocks went back it comes twice: the first counts. Where they
/// went forward it does not come: the moment that it would have been by the old clock counts.
#[must_use]
pub fn resolve(local: NaiveDateTime, time_zone: Tz) -> Moment {
    match time_zone.from_local_datetime(&local) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => {
            moment.with_timezone(&Utc)
        }
        LocalResult::None => {
            // No zone skips more than a day; before the gap its offset was the one in force.
            let before = time_zone.from_utc_datetime(&(local - TimeDelta::days(1)));
            let offset = chrono::Offset::fix(before.offset());
            DateTime::from_naive_utc_and_offset(
                local - TimeDelta::seconds(offset.local_minus_utc().into()),
                Utc,
            )
        }
    }
}

/// When a day comes round this year; 29 February comes round on the 28th in common years.
#[must_use]
pub fn this_year(day: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
    let same = day.with_year(today.year());
    same.or_else(|| NaiveDate::from_ymd_opt(today.year(), 2, 28))
}

/// The first time from a day on that a date comes round.
#[must_use]
pub fn next_day(date: NaiveDate, from: NaiveDate) -> Option<NaiveDate> {
    let this = this_year(date, from)?;
    if this >= from {
        return Some(this);
    }
    // Twelve months after the first of January: the next year's.
    let next = from.checked_add_months(Months::new(12))?;
    this_year(date, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_comes_round_every_year_and_29_february_too() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (date, from, expected) in [
            ("1990-05-17", "2026-05-17", "2026-05-17"),
            ("1990-05-17", "2026-05-18", "2027-05-17"),
            ("1992-02-29", "2026-01-01", "2026-02-28"),
            ("1992-02-29", "2027-03-01", "2028-02-29"),
            ("1992-02-29", "2028-02-29", "2028-02-29"),
            ("1990-01-01", "2026-12-31", "2027-01-01"),
        ] {
            assert_eq!(next_day(day(date), day(from)), Some(day(expected)), "{date} {from}");
        }
    }

    #[test]
    fn a_lot_runs_out_by_the_merchants_calendar() {
        let check = |expiry: Expiry, zone: Tz, earned_at: &str, expected: Option<&str>| {
            let found = expiry.of(earned_at.parse().unwrap(), zone).map(|at| at.to_rfc3339());
            assert_eq!(found.as_deref(), expected, "{expiry:?} {zone} {earned_at}");
        };
        let (new_york, berlin) = (Tz::America__New_York, Tz::Europe__Berlin);
        check(Expiry::Never, berlin, "2026-01-01T00:00:00Z", None);
        check(
            Expiry::AfterDays(30),
            berlin,
            "2026-01-01T10:00:00Z",
            Some("2026-01-31T10:00:00+00:00"),
        );
        // Thirty local days across the start of summer time keep the hour on the wall.
        check(
            Expiry::AfterDays(30),
            berlin,
            "2026-03-15T10:00:00Z",
            Some("2026-04-14T09:00:00+00:00"),
        );
        check(
            Expiry::AfterMonths(1),
            berlin,
            "2026-01-31T10:00:00Z",
            Some("2026-02-28T10:00:00+00:00"),
        );
        check(
            Expiry::AfterMonths(12),
            berlin,
            "2028-02-29T10:00:00Z",
            Some("2029-02-28T10:00:00+00:00"),
        );
        check(
            Expiry::EndOfMonth(12),
            new_york,
            "1997-01-15T17:00:00Z",
            Some("1998-02-01T05:00:00+00:00"),
        );
        // Still January on the wall in New York.
        check(
            Expiry::EndOfMonth(12),
            new_york,
            "1997-02-01T04:59:59Z",
            Some("1998-02-01T05:00:00+00:00"),
        );
        check(
            Expiry::EndOfMonth(0),
            berlin,
            "2026-06-30T21:59:59Z",
            Some("2026-06-30T22:00:00+00:00"),
        );
        check(
            Expiry::EndOfYear(1),
            berlin,
            "2026-05-05T00:00:00Z",
            Some("2027-12-31T23:00:00+00:00"),
        );
        check(Expiry::EndOfMonth(u32::MAX), berlin, "2026-05-05T00:00:00Z", None);
    }

    #[test]
    fn a_time_that_summer_time_skips_is_taken_by_the_old_clock() {
        let skipped = "2026-03-29T02:30:00".parse().unwrap();
        assert_eq!(resolve(skipped, Tz::Europe__Berlin).to_rfc3339(), "2026-03-29T01:30:00+00:00");
        // Midnight itself is skipped in Santiago.
        let midnight = "2026-09-06T00:00:00".parse().unwrap();
        assert_eq!(
            resolve(midnight, Tz::America__Santiago).to_rfc3339(),
            "2026-09-06T04:00:00+00:00"
        );
    }
}
