//! `regulars measure`: figures of the past, each by an SQL file of its own.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use ::history::DataSet;
use ::measures::{By, Figures, Measure, Past, Period, Value, periods};
use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use rules::did_you_mean;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value as Json, json};

use crate::page::{Bar, Cell, Output, Page, Sheet};
use crate::result::CommandResult;
use crate::show::{money, progress, share, whole};

/// The rows of a measure that are shown, unless it is named.
const ROWS_SHOWN: usize = 15;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The history, as `regulars history` writes it
    history: PathBuf,
    /// The measures [default: all]
    names: Vec<String>,
    /// Show figures for each of these
    #[arg(long, value_enum)]
    by: Option<Length>,
    /// The first day [default: the first of the history]
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// The last day [default: the last of the history]
    #[arg(long, value_name = "DAY")]
    until: Option<NaiveDate>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Length {
    Month,
    Quarter,
    Year,
}

impl From<Length> for By {
    fn from(length: Length) -> By {
        match length {
            Length::Month => By::Month,
            Length::Quarter => By::Quarter,
            Length::Year => By::Year,
        }
    }
}

/// Takes the measures, and prints them.
pub(crate) async fn run(options: &Options) -> CommandResult {
    let wanted = wanted(&options.names)?;
    let set = DataSet::open(&options.history, None)?;
    let days = days(options, &set)?;
    let periods = periods(&days, options.by.map(By::from));
    let past = Past::open(&set, &periods).await?;
    let bar = progress(wanted.len(), "{bar:40.cyan/blue} {human_pos}/{human_len} measures  {msg}");
    let mut found = Vec::new();
    for measure in wanted {
        bar.set_message(measure.name);
        found.push((measure, past.measure(measure).await?));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let report =
        Report { set: &set, days, periods: &periods, found, is_named: !options.names.is_empty() };
    let title = format!("Measures of {}", set.head.merchant);
    options.output.write(&title, || report.page(), || report.as_json())
}

/// The measures of some names; all, if none is named.
fn wanted(names: &[String]) -> CommandResult<Vec<&'static Measure>> {
    if names.is_empty() {
        return Ok(Measure::all().iter().collect());
    }
    let named = |name: &String| {
        Measure::named(name).ok_or_else(|| {
            let known = Measure::all().iter().map(|measure| measure.name);
            format!("there is no measure `{name}`{}", did_you_mean(name, known)).into()
        })
    };
    names.iter().map(named).collect()
}

/// The days that are asked for.
fn days(options: &Options, set: &DataSet) -> CommandResult<RangeInclusive<NaiveDate>> {
    let zone = set.head.zone()?;
    let span = set.overview()?.span;
    let own = span.map(|(first, last)| {
        (first.with_timezone(&zone).date_naive(), last.with_timezone(&zone).date_naive())
    });
    let from = options.from.or(own.map(|(first, _)| first));
    let until = options.until.or(own.map(|(_, last)| last));
    let Some((from, until)) = from.zip(until) else {
        return Err(format!("nothing happened in `{}`", options.history.display()).into());
    };
    if from > until {
        return Err(format!("the first day, {from}, is after the last, {until}").into());
    }
    Ok(from..=until)
}

struct Report<'a> {
    set: &'a DataSet,
    days: RangeInclusive<NaiveDate>,
    periods: &'a [Period],
    found: Vec<(&'static Measure, Figures)>,
    /// Whether the measures were named: then nothing of them is left out.
    is_named: bool,
}

/// The rows of a measure that have the same names, one for each period.
struct Course<'f> {
    names: Vec<&'f str>,
    /// The figure of each period.
    figures: Vec<Option<&'f Value>>,
    /// The last of its rows.
    last: &'f [Value],
}

impl Report<'_> {
    fn page(&self) -> Page {
        let mut page = Page::default();
        let (from, until) = (self.days.start(), self.days.end());
        page.line(format!("{}, from {from} to {until}.", self.set.head.merchant));
        let (single, several): (Vec<_>, Vec<_>) =
            self.found.iter().partition(|(_, figures)| names_in(figures) == 0);
        if !single.is_empty() {
            page.sheet(self.overview(&single));
        }
        for (measure, figures) in several {
            page.sheet(self.sheet(measure, figures));
        }
        if self.is_named {
            for (measure, _) in &self.found {
                page.paragraph(format!("{}: {}", measure.title(), measure.meaning()));
                page.line(format!("Unit: {}", measure.unit()));
                page.line(format!("Source: {}", measure.source()));
            }
        }
        page
    }

    /// Whether there is more than one period.
    fn has_course(&self) -> bool {
        self.periods.len() > 1
    }

    /// The measures that are one figure for each period.
    fn overview(&self, single: &[&(&'static Measure, Figures)]) -> Sheet {
        let last = self.periods.last().map_or("", |period| period.name.as_str());
        let figure = format!("#{last}");
        let heads = if self.has_course() {
            ["measure", "course", figure.as_str()]
        } else {
            ["measure", "", "#figure"]
        };
        let mut sheet = Sheet::new("", heads);
        for (measure, figures) in single {
            let Some(course) = self.courses(figures).into_iter().next() else { continue };
            let figure = self.shown(figures, figures.columns.len() - 1, course.last.last());
            sheet.row([measure.title().to_owned(), self.spark(&course), figure]);
        }
        sheet
    }

    /// A measure whose figures have names, such as those of wallets.
    fn sheet(&self, measure: &Measure, figures: &Figures) -> Sheet {
        let names = names_in(figures);
        let numbers = names + 1..figures.columns.len();
        let mut heads: Vec<String> = Vec::new();
        heads.extend(figures.columns.iter().skip(1).take(names).map(|name| words(name)));
        if self.has_course() {
            heads.push("course".to_owned());
        }
        heads
            .extend(figures.columns.iter().skip(names + 1).map(|name| format!("#{}", words(name))));
        heads.push(String::new());
        let courses = self.courses(figures);
        let shown = if self.is_named { courses.len() } else { ROWS_SHOWN };
        let left = courses.len().saturating_sub(shown);
        let title = match left {
            0 => measure.title().to_owned(),
            _ => format!(
                "{} ({left} more rows: regulars measure HISTORY {})",
                measure.title(),
                measure.name
            ),
        };
        let mut sheet = Sheet::new(&title, heads.iter().map(String::as_str));
        let size = |course: &Course<'_>| course.last.last().and_then(size);
        let most = courses.iter().take(shown).filter_map(size).max().unwrap_or_default();
        for course in courses.iter().take(shown) {
            let mut row: Vec<Cell> = course.names.iter().copied().map(Cell::from).collect();
            if self.has_course() {
                row.push(self.spark(course).into());
            }
            row.extend(
                numbers
                    .clone()
                    .map(|column| Cell::from(self.shown(figures, column, course.last.get(column)))),
            );
            row.push(Bar { was: None, is: size(course).unwrap_or_default(), most }.into());
            sheet.row(row);
        }
        sheet
    }

    /// The rows of a measure, those of the same names together.
    fn courses<'f>(&self, figures: &'f Figures) -> Vec<Course<'f>> {
        let names = names_in(figures);
        let mut courses: Vec<Course<'f>> = Vec::new();
        for row in &figures.rows {
            let own: Vec<&str> = row.iter().skip(1).take(names).map(text).collect();
            let place = self
                .periods
                .iter()
                .position(|period| row.first().is_some_and(|name| text(name) == period.name));
            let known = courses.iter().position(|course| course.names == own);
            let place_of_course = known.unwrap_or_else(|| {
                courses.push(Course {
                    names: own,
                    figures: vec![None; self.periods.len()],
                    last: row,
                });
                courses.len() - 1
            });
            if let Some(course) = courses.get_mut(place_of_course) {
                course.last = row;
                if let Some(figure) = place.and_then(|place| course.figures.get_mut(place)) {
                    *figure = row.last();
                }
            }
        }
        courses
    }

    /// The figures of a course in characters, the greatest as the highest; nothing for one period.
    fn spark(&self, course: &Course<'_>) -> String {
        const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        if !self.has_course() {
            return String::new();
        }
        let sizes: Vec<Option<u64>> =
            course.figures.iter().map(|figure| figure.and_then(size)).collect();
        let most = sizes.iter().flatten().max().copied().unwrap_or_default().max(1);
        let drawn = sizes.into_iter().map(|size| {
            let height = size.map(|size| u128::from(size) * 7 / u128::from(most));
            height
                .and_then(|height| HEIGHTS.get(usize::try_from(height).ok()?))
                .copied()
                .unwrap_or(' ')
        });
        drawn.collect()
    }

    fn shown(&self, figures: &Figures, column: usize, value: Option<&Value>) -> String {
        let name = figures.columns.get(column).map_or("", String::as_str);
        match value {
            None | Some(Value::Nothing) => "-".to_owned(),
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Whole(number)) => whole(*number),
            Some(Value::Amount(amount)) => {
                money(*amount, &self.set.head.currency, self.set.head.decimals)
            }
            Some(Value::Ratio(ratio)) if name.ends_with("_rate") || name.ends_with("_share") => {
                share(*ratio, 1)
            }
            Some(Value::Ratio(ratio)) => {
                let amount = Decimal::from_f64_retain(*ratio).unwrap_or_default();
                if name.ends_with("_value") || name.ends_with("_amount") {
                    return money(amount, &self.set.head.currency, self.set.head.decimals);
                }
                format!("{:.2}", amount.round_dp(2))
            }
        }
    }

    fn as_json(&self) -> CommandResult<String> {
        let periods = self.periods.iter().map(|period| {
            json!({
                "period": period.name,
                "first_day": period.days.start(),
                "last_day": period.days.end(),
            })
        });
        let measures = self.found.iter().map(|(measure, figures)| {
            let rows = figures.rows.iter().map(|row| row.iter().map(as_json).collect::<Vec<_>>());
            json!({
                "name": measure.name,
                "title": measure.title(),
                "unit": measure.unit(),
                "columns": figures.columns,
                "rows": rows.collect::<Vec<_>>(),
            })
        });
        let json = json!({
            "merchant": self.set.head.merchant,
            "currency": self.set.head.currency,
            "periods": periods.collect::<Vec<_>>(),
            "measures": measures.collect::<Vec<_>>(),
        });
        Ok(serde_json::to_string_pretty(&json)?)
    }
}

/// The number of columns, after that of the period, that name what a row is about.
fn names_in(figures: &Figures) -> usize {
    let is_name = |column: usize| {
        let mut values = figures.rows.iter().filter_map(|row| row.get(column));
        values.any(|value| matches!(value, Value::Text(_)))
    };
    (1..figures.columns.len()).take_while(|column| is_name(*column)).count()
}

fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// How long the bar of a value is, in its smallest parts; what is below zero has none.
fn size(value: &Value) -> Option<u64> {
    let million = Decimal::from(1_000_000);
    let size = match value {
        Value::Whole(number) => Decimal::from(*number),
        Value::Amount(amount) => *amount,
        Value::Ratio(ratio) => Decimal::from_f64_retain(*ratio)?,
        Value::Nothing | Value::Text(_) => return None,
    };
    size.checked_mul(million)?.to_i128().and_then(|size| u64::try_from(size.max(0)).ok())
}

/// Amounts are texts, so that no digit of them is lost.
fn as_json(value: &Value) -> Json {
    match value {
        Value::Nothing => Json::Null,
        Value::Text(text) => json!(text),
        Value::Whole(number) => json!(number),
        Value::Amount(amount) => json!(amount.to_string()),
        Value::Ratio(ratio) => json!(ratio),
    }
}
