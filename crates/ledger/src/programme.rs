//! A merchant's programme: its policy, as the manifest states it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use iso_currency::Currency;
use rust_decimal::Decimal;

use crate::terms::{PendingOn, Terms};
use crate::{Activity, Expiry, MerchantId, Moment, Order, Units, WalletName};

/// The attribute with the birthday, such as `1990-05-17`.
pub const BIRTHDAY: &str = "birthday";

/// A merchant's policy, as the manifest states it. The rules are in the sheets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programme {
    /// The merchant.
    pub merchant: MerchantId,
    /// The name that members know.
    pub name: String,
    /// The currency of every amount.
    pub currency: Currency,
    /// The time zone in which days, months and years begin.
    pub time_zone: Tz,
    /// The time zones of the stores that have one of their own, by name. Rules see the time of an
    /// order by the clock of its store; counts and periods begin by the merchant's.
    pub stores: BTreeMap<String, Tz>,
    /// The wallet that rules pay into and that pays rewards, unless they name another.
    pub main_wallet: WalletName,
    /// All wallets.
    pub wallets: BTreeMap<WalletName, WalletPolicy>,
    /// The kinds of activities by name, always with `purchase`.
    pub activities: BTreeMap<String, ActivityPolicy>,
    /// What happens to a member that no longer qualifies for its tier.
    pub tiers: TierPolicy,
    /// The holidays.
    pub holidays: Holidays,
    /// Campaigns by name.
    pub campaigns: BTreeMap<String, Campaign>,
    /// Trials by name.
    pub trials: BTreeMap<String, Trial>,
    /// The names of the pools of voucher codes.
    pub pools: BTreeSet<String>,
    /// Minutes until a hold expires.
    pub hold_minutes: u32,
    /// What members are reminded of.
    pub reminders: Reminders,
    /// What becomes of an activity of which a rule fails.
    pub on_failure: OnFailure,
    /// The days of 24 hours for which something may be told late and is then as if told in time.
    pub late_days: u32,
    /// The days of 24 hours for which units can be spent at least that come back of a reward.
    pub restored_days: u32,
    /// The attributes of members and of lines that a history may contain.
    pub history_attributes: BTreeSet<String>,
    /// What other rules may change at most.
    pub gate: Gate,
}

/// What other rules may change at most, as a backtest of them finds: each in percent, and `None` for
/// as much as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gate {
    /// How much more rules pay, by what it is worth.
    pub cost_increase_max: Option<Decimal>,
    /// How many of the members get less.
    pub losers_max: Option<Decimal>,
    /// How much more is owed at the end.
    pub liability_increase_max: Option<Decimal>,
}

impl Gate {
    /// The limits of both gates: the stricter one where both have one.
    #[must_use]
    pub fn and(self, other: Gate) -> Gate {
        let stricter = |one: Option<Decimal>, other: Option<Decimal>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Gate {
            cost_increase_max: stricter(self.cost_increase_max, other.cost_increase_max),
            losers_max: stricter(self.losers_max, other.losers_max),
            liability_increase_max: stricter(
                self.liability_increase_max,
                other.liability_increase_max,
            ),
        }
    }
}

/// What becomes of an activity if one of its rules fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It is recorded and pays what the other rules say; its entry notes the failure.
    #[default]
    Record,
    /// It is refused.
    Refuse,
}

impl Programme {
    /// The time zone by whose clock an order was placed: that of its store, or the merchant's.
    #[must_use]
    pub fn zone_of(&self, order: Option<&Order>) -> Tz {
        let store = order.and_then(|order| order.store.as_deref());
        store.and_then(|store| self.stores.get(store)).copied().unwrap_or(self.time_zone)
    }

    /// The decimals of the currency.
    #[must_use]
    pub fn decimals(&self) -> u32 {
        crate::money::decimals(self.currency)
    }
}

/// What happens to a member that no longer qualifies for its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TierPolicy {
    /// How far it falls.
    pub downgrade: Downgrade,
    /// The days of 24 hours for which it keeps its tier before it falls.
    pub grace_days: u32,
    /// How long a member keeps a tier at least, once it has reached it.
    pub keep: Option<Expiry>,
}

/// How far a member falls if it no longer qualifies for its tier.
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

/// What members are reminded of, and how long before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reminders {
    /// The days before units expire; `None` for no such reminders.
    pub expiry_days: Option<u32>,
    /// The days before a tier is lost; `None` for no such reminders.
    pub tier_days: Option<u32>,
    /// How much of a task is left, at most, when a member is reminded of it; `None` for no such
    /// reminders.
    pub task_left: Option<u32>,
}

/// A merchant's holidays. Rules can ask for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holidays {
    /// The names of those that recur every year, by month and day.
    pub every_year: BTreeMap<(u32, u32), String>,
    /// The names of those that occur once, by date.
    pub once: BTreeMap<NaiveDate, String>,
}

impl Holidays {
    /// The names of all holidays.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.every_year.values().chain(self.once.values()).map(String::as_str)
    }

    /// The name of the holiday on a day; a holiday by date wins over a yearly one.
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

/// A trial: rules that hold for a part of the members, who are compared with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its first and its last day.
    pub days: RangeInclusive<NaiveDate>,
    /// How many members take part, in hundredths of a percent.
    pub share: u16,
    /// How many members they are compared with, likewise. All others are neither.
    pub holdout: u16,
    /// What is compared.
    pub measures: Vec<Measure>,
}

/// What is compared in a trial, for each member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// What its purchases come to, without tax and tips.
    Revenue,
    /// How many purchases it makes.
    Orders,
    /// The sum of a field of its purchases, such as their margin.
    Field(String),
}

/// On which side of a trial a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// It takes part.
    Part,
    /// It is of the holdout, with which those who take part are compared.
    Holdout,
}

impl Trial {
    /// The arm of a member whose place is so many of ten thousand; `None` if it is in neither. Those
    /// who take part are counted from the first place and the holdout from the last, so that nobody
    /// changes sides when one of them grows.
    #[must_use]
    pub fn arm(&self, place: u16) -> Option<Arm> {
        let is_in_holdout = u32::from(place) + u32::from(self.holdout) >= u32::from(PLACES);
        if place < self.share { Some(Arm::Part) } else { is_in_holdout.then_some(Arm::Holdout) }
    }
}

/// The places of a trial, over which members are spread.
pub const PLACES: u16 = 10_000;

/// A span of days, both ends included. An end that is `None` is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DaySpan {
    /// The first day.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub until: Option<NaiveDate>,
}

impl DaySpan {
    /// Whether a day is in the span.
    #[must_use]
    pub fn contains(self, date: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until)
    }
}

/// The policy of one wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletPolicy {
    /// Whether it can pay rewards. A wallet that only counts, such as the qualifying points of a
    /// tier, cannot.
    pub spendable: bool,
    /// What one unit is worth in the programme's currency, for the audit; the lots that are given
    /// under this policy keep it.
    pub worth: Option<Decimal>,
    /// When a lot expires.
    pub expires: Expiry,
    /// Days of 24 hours until units can be spent, from the activity that earns them or, if they are
    /// pending on another activity, from that one.
    pub pending_days: u32,
    /// The kind of activity that an order's units are pending on, such as `delivery`.
    pub pending_until: Option<String>,
    /// Whether fractions of units are carried over from one payment of a rule to the next.
    pub carry: bool,
    /// Whether members may transfer units to each other.
    pub transferable: bool,
    /// Whether members that share an account earn into and spend from the account's wallet.
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
    /// The first moment at which units earned at `at` can be spent; `None` if at once.
    #[must_use]
    pub fn available_at(&self, at: Moment) -> Option<Moment> {
        (self.pending_days > 0).then(|| at + TimeDelta::days(self.pending_days.into()))
    }

    /// The terms of units that are given by hand at `at`.
    #[must_use]
    pub fn terms(&self, at: Moment, time_zone: Tz) -> Terms {
        let (inactivity, worth) = (self.expires.inactivity(), self.worth);
        Terms { inactivity, worth, ..Terms::until(self.expires.of(at, time_zone)) }
    }

    /// The terms of units that an activity earns. They are pending until a day, or, if the activity
    /// has an order, on another activity. Expiry by inactivity counts from `active_at`, when the
    /// member was last active, if that is later than the activity.
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

/// The policy of one kind of activity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActivityPolicy {
    /// The fields beyond the order, by name.
    pub fields: BTreeMap<String, FieldKind>,
    /// The day of each year that triggers it, if any.
    pub recurrence: Option<Recurrence>,
    /// Whether several activities of one member may have the same id. Otherwise a second one is a
    /// repeat of the first.
    pub ids_repeat: bool,
}

impl Programme {
    /// The names of the attributes that must be dates, if a member has them.
    pub fn dates(&self) -> impl Iterator<Item = &str> {
        let recurrence = self.activities.values().filter_map(|policy| match &policy.recurrence {
            Some(Recurrence::Attribute(name)) if name != BIRTHDAY => Some(name.as_str()),
            _ => None,
        });
        std::iter::once(BIRTHDAY).chain(recurrence)
    }
}

/// A day that recurs every year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recurrence {
    /// The day of the enrolment.
    Joined,
    /// The date in an attribute, such as `birthday` or `name_day`.
    Attribute(String),
}

/// The type of a field of an activity.
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
