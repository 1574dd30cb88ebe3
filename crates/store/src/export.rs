//! The table as DynamoDB exports it to S3, read from downloaded files without the table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64;
use flate2::read::GzDecoder;
use ledger::MerchantId;
use serde::Deserialize;
use serde_json::Value;

use crate::bundles::{StoredBundle, bundle_of};
use crate::history::{Found, Gathered};
use crate::item::text;
use crate::key::{Item, PK, SK, merchant_prefix, shard_of};

/// The bytes of an export that are gathered in memory at a time. Its lines have no order, so the
/// items of a member are gathered in memory, one part of the members after another.
const BYTES_AT_ONCE: u64 = 256 * 1024 * 1024;

/// The number of steps in which a core goes through its members of a part.
const STEPS_OF_CORE: usize = 32;

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be read.
    #[error("`{file}` cannot be read: {reason}")]
    File {
        /// The file.
        file: String,
        /// Why.
        reason: std::io::Error,
    },
    /// A line is not an item.
    #[error("`{file}`, line {line}: {reason}")]
    Line {
        /// The file.
        file: String,
        /// The number of the line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// There are no data files.
    #[error("there are no data files in `{folder}`")]
    Empty {
        /// The folder.
        folder: String,
    },
    /// A file was not downloaded.
    #[error("`{file}` is not in `{folder}`, and the export's manifest-files.json lists it")]
    FileIsMissing {
        /// The folder where it should be.
        folder: String,
        /// The file.
        file: String,
    },
    /// A file does not belong to the export.
    #[error("`{file}` is not in the export's manifest-files.json")]
    FileIsNotListed {
        /// The file.
        file: String,
    },
    /// A file is incomplete.
    #[error("`{file}` has {items} items, and the export's manifest-files.json says {listed}")]
    FileIsCutOff {
        /// The file.
        file: String,
        /// The number of items that it should have.
        listed: u64,
        /// The number of items that it has.
        items: u64,
    },
}

/// A downloaded export of the table, as DynamoDB writes it to S3: data files with one item per
/// line, gzipped or not, and manifests.
#[derive(Debug)]
pub struct Export {
    files: Vec<PathBuf>,
    /// The number of items of each file by its name, from the export's manifest.
    listed: BTreeMap<String, u64>,
}

/// A line of `manifest-files.json`, in which an export lists its files.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    item_count: u64,
    data_file_s3_key: String,
}

/// Items gathered from an export, by partition key and sort key.
type Members = BTreeMap<String, BTreeMap<String, Item>>;

impl Export {
    /// Finds the files of an export in a folder and all folders below it.
    ///
    /// # Errors
    /// There are no data files, a folder or a manifest cannot be read, or the files are not those
    /// that the manifest lists.
    pub fn open(folder: &Path) -> Result<Export, ExportError> {
        let mut export = Export { files: Vec::new(), listed: BTreeMap::new() };
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let unreadable = |reason| in_file(&folder, reason);
            for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                let name = name_of(&path);
                if path.is_dir() {
                    folders.push(path);
                } else if name == "manifest-files.json" {
                    each_line(&path, |value| {
                        let listed: Listed =
                            serde_json::from_value(value).map_err(|error| error.to_string())?;
                        let name = stem_of(Path::new(&listed.data_file_s3_key));
                        export.listed.insert(name, listed.item_count);
                        Ok(())
                    })?;
                } else if (name.ends_with(".json") || name.ends_with(".json.gz"))
                    && !name.starts_with("manifest-")
                {
                    export.files.push(path);
                }
            }
        }
        export.files.sort();
        let folder = folder.display().to_string();
        let there: BTreeSet<String> = export.files.iter().map(|file| stem_of(file)).collect();
        if let Some(file) = export.listed.keys().find(|file| !there.contains(*file)) {
            return Err(ExportError::FileIsMissing { folder, file: file.clone() });
        }
        let is_listed = |file: &&PathBuf| export.listed.contains_key(&stem_of(file));
        if export.is_listed()
            && let Some(file) = export.files.iter().find(|file| !is_listed(file))
        {
            let file = file.display().to_string();
            return Err(ExportError::FileIsNotListed { file });
        }
        if export.files.is_empty() {
            return Err(ExportError::Empty { folder });
        }
        Ok(export)
    }

    /// Whether the export has a manifest of its files. Without one, a missing file goes unnoticed.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        !self.listed.is_empty()
    }

    /// Calls `see` for every member of a merchant, on all cores. `start` makes a value for each
    /// core, and all values are returned. `progress` gets the steps done and the total.
    ///
    /// # Errors
    /// A file cannot be read or is incomplete, or a line is not an item.
    pub fn each<S: Send>(
        &self,
        merchant: &MerchantId,
        start: impl Fn() -> S,
        see: impl Fn(&mut S, Found) + Sync,
        progress: impl Fn(u64, u64) + Sync,
    ) -> Result<Vec<S>, ExportError> {
        let mut bytes = 0u64;
        for file in &self.files {
            let found = std::fs::metadata(file).map_err(|reason| in_file(file, reason))?;
            bytes = bytes.saturating_add(found.len());
        }
        let parts = u8::try_from(bytes / BYTES_AT_ONCE + 1).unwrap_or(u8::MAX);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut seen: Vec<S> = (0..cores).map(|_| start()).collect();
        let steps_of_part = self.files.len() + cores * STEPS_OF_CORE;
        let steps =
            Steps { done: AtomicUsize::new(0), of: usize::from(parts) * steps_of_part, progress };
        for part in 0..parts {
            let members = self.members(merchant, part, parts, cores, &steps)?;
            let members: Vec<_> = members.into_iter().collect();
            let of_core = members.len().div_ceil(cores).max(1);
            std::thread::scope(|scope| {
                for (own, members) in seen.iter_mut().zip(members.chunks(of_core)) {
                    let (see, steps) = (&see, &steps);
                    scope.spawn(move || {
                        let mut see = |found: Found| see(own, found);
                        for members in members.chunks(of_core.div_ceil(STEPS_OF_CORE)) {
                            let mut gathered = Gathered::default();
                            for item in members.iter().flat_map(|(_, items)| items.values()) {
                                gathered.add(item.clone(), &mut see);
                            }
                            gathered.done(&mut see);
                            steps.one_more();
                        }
                    });
                }
            });
            steps.reach((usize::from(part) + 1) * steps_of_part);
        }
        Ok(seen)
    }

    /// The bundles that a merchant has published, as far as they are in the export.
    ///
    /// # Errors
    /// A file cannot be read, or a line is not an item.
    pub fn bundles(&self, merchant: &MerchantId) -> Result<Vec<StoredBundle>, ExportError> {
        let mut bundles = Vec::new();
        for file in &self.files {
            each_line(file, |value| {
                bundles.extend(bundle_of(merchant, &to_item(&value)?));
                Ok(())
            })?;
        }
        Ok(bundles)
    }

    /// The items of one part of the members, read from `cores` files at a time.
    fn members(
        &self,
        merchant: &MerchantId,
        part: u8,
        parts: u8,
        cores: usize,
        steps: &Steps<impl Fn(u64, u64) + Sync>,
    ) -> Result<Members, ExportError> {
        let next = AtomicUsize::new(0);
        let prefix = merchant_prefix(merchant);
        let read = || -> Result<Members, ExportError> {
            let mut members = Members::new();
            while let Some(file) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut items = 0;
                each_line(file, |value| {
                    let item = to_item(&value)?;
                    items += 1;
                    let pk = text(&item, PK);
                    if pk.starts_with(&prefix) && shard_of(pk, parts) == part {
                        let sk = text(&item, SK).to_owned();
                        members.entry(pk.to_owned()).or_default().insert(sk, item);
                    }
                    Ok(())
                })?;
                let listed = self.listed.get(&stem_of(file)).copied();
                if let Some(listed) = listed.filter(|listed| *listed != items) {
                    let file = file.display().to_string();
                    return Err(ExportError::FileIsCutOff { file, listed, items });
                }
                steps.one_more();
            }
            Ok(members)
        };
        let mut all = Members::new();
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..cores).map(|_| scope.spawn(read)).collect();
            for reader in readers {
                let members = reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
                for (pk, items) in members {
                    all.entry(pk).or_default().extend(items);
                }
            }
            Ok(all)
        })
    }
}

/// The progress of reading an export. A step is one file read, or some members gone through.
struct Steps<T> {
    done: AtomicUsize,
    of: usize,
    progress: T,
}

impl<T: Fn(u64, u64)> Steps<T> {
    fn one_more(&self) {
        self.tell(self.done.fetch_add(1, Ordering::Relaxed) + 1);
    }

    /// Sets the number of steps done: a part with few members takes fewer steps than planned.
    fn reach(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
        self.tell(done);
    }

    fn tell(&self, done: usize) {
        (self.progress)(done as u64, self.of as u64);
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of a data file without `.gz`, the same before and after it was unzipped.
fn stem_of(path: &Path) -> String {
    let name = name_of(path);
    name.strip_suffix(".gz").map(str::to_owned).unwrap_or(name)
}

fn in_file(file: &Path, reason: std::io::Error) -> ExportError {
    ExportError::File { file: file.display().to_string(), reason }
}

fn each_line(
    file: &Path,
    mut see: impl FnMut(Value) -> Result<(), String>,
) -> Result<(), ExportError> {
    let opened = std::fs::File::open(file).map_err(|reason| in_file(file, reason))?;
    let zipped = file.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if zipped { Box::new(GzDecoder::new(opened)) } else { Box::new(opened) };
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.map_err(|reason| in_file(file, reason))?;
        let value = serde_json::from_str(&line).map_err(|error| error.to_string());
        value.and_then(&mut see).map_err(|reason| ExportError::Line {
            file: file.display().to_string(),
            line: number + 1,
            reason,
        })?;
    }
    Ok(())
}

fn to_item(value: &Value) -> Result<Item, String> {
    let item = value.get("Item").and_then(Value::as_object).ok_or("it has no `Item`")?;
    let item = item.iter().map(|(name, value)| Some((name.clone(), attribute(value)?)));
    item.collect::<Option<Item>>().ok_or_else(|| "an attribute is of an unknown type".to_owned())
}

/// An attribute from DynamoDB's JSON, such as `{"S": "text"}`; `None` if its type is unknown.
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
