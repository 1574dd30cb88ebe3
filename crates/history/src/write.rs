//! Writing a data set: what is new of each member is added, portion by portion. A portion is in the
//! data set when its head says so, so a run that was stopped has lost one portion at most.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use backtest::{Past, Recorded};
use chrono_tz::Tz;
use ledger::{Entry, Member, MemberId, MerchantId, Programme};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rules::{Bundle, Sources};

use crate::bought::sales;
use crate::error::HistoryError;
use crate::folder::{Folder, Head, PARTS, part_of};
use crate::past::{member_id, numbers, texts};
use crate::read::{batches, filtered};
use crate::rows::{Allowed, Line, Rows};
use crate::schema::{Table, VERSION};

/// The entries in memory before they are written.
const ENTRIES_AT_ONCE: usize = 200_000;

/// What a run has added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Members.
    pub members: u64,
    /// Entries.
    pub entries: u64,
    /// Members that were taken out, since they were forgotten.
    pub forgotten: u64,
}

/// A data set that is being written.
pub struct Writer {
    folder: Folder,
    head: Head,
    /// The entries of each member that are in it.
    known: BTreeMap<MemberId, u64>,
    forgotten: BTreeSet<MemberId>,
    rows: BTreeMap<u8, Rows>,
    waiting: usize,
    allowed: Allowed,
    zone: Tz,
    bundles: BTreeMap<String, Arc<Bundle>>,
    added: Added,
}

impl Writer {
    /// Opens the data set of a merchant, or begins one. `programme` says which attributes may be in
    /// it, `rules` which rules are in force.
    ///
    /// # Errors
    /// The folder has another merchant's history or one of another version, or cannot be used.
    pub fn open(
        folder: &Path,
        merchant: &MerchantId,
        programme: &Programme,
        rules: Option<String>,
    ) -> Result<Writer, HistoryError> {
        let shown = folder.display().to_string();
        let folder = Folder::new(folder);
        let allowed = Allowed::by(programme);
        let head = folder.head_of(merchant)?.unwrap_or_else(|| Head {
            version: VERSION,
            merchant: merchant.clone(),
            rules: None,
            attributes: allowed.names().clone(),
            time_zone: programme.time_zone.to_string(),
            currency: programme.currency.code().to_owned(),
            decimals: programme.decimals(),
            files: BTreeMap::new(),
        });
        let zone = programme.time_zone;
        for (what, found, wanted) in [
            ("attributes", named(&head.attributes), named(allowed.names())),
            ("time zone", head.time_zone.clone(), zone.to_string()),
            ("currency", head.currency.clone(), programme.currency.code().to_owned()),
        ] {
            if found != wanted {
                return Err(HistoryError::OtherManifest { folder: shown, what, found, wanted });
            }
        }
        let head = Head { rules, ..head };
        let mut known = BTreeMap::new();
        for (table, columns) in
            [(Table::Members, ["member"].as_slice()), (Table::Entries, &["member", "entry"])]
        {
            for part in 0..PARTS {
                let mut see = |batch: &RecordBatch| note(&mut known, batch, table);
                batches(&folder, &head, table, part, Some(columns), &mut see)?;
            }
        }
        Ok(Writer {
            folder,
            head,
            known,
            forgotten: BTreeSet::new(),
            rows: BTreeMap::new(),
            waiting: 0,
            allowed,
            zone,
            bundles: BTreeMap::new(),
            added: Added::default(),
        })
    }

    /// Begins the data set of a shop that has only orders: their entries are numbered here, so no other
    /// file can be added.
    ///
    /// # Errors
    /// As [`Writer::open`]; or there is one already.
    pub fn begin(
        folder: &Path,
        merchant: &MerchantId,
        programme: &Programme,
    ) -> Result<Writer, HistoryError> {
        if Folder::new(folder).head_of(merchant)?.is_some() {
            return Err(HistoryError::Begun(folder.display().to_string()));
        }
        Writer::open(folder, merchant, programme, None)
    }

    /// Whether the sources of rules have to be given to it.
    #[must_use]
    pub fn lacks_rules(&self, hash: &str) -> bool {
        !hash.is_empty() && !self.folder.has_rules(hash)
    }

    /// Keeps the sources of rules.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn keep_rules(&self, hash: &str, sources: &Sources) -> Result<(), HistoryError> {
        self.folder.keep_rules(hash, sources)
    }

    /// Adds what is new of a member.
    ///
    /// # Errors
    /// The folder cannot be written, or rules that judged the member cannot be read.
    pub fn add(&mut self, past: &Past) -> Result<(), HistoryError> {
        let id = &past.enrolled.id;
        let known = self.known.get(id).copied();
        let part = part_of(id);
        let wrong = |error: serde_json::Error| HistoryError::row(Path::new(id.as_str()), &error);
        let zone = self.zone;
        if known.is_none() {
            let rows = self.rows.entry(part).or_insert_with(|| Rows::new(zone));
            rows.enroll(&past.enrolled, &self.allowed).map_err(wrong)?;
            self.added.members += 1;
        }
        let entries: Vec<Entry> = past.entries.iter().map(|one| one.entry.clone()).collect();
        let sales = sales(&entries, self.head.decimals)
            .map_err(|reason| HistoryError::row(Path::new(id.as_str()), &reason))?;
        let mut member: Member = past.enrolled.clone();
        for (recorded, sale) in past.entries.iter().zip(sales) {
            // An audit names an entry that does not follow from the one before it.
            let _applied = member.apply(&recorded.entry);
            if recorded.entry.seq.get() <= known.unwrap_or_default() {
                continue;
            }
            let bundle = self.bundle(&recorded.rules)?;
            let entry = self.allowed.entry(&recorded.entry).map_err(wrong)?;
            let recorded = Recorded { entry, ..recorded.clone() };
            let rows = self.rows.entry(part).or_insert_with(|| Rows::new(zone));
            let programme = bundle.as_ref().map(|bundle| bundle.programme());
            let line = Line {
                member: id.as_str(),
                recorded: &recorded,
                tier: member.tier(),
                sale,
                programme,
            };
            rows.entry(line).map_err(wrong)?;
            self.added.entries += 1;
            self.waiting += 1;
        }
        let entries = past.entries.last().map_or(0, |last| last.entry.seq.get());
        let known = self.known.entry(id.clone()).or_default();
        *known = entries.max(*known);
        if self.waiting >= ENTRIES_AT_ONCE {
            self.flush()?;
        }
        Ok(())
    }

    /// The rules of a hash, to say what units are worth; nothing if there was no programme.
    fn bundle(&mut self, hash: &str) -> Result<Option<Arc<Bundle>>, HistoryError> {
        if hash.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.bundles.get(hash) {
            return Ok(Some(Arc::clone(known)));
        }
        let bundle = Arc::new(self.folder.bundle(&self.head.merchant, hash)?);
        self.bundles.insert(hash.to_owned(), Arc::clone(&bundle));
        Ok(Some(bundle))
    }

    /// Notes that a person was forgotten: it leaves the data set.
    pub fn forget(&mut self, member: &MemberId) {
        if self.known.remove(member).is_some() {
            self.forgotten.insert(member.clone());
        }
    }

    /// Writes what waits. From then on it is in the data set.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn flush(&mut self) -> Result<(), HistoryError> {
        for (part, mut rows) in std::mem::take(&mut self.rows) {
            for table in Table::ALL {
                let name = Folder::next(&self.head, table, part);
                let path = self.folder.path(&name);
                let batch = rows.batch(table).map_err(|error| HistoryError::file(&path, &error))?;
                if batch.num_rows() > 0 {
                    write(&path, &batch)?;
                    self.head.files.insert(name, batch.num_rows());
                }
            }
        }
        self.waiting = 0;
        self.folder.write_head(&self.head)
    }

    /// Ends the run: writes what waits, and takes out who was forgotten. Returns what was added.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn done(mut self) -> Result<Added, HistoryError> {
        self.flush()?;
        let forgotten = std::mem::take(&mut self.forgotten);
        let parts: BTreeSet<u8> = forgotten.iter().map(part_of).collect();
        let mut head = self.head.clone();
        for (part, table) in parts.iter().flat_map(|part| Table::ALL.map(|table| (*part, table))) {
            let folder = Folder::of(table, part);
            let files: Vec<String> =
                head.files.keys().filter(|file| file.starts_with(&folder)).cloned().collect();
            for name in files {
                let path = self.folder.path(&name);
                let stays =
                    |member: &str| member_id(member).map(|member| !forgotten.contains(&member));
                let Some(rest) = filtered(&path, table, &stays)? else { continue };
                let new = format!("{}-rest.parquet", name.trim_end_matches(".parquet"));
                write(&self.folder.path(&new), &rest)?;
                head.files.remove(&name);
                head.files.insert(new, rest.num_rows());
            }
        }
        self.folder.write_head(&head)?;
        self.folder.remove_others(&head)?;
        Ok(Added { forgotten: forgotten.len() as u64, ..self.added })
    }
}

/// Names in words.
fn named(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Notes which members are in a data set, and with how many entries.
fn note(
    known: &mut BTreeMap<MemberId, u64>,
    batch: &RecordBatch,
    table: Table,
) -> Result<(), String> {
    let members = texts(batch, "member")?;
    let entries = match table {
        Table::Entries => numbers(batch, "entry")?,
        _ => vec![0; batch.num_rows()],
    };
    for (member, entry) in members.iter().flatten().zip(entries) {
        let own = known.entry(member_id(member)?).or_default();
        *own = (*own).max(u64::try_from(entry).unwrap_or_default());
    }
    Ok(())
}

fn write(path: &Path, batch: &RecordBatch) -> Result<(), HistoryError> {
    let written = || -> Result<(), Box<dyn std::error::Error>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = fs::File::create(path)?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
        writer.write(batch)?;
        writer.into_inner()?.sync_all()?;
        Ok(())
    };
    written().map_err(|error| HistoryError::file(path, &error))
}
