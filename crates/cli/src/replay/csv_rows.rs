//! CSV as shop systems export it: one row for each line of an order, and rows for returns.
//!
//! Rows with the same `order` are one order. Without a column `amount`, `total` is what the row came
//! to, and the order's total is the sum; with it, `total` is that of the order. An order of which all
//! rows have a quantity below zero is a return: of the order in column `of`, or of the member's
//! latest order that still has the article.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use clap::Args;
use ledger::calendar::resolve;
use ledger::money::parse_decimal;
use ledger::{MemberId, Moment, Verb};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::order::{BadLine, FileError, Order, Orders, key_of};

/// The columns that a file has to have.
const NEEDED: [&str; 4] = ["order", "member", "at", "total"];
/// The columns of a row that are amounts.
const AMOUNTS: [&str; 4] = ["price", "amount", "discount", "tax"];
/// The columns of a row that are texts.
const TEXTS: [(&str, &str); 4] =
    [("line", "id"), ("sku", "sku"), ("category", "category"), ("unit", "unit")];
/// The columns of the whole order, the same in all its rows, and their names in the API.
const OF_ORDER: [(&str, &str); 6] = [
    ("order_discount", "discount"),
    ("shipping", "shipping"),
    ("order_tax", "tax"),
    ("tip", "tip"),
    ("currency", "currency"),
    ("store", "store"),
];
/// The other columns that are read.
const OTHERS: [&str; 3] = ["quantity", "of", "payment"];

/// How a CSV file is written.
#[derive(Debug, Clone, Args)]
pub(crate) struct Format {
    /// The sign between the columns of a .csv
    #[arg(long, value_name = "SIGN", default_value = ",")]
    separator: char,
    /// Numbers have a comma in place of the point: 12,40
    #[arg(long)]
    decimal_comma: bool,
    /// The file is Latin-1 (ISO 8859-1), and not UTF-8
    #[arg(long)]
    latin1: bool,
    /// The file's own name of a column, such as `member=Kundennummer`; may be given several times
    #[arg(long = "column", value_name = "NAME=HEADING", value_parser = mapping)]
    columns: Vec<(String, String)>,
}

impl Default for Format {
    fn default() -> Format {
        Format { separator: ',', decimal_comma: false, latin1: false, columns: Vec::new() }
    }
}

/// Parses `name=heading`.
fn mapping(text: &str) -> Result<(String, String), String> {
    let (name, heading) = text.split_once('=').ok_or("write it as `member=Kundennummer`")?;
    let known = || {
        let texts = TEXTS.iter().chain(&OF_ORDER).map(|(name, _)| *name);
        NEEDED.iter().chain(&AMOUNTS).chain(&OTHERS).copied().chain(texts)
    };
    if !known().any(|known| known == name) {
        let hint = rules::did_you_mean(name, known());
        let all: Vec<&str> = known().collect();
        let hint = if hint.is_empty() { format!("; there are {}", all.join(", ")) } else { hint };
        return Err(format!("there is no column `{name}`{hint}"));
    }
    Ok((name.to_owned(), heading.to_owned()))
}

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
    // The file is parsed line by line, so that a stray quote breaks its own line only.
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').zip(1u64..);
    let head = lines.next().and_then(|(head, _)| fields_of(head, format).ok()).unwrap_or_default();
    let places = places(&head, path, format)?;
    let mut orders = Orders::default();
    let mut rows: Vec<Row> = Vec::new();
    for (text, line) in lines.filter(|(text, _)| !text.trim_ascii().is_empty()) {
        let bad = |column: &str, reason: String| BadLine {
            line,
            column: format!("column `{column}`"),
            reason,
        };
        match fields_of(text, format) {
            Err(reason) => orders.bad.push(bad("start", reason)),
            Ok(_) if !text.ends_with(b"\n") => {
                let reason = "the line is cut off: it has no line end".to_owned();
                orders.bad.push(bad("end", reason));
            }
            Ok(record) if record.len() != head.len() => {
                let (found, wanted) = (record.len(), head.len());
                let reason = format!("it has {found} columns, and the head has {wanted}");
                orders.bad.push(bad("end", reason));
            }
            Ok(record) => {
                let cell = |(name, place): (&String, &usize)| {
                    Some((name.clone(), record.get(*place)?.trim().to_owned()))
                };
                rows.push(Row { line, cells: places.iter().filter_map(cell).collect() });
            }
        }
    }
    gather(rows, &mut orders, format, time_zone);
    orders.bad.sort_by_key(|bad| bad.line);
    Ok(orders)
}

/// The place of each known column in the head.
fn places(
    head: &[String],
    path: &str,
    format: &Format,
) -> Result<BTreeMap<String, usize>, FileError> {
    let mapped = |heading: &String| {
        let own = format.columns.iter().find(|(_, own)| own == heading);
        own.map_or_else(|| heading.clone(), |(name, _)| name.clone())
    };
    let places: BTreeMap<String, usize> =
        head.iter().enumerate().map(|(place, heading)| (mapped(heading), place)).collect();
    for column in NEEDED {
        if !places.contains_key(column) {
            let line = head.join(&format.separator.to_string());
            let hint = match [';', '\t', ',', '|'].iter().find(|sign| line.contains(**sign)) {
                Some(sign) if head.len() == 1 => {
                    format!("; its head is separated by `{}`: say --separator", sign.escape_debug())
                }
                _ => format!(
                    "; the head has to name {}, or --column {column}=HEADING says which it is",
                    NEEDED.join(", ")
                ),
            };
            return Err(FileError::Column { path: path.to_owned(), column, hint });
        }
    }
    Ok(places)
}

fn fields_of(line: &[u8], format: &Format) -> Result<Vec<String>, String> {
    let latin1: Vec<u8>;
    let line = if format.latin1 {
        let text: String = line.iter().map(|byte| char::from(*byte)).collect();
        latin1 = text.into_bytes();
        &latin1
    } else {
        line
    };
    let separator = u8::try_from(format.separator).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(line.len() + 1)
        .from_reader(line);
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record).map_err(|error| match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => {
            format!("it is no UTF-8 text: {err}; if the file is Latin-1, say --latin1")
        }
        _ => error.to_string(),
    })?;
    Ok(record.iter().map(str::to_owned).collect())
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
        let of = rows.first().and_then(|row| row.cell("of")).map(str::to_owned);
        match bought.take(&order, of) {
            Ok(of) => {
                if let Some(body) = order.body.as_object_mut() {
                    body.insert("order".to_owned(), json!(of));
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
        for column in ["member", "at"] {
            if row.cell(column) != first.cell(column) {
                let message = format!("order `{key}` has another one in line {}", first.line);
                return Err((row.line, (column, message)));
            }
        }
    }
    let member = first.cell("member").unwrap_or_default();
    let member = MemberId::parse(member)
        .map_err(|reason| at_first(("member", format!("`{member}`: {reason}"))))?;
    let at = moment_of(first.cell("at").unwrap_or_default(), time_zone).map_err(at_first)?;
    let mut lines = Vec::new();
    let (mut sum, mut all_back) = (Decimal::ZERO, true);
    for row in rows {
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
        lines.push(line);
    }
    let (verb, body) = match all_back {
        true => (Verb::Reverse, return_body(&lines, sum)),
        false => (Verb::Earn, earn_body(first, &key, at, &lines, sum, format).map_err(at_first)?),
    };
    Ok(Order { line: first.line, key, member, at, is_first: false, verb, body })
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
    first: &Row,
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
            "currency" | "store" => first.cell(column).map(|text| json!(text)),
            _ => number(first, column, format)?.map(|amount| json!(amount.to_string())),
        };
        order.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(json!({
        "type": "purchase",
        "id": key,
        "at": at,
        "payment": first.cell("payment"),
        "order": order,
    }))
}

/// The body of a return. The refund is what the rows say, which is below zero in the file.
fn return_body(lines: &[Value], total: Decimal) -> Value {
    let pieces = lines.iter().map(|line| {
        let quantity = line["quantity"].as_str().unwrap_or_default().trim_start_matches('-');
        match line["id"].as_str() {
            Some(id) => json!({ "line": id, "quantity": quantity }),
            None => json!({ "sku": line["sku"], "quantity": quantity }),
        }
    });
    let pieces: Vec<Value> = pieces.collect();
    json!({ "lines": pieces, "refund": total.abs().to_string() })
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

/// What members have bought and not yet given back, by member: the orders, the latest last.
struct Bought(BTreeMap<MemberId, Vec<BoughtOrder>>);

struct BoughtOrder {
    key: String,
    at: Moment,
    /// How much is left, by article.
    left: BTreeMap<String, Decimal>,
}

impl Bought {
    fn of(orders: &[Order]) -> Bought {
        let mut bought: BTreeMap<MemberId, Vec<BoughtOrder>> = BTreeMap::new();
        for order in orders {
            let mut left: BTreeMap<String, Decimal> = BTreeMap::new();
            for (name, quantity) in pieces_of(order.body.pointer("/order/lines")) {
                *left.entry(name).or_default() += quantity;
            }
            let one = BoughtOrder { key: order.key.clone(), at: order.at, left };
            bought.entry(order.member.clone()).or_default().push(one);
        }
        for orders in bought.values_mut() {
            orders.sort_by_key(|order| order.at);
        }
        Bought(bought)
    }

    /// Takes a return off the order that it is about, and names that order.
    fn take(&mut self, back: &Order, of: Option<String>) -> Result<String, String> {
        if let Some(of) = of {
            return Ok(of);
        }
        let pieces = pieces_of(back.body.get("lines"));
        let has_all = |order: &&mut BoughtOrder| {
            order.at <= back.at
                && pieces.iter().all(|(name, quantity)| order.left.get(name) >= Some(quantity))
        };
        let orders = self.0.get_mut(&back.member).into_iter().flatten();
        let Some(order) = orders.rev().find(has_all) else {
            let names: Vec<String> = pieces.iter().map(|(name, _)| format!("`{name}`")).collect();
            return Err(format!(
                "no earlier order of `{}` in the file has {} left; name the order in a column `of`",
                back.member,
                names.join(", ")
            ));
        };
        for (name, quantity) in pieces {
            if let Some(left) = order.left.get_mut(&name) {
                *left -= quantity;
            }
        }
        Ok(order.key.clone())
    }
}

/// The names of the lines, by article or else by id, with their quantities.
fn pieces_of(lines: Option<&Value>) -> Vec<(String, Decimal)> {
    let piece = |line: &Value| {
        let name = ["sku", "line", "id"].iter().find_map(|name| line[*name].as_str());
        let quantity = line["quantity"].as_str().and_then(|quantity| quantity.parse().ok());
        Some((name?.to_owned(), quantity?))
    };
    lines.and_then(Value::as_array).into_iter().flatten().filter_map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(text: &str, format: &Format) -> (Vec<String>, Vec<String>) {
        let orders = read(text.as_bytes(), "orders.csv", format, Tz::America__New_York).unwrap();
        let say = |order: &Order| format!("{} {} {}", order.key, order.member, order.at);
        (
            orders.orders.iter().map(say).collect(),
            orders.bad.iter().map(ToString::to_string).collect(),
        )
    }

    fn csv(text: &str) -> (Vec<String>, Vec<String>) {
        orders(text, &Format::default())
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
                "line 6, column `quantity`: `two` is no number",
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
    fn rows_of_one_order_are_one_order_and_rows_below_zero_come_back() {
        let text = "\u{feff}order,member,at,sku,quantity,total\n\
             1,ada,2026-05-04,x,2,10.00\n\
             1,ada,2026-05-04,y,1,5.00\n\
             C1,ada,2026-05-06,x,-1,-5.00\n\
             C2,ada,2026-05-06,z,-1,-5.00\n";
        let orders =
            read(text.as_bytes(), "o.csv", &Format::default(), Tz::Europe__Berlin).unwrap();
        let [bought, back] = &orders.orders[..] else { panic!("{:?}", orders.orders) };
        assert_eq!(bought.body["order"]["total"], "15.00");
        assert_eq!(back.verb, Verb::Reverse);
        assert_eq!(
            back.body,
            json!({ "lines": [{ "sku": "x", "quantity": "1" }], "refund": "5.00", "order": "1" })
        );
        let bad: Vec<String> = orders.bad.iter().map(ToString::to_string).collect();
        assert_eq!(
            bad,
            [
                "line 5, column `sku`: no earlier order of `ada` in the file has `z` left; name the order in a column `of`"
            ]
        );
    }

    #[test]
    fn separators_commas_and_own_headings_are_options() {
        let text = "Beleg;Kunde;at;sku;quantity;total\n1;ada;2026-05-04;x;0,5;1.010,00\n";
        let columns = [("order", "Beleg"), ("member", "Kunde")];
        let columns = columns.map(|(name, own)| (name.to_owned(), own.to_owned())).into();
        let format = Format { separator: ';', decimal_comma: true, latin1: false, columns };
        let orders = read(text.as_bytes(), "o.csv", &format, Tz::Europe__Berlin).unwrap();
        assert_eq!(orders.orders[0].body["order"]["total"], "1010.00");
        let amount = |text: &str| {
            let row = format!("order;member;at;quantity;total\n1;ada;2026-05-04;1;{text}\n");
            let columns = Vec::new();
            let format = Format { separator: ';', decimal_comma: true, latin1: false, columns };
            let read = read(row.as_bytes(), "o.csv", &format, Tz::Europe__Berlin).unwrap();
            match read.orders.first() {
                Some(order) => order.body["order"]["total"].as_str().unwrap().to_owned(),
                None => read.bad[0].to_string(),
            }
        };
        assert_eq!(amount("12,40"), "12.40");
        assert_eq!(amount("1.234.567,89"), "1234567.89");
        assert_eq!(amount("1.240"), "1240");
        assert_eq!(
            amount("12.40"),
            "line 2, column `total`: `12.40` is no number; with --decimal-comma, a point stands between thousands: 1.240,00"
        );
        assert_eq!(amount("1,2,3"), "line 2, column `total`: `1,2,3` is no number");
        assert_eq!(amount("1_000"), "line 2, column `total`: `1_000` is no number");
        let plain = read(text.as_bytes(), "o.csv", &Format::default(), Tz::Europe__Berlin);
        assert_eq!(
            plain.unwrap_err().to_string(),
            "the orders `o.csv` have no column `order`; its head is separated by `;`: say --separator"
        );
        let latin1 = b"order,member,at,sku,quantity,total\n1,ada,2026-05-04,Z\xfcrich,1,5.00\n";
        let told = Format { latin1: true, ..Format::default() };
        let found = read(latin1, "o.csv", &told, Tz::Europe__Berlin).unwrap();
        assert_eq!(found.orders[0].body["order"]["lines"][0]["sku"], "Zürich");
        let guessed = read(latin1, "o.csv", &Format::default(), Tz::Europe__Berlin).unwrap();
        assert!(guessed.bad[0].to_string().ends_with("if the file is Latin-1, say --latin1"));
    }
}
