use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

use chrono_tz::Tz;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};
use ledger::Moment;
use rust_decimal::Decimal;

/// One line of what a command has to say.
macro_rules! say {
    ($($text:tt)*) => { $crate::show::line(format_args!($($text)*)) };
}

/// Writes a line, in colour where someone looks. A reader that has seen enough, such as `head`, ends
/// the command quietly, as it would end any other.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(anstream::stdout(), "{text}") {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("error: the output cannot be written: {error}");
        }
        std::process::exit(ENDED_BY_ITS_READER);
    }
}

/// What a shell says of a command whose reader went away: 128 and the signal's number.
const ENDED_BY_ITS_READER: i32 = 141;

/// A table with its column heads; the columns of numbers are those whose head begins with `#`.
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

/// A whole number with its thousands apart.
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

/// So many of something, in words.
pub(crate) fn plural(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// A moment by the shop's own clock.
pub(crate) fn shop_time(at: Moment, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// An amount of money with its thousands apart and its currency's decimals.
pub(crate) fn money(amount: Decimal, currency: &str, decimals: u32) -> String {
    // A report rounds half away from zero to the currency's smallest coin.
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

/// A progress bar on a terminal, nothing elsewhere.
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
    }
}
