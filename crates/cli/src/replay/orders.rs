//! Files of orders: CSV with a head, or one JSON object a line.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use ledger::programme::resolve;
use ledger::{MemberId, Moment};
use serde::Deserialize;
use serde_json::json;

/// One activity of the file, as the API takes it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Where it stands in the file, from 1.
    pub(crate) line: u64,
    /// Its idempotency key.
    pub(crate) key: String,
    pub(crate) member: MemberId,
    pub(crate) at: Moment,
    /// It is its member's first of the file, and the member enrols with it.
    pub(crate) is_first: bool,
    /// The body of `POST /v1/members/{id}/earn`.
    pub(crate) body: serde_json::Value,
}

/// A line that cannot be read. The others are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: u64,
    /// The column's name, or where in the line.
    pub(crate) column: String,
    pub(crate) reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.column, self.reason)
    }
}

/// What a file holds: the orders by time, and the lines that are none.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) orders: Vec<Order>,
    pub(crate) bad: Vec<BadLine>,
}

/// Why a file is no file of orders at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the orders `{path}` cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("the orders `{path}` are neither .csv nor .jsonl")]
    Kind { path: String },
    #[error("the orders `{path}` have no column `{column}`; the head has to name {}", COLUMNS.join(", "))]
    Column { path: String, column: &'static str },
}

const COLUMNS: [&str; 6] = ["order", "member", "at", "sku", "quantity", "total"];

/// Reads a file and puts its orders in the order of their time; those of one moment stay in the
/// order of the file.
pub(crate) fn read(path: &Path, time_zone: Tz) -> Result<Orders, FileError> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| FileError::Unreadable {
        path: shown.clone(),
        reason: error.to_string(),
    })?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let mut orders = match ending {
        "csv" => read_csv(&bytes, &shown, time_zone)?,
        "jsonl" => read_json_lines(&bytes),
        _ => return Err(FileError::Kind { path: shown }),
    };
    orders.orders.sort_by_key(|order| order.at);
    let mut seen = BTreeSet::new();
    for order in &mut orders.orders {
        order.is_first = seen.insert(order.member.clone());
    }
    Ok(orders)
}

fn read_csv(bytes: &[u8], path: &str, time_zone: Tz) -> Result<Orders, FileError> {
    let mut orders = Orders::default();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let heads = reader
        .byte_headers()
        .map_err(|error| FileError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?
        .clone();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        *place = heads
            .iter()
            .position(|head| head == column.as_bytes())
            .ok_or(FileError::Column { path: path.to_owned(), column })?;
    }
    // The line that a cut-off file ends in has no line end; the reader would not mind.
    let ends_whole = bytes.last() == Some(&b'\n');
    let mut record = csv::StringRecord::new();
    loop {
        let read = reader.read_record(&mut record);
        let line = reader.position().line();
        match read {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                let fields = places.map(|place| record.get(place));
                let is_last = reader.position().byte() >= bytes.len() as u64;
                let found = if is_last && !ends_whole {
                    Err(("end", "the line is cut off: it has no line end".to_owned()))
                } else if record.len() == heads.len() {
                    order_of(line, fields, time_zone)
                } else {
                    let (found, wanted) = (record.len(), heads.len());
                    Err(("end", format!("it has {found} columns, and the head has {wanted}")))
                };
                match found {
                    Ok(order) => orders.orders.push(order),
                    Err((column, reason)) => {
                        orders.bad.push(BadLine {
                            line,
                            column: format!("column `{column}`"),
                            reason,
                        });
                    }
                }
            }
            Err(error) => {
                let line = error.position().map_or(line, csv::Position::line);
                let reason = match error.kind() {
                    csv::ErrorKind::Utf8 { err, .. } => format!("it is no UTF-8 text: {err}"),
                    _ => error.to_string(),
                };
                orders.bad.push(BadLine { line, column: "somewhere".to_owned(), reason });
            }
        }
    }
    Ok(orders)
}

type Wrong = (&'static str, String);

fn order_of(
    line: u64,
    fields: [Option<&str>; COLUMNS.len()],
    time_zone: Tz,
) -> Result<Order, Wrong> {
    let [order, member, at, sku, quantity, total] = fields.map(Option::unwrap_or_default);
    if order.is_empty() {
        return Err(("order", "it is empty".to_owned()));
    }
    let member =
        MemberId::parse(member).map_err(|reason| ("member", format!("`{member}`: {reason}")))?;
    let at = moment_of(at, time_zone)?;
    let quantity: u32 =
        quantity.parse().map_err(|_| ("quantity", format!("`{quantity}` is no whole number")))?;
    // What an amount is, the API says; here only that there is one.
    if total.is_empty() {
        return Err(("total", "it is empty".to_owned()));
    }
    let body = json!({
        "type": "purchase",
        "id": order,
        "at": at,
        "order": { "total": total, "lines": [{ "sku": sku, "quantity": quantity }] },
    });
    Ok(Order { line, key: order.to_owned(), member, at, is_first: false, body })
}

/// A time with its offset, or a day, which is taken as its noon.
fn moment_of(text: &str, time_zone: Tz) -> Result<Moment, Wrong> {
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

/// A line of a `.jsonl` file: the member, and the activity as the API takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `member` and `activity`")]
struct JsonLine {
    member: String,
    activity: serde_json::Value,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an activity with `id` and `at`")]
struct Named {
    id: String,
    at: DateTime<chrono::FixedOffset>,
}

fn read_json_lines(bytes: &[u8]) -> Orders {
    let mut orders = Orders::default();
    let lines = bytes.split(|byte| *byte == b'\n').zip(1u64..);
    for (text, line) in lines.filter(|(text, _)| !text.trim_ascii().is_empty()) {
        match json_order(line, text) {
            Ok(order) => orders.orders.push(order),
            Err((column, reason)) => orders.bad.push(BadLine { line, column, reason }),
        }
    }
    orders
}

fn json_order(line: u64, text: &[u8]) -> Result<Order, (String, String)> {
    let say = |error: serde_json::Error| {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
        (format!("column {}", error.column()), reason)
    };
    let found: JsonLine = serde_json::from_slice(text).map_err(say)?;
    let named = Named::deserialize(&found.activity)
        .map_err(|error| ("`activity`".to_owned(), error.to_string()))?;
    let member = MemberId::parse(&found.member)
        .map_err(|reason| ("`member`".to_owned(), format!("`{}`: {reason}", found.member)))?;
    Ok(Order {
        line,
        key: named.id,
        member,
        at: named.at.to_utc(),
        is_first: false,
        body: found.activity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> (Vec<String>, Vec<String>) {
        let orders = read_csv(text.as_bytes(), "orders.csv", Tz::America__New_York).unwrap();
        (
            orders
                .orders
                .iter()
                .map(|order| format!("{} {} {}", order.key, order.member, order.at))
                .collect(),
            orders.bad.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn a_malformed_line_is_named_and_the_others_are_read() {
        let (orders, bad) = csv("order,member,at,sku,quantity,total\n\
             a,1,1997-01-01,cd,2,29.33\n\
             b,2,1997-13-01,cd,2,29.33\n\
             c,3 3,1997-01-01,cd,2,29.33\n\
             ,3,1997-01-01,cd,2,29.33\n\
             d,4,1997-01-01T10:00:00-05:00,cd,two,29.33\n\
             e,5,1997-01-01,cd\n\
             f,6,1997-01-01T10:00:00-05:00,cd,1,1.00\n\
             g,7,1997-01-0");
        assert_eq!(orders, ["a 1 1997-01-01 17:00:00 UTC", "f 6 1997-01-01 15:00:00 UTC"]);
        assert_eq!(
            bad,
            [
                "line 3, column `at`: `1997-13-01` is no day such as 1997-01-31 and no time with its offset",
                "line 4, column `member`: `3 3`: ` ` is not allowed; letters a-z and A-Z, digits, `-`, `_` and `.` are",
                "line 5, column `order`: it is empty",
                "line 6, column `quantity`: `two` is no whole number",
                "line 7, column `end`: it has 4 columns, and the head has 6",
                "line 9, column `end`: the line is cut off: it has no line end",
            ]
        );
    }

    #[test]
    fn a_line_cut_off_where_it_still_looks_whole_is_not_taken() {
        let (orders, bad) = csv("order,member,at,sku,quantity,total\na,1,1997-01-01,cd,2,29.3");
        assert!(orders.is_empty());
        assert_eq!(bad, ["line 2, column `end`: the line is cut off: it has no line end"]);
    }

    #[test]
    fn json_lines_are_read_alike() {
        let orders = read_json_lines(
            b"{\"member\":\"1\",\"activity\":{\"type\":\"review\",\"id\":\"a\",\"at\":\"2026-01-01T00:00:00Z\"}}\n\
              \n\
              {\"member\":\"1\",\"activity\":{\"type\":\"review\"}}\n\
              {\"member\":\"1\",\"activ",
        );
        assert_eq!(orders.orders.len(), 1);
        let bad: Vec<String> = orders.bad.iter().map(ToString::to_string).collect();
        assert_eq!(
            bad,
            [
                "line 3, `activity`: missing field `id`",
                "line 4, column 20: EOF while parsing a string",
            ]
        );
    }
}
