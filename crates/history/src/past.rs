//! Members and their entries, from the table and from rows.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, StringArray};
use backtest::{Past, Recorded};
use chrono::DateTime;
use ledger::{Member, MemberId, Moment};
use store::{History, VersionLine};

/// What is known of a member; nothing if the person was forgotten.
#[must_use]
pub fn past_of(history: &History) -> Option<Past> {
    if history.member().erased_at.is_some() {
        return None;
    }
    let recorded = |line: &VersionLine| {
        let version = line.version.as_ref()?;
        let (entry, rules) = (version.entry.clone(), version.bundle.clone());
        Some(Recorded { entry, rules, asked: line.asked })
    };
    let entries = history.lines.iter().filter_map(recorded).collect();
    Some(Past { enrolled: history.enrolled.clone(), entries })
}

/// A column of texts.
pub(crate) fn texts<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b StringArray, String> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| format!("there is no column `{name}` of texts"))
}

pub(crate) fn moments(batch: &RecordBatch, name: &str) -> Result<Vec<Moment>, String> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let column = column.ok_or_else(|| format!("there is no column `{name}` of moments"))?;
    let moment = |at: &i64| {
        DateTime::from_timestamp_micros(*at).ok_or_else(|| format!("`{name}` is out of range"))
    };
    column.values().iter().map(moment).collect()
}

pub(crate) fn numbers(batch: &RecordBatch, name: &str) -> Result<Vec<i64>, String> {
    let column =
        batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| format!("there is no column `{name}` of numbers"))?;
    Ok(column.values().to_vec())
}

/// The texts in each row of a column of lists.
pub(crate) fn lists(batch: &RecordBatch, name: &str) -> Result<Vec<Vec<String>>, String> {
    let column = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
    let column = column.ok_or_else(|| format!("there is no column `{name}` of lists"))?;
    let list = |row: usize| -> Result<Vec<String>, String> {
        let values = column.value(row);
        let values = values.as_string_opt::<i32>().ok_or("a list is not of texts")?;
        Ok(values.iter().flatten().map(str::to_owned).collect())
    };
    (0..column.len()).map(list).collect()
}

pub(crate) fn member_id(text: &str) -> Result<MemberId, String> {
    MemberId::parse(text).map_err(|reason| format!("`{text}` is no member: {reason}"))
}

/// The pasts of some members, while their rows come in.
#[derive(Default)]
pub(crate) struct Pasts(BTreeMap<MemberId, Past>);

impl Pasts {
    /// Takes in rows of the members' table.
    pub(crate) fn members(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let (ids, referrers) = (texts(batch, "member")?, texts(batch, "referred_by")?);
        let (enrolled, tags) = (moments(batch, "enrolled_at")?, lists(batch, "tags")?);
        let attributes = texts(batch, "attributes")?;
        for (row, (enrolled_at, tags)) in enrolled.into_iter().zip(tags).enumerate() {
            let id = member_id(ids.value(row))?;
            let referred_by = referrers.is_valid(row).then(|| member_id(referrers.value(row)));
            let attributes = serde_json::from_str(attributes.value(row));
            let enrolled = Member {
                referred_by: referred_by.transpose()?,
                tags: tags.into_iter().collect(),
                attributes: attributes.map_err(|error| error.to_string())?,
                ..Member::new(id.clone(), enrolled_at)
            };
            self.0.insert(id, Past { enrolled, entries: Vec::new() });
        }
        Ok(())
    }

    /// Takes in rows of the entries' table.
    pub(crate) fn entries(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let (ids, bodies) = (texts(batch, "member")?, texts(batch, "body")?);
        let (rules, origins) = (texts(batch, "rules")?, texts(batch, "origin")?);
        for row in 0..batch.num_rows() {
            let id = ids.value(row);
            let past = self.0.get_mut(&member_id(id)?);
            let past = past.ok_or_else(|| format!("`{id}` has entries, and never enrolled"))?;
            let entry = serde_json::from_str(bodies.value(row))
                .map_err(|error| format!("an entry of `{id}` cannot be read: {error}"))?;
            let (rules, asked) = (rules.value(row).to_owned(), origins.value(row) == "told");
            past.entries.push(Recorded { entry, rules, asked });
        }
        Ok(())
    }

    /// The pasts, each with its entries in order.
    pub(crate) fn done(self) -> Result<Vec<Past>, String> {
        let mut pasts: Vec<Past> = self.0.into_values().collect();
        for past in &mut pasts {
            past.entries.sort_by_key(|recorded| recorded.entry.seq);
            let missing = past.entries.iter().zip(1u64..);
            if let Some((_, missing)) =
                missing.into_iter().find(|(one, number)| one.entry.seq.get() != *number)
            {
                return Err(format!("entry {missing} of `{}` is missing", past.enrolled.id));
            }
        }
        Ok(pasts)
    }
}
