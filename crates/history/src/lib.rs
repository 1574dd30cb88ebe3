//! The past as data: a merchant's members, entries, effects and movements as Parquet, in parts by
//! member.
//!
//! A data set is a folder: `history.json` says whose it is, of which version and which files belong to
//! it, `rules/` has the rules that judged it, and each table has files by part. SCHEMA.md says what is
//! in a row. A row is written once: another run adds what is new. Persons who were forgotten are taken
//! out, and no attribute is in it that the manifest does not name under `[history]`.
//!
//! Read the modules in this order.

/// The tables and their columns.
mod schema;
/// Why a data set cannot be read or written.
mod error;
/// The folder and what it says of itself.
mod folder;
/// What members bought.
mod bought;
/// Rows of the tables, from members and their entries.
mod rows;
/// Members and their entries, from the table and from rows.
mod past;
/// Reading a data set.
mod read;
/// Writing a data set.
mod write;

#[cfg(test)]
mod tests;

pub use bought::{Purchase, purchases};
pub use error::HistoryError;
pub use folder::{Head, PARTS, part_of};
pub use past::past_of;
pub use read::{DataSet, Overview};
pub use schema::{Table, VERSION};
pub use write::{Added, Writer};
