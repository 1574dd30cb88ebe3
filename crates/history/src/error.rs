//! Why a data set cannot be read or written.

use std::path::Path;

/// Why a data set cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no data set in the folder.
    #[error("there is no history in `{0}`: it has no `history.json`; `regulars history` makes one")]
    Missing(String),
    /// It is another merchant's.
    #[error("`{folder}` is the history of `{found}`, not of `{wanted}`")]
    OtherMerchant {
        /// The folder.
        folder: String,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// A version of the schema that this program does not know.
    #[error(
        "the history in `{folder}` has version {found} of the schema, and this program reads version {}; make it again with `regulars history`",
        crate::VERSION
    )]
    OtherVersion {
        /// The folder.
        folder: String,
        /// Its version.
        found: u32,
    },
    /// The manifest names other attributes, another time zone or another currency than when the data set
    /// was begun.
    #[error(
        "the history in `{folder}` has the {what} {found}, and the manifest names {wanted} now; begin a new folder"
    )]
    OtherManifest {
        /// The folder.
        folder: String,
        /// What is another.
        what: &'static str,
        /// Those that it has.
        found: String,
        /// Those that the manifest names.
        wanted: String,
    },
    /// Orders of a shop without a programme would be counted beside what is there.
    #[error("there is a history in `{0}`, and orders begin one; name a new folder")]
    Begun(String),
    /// A file cannot be read or written.
    #[error("`{file}` cannot be used: {reason}")]
    File {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A file does not have the rows that it should have.
    #[error("`{file}` has {found} rows, and `history.json` says {listed}")]
    CutOff {
        /// The file.
        file: String,
        /// The rows that it should have.
        listed: usize,
        /// The rows that it has.
        found: usize,
    },
    /// A row cannot be read.
    #[error("`{file}`: {reason}")]
    Row {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The rules of the past cannot be read.
    #[error("the rules {hash} of the history cannot be read: {reason}")]
    Rules {
        /// Their hash.
        hash: String,
        /// Why.
        reason: String,
    },
}

impl HistoryError {
    pub(crate) fn file(file: &Path, reason: &impl ToString) -> HistoryError {
        HistoryError::File { file: file.display().to_string(), reason: reason.to_string() }
    }

    pub(crate) fn row(file: &Path, reason: &impl ToString) -> HistoryError {
        HistoryError::Row { file: file.display().to_string(), reason: reason.to_string() }
    }
}
