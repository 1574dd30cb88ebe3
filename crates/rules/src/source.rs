use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::mistake::{BundleRejection, Mistake, did_you_mean};

/// The manifest's file name.
pub(crate) const MANIFEST: &str = "merchant.toml";
/// Every file that a bundle can have.
const FILES: [&str; 4] = [MANIFEST, "earn.rhai", "tiers.rhai", "rewards.rhai"];
/// The most bytes of all files together. A sheet of a thousand rules has a tenth of it.
const BYTES_MAX: usize = 256 * 1024;

/// The texts of one bundle by file name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sources(BTreeMap<String, String>);

/// The identity of a bundle: it changes with every byte of any file.
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
    /// A hash that was kept; it is compared with the real one when its bundle is loaded.
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

    /// Reads a merchant's folder: `merchant.toml` and the sheets. Other files, such as a README,
    /// are no part of a bundle; a sheet under an unknown name is a mistake, since its rules would
    /// silently not apply.
    ///
    /// # Errors
    /// The folder or a file cannot be read, or a sheet has a name that no sheet has.
    pub fn read(folder: &Path) -> Result<Sources, BundleRejection> {
        let merchant =
            folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let reject =
            |mistake| BundleRejection { merchant: merchant.clone(), mistakes: vec![mistake] };
        let unreadable = |error: std::io::Error| {
            reject(Mistake::of_file("", format!("cannot be read: {error}")))
        };

        let mut files = BTreeMap::new();
        for file in std::fs::read_dir(folder).map_err(unreadable)? {
            let file = file.map_err(unreadable)?;
            let name = file.file_name().to_string_lossy().into_owned();
            if FILES.contains(&name.as_str()) {
                let text = std::fs::read_to_string(file.path()).map_err(|error| {
                    reject(Mistake::of_file(&name, format!("cannot be read: {error}")))
                })?;
                files.insert(name, text);
            } else if Path::new(&name)
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("rhai"))
            {
                return Err(reject(Mistake::of_file(
                    &name,
                    format!("no sheet has this name{}", did_you_mean(&name, FILES)),
                )));
            }
        }
        Ok(Sources(files))
    }

    /// The text of a file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The hash over every name and text, each with its length so that no two bundles share it.
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
        // 128 bits name a merchant's revisions; nobody gains from making two of them collide.
        BundleHash(HEXLOWER.encode(&digest).chars().take(32).collect())
    }

    /// What is wrong before any file is looked into.
    pub(crate) fn check(&self) -> Vec<Mistake> {
        let bytes: usize = self.0.values().map(String::len).sum();
        let mut mistakes = Vec::new();
        for name in self.0.keys().filter(|name| !FILES.contains(&name.as_str())) {
            mistakes.push(Mistake::of_file(name, "is no file of a bundle".to_owned()));
        }
        for (name, text) in &self.0 {
            let odd =
                |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t') || c == '\u{feff}';
            if let Some(byte) = text.find(odd) {
                let message = "there is a character here that cannot be seen".to_owned();
                mistakes.push(Mistake::at_byte(name, text, byte, message));
            }
        }
        for name in [MANIFEST, "earn.rhai"] {
            if !self.0.contains_key(name) {
                mistakes.push(Mistake::of_file(name, "is missing".to_owned()));
            }
        }
        if bytes > BYTES_MAX {
            mistakes.push(Mistake::of_file(
                "",
                format!("all files together have {bytes} bytes, and {BYTES_MAX} are allowed"),
            ));
        }
        mistakes
    }
}
