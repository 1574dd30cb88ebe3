//! The folder of a data set, and what it says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use ledger::{MemberId, MerchantId};
use rules::{Bundle, Sources};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::HistoryError;
use crate::schema::{Table, VERSION};

/// The parts of a data set. A member is in the part that the hash of its name says.
pub const PARTS: u8 = 16;

const HEAD: &str = "history.json";

/// The part that a member is in: the first byte of the SHA-256 of its name, modulo the number of parts.
#[must_use]
pub fn part_of(member: &MemberId) -> u8 {
    let hash = Sha256::digest(member.as_str().as_bytes());
    hash.first().map_or(0, |byte| byte % PARTS)
}

/// What a data set says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the schema.
    pub version: u32,
    /// The merchant.
    pub merchant: MerchantId,
    /// The hash of the rules in force when it was made; nothing if there were none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The attributes that may be in it.
    pub attributes: BTreeSet<String>,
    /// The time zone of its days.
    pub time_zone: String,
    /// The currency of its amounts.
    pub currency: String,
    /// The decimals that the currency has.
    pub decimals: u32,
    /// The files that belong to it, by their path in the folder, with their rows.
    pub files: BTreeMap<String, usize>,
}

/// The folder of a data set.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Head {
    /// The time zone of its days.
    ///
    /// # Errors
    /// There is no such time zone.
    pub fn zone(&self) -> Result<Tz, HistoryError> {
        let wrong =
            |_| HistoryError::row(Path::new(HEAD), &format!("no time zone `{}`", self.time_zone));
        self.time_zone.parse().map_err(wrong)
    }
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Folder {
        Folder(path.to_owned())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What it says of itself; nothing if there is no data set.
    pub(crate) fn head(&self) -> Result<Option<Head>, HistoryError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let path = self.path(HEAD);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HistoryError::file(&path, &error)),
        };
        let found: Versioned =
            serde_json::from_str(&text).map_err(|error| HistoryError::file(&path, &error))?;
        if found.version != VERSION {
            let folder = self.0.display().to_string();
            return Err(HistoryError::OtherVersion { folder, found: found.version });
        }
        serde_json::from_str(&text).map(Some).map_err(|error| HistoryError::file(&path, &error))
    }

    /// The head of a merchant's data set; nothing if there is none yet.
    pub(crate) fn head_of(&self, merchant: &MerchantId) -> Result<Option<Head>, HistoryError> {
        let head = self.head()?;
        if let Some(head) = &head
            && head.merchant != *merchant
        {
            return Err(HistoryError::OtherMerchant {
                folder: self.0.display().to_string(),
                found: head.merchant.to_string(),
                wanted: merchant.to_string(),
            });
        }
        Ok(head)
    }

    /// Replaces what the data set says of itself. Whoever reads it finds the old head or the new one.
    pub(crate) fn write_head(&self, head: &Head) -> Result<(), HistoryError> {
        let text = serde_json::to_string_pretty(head);
        let text = text.map_err(|error| HistoryError::file(&self.path(HEAD), &error))?;
        self.replace(HEAD, text.as_bytes())
    }

    /// Writes a file, all of it or nothing.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), HistoryError> {
        let path = self.path(name);
        let new = path.with_extension("new");
        let written = || -> std::io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = fs::File::create(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        written().map_err(|error| HistoryError::file(&path, &error))
    }

    fn rules(hash: &str) -> String {
        format!("rules/{hash}.json")
    }

    /// Keeps the sources of rules.
    pub(crate) fn keep_rules(&self, hash: &str, sources: &Sources) -> Result<(), HistoryError> {
        let name = Folder::rules(hash);
        let bytes = serde_json::to_vec_pretty(sources)
            .map_err(|error| HistoryError::file(&self.path(&name), &error))?;
        self.replace(&name, &bytes)
    }

    /// Whether the sources of rules are there.
    pub(crate) fn has_rules(&self, hash: &str) -> bool {
        self.path(&Folder::rules(hash)).is_file()
    }

    /// The sources of rules.
    fn sources(&self, hash: &str) -> Result<Sources, HistoryError> {
        let path = self.path(&Folder::rules(hash));
        let bytes = fs::read(&path).map_err(|error| HistoryError::file(&path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| HistoryError::file(&path, &error))
    }

    /// The rules of a hash, compiled.
    pub(crate) fn bundle(&self, merchant: &MerchantId, hash: &str) -> Result<Bundle, HistoryError> {
        let wrong = |reason: String| HistoryError::Rules { hash: hash.to_owned(), reason };
        let sources = self.sources(hash)?;
        let bundle = Bundle::published(merchant, &sources);
        let bundle = bundle.map_err(|rejection| wrong(rejection.to_string()))?;
        if bundle.hash().as_str() != hash {
            return Err(wrong("they have been changed".to_owned()));
        }
        Ok(bundle)
    }

    /// The name of the next file of a table's part, after those that a head lists.
    pub(crate) fn next(head: &Head, table: Table, part: u8) -> String {
        let folder = Folder::of(table, part);
        let number = head.files.keys().filter(|file| file.starts_with(&folder)).count() + 1;
        format!("{folder}{number:05}.parquet")
    }

    /// Removes the files of tables that a head does not list: those that had somebody who was forgotten,
    /// and those of a run that was stopped.
    pub(crate) fn remove_others(&self, head: &Head) -> Result<(), HistoryError> {
        for (table, part) in
            Table::ALL.into_iter().flat_map(|table| (0..PARTS).map(move |part| (table, part)))
        {
            let own = Folder::of(table, part);
            let folder = self.path(&own);
            if !folder.is_dir() {
                continue;
            }
            let wrong = |error: std::io::Error| HistoryError::file(&folder, &error);
            for file in fs::read_dir(&folder).map_err(wrong)? {
                let file = file.map_err(wrong)?;
                let name = format!("{own}{}", file.file_name().to_string_lossy());
                if !head.files.contains_key(&name) {
                    fs::remove_file(file.path()).map_err(wrong)?;
                }
            }
        }
        Ok(())
    }

    /// The folder of a table's part, as readers of partitioned tables expect it.
    pub(crate) fn of(table: Table, part: u8) -> String {
        format!("{}/part={part:02}/", table.name())
    }
}
