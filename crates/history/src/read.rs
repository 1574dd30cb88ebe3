//! Reading a data set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use backtest::{Groups, Past};
use chrono::{DurationRound, TimeDelta};
use ledger::{MerchantId, Moment};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rules::Bundle;

use crate::error::HistoryError;
use crate::folder::{Folder, Head, PARTS};
use crate::past::{Pasts, lists, member_id, moments, texts};
use crate::schema::Table;

/// The rows that are read at a time.
const ROWS_AT_ONCE: usize = 8192;

/// A data set.
#[derive(Debug, Clone)]
pub struct DataSet {
    folder: Folder,
    /// What it says of itself.
    pub head: Head,
}

/// What is to be known of a past before it is played.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Which members belong together.
    pub groups: Groups,
    /// The hashes of the rules that judged it.
    pub rules: BTreeSet<String>,
    /// The moments of the expiry runs: the first of each hour in which one wrote something.
    pub runs: Vec<Moment>,
    /// The first and the last moment at which something was told or written.
    pub span: Option<(Moment, Moment)>,
    /// The number of entries.
    pub entries: u64,
}

impl DataSet {
    /// Opens a data set.
    ///
    /// # Errors
    /// There is none in the folder, it has another version, or it is another merchant's.
    pub fn open(folder: &Path, merchant: Option<&MerchantId>) -> Result<DataSet, HistoryError> {
        let shown = folder.display().to_string();
        let folder = Folder::new(folder);
        let head = match merchant {
            Some(merchant) => folder.head_of(merchant)?,
            None => folder.head()?,
        };
        let head = head.ok_or(HistoryError::Missing(shown))?;
        Ok(DataSet { folder, head })
    }

    /// What is to be known of it before it is played.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn overview(&self) -> Result<Overview, HistoryError> {
        let mut overview = Overview::default();
        let mut first_of_hour: BTreeMap<Moment, Moment> = BTreeMap::new();
        for part in 0..PARTS {
            let columns = ["member", "at", "origin", "rules", "others"];
            let mut see = |batch: &RecordBatch| {
                let (members, origins) = (texts(batch, "member")?, texts(batch, "origin")?);
                let (all, rules) = (moments(batch, "at")?, texts(batch, "rules")?);
                let others = lists(batch, "others")?;
                overview.entries += batch.num_rows() as u64;
                for (row, (at, others)) in all.into_iter().zip(others).enumerate() {
                    let (first, last) = overview.span.unwrap_or((at, at));
                    overview.span = Some((first.min(at), last.max(at)));
                    let rules = rules.value(row);
                    if !rules.is_empty() && !overview.rules.contains(rules) {
                        overview.rules.insert(rules.to_owned());
                    }
                    if origins.value(row) == "run" {
                        let hour = at.duration_trunc(TimeDelta::hours(1));
                        let hour = hour.map_err(|error| error.to_string())?;
                        let first = first_of_hour.entry(hour).or_insert(at);
                        *first = at.min(*first);
                    }
                    for other in &others {
                        let member = member_id(members.value(row))?;
                        overview.groups.link(&member, &member_id(other)?);
                    }
                }
                Ok(())
            };
            batches(&self.folder, &self.head, Table::Entries, part, Some(&columns), &mut see)?;
            let mut see = |batch: &RecordBatch| {
                let members = texts(batch, "member")?;
                let referrers = texts(batch, "referred_by")?;
                for (member, referrer) in members.iter().zip(referrers.iter()) {
                    if let (Some(member), Some(referrer)) = (member, referrer) {
                        overview.groups.link(&member_id(member)?, &member_id(referrer)?);
                    }
                }
                Ok(())
            };
            let columns = ["member", "referred_by"];
            batches(&self.folder, &self.head, Table::Members, part, Some(&columns), &mut see)?;
        }
        overview.runs = first_of_hour.into_values().collect();
        Ok(overview)
    }

    /// The members of a part, by name.
    ///
    /// # Errors
    /// A file cannot be read, or a row is not what it should be.
    pub fn part(&self, part: u8) -> Result<Vec<Past>, HistoryError> {
        let mut pasts = Pasts::default();
        let (folder, head) = (&self.folder, &self.head);
        batches(folder, head, Table::Members, part, None, &mut |batch| pasts.members(batch))?;
        let columns = ["member", "origin", "rules", "body"];
        let mut see = |batch: &RecordBatch| pasts.entries(batch);
        batches(folder, head, Table::Entries, part, Some(&columns), &mut see)?;
        let place = folder.path(&Folder::of(Table::Entries, part));
        pasts.done().map_err(|reason| HistoryError::row(&place, &reason))
    }

    /// The files of a table, after a look at whether each has all its rows.
    ///
    /// # Errors
    /// A file cannot be read, or has been cut off.
    pub fn files(&self, table: Table) -> Result<Vec<PathBuf>, HistoryError> {
        let own = format!("{}/", table.name());
        let listed = self.head.files.iter().filter(|(name, _)| name.starts_with(&own));
        let whole = |(name, listed): (&String, &usize)| {
            let path = self.folder.path(name);
            let found = rows_in(&path)?;
            if found == *listed {
                return Ok(path);
            }
            let file = path.display().to_string();
            Err(HistoryError::CutOff { file, listed: *listed, found })
        };
        listed.map(whole).collect()
    }

    /// The number of parts.
    #[must_use]
    pub fn parts(&self) -> u8 {
        PARTS
    }

    /// The rules of a hash.
    ///
    /// # Errors
    /// They are not in the data set, or cannot be read.
    pub fn rules(&self, hash: &str) -> Result<Arc<Bundle>, HistoryError> {
        self.folder.bundle(&self.head.merchant, hash).map(Arc::new)
    }
}

/// Calls `see` for the rows of a table's part, some at a time. `columns` are those that are read.
pub(crate) fn batches(
    folder: &Folder,
    head: &Head,
    table: Table,
    part: u8,
    columns: Option<&[&str]>,
    see: &mut impl FnMut(&RecordBatch) -> Result<(), String>,
) -> Result<(), HistoryError> {
    let own = Folder::of(table, part);
    for (name, listed) in head.files.iter().filter(|(name, _)| name.starts_with(&own)) {
        let path = folder.path(name);
        let mut found = 0;
        read(&path, columns, &mut |batch| {
            found += batch.num_rows();
            see(batch)
        })?;
        if found != *listed {
            let file = path.display().to_string();
            return Err(HistoryError::CutOff { file, listed: *listed, found });
        }
    }
    Ok(())
}

/// The rows that a file says it has.
fn rows_in(path: &Path) -> Result<usize, HistoryError> {
    let file = File::open(path).map_err(|error| HistoryError::file(path, &error))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| HistoryError::file(path, &error))?;
    let rows = reader.metadata().file_metadata().num_rows();
    usize::try_from(rows).map_err(|error| HistoryError::file(path, &error))
}

fn read(
    path: &Path,
    columns: Option<&[&str]>,
    see: &mut impl FnMut(&RecordBatch) -> Result<(), String>,
) -> Result<(), HistoryError> {
    let file = File::open(path).map_err(|error| HistoryError::file(path, &error))?;
    let wrong = |error: &dyn std::fmt::Display| HistoryError::file(path, &error.to_string());
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(&error))?;
    let mask = match columns {
        None => ProjectionMask::all(),
        Some(columns) => ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied()),
    };
    let reader = builder.with_projection(mask).with_batch_size(ROWS_AT_ONCE).build();
    for batch in reader.map_err(|error| wrong(&error))? {
        let batch = batch.map_err(|error| wrong(&error))?;
        see(&batch).map_err(|reason| HistoryError::row(path, &reason))?;
    }
    Ok(())
}

/// The rows of a file without those of members that do not stay; nothing if all stay.
pub(crate) fn filtered(
    path: &Path,
    table: Table,
    stays: &impl Fn(&str) -> Result<bool, String>,
) -> Result<Option<RecordBatch>, HistoryError> {
    let mut rest = Vec::new();
    let mut is_less = false;
    read(path, None, &mut |batch| {
        let members = texts(batch, "member")?;
        let stay: BooleanArray =
            members.iter().map(|member| member.map(stays).transpose()).collect::<Result<_, _>>()?;
        is_less |= stay.true_count() < batch.num_rows();
        rest.push(filter_record_batch(batch, &stay).map_err(|error| error.to_string())?);
        Ok(())
    })?;
    let rest = concat_batches(&table.schema(), &rest);
    let rest = rest.map_err(|error| HistoryError::row(path, &error))?;
    Ok(is_less.then_some(rest))
}
