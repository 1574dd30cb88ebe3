//! The names of the files that make a bundle.

/// The file name of the manifest.
pub(crate) const MANIFEST: &str = "merchant.toml";
/// The suffix of a sheet's file name.
pub(crate) const SHEET_END: &str = ".rhai";
/// The suffix of a spec file's name.
pub(crate) const SPEC_END: &str = ".spec.toml";
