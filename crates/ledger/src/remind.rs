//! Reminders: what a member should be told before it is too late. Each is an entry of its own, so
//! that whoever tells members (by mail, by push) can listen to them, and each comes once.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::programme::resolve;
use crate::{Member, Moment, Programme, Units, WalletName};

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

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Reminder {
    /// Units expire.
    Expiry {
        /// Of which wallet.
        wallet: WalletName,
        /// How many, on that day.
        units: Units,
        /// When the first of them do.
        at: Moment,
        /// When the last of that day do.
        until: Moment,
    },
    /// A tier is lost.
    Tier {
        /// Which.
        tier: String,
        /// When, should nothing more happen.
        at: Moment,
    },
    /// A task is nearly done.
    Task {
        /// Which.
        task: String,
        /// How much is left.
        left: u32,
        /// For which time it would be completed, from 1.
        round: u32,
    },
}

/// What a member has been reminded of, so that it comes once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reminded {
    /// By wallet: of what expires between two moments, both included, that are still to come.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expiry: BTreeMap<WalletName, Vec<(Moment, Moment)>>,
    /// Of a tier that is lost then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Moment>,
    /// By task: up to which round.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, u32>,
}

impl Reminded {
    pub(crate) fn note(&mut self, reminder: &Reminder, now: Moment) {
        match reminder {
            Reminder::Expiry { wallet, at, until, .. } => {
                let told = self.expiry.entry(wallet.clone()).or_default();
                told.retain(|(_, until)| *until > now);
                told.push((*at, *until));
            }
            Reminder::Tier { at, .. } => self.tier = Some(*at),
            Reminder::Task { task, round, .. } => {
                self.tasks.insert(task.clone(), *round);
            }
        }
    }
}

/// So many of the merchant's days before a moment, at the same time of day.
#[must_use]
pub fn days_before(at: Moment, days: u32, time_zone: Tz) -> Moment {
    let local = at.with_timezone(&time_zone).naive_local();
    let before = local.checked_sub_days(Days::new(days.into()));
    before.map_or(at, |before| resolve(before, time_zone))
}

/// The next thing that expires in each wallet that can be spent, and of which the member has not
/// been reminded.
#[must_use]
pub fn expiries(member: &Member, programme: &Programme, now: Moment) -> Vec<Reminder> {
    let day = |at: Moment| -> NaiveDate { at.with_timezone(&programme.time_zone).date_naive() };
    let spendable = |name: &&WalletName| {
        programme.wallets.get(name.as_str()).is_some_and(|policy| policy.spendable)
    };
    let next = |name: &WalletName| {
        let told = member.reminded.expiry.get(name).map_or(&[][..], Vec::as_slice);
        let is_told = |end: Moment| told.iter().any(|(at, until)| (*at..=*until).contains(&end));
        let open = member.wallet(name.as_str()).lots().iter().filter_map(|lot| {
            let at = lot.terms.expires_at.filter(|at| *at > now && !is_told(*at))?;
            lot.terms.held.is_none().then_some((at, lot.units))
        });
        let open: Vec<(Moment, Units)> = open.collect();
        let at = open.iter().map(|(at, _)| *at).min()?;
        let of_day = || open.iter().filter(|(other, _)| day(*other) == day(at));
        let units = of_day().try_fold(Units::ZERO, |sum, (_, units)| sum.checked_add(*units))?;
        let until = of_day().map(|(at, _)| *at).max()?;
        Some(Reminder::Expiry { wallet: name.clone(), units, at, until })
    };
    member.wallets.keys().filter(spendable).filter_map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_keep_the_hour_on_the_wall() {
        let at = "2026-04-05T22:00:00Z".parse().unwrap();
        let before = days_before(at, 14, Tz::Europe__Berlin);
        assert_eq!(before, "2026-03-22T23:00:00Z".parse::<Moment>().unwrap());
        let leap = "2028-02-29T12:00:00Z".parse().unwrap();
        assert_eq!(days_before(leap, 366, Tz::UTC).to_rfc3339(), "2027-02-28T12:00:00+00:00");
    }
}
