//! Publishing folders of rules to the table.

use std::path::{Path, PathBuf};

use api::{Forgetting, PublishError, Publishing, publish};
use ledger::MerchantId;
use ledger::name::NameRejection;
use rules::{Bundle, BundleRejection, Sources};
use store::Store;

/// The reason for which a folder's rules could not be published.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder with the merchants' folders cannot be read.
    #[error("the folder of rules `{path}` cannot be read: {reason}")]
    Unreadable {
        /// The folder.
        path: String,
        /// The reason.
        reason: std::io::Error,
    },
    /// The folder's name cannot name a merchant.
    #[error("the folder `{folder}` cannot name a merchant: {reason}")]
    NameIsWrong {
        /// The folder.
        folder: String,
        /// The reason.
        reason: NameRejection,
    },
    /// The folder's files cannot be read or have mistakes.
    #[error(transparent)]
    Rejected(#[from] BundleRejection),
    /// The bundle could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// The merchants' folders in `rules`, sorted by name.
///
/// # Errors
/// The folder cannot be read.
pub fn folders(rules: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let unreadable = |reason| FolderError::Unreadable { path: rules.display().to_string(), reason };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(rules).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Publishes one merchant's folder.
///
/// # Errors
/// The folder has mistakes, or the table could not be written. The active bundle stays the same.
pub async fn publish_folder(
    store: &Store,
    folder: &Path,
    how: impl Into<Publishing>,
) -> Result<Bundle, FolderError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let merchant = MerchantId::parse(&name).map_err(|reason| FolderError::NameIsWrong {
        folder: folder.display().to_string(),
        reason,
    })?;
    let sources = Sources::read(folder)?;
    Ok(publish(store, &merchant, &sources, how).await?)
}

/// Publishes every merchant's folder under `rules`.
///
/// # Errors
/// A folder cannot be published. The error is that of the first one; the folders before it are
/// published.
pub async fn publish_all(store: &Store, rules: &Path) -> Result<Vec<Bundle>, FolderError> {
    let mut bundles = Vec::new();
    for folder in folders(rules)? {
        bundles.push(publish_folder(store, &folder, Forgetting::Allowed).await?);
    }
    Ok(bundles)
}
