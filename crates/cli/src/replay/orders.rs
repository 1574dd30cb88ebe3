//! Files of orders: CSV with a head, or one JSON object per line.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use decide::ActivityBody;
use ledger::calendar::resolve;
use ledger::{MemberId, Moment, Programme};
use serde::Deserialize;
use serde_json::json;

/// One activity of the file, as the API takes it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The line in the file, from 1.
    pub(crate) line: u64,
    /// The idempotency key of the request.
    pub(crate) key: String,
    pub(crate) member: MemberId,
    pub(crate) at: Moment,
    /// Whether it is the member's earliest order in the file, before which the member is enrolled.
    pub(crate) is_first: bool,
    /// The body of `POST /v1/members/{id}/earn`.
    pub(crate) body: serde_json::Value,
}

/// A line that cannot be read or would be refused. The other lines are still read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: u64,
    /// The column's name, or the place in the line.
    pub(crate) column: String,
    pub(crate) reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.column, self.reason)
    }
}

/// The contents of a file: the orders sorted by time, and the bad lines.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) orders: Vec<Order>,
    pub(crate) bad: Vec<BadLine>,
}

/// The reason for which a file cannot be read as orders at all.
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

/// Reads a file and sorts its orders by time; orders of the same moment keep the order of the file.
/// Orders that the programme would refuse or that are dated after `now` become bad lines.
pub(crate) fn read(path: &Path, programme: &Programme, now: Moment) -> Result<Orders, FileError> {
    let time_zone = programme.time_zone;
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| FileError::Unreadable {
        path: shown.clone(),
        reason: error.to_string(),
    })?;
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut orders = match ending.as_str() {
        "csv" => read_csv(&bytes, &shown, time_zone)?,
        "jsonl" => read_json_lines(&bytes),
        _ => return Err(FileError::Kind { path: shown }),
    };
    // The replay's clock follows the orders, so one that would be refused must not be among them.
    for order in std::mem::take(&mut orders.orders) {
        match refusal(&order, programme, now) {
            None => orders.orders.push(order),
            Some(reason) => {
                let column = "activity".to_owned();
                orders.bad.push(BadLine { line: order.line, column, reason });
            }
        }
    }
    orders.bad.sort_by_key(|bad| bad.line);
    orders.orders.sort_by_key(|order| order.at);
    let mut seen = BTreeSet::new();
    for order in &mut orders.orders {
        order.is_first = seen.insert(order.member.clone());
    }
    Ok(orders)
}

/// The reason for which the API would refuse the order; nothing if it would accept it.
fn refusal(order: &Order, programme: &Programme, now: Moment) -> Option<String> {
    if order.at > now {
        return Some(format!("it is dated {}, and that is to come", order.at));
    }
    let body = serde_json::from_value::<ActivityBody>(order.body.clone());
    match body.map(|body| body.check(programme, &order.key, now)) {
        Ok(Ok(_)) => None,
        Ok(Err(refusal)) => Some(refusal.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

fn read_csv(bytes: &[u8], path: &str, time_zone: Tz) -> Result<Orders, FileError> {
    // The file is parsed line by line, so that a stray quote breaks its own line only.
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').zip(1u64..);
    let head = lines.next().and_then(|(head, _)| fields_of(head).ok()).unwrap_or_default();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        *place = head
            .iter()
            .position(|found| found == column)
            .ok_or(FileError::Column { path: path.to_owned(), column })?;
    }
    let mut orders = Orders::default();
    for (text, line) in lines.filter(|(text, _)| !text.trim_ascii().is_empty()) {
        let found = fields_of(text).and_then(|record| {
            if !text.ends_with(b"\n") {
                return Err(("end", "the line is cut off: it has no line end".to_owned()));
            }
            if record.len() != head.len() {
                let (found, wanted) = (record.len(), head.len());
                return Err(("end", format!("it has {found} columns, and the head has {wanted}")));
            }
            order_of(line, places.map(|place| record.get(place)), time_zone)
        });
        match found {
            Ok(order) => orders.orders.push(order),
            Err((column, reason)) => {
                orders.bad.push(BadLine { line, column: format!("column `{column}`"), reason });
            }
        }
    }
    Ok(orders)
}

fn fields_of(line: &[u8]) -> Result<csv::StringRecord, InputError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len() + 1)
        .from_reader(line);
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record).map_err(|error| match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => ("start", format!("it is no UTF-8 text: {err}")),
        _ => ("start", error.to_string()),
    })?;
    Ok(record)
}

type InputError = (&'static str, String);

fn order_of(
    line: u64,
    fields: [Option<&str>; COLUMNS.len()],
    time_zone: Tz,
) -> Result<Order, InputError> {
    let [order, member, at, sku, quantity, total] = fields.map(Option::unwrap_or_default);
    key_of(order).map_err(|reason| ("order", reason))?;
    let member =
        MemberId::parse(member).map_err(|reason| ("member", format!("`{member}`: {reason}")))?;
    let at = moment_of(at, time_zone)?;
    let quantity: u32 =
        quantity.parse().map_err(|_| ("quantity", format!("`{quantity}` is no whole number")))?;
    // The API checks the amount; this checks only that there is one.
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

/// Checks that an order's number can be the idempotency key of its request.
fn key_of(order: &str) -> Result<(), String> {
    match order.len() {
        0 => Err("it is empty".to_owned()),
        1..=64 if order.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => Ok(()),
        _ => Err(format!("`{}` is not 1 to 64 plain characters", order.escape_debug())),
    }
}

/// Parses a time with its offset, or a day, which stands for its noon in the merchant's time zone.
fn moment_of(text: &str, time_zone: Tz) -> Result<Moment, InputError> {
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
    key_of(&named.id).map_err(|reason| ("`activity.id`".to_owned(), reason))?;
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
