use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use iso_currency::Currency;
use rust_decimal::Decimal;

use crate::terms::{PendingOn, Terms};
use crate::{Activity, Expiry, MerchantId, Moment, Units, WalletName};

/// The attribute that holds the birthday, as `1990-05-17`.
pub const BIRTHDAY: &str = "birthday";

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

/// Of what members are reminded, and how long before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reminders {
    /// Of units that expire, so many days before.
    pub expiry_days: Option<u32>,
    /// Of a tier that is lost, so many days before.
    pub tier_days: Option<u32>,
    /// Of a task of which so much is left, or less.
    pub task_left: Option<u32>,
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
