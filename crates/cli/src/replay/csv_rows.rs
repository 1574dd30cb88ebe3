//! CSV as shop systems export it: one row for each line of an order, and rows for returns.
//!
//! Rows with the same `order` are one order. Without a column `amount`, `total` is what the row came
//! to, and the order's total is the sum; with it, `total` is that of the order. An order of which all
//! rows have a quantity below zero is a return: of the order in column `of`, or of the member's
//! latest order that still has the article. So is one that names an order in `of` and whose amounts
//! are below zero.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use ledger::calendar::resolve;
use ledger::money::parse_decimal;
use ledger::{MemberId, Moment, Verb};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::csv_format::{
    AMOUNTS, Format, LINE_COLUMNS, NEEDED, OF_ORDER, TEXTS, fields_of, places,
};
use super::order::{BadLine, FileError, Order, Orders, key_of};
use super::returns::Bought;

/// One row: its line in the file, and its cells by the name of their column.
struct Row {
    line: u64,
    cells: BTreeMap<String, String>,
}

impl Row {
    fn cell(&self, column: &str) -> Option<&str> {
        self.cells.get(column).map(String::as_str).filter(|cell| !cell.is_empty())
    }
}

/// What the rows of one order say in a column of the whole order.
fn told<'r>(rows: &'r [Row], column: &str) -> Option<&'r str> {
    rows.iter().find_map(|row| row.cell(column))
}

/// What is wrong with a cell: its column, and why.
type WrongCell = (&'static str, String);

/// Reads the rows of a file as orders and returns.
///
/// # Errors
/// The head lacks a column.
pub(super) fn read(
    bytes: &[u8],
    path: &str,
    format: &Format,
    time_zone: Tz,
) -> Result<Orders, FileError> {
    // A byte order mark is no part of the first column's name.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Some systems end a line with a carriage return alone.
    let line_end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    // The file is parsed line by line, so that a stray quote breaks its own line only.
    let mut lines = bytes.split_inclusive(|byte| *byte == line_end).zip(1u64..);
    let head = lines.next().and_then(|(head, _)| fields_of(head, format).ok()).unwrap_or_default();
    let places = places(&head, path, format)?;
    let mut orders = Orders::default();
    let mut rows: Vec<Row> = Vec::new();
    let mut spoilt: BTreeSet<String> = BTreeSet::new();
    let mut last = String::new();
    for (text, line) in lines.filter(|(text, _)| !text.trim_ascii().is_empty()) {
        let record = fields_of(text, format);
        let order = order_named(text, record.as_ref().ok(), &places, format);
        // A row that names no order is likely one of the order above it.
        let order = order.unwrap_or_else(|| last.clone());
        last.clone_from(&order);
        let mut leave_out = |column: &str, reason: &str| {
            let reason = match order.is_empty() {
                true => reason.to_owned(),
                false => format!("{reason}; all of order `{order}` is left out"),
            };
            orders.bad.push(BadLine { line, column: column.to_owned(), reason });
            spoilt.insert(order.clone());
        };
        match whole(record, text, line_end, head.len()) {
            Ok(record) => {
                let cell = |(name, place): (&String, &usize)| {
                    Some((name.clone(), record.get(*place)?.trim().to_owned()))
                };
                let row = Row { line, cells: places.iter().filter_map(cell).collect() };
                match row.cell("order") {
                    Some(_) => rows.push(row),
                    None => leave_out("column `order`", "it is empty"),
                }
            }
            Err((column, reason)) => leave_out(column, &reason),
        }
    }
    if rows.is_empty() && orders.bad.is_empty() {
        return Err(FileError::Empty { path: path.to_owned() });
    }
    rows.retain(|row| row.cell("order").is_some_and(|order| !spoilt.contains(order)));
    gather(rows, &mut orders, format, time_zone);
    orders.bad.sort_by_key(|bad| bad.line);
    Ok(orders)
}

/// The order that a row names, as far as it can be read.
fn order_named(
    text: &[u8],
    record: Option<&Vec<String>>,
    places: &BTreeMap<String, usize>,
    format: &Format,
) -> Option<String> {
    let anyhow = Format { latin1: true, ..format.clone() };
    let record = record.cloned().or_else(|| fields_of(text, &anyhow).ok())?;
    let order = record.get(*places.get("order")?)?.trim();
    (!order.is_empty()).then(|| order.to_owned())
}

/// The cells of a row, or what is wrong with the row as a whole.
fn whole(
    record: Result<Vec<String>, String>,
    text: &[u8],
    line_end: u8,
    columns: usize,
) -> Result<Vec<String>, (&'static str, String)> {
    let record = record.map_err(|reason| ("the row", reason))?;
    if !text.ends_with(&[line_end]) {
        let reason = "it is cut off: it has no line end; if it is whole, end it with one";
        return Err(("the last row", reason.to_owned()));
    }
    if record.len() != columns {
        let reason = format!("it has {} columns, and the head has {columns}", record.len());
        return Err(("the row", reason));
    }
    Ok(record)
}

/// Makes orders of rows, in the order in which they stand. If one row of an order is bad, the order
/// is not sent.
fn gather(rows: Vec<Row>, orders: &mut Orders, format: &Format, time_zone: Tz) {
    let mut by_order: Vec<Vec<Row>> = Vec::new();
    let mut place_of: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let order = row.cell("order").unwrap_or_default().to_owned();
        match place_of.get(&order).and_then(|place| by_order.get_mut(*place)) {
            Some(others) if !order.is_empty() => others.push(row),
            _ => {
                place_of.insert(order, by_order.len());
                by_order.push(vec![row]);
            }
        }
    }
    let mut returns = Vec::new();
    for rows in by_order {
        match order_of(&rows, format, time_zone) {
            Ok(order) if order.verb == Verb::Reverse => returns.push((rows, order)),
            Ok(order) => orders.orders.push(order),
            Err((line, (column, reason))) => {
                orders.bad.push(BadLine { line, column: format!("column `{column}`"), reason });
            }
        }
    }
    // The orders that returns are about are known now.
    returns.sort_by_key(|(_, order)| order.at);
    let mut bought = Bought::of(&orders.orders);
    for (rows, mut order) in returns {
        let of = told(&rows, "of").map(str::to_owned);
        match bought.take(&order, of) {
            Ok(of) => {
                if let Some(body) = order.body.as_object_mut() {
                    body.insert("order".to_owned(), json!(of.order));
                    body.insert("lines".to_owned(), json!(of.lines));
                }
                orders.orders.push(order);
            }
            Err(reason) => {
                let column = "column `sku`".to_owned();
                orders.bad.push(BadLine { line: order.line, column, reason });
            }
        }
    }
}

/// The request of the rows of one order, or the line and cell that is wrong.
fn order_of(rows: &[Row], format: &Format, time_zone: Tz) -> Result<Order, (u64, WrongCell)> {
    let Some(first) = rows.first() else { return Err((0, ("order", "it has no rows".to_owned()))) };
    let at_first = |wrong: WrongCell| (first.line, wrong);
    let key = first.cell("order").unwrap_or_default().to_owned();
    key_of(&key).map_err(|reason| at_first(("order", reason)))?;
    for row in rows {
        let of_order = OF_ORDER.iter().map(|(column, _)| *column).chain(["payment", "of"]);
        for column in ["member", "at"].into_iter().chain(of_order) {
            // What is of the whole order may stand in one of its rows only.
            let is_empty = !NEEDED.contains(&column) && row.cell(column).is_none();
            if !is_empty && row.cell(column) != told(rows, column) {
                let message = format!("order `{key}` has another one in a row above");
                return Err((row.line, (column, message)));
            }
        }
    }
    let member = first.cell("member").unwrap_or_default();
    let member = MemberId::parse(member)
        .map_err(|reason| at_first(("member", format!("`{member}`: {reason}"))))?;
    let at = moment_of(first.cell("at").unwrap_or_default(), time_zone).map_err(at_first)?;
    let mut lines = Vec::new();
    let (mut sum, mut all_back, mut all_below) = (Decimal::ZERO, true, true);
    let has_lines = LINE_COLUMNS.iter().any(|column| first.cells.contains_key(*column));
    for row in rows {
        if row.line != first.line && !has_lines {
            let message = format!(
                "order `{key}` is in line {} already, and the file has no columns of lines, such as `sku`",
                first.line
            );
            return Err((row.line, ("order", message)));
        }
        let (line, quantity) = line_of(row, format).map_err(|wrong| (row.line, wrong))?;
        let total = number(row, "total", format).map_err(|wrong| (row.line, wrong))?;
        let total = total.ok_or((row.line, ("total", "it is empty".to_owned())))?;
        let is_sum = !first.cells.contains_key("amount");
        if !is_sum && row.cell("total") != first.cell("total") {
            let message = format!("order `{key}` has another one in line {}", first.line);
            return Err((row.line, ("total", message)));
        }
        let too_large = (row.line, ("total", format!("the total of order `{key}` is too large")));
        sum = if is_sum { sum.checked_add(total).ok_or(too_large)? } else { total };
        all_back = all_back && quantity < Decimal::ZERO;
        all_below = all_below && total < Decimal::ZERO;
        lines.push(line);
    }
    repeated_total(rows, &lines, format)?;
    let is_return = all_back || (all_below && told(rows, "of").is_some());
    if all_below && !is_return {
        let message = "it is below zero, and nothing came back; name the order that came back in a column `of`, or write a quantity below zero";
        return Err(at_first(("total", message.to_owned())));
    }
    let (verb, body) = match is_return {
        true => (Verb::Reverse, return_body(&lines, sum)),
        false => (Verb::Earn, earn_body(rows, &key, at, &lines, sum, format).map_err(at_first)?),
    };
    Ok(Order { line: first.line, key, member, at, is_first: false, verb, body })
}

/// Refuses an order in which each row has the order's total: without a column `amount` the totals of
/// the rows would be added up.
fn repeated_total(rows: &[Row], lines: &[Value], format: &Format) -> Result<(), (u64, WrongCell)> {
    let (Some(first), Some(second)) = (rows.first(), rows.get(1)) else { return Ok(()) };
    if first.cells.contains_key("amount")
        || rows.iter().any(|row| row.cell("total") != first.cell("total"))
    {
        return Ok(());
    }
    let came_to = |line: &Value| {
        let number = |name: &str| line[name].as_str()?.parse::<Decimal>().ok();
        number("price")?.checked_mul(number("quantity")?)
    };
    let all = lines.iter().try_fold(Decimal::ZERO, |sum, line| sum.checked_add(came_to(line)?));
    let total = number(first, "total", format).map_err(|wrong| (first.line, wrong))?;
    if all.is_some() && all == total {
        let message = "each row has the total of the order; write what the row came to in `total`, or in a column `amount`";
        return Err((second.line, ("total", message.to_owned())));
    }
    Ok(())
}

/// A line of an order as the API takes it, and its quantity.
fn line_of(row: &Row, format: &Format) -> Result<(Value, Decimal), WrongCell> {
    let mut line = Map::new();
    for (column, name) in TEXTS {
        if let Some(text) = row.cell(column) {
            line.insert(name.to_owned(), json!(text));
        }
    }
    let quantity = number(row, "quantity", format)?.unwrap_or(Decimal::ONE);
    line.insert("quantity".to_owned(), json!(quantity.to_string()));
    for column in AMOUNTS {
        if let Some(amount) = number(row, column, format)? {
            line.insert(column.to_owned(), json!(amount.to_string()));
        }
    }
    // Without a column `amount`, the total of the row is what the line came to.
    if let (false, Some(total)) = (row.cells.contains_key("amount"), number(row, "total", format)?)
    {
        line.insert("amount".to_owned(), json!(total.to_string()));
    }
    Ok((Value::Object(line), quantity))
}

fn earn_body(
    rows: &[Row],
    key: &str,
    at: Moment,
    lines: &[Value],
    total: Decimal,
    format: &Format,
) -> Result<Value, WrongCell> {
    let mut order = Map::new();
    order.insert("total".to_owned(), json!(total.to_string()));
    order.insert("lines".to_owned(), json!(lines));
    for (column, name) in OF_ORDER {
        let value = match column {
            "currency" | "store" => told(rows, column).map(|text| json!(text)),
            _ => {
                let row = rows.iter().find(|row| row.cell(column).is_some());
                let amount = row.map(|row| number(row, column, format)).transpose()?.flatten();
                amount.map(|amount| json!(amount.to_string()))
            }
        };
        order.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(json!({
        "type": "purchase",
        "id": key,
        "at": at,
        "payment": told(rows, "payment"),
        "order": order,
    }))
}

/// The body of a return, whose order and lines are found later. The refund is what the rows say,
/// which is below zero in the file.
fn return_body(lines: &[Value], total: Decimal) -> Value {
    json!({ "lines": lines, "refund": total.abs().to_string() })
}

/// A number of a row; nothing if the cell is empty or the file has no such column.
fn number(row: &Row, column: &'static str, format: &Format) -> Result<Option<Decimal>, WrongCell> {
    let Some(cell) = row.cell(column) else { return Ok(None) };
    let hint = match (cell.contains(','), format.decimal_comma) {
        (true, false) => "; if it has a decimal comma, say --decimal-comma",
        (false, true) if cell.contains('.') => {
            "; with --decimal-comma, a point stands between thousands: 1.240,00"
        }
        _ => "",
    };
    let (sign, digits) = match cell.strip_prefix('-') {
        Some(digits) => (Decimal::NEGATIVE_ONE, digits),
        None => (Decimal::ONE, cell),
    };
    let digits = match format.decimal_comma {
        true => with_point(digits),
        false => Some(digits.to_owned()),
    };
    let number = digits.and_then(|digits| parse_decimal(&digits).ok());
    let number = number.ok_or_else(|| (column, format!("`{cell}` is no number{hint}")))?;
    Ok(Some(sign * number))
}

/// A number such as `1.240,50` as `1240.50`. Points stand between thousands only: `12.40` could be
/// an amount of either kind.
fn with_point(digits: &str) -> Option<String> {
    let (whole, decimals) = match digits.split_once(',') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (digits, None),
    };
    let mut groups = whole.split('.');
    let first = groups.next()?.len();
    let (mut is_grouped, mut are_thousands) = (false, true);
    for group in groups {
        is_grouped = true;
        are_thousands &= group.len() == 3;
    }
    if is_grouped && !(are_thousands && (1..=3).contains(&first)) {
        return None;
    }
    let whole = whole.replace('.', "");
    Some(decimals.map_or_else(|| whole.clone(), |decimals| format!("{whole}.{decimals}")))
}

/// Parses a time with its offset, or a day, which stands for its noon in the merchant's time zone.
fn moment_of(text: &str, time_zone: Tz) -> Result<Moment, WrongCell> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|day| day.and_hms_opt(12, 0, 0))
        .map(|noon| resolve(noon, time_zone))
        .ok_or_else(|| {
            ("at", format!("`{text}` is no day such as 1997-01-31 and no time with its offset"))
        })
}

#[cfg(test)]
mod tests;
