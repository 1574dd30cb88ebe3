use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64;
use flate2::read::GzDecoder;
use ledger::MerchantId;
use serde_json::Value;

use crate::error::StoreError;
use crate::item::text;
use crate::read::{Gathered, History};
use crate::table::{Item, PK, SK, merchant_prefix, shard_of};

/// Bytes of an export that are gathered at a time: its lines come in no order, so what belongs
/// together is put together in memory, a part of the members after the other.
const BYTES_AT_ONCE: u64 = 256 * 1024 * 1024;

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be read.
    #[error("`{file}` cannot be read: {reason}")]
    File {
        /// Which.
        file: String,
        /// Why.
        reason: std::io::Error,
    },
    /// A line is no item.
    #[error("`{file}`, line {line}: {reason}")]
    Line {
        /// In which file.
        file: String,
        /// Which, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// What it holds cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks at every member of a merchant in an export of the table, as DynamoDB writes it to S3: files
/// of one item a line, gzipped or not.
///
/// # Errors
/// A file cannot be read, or a line is no item.
pub fn each_exported(
    files: &[PathBuf],
    merchant: &MerchantId,
    mut see: impl FnMut(History),
) -> Result<(), ExportError> {
    let mut bytes = 0u64;
    for file in files {
        let found = std::fs::metadata(file).map_err(|reason| in_file(file, reason))?;
        bytes = bytes.saturating_add(found.len());
    }
    let parts = u8::try_from(bytes / BYTES_AT_ONCE + 1).unwrap_or(u8::MAX);
    for part in 0..parts {
        let mut members: BTreeMap<String, BTreeMap<String, Item>> = BTreeMap::new();
        for file in files {
            each_line(file, |item| {
                let pk = text(&item, PK);
                let own = pk.starts_with(&merchant_prefix(merchant));
                if own && shard_of(pk, parts) == part {
                    let sk = text(&item, SK).to_owned();
                    members.entry(pk.to_owned()).or_default().insert(sk, item);
                }
            })?;
        }
        for (_, items) in members {
            let mut gathered = Gathered::default();
            for (_, item) in items {
                if let Some(history) = gathered.add(item)? {
                    see(history);
                }
            }
            gathered.done()?;
        }
    }
    Ok(())
}

fn in_file(file: &Path, reason: std::io::Error) -> ExportError {
    ExportError::File { file: file.display().to_string(), reason }
}

fn each_line(file: &Path, mut see: impl FnMut(Item)) -> Result<(), ExportError> {
    let opened = std::fs::File::open(file).map_err(|reason| in_file(file, reason))?;
    let zipped = file.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if zipped { Box::new(GzDecoder::new(opened)) } else { Box::new(opened) };
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.map_err(|reason| in_file(file, reason))?;
        let wrong = |reason: String| ExportError::Line {
            file: file.display().to_string(),
            line: number + 1,
            reason,
        };
        let value: Value = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let item = value.get("Item").and_then(Value::as_object);
        let item = item.ok_or_else(|| wrong("it has no `Item`".to_owned()))?;
        let item = item.iter().map(|(name, value)| Some((name.clone(), attribute(value)?)));
        let item: Option<Item> = item.collect();
        see(item.ok_or_else(|| wrong("an attribute is of an unknown type".to_owned()))?);
    }
    Ok(())
}

/// An attribute from DynamoDB's JSON: `{"S": "text"}`.
fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    let text = || value.as_str().map(str::to_owned);
    let texts = || -> Option<Vec<String>> {
        value.as_array()?.iter().map(|one| Some(one.as_str()?.to_owned())).collect()
    };
    let blob = |text: &str| BASE64.decode(text.as_bytes()).ok().map(Blob::new);
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text()?),
        "N" => AttributeValue::N(text()?),
        "B" => AttributeValue::B(blob(value.as_str()?)?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(true),
        "SS" => AttributeValue::Ss(texts()?),
        "NS" => AttributeValue::Ns(texts()?),
        "L" => AttributeValue::L(value.as_array()?.iter().map(attribute).collect::<Option<_>>()?),
        "M" => {
            let fields = value.as_object()?.iter();
            let fields = fields.map(|(name, value)| Some((name.clone(), attribute(value)?)));
            AttributeValue::M(fields.collect::<Option<HashMap<_, _>>>()?)
        }
        _ => return None,
    })
}
