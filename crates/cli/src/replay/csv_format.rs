//! How a CSV file is written: its columns, their headings, its separator and its numbers.

use std::collections::BTreeMap;

use clap::Args;

use super::order::FileError;

/// The columns that a file has to have.
pub(super) const NEEDED: [&str; 4] = ["order", "member", "at", "total"];
/// The columns of a row that are amounts.
pub(super) const AMOUNTS: [&str; 4] = ["price", "amount", "discount", "tax"];
/// The columns of a row that are texts.
pub(super) const TEXTS: [(&str, &str); 4] =
    [("line", "id"), ("sku", "sku"), ("category", "category"), ("unit", "unit")];
/// The columns of the whole order, the same in all its rows, and their names in the API.
pub(super) const OF_ORDER: [(&str, &str); 6] = [
    ("order_discount", "discount"),
    ("shipping", "shipping"),
    ("order_tax", "tax"),
    ("tip", "tip"),
    ("currency", "currency"),
    ("store", "store"),
];
/// The columns that tell the lines of an order apart.
pub(super) const LINE_COLUMNS: [&str; 6] =
    ["line", "sku", "category", "quantity", "price", "amount"];
/// The other columns that are read.
const OTHERS: [&str; 3] = ["quantity", "of", "payment"];

/// How a CSV file is written.
#[derive(Debug, Clone, Args)]
pub(crate) struct Format {
    /// The sign between the columns of a .csv
    #[arg(long, value_name = "SIGN", default_value = ",")]
    pub(super) separator: char,
    /// Numbers have a comma in place of the point: 12,40
    #[arg(long)]
    pub(super) decimal_comma: bool,
    /// The file is Latin-1 (ISO 8859-1), and not UTF-8
    #[arg(long)]
    pub(super) latin1: bool,
    /// The file's own name of a column, such as `member=Kundennummer`; may be given several times
    #[arg(long = "column", value_name = "NAME=HEADING", value_parser = mapping)]
    pub(super) columns: Vec<(String, String)>,
}

impl Default for Format {
    fn default() -> Format {
        Format { separator: ',', decimal_comma: false, latin1: false, columns: Vec::new() }
    }
}

/// Parses `name=heading`.
fn mapping(text: &str) -> Result<(String, String), String> {
    let (name, heading) = text.split_once('=').ok_or("write it as `member=Kundennummer`")?;
    if !known().any(|known| known == name) {
        let hint = rules::did_you_mean(name, known());
        let all: Vec<&str> = known().collect();
        let hint = if hint.is_empty() { format!("; there are {}", all.join(", ")) } else { hint };
        return Err(format!("there is no column `{name}`{hint}"));
    }
    Ok((name.to_owned(), heading.to_owned()))
}

/// All columns that are read.
fn known() -> impl Iterator<Item = &'static str> {
    let texts = TEXTS.iter().chain(&OF_ORDER).map(|(name, _)| *name);
    NEEDED.iter().chain(&AMOUNTS).chain(&OTHERS).copied().chain(texts)
}

/// The place of each known column in the head.
pub(super) fn places(
    head: &[String],
    path: &str,
    format: &Format,
) -> Result<BTreeMap<String, usize>, FileError> {
    let mapped = |heading: &String| {
        let own = format.columns.iter().find(|(_, own)| own == heading);
        own.map_or_else(|| heading.clone(), |(name, _)| name.clone())
    };
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (place, heading) in head.iter().enumerate() {
        if places.insert(mapped(heading), place).is_some()
            && known().any(|name| name == mapped(heading))
        {
            let (path, heading) = (path.to_owned(), heading.clone());
            return Err(FileError::Twice { path, heading });
        }
    }
    for column in NEEDED {
        if !places.contains_key(column) {
            let line = head.join(&format.separator.to_string());
            let hint = match [';', '\t', ',', '|'].iter().find(|sign| line.contains(**sign)) {
                Some(sign) if head.len() == 1 => {
                    format!("; its head is separated by `{}`: say --separator", sign.escape_debug())
                }
                _ => match head.iter().find(|heading| is_slip(heading, column)) {
                    Some(heading) => format!("; say --column {column}={heading}"),
                    None => format!(
                        "; the head has to name {}, or --column {column}=HEADING says which it is",
                        NEEDED.join(", ")
                    ),
                },
            };
            return Err(FileError::Column { path: path.to_owned(), column, hint });
        }
    }
    let missing = known().filter(|name| !places.contains_key(*name));
    for name in missing {
        if let Some(heading) = head.iter().find(|heading| is_slip(heading, name)) {
            let (path, heading) = (path.to_owned(), heading.clone());
            return Err(FileError::Heading { path, heading, name });
        }
    }
    Ok(places)
}

/// Whether a heading is likely a column's name, in other letters or with a slip.
fn is_slip(heading: &str, name: &str) -> bool {
    let heading = heading.trim().to_lowercase();
    let is_known = known().any(|known| known == heading);
    heading == name
        || (!is_known && name.len() >= 5 && strsim::damerau_levenshtein(&heading, name) == 1)
}

pub(super) fn fields_of(line: &[u8], format: &Format) -> Result<Vec<String>, String> {
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
            let field = err.field() + 1;
            format!("column {field} is no UTF-8 text; if the file is Latin-1, say --latin1")
        }
        _ => error.to_string(),
    })?;
    Ok(record.iter().map(str::to_owned).collect())
}
