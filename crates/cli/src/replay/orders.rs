//! Files of orders: CSV with a head, or one JSON object per line.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::DateTime;
use decide::ActivityBody;
use ledger::{MemberId, Moment, Programme, Verb};
use serde::Deserialize;

use super::csv_format::Format;
use super::csv_rows;
use super::order::{BadLine, FileError, Order, Orders, key_of};

/// Reads a file and sorts its orders by time; orders of the same moment keep the order of the file.
/// Orders that the programme would refuse or that are dated after `now` become bad lines.
pub(crate) fn read(
    path: &Path,
    format: &Format,
    programme: &Programme,
    now: Moment,
) -> Result<Orders, FileError> {
    let time_zone = programme.time_zone;
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| FileError::Unreadable {
        path: shown.clone(),
        reason: error.to_string(),
    })?;
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut orders = match ending.as_str() {
        "csv" => csv_rows::read(&bytes, &shown, format, time_zone)?,
        "jsonl" => read_json_lines(&bytes),
        _ => return Err(FileError::Kind { path: shown }),
    };
    if orders.orders.is_empty() && orders.bad.is_empty() {
        return Err(FileError::Empty { path: shown });
    }
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
    if order.verb == Verb::Reverse {
        // What is left of its order, only the table knows.
        return None;
    }
    let body = serde_json::from_value::<ActivityBody>(order.body.clone());
    match body.map(|body| body.check(programme, &order.key, now)) {
        Ok(Ok(_)) => None,
        Ok(Err(refusal)) => Some(refusal.to_string()),
        Err(error) => Some(error.to_string()),
    }
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
        verb: Verb::Earn,
        member,
        at: named.at.to_utc(),
        is_first: false,
        body: found.activity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
