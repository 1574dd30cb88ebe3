//! `regulars worth`: how often customers are likely to buy again, and for how much.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::backtest::Past;
use ::history::{DataSet, purchases};
use ::worth::{Actual, Customer, Forecast, Group, Purchase};
use chrono::{Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use clap::Args;
use ledger::MemberId;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::json;

use crate::page::{Bar, Cell, Output, Page, Sheet};
use crate::result::CommandResult;
use crate::show::{expectation, progress, share, whole};

/// The weeks that are forecast.
const WEEKS: i64 = 39;
/// The customers that are named.
const NAMED: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The history, as `regulars history` writes it
    history: PathBuf,
    /// The last day that the models learn from; what came after it shows how well they forecast
    /// [default: the day of the last purchase]
    #[arg(long, value_name = "DAY")]
    learn_until: Option<NaiveDate>,
    #[command(flatten)]
    output: Output,
}

/// Fits the models, and prints what they expect.
pub(crate) fn run(options: &Options) -> CommandResult {
    let bought = Bought::read(&options.history)?;
    let Some(last) = bought.last() else {
        return Err(format!("there are no purchases in `{}`", options.history.display()).into());
    };
    let is_late = |day: &NaiveDate| {
        day.checked_add_signed(TimeDelta::weeks(1)).is_none_or(|week_later| week_later > last)
    };
    if let Some(day) = options.learn_until.filter(is_late) {
        return Err(format!(
            "--learn-until {day} leaves less than a week until the last purchase, of {last}"
        )
        .into());
    }
    let learned = options.learn_until;
    let day = learned.unwrap_or(last);
    let until = if learned.is_some() { last } else { day + TimeDelta::weeks(WEEKS) };
    let forecast = Forecast::of(&bought.days, number(day), number(until), learned.is_some())
        .map_err(|error| format!("until {day}, {error}"))?;
    let report = Report { bought: &bought, forecast: &forecast, day, until };
    options.output.write("What customers are worth", || report.page(), || report.as_json())
}

fn number(day: NaiveDate) -> i64 {
    day.num_days_from_ce().into()
}

/// What the members of a history bought.
struct Bought {
    members: Vec<MemberId>,
    /// The days on which each bought, in the same order.
    days: Vec<Vec<Purchase>>,
    currency: String,
}

impl Bought {
    fn read(folder: &Path) -> CommandResult<Bought> {
        let set = DataSet::open(folder, None)?;
        let (zone, decimals) = (set.head.zone()?, set.head.decimals);
        let currency = set.head.currency.clone();
        let mut bought = Bought { members: Vec::new(), days: Vec::new(), currency };
        let bar =
            progress(set.parts().into(), "{bar:40.cyan/blue} {human_pos}/{human_len} parts  {eta}");
        for part in 0..set.parts() {
            for past in set.part(part)? {
                let days = days_of(&past, zone, decimals)
                    .map_err(|reason| format!("{}: {reason}", past.enrolled.id))?;
                if !days.is_empty() {
                    bought.members.push(past.enrolled.id);
                    bought.days.push(days);
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(bought)
    }

    /// The day of the last purchase.
    fn last(&self) -> Option<NaiveDate> {
        let last = self.days.iter().flatten().map(|purchase| purchase.day).max()?;
        NaiveDate::from_num_days_from_ce_opt(i32::try_from(last).ok()?)
    }
}

/// What a member bought on each day of a zone: what is left of its purchases after returns. A purchase
/// that came back as a whole does not count.
fn days_of(past: &Past, zone: Tz, decimals: u32) -> CommandResult<Vec<Purchase>> {
    let entries: Vec<_> = past.entries.iter().map(|one| one.entry.clone()).collect();
    let next = entries.last().map_or(past.enrolled.seq, |last| last.seq).next();
    let mut days: BTreeMap<i64, Decimal> = BTreeMap::new();
    for purchase in purchases(&entries, next, decimals)? {
        let day = number(purchase.activity.at.with_timezone(&zone).date_naive());
        let sum = days.entry(day).or_default();
        *sum = sum.checked_add(purchase.order.total).ok_or("its orders come to too much")?;
    }
    let purchase = |(day, sum): (i64, Decimal)| {
        Ok(Purchase { day, amount: sum.to_f64().ok_or("its orders come to too much")? })
    };
    days.into_iter().map(purchase).collect()
}

/// A forecast, with what it was made of.
struct Report<'a> {
    bought: &'a Bought,
    forecast: &'a Forecast,
    day: NaiveDate,
    until: NaiveDate,
}

impl Report<'_> {
    fn page(&self) -> Page {
        let Report { forecast, day, until, .. } = self;
        let Forecast { spend, weeks, expected, actual, customers, .. } = forecast;
        let mut page = Page::default();
        let again = customers.iter().filter(|customer| customer.buyer.repeats > 0.0).count();
        page.line(format!(
            "Until {day}, {} members bought, and {} of them again.",
            whole(customers.len() as u64),
            whole(again as u64)
        ));
        page.line(match actual {
            None => format!(
                "In the {weeks:.0} weeks until {until}, {} purchases are expected of them.",
                expectation(*expected)
            ),
            Some(Actual { purchases, miss }) => {
                let miss = miss.map(|miss| match miss < 0.0 {
                    true => format!(": the forecast was {:.1} % too low", miss.abs()),
                    false => format!(": the forecast was {miss:.1} % too high"),
                });
                format!(
                    "For the {weeks:.0} weeks until {until}, {} purchases were to be expected of them, and they made {}{}.",
                    expectation(*expected),
                    whole(*purchases),
                    miss.unwrap_or_default()
                )
            }
        });
        page.line(format!("A purchase comes to {} on average.", self.money(spend.mean())));
        page.sheet(self.groups());
        page.sheet(self.best());
        page.sheet(self.models());
        page
    }

    fn groups(&self) -> Sheet {
        let Forecast { actual, groups, .. } = self.forecast;
        let head = if actual.is_some() { "#made" } else { "" };
        let mut by = Sheet::new(
            "Members by how often they had bought again",
            ["#times", "#members", "#expected", head, ""],
        );
        let of = |group: &Group| group.expected.round().to_u64().unwrap_or_default();
        let most = groups.iter().map(|group| of(group).max(group.actual)).max().unwrap_or(1);
        for (times, group) in groups.iter().enumerate() {
            let more = if times + 1 == groups.len() { " or more" } else { "" };
            let made = if actual.is_some() { whole(group.actual) } else { String::new() };
            let bar = Bar { was: actual.map(|_| group.actual), is: of(group), most };
            by.row([
                Cell::from(format!("{times}{more}")),
                whole(group.customers).into(),
                expectation(group.expected).into(),
                made.into(),
                bar.into(),
            ]);
        }
        by
    }

    fn best(&self) -> Sheet {
        let title =
            format!("Who is worth most in the {:.0} weeks after {}", self.forecast.weeks, self.day);
        let heads =
            ["member", "#bought again", "#still a customer", "#purchases", "#each", "#worth"];
        let mut best = Sheet::new(&title, heads);
        for (member, customer) in self.named().take(NAMED) {
            let Customer { buyer, alive, purchases, amount, worth, .. } = customer;
            best.row([
                member.to_string(),
                expectation(buyer.repeats),
                share(*alive, 0),
                format!("{purchases:.1}"),
                self.money(*amount),
                self.money(*worth),
            ]);
        }
        best
    }

    fn models(&self) -> Sheet {
        let Forecast { repeat, spend, .. } = self.forecast;
        let mut models = Sheet::new("The models", ["model", "parameters", "#log-likelihood"]);
        models.row([
            "BG/NBD, in weeks".to_owned(),
            format!(
                "r {:.3}, alpha {:.3}, a {:.3}, b {:.3}",
                repeat.r, repeat.alpha, repeat.a, repeat.b
            ),
            format!("{:.1}", repeat.log_likelihood),
        ]);
        models.row([
            "Gamma-Gamma".to_owned(),
            format!("p {:.2}, q {:.2}, gamma {:.2}", spend.p, spend.q, spend.gamma),
            format!("{:.1}", spend.log_likelihood),
        ]);
        models
    }

    fn money(&self, amount: f64) -> String {
        format!("{amount:.2} {}", self.bought.currency)
    }

    /// The customers with their names, the one of the greatest worth first.
    fn named(&self) -> impl Iterator<Item = (&MemberId, &Customer)> {
        let customers = self.forecast.customers.iter();
        customers.filter_map(|one| Some((self.bought.members.get(one.place)?, one)))
    }

    fn as_json(&self) -> CommandResult<String> {
        let customers = self.named().map(|(member, customer)| {
            let Customer { buyer, alive, purchases, amount, worth, .. } = customer;
            json!({
                "member": member,
                "repeats": buyer.repeats,
                "alive": alive,
                "purchases": purchases,
                "amount": amount,
                "worth": worth,
            })
        });
        let json = json!({
            "learned_until": self.day,
            "until": self.until,
            "forecast": self.forecast,
            "customers": customers.collect::<Vec<_>>(),
        });
        Ok(serde_json::to_string_pretty(&json)?)
    }
}

#[cfg(test)]
mod tests {
    use ledger::activity::PURCHASE;
    use ledger::entry::Returned;
    use ledger::{Activity, Entry, EntryKind, Member, Moment, Order, Seq};

    use super::*;

    fn moment(text: &str) -> Moment {
        text.parse().unwrap()
    }

    fn told(entry: u64, at: &str, kind: EntryKind) -> ::backtest::Recorded {
        let entry = Entry::bare(Seq::new(entry), moment(at), kind);
        ::backtest::Recorded { entry, rules: String::new(), asked: true }
    }

    fn activity(kind: &str, id: &str, at: &str, total: i64) -> EntryKind {
        let (kind, id, at) = (kind.to_owned(), id.to_owned(), moment(at));
        let order = Some(Order { total: total.into(), ..Order::default() });
        let (of, channel, payment, fields) = (None, None, None, BTreeMap::new());
        EntryKind::Earn { activity: Activity { id, kind, at, of, order, channel, payment, fields } }
    }

    #[test]
    fn a_day_has_what_is_left_of_its_purchases_and_deliveries_are_none() {
        let back = |of: u64, refund: Option<i64>| EntryKind::Reverse {
            of: Seq::new(of),
            returned: refund.map(|refund| Returned { lines: Vec::new(), refund: refund.into() }),
            units: None,
            other: None,
        };
        let enrolled = Member::new(MemberId::parse("ada").unwrap(), moment("2026-05-01T00:00:00Z"));
        // 23:30 in Berlin is 21:30 by UTC, and half past midnight there the day before.
        let entries = vec![
            told(1, "2026-05-01T21:30:00Z", activity(PURCHASE, "a", "2026-05-01T21:30:00Z", 40)),
            told(2, "2026-05-01T22:30:00Z", activity(PURCHASE, "b", "2026-05-01T22:30:00Z", 7)),
            told(3, "2026-05-03T10:00:00Z", activity("delivery", "d", "2026-05-03T10:00:00Z", 0)),
            told(4, "2026-05-04T10:00:00Z", activity(PURCHASE, "c", "2026-05-04T10:00:00Z", 90)),
            told(5, "2026-05-05T10:00:00Z", back(1, Some(15))),
            told(6, "2026-05-05T11:00:00Z", back(4, None)),
        ];
        let past = Past { enrolled, entries };
        let days = |zone: Tz| -> Vec<(String, f64)> {
            let days = days_of(&past, zone, 2).unwrap();
            let day = |day: i64| NaiveDate::from_num_days_from_ce_opt(i32::try_from(day).unwrap());
            days.into_iter().map(|one| (day(one.day).unwrap().to_string(), one.amount)).collect()
        };
        let (first, second) = ("2026-05-01".to_owned(), "2026-05-02".to_owned());
        assert_eq!(days(Tz::Europe__Berlin), [(first.clone(), 25.0), (second, 7.0)]);
        assert_eq!(days(Tz::UTC), [(first, 32.0)]);
    }
}
