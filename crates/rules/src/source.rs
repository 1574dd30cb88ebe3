//! The files of a bundle, the limits on their number and size, and their hash.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::file_names::{MANIFEST, SHEET_END, SPEC_END};
use crate::mistake::{BundleRejection, Mistake};
use crate::scan;

/// The most bytes of all files together. A sheet of a thousand rules needs a tenth of this.
const BYTES_MAX: usize = 256 * 1024;
/// The most files.
const FILES_MAX: usize = 64;

/// The texts of one bundle, by file name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sources(BTreeMap<String, String>);

/// The identity of a bundle. It changes with every byte of any file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BundleHash(String);

impl BundleHash {
    /// The hash as 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for BundleHash {
    /// A stored hash. Loading its bundle compares it with the computed one.
    fn from(text: String) -> BundleHash {
        BundleHash(text)
    }
}

impl fmt::Display for BundleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Sources {
    /// Sources from texts, for tests and tools.
    #[must_use]
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sources {
        Sources(files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    }

    /// Reads a merchant's folder: `merchant.toml`, the sheets and the specs. Other files, such as a
    /// README, are not part of a bundle.
    ///
    /// # Errors
    /// The folder or a file cannot be read.
    pub fn read(folder: &Path) -> Result<Sources, BundleRejection> {
        let merchant =
            folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let unreadable = |name: &str, error: std::io::Error| {
            let message = if error.kind() == std::io::ErrorKind::InvalidData {
                "is no text in UTF-8; save it as UTF-8, which any editor can".to_owned()
            } else {
                format!("cannot be read: {error}")
            };
            let mistakes = vec![Mistake::of_file(name, message)];
            BundleRejection { merchant: merchant.clone(), mistakes }
        };
        let mut files = BTreeMap::new();
        for file in std::fs::read_dir(folder).map_err(|error| unreadable("", error))? {
            let file = file.map_err(|error| unreadable("", error))?;
            let name = file.file_name().to_string_lossy().into_owned();
            if belongs(&name) {
                let text = std::fs::read_to_string(file.path());
                let text = text.map_err(|error| unreadable(&name, error))?;
                // Some editors put a byte order mark at the start of a file.
                let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
                files.insert(name, text);
            }
        }
        Ok(Sources(files))
    }

    /// Whether a file of this name is part of a bundle.
    #[must_use]
    pub fn reads(name: &str) -> bool {
        belongs(name)
    }

    /// The sheets by file name, in the order in which their rules run.
    pub(crate) fn sheets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(SHEET_END)
    }

    /// The specs by file name.
    pub fn specs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(SPEC_END)
    }

    fn ending(&self, end: &'static str) -> impl Iterator<Item = (&str, &str)> {
        let files = self.0.iter().filter(move |(name, _)| name.ends_with(end));
        files.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The text of a file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The hash over every name and text. Each is hashed with its length, so that moving bytes
    /// between them changes the hash.
    #[must_use]
    pub fn hash(&self) -> BundleHash {
        let mut hasher = Sha256::new();
        for (name, text) in &self.0 {
            for part in [name, text] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        let digest = hasher.finalize();
        // 128 bits are enough to name a merchant's revisions; nobody gains from a collision.
        BundleHash(HEXLOWER.encode(&digest).chars().take(32).collect())
    }

    /// Checks the set of files and the text of the sheets, before any file is parsed.
    pub(crate) fn check(&self) -> Vec<Mistake> {
        let bytes: usize = self.0.values().map(String::len).sum();
        let mut mistakes = Vec::new();
        for name in self.0.keys().filter(|name| !belongs(name)) {
            mistakes.push(Mistake::of_file(name, "is no file of a bundle".to_owned()));
        }
        for (name, text) in &self.0 {
            if let Some((byte, c)) = scan::unseen(text) {
                let number = u32::from(c);
                let message =
                    format!("there is a character here that cannot be seen: U+{number:04X}");
                mistakes.push(Mistake::at_byte(name, text, byte, message));
            }
        }
        let scanned = self.sheets().filter(|(_, text)| scan::unseen(text).is_none());
        mistakes.extend(scanned.filter_map(|(name, text)| scan::sheet(name, text)));
        if !self.0.contains_key(MANIFEST) {
            mistakes.push(Mistake::of_file(MANIFEST, "is missing".to_owned()));
        }
        if self.sheets().next().is_none() {
            let message = "there is no sheet; write one, such as earn.rhai".to_owned();
            mistakes.push(Mistake::of_file("", message));
        }
        if bytes > BYTES_MAX {
            mistakes.push(Mistake::of_file(
                "",
                format!("all files together have {bytes} bytes, and {BYTES_MAX} are allowed"),
            ));
        }
        if self.0.len() > FILES_MAX {
            let message = format!("there are {} files, and {FILES_MAX} are allowed", self.0.len());
            mistakes.push(Mistake::of_file("", message));
        }
        mistakes
    }
}

fn belongs(name: &str) -> bool {
    // A file whose name begins with a dot belongs to some other program.
    name == MANIFEST
        || (!name.starts_with('.') && (name.ends_with(SHEET_END) || name.ends_with(SPEC_END)))
}
