//! `regulars lift`: what a trial has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ::backtest::Past;
use ::history::{DataSet, Purchase, purchases};
use ::lift::{Course, Subject, unlikely};
use chrono::{Days, NaiveDate};
use clap::Args;
use ledger::activity::PURCHASE;
use ledger::programme::{Arm, FieldKind, Measure, Trial};
use ledger::{FieldValue, Moment, Programme};
use rules::{arm, did_you_mean};
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use crate::backtest::loaded;
use crate::page::{Cell, Interval, Output, Page, SCALE, Sheet};
use crate::result::CommandResult;
use crate::show::{money, progress, share, whole};

/// A split that is less likely than that has not come about by chance.
const SPLIT_MIN: f64 = 0.001;
/// The days of a week. A measure has a row for each, or for each few.
const WEEK: usize = 7;
/// The most rows of a measure.
const ROWS_MAX: usize = 13;
/// The decimals of a figure in JSON.
const DECIMALS: u32 = 6;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder of the rules, such as rules/sunrise-coffee
    rules: PathBuf,
    /// The name of the trial, as the manifest has it
    trial: String,
    /// The history, as `regulars history` writes it
    #[arg(long, value_name = "DIR")]
    against: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Compares who takes part in a trial with the holdout, and prints the difference.
pub(crate) fn run(options: &Options) -> CommandResult {
    let (merchant, bundle) = loaded(&options.rules)?;
    let programme = bundle.programme();
    let name = options.trial.as_str();
    let Some(trial) = programme.trials.get(name) else {
        let hint = did_you_mean(name, programme.trials.keys().map(String::as_str));
        return Err(format!("there is no trial `{name}` in the manifest{hint}").into());
    };
    let set = DataSet::open(&options.against, Some(&merchant))?;
    let Some((_, ends)) = set.overview()?.span else {
        let folder = options.against.display();
        return Err(format!("there is nothing in the history `{folder}`").into());
    };
    let until = date(programme, ends).min(*trial.days.end());
    if until < *trial.days.start() {
        return Err(format!(
            "trial `{name}` begins on {}, and the history ends on {}",
            trial.days.start(),
            date(programme, ends)
        )
        .into());
    }
    let found = Found::read(&set, programme, (name, trial), until)?;
    let report = Report { programme, name, trial, until, found: &found, measures: found.looks()? };
    let title = format!("{}: the trial {name}", programme.name);
    options.output.write(&title, || report.page(), || report.as_json())
}

fn date(programme: &Programme, at: Moment) -> NaiveDate {
    at.with_timezone(&programme.time_zone).date_naive()
}

/// What the members of a trial did.
struct Found<'a> {
    programme: &'a Programme,
    trial: &'a Trial,
    decimals: u32,
    /// The course of each measure, in their order.
    courses: Vec<Course>,
    /// Whether some of it was judged by rules for which the trial was another.
    was_another: bool,
}

impl<'a> Found<'a> {
    fn read(
        set: &DataSet,
        programme: &'a Programme,
        (name, trial): (&str, &'a Trial),
        until: NaiveDate,
    ) -> CommandResult<Found<'a>> {
        let days = days_between(*trial.days.start(), until).map_or(0, |days| days + 1);
        let courses = trial.measures.iter().map(|_| Course::new(days)).collect();
        let decimals = programme.decimals();
        let mut found = Found { programme, trial, decimals, courses, was_another: false };
        let mut judged_by = BTreeSet::new();
        let bar =
            progress(set.parts().into(), "{bar:40.cyan/blue} {human_pos}/{human_len} parts  {eta}");
        for part in 0..set.parts() {
            for past in set.part(part)? {
                if let Some(arm) = arm(programme, name, &past.enrolled.id) {
                    let id = &past.enrolled.id;
                    found.count(&past, arm).map_err(|why| format!("{id}: {why}"))?;
                }
                let is_of_trial = |at| (*trial.days.start()..=until).contains(&date(programme, at));
                let entries = past.entries.into_iter();
                let entries = entries.filter(|told| is_of_trial(told.entry.at));
                judged_by.extend(entries.map(|told| told.rules).filter(|rules| !rules.is_empty()));
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        for rules in &judged_by {
            let then = set.rules(rules)?;
            let same = |then: &Trial| (then.share, then.holdout) == (trial.share, trial.holdout);
            found.was_another |= !then.programme().trials.get(name).is_some_and(same);
        }
        Ok(found)
    }

    /// Counts what a member did before the trial and in it.
    fn count(&mut self, past: &Past, arm: Arm) -> CommandResult {
        let programme = self.programme;
        let begins = *self.trial.days.start();
        let since = days_between(begins, date(programme, past.enrolled.enrolled_at)).unwrap_or(0);
        let entries: Vec<_> = past.entries.iter().map(|told| told.entry.clone()).collect();
        let next = entries.last().map_or(past.enrolled.seq, |last| last.seq).next();
        let bought = purchases(&entries, next, self.decimals)?;
        for (measure, course) in std::iter::zip(&self.trial.measures, &mut self.courses) {
            let mut before: i64 = 0;
            let mut during: BTreeMap<usize, i64> = BTreeMap::new();
            for purchase in &bought {
                let day = days_between(begins, date(programme, purchase.activity.at));
                let sum = day.map_or(&mut before, |day| during.entry(day.max(since)).or_default());
                let more = measured(measure, purchase, self.decimals);
                let with = more.and_then(|more| sum.checked_add(more));
                *sum = with.ok_or("its orders come to too much")?;
            }
            let during: Vec<_> = during.into_iter().collect();
            let takes_part = arm == Arm::Part;
            course.count(Subject { takes_part, since, before, during: &during })?;
        }
        Ok(())
    }

    /// What is known of each measure at the end of each day.
    fn looks(&self) -> CommandResult<Vec<Vec<Seen>>> {
        let of = |(measure, course): (&Measure, &Course)| {
            let decimals = if is_money(measure, self.programme) { self.decimals } else { 0 };
            let looks = course.looks()?.into_iter();
            let seen = looks.map(|look| Seen::of(&look, *self.trial.days.start(), decimals));
            Ok(seen.collect::<Option<_>>().ok_or("what members did comes to too much")?)
        };
        std::iter::zip(&self.trial.measures, &self.courses).map(of).collect()
    }

    fn members(&self) -> [u64; 2] {
        self.courses.first().map_or([0, 0], Course::members)
    }
}

/// The days from one to another; `None` if the other is earlier.
fn days_between(from: NaiveDate, to: NaiveDate) -> Option<usize> {
    usize::try_from(to.signed_duration_since(from).num_days()).ok()
}

fn is_money(measure: &Measure, programme: &Programme) -> bool {
    let fields = programme.activities.get(PURCHASE).map(|purchase| &purchase.fields);
    match measure {
        Measure::Revenue => true,
        Measure::Orders => false,
        Measure::Field(name) => {
            fields.and_then(|fields| fields.get(name)) == Some(&FieldKind::Amount)
        }
    }
}

fn called(measure: &Measure) -> &str {
    match measure {
        Measure::Revenue => "revenue",
        Measure::Orders => "orders",
        Measure::Field(name) => name,
    }
}

/// What a purchase adds to a measure, in minor units of the currency if it is money; `None` if that is
/// too much. Of a field, as much as is left of the order's total.
fn measured(measure: &Measure, purchase: &Purchase<'_>, decimals: u32) -> Option<i64> {
    let minor = |amount: Decimal| {
        amount.checked_mul(Decimal::from(10_i64.checked_pow(decimals)?))?.round().to_i64()
    };
    let Measure::Field(name) = measure else {
        return match measure {
            Measure::Orders => Some(1),
            _ => minor(purchase.revenue()?),
        };
    };
    let told = purchase.activity.order.as_ref().map_or(Decimal::ZERO, |order| order.total);
    let left = |whole: Decimal| match told.is_zero() || told == purchase.order.total {
        true => Some(whole),
        false => whole.checked_mul(purchase.order.total)?.checked_div(told),
    };
    match purchase.activity.fields.get(name) {
        Some(FieldValue::Amount(amount)) => minor(left(*amount)?),
        Some(FieldValue::Integer(number)) => left(Decimal::from(*number))?.round().to_i64(),
        _ => Some(0),
    }
}

/// What was known of a measure at the end of a day, for each member, in the currency if it is money.
#[derive(Debug, Clone, Copy)]
struct Seen {
    day: NaiveDate,
    part: Decimal,
    holdout: Decimal,
    least: Decimal,
    most: Decimal,
}

impl Seen {
    fn of(look: &::lift::Look, begins: NaiveDate, decimals: u32) -> Option<Seen> {
        let minor = Decimal::from(10_i64.checked_pow(decimals)?);
        let number = |number: f64| Decimal::from_f64(number)?.checked_div(minor);
        let day = begins.checked_add_days(Days::new(u64::try_from(look.day).ok()?))?;
        let (least, most) = look.interval;
        Some(Seen {
            day,
            part: number(look.part)?,
            holdout: number(look.holdout)?,
            least: number(least)?,
            most: number(most)?,
        })
    }

    fn more(&self) -> Decimal {
        self.part - self.holdout
    }

    /// Whether the difference is more, or less, than by chance.
    fn is_real(&self) -> bool {
        self.least > Decimal::ZERO || self.most < Decimal::ZERO
    }
}

/// What a trial has changed, as it is shown.
struct Report<'a> {
    programme: &'a Programme,
    name: &'a str,
    trial: &'a Trial,
    until: NaiveDate,
    found: &'a Found<'a>,
    measures: Vec<Vec<Seen>>,
}

impl Report<'_> {
    fn measures(&self) -> impl Iterator<Item = (&Measure, &[Seen])> {
        std::iter::zip(&self.trial.measures, self.measures.iter().map(Vec::as_slice))
    }

    /// How likely the split is, if all went well.
    fn split(&self) -> Option<f64> {
        let Trial { share, holdout, .. } = self.trial;
        unlikely(self.found.members(), [f64::from(*share), f64::from(*holdout)])
    }

    fn page(&self) -> Page {
        let mut page = Page::default();
        let days = &self.trial.days;
        let seen = if self.until < *days.end() {
            format!(", as it was at the end of {}", self.until)
        } else {
            String::new()
        };
        page.line(format!("Trial `{}`, {} to {}{seen}.", self.name, days.start(), days.end()));
        let [part, holdout] = self.found.members();
        let percent = |places: u16| format!("{} %", Decimal::new(places.into(), 2));
        page.line(format!(
            "{} members take part, and {} are the holdout: {} and {} of all were to be.",
            whole(part),
            whole(holdout),
            percent(self.trial.share),
            percent(self.trial.holdout)
        ));
        if self.split().is_some_and(|likely| likely < SPLIT_MIN) {
            page.line(
                "warning: chance splits members so unevenly in less than one of a thousand trials, so something else is behind it, and may be behind the differences, too",
            );
        }
        if self.found.was_another {
            page.line(
                "warning: in this time, some activities were judged by rules without this trial, or with other shares",
            );
        }
        for (measure, looks) in self.measures() {
            page.line(self.sentence(measure, looks.last()));
        }
        for (measure, looks) in self.measures() {
            if !looks.is_empty() {
                page.sheet(self.course(measure, looks));
            }
        }
        page.paragraph("What members had done before the trial is taken into account (CUPED).");
        page.line("In 95 of 100 trials the truth is within all of these intervals, however often one looks.");
        page
    }

    fn amount(&self, measure: &Measure, amount: Decimal) -> String {
        if is_money(measure, self.programme) {
            money(amount, self.programme.currency.code(), self.programme.decimals())
        } else {
            let places = if amount.abs() < Decimal::TEN { 3 } else { 1 };
            let away = RoundingStrategy::MidpointAwayFromZero;
            format!("{:.*}", places as usize, amount.round_dp_with_strategy(places, away))
        }
    }

    /// What is known of a measure, in words.
    fn sentence(&self, measure: &Measure, last: Option<&Seen>) -> String {
        let what = called(measure);
        let Some(last) = last else {
            return format!("{what}: too few members have bought anything to compare them.");
        };
        let signed = |amount: Decimal| {
            let word = if amount.is_sign_negative() { "less" } else { "more" };
            format!("{} {word}", self.amount(measure, amount.abs()))
        };
        let percent = last.more().checked_div(last.holdout).and_then(|part| part.to_f64());
        let percent = percent.map(|part| format!(" ({})", share(part.abs(), 1)));
        let verdict = if last.is_real() { "that is not chance" } else { "that may be chance" };
        format!(
            "{what}: {}{} for each who takes part; {verdict}: between {} and {}.",
            signed(last.more()),
            percent.unwrap_or_default(),
            signed(last.least),
            signed(last.most)
        )
    }

    /// A measure, at the end of each week or of each few.
    fn course(&self, measure: &Measure, looks: &[Seen]) -> Sheet {
        let title = format!("{}, for each member since the trial began", called(measure));
        let heads = ["until", "#takes part", "#holdout", "#more", "#at least", "#at most", ""];
        let mut sheet = Sheet::new(&title, heads);
        let every = looks.len().div_ceil(WEEK * ROWS_MAX) * WEEK;
        let rows = || looks.iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev();
        let scale = Scale::of(rows());
        for seen in rows() {
            let amount = |of: Decimal| Cell::from(self.amount(measure, of));
            sheet.row([
                Cell::from(seen.day.to_string()),
                amount(seen.part),
                amount(seen.holdout),
                amount(seen.more()),
                amount(seen.least),
                amount(seen.most),
                Cell::from(scale.interval(seen)),
            ]);
        }
        sheet
    }

    fn as_json(&self) -> CommandResult<String> {
        let [part, holdout] = self.found.members();
        let figure = |of: Decimal| of.round_dp(DECIMALS).normalize();
        let look = |seen: &Seen| {
            json!({
                "day": seen.day,
                "takes_part": figure(seen.part),
                "holdout": figure(seen.holdout),
                "more": figure(seen.more()),
                "at_least": figure(seen.least),
                "at_most": figure(seen.most),
                "is_real": seen.is_real(),
            })
        };
        let measure = |(measure, looks): (&Measure, &[Seen])| {
            let looks: Vec<Value> = looks.iter().map(look).collect();
            json!({ "measure": called(measure), "looks": looks })
        };
        let json = json!({
            "trial": self.name,
            "from": self.trial.days.start(),
            "until": self.trial.days.end(),
            "seen_until": self.until,
            "members": { "take_part": part, "holdout": holdout },
            "split_likelihood": self.split(),
            "rules_without_it": self.found.was_another,
            "measures": self.measures().map(measure).collect::<Vec<_>>(),
        });
        Ok(serde_json::to_string_pretty(&json)?)
    }
}

/// The scale on which the intervals of a measure are drawn. It has a zero.
struct Scale {
    from: Decimal,
    length: Decimal,
}

impl Scale {
    fn of<'a>(all: impl Iterator<Item = &'a Seen>) -> Scale {
        let (mut from, mut to) = (Decimal::ZERO, Decimal::ZERO);
        for seen in all {
            from = from.min(seen.least);
            to = to.max(seen.most);
        }
        Scale { from, length: to - from }
    }

    fn interval(&self, seen: &Seen) -> Interval {
        let place = |of: Decimal| {
            let part = (of - self.from).checked_div(self.length).unwrap_or_default();
            (part * Decimal::from(SCALE)).round().to_u16().unwrap_or_default()
        };
        Interval {
            least: place(seen.least),
            found: place(seen.more()),
            most: place(seen.most),
            zero: place(Decimal::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Activity, Order, OrderAmounts};

    use super::*;

    #[test]
    fn a_field_counts_for_as_much_as_is_left_of_the_order() {
        let amounts = OrderAmounts { tax: 20.into(), ..OrderAmounts::default() };
        let order = |total: i64| Order { total: total.into(), amounts, ..Order::default() };
        let (margin, pieces) = (FieldValue::Amount(40.into()), FieldValue::Integer(9));
        let activity = Activity {
            id: "a".to_owned(),
            kind: PURCHASE.to_owned(),
            at: Moment::UNIX_EPOCH,
            of: None,
            order: Some(order(120)),
            channel: None,
            payment: None,
            fields: [("margin".to_owned(), margin), ("pieces".to_owned(), pieces)].into(),
        };
        let figures = |total: i64| {
            let order = order(total);
            let at = Moment::UNIX_EPOCH;
            let purchase = Purchase { activity: &activity, decided_at: at, order };
            let field = |name: &str| Measure::Field(name.to_owned());
            [Measure::Revenue, Measure::Orders, field("margin"), field("pieces"), field("other")]
                .map(|measure| measured(&measure, &purchase, 2).unwrap())
        };
        assert_eq!(figures(120), [10_000, 1, 4_000, 9, 0]);
        // A third is left of it.
        assert_eq!(figures(40), [2_000, 1, 1_333, 3, 0]);
    }

    #[test]
    fn an_interval_is_drawn_on_a_scale_with_a_zero() {
        let day = NaiveDate::MIN;
        let seen = |part: i64, least: i64, most: i64| {
            let (part, least, most) = (part.into(), least.into(), most.into());
            Seen { day, part, holdout: Decimal::ZERO, least, most }
        };
        let all = [seen(1, -2, 4), seen(5, 2, 8)];
        let scale = Scale::of(all.iter());
        let Interval { least, found, most, zero } = scale.interval(&all[1]);
        assert_eq!((least, found, most, zero), (400, 700, 1000, 200));
        let nothing = Scale::of([seen(0, 0, 0)].iter()).interval(&seen(0, 0, 0));
        assert_eq!((nothing.least, nothing.most), (0, 0));
    }
}
