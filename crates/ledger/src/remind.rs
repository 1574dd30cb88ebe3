//! The reminders of units that expire. Reminders are recorded in an entry of the member, so that
//! each comes only once, and a service that sends mail or push messages can listen to entries.

use chrono::NaiveDate;

use crate::reminder::Reminder;
use crate::{Member, Moment, Programme, Units, WalletName};

/// The reminders of expiries, one for each wallet that can be spent: the next day on which units
/// expire and that the member has not been reminded of. Held lots do not count.
#[must_use]
pub fn expiries(member: &Member, programme: &Programme, now: Moment) -> Vec<Reminder> {
    let day = |at: Moment| -> NaiveDate { at.with_timezone(&programme.time_zone).date_naive() };
    let spendable = |name: &&WalletName| {
        programme.wallets.get(name.as_str()).is_some_and(|policy| policy.spendable)
    };
    let next = |name: &WalletName| {
        let reminded = member.reminded.expiry.get(name).map_or(&[][..], Vec::as_slice);
        let is_reminded =
            |end: Moment| reminded.iter().any(|(at, until)| (*at..=*until).contains(&end));
        let open = member.wallet(name.as_str()).lots().iter().filter_map(|lot| {
            let at = lot.terms.expires_at.filter(|at| *at > now && !is_reminded(*at))?;
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
