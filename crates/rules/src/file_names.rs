//! The names of the files that make a bundle.

/// The manifest's file name.
pub(crate) const MANIFEST: &str = "merchant.toml";
/// The end of a sheet's file name.
pub(crate) const SHEET_END: &str = ".rhai";
/// The end of a specs' file name.
pub(crate) const SPEC_END: &str = ".spec.toml";
