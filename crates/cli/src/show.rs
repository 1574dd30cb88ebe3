//! Lines, tables and numbers as people read them.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

use chrono_tz::Tz;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};
use ledger::Moment;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Prints one line of a command's output, formatted as `println!` does.
macro_rules! say {
    ($($text:tt)*) => { $crate::show::line(format_args!($($text)*)) };
}

/// Writes a line to the standard output, in colour on a terminal. If the reader has closed the
/// pipe, as `head` does, the command exits quietly.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(anstream::stdout(), "{text}") {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("error: the output cannot be written: {error}");
        }
        std::process::exit(ENDED_BY_ITS_READER);
    }
}

/// The exit code of a command whose reader closed the pipe: 128 and the number of SIGPIPE, 13.
const ENDED_BY_ITS_READER: i32 = 141;

/// A table with these column heads. A head that begins with `#` makes a column of numbers, aligned
/// to the right.
pub(crate) fn table<'a>(heads: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.force_no_tty();
    }
    let heads: Vec<&str> = heads.into_iter().collect();
    table.set_header(
        heads
            .iter()
            .map(|head| Cell::new(head.trim_start_matches('#')).add_attribute(Attribute::Bold)),
    );
    for (place, head) in heads.iter().enumerate() {
        if head.starts_with('#')
            && let Some(column) = table.column_mut(place)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A whole number with separators between the thousands.
pub(crate) fn whole(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// A count with its noun, in the singular or the plural.
pub(crate) fn plural(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// A moment in the merchant's time zone.
pub(crate) fn shop_time(at: Moment, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// An amount of money with separators between the thousands and the decimals of its currency.
pub(crate) fn money(amount: Decimal, currency: &str, decimals: u32) -> String {
    // A report rounds to the decimals of the currency, half away from zero.
    let rounded = amount
        .round_dp_with_strategy(decimals, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    let text = format!("{rounded:.*}", decimals as usize);
    let (units, part) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if units == "-0" { "-" } else { "" };
    let units = units.parse::<i128>().map_or_else(|_| units.to_owned(), whole);
    if part.is_empty() {
        format!("{sign}{units} {currency}")
    } else {
        format!("{sign}{units}.{part} {currency}")
    }
}

/// An expectation as a whole number.
pub(crate) fn expectation(expected: f64) -> String {
    expected.round().to_i64().map_or_else(|| "-".to_owned(), whole)
}

/// A share, from 0 to 1, in percent.
pub(crate) fn share(share: f64, decimals: u32) -> String {
    // A decimal is cut off when it is written, and not rounded.
    let percent = Decimal::from_f64_retain(share).unwrap_or_default() * Decimal::ONE_HUNDRED;
    format!("{:.*} %", decimals as usize, percent.round_dp(decimals))
}

/// A progress bar on a terminal; elsewhere it shows nothing.
pub(crate) fn progress(length: usize, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_easily() {
        assert_eq!(whole(0), "0");
        assert_eq!(whole(999), "999");
        assert_eq!(whole(-1_234_567), "-1,234,567");
        assert_eq!(money("1234.5".parse().unwrap(), "EUR", 2), "1,234.50 EUR");
        assert_eq!(money("0.005".parse().unwrap(), "EUR", 2), "0.01 EUR");
        assert_eq!(money("1234.5".parse().unwrap(), "JPY", 0), "1,235 JPY");
        assert_eq!(
            (share(0.856_77, 1), share(0.996, 0)),
            ("85.7 %".to_owned(), "100 %".to_owned())
        );
        assert_eq!(expectation(16_752.6), "16,753");
    }
}
